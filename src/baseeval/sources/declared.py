"""What a school file declares of a base, in its own words: type and needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import BASE_WORDS

#: Why a school has no type of base: the file says that there is none. Empty says nothing.
NO_BASE = "no base"

#: Words for no base, as `plain` gives them.
_NO_BASE_WORDS = ("not applicable", "does not apply", "none", "no")

#: What GIAS writes where a need does not apply, in capitals.
_NO_NEED_WORDS = ("NOT APPLICABLE", "NONE")


def plain(text: nw.Expr) -> nw.Expr:
    """Return words in small letters, full stops and apostrophes gone, other signs single spaces.

    Parameters
    ----------
    text : narwhals expression

    Returns
    -------
    narwhals expression
        Missing as the empty text.
    """
    # Full stops and apostrophes go without a space: A.R.P. is ARP.
    small = text.str.to_lowercase().str.replace_all("[.'’]", "")
    letters = small.str.replace_all(r"[^a-z0-9]+", " ").str.strip_chars()
    return nw.when(text.is_null()).then(nw.lit("")).otherwise(letters)


def base_type(
    said: nw.Expr, own: Mapping[str, str], nothing: Sequence[str] = ()
) -> tuple[nw.Expr, nw.Expr]:
    """Read the word for a base.

    Parameters
    ----------
    said : narwhals expression
        As `plain` gives it.
    own : mapping of str to str
        Words besides those of `BASE_WORDS`, and the type that each means; empty
        for none.
    nothing : sequence of str
        Codes of the file that say that there is none.

    Returns
    -------
    type : narwhals expression
        A code of `BASE_TYPES`, `NO_BASE`, or missing where the cell is empty.
    strange : narwhals expression
        True for a word that is not known: its type is ``unknown``.
    """
    words = {**BASE_WORDS, **{word.strip().lower(): kind for word, kind in own.items()}}
    none = [*_NO_BASE_WORDS, *nothing, *(word for word, kind in words.items() if not kind)]
    known = said.is_in([*words, *none, ""])
    value = nw.when(said.is_in(none)).then(nw.lit(NO_BASE)).otherwise(nw.lit(None, nw.String))
    for kind in dict.fromkeys(kind for kind in words.values() if kind):
        mine = [word for word, meant in words.items() if meant == kind]
        value = nw.when(said.is_in(mine)).then(nw.lit(kind)).otherwise(value)
    return nw.when(~known).then(nw.lit("unknown")).otherwise(value), ~known


def need_code(text: nw.Expr) -> nw.Expr:
    """Read a type of need as GIAS writes it: ``ASD - Autistic Spectrum Disorder``.

    Parameters
    ----------
    text : narwhals expression

    Returns
    -------
    narwhals expression
        What stands before the dash, in capitals; empty where no need is named.
    """
    code = text.str.replace_all(r"\s+-.*$", "").str.strip_chars().str.to_uppercase()
    return nw.when(~code.is_in(list(_NO_NEED_WORDS))).then(code).otherwise(nw.lit(""))


def joined_needs(provided: Mapping[str, nw.Expr]) -> nw.Expr:
    """Join the codes of the needs provided for.

    Parameters
    ----------
    provided : mapping of str to narwhals expression
        Code of `NEEDS` -> true where it is provided for.

    Returns
    -------
    narwhals expression
        Such as ``ASD;SLCN``, in the order of the alphabet; missing for none.
    """
    codes = [nw.when(provided[code]).then(nw.lit(code)) for code in sorted(provided)]
    joined = nw.concat_str(codes, separator=";", ignore_nulls=True)
    return nw.when(joined != "").then(joined).otherwise(nw.lit(None, nw.String))

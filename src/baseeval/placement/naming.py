"""Words for bases: every one that is known to its type, and each type to the White Paper's word."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import (
    BASE_TYPES,
    BASE_WORDS,
    WHITE_PAPER_BASES,
    WHITE_PAPER_BY_COMMISSIONER,
    WHITE_PAPER_BY_TYPE,
)
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.errors import Fault, fault

UNKNOWN = "unknown"
BLANK = "(blank)"
NOT_KNOWN = "(a word that is not known)"

#: What a cell says where there is no base: no word for one.
_NO_BASE = ("", "not applicable", "does not apply", "none", "no", "no base")
_DROPPED = "[.'’]"  # A.R.P. is ARP
_PARTING = "[^a-z0-9]+"


def white_paper_word(base_type: str, commissioner: str | None = None) -> str:
    """Give the 2026 White Paper's word for a base.

    Parameters
    ----------
    base_type : str
        A code of ``BASE_TYPES``.
    commissioner : str, optional
        ``la``, ``school`` or ``trust``: where it is known, it decides.

    Returns
    -------
    str
        ``Specialist base``, ``Support base`` or ``Not known``.

    Examples
    --------
    >>> white_paper_word("sen_unit"), white_paper_word("hub"), white_paper_word("hub", "la")
    ('Specialist base', 'Not known', 'Specialist base')
    """
    by_type = WHITE_PAPER_BY_TYPE.get(base_type, UNKNOWN)
    return WHITE_PAPER_BASES[WHITE_PAPER_BY_COMMISSIONER.get(commissioner or "", by_type)]


def with_types(frame: Frame) -> Frame:
    """Read the words of ``base_type`` as types.

    Parameters
    ----------
    frame : narwhals LazyFrame

    Returns
    -------
    narwhals LazyFrame
        ``base_type`` holds a code of ``BASE_TYPES``, ``unknown`` for any word that is
        not listed and null where no word was given; ``word`` what was written, in small
        letters and without punctuation.
    """
    plain = _plain(nw.col("base_type"))
    code = plain.replace_strict(dict(BASE_WORDS), default=UNKNOWN, return_dtype=nw.String)
    named = ~plain.is_in(list(_NO_BASE))
    return frame.with_columns(
        nw.when(named).then(code).alias("base_type"),
        nw.when(named).then(plain).alias("word"),
    )


def _plain(word: nw.Expr) -> nw.Expr:
    undotted = word.str.to_lowercase().str.replace_all(_DROPPED, "")
    plain: nw.Expr = undotted.str.replace_all(_PARTING, " ").str.strip_chars()
    return plain


def count_words(
    source: str, frame: Frame, engine: Engine
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Count the words for bases in a table.

    Parameters
    ----------
    source : str
        Name of the table.
    frame : narwhals LazyFrame
        From `with_types`.
    engine : Engine

    Returns
    -------
    rows : list of dict
        ``source, word, base_type, name, white_paper, rows``, one for each word.
        A word that is not known is counted and not shown: it could be anything.
    faults : list of Fault
    """
    known = nw.when(nw.col("word").is_in(list(BASE_WORDS))).then(nw.col("word"))
    word = (
        nw.when(nw.col("word").is_null())
        .then(nw.lit(BLANK))
        .otherwise(nw.coalesce(known, nw.lit(NOT_KNOWN)))
    )
    shown = frame.select(
        word.alias("word"), nw.coalesce(nw.col("base_type"), nw.lit(UNKNOWN)).alias("base_type")
    )
    grouped = shown.group_by("word", "base_type").agg(COUNT.alias("rows"))
    rows = [
        {
            "source": source,
            "word": row["word"],
            "base_type": row["base_type"],
            "name": BASE_TYPES[row["base_type"]],
            "white_paper": white_paper_word(row["base_type"]),
            "rows": int(row["rows"]),
        }
        for row in engine.collect(grouped, ["word", "base_type"]).to_pylist()
    ]
    strange = sum(row["rows"] for row in rows if row["word"] == NOT_KNOWN)
    if not strange:
        return rows, []
    what = "a word for the base that is not known; the type is read as not recorded"
    remedy = "Use a word of docs/methods/placement.md, or leave it empty."
    return rows, [fault(source, "base_type", "unknown_base_word", strange, what, remedy)]

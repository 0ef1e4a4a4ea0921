"""lme4's formula language: random terms apart from the rest, which formulaic reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from formulaic import Formula
from formulaic.errors import FormulaicError

from baseeval.errors import Problem, UsageError

_GROUP = re.compile(r"`([^`]+)`|([^\W\d][\w.]*)")
_SHAPE = "Write a random term as (1 + wave | pupil): what varies, a bar, and between which groups."


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """What varies, and between the levels of which grouping factor.

    Parameters
    ----------
    left : str
        Columns whose effects vary, in formulaic's language.
    group : tuple of str
        Columns whose combinations are the levels; more than one for ``a:b``.
    """

    left: str
    group: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the grouping factor's name."""
        return ":".join(self.group)


@dataclass(frozen=True, slots=True)
class ModelFormula:
    """A formula taken apart.

    Parameters
    ----------
    text : str
        As it was written.
    response : str
    fixed : str
        The right side without random terms.
    random : tuple of RandomTerm
        In their order; ``||`` and ``a/b`` written out.
    """

    text: str
    response: str
    fixed: str
    random: tuple[RandomTerm, ...]


def parse_formula(formula: str) -> ModelFormula:
    """Take a formula apart.

    Parameters
    ----------
    formula : str
        A response, ``~``, a fixed part, and random terms in brackets.
        ``(x || g)`` is one independent term for each term of x; ``(1 | a/b)``
        is ``(1 | a) + (1 | a:b)``. Names that are not plain words stand in
        backticks.

    Returns
    -------
    ModelFormula

    Raises
    ------
    UsageError
        The formula cannot be read; every fault is named.

    Examples
    --------
    >>> parsed = parse_formula("maths ~ prior + (1 + wave || pupil) + (1 | area/school)")
    >>> parsed.fixed, [(term.left, term.label) for term in parsed.random]
    ('prior', [('1', 'pupil'), ('0 + wave', 'pupil'), ('1', 'area'), ('1', 'area:school')])
    """
    where = f"formula `{formula}`"
    opened = sum((sign in "([{") - (sign in ")]}") for _, sign in _signs(formula))
    if opened or formula.count("`") % 2:
        raise UsageError(Problem(where, "a bracket or backtick has no partner", "Close each one."))
    sides = _split(formula, "~")
    if len(sides) != 2 or not sides[0].strip():
        remedy = "Write it as `outcome ~ terms`."
        raise UsageError(Problem(where, "it needs one outcome, one `~` and what follows", remedy))
    response = sides[0].strip()
    problems = _response_problems(where, response)
    fixed, random = [], []
    for sign, piece in _summands(sides[1]):
        inside = _bracketed(piece)
        bars = _split(inside, "|") if inside is not None else []
        if len(bars) < 2:
            problems += _stray_bars(where, piece)
            fixed.append((sign, piece))
        elif sign == "-":
            remedy = "Leave the term out, or add it with `+`."
            problems.append(Problem(where, f"the random term {piece} is taken away", remedy))
        else:
            terms, faults = _random_terms(where, piece, bars)
            random += terms
            problems += faults
    if problems:
        raise UsageError(problems)
    words = [f"{sign} {piece}" for sign, piece in fixed]
    joined = " ".join(words).removeprefix("+ ") if words else "1"
    return ModelFormula(formula, response, joined, tuple(random))


def read_side(text: str, where: str) -> Formula:
    """Read one side of a formula by formulaic, with an intercept unless it is taken away.

    Parameters
    ----------
    text : str
    where : str
        What a message calls the formula.

    Returns
    -------
    formulaic.Formula

    Raises
    ------
    UsageError
    """
    try:
        side = Formula(text)
    except (FormulaicError, SyntaxError) as error:
        said = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
        raise UsageError(
            Problem(where, f"`{text}` cannot be read ({said})", "Mend that part.")
        ) from None
    return side


def _response_problems(where: str, response: str) -> list[Problem]:
    if response.startswith("cbind"):
        said = "an outcome of two columns, successes and failures, is not read"
    elif len(_split(response, "/")) > 1:
        said = "an outcome that is divided by another column is not read"
    else:
        return []
    remedy = 'Name the count as the outcome and the possible as `trials="..."`.'
    return [Problem(where, said, remedy)]


def _stray_bars(where: str, piece: str) -> list[Problem]:
    """Say what is wrong with a bar that stands where no random term is read."""
    if "|" not in re.sub(r"`[^`]*`", "", piece):
        return []
    if len(_split(piece, "|")) > 1:
        return [Problem(where, f"the bar in `{piece}` stands outside brackets", _SHAPE)]
    if re.search(r"(?:^|[\s*:/^(])\([^()|]*\|", piece):
        remedy = "Join random terms to the rest with `+`."
        return [Problem(where, f"`{piece}` mixes a random term with other terms", remedy)]
    return []  # inside a function, which formulaic judges


def _random_terms(
    where: str, piece: str, bars: Sequence[str]
) -> tuple[list[RandomTerm], list[Problem]]:
    independent = len(bars) == 3 and not bars[1]
    if len(bars) > 2 and not independent:
        return [], [Problem(where, f"{piece} has more than one bar", _SHAPE)]
    left, right = bars[0].strip(), bars[-1].strip()
    if not left or not right:
        side = "left" if not left else "right"
        return [], [Problem(where, f"{piece} has nothing to the {side} of its bar", _SHAPE)]
    groups: list[tuple[str, ...]] = []
    for level in _split(right, "/"):
        names = [_GROUP.fullmatch(name.strip()) for name in _split(level, ":")]
        if not all(names):
            remedy = (
                "Name columns, joined by `:` or `/`; write (1 | a) + (1 | b) for two factors, "
                "and make what is to be computed a column first."
            )
            return [], [Problem(where, f"`{right}` in {piece} names no grouping factor", remedy)]
        found = tuple(str(name[1] or name[2]) for name in names if name)
        groups.append((groups[-1] if groups else ()) + found)
    lefts = _parts(left, where) if independent else [left]
    return [RandomTerm(part, group) for group in groups for part in lefts], []


def _parts(left: str, where: str) -> list[str]:
    """Write out the independent terms of ``left ||``: a factor's own columns stay together."""
    terms = [term for term in read_side(left, where) if str(term) != "0"]
    quoted = [":".join(_quoted(factor.expr) for factor in term.factors) for term in terms]
    return [text if text == "1" else f"0 + {text}" for text in quoted]


def _quoted(name: str) -> str:
    plain = _GROUP.fullmatch(name) or re.search(r"[()\[\]{}'\"]", name) or name.isdigit()
    return name if plain else f"`{name}`"


def _bracketed(piece: str) -> str | None:
    """Return what stands in the brackets that hold the whole of a piece, if they do."""
    while piece.startswith("(") and _closing(piece) == len(piece) - 1:
        piece = piece[1:-1].strip()
        if not piece.startswith("("):
            return piece
    return None


def _closing(text: str) -> int:
    depth = 0
    for place, sign in _signs(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return place
    return -1


def _summands(text: str) -> list[tuple[str, str]]:
    """Cut a side at every + and - outside brackets."""
    cuts, depth = [], 0
    for place, sign in _signs(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign in "+-":
            cuts.append(place)
    edges = [-1, *cuts, len(text)]
    pieces = []
    for start, end in pairwise(edges):
        piece = text[start + 1 : end].strip()
        if piece or start >= 0:
            pieces.append((text[start] if start >= 0 else "+", piece))
    return pieces


def _split(text: str, at: str) -> list[str]:
    """Cut a text at a sign that stands outside brackets and quotes."""
    parts, last, depth = [], 0, 0
    for place, sign in _signs(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign == at:
            parts.append(text[last:place])
            last = place + 1
    return [*parts, text[last:]]


def _signs(text: str) -> list[tuple[int, str]]:
    """Return the characters that are not quoted, and their places."""
    kept, quote = [], ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "`'\"":
            quote = sign
        else:
            kept.append((place, sign))
    return kept

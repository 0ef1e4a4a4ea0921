"""The figures of a school year, from those of its terms; Year 11's summer is left out."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.sources.npd_rows import Frame, yes

FIGURES = ("sessions_possible", "authorised", "unauthorised", "overall", "illness", "medical")

#: The sixth half term stands by itself; the year as a whole serves where there are no terms.
TERMS = ("autumn", "spring", "summer", "summer6th", "annual")

_PARTS = TERMS[:-1]
_SUMMERS = ("summer", "summer6th")


def with_year_figures(frame: Frame) -> Frame:
    """Add the year's figures of each row.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Whole numbers named ``figure_term``, and ``eleven``: 1 in Year 11.

    Returns
    -------
    narwhals LazyFrame
        With each figure (0 where not known), ``unknown:figure`` (1 where a term
        with sessions possible has none), ``recorded`` (1 where sessions possible
        are known) and ``by_year`` (1 where only the whole year's figures are).
    """
    held = frozenset(frame.collect_schema().names())
    possible = [f"sessions_possible_{term}" for term in _PARTS]
    by_term = _any([~nw.col(name).is_null() for name in possible if name in held])
    whole = "sessions_possible_annual"
    by_year = ~by_term & ~nw.col(whole).is_null() if whole in held else nw.lit(False)
    columns = [yes(by_term | by_year).alias("recorded"), yes(by_year).alias("by_year")]
    for figure in FIGURES:
        parts = [(term, _figure(figure, term, held)) for term in TERMS]
        known = [(term, value) for term, value in parts if value is not None]
        if not known and figure != "overall":
            continue
        total: nw.Expr = nw.lit(0)
        for term, value in known:
            counts = by_year if term == "annual" else by_term & _counted(term)
            total = total + nw.when(counts).then(nw.coalesce(value, nw.lit(0))).otherwise(0)
        columns.append(total.cast(nw.Int64).alias(figure))
        columns.append(yes(_unknown(figure, by_term, by_year, held)).alias(f"unknown:{figure}"))
    return frame.with_columns(*columns)


def _figure(figure: str, term: str, held: frozenset[str]) -> nw.Expr | None:
    """Return a term's figure; overall absence is the two kinds' sum where it is not given."""
    own = nw.col(f"{figure}_{term}") if f"{figure}_{term}" in held else None
    kinds = [f"{kind}_{term}" for kind in ("authorised", "unauthorised")]
    if figure != "overall" or not set(kinds) <= held:
        return own
    added = nw.col(kinds[0]) + nw.col(kinds[1])
    return added if own is None else nw.coalesce(own, added)


def _unknown(figure: str, by_term: nw.Expr, by_year: nw.Expr, held: frozenset[str]) -> nw.Expr:
    """Return an expression true where a term with sessions has not this figure."""
    gaps = []
    for term in TERMS:
        possible = f"sessions_possible_{term}"
        if possible not in held:
            continue
        value = _figure(figure, term, held)
        gap = (nw.col(possible) > 0) & (nw.lit(True) if value is None else value.is_null())
        gaps.append(gap & (by_year if term == "annual" else by_term & _counted(term)))
    return _any(gaps)


def _counted(term: str) -> nw.Expr:
    if term not in _SUMMERS:
        return nw.lit(True)
    return nw.coalesce(nw.col("eleven") == 0, nw.lit(True))


def _any(conditions: list[nw.Expr]) -> nw.Expr:
    if not conditions:
        return nw.lit(False)
    return nw.any_horizontal(*conditions, ignore_nulls=True)

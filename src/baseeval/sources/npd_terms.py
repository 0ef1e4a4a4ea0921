"""The figures of a school year, from those of its terms; Year 11's summer is left out."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.frames import Frame, yes

FIGURES = ("sessions_possible", "authorised", "unauthorised", "overall", "illness", "medical")

#: The sixth half term stands by itself; the year as a whole serves where there are no terms.
TERMS = ("autumn", "spring", "summer", "summer6th", "annual")

_WHOLE = "annual"
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
        With each figure, over the terms whose sessions possible are known (absence
        without them has nothing to be a share of); ``unknown:figure``, 1 where such
        a term has sessions and not the figure; ``recorded``, 1 where there is such
        a term; ``by_year``, 1 where only the whole year's figures are.
    """
    held = frozenset(frame.collect_schema().names())
    terms = [term for term in TERMS if f"sessions_possible_{term}" in held]
    by_term = _any([_has_sessions(term) for term in terms if term != _WHOLE])
    counted = {term: _has_sessions(term) & by_term & _not_dropped(term) for term in terms}
    if _WHOLE in terms:
        counted[_WHOLE] = _has_sessions(_WHOLE) & ~by_term
    columns = [
        yes(_any(list(counted.values()))).alias("recorded"),
        yes(counted.get(_WHOLE, nw.lit(False))).alias("by_year"),
    ]
    for figure in FIGURES:
        values = {term: _figure(figure, term, held) for term in terms}
        if figure != "overall" and all(value is None for value in values.values()):
            continue
        total: nw.Expr = nw.lit(0)
        gaps = []
        for term, value in values.items():
            gap = counted[term] & (nw.col(f"sessions_possible_{term}") > 0)
            if value is not None:
                known = nw.when(counted[term]).then(nw.coalesce(value, nw.lit(0)))
                total = total + known.otherwise(nw.lit(0))
                gap = gap & value.is_null()
            gaps.append(gap)
        columns.append(total.cast(nw.Int64).alias(figure))
        columns.append(yes(_any(gaps)).alias(f"unknown:{figure}"))
    return frame.with_columns(*columns)


def _has_sessions(term: str) -> nw.Expr:
    return ~nw.col(f"sessions_possible_{term}").is_null()


def _not_dropped(term: str) -> nw.Expr:
    if term not in _SUMMERS:
        return nw.lit(True)
    return nw.coalesce(nw.col("eleven") == 0, nw.lit(True))


def _figure(figure: str, term: str, held: frozenset[str]) -> nw.Expr | None:
    """Return a term's figure; overall absence is the two kinds' sum where it is not given."""
    own = nw.col(f"{figure}_{term}") if f"{figure}_{term}" in held else None
    kinds = [f"{kind}_{term}" for kind in ("authorised", "unauthorised")]
    if figure != "overall" or not set(kinds) <= held:
        return own
    added = nw.col(kinds[0]) + nw.col(kinds[1])
    return added if own is None else nw.coalesce(own, added)


def _any(conditions: list[nw.Expr]) -> nw.Expr:
    if not conditions:
        return nw.lit(False)
    return nw.any_horizontal(*conditions, ignore_nulls=True)

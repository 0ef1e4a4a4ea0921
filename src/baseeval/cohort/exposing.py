"""How much of a base: days, shares of time and time in mainstream by school year, as measures."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.placement.dates import year_frame
from baseeval.placement.finding import Placed
from baseeval.placement.hosting import years_of
from baseeval.placement.mainstream import NO_DAYS, measure_mainstream
from baseeval.placement.moving import measure_time
from baseeval.placement.rules import PlacementRules
from baseeval.sources.values import WHY

#: What an outcome of a source may be made of besides its tables.
EXPOSURE = ("days_in_base", "share_of_time", "share_in_mainstream", "change_in_mainstream")

_FIRST = "the first school year, from which change is counted"
_NO_FIRST = "the share of the first school year is not known"


def exposure(placed: Placed, within: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    """Measure each pupil's time in a base, and in the mainstream, by school year.

    Parameters
    ----------
    placed : Placed
    within : narwhals LazyFrame
        ``pupil_id, year``: the pupils, and the school year of time zero.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, year`` and :data:`EXPOSURE`, each with its ``why:name``, from the
        year of time zero to the last that a census covers. Days in a base and the
        mean share of time are of all the time up to the end of the school year; the
        share in mainstream is of the year, and its change is that less the share of
        the first year.
    """
    years = years_of(placed.seen, engine)
    starts = within.select("pupil_id", nw.col("year").alias("first_year"))
    ends = year_frame(years, engine)
    every = engine.keep(
        starts.join(ends, how="cross").filter(nw.col("first_year") <= nw.col("year"))
    )
    rows = _in_base(placed, every, years, rules, engine)
    shares = measure_mainstream(placed, every, engine).rename({"why": WHY + "share_in_mainstream"})
    rows = rows.join(shares, on=["pupil_id", "year"], how="left")
    return engine.keep(_with_change(rows))


def _in_base(
    placed: Placed, every: Frame, years: list[int], rules: PlacementRules, engine: Engine
) -> Frame:
    parts = []
    for year in years:
        until = nw.col("closes").alias("until")
        of_year = every.filter(nw.col("year") == year).select("pupil_id", until)
        measured = measure_time(placed, of_year, rules, engine)
        parts.append(measured.with_columns(nw.lit(year).cast(nw.Int64).alias("year")))
    rows = every.join(nw.concat(parts, how="vertical"), on=["pupil_id", "year"], how="left")
    began = nw.col("not_before").is_null() | (nw.col("not_before") <= nw.col("closes"))
    unclear = every.join(placed.unclear, on="pupil_id", how="inner").filter(began)
    unclear = unclear.select("pupil_id", "year").unique().with_columns(nw.lit(1).alias("unclear"))
    rows = rows.join(unclear, on=["pupil_id", "year"], how="left")
    why = nw.when(nw.col("unclear") == 1).then(nw.lit(NO_DAYS))
    names = ("days_in_base", "share_of_time")
    return rows.select(
        "pupil_id",
        "year",
        "first_year",
        *(
            nw.when(nw.col("unclear").is_null()).then(nw.col(name).cast(nw.Float64)).alias(name)
            for name in names
        ),
        *(why.alias(WHY + name) for name in names),
    )


def _with_change(rows: Frame) -> Frame:
    share, why = nw.col("share_in_mainstream"), nw.col(WHY + "share_in_mainstream")
    is_first = nw.col("year") == nw.col("first_year")
    first = rows.filter(is_first).select("pupil_id", share.alias("first_share"))
    rows = rows.join(first, on="pupil_id", how="left")
    reason = nw.when(nw.col("first_share").is_null()).then(nw.lit(_NO_FIRST)).otherwise(why)
    reason = nw.when(is_first).then(nw.lit(_FIRST)).otherwise(reason)
    change = nw.when(~is_first).then(share - nw.col("first_share"))
    return rows.with_columns(
        change.alias("change_in_mainstream"), reason.alias(WHY + "change_in_mainstream")
    ).drop("first_share", "first_year")

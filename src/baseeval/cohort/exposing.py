"""How much of a base: days and share of time up to the end of each school year, as measures."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.placement.dates import year_frame
from baseeval.placement.finding import Placed
from baseeval.placement.hosting import years_of
from baseeval.placement.moving import measure_time
from baseeval.placement.rules import PlacementRules

#: What an outcome of a source may be made of besides its tables.
EXPOSURE = ("days_in_base", "share_of_time")


def exposure(placed: Placed, within: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    """Measure each pupil's time in a base up to the end of each school year.

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
        ``pupil_id, year, days_in_base, share_of_time``, from the year of time
        zero to the last that a census covers.
    """
    years = years_of(placed.seen, engine)
    ends = year_frame(years, engine).select(nw.col("year").alias("of_year"), "closes")
    starts = within.select("pupil_id", nw.col("year").alias("first_year"))
    parts = []
    for year in years:
        last = ends.filter(nw.col("of_year") == year).select(nw.col("closes").alias("until"))
        begun = starts.filter(nw.col("first_year") <= year).select("pupil_id")
        measured = measure_time(placed, begun.join(last, how="cross"), rules, engine)
        parts.append(measured.with_columns(nw.lit(year).cast(nw.Int64).alias("year")))
    return engine.keep(
        nw.concat(parts, how="vertical").select(
            "pupil_id", "year", nw.col("days_in_base").cast(nw.Float64), "share_of_time"
        )
    )

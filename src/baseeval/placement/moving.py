"""Who moved between arms, and how long pupils were in a base."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.arms import arms_by_year, arms_on
from baseeval.placement.dates import day_number, plus_days, year_frame
from baseeval.placement.finding import Placed
from baseeval.placement.frames import COUNT, Frame
from baseeval.placement.hosting import years_of
from baseeval.placement.rules import PlacementRules

MOVER_COLUMNS = ("years_since", "from_arm", "to_arm", "pupils")
NO_ARM = "in no arm"
NOT_SEEN = "not seen"
_PARTS = 10_000  # of a share of time: sums of whole numbers come out alike on every engine


def count_movers(placed: Placed, who: Frame, rules: PlacementRules, engine: Engine) -> pd.DataFrame:
    """Count the pupils of each arm at entry by the arm that they were in later.

    Parameters
    ----------
    placed : Placed
    who : narwhals LazyFrame
        As `arms_on` takes it.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``years_since, from_arm, to_arm, pupils``: school years since that of the
        day, the arm on the day, and the arm at the start of the later year, for
        every later year of the census. Where a pupil is then in a base of a type
        that is not counted, ``in no arm``; where no census of the year saw the
        pupil, ``not seen``.
    """
    entered = arms_on(placed, who, rules, engine).filter(~nw.col("arm").is_null())
    entered = entered.select("pupil_id", nw.col("year").alias("entry"), nw.col("arm").alias("from"))
    # Later, every pupil of the mainstream is in an arm, considered for a base or not.
    later = replace(rules, comparison="all", already_placed="keep")
    yearly = arms_by_year(placed, later, engine)
    arm = nw.coalesce(nw.col("arm"), nw.lit(NO_ARM))
    yearly = yearly.select("pupil_id", "year", arm.alias("to"))
    years = year_frame(years_of(placed.seen, engine), engine).select("year")
    rows = entered.join(years, how="cross").filter(nw.col("year") > nw.col("entry"))
    rows = rows.join(yearly, on=["pupil_id", "year"], how="left")
    shown = rows.select(
        (nw.col("year") - nw.col("entry")).alias("years_since"),
        nw.col("from").alias("from_arm"),
        nw.coalesce(nw.col("to"), nw.lit(NOT_SEEN)).alias("to_arm"),
    )
    by = list(MOVER_COLUMNS[:3])
    counted = engine.collect(shown.group_by(*by).agg(COUNT.alias("pupils")), by)
    return pd.DataFrame.from_records(counted.to_pylist(), columns=list(MOVER_COLUMNS))


def measure_time(placed: Placed, who: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    """Measure how long each pupil has been in a base that counts, and for how much of the week.

    Parameters
    ----------
    placed : Placed
    who : narwhals LazyFrame
        ``pupil_id, until``: the last day that counts. One row a pupil.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, days_in_base, share_of_time``: days of the calendar, each once
        where spells overlap, and the mean share of time in the base over the
        days for which it is known; null where it never is.
    """
    held = placed.spells.filter(rules.counts()).join(
        who.select("pupil_id", "until"), on="pupil_id", how="inner"
    )
    ends = nw.min_horizontal("end", "until")
    spells = held.with_columns(ends.alias("ends")).filter(nw.col("start") <= nw.col("ends"))
    order = ("start", "ends", "base_id")
    reach = nw.col("ends").cum_max().over("pupil_id", order_by=order)
    spells = spells.with_columns(reach.alias("reach"))
    before = nw.col("reach").shift(1).over("pupil_id", order_by=order)
    spells = spells.with_columns(plus_days(before, 1).alias("free"))
    begins = nw.max_horizontal("start", "free")
    days = day_number(nw.col("ends")) - day_number(begins) + 1
    spells = spells.with_columns(nw.max_horizontal(days, nw.lit(0)).cast(nw.Int64).alias("days"))
    share = nw.col("share_of_time_in_base")
    parts = (share * _PARTS).round(0).cast(nw.Int64)
    known = nw.when(~share.is_null()).then(nw.col("days"))
    spells = spells.with_columns((nw.col("days") * parts).alias("parts"), known.alias("known"))
    sums = spells.group_by("pupil_id").agg(
        *(nw.col(name).sum().cast(nw.Int64) for name in ("days", "parts", "known"))
    )
    rows = who.select("pupil_id").join(sums, on="pupil_id", how="left")
    some = nw.when(nw.col("known") > 0).then(nw.col("known"))
    return engine.keep(
        rows.select(
            "pupil_id",
            nw.coalesce(nw.col("days"), nw.lit(0)).cast(nw.Int64).alias("days_in_base"),
            (nw.col("parts").cast(nw.Float64) / some / _PARTS).alias("share_of_time"),
        )
    )

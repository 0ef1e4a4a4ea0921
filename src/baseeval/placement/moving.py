"""How long pupils were in a base, and for how much of the week."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import day_number, plus_days
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.placement.finding import Placed
from baseeval.placement.rules import PlacementRules

#: Parts of a share of time: sums of whole numbers come out alike on every engine.
PARTS = 10_000


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
    spells = days_once(spells.with_columns(nw.col("start").alias("begins")), ["pupil_id"])
    share = nw.col("share_of_time_in_base")
    parts = (share * PARTS).round(0).cast(nw.Int64)
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
            (nw.col("parts").cast(nw.Float64) / some / PARTS).alias("share_of_time"),
        )
    )


def days_once(spells: Frame, by: list[str]) -> Frame:
    """Count the days of spells, each day once: of two spells, to the one that began first.

    Parameters
    ----------
    spells : narwhals LazyFrame
        ``start, begins, ends, base_id`` and `by`; no spell ends before it begins.
    by : list of str
        Columns within which a day is counted once.

    Returns
    -------
    narwhals LazyFrame
        With ``days``.
    """
    order = ("begins", "start", "ends", "base_id")
    reach = nw.col("ends").cum_max().over(*by, order_by=order)
    spells = spells.with_columns(reach.alias("reach"))
    before = nw.col("reach").shift(1).over(*by, order_by=order)
    spells = spells.with_columns(plus_days(before, 1).alias("free"))
    first = nw.max_horizontal("begins", "free")
    days = day_number(nw.col("ends")) - day_number(first) + 1
    return spells.with_columns(nw.max_horizontal(days, nw.lit(0)).cast(nw.Int64).alias("days"))

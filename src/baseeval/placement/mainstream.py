"""The share of a school year that a pupil spent in mainstream classes."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import day_number
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.placement.finding import Placed
from baseeval.placement.moving import PARTS, days_once

#: Why a share is not known.
NOT_SEEN = "not on record in the school year"
NO_SHARE = "the share of the week in the base is not recorded"
NO_DAYS = "the days of the place in a base are not known"

_KEY = ["pupil_id", "year"]


def measure_mainstream(placed: Placed, who: Frame, engine: Engine) -> Frame:
    """Measure the share in mainstream classes of each pupil's school years.

    Parameters
    ----------
    placed : Placed
    who : narwhals LazyFrame
        ``pupil_id, year``, one row each.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, year, share_in_mainstream, why``: 0 to 1, or why it is not known.

    Notes
    -----
    On a day in a base the share is 1 less the share of the week in the base's own classes, on any
    other day 1; the year's is the mean over the days on which the pupil was on roll (see
    `days_on_roll`). A base of any type counts: its classes are not the mainstream's. Where spells
    overlap, a day is of the one that began first. A day in a base whose share is not recorded
    leaves the year without a value: nothing is assumed.
    """
    years = who.select(*_KEY).join(placed.on_roll, on=_KEY, how="left")
    years = engine.keep(years)
    spells = placed.spells.select("pupil_id", "base_id", "start", "end", "share_of_time_in_base")
    held = years.join(spells, on="pupil_id", how="inner").with_columns(
        nw.max_horizontal("start", "since").alias("begins"),
        nw.min_horizontal("end", "until").alias("ends"),
    )
    days = days_once(held.filter(nw.col("begins") <= nw.col("ends")), _KEY)
    share = nw.col("share_of_time_in_base")
    parts = (share * PARTS).round(0).cast(nw.Int64) * nw.col("days")
    unknown = nw.when(share.is_null()).then(nw.col("days")).otherwise(nw.lit(0))
    days = days.with_columns(parts.alias("parts"), unknown.cast(nw.Int64).alias("unknown"))
    sums = days.group_by(*_KEY).agg(
        *(nw.col(name).sum().cast(nw.Int64) for name in ("parts", "unknown"))
    )
    unclear = years.join(placed.unclear, on="pupil_id", how="inner").filter(
        (nw.col("not_before").is_null() | (nw.col("not_before") <= nw.col("until")))
        & (nw.col("not_after").is_null() | (nw.col("not_after") >= nw.col("since")))
    )
    unclear = unclear.select(*_KEY).unique().with_columns(nw.lit(1).alias("unclear"))
    rows = years.join(sums, on=_KEY, how="left").join(unclear, on=_KEY, how="left")
    why: nw.Expr = nw.when(yes(nw.col("unknown") > 0) == 1).then(nw.lit(NO_SHARE))
    why = nw.when(nw.col("unclear") == 1).then(nw.lit(NO_DAYS)).otherwise(why)
    why = nw.when(nw.col("since").is_null()).then(nw.lit(NOT_SEEN)).otherwise(why)
    whole = (day_number(nw.col("until")) - day_number(nw.col("since")) + 1).cast(nw.Float64)
    in_base = nw.coalesce(nw.col("parts"), nw.lit(0)).cast(nw.Float64) / PARTS
    rows = rows.with_columns(why.alias("why"), (1 - in_base / whole).alias("share"))
    known = nw.when(nw.col("why").is_null()).then(nw.col("share"))
    return engine.keep(rows.select(*_KEY, known.alias("share_in_mainstream"), "why"))

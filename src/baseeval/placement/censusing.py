"""Spells from census flags: what lies between two censuses is not known, and is said so."""

from __future__ import annotations

from datetime import date
from typing import Literal

import narwhals.stable.v2 as nw

from baseeval.engine.days import plus_days
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.placement.seeing import in_a_base

#: What every frame of spells holds.
SPELL_COLUMNS = (
    "pupil_id",
    "urn",
    "base_id",
    "base_type",
    "start",
    "end",
    "share_of_time_in_base",
    "seen_before",
    "last_out",
    "first_in",
    "last_in",
    "next_out",
    "left_for",
    "ready",
)

_ORDER = ("day", "urn")
_NEVER_OUT_BEFORE = date(1900, 1, 1)
_NEVER_OUT_AFTER = date(2999, 12, 31)


def census_spells(seen: Frame, engine: Engine) -> Frame:
    """Join the censuses at which a pupil was in one base into spells.

    Parameters
    ----------
    seen : narwhals LazyFrame
        From `see_pupils`.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        One row a spell, with `SPELL_COLUMNS`. ``last_out`` and ``next_out`` are the
        censuses before and after at which the pupil was seen out of the base
        (elsewhere, or unflagged, or flagged for another type), ``first_in`` and
        ``last_in`` the first and last that saw the pupil in it. The spell began
        between the first two: ``start`` is the earliest possible day. It ended
        between the last two: ``end`` is ``last_in``, null where no later census
        saw the pupil out. ``seen_before`` is 0 where no census had.
    """
    ever = seen.filter(in_a_base()).select("pupil_id").unique()
    rows = _with_next_out(_with_last_out(seen.join(ever, on="pupil_id", how="semi")))
    spell = ["pupil_id", "urn", "state", "last_out"]
    held = rows.filter(in_a_base()).with_columns(nw.col("day").min().over(*spell).alias("first_in"))
    # Only the first census of a spell says when the pupil entered the school: a later one
    # must not move the start.
    entry = nw.when(nw.col("day") == nw.col("first_in")).then(nw.col("entry_date"))
    spells = (
        held.with_columns(entry.alias("entry_date"))
        .group_by(*spell)
        .agg(
            nw.col("first_in").min(),
            nw.col("day").max().alias("last_in"),
            nw.col("next_out").min(),
            nw.col("entry_date").min(),
        )
    )
    spells = spells.with_columns(
        nw.when(nw.col("last_out") > _NEVER_OUT_BEFORE).then(nw.col("last_out")).alias("last_out"),
        nw.when(nw.col("next_out") < _NEVER_OUT_AFTER).then(nw.col("next_out")).alias("next_out"),
    )
    known = ~nw.col("last_out").is_null()
    earliest = (
        nw.when(known)
        .then(nw.max_horizontal(plus_days(nw.col("last_out"), 1), nw.col("entry_date")))
        .otherwise(nw.coalesce(nw.col("entry_date"), nw.col("first_in")))
    )
    spells = spells.with_columns(
        nw.min_horizontal(earliest, nw.col("first_in")).alias("start"),
        nw.when(~nw.col("next_out").is_null()).then(nw.col("last_in")).alias("end"),
        nw.concat_str("urn", "state", separator="-").alias("base_id"),
        nw.col("state").alias("base_type"),
        nw.lit(None, dtype=nw.Float64).alias("share_of_time_in_base"),
        nw.lit(None, dtype=nw.String).alias("left_for"),
        nw.lit(None, dtype=nw.Int64).alias("ready"),
        yes(known).alias("seen_before"),
    )
    return engine.keep(spells.select(*SPELL_COLUMNS))


def _with_last_out(rows: Frame) -> Frame:
    """Add the last day on which the pupil was seen elsewhere or in another state."""
    rows = _with_neighbours(rows, forward=True)
    last: nw.Expr = nw.coalesce(_contrary_day(latest=True), nw.lit(_NEVER_OUT_BEFORE))
    rows = rows.with_columns(last.alias("out"))
    return rows.with_columns(
        nw.col("out").cum_max().over("pupil_id", order_by=_ORDER).alias("last_out")
    )


def _with_next_out(rows: Frame) -> Frame:
    """Add the next day on which the pupil is seen elsewhere or in another state."""
    rows = _with_neighbours(rows, forward=False)
    following: nw.Expr = nw.coalesce(_contrary_day(latest=False), nw.lit(_NEVER_OUT_AFTER))
    rows = rows.with_columns(following.alias("out"))
    return rows.with_columns(
        nw.col("out").cum_min(reverse=True).over("pupil_id", order_by=_ORDER).alias("next_out")
    )


def _with_neighbours(rows: Frame, *, forward: bool) -> Frame:
    """Add the neighbouring census, and the neighbouring one that recorded the flags.

    A census that did not record them says where the pupil was, and no more.
    """
    step = 1 if forward else -1
    strategy: Literal["forward", "backward"] = "forward" if forward else "backward"
    recorded = nw.when(~nw.col("state").is_null()).then(nw.col("day"))
    rows = rows.with_columns(recorded.alias("known_day"), nw.col("state").alias("known_state"))
    rows = rows.with_columns(
        *(
            nw.col(name).fill_null(strategy=strategy).over("pupil_id", order_by=_ORDER)
            for name in ("known_day", "known_state")
        )
    )
    return rows.with_columns(
        *(
            nw.col(name).shift(step).over("pupil_id", order_by=_ORDER).alias(f"other_{name}")
            for name in ("urn", "day", "known_day", "known_state")
        )
    )


def _contrary_day(*, latest: bool) -> nw.Expr:
    """Give the neighbouring day that says otherwise than a row does; null where none does."""
    elsewhere = nw.when(nw.col("other_urn") != nw.col("urn")).then(nw.col("other_day"))
    changed = nw.when(nw.col("other_known_state") != nw.col("state")).then(
        nw.col("other_known_day")
    )
    pick = nw.max_horizontal if latest else nw.min_horizontal
    return pick(elsewhere, changed)

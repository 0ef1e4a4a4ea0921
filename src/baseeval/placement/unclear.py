"""Places of which the file does not say from when to when: such a pupil's arm is not known."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import plus_days
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault, fault
from baseeval.placement.filing import END_NOT_READ, is_placed
from baseeval.placement.rules import PlacementRules

#: Why a pupil is in no arm: for the place of their own, or one in their school.
UNDATED = "the first day in the base is not known"
UNCLEAR = "the dates of the place in a base are not clear"
UNCLEAR_HOST = "whether the school had a base then is not known"

_MEND = "Until then such pupils are in no arm, where the file makes the arms."
_FAULTS = {
    "placed_without_start": (
        "start",
        "a place and no first day",
        f"Fill `start`: nothing else tells it. {_MEND}",
    ),
    "end_before_start": ("end", "an end before the start", f"Mend the dates. {_MEND}"),
    END_NOT_READ: ("end", "an end that cannot be read", f"Mend it. {_MEND}"),
}


def unclear_places(filed: Frame, engine: Engine) -> tuple[Frame, list[Fault]]:
    """Find the places of a file whose days are not known.

    Parameters
    ----------
    filed : narwhals LazyFrame
        From `filed_placements`.
    engine : Engine

    Returns
    -------
    places : narwhals LazyFrame
        ``pupil_id, base_urn, not_before, not_after, why``: the days between which the
        pupil may have been in the base of that school, null where nothing bounds them.
        A place without a first day may have begun on any day up to its last one; an end
        before the start says that one of the two is wrong, and not which.
    faults : list of Fault
        How many pupils have such a place.
    """
    start, end = nw.col("start"), nw.col("end")
    ill = yes(end < start) == 1
    rules = {
        "placed_without_start": start.is_null(),
        "end_before_start": ill,
        END_NOT_READ: ~start.is_null() & (nw.col(END_NOT_READ) == 1),
    }
    placed = filed.filter(is_placed())
    marks = placed.with_columns(*(yes(fails).alias(name) for name, fails in rules.items()))
    marks = engine.keep(marks.filter(nw.max_horizontal(*rules) == 1))
    by_pupil = marks.group_by("pupil_id").agg(*(nw.col(name).max() for name in rules))
    counts = engine.counts(by_pupil, {name: nw.col(name) == 1 for name in rules})
    why = nw.when(start.is_null()).then(nw.lit(UNDATED)).otherwise(nw.lit(UNCLEAR))
    places = marks.select(
        "pupil_id",
        nw.col("urn").alias("base_urn"),
        nw.when(~ill).then(start).alias("not_before"),
        nw.when(~ill).then(end).alias("not_after"),
        why.alias("why"),
    )
    return engine.keep(places), [
        fault("placements", column, name, counts[name], what, remedy, unit="pupil")
        for name, (column, what, remedy) in _FAULTS.items()
        if counts[name]
    ]


def unclear_on(places: Frame, who: Frame, rules: PlacementRules) -> Frame:
    """Find the pupils of whom it is not known whether they were in a base on a day.

    Parameters
    ----------
    places : narwhals LazyFrame
        From `unclear_places`.
    who : narwhals LazyFrame
        ``pupil_id, on``.
    rules : PlacementRules
        The days of grace. The type of the base does not matter: in a base of
        another type the pupil is not in the mainstream either.

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, on, unclear``: why, in words.
    """
    held = who.select("pupil_id", "on").join(places, on="pupil_id", how="inner")
    undated = yes(nw.col("why") == UNDATED).alias("undated")
    found = held.filter(_possible(rules)).with_columns(undated)
    found = found.group_by("pupil_id", "on").agg(nw.col("undated").max())
    why = nw.when(nw.col("undated") == 1).then(nw.lit(UNDATED)).otherwise(nw.lit(UNCLEAR))
    return found.select("pupil_id", "on", why.alias("unclear"))


def unclear_hosts_on(places: Frame, who: Frame, rules: PlacementRules) -> Frame:
    """Find the pupils of schools of which it is not known whether they had a base on a day.

    Parameters
    ----------
    places : narwhals LazyFrame
        From `unclear_places`.
    who : narwhals LazyFrame
        ``pupil_id, urn, on``.
    rules : PlacementRules

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, on``: somebody may have been in a base of the pupil's school then.
    """
    there = places.select(nw.col("base_urn").alias("urn"), "not_before", "not_after").unique()
    held = who.select("pupil_id", "on", "urn").join(there, on="urn", how="inner")
    return held.filter(_possible(rules)).select("pupil_id", "on").unique()


def _possible(rules: PlacementRules) -> nw.Expr:
    """Tell whether a place may have covered the day, or begun within the grace after it."""
    latest = plus_days(nw.col("on"), rules.grace_days)
    begun = nw.col("not_before").is_null() | (nw.col("not_before") <= latest)
    return begun & (nw.col("not_after").is_null() | (nw.col("not_after") >= nw.col("on")))

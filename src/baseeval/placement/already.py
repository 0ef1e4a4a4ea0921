"""Who was in a base before anything is known of them out of it."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import plus_days, school_year
from baseeval.engine.frames import Frame, yes
from baseeval.placement.finding import Placed
from baseeval.placement.rules import PlacementRules

_KEY = ["pupil_id", "on"]


def already_placed(placed: Placed, who: Frame, active: Frame, rules: PlacementRules) -> Frame:
    """Find the pupils who had a place that counts when the study first knows of them.

    Parameters
    ----------
    placed : Placed
    who : narwhals LazyFrame
        ``pupil_id, on``: the day asked about.
    active : narwhals LazyFrame
        ``pupil_id, on, start``: the spells that count on that day, or begin within the grace.
    rules : PlacementRules

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, on`` of those pupils.

    Notes
    -----
    A flag does not say since when, so by the census they are the pupils whom the first census
    found in a base. A file says it to the day, and the grace holds on either side of the day asked
    about. By a file they are the pupils in a base then whom no census before the grace (the first
    of each school year) saw out of one; and of whom no such census came, those whose place began
    before the grace. Without such a census, a place that began within the grace is a new one.
    """
    return _by_file(placed, who, active, rules) if placed.dated else _by_census(placed, who, rules)


def _by_census(placed: Placed, who: Frame, rules: PlacementRules) -> Frame:
    first = placed.seen.group_by("pupil_id").agg(nw.col("day").min().alias("first_seen"))
    spells = placed.spells.filter(rules.counts())
    held = first.join(spells, on="pupil_id", how="inner")
    day, on = nw.col("first_seen"), nw.col("on")
    over = yes(nw.col("end") < day) == 1
    shown = school_year(nw.col("first_in")) <= school_year(day)
    inside = held.filter((nw.col("start") <= day) & shown & ~over).select("pupil_id", "first_seen")
    asked = who.select(*_KEY).join(inside.unique(), on="pupil_id", how="inner")
    by_then = (day <= plus_days(on, rules.grace_days)) | (school_year(day) <= school_year(on))
    return asked.filter(by_then).select(*_KEY).unique()


def _by_file(placed: Placed, who: Frame, active: Frame, rules: PlacementRules) -> Frame:
    begun = active.group_by(*_KEY).agg(nw.col("start").min())
    held = who.select(*_KEY).unique().join(begun, on=_KEY, how="inner")
    days = placed.seen.select("pupil_id", "day")
    earlier = held.select(*_KEY).join(days, on="pupil_id", how="inner")
    since = plus_days(nw.col("on"), -rules.grace_days)
    earlier = earlier.filter(nw.col("day") < since)
    spells = placed.spells.filter(rules.counts()).select("pupil_id", "start", "end")
    covers = (nw.col("start") <= nw.col("day")) & (yes(nw.col("end") < nw.col("day")) == 0)
    known = earlier.join(spells, on="pupil_id", how="left")
    known = known.with_columns(yes(covers).alias("inside"))
    by_day = known.group_by(*_KEY, "day").agg(nw.col("inside").max())
    always = by_day.group_by(*_KEY).agg(nw.col("inside").min())
    held = held.join(always, on=_KEY, how="left")
    before = nw.col("inside").is_null() & (nw.col("start") < since)
    return held.filter((nw.col("inside") == 1) | before).select(*_KEY)

"""The arm of a pupil on a day, from what was so on that day and no later."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import plus_days, school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.placement.already import already_placed
from baseeval.placement.dates import year_frame
from baseeval.placement.finding import Placed
from baseeval.placement.hosting import years_of
from baseeval.placement.rules import PlacementRules
from baseeval.placement.unclear import UNCLEAR_HOST, unclear_hosts_on, unclear_on
from baseeval.results import ARMS

BASE, HOST, NON_HOST = ARMS

#: Why a pupil is in no arm.
NO_SCHOOL = "no school is recorded"
NO_DATE = "no date of the eligibility event is recorded"
EXCLUDED = "already placed when first seen"
OTHER_TYPE = "in a base of a type that is not counted"
NOT_CONSIDERED = "not considered for a base"

#: Of the place that makes the arm: which base, of what type, at which school, since when.
BASE_COLUMNS = ("base_id", "base_type", "base_urn", "base_start")

_KEY = ["pupil_id", "on"]


def arms_on(placed: Placed, who: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    """Give the arm of each pupil on a day.

    Parameters
    ----------
    placed : Placed
    who : narwhals LazyFrame
        ``pupil_id, urn, year, on``: a pupil, the school and school year of the
        day, and the day. One row a pupil and day.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, urn, year, on, arm, why, already_placed, in_base, base_id,
        base_type, base_urn, base_start, recorded_later``. ``arm`` is null for the reason in
        ``why``. ``already_placed`` is 1 where the pupil had a place that counts when
        the study first knows of them (see `baseeval.placement.already`), ``in_base``
        where the pupil was in a base of any type, and ``recorded_later`` where the
        census that shows the place fell after the days of grace.

    Notes
    -----
    A pupil is in the base arm if a spell covers the day or begins within the days
    of grace. One with a place of which the file does not say from when to when, and
    in no other base on the day, is in no arm; nor is one of a school of which such a place
    alone says that it hosts.

    A census shows a place on its own day alone, and the autumn's falls more than 31
    days after 1 September; so a census of the same school year may show a place that
    began before, if none since the day showed the contrary. What later school years
    record is never read.
    """
    who = engine.keep(who.select("pupil_id", "urn", "year", "on").unique())
    active = engine.keep(_active(placed.spells, who, rules))
    rows = who.join(
        active.select(*_KEY).unique().with_columns(_one("in_base")), on=_KEY, how="left"
    )
    counted = active.filter(rules.counts())
    rows = rows.join(_first_of(counted), on=_KEY, how="left")
    already = already_placed(placed, who, counted, rules).with_columns(_one("already_placed"))
    rows = rows.join(already, on=_KEY, how="left")
    rows = rows.join(unclear_on(placed.unclear, who, rules), on=_KEY, how="left")
    rows = rows.join(_considered(placed, who, rules), on=_KEY, how="left")
    hosts = placed.hosts.select("urn", "year").unique().with_columns(_one("hosts"))
    rows = rows.join(hosts, on=["urn", "year"], how="left")
    names = ["in_base", "counted", "already_placed", "considered", "hosts"]
    if placed.hosts_by_places:
        doubtful = unclear_hosts_on(placed.unclear, who, rules).with_columns(_one("doubtful"))
        rows, names = rows.join(doubtful, on=_KEY, how="left"), [*names, "doubtful"]
    rows = rows.with_columns(
        *(yes(nw.col(name) == 1).alias(name) for name in names),
        yes(nw.col("recorded_later") == 1).alias("recorded_later"),
    )
    rows = rows.with_columns(_why(rules, placed.hosts_by_places).alias("why"))
    mainstream = nw.when(nw.col("hosts") == 1).then(nw.lit(HOST)).otherwise(nw.lit(NON_HOST))
    arm = nw.when(nw.col("counted") == 1).then(nw.lit(BASE)).otherwise(mainstream)
    rows = rows.with_columns(nw.when(nw.col("why").is_null()).then(arm).alias("arm"))
    answer = ("arm", "why", "already_placed", "in_base", *BASE_COLUMNS, "recorded_later")
    return engine.keep(rows.select("pupil_id", "urn", "year", "on", *answer))


def _one(name: str) -> nw.Expr:
    return nw.lit(1).alias(name)


def _why(rules: PlacementRules, hosts_by_places: bool) -> nw.Expr:
    """Give the first reason that applies for being in no arm, null where none does."""
    reasons = [
        (nw.col("urn").is_null(), NO_SCHOOL),
        (nw.col("on").is_null(), NO_DATE),
    ]
    if rules.already_placed == "exclude":
        reasons.append((nw.col("already_placed") == 1, EXCLUDED))
    placed = nw.col("counted") == 1
    reasons.append((~placed & (nw.col("in_base") == 1), OTHER_TYPE))
    why = nw.lit(None, dtype=nw.String)
    if hosts_by_places:
        neither = ~placed & (nw.col("hosts") == 0) & (nw.col("doubtful") == 1)
        why = nw.when(neither).then(nw.lit(UNCLEAR_HOST)).otherwise(why)
    if rules.comparison == "considered":
        idle = ~placed & (nw.col("considered") == 0)
        why = nw.when(idle).then(nw.lit(NOT_CONSIDERED)).otherwise(why)
    # A place without its days: who is in no other base then may have been in that one.
    why = nw.when(~placed & ~nw.col("unclear").is_null()).then(nw.col("unclear")).otherwise(why)
    for condition, reason in reversed(reasons):
        why = nw.when(condition).then(nw.lit(reason)).otherwise(why)
    return why


def _active(spells: Frame, who: Frame, rules: PlacementRules) -> Frame:
    """Join each pupil and day to the spells that cover it or begin within the grace."""
    days = who.filter(~nw.col("on").is_null()).select(*_KEY, "urn")
    held = days.join(spells.rename({"urn": "base_urn"}), on="pupil_id", how="inner")
    on, latest = nw.col("on"), plus_days(nw.col("on"), rules.grace_days)
    begun = (nw.col("start") <= latest) & _known_by_then("first_in", rules)
    # A census shortly after the day that saw the pupil out of the base is believed before a
    # later one that saw the pupil in it.
    uncontradicted = (
        (nw.col("first_in") <= latest) | nw.col("last_out").is_null() | (nw.col("last_out") < on)
    )
    over = yes((nw.col("end") < on) & _known_by_then("next_out", rules)) == 1
    later = yes(nw.col("first_in") > latest)
    active = held.filter(begun & uncontradicted & ~over)
    elsewhere = yes(nw.col("base_urn") != nw.col("urn"))
    return active.with_columns(later.alias("recorded_later"), elsewhere.alias("elsewhere"))


def _known_by_then(day: str, rules: PlacementRules) -> nw.Expr:
    """Tell whether a day lies within the grace or the school year of the day asked about."""
    on = nw.col("on")
    within = school_year(nw.col(day)) <= school_year(on)
    return (nw.col(day) <= plus_days(on, rules.grace_days)) | within


def _first_of(active: Frame) -> Frame:
    """Keep one spell of a pupil on a day: at the pupil's school, and the one that began first."""
    order = ("elsewhere", "start", "base_id")
    number = nw.col("start").cum_count().over(*_KEY, order_by=order)
    first = active.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    first = first.with_columns(nw.col("start").alias("base_start"))
    return first.select(*_KEY, *BASE_COLUMNS, "recorded_later", _one("counted"))


def _considered(placed: Placed, who: Frame, rules: PlacementRules) -> Frame:
    """Find who had been considered for a base that counts, by the end of the grace."""
    asked = placed.considered.filter(rules.counts()).select("pupil_id", "decided")
    held = who.select(*_KEY).join(asked, on="pupil_id", how="inner")
    latest = plus_days(nw.col("on"), rules.grace_days)
    by_then = nw.col("decided").is_null() | (nw.col("decided") <= latest)
    return held.filter(by_then).select(*_KEY).unique().with_columns(_one("considered"))


def arms_by_year(placed: Placed, rules: PlacementRules, engine: Engine) -> Frame:
    """Give the arm of every pupil at the start of each school year in which a census saw them.

    Parameters
    ----------
    placed : Placed
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        As `arms_on`, the day being 1 September; the school is that of the year's first census.
    """
    years = year_frame(years_of(placed.seen, engine), engine)
    days = placed.seen.join(years.select("year", "opens"), on="year", how="inner")
    who = days.select("pupil_id", "urn", "year", nw.col("opens").alias("on"))
    return arms_on(placed, who, rules, engine)


def modal_arms(placed: Placed, rules: PlacementRules, engine: Engine) -> Frame:
    """Give the arm that each pupil held in most school years; of equals, the one held first.

    Parameters
    ----------
    placed : Placed
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, arm``. For description only: it conditions on the future.
    """
    held = arms_by_year(placed, rules, engine).filter(~nw.col("arm").is_null())
    years = held.group_by("pupil_id", "arm").agg(
        (-COUNT).alias("fewer"), nw.col("year").min().alias("first")
    )
    order = nw.col("arm").cum_count().over("pupil_id", order_by=("fewer", "first"))
    first = years.with_columns(order.alias("number")).filter(nw.col("number") == 1)
    return engine.keep(first.select("pupil_id", "arm"))

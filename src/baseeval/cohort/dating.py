"""The day on which each row of each table was known, one row for each thing known."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.days import YEAR_ENDS, day_in, school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, yes
from baseeval.errors import DataError, Fault, Problem, fault
from baseeval.placement.dates import with_census_days
from baseeval.sources.rows import one_each, with_columns
from baseeval.sources.tables import Tables
from baseeval.sources.values import WHY

#: A day of the year by which results are known, where they carry none.
_RESULTS_DAY = "05-15"

_TOO_MANY = "more sessions than possible"

#: Tables of which two rows of one key cannot both be so: the key, and the way out.
_ONCE = {
    "attendance": (("pupil_id", "year"), "Add their sessions up: one row a pupil and school year."),
    "exclusions": (("pupil_id", "year"), "Add them up: one row a pupil and school year."),
    "attainment": (
        ("pupil_id", "year", "measure", "day"),
        "Keep one row a pupil, school year and measure, or give each result its `date`.",
    ),
}


def date_tables(tables: Tables, engine: Engine) -> tuple[dict[str, Frame], list[Fault]]:
    """Give the rows of every table the day on which what they say was known.

    Parameters
    ----------
    tables : Tables
        With the table ``pupils``.
    engine : Engine

    Returns
    -------
    dated : dict of str to narwhals LazyFrame
        Contract's name -> table with ``day``. The census has one row a pupil and
        day; sessions that cannot be are missing, with that as the reason.
    faults : list of Fault

    Raises
    ------
    DataError
        A census without a row.
    """
    dated: dict[str, Frame] = dict(tables.frames)
    labels = {name: tables.labels.get(name, name) for name in dated}
    dated["pupils"], faults = _census(dated["pupils"], labels["pupils"], engine)
    for name in ("attendance", "exclusions"):
        if name in dated:
            dated[name] = dated[name].with_columns(day_in(nw.col("year"), YEAR_ENDS).alias("day"))
    if "attendance" in dated:
        dated["attendance"] = _possible(dated["attendance"])
    if "attainment" in dated:
        dated["attainment"], found = _results(dated["attainment"], labels["attainment"], engine)
        faults += found
    if "placements" in dated:
        held = dated["placements"].collect_schema().names()
        days = [nw.col(name) for name in ("decided", "start") if name in held]
        dated["placements"] = dated["placements"].with_columns(nw.coalesce(*days).alias("day"))
    for name, (key, remedy) in _ONCE.items():
        if name in dated:
            faults += _twice(dated[name], key, labels[name], remedy, engine)
    return dated, faults


def _census(census: Frame, label: str, engine: Engine) -> tuple[Frame, list[Fault]]:
    """Keep one row a pupil and census: the main school's, of a pupil on roll, with a school."""
    held = census.collect_schema().names()
    if "term" not in held:
        census = census.with_columns(nw.lit("SPR").alias("term"))
    rows = engine.keep(with_census_days(census, engine))
    if not engine.counts(rows, {"rows": ~nw.col("pupil_id").is_null()})["rows"]:
        raise DataError(
            Problem(
                label,
                "the table of pupils has no row that says of which pupil and school year it is",
                "Fill it in, or export it again.",
            )
        )
    order = [yes(nw.col("urn").is_null())]
    if "on_roll" in held:
        order.insert(0, yes(nw.col("on_roll") == 0))
    if "enrolment" in held:
        order.insert(0, 1 - yes(nw.col("enrolment").is_in(["C", "M"])))
    one, lost = one_each(rows, ("pupil_id", "day"), order, engine)
    if not lost:
        return rows, []
    what = "a pupil and census that another row has too"
    remedy = (
        "One row of each is read (C or M, on roll, the lowest URN): where that is wrong, keep the "
        "row of the main school yourself."
    )
    return engine.keep(one), [
        fault(label, "pupil_id", "rows_in_one_census", lost, what, remedy, verb="hold")
    ]


def _possible(rows: Frame) -> Frame:
    """Take away sessions that cannot be; sessions attended are those not missed."""
    possible = nw.col("sessions_possible")
    ill = nw.lit(False)
    if "overall" in rows.collect_schema().names():
        ill = yes(nw.col("overall") > possible) == 1
        rows = _filled(rows, "sessions_attended", possible - nw.col("overall"))
    held = rows.collect_schema().names()
    names = [name for name in ("sessions_attended", "overall") if name in held]
    if "sessions_attended" in held:
        ill = ill | (yes(nw.col("sessions_attended") > possible) == 1)
    columns = []
    for name in names:
        why = nw.when(ill).then(nw.lit(_TOO_MANY)).otherwise(nw.col(WHY + name))
        columns += [nw.when(~ill).then(nw.col(name)).alias(name), why.alias(WHY + name)]
    return with_columns(rows, columns)


def _filled(rows: Frame, name: str, value: nw.Expr) -> Frame:
    """Fill a column where it says nothing; it keeps its reason where it stays so."""
    held = rows.collect_schema().names()
    if name not in held:
        why = nw.when(value.is_null()).then(nw.lit("blank")).otherwise(nw.lit(None, nw.String))
        return rows.with_columns(value.alias(name), why.alias(WHY + name))
    filled = nw.coalesce(nw.col(name), value)
    why = nw.when(filled.is_null()).then(nw.col(WHY + name))
    return rows.with_columns(filled.alias(name), why.alias(WHY + name))


def _results(rows: Frame, label: str, engine: Engine) -> tuple[Frame, list[Fault]]:
    """Date results, and leave out those whose date contradicts their school year."""
    day = day_in(nw.col("year"), _RESULTS_DAY)
    if "date" not in rows.collect_schema().names():
        return rows.with_columns(day.alias("day")), []
    dated = rows.with_columns(nw.coalesce(nw.col("date"), day).alias("day"))
    other = school_year(nw.col("day")) != nw.col("year")
    count = engine.counts(dated, {"other": other})["other"]
    if not count:
        return dated, []
    what = "a date outside the school year that the row names"
    remedy = "Mend the date or the year; until then the results are left out."
    return dated.filter(~other), [fault(label, "date", "date_outside_year", count, what, remedy)]


def _twice(
    rows: Frame, key: tuple[str, ...], label: str, remedy: str, engine: Engine
) -> list[Fault]:
    """Refuse what stands twice: nothing says which of the two is so."""
    counted = rows.group_by(*key).agg(COUNT.alias("rows"))
    pupils = counted.filter(nw.col("rows") > 1).select("pupil_id").unique()
    more = engine.counts(pupils, {"more": ~nw.col("pupil_id").is_null()})["more"]
    if not more:
        return []
    named = [name for name in key if name not in ("pupil_id", "day")]
    what = f"more than one row in one {' and '.join(named).replace('year', 'school year')}"
    return [fault(label, "pupil_id", "key_twice", more, what, remedy, unit="pupil", stops=True)]

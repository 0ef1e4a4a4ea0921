"""Outcomes from many tables: one row a pupil and wave, waves counted from time zero.

Wave 1 is the school year of time zero, measured at its end; wave 0 the year before. Sessions and
exclusions of a year that time zero divides belong to neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw

from baseeval.cohort.answering import answer_rows
from baseeval.cohort.keys import YEAR_OF
from baseeval.cohort.respondents import NOT_SURVEYED, Surveyed, as_held
from baseeval.cohort.wave_numbers import with_wave
from baseeval.engine.days import day_number
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault
from baseeval.plan import Plan
from baseeval.sources.values import WHY

#: What can be measured of a school year only as a whole.
WHOLE_YEAR = ("attendance", "exclusions")

#: Time zero up to this day of the autumn leaves the year whole: schools open in September.
_LAST_OPENING = (9, 30)

_DIVIDED = "the year of time zero is not whole"


def wave_columns(plan: Plan) -> list[str]:
    """Return every column that the plan's outcomes are made from, once.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of str
    """
    held = (as_held(outcome, plan) for outcome in plan.outcomes)
    return list(dict.fromkeys(column for outcome in held for column in outcome.columns()))


def outcome_rows(
    tables: Mapping[str, Frame],
    starts: Frame,
    plan: Plan,
    measures: Sequence[str],
    label: str,
    engine: Engine,
) -> tuple[Frame, list[Fault], Surveyed]:
    """Lay out what each pupil's outcomes are made from, by wave.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        Contract's name -> table.
    starts : narwhals LazyFrame
        ``pupil_id, zero, year``.
    plan : Plan
        Every column of an outcome is one of a table here.
    measures : sequence of str
        Of the table ``attainment``.
    label : str
        The survey's files, for messages.
    engine : Engine

    Returns
    -------
    frame : narwhals LazyFrame
        ``pupil_id, wave`` (a whole number), and each column with its ``why:name``
        and, but for answers, ``year:name``: the school year that it is of. From `answer_rows`
        ``mode:outcome`` as well, where the data say it.
    faults : list of Fault
        Of the answers to a survey.
    surveyed : Surveyed

    Raises
    ------
    DataError, PlanError
        Answers of which nothing says which is meant, or whose.
    """
    wanted = wave_columns(plan)
    parts: list[Frame] = []
    for table in (*WHOLE_YEAR, "exposure"):
        held = tables[table].collect_schema().names() if table in tables else []
        columns = [name for name in wanted if name in held]
        if columns:
            whole = table in WHOLE_YEAR
            parts.append(_of_years(tables[table], columns, starts, whole=whole))
    asked = [name for name in wanted if name in measures]
    if asked:
        parts.append(_of_measures(tables["attainment"], asked, starts))
    faults: list[Fault] = []
    surveyed = NOT_SURVEYED
    if "surveys" in tables and any(outcome.kind == "scale" for outcome in plan.outcomes):
        answers = answer_rows(tables["surveys"], plan, starts, label, engine)
        faults, surveyed = answers.faults, answers.surveyed
        parts.append(answers.frame)
    keys = ["pupil_id", "wave"]
    grid = engine.keep(nw.concat([p.select(*keys) for p in parts], how="vertical").unique())
    for part in parts:
        grid = grid.join(part, on=keys, how="left")
    return engine.keep(grid), faults, surveyed


def _of_years(rows: Frame, columns: list[str], starts: Frame, *, whole: bool) -> Frame:
    held = rows.collect_schema().names()
    joined = with_wave(rows, starts)
    month, day = nw.col("zero").dt.month(), nw.col("zero").dt.day()
    early = (month == _LAST_OPENING[0]) & (day <= _LAST_OPENING[1])
    divided = (nw.col("wave") == 1) & ~early if whole else nw.lit(False)
    values = []
    for name in columns:
        why = nw.col(WHY + name) if WHY + name in held else nw.lit(None, nw.String)
        values += [
            nw.when(~divided).then(nw.col(name)).otherwise(None).alias(name),
            nw.when(divided).then(nw.lit(_DIVIDED)).otherwise(why).alias(WHY + name),
            nw.col("year").alias(YEAR_OF + name),
        ]
    return joined.select("pupil_id", "wave", *values)


def _of_measures(rows: Frame, measures: list[str], starts: Frame) -> Frame:
    """Turn results, one a row, into columns, one a measure.

    A result of the year of time zero, on a day before it, is of wave 0. Of several within a
    wave, the last is taken that is one.
    """
    joined = with_wave(rows.filter(nw.col("measure").is_in(measures)), starts)
    before = (nw.col("wave") == 1) & (nw.col("day") <= nw.col("zero"))
    joined = joined.with_columns(
        nw.when(before).then(0).otherwise(nw.col("wave")).alias("wave"),
        yes(nw.col("value").is_null()).alias("missing"),
        (-day_number(nw.col("day"))).alias("age"),
    )
    number = (
        nw.col("day").cum_count().over("pupil_id", "wave", "measure", order_by=("missing", "age"))
    )
    last = joined.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    held = last.collect_schema().names()
    why = nw.col(WHY + "value") if WHY + "value" in held else nw.lit(None, nw.String)
    if "status" in held:
        # The status says why; the cell of the value may be no more than blank.
        said = nw.coalesce(nw.col("status"), why)
        why = nw.when(nw.col("value").is_null()).then(said).otherwise(None)
    columns = []
    for name in measures:
        mine = nw.col("measure") == name
        columns += [
            nw.when(mine).then(nw.col("value")).max().alias(name),
            nw.when(mine).then(why).max().alias(WHY + name),
            nw.when(mine).then(nw.col("year")).max().alias(YEAR_OF + name),
        ]
    return last.group_by("pupil_id", "wave").agg(*columns)

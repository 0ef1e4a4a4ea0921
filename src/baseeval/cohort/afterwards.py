"""Outcomes from many tables: one row a pupil and wave, waves counted from time zero.

Wave 1 is the school year of time zero, measured at its end; wave 0 the year before. Sessions and
exclusions of a year that time zero divides belong to neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw

from baseeval.cohort.keys import YEAR_OF
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.days import day_number, school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import DataError, Fault, fault
from baseeval.plan import OutcomeSection, Plan
from baseeval.sources.values import WHY, read_values

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
    return list(dict.fromkeys(c for outcome in plan.outcomes for c in outcome.columns()))


def outcome_rows(
    tables: Mapping[str, Frame],
    starts: Frame,
    plan: Plan,
    measures: Sequence[str],
    label: str,
    engine: Engine,
) -> tuple[Frame, list[Fault]]:
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
        and, but for answers, ``year:name``: the school year that it is of.
    faults : list of Fault
        Of the answers to a survey.

    Raises
    ------
    DataError
        Answers of which nothing says which is meant.
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
    items = [o for o in plan.outcomes if o.kind == "scale"]
    if items and "surveys" in tables:
        answers, faults = _of_answers(tables["surveys"], items, starts, label, engine)
        parts.append(answers)
    keys = ["pupil_id", "wave"]
    grid = engine.keep(nw.concat([p.select(*keys) for p in parts], how="vertical").unique())
    for part in parts:
        grid = grid.join(part, on=keys, how="left")
    return engine.keep(grid), faults


def _with_wave(rows: Frame, starts: Frame) -> Frame:
    """Add the wave to rows that have a school year."""
    zero = starts.select("pupil_id", "zero", nw.col("year").alias("first_year"))
    joined = rows.join(zero, on="pupil_id", how="inner").filter(~nw.col("zero").is_null())
    return joined.with_columns((nw.col("year") - nw.col("first_year") + 1).alias("wave"))


def _of_years(rows: Frame, columns: list[str], starts: Frame, *, whole: bool) -> Frame:
    held = rows.collect_schema().names()
    joined = _with_wave(rows, starts)
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
    joined = _with_wave(rows.filter(nw.col("measure").is_in(measures)), starts)
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
    columns = []
    for name in measures:
        mine = nw.col("measure") == name
        columns += [
            nw.when(mine).then(nw.col("value")).max().alias(name),
            nw.when(mine).then(why).max().alias(WHY + name),
            nw.when(mine).then(nw.col("year")).max().alias(YEAR_OF + name),
        ]
    return last.group_by("pupil_id", "wave").agg(*columns)


def _of_answers(
    rows: Frame, outcomes: Sequence[OutcomeSection], starts: Frame, label: str, engine: Engine
) -> tuple[Frame, list[Fault]]:
    """Turn answers, one a row, into columns, one an item, and read them as the plan says."""
    joined = _with_wave(
        rows.with_columns(school_year(nw.col("date")).cast(nw.Int64).alias("year")), starts
    )
    before = (nw.col("wave") == 1) & (nw.col("date") <= nw.col("zero"))
    joined = joined.with_columns(nw.when(before).then(0).otherwise(nw.col("wave")).alias("wave"))
    # Of several surveys within a wave, the last: pieces of two would make one that nobody gave.
    groups = _asked_together(outcomes)
    items = [item for group in groups for item in group]
    parts = []
    for group in groups:
        asked = joined.filter(nw.col("item").is_in(group))
        last = asked.group_by("pupil_id", "wave").agg(nw.col("date").max())
        parts.append(asked.join(last, on=["pupil_id", "wave", "date"], how="inner"))
    answers = engine.keep(nw.concat(parts, how="vertical"))
    _check_once(answers, label, engine)
    answer = [nw.when(nw.col("item") == item).then(nw.col("answer")).max() for item in items]
    wide = answers.group_by("pupil_id", "wave").agg(
        *(said.alias(item) for said, item in zip(answer, items, strict=True))
    )
    contracts = [ColumnContract("pupil_id", "key", "pupil")]
    contracts.append(ColumnContract("wave", "integer", "wave"))
    for outcome in outcomes:
        assert outcome.range is not None
        low, high = outcome.range
        contracts += [
            ColumnContract(item, "number", "item", labels=outcome.labels, low=low, high=high)
            for item in outcome.items
            if item not in [contract.name for contract in contracts]
        ]
    typed = read_values(wide, contracts, engine, label)
    names = [n for item in items for n in (item, WHY + item)]
    return typed.frame.select("pupil_id", "wave", *names), list(typed.problems)


def _asked_together(outcomes: Sequence[OutcomeSection]) -> list[list[str]]:
    """Put items in groups: those of one scale together, and of scales that share an item."""
    groups: list[list[str]] = []
    for outcome in outcomes:
        shared = [group for group in groups if set(group) & set(outcome.items)]
        rest = [group for group in groups if group not in shared]
        merged = [item for group in (*shared, outcome.items) for item in group]
        groups = [*rest, list(dict.fromkeys(merged))]
    return groups


def _check_once(answers: Frame, label: str, engine: Engine) -> None:
    """Refuse an item that two questionnaires ask on one day: the plan names items alone."""
    rows = answers.group_by("pupil_id", "date", "item").agg(nw.len().alias("rows"))
    count = engine.counts(rows, {"twice": nw.col("rows") > 1})["twice"]
    if count:
        what = "another to the same item on the same day, in another instrument"
        remedy = "Give the items of each instrument names of their own."
        raise DataError(fault(label, "item", "item_twice", count, what, remedy, unit="answer"))

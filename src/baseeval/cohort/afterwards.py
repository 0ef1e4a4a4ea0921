"""Outcomes from many tables: one row a pupil and wave, waves counted from time zero.

Wave 1 is the school year of time zero, measured at its end; wave 0 the year before. Sessions and
exclusions of a year that time zero divides belong to neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault
from baseeval.placement.dates import school_year
from baseeval.plan import OutcomeSection, Plan
from baseeval.sources.values import WHY, read_values

Frame = nw.LazyFrame[Any]

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
        ``pupil_id, wave`` (a whole number), ``year``, and each column with its
        ``why:name``.
    faults : list of Fault
        Of the answers to a survey.
    """
    wanted = wave_columns(plan)
    parts: list[tuple[Frame, list[str]]] = []
    for table in (*WHOLE_YEAR, "exposure"):
        held = tables[table].collect_schema().names() if table in tables else []
        columns = [name for name in wanted if name in held]
        if columns:
            whole = table in WHOLE_YEAR
            parts.append((_of_years(tables[table], columns, starts, whole=whole), columns))
    asked = [name for name in wanted if name in measures]
    if asked:
        parts.append((_of_measures(tables["attainment"], asked, starts), asked))
    faults: list[Fault] = []
    items = [o for o in plan.outcomes if o.kind == "scale"]
    if items and "surveys" in tables:
        answers, faults = _of_answers(tables["surveys"], items, starts, label, engine)
        parts.append((answers, [item for outcome in items for item in outcome.items]))
    keys = [part.select("pupil_id", "year", "wave") for part, _ in parts]
    grid = engine.keep(nw.concat(keys, how="vertical").unique()) if keys else None
    if grid is None:
        return starts.select("pupil_id", "year", nw.lit(1).alias("wave")), faults
    for part, columns in parts:
        found = part.select("pupil_id", "wave", *(c for n in columns for c in (n, WHY + n)))
        grid = grid.join(found, on=["pupil_id", "wave"], how="left")
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
        ]
    return joined.select("pupil_id", "year", "wave", *values)


def _of_measures(rows: Frame, measures: list[str], starts: Frame) -> Frame:
    """Turn results, one a row, into columns, one a measure.

    A result of the year of time zero, on a day before it, is of wave 0.
    """
    joined = _with_wave(rows.filter(nw.col("measure").is_in(measures)), starts)
    before = (nw.col("wave") == 1) & (nw.col("day") <= nw.col("zero"))
    joined = joined.with_columns(nw.when(before).then(0).otherwise(nw.col("wave")).alias("wave"))
    held = joined.collect_schema().names()
    why = nw.col(WHY + "value") if WHY + "value" in held else nw.lit(None, nw.String)
    columns = []
    for name in measures:
        mine = nw.col("measure") == name
        columns += [
            nw.when(mine).then(nw.col("value")).otherwise(None).alias(name),
            nw.when(mine).then(why).otherwise(None).alias(WHY + name),
        ]
    wide = joined.select("pupil_id", "wave", "year", *columns)
    return wide.group_by("pupil_id", "wave").agg(
        nw.col("year").max(),
        *(nw.col(c).max() for name in measures for c in (name, WHY + name)),
    )


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
    last = joined.group_by("pupil_id", "wave").agg(nw.col("date").max())
    joined = joined.join(last, on=["pupil_id", "wave", "date"], how="inner")
    items = list(dict.fromkeys(item for outcome in outcomes for item in outcome.items))
    answer = [
        nw.when(nw.col("item") == item).then(nw.col("answer")).otherwise(None).alias(item)
        for item in items
    ]
    wide = joined.select("pupil_id", "wave", "year", *answer)
    wide = wide.group_by("pupil_id", "wave").agg(
        nw.col("year").max(), *(nw.col(item).max() for item in items)
    )
    contracts = [ColumnContract("pupil_id", "key", "pupil")]
    contracts += [ColumnContract(name, "integer", name) for name in ("wave", "year")]
    for outcome in outcomes:
        assert outcome.range is not None
        low, high = outcome.range
        contracts += [
            ColumnContract(item, "number", "item", labels=outcome.labels, low=low, high=high)
            for item in outcome.items
            if item not in [contract.name for contract in contracts]
        ]
    typed = read_values(wide, contracts, engine, label)
    return typed.frame, list(typed.problems)

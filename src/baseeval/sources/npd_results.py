"""Key stage results: one row a pupil, year and measure, with why there is no result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import narwhals.stable.v2 as nw

from baseeval.contracts.attainment import CONTRACT
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import TableContract
from baseeval.contracts.vocabulary import PANDEMIC_RESULTS
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.npd_outcomes import CANCELLED_KS2, MEASURES, Measure
from baseeval.sources.npd_rows import with_summer_year
from baseeval.sources.npd_statuses import STATUS, with_statuses
from baseeval.sources.rows import PUPIL_YEAR, count_fault, one_each, under_contract, with_columns
from baseeval.sources.values import WHY

_WHY_NEVER = "no such measure that year"

_GRADES = {str(grade): f"Grade {grade}" for grade in range(9, 0, -1)} | {"U": "Ungraded"}


def read_results(gathered: Gathered, stage: str, engine: Engine) -> Contracted:
    """Read a key stage extract.

    Parameters
    ----------
    gathered : Gathered
    stage : str
        ``KS2`` or ``KS4``.
    engine : Engine

    Returns
    -------
    Contracted
        Of the contract ``attainment``; `gathered`'s own faults are not repeated.
    """
    label, measures = gathered.label, MEASURES[stage]
    extract = _extract(stage)
    read = read_contract(with_summer_year(gathered.frame), extract, engine, label)
    names = read.frame.collect_schema().names()
    measures = tuple(measure for measure in measures if measure.name in names)
    frame = with_columns(read.frame, (_as_number(m.name) for m in measures if m.kind == "grade"))
    if "national" not in names:
        frame = frame.with_columns(nw.lit(None, dtype=nw.Int64).alias("national"))
    faults = _cancelled(frame, stage, engine, label)
    frame, never = _without_the_impossible(frame, measures, engine, label)
    frame, coded = with_statuses(frame, measures, engine, label)
    frame, lost = one_each(frame, PUPIL_YEAR, _order(measures), engine)
    several = count_fault(
        label,
        "pupil_id",
        "several_records",
        lost,
        "another record of the pupil in the same year that comes first (in the national "
        "results, then with most results, then with the highest)",
        "They are left out: one record a pupil and year is kept.",
    )
    long = _long(engine.keep(frame), stage, measures, engine)
    return replace(
        read,
        frame=engine.keep(under_contract(long, CONTRACT)),
        faults=(*read.faults, *faults, *never, *coded, *several),
    )


def _extract(stage: str) -> TableContract:
    """Return the contract of an extract as it comes, a measure a column."""
    measures = MEASURES[stage]
    outcomes = dict.fromkeys(measure.outcome for measure in measures if measure.outcome)
    return TableContract(
        stage,
        "A pupil's record in one year",
        PUPIL_YEAR,
        (
            *(CONTRACT.column(name) for name in (*PUPIL_YEAR, "national")),
            *(ColumnContract(name, "category", "Outcome of the test") for name in outcomes),
            *map(_column, measures),
        ),
    )


def _column(measure: Measure) -> ColumnContract:
    if measure.kind == "flag":
        return ColumnContract(measure.name, "flag", "Reached the standard", stops=False)
    if measure.kind == "grade":
        return ColumnContract(measure.name, "code", "Grade", codes=_GRADES, stops=False)
    low = None if measure.name.endswith(("progress", "progress8")) else 0
    high = 120 if measure.kind == "scaled" else None
    return ColumnContract(measure.name, "number", "Result", low=low, high=high, stops=False)


def _as_number(name: str) -> nw.Expr:
    grade = nw.when(nw.col(name) == "U").then(nw.lit("0")).otherwise(nw.col(name))
    return grade.cast(nw.Float64).alias(name)


def _cancelled(frame: Frame, stage: str, engine: Engine, label: str) -> list[Fault]:
    if stage != "KS2":
        return []
    rows = engine.counts(frame, {"rows": nw.col("year").is_in(list(CANCELLED_KS2))})["rows"]
    return count_fault(
        label,
        "year",
        "cancelled_tests",
        rows,
        "results of 2020 or 2021, when the tests of key stage 2 were cancelled",
        "Check the years: no such results exist.",
        stops=True,
    )


def _without_the_impossible(
    frame: Frame, measures: Sequence[Measure], engine: Engine, label: str
) -> tuple[Frame, list[Fault]]:
    """Take away what nobody could have in a year, for want of the earlier tests."""
    those = [measure for measure in measures if measure.never]
    gone = {m.name: nw.col("year").is_in(list(m.never)) for m in those}
    held = {name: condition & ~nw.col(name).is_null() for name, condition in gone.items()}
    counts = engine.counts(frame, held)
    faults = []
    for measure in those:
        years = " or ".join(map(str, measure.never))
        faults += count_fault(
            label,
            measure.name,
            "no_such_measure",
            counts[measure.name],
            f"a value in {years}, for which the measure does not exist: the tests that it "
            "starts from were cancelled",
            "They are read as missing.",
        )
    columns = [
        column
        for name, condition in gone.items()
        for column in (
            nw.when(~condition).then(nw.col(name)).otherwise(None).alias(name),
            nw.when(condition)
            .then(nw.lit(_WHY_NEVER))
            .otherwise(nw.col(WHY + name))
            .alias(WHY + name),
        )
    ]
    return with_columns(frame, columns), faults


def _order(measures: Sequence[Measure]) -> list[nw.Expr]:
    """Put the national results first, then most results, then the highest, in order."""
    results: nw.Expr = nw.lit(0)
    for measure in measures:
        results = results + yes(~nw.col(measure.name).is_null())
    highest = [nw.coalesce(-nw.col(m.name).cast(nw.Float64), nw.lit(1e18)) for m in measures]
    return [1 - yes(nw.col("national") == 1), -results, *highest]


def _long(frame: Frame, stage: str, measures: Sequence[Measure], engine: Engine) -> Frame:
    """Put measures one under the other, each in the years that have it."""
    there = {
        m.name: ~nw.col(m.name).is_null()
        | ~nw.col(STATUS + m.name).is_null()
        | (nw.col(WHY + m.name) == _WHY_NEVER)
        for m in measures
    }
    years = engine.collect(
        frame.group_by("year").agg(*(yes(any_).max().alias(n) for n, any_ in there.items())),
        ["year"],
    ).to_pylist()
    basis: nw.Expr = nw.lit("exam")
    pandemic: nw.Expr = nw.lit(0)
    if stage == "KS4":
        for year, how in PANDEMIC_RESULTS.items():
            basis = nw.when(nw.col("year") == int(year)).then(nw.lit(how)).otherwise(basis)
        pandemic = yes(nw.col("year").is_in([int(year) for year in PANDEMIC_RESULTS]))
    parts = []
    for measure in measures:
        own = [row["year"] for row in years if row[measure.name]]
        value, status = nw.col(measure.name).cast(nw.Float64), nw.col(STATUS + measure.name)
        parts.append(
            frame.filter(nw.col("year").is_in(own)).select(
                *PUPIL_YEAR,
                nw.lit(stage).alias("stage"),
                nw.lit(measure.name).alias("measure"),
                value.alias("value"),
                nw.coalesce(status, nw.col(WHY + measure.name)).alias(WHY + "value"),
                status.alias("status"),
                basis.alias("basis"),
                nw.col("national"),
                pandemic.cast(nw.Int64).alias("pandemic"),
            )
        )
    return nw.concat(parts, how="vertical")

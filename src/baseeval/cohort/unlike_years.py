"""School years that are not like another: flagged, pooled only where standardised within each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from baseeval.cohort.keys import YEAR_OF
from baseeval.contracts.vocabulary import PANDEMIC_ABSENCE, PANDEMIC_RESULTS
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import PlanError, Problem
from baseeval.plan import OutcomeSection, Plan


def check_pooling(
    rows: Frame, plan: Plan, measures: Sequence[str], engine: Engine
) -> frozenset[tuple[str, str]]:
    """Find the outcomes and waves measured in a pandemic year; refuse to pool them.

    Parameters
    ----------
    rows : narwhals LazyFrame
        ``wave`` and the outcomes' columns, each with its ``year:name``.
    plan : Plan
    measures : sequence of str
        Of the table ``attainment``.
    engine : Engine

    Returns
    -------
    frozenset of (outcome, wave)

    Raises
    ------
    PlanError
        An outcome has at one wave a pandemic year beside another year, and the plan
        does not standardise it within cohort.
    """
    found: set[tuple[str, str]] = set()
    problems = []
    for outcome in plan.outcomes:
        unlike = _unlike(outcome, measures)
        if not unlike:
            continue
        column = outcome.columns()[0]
        held = rows.filter(~nw.col(column).is_null() & (nw.col("wave") >= 0))
        dated = held.select("wave", nw.col(YEAR_OF + column).alias("year")).unique()
        pairs = engine.collect(dated, ["wave", "year"]).to_pylist()
        years: dict[int, set[int]] = {}
        for pair in pairs:
            years.setdefault(pair["wave"], set()).add(pair["year"])
        touched = {wave: sorted(held & unlike) for wave, held in years.items() if held & unlike}
        found |= {(outcome.name, str(wave)) for wave in touched}
        pooled = sorted(
            {year for wave in touched if len(years[wave]) > 1 for year in touched[wave]}
        )
        if pooled and outcome.standardise == "no":
            named = ", ".join(f"{year - 1}/{year % 100:02d}" for year in pooled)
            within = outcome.kind in ("continuous", "sessions")
            problems.append(
                Problem(
                    f"{plan.path.name}, [outcomes] {outcome.name}",
                    f"figures of {named}, which were not made like those of other years, are put "
                    "together with other years'",
                    'Say `standardise = "cohort"`, which compares pupils within each school year, '
                    "or narrow `first_year` and `last_year` in [eligibility]."
                    if within
                    else "Narrow `first_year` and `last_year` in [eligibility].",
                )
            )
    if problems:
        raise PlanError(problems)
    return frozenset(found)


def _unlike(outcome: OutcomeSection, measures: Sequence[str]) -> set[int]:
    if outcome.attended is not None:
        return set(PANDEMIC_ABSENCE)
    if outcome.column in measures:
        return {int(year) for year in PANDEMIC_RESULTS}
    return set()


def year_norms(
    tables: Mapping[str, Frame], plan: Plan, measures: Sequence[str], engine: Engine
) -> Frame | None:
    """Compute the mean and SD of each school year over all pupils that the tables hold.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    plan : Plan
    measures : sequence of str
        Of the table ``attainment``.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame or None
        ``outcome, year, norm_mean, norm_sd`` of the outcomes that the plan
        standardises within cohort; None where it has none.

    Raises
    ------
    PlanError
        An outcome of a kind that has no school year's distribution.
    """
    wanted = [outcome for outcome in plan.outcomes if outcome.standardise == "cohort"]
    if not wanted:
        return None
    records: list[dict[str, object]] = []
    problems = []
    for outcome in wanted:
        values = _of_all(outcome, tables, measures)
        if values is None:
            problems.append(
                Problem(
                    f"{plan.path.name}, [outcomes] {outcome.name}",
                    f"`standardise` is not for the kind `{outcome.kind}`",
                    "Take it out: answers are those of the pupils asked, not of a cohort.",
                )
            )
            continue
        # In one order and in memory: the engine's parallel sums do not repeat to the last bit.
        held = engine.collect(values.filter(~nw.col("v").is_null()), ["year", "v"])
        year = np.asarray(held.column("year"), dtype=np.int64)
        value = np.asarray(held.column("v"), dtype=np.float64)
        for one in np.unique(year):
            mine = value[year == one]
            # Of figures all alike the SD need not come out as nought: sums are rounded.
            if mine.max() > mine.min():
                spread = float(mine.std(ddof=1))
                records.append(
                    {"outcome": outcome.name, "year": int(one), "m": mine.mean(), "s": spread}
                )
    if problems:
        raise PlanError(problems)
    return engine.table(
        pa.table(
            {
                "outcome": pa.array([r["outcome"] for r in records], pa.string()),
                "year": pa.array([r["year"] for r in records], pa.int64()),
                "norm_mean": pa.array([r["m"] for r in records], pa.float64()),
                "norm_sd": pa.array([r["s"] for r in records], pa.float64()),
            }
        )
    )


def _of_all(
    outcome: OutcomeSection, tables: Mapping[str, Frame], measures: Sequence[str]
) -> Frame | None:
    if outcome.kind == "sessions":
        attended, possible = nw.col(str(outcome.attended)), nw.col(str(outcome.possible))
        share = nw.when(possible > 0).then(attended / possible).otherwise(None)
        return tables[_holder(tables, str(outcome.attended))].select("year", share.alias("v"))
    if outcome.kind != "continuous":
        return None
    if outcome.column in measures:
        mine = tables["attainment"].filter(nw.col("measure") == outcome.column)
        return mine.select("year", nw.col("value").alias("v"))
    column = str(outcome.column)
    table = _holder(tables, column)
    return tables[table].select("year", nw.col(column).alias("v")) if table else None


def _holder(tables: Mapping[str, Frame], column: str) -> str:
    """Name the table of a school year's figures that has a column; empty where none has."""
    for table in ("attendance", "exclusions"):
        if table in tables and column in tables[table].collect_schema().names():
            return table
    return ""

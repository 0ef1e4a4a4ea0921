"""Covariates: each at the wave before placement, one value a pupil."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from baseeval.cohort.keys import PUPIL, STEP
from baseeval.cohort.pupils import pupils_in_words
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError, Problem
from baseeval.plan import Covariate, Plan
from baseeval.sources.values import WHY

#: More waves than this are not listed: the column may be the wrong one, and name pupils.
_LISTED = 12


def covariate_table(
    rows: nw.LazyFrame[Any], plan: Plan, waves: tuple[str, ...], engine: Engine, file: str
) -> nw.LazyFrame[Any]:
    """Take every covariate of the plan, one row a pupil.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps, checked.
    plan : Plan
    waves : tuple of str
        In order.
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    narwhals LazyFrame
        ``key:pupil`` and one column a covariate, each with a second,
        ``why:name``: the reason where there is no value.

    Raises
    ------
    PlanError
        A covariate is from a wave that is not there, or from after the baseline.
    DataError
        A covariate changes between waves and no wave is named.
    """
    covariates = plan.covariates.every()
    steps = {wave: number for number, wave in enumerate(waves)}
    baseline = plan.data.baseline_wave
    _check_waves(plan, covariates, steps)
    _check_before(rows, plan, steps, engine)
    outcomes = {column for outcome in plan.outcomes for column in outcome.columns()}
    # What is recorded after the baseline may be what placement made of it.
    before = rows if baseline is None else rows.filter(nw.col(STEP) <= steps[baseline])
    changing = _changing(before, covariates, engine) if len(waves) > 1 else {}
    problems = [
        Problem(
            f"{file}, column `{c.column}`",
            f"the covariate changes between waves for {pupils_in_words(changing[c.column])}",
            "Name `baseline_wave` in [data]: the value of that wave is taken.",
        )
        for c in covariates
        if changing.get(c.column) and c.wave is None and baseline is None
    ]
    if problems:
        raise DataError(problems)
    table = rows.select(PUPIL).unique()
    for covariate in covariates:
        varies = covariate.column in outcomes or changing.get(covariate.column)
        wave = covariate.wave or (baseline if varies else None)
        held = before
        if covariate.after_placement:
            # The plan says that it means it; every row of the results says so too.
            held, wave = (
                rows,
                covariate.wave or (waves[0] if baseline is None else _next(plan, waves)),
            )
        table = table.join(
            _at(held, covariate.column, None if wave is None else steps[wave]),
            on=PUPIL,
            how="left",
        )
    return engine.keep(table)


def _next(plan: Plan, waves: tuple[str, ...]) -> str | None:
    """Return the wave after the baseline."""
    later = waves.index(str(plan.data.baseline_wave)) + 1
    return waves[later] if later < len(waves) else None


def _at(rows: nw.LazyFrame[Any], column: str, step: int | None) -> nw.LazyFrame[Any]:
    if step is not None:
        return rows.filter(nw.col(STEP) == step).select(PUPIL, column, WHY + column)
    return rows.group_by(PUPIL).agg(nw.col(column).max(), nw.col(WHY + column).max())


def _changing(
    rows: nw.LazyFrame[Any], covariates: tuple[Covariate, ...], engine: Engine
) -> dict[str, int]:
    """Count the pupils for whom each covariate differs between waves."""
    columns = [covariate.column for covariate in covariates]
    if not columns:
        return {}
    ends = [
        end
        for column in columns
        for end in (
            nw.col(column).min().alias(f"low {column}"),
            nw.col(column).max().alias(f"high {column}"),
        )
    ]
    return engine.counts(
        rows.group_by(PUPIL).agg(*ends),
        {column: nw.col(f"low {column}") != nw.col(f"high {column}") for column in columns},
    )


def _check_before(
    rows: nw.LazyFrame[Any], plan: Plan, steps: dict[str, int], engine: Engine
) -> None:
    """Refuse a covariate that nobody has until after the baseline."""
    if plan.data.baseline_wave is None:
        return
    step = steps[plan.data.baseline_wave]
    covariates = plan.covariates.every()
    columns = [c.column for c in covariates if not c.wave and not c.after_placement]
    known = {column: ~nw.col(column).is_null() for column in columns}
    ever = engine.counts(rows, known)
    before = engine.counts(rows.filter(nw.col(STEP) <= step), known)
    problems = [
        Problem(
            f"{plan.path.name}, [covariates]",
            f"`{column}` is recorded only after the baseline, when placement may already have "
            "changed it",
            "Leave it out, take another from `baseline_wave` or before, or mean it with "
            "`after_placement = true`.",
        )
        for column in columns
        if ever[column] and not before[column]
    ]
    if problems:
        raise PlanError(problems)


def _check_waves(plan: Plan, covariates: tuple[Covariate, ...], steps: dict[str, int]) -> None:
    where = f"{plan.path.name}, [covariates]"
    known = f"The column has {len(steps)} waves."
    if len(steps) <= _LISTED:
        known = f"The waves are: {', '.join(steps)}."
    baseline = plan.data.baseline_wave
    problems = []
    if baseline is not None and baseline not in steps:
        problems.append(
            Problem(f"{plan.path.name}, [data] baseline_wave", "no row is of this wave", known)
        )
    for covariate in covariates:
        if covariate.wave is None:
            continue
        if covariate.wave not in steps:
            problems.append(
                Problem(where, f"no row is of the wave named for `{covariate.column}`", known)
            )
        elif baseline is None:
            problems.append(
                Problem(
                    where,
                    f"`{covariate.column}` has a `wave`, but nothing says which waves come before "
                    "placement",
                    "Name `baseline_wave` in [data].",
                )
            )
        elif not covariate.after_placement and steps[covariate.wave] > steps.get(
            baseline, len(steps)
        ):
            problems.append(
                Problem(
                    where,
                    f"`{covariate.column}` is taken from a wave after the baseline, when placement "
                    "may already have changed it",
                    "Take it from `baseline_wave` or before, or say that you mean it with "
                    "`after_placement = true`.",
                )
            )
    if problems:
        raise PlanError(problems)

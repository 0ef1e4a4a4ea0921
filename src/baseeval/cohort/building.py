"""Building the cohort: from typed rows to one table of covariates and one of outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.checks import check_rows
from baseeval.cohort.counting import count_flow, count_missing
from baseeval.cohort.covariates import covariate_table
from baseeval.cohort.keys import ARM, FATE, PUPIL, SCHOOL, keyed, waves_of, with_steps
from baseeval.cohort.outcomes import outcome_table, score_table
from baseeval.cohort.pupils import pupil_table
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.plan import Plan
from baseeval.results import CONTRASTS, Flow
from baseeval.sources.table import read_table

#: The waves' names go into the report; more than these, and the column is another one.
_MOST_WAVES = 50

#: A level that fewer pupils of an arm hold is not named: the threshold of every profile.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who is compared.

    Parameters
    ----------
    plan : Plan
    engine : Engine
        Holds the tables; they live as long as it is open.
    covariates : narwhals LazyFrame
        ``pupil, school, arm`` and one column a covariate, one row a pupil of an
        arm. The design stage sees this and nothing else.
    outcomes : narwhals LazyFrame
        ``pupil, school, arm, wave, outcome, form, value``.
    flow : Flow
    missing : pandas.DataFrame
        What is missing, for whom, and why.
    sizes : dict of str to int
        Pupils of each arm that holds any, in order; of ``all`` without [arms].
    waves : tuple of str
        In order; one empty text where the study has one wave.
    files : tuple of (name, SHA-256)
    notes : tuple of str
        Warnings in plain sentences.
    """

    plan: Plan
    engine: Engine
    covariates: nw.LazyFrame[Any]
    outcomes: nw.LazyFrame[Any]
    flow: Flow
    missing: pd.DataFrame
    sizes: dict[str, int]
    waves: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Return the arms that hold a pupil."""
        return tuple(self.sizes)

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Return the contrasts whose two arms hold pupils."""
        return tuple(name for name, (one, two) in CONTRASTS.items() if {one, two} <= set(self.arms))


def build_cohort(plan: Plan, engine: Engine | None = None) -> Cohort:
    """Read a plan's data and count who is compared.

    Parameters
    ----------
    plan : Plan
        From `read_study`.
    engine : Engine, optional
        A fresh one by default.

    Returns
    -------
    Cohort

    Raises
    ------
    DataError
        With every breach of the data's contract at once.
    PlanError
        A covariate is taken from a wave after the baseline.
    """
    engine = engine or Engine()
    source = read_table(plan, engine)
    rows = keyed(source.typed.frame, plan, engine)
    problems = [*source.typed.problems, *check_rows(rows, plan, engine, source.label)]
    if problems:
        raise DataError(problems)
    waves = waves_of(rows, plan, engine)
    if not waves:
        raise DataError(Problem(source.label, "the file holds no pupils", "Export it again."))
    if len(waves) > _MOST_WAVES:
        raise DataError(
            Problem(
                f"{source.label}, column `{plan.data.wave}`",
                f"the column has {len(waves)} waves, more than the {_MOST_WAVES} that are allowed",
                "Name as `wave` the column that says on which occasion a pupil was measured.",
            )
        )
    rows = engine.keep(with_steps(rows, waves))
    names = [c.column for c in (*plan.covariates.adjust, *plan.covariates.exact)]
    values = covariate_table(rows, plan, waves, engine, source.label)
    baseline = plan.data.baseline_wave
    step = None if baseline is None else waves.index(baseline)
    pupils = pupil_table(rows, step, engine)
    placed = pupils.filter(nw.col(FATE) == "arm").join(values, on=PUPIL, how="left")
    covariates = engine.keep(
        placed.select(
            nw.col(PUPIL).alias("pupil"),
            nw.col(SCHOOL).alias("school"),
            nw.col(ARM).alias("arm"),
            *names,
        )
    )
    scores = score_table(rows, pupils, plan, engine)
    known = values.drop_nulls(names).select(PUPIL) if names else values.select(PUPIL)
    flow = count_flow(pupils, known, engine)
    placed_rows = flow.table[flow.table["step"] == "In an arm"]
    sizes = dict(zip(placed_rows["arm"], placed_rows["pupils"].astype(int), strict=True))
    if not sizes:
        raise DataError(
            Problem(source.label, "no pupil is in any arm", "Check the labels in [arms].")
        )
    outcomes = outcome_table(scores, plan, step, engine)
    _check_asked(outcomes, plan, waves[0 if step is None else step + 1 :], engine, source.label)
    return Cohort(
        plan=plan,
        engine=engine,
        covariates=covariates,
        outcomes=outcomes,
        flow=flow,
        missing=count_missing(pupils, values, names, scores, engine),
        sizes=sizes,
        waves=waves,
        files=source.files,
        notes=(
            *_contradictory_schools(covariates, engine),
            *_lonely_levels(covariates, names, source.typed.numeric, engine),
        ),
    )


def _check_asked(
    outcomes: nw.LazyFrame[Any], plan: Plan, later: tuple[str, ...], engine: Engine, file: str
) -> None:
    """Refuse an outcome in a form that nobody has, which would vanish without a word."""
    kinds = outcomes.filter(nw.col("wave").is_in(list(later))).select("outcome", "form").unique()
    held = {(r["outcome"], r["form"]) for r in engine.collect(kinds, []).to_pylist()}
    problems = [
        Problem(
            f"{file}, {' and '.join(f'`{column}`' for column in outcome.columns()[:3])}",
            f"no pupil of an arm has the {form} of `{outcome.name}` after placement",
            "Check the columns, the waves and the peers, or leave the outcome out.",
        )
        for outcome in plan.outcomes
        for form in outcome.forms
        if (outcome.name, form) not in held
    ]
    if problems:
        raise DataError(problems)


def _contradictory_schools(covariates: nw.LazyFrame[Any], engine: Engine) -> tuple[str, ...]:
    """Warn of schools that hold pupils of `non_host` and of a host's arms."""
    hosts = nw.col("arm").is_in(["base", "host_mainstream"]).cast(nw.Int64)
    others = (nw.col("arm") == "non_host").cast(nw.Int64)
    arms = covariates.with_columns(hosts.alias("hosts"), others.alias("others"))
    by = arms.group_by("school").agg(nw.col("hosts").max(), nw.col("others").max())
    both = engine.counts(by, {"both": (nw.col("hosts") == 1) & (nw.col("others") == 1)})["both"]
    if not both:
        return ()
    return (
        "Some schools hold pupils of non_host beside those of base or host_mainstream, though a "
        "school either hosts a base or does not: check the placements.",
    )


def _lonely_levels(
    covariates: nw.LazyFrame[Any], names: list[str], numeric: frozenset[str], engine: Engine
) -> tuple[str, ...]:
    """Warn of levels of a category (a need, say) that some arms lack altogether.

    A level that few pupils hold is not named: the note goes into the report.
    """
    notes = []
    arms = set(engine.collect(covariates.select("arm").unique(), ["arm"]).column("arm").to_pylist())
    for name in names:
        if name in numeric:
            continue
        known = covariates.filter(~nw.col(name).is_null())
        counted = known.group_by("arm", name).agg(nw.len().alias("pupils"))
        found = engine.collect(counted, [name, "arm"]).to_pandas()
        rare = 0
        for level, held in found.groupby(name, sort=True):
            lacking = sorted(arms - set(held["arm"]))
            if lacking and held["pupils"].min() < _FEW:
                rare += 1
            elif lacking:
                notes.append(
                    f"No pupil of {' or '.join(lacking)} has {name} = {level}: nobody there can "
                    "stand for such pupils."
                )
        if rare:
            notes.append(
                f"Some arm has nobody with {rare} of the rarer levels of {name}: nobody there can "
                "stand for such pupils."
            )
    return tuple(notes)

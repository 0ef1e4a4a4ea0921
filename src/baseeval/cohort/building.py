"""Building the cohort: from typed rows to one table of covariates and one of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.attrition import attrition_of
from baseeval.cohort.checks import check_rows
from baseeval.cohort.comparing_schools import check_scales, one_school_notes, values_of_rows
from baseeval.cohort.completing import count_completion, needs_of
from baseeval.cohort.counting import count_flow, count_missing
from baseeval.cohort.covariates import covariate_table
from baseeval.cohort.keys import ARM, FATE, PUPIL, SCHOOL, keyed, waves_of, with_steps
from baseeval.cohort.laying import lay_rows
from baseeval.cohort.outcome_values import check_outcome_values
from baseeval.cohort.outcomes import outcome_table, score_table, with_arms_over_time
from baseeval.cohort.pupils import pupil_table
from baseeval.cohort.respondents import Surveyed
from baseeval.cohort.responding import answer_table
from baseeval.cohort.tidy_eligibility import tidy_reasons
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem
from baseeval.plan import Plan
from baseeval.results import CONTRASTS, Flow

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
    answers : narwhals LazyFrame or None
        From `answer_table`.
    flow : Flow
    missing : pandas.DataFrame
        What is missing, for whom, and why.
    completion : pandas.DataFrame
        From `count_completion`.
    surveyed : Surveyed
    attrition : pandas.DataFrame
        From `count_attrition`.
    need_rules : pandas.DataFrame
        From `count_need_rules`.
    movements : pandas.DataFrame
        Pupils by arm at time zero and at each later wave; empty for a tidy table.
    ways_out : pandas.DataFrame
        From `count_ways_out`; empty for a tidy table, and for places by census flags.
    benchmarks : pandas.DataFrame
        Published figures for context; empty where the plan names none.
    features : narwhals LazyFrame or None
        ``pupil, base_id`` and what each base is said to have, one row a pupil of the base
        arm (see `base_features`); None for a tidy table.
    sizes : dict of str to int
        Pupils of each arm that holds any, in order; of ``all`` without [arms].
    waves : tuple of str
        In order; one empty text where the study has one wave.
    files : tuple of (name, SHA-256)
    read : tuple of (table, files, rows, columns)
        What was read, and how much of it.
    notes : tuple of str
        Warnings in plain sentences.
    faults : tuple of Fault
        What the data hold that was read otherwise than it stands.
    cautions : mapping of str to frozenset of str
        Contrast, ``outcome wave`` or ``outcome form wave contrast`` -> flags of all its rows.
    """

    plan: Plan
    engine: Engine
    covariates: nw.LazyFrame[Any]
    outcomes: nw.LazyFrame[Any]
    answers: nw.LazyFrame[Any] | None
    flow: Flow
    missing: pd.DataFrame
    completion: pd.DataFrame
    surveyed: Surveyed
    attrition: pd.DataFrame
    need_rules: pd.DataFrame
    movements: pd.DataFrame
    ways_out: pd.DataFrame
    benchmarks: pd.DataFrame
    features: nw.LazyFrame[Any] | None
    sizes: dict[str, int]
    waves: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    read: tuple[tuple[str, str, int, int], ...]
    notes: tuple[str, ...]
    faults: tuple[Fault, ...]
    cautions: Mapping[str, frozenset[str]]

    @property
    def arms(self) -> tuple[str, ...]:
        """Return the arms that hold a pupil."""
        return tuple(self.sizes)

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Return the contrasts whose two arms hold pupils; none where arms change over time."""
        if self.plan.placement is not None and self.plan.placement.movers != "at_entry":
            return ()
        return tuple(name for name, (one, two) in CONTRASTS.items() if {one, two} <= set(self.arms))


def build_cohort(
    plan: Plan, engine: Engine | None = None, tables: Mapping[str, Any] | None = None
) -> Cohort:
    """Read a plan's data and count who is compared.

    Parameters
    ----------
    plan : Plan
        From `read_study`.
    engine : Engine, optional
        A fresh one by default.
    tables : mapping, optional
        Frames or open connections in place of files, by the key that names the file
        in [data.files]; ``table`` for a tidy table.

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
    laid = lay_rows(plan, engine, tables)
    rows = keyed(laid.typed.frame, plan, engine)
    stopping = [fault for fault in laid.faults if fault.stops]
    questions = [fault for fault in laid.faults if not fault.stops]
    problems = [*stopping, *check_rows(rows, plan, engine, laid.label)]
    if problems:
        raise DataError(problems, questions)
    waves = waves_of(rows, plan, engine)
    _check_waves(waves, plan, laid.label)
    rows = engine.keep(with_steps(rows, waves))
    baseline = plan.data.baseline_wave
    names = [c.column for c in plan.covariates.every()]
    values = laid.covariates
    if values is None:
        values = covariate_table(rows, plan, waves, engine, laid.label)
    step = None if baseline is None else waves.index(baseline)
    reasons, need_rules = laid.reasons, laid.need_rules
    if plan.data.source is None:
        reasons, need_rules = tidy_reasons(rows, plan, step, engine)
    pupils = pupil_table(rows, step, reasons, engine)
    placed = pupils.filter(nw.col(FATE) == "arm").join(values, on=PUPIL, how="left")
    covariates = engine.keep(
        placed.select(
            nw.col(PUPIL).alias("pupil"),
            nw.col(SCHOOL).alias("school"),
            nw.col(ARM).alias("arm"),
            *names,
        )
    )
    scores = score_table(rows, pupils, plan, laid.norms, engine)
    known = values.drop_nulls(names).select(PUPIL) if names else values.select(PUPIL)
    flow = count_flow(pupils, known, engine)
    placed_rows = flow.table[flow.table["step"] == "In an arm"]
    sizes = dict(zip(placed_rows["arm"], placed_rows["pupils"].astype(int), strict=True))
    if not sizes:
        where = laid.label if plan.data.source is None else plan.path.name
        nobody = Problem(where, "no pupil is in any arm", _why_nobody(flow, plan))
        raise DataError(nobody, questions)
    first = 0 if step is None else step + 1
    later = waves[first:]
    problems = check_outcome_values(scores, plan, first, engine, laid.label)
    if plan.data.source is None:
        problems += check_scales(values_of_rows(rows, plan), plan, engine, laid.label)
    if problems:
        raise DataError(problems, questions)
    outcomes = outcome_table(scores, plan, step, engine)
    unheld = _unheld(outcomes, plan, later, engine, laid.label)
    if unheld:
        raise DataError(unheld, questions)
    return Cohort(
        plan=plan,
        engine=engine,
        covariates=covariates,
        outcomes=with_arms_over_time(outcomes, laid.by_year, engine),
        answers=answer_table(rows, pupils, laid.by_year, plan),
        flow=flow,
        missing=count_missing(pupils, values, names, scores, engine),
        completion=count_completion(
            pupils, scores, needs_of(laid.needs, rows, plan), laid.surveyed, plan, engine
        ),
        surveyed=laid.surveyed,
        attrition=attrition_of(laid, rows, covariates, names, later, engine),
        need_rules=need_rules,
        movements=laid.movements,
        ways_out=laid.ways_out,
        benchmarks=laid.benchmarks,
        features=laid.features,
        sizes=sizes,
        waves=waves,
        files=laid.files,
        read=laid.sizes,
        notes=(
            *laid.notes,
            *_contradictory_schools(covariates, engine),
            *_lonely_levels(covariates, names, laid.typed.numeric, engine),
            *one_school_notes(outcomes, plan, later, engine),
        ),
        faults=tuple(questions),
        cautions=laid.cautions,
    )


def _check_waves(waves: tuple[str, ...], plan: Plan, label: str) -> None:
    if not waves:
        raise DataError(Problem(label, "the file holds no pupils", "Export it again."))
    if len(waves) > _MOST_WAVES:
        raise DataError(
            Problem(
                f"{label}, column `{plan.data.wave}`",
                f"the column has {len(waves)} waves, more than the {_MOST_WAVES} that are allowed",
                "Name as `wave` the column that says on which occasion a pupil was measured.",
            )
        )


def _why_nobody(flow: Flow, plan: Plan) -> str:
    """Say what left most pupils out."""
    out = flow.table[flow.table["step"] == "Left out"]
    sections = "[arms] and [eligibility]"
    if plan.data.source is not None:
        sections = "[eligibility] and [placement]"
        if plan.eligibility is not None and plan.eligibility.time_zero == "ehcp_issue":
            sections += ", and the column `ehcp_date` of the pupils"
    if out.empty:
        return "Check the labels in [arms]."
    most = out.sort_values("pupils", ascending=False, kind="stable")["reason"].iloc[0]
    return f"Most were left out because: {most}. Check {sections}."


def _unheld(
    outcomes: nw.LazyFrame[Any], plan: Plan, later: tuple[str, ...], engine: Engine, file: str
) -> list[Problem]:
    """Name the outcomes in a form that nobody has, which would vanish without a word."""
    kinds = outcomes.filter(nw.col("wave").is_in(list(later))).select("outcome", "form").unique()
    held = {(r["outcome"], r["form"]) for r in engine.collect(kinds, []).to_pylist()}
    return [
        Problem(
            f"{file}, {' and '.join(f'`{column}`' for column in outcome.columns()[:3])}",
            f"no pupil of an arm has the {form} of `{outcome.name}` after placement",
            "Check the columns, the waves and the peers, or leave the outcome out.",
        )
        for outcome in plan.outcomes
        for form in outcome.forms
        if (outcome.name, form) not in held
    ]


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
        counted = known.group_by("arm", name).agg(nw.len().alias("key:pupils"))
        found = engine.collect(counted, [name, "arm"]).to_pandas()
        rare = 0
        for level, held in found.groupby(name, sort=True):
            lacking = sorted(arms - set(held["arm"]))
            if lacking and held["key:pupils"].min() < _FEW:
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

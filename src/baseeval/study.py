"""A study: its plan checked against what the methods can do, and its data against the plan."""

from __future__ import annotations

from pathlib import Path

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.design.registry import DESIGNS
from baseeval.disclosure.profiles import PROFILES
from baseeval.effects.registry import MODELS
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError, Problem
from baseeval.measures.scoring import KINDS
from baseeval.plan import Plan, nearest, read_plan


def read_study(path: str | Path) -> Plan:
    """Read a study file and check that every method it names exists.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        With every fault at once.
    """
    plan = read_plan(path)
    problems = [*_later(plan), *_designs(plan), *_models(plan), *_profile(plan)]
    if problems:
        raise PlanError(problems)
    return plan


def check_study(path: str | Path) -> Cohort:
    """Check a study's plan and data without estimating anything.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Cohort
        Whose flow says who would be compared.

    Raises
    ------
    PlanError, DataError
        With every fault at once.
    """
    plan = read_study(path)
    with Engine() as engine:
        return build_cohort(plan, engine)


def _later(plan: Plan) -> list[Problem]:
    """Name what the plan asks for that a later version will do."""
    problems = []
    if plan.data.source is not None:
        problems.append(
            Problem(
                f"{plan.path.name}, [data] source",
                f"reading `{plan.data.source}` is reserved for a later version",
                "Give one tidy `table` for now.",
            )
        )
    if plan.analysis.missing != "complete_case":
        problems.append(
            Problem(
                f"{plan.path.name}, [analysis] missing",
                f"`{plan.analysis.missing}` is reserved for a later version",
                "Use `complete_case` for now.",
            )
        )
    for outcome in plan.outcomes:
        if outcome.kind not in KINDS:
            problems.append(
                Problem(
                    f"{plan.path.name}, [outcomes] {outcome.name}",
                    f"the kind `{outcome.kind}` is reserved for a later version",
                    f"Kinds built so far: {', '.join(KINDS)}.",
                )
            )
    return problems


def _designs(plan: Plan) -> list[Problem]:
    where = f"{plan.path.name}, [design] methods"
    methods, estimand = plan.design.methods, plan.design.estimand
    problems = [
        Problem(where, f"the design `{name}` is not there (yet)", nearest(name, list(DESIGNS)))
        for name in methods
        if name not in DESIGNS
    ]
    if len(set(methods)) < len(methods):
        problems.append(Problem(where, "a design is named twice", "Name each once."))
    for name in methods:
        spec = DESIGNS.get(name)
        if spec is None:
            continue
        if estimand not in spec.estimands:
            serve = [n for n, other in DESIGNS.items() if estimand in other.estimands]
            problems.append(
                Problem(
                    where,
                    f"`{name}` cannot serve the estimand {estimand}",
                    f"It serves {', '.join(spec.estimands)}; {estimand} is served by "
                    f"{', '.join(serve)}.",
                )
            )
        if spec.needs_covariates and not (plan.covariates.adjust or plan.covariates.exact):
            problems.append(
                Problem(where, f"`{name}` needs covariates", "Name some in [covariates] adjust.")
            )
    return problems


def _models(plan: Plan) -> list[Problem]:
    where = f"{plan.path.name}, [analysis] models"
    models = plan.analysis.models
    problems = [
        Problem(where, f"the model `{name}` is not there (yet)", nearest(name, list(MODELS)))
        for name in models
        if name not in MODELS
    ]
    if len(set(models)) < len(models):
        problems.append(Problem(where, "a model is named twice", "Name each once."))
    return problems


def _profile(plan: Plan) -> list[Problem]:
    if plan.release.profile in PROFILES:
        return []
    where = f"{plan.path.name}, [release] profile"
    return [Problem(where, "this profile is not known", nearest(plan.release.profile, [*PROFILES]))]

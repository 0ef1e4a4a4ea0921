"""A study: its plan checked against what the methods can do, and its data against the plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.design.registry import DESIGNS
from baseeval.design.spec import DesignSpec
from baseeval.disclosure.profiles import PROFILES
from baseeval.effects.registry import MODELS
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError, Problem
from baseeval.plan import DesignSection, Plan, nearest, plan_from_keys, read_keys


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
    path = Path(path)
    written = read_keys(path)
    names = _names(path.name, written)
    try:
        plan = plan_from_keys(written, path)
    except PlanError as error:
        raise PlanError([*error.problems, *names]) from None
    problems = [*_later(plan), *names, *_capabilities(plan)]
    if problems:
        raise PlanError(problems)
    return plan


def check_study(path: str | Path, tables: Mapping[str, Any] | None = None) -> Cohort:
    """Check a study's plan and data without estimating anything.

    Parameters
    ----------
    path : str or pathlib.Path
    tables : mapping, optional
        Frames or open connections in place of files.

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
        return build_cohort(plan, engine, tables)


def _later(plan: Plan) -> list[Problem]:
    """Name what the plan asks for that a later version will do."""
    problems = []
    if plan.analysis.missing != "complete_case":
        problems.append(
            Problem(
                f"{plan.path.name}, [analysis] missing",
                f"`{plan.analysis.missing}` is reserved for a later version",
                "Use `complete_case` for now.",
            )
        )
    return problems


def _names(file: str, written: dict[str, Any]) -> list[Problem]:
    """Name the designs, models and profile that are not there, whatever else is wrong."""
    problems: list[Problem] = []
    for section, key, kind, known in (
        ("design", "methods", "design", DESIGNS),
        ("analysis", "models", "model", MODELS),
        ("release", "profile", "profile", PROFILES),
    ):
        held = written.get(section)
        value = held.get(key, []) if isinstance(held, dict) else []
        names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        where = f"{file}, [{section}] {key}"
        problems += [
            Problem(where, f"the {kind} `{name}` is not there (yet)", nearest(name, list(known)))
            for name in names
            if isinstance(name, str) and name not in known
        ]
        if len(set(map(str, names))) < len(names):
            problems.append(Problem(where, f"a {kind} is named twice", "Name each once."))
    return problems


def _capabilities(plan: Plan) -> list[Problem]:
    """Name what is asked of a design that it cannot do."""
    where = f"{plan.path.name}, [design] methods"
    section, problems = plan.design, []
    specs = {name: DESIGNS[name] for name in section.methods if name in DESIGNS}
    for name, spec in specs.items():
        problems += _estimand_served(where, section, spec)
        if spec.needs_covariates and not (plan.covariates.adjust or plan.covariates.exact):
            problems.append(
                Problem(where, f"`{name}` needs covariates", "Name some in [covariates] adjust.")
            )
    if section.anti_exact and not any(spec.keeps_apart for spec in specs.values()):
        able = ", ".join(name for name, spec in DESIGNS.items() if spec.keeps_apart)
        problems.append(
            Problem(
                f"{plan.path.name}, [design] anti_exact",
                "none of the designs named in `methods` reads this",
                f"Leave it out, or name one that does: {able}.",
            )
        )
    read = {setting for spec in specs.values() for setting in spec.settings}
    for key in sorted(set(section.settings()) - read):
        readers = [name for name, spec in DESIGNS.items() if key in spec.settings]
        problems.append(
            Problem(
                f"{plan.path.name}, [design] {key}",
                "none of the designs named in `methods` reads this",
                f"Leave it out, or name one that does: {', '.join(readers)}.",
            )
        )
    return problems


def _estimand_served(where: str, section: DesignSection, spec: DesignSpec) -> list[Problem]:
    def served(each: DesignSpec) -> tuple[str, ...]:
        return each.estimands_of_several if section.target == "common" else each.estimands

    if section.estimand in served(spec):
        return []
    of_all = " of all arms at once" if section.target == "common" else ""
    serve = [name for name, other in DESIGNS.items() if section.estimand in served(other)]
    its = ", ".join(served(spec)) or "none"
    return [
        Problem(
            where,
            f"`{spec.name}` cannot serve the estimand {section.estimand}{of_all}",
            f"It serves {its}; {section.estimand} is served by {', '.join(serve) or 'none'}.",
        )
    ]

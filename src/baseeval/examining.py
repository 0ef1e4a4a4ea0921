"""A check of a study: all that is wrong, and all that was read otherwise than it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import BaseevalError, DataError, PlanError
from baseeval.reporting.check_report import CheckReport, FlowStep, TableRead, make_check
from baseeval.study import read_study


@dataclass(frozen=True, slots=True)
class Examination:
    """What a check of a study found.

    Parameters
    ----------
    report : CheckReport
        For a terminal (`check_lines`) or a page (`check_page`).
    error : BaseevalError or None
        What a run would raise; None where the study can run.
    contrasts : tuple of str
        Those that would be made.
    """

    report: CheckReport
    error: BaseevalError | None
    contrasts: tuple[str, ...]


def examine_study(path: str | Path, tables: Mapping[str, Any] | None = None) -> Examination:
    """Check a study's plan and data, and gather every fault instead of raising.

    Parameters
    ----------
    path : str or pathlib.Path
        The study file.
    tables : mapping, optional
        Frames or open connections in place of files.

    Returns
    -------
    Examination
    """
    title = Path(path).name
    try:
        plan = read_study(path)
        title = plan.study.title
        with Engine() as engine:
            cohort = build_cohort(plan, engine, tables)
    except (PlanError, DataError) as error:
        report = make_check([*error.problems, *error.asides], title=title)
        return Examination(report, error, ())
    return Examination(_sound(cohort), None, cohort.contrasts)


def _sound(cohort: Cohort) -> CheckReport:
    tables = [TableRead(*size) for size in cohort.read]
    flow = [
        FlowStep(row["step"], row["arm"], int(row["pupils"]), int(row["schools"]), row["reason"])
        for row in cohort.flow.table.to_dict("records")
    ]
    return make_check(cohort.faults, tables, cohort.notes, flow, cohort.plan.study.title)

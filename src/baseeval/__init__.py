"""Estimate what being placed in an inclusion base did to pupils, and how sure anyone can be.

The public names below are loaded when first used, so that asking for help or
checking a study does not wait for libraries that only a report needs.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baseeval.cohort.building import Cohort, build_cohort
    from baseeval.design.balancing import check_balance
    from baseeval.design.deciding import weight
    from baseeval.design.matching import match
    from baseeval.disclosure.releasing import release
    from baseeval.disclosure.screening import screen
    from baseeval.effects.estimating import estimate
    from baseeval.effects.formulas import fit_linear, fit_mixed
    from baseeval.errors import (
        BaseevalError,
        DataError,
        DisclosureError,
        EstimationError,
        PlanError,
        UsageError,
    )
    from baseeval.plan import Plan
    from baseeval.reporting.writing import report
    from baseeval.results import RESULT_COLUMNS, Weights
    from baseeval.running import run
    from baseeval.study import check_study, read_study
    from baseeval.worlds import simulate, write_world

__version__ = "0.1.0"

_HOMES = {
    "BaseevalError": "errors",
    "Cohort": "cohort.building",
    "DataError": "errors",
    "DisclosureError": "errors",
    "EstimationError": "errors",
    "Plan": "plan",
    "PlanError": "errors",
    "RESULT_COLUMNS": "results",
    "UsageError": "errors",
    "Weights": "results",
    "build_cohort": "cohort.building",
    "check_balance": "design.balancing",
    "check_study": "study",
    "estimate": "effects.estimating",
    "fit_linear": "effects.formulas",
    "fit_mixed": "effects.formulas",
    "match": "design.matching",
    "read_study": "study",
    "release": "disclosure.releasing",
    "report": "reporting.writing",
    "run": "running",
    "screen": "disclosure.screening",
    "simulate": "worlds",
    "weight": "design.deciding",
    "write_world": "worlds",
}

__all__ = [
    "RESULT_COLUMNS",
    "BaseevalError",
    "Cohort",
    "DataError",
    "DisclosureError",
    "EstimationError",
    "Plan",
    "PlanError",
    "UsageError",
    "Weights",
    "build_cohort",
    "check_balance",
    "check_study",
    "estimate",
    "fit_linear",
    "fit_mixed",
    "match",
    "read_study",
    "release",
    "report",
    "run",
    "screen",
    "simulate",
    "weight",
    "write_world",
]

logging.getLogger("baseeval").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"baseeval has no public name {name!r}")
    return getattr(importlib.import_module(f"baseeval.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

"""Estimate what being placed in an inclusion base did to pupils, and how sure anyone can be.

The public names below are loaded when first used, so that asking for help or
checking a study does not wait for libraries that only a report needs.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baseeval.catalogue import known_features, known_outcomes, known_scales, outcome_template
    from baseeval.cohort.building import Cohort, build_cohort
    from baseeval.contracts.schema import table_schema
    from baseeval.design.balancing import check_balance
    from baseeval.design.matching import match
    from baseeval.design.peers import match_peers
    from baseeval.design.weighting import weight
    from baseeval.disclosure.releasing import release
    from baseeval.disclosure.screening import screen
    from baseeval.effects.estimating import estimate
    from baseeval.errors import (
        BaseevalError,
        DataError,
        DisclosureError,
        EstimationError,
        PlanError,
        UsageError,
    )
    from baseeval.examining import Examination, examine_study
    from baseeval.measures.agreement import Reliability, check_reliability
    from baseeval.measures.comparability import Invariance, check_invariance
    from baseeval.models.fitting_mixed import fit_mixed
    from baseeval.models.growth import fit_growth
    from baseeval.models.linear_model import fit_linear
    from baseeval.models.school_effects import fit_school_slopes
    from baseeval.models.school_estimates import shrink_schools
    from baseeval.models.variance_partition import partition_variance
    from baseeval.models.wave_model import fit_waves
    from baseeval.models.within_between import fit_within_between
    from baseeval.plan import Plan
    from baseeval.registering import list_bases, write_register
    from baseeval.reporting.check_html import check_page
    from baseeval.reporting.check_terminal import check_lines
    from baseeval.reporting.world_html import world_page
    from baseeval.reporting.writing import report
    from baseeval.results import RESULT_COLUMNS, Weights
    from baseeval.running import run
    from baseeval.sources.pseudonyms import make_key
    from baseeval.starters.beginning import new_study
    from baseeval.study import check_study, read_study
    from baseeval.worlds import simulate, write_simulation, write_world

__version__ = "0.1.0"

_HOMES = {
    "BaseevalError": "errors",
    "Cohort": "cohort.building",
    "DataError": "errors",
    "DisclosureError": "errors",
    "EstimationError": "errors",
    "Examination": "examining",
    "Invariance": "measures.comparability",
    "Plan": "plan",
    "PlanError": "errors",
    "RESULT_COLUMNS": "results",
    "Reliability": "measures.agreement",
    "UsageError": "errors",
    "Weights": "results",
    "build_cohort": "cohort.building",
    "check_balance": "design.balancing",
    "check_invariance": "measures.comparability",
    "check_lines": "reporting.check_terminal",
    "check_page": "reporting.check_html",
    "check_reliability": "measures.agreement",
    "check_study": "study",
    "estimate": "effects.estimating",
    "examine_study": "examining",
    "fit_growth": "models.growth",
    "fit_linear": "models.linear_model",
    "fit_mixed": "models.fitting_mixed",
    "fit_school_slopes": "models.school_effects",
    "fit_waves": "models.wave_model",
    "fit_within_between": "models.within_between",
    "known_features": "catalogue",
    "known_outcomes": "catalogue",
    "known_scales": "catalogue",
    "list_bases": "registering",
    "make_key": "sources.pseudonyms",
    "match": "design.matching",
    "match_peers": "design.peers",
    "new_study": "starters.beginning",
    "outcome_template": "catalogue",
    "partition_variance": "models.variance_partition",
    "read_study": "study",
    "release": "disclosure.releasing",
    "report": "reporting.writing",
    "run": "running",
    "screen": "disclosure.screening",
    "shrink_schools": "models.school_estimates",
    "simulate": "worlds",
    "table_schema": "contracts.schema",
    "weight": "design.weighting",
    "world_page": "reporting.world_html",
    "write_register": "registering",
    "write_simulation": "worlds",
    "write_world": "worlds",
}

__all__ = [
    "BaseevalError",
    "Cohort",
    "DataError",
    "DisclosureError",
    "EstimationError",
    "Examination",
    "Invariance",
    "Plan",
    "PlanError",
    "RESULT_COLUMNS",
    "Reliability",
    "UsageError",
    "Weights",
    "build_cohort",
    "check_balance",
    "check_invariance",
    "check_lines",
    "check_page",
    "check_reliability",
    "check_study",
    "estimate",
    "examine_study",
    "fit_growth",
    "fit_linear",
    "fit_mixed",
    "fit_school_slopes",
    "fit_waves",
    "fit_within_between",
    "known_features",
    "known_outcomes",
    "known_scales",
    "list_bases",
    "make_key",
    "match",
    "match_peers",
    "new_study",
    "outcome_template",
    "partition_variance",
    "read_study",
    "release",
    "report",
    "run",
    "screen",
    "shrink_schools",
    "simulate",
    "table_schema",
    "weight",
    "world_page",
    "write_register",
    "write_simulation",
    "write_world",
]

logging.getLogger("baseeval").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"baseeval has no public name {name!r}")
    return getattr(importlib.import_module(f"baseeval.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

"""The study file: its shape, read strictly, and its hash.

The plan says what is compared before anything is estimated. It knows no
method: whether a design or a model exists is checked by `baseeval.study`
against the methods' own specifications.
"""

from baseeval.plan.design_section import DesignSection
from baseeval.plan.file_sections import BaseSection, FileSection
from baseeval.plan.gate_section import GATE_RULES, GateSection
from baseeval.plan.method_sections import Covariate
from baseeval.plan.outcome_section import Form, OutcomeSection
from baseeval.plan.people_sections import (
    ArmsSection,
    EligibilitySection,
    PeersSection,
    PlacementSection,
)
from baseeval.plan.reading import (
    BASELINE,
    RESERVED,
    nearest,
    plan_from_keys,
    plan_hash,
    read_keys,
)
from baseeval.plan.whole import Plan

__all__ = [
    "BASELINE",
    "GATE_RULES",
    "RESERVED",
    "ArmsSection",
    "BaseSection",
    "Covariate",
    "DesignSection",
    "EligibilitySection",
    "FileSection",
    "Form",
    "GateSection",
    "OutcomeSection",
    "PeersSection",
    "PlacementSection",
    "Plan",
    "nearest",
    "plan_from_keys",
    "plan_hash",
    "read_keys",
]

"""Deciding who is compared with whom: the designs that a plan names."""

from __future__ import annotations

from baseeval.cohort.building import Cohort
from baseeval.design.contrast import contrast_sample
from baseeval.design.making import make_design
from baseeval.design.registry import DESIGNS
from baseeval.design.requests import caliper_columns, focal_arm
from baseeval.design.settings import Settings
from baseeval.results import ALL_ARMS, CONTRASTS, Weights


def decide(cohort: Cohort, contrast: str, method: str) -> Weights:
    """Make the design that a plan names for a contrast of its cohort.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
        Or `baseeval.results.ALL_ARMS`, for all three arms at once.
    method : str
        A name of `baseeval.design.registry.DESIGNS`.

    Returns
    -------
    Weights

    Raises
    ------
    EstimationError
        The design does not exist on these data.
    """
    section, spec = cohort.plan.design, DESIGNS[method]
    said = {name: value for name, value in section.settings().items() if name in spec.settings}
    sample = contrast_sample(
        cohort,
        contrast,
        anti_exact=section.anti_exact,
        variables=caliper_columns(section.caliper),
        sampling_weights=section.sampling_weights,
    )
    focal = section.focal if contrast == ALL_ARMS else None
    settings = Settings(
        estimand=section.estimand,
        focal=focal_arm(sample, focal),
        largest_share=section.largest_share,
        **said,
    )
    return make_design(sample, method, spec.kind, settings)


def decide_all(cohort: Cohort, method: str) -> dict[str, Weights]:
    """Make one design over all three arms, and return it contrast by contrast.

    Parameters
    ----------
    cohort : Cohort
    method : str

    Returns
    -------
    dict of str to Weights
        Every contrast about the same target, so that they add up.

    Raises
    ------
    EstimationError
        The design does not exist on these data.
    """
    whole = decide(cohort, ALL_ARMS, method)
    return {name: whole.between(first, second, name) for name, (first, second) in CONTRASTS.items()}


def is_common(cohort: Cohort) -> bool:
    """Return whether the plan's designs hold all three arms at once.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    bool
        False where an arm is not there, whatever the plan says.
    """
    return cohort.plan.design.target == "common" and len(cohort.contrasts) == len(CONTRASTS)

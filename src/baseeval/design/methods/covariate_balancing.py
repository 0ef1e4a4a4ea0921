"""Covariate balancing propensity scores: one logit whose inverse chances balance the arms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from baseeval.design.methods.tilting import make_tilted
from baseeval.design.sample import DesignSample
from baseeval.design.scoring import usable_score
from baseeval.design.settings import Settings
from baseeval.design.shaping import shape_weights
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.targets import balancing, implied_notes
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.covariate_balancing import balancing_equations, fit_balancing_scores

_METHOD = "cbps"


def balancing_score_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight arms by the inverse of chances that are fitted to balance the arms.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Towards one arm the conditions are those of inverse probability tilting.

    Raises
    ------
    EstimationError
        No such chances exist.
    """
    plan = balancing(sample, _METHOD, settings)
    if plan.focal is not None:
        return make_tilted(plan, settings)
    arms = len(sample.arms)
    found = fit_balancing_scores(plan.columns, sample.arm, arms, sample.base)
    if not found.converged:
        usable_score(sample, replace(settings, propensity="logit"), _METHOD)
        raise EstimationError(
            Problem(
                f"design `{_METHOD}`, {sample.where}",
                "no chances of the arms, as a logit has them, have inverses that balance the arms",
                "Use `entropy` or `tilting`, adjust for fewer covariates, or merge rare "
                "categories.",
            )
        )
    own = found.probability[np.arange(len(sample.arm)), sample.arm]
    shaped = shape_weights(1 / own, sample, settings)
    estimation = None
    if settings.estimating_functions:
        equations = balancing_equations(found, plan.columns, sample.arm, sample.base)
        estimation = shaped.estimation(equations, sample.base)
    return Made(
        weights=shaped.weights,
        propensity=found.probability[:, 0] if arms == 2 else found.probability,
        estimation=estimation,
        notes=(*implied_notes(plan, found.spread.kept), *shaped.notes),
    )


SPEC = DesignSpec(
    name=_METHOD,
    kind="weight",
    summary="Weights pupils by the inverse of chances of the arms that one logit fits to balance",
    words="weights from chances of placement that balance the groups",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=balancing_score_weights,
    source="Imai and Ratkovic (2014), doi:10.1111/rssb.12027",
    settings=(
        "moments",
        "interactions",
        "truncate",
        "stabilise",
        "normalise",
        "estimating_functions",
    ),
)

"""Inverse probability tilting: chances of the arms whose inverse balances exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.shaping import shape_weights
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.targets import (
    Balancing,
    balancing,
    kernel_notes,
    unreachable,
    weighted_means,
)
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.tilting import (
    Equations,
    Tilt,
    predicted_odds,
    stack_equations,
    tilt_probability,
    tilting_equations,
)

Floats = NDArray[np.float64]


def tilted_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight every arm to the totals of the target by tilted chances.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Weights are one (times survey weights) in the target's arm, and at
        least that in every arm where all arms together are the target.

    Raises
    ------
    EstimationError
        No such chances exist; every arm of which that is so.
    """
    return make_tilted(balancing(sample, "tilting", settings), settings)


def make_tilted(plan: Balancing, settings: Settings) -> Made:
    """Tilt each arm that is weighted to the target or, of all arms, to the rest.

    Parameters
    ----------
    plan : Balancing
    settings : Settings

    Returns
    -------
    Made

    Raises
    ------
    EstimationError
    """
    sample, alone = plan.sample, plan.focal is not None
    weights = plan.fixed_weights()
    problems: list[Problem] = []
    equations: list[Equations] = []
    notes: list[str] = []
    propensity: Floats | None = None
    for position in plan.moved:
        mine = sample.arm == position
        rest = plan.target_base if alone else np.where(mine, 0.0, sample.base)
        means, total = weighted_means(plan.columns, rest), float(rest.sum())
        found = tilt_probability(plan.columns[mine], sample.base[mine], means, total)
        weights[mine] = found.odds if alone else found.weights
        notes += kernel_notes(plan, position, found.balance)
        if not found.balance.converged:
            whom = plan.target_words if alone else "the other arms"
            problems.append(unreachable(plan, position, means, whom))
            continue
        if settings.estimating_functions:
            equations.append(_equations(plan, position, means, weights, found))
        if alone and len(sample.arms) == 2:
            odds = predicted_odds(found.balance, plan.columns, means, total)
            propensity = 1 / (1 + odds) if position == 0 else odds / (1 + odds)
    if problems:
        raise EstimationError(problems)
    shaped = shape_weights(weights / sample.base, sample, settings)
    estimation = None
    if equations:
        estimation = shaped.estimation(stack_equations(equations), sample.base)
    return Made(
        weights=shaped.weights,
        propensity=propensity,
        estimation=estimation,
        notes=tuple(dict.fromkeys([*notes, *shaped.notes])),
    )


def _equations(
    plan: Balancing, position: int, means: Floats, weights: Floats, found: Tilt
) -> Equations:
    mine = plan.sample.arm == position
    kept = found.balance.kept
    columns = (plan.columns[:, kept] - means[kept]) / found.balance.scale[kept]
    moving = np.zeros(len(mine))
    moving[mine] = found.odds
    return tilting_equations(
        np.column_stack([np.ones(len(mine)), columns]),
        weights=np.where(mine, weights, 0.0),
        moving=moving,
        goal=plan.target_base,
    )


SPEC = DesignSpec(
    name="tilting",
    kind="weight",
    summary="Weights pupils by chances of the arms that are fitted to balance exactly",
    words="weights from chances of placement that make the groups’ averages equal",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=tilted_weights,
    source="Graham, Pinto and Egel (2012), doi:10.1093/restud/rdr047",
    settings=(
        "moments",
        "interactions",
        "truncate",
        "stabilise",
        "normalise",
        "estimating_functions",
    ),
)

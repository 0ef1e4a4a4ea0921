"""Stable balancing weights: as even as can be while covariates balance within a tolerance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.targets import Balancing, balancing, unreachable, weighted_means
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.balance import divisor
from baseeval.numerics.column_shares import shares_of, values_of
from baseeval.numerics.stable_weights import balance_stably

Floats = NDArray[np.float64]


def stable_balancing_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight arms to within a tolerance of the target's means, with least variance.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        `tolerance` is the largest standardised difference left between two arms.

    Returns
    -------
    Made
        Weights are one (times survey weights) in the target's arm; on average
        one in each arm that is weighted. Some may be zero.

    Raises
    ------
    EstimationError
        No weights come within the tolerance; every arm of which that is so.
    """
    plan = balancing(sample, "stable", settings)
    means = weighted_means(plan.columns, plan.target_base)
    weights = plan.fixed_weights()
    # Of arms that are all moved, two may stand on either side of the target, and two of those
    # that are moved to one arm are not compared.
    allowed = settings.tolerance / 2 if plan.focal is None else settings.tolerance
    scale = _divisors(plan)
    problems: list[Problem] = []
    notes: list[str] = []
    for position in plan.moved:
        rows = sample.arm == position
        base = sample.base[rows]
        found = balance_stably(plan.columns[rows], means, base, allowed, scale)
        weights[rows] = found.weights * (base.sum() / len(base))
        if not found.converged:
            whom = f"{plan.target_words} to within {allowed:g} SD"
            remedy = "allow a larger tolerance"
            problems.append(unreachable(plan, position, means, whom, found.beyond, remedy))
        binding = int(np.count_nonzero(found.multipliers))
        notes.append(
            f"Of {sample.arms[position]}, {int(np.sum(found.weights == 0))} of {len(base)} pupils "
            f"have no weight; {binding} of {len(scale)} balance conditions bind."
        )
    if problems:
        raise EstimationError(problems)
    return Made(weights=weights, notes=tuple(notes))


def _divisors(plan: Balancing) -> Floats:
    """Return the standard deviations that tables of balance divide by; 1 for a constant."""
    sample = plan.sample
    found = np.ones(plan.columns.shape[1])
    for place in range(len(found)):
        column = plan.columns[:, place]
        shares = shares_of(values_of(column), sample.arm, len(sample.arms), sample.base)
        found[place] = divisor(shares, plan.focal)[0] or 1.0
    return found


SPEC = DesignSpec(
    name="stable",
    kind="weight",
    summary="Weights pupils as evenly as balance within a tolerance allows",
    words="the most even weights that bring the groups’ averages together",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=stable_balancing_weights,
    source="Zubizarreta (2015), doi:10.1080/01621459.2015.1023805",
    settings=("tolerance", "moments", "interactions"),
)

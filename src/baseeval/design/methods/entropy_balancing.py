"""Entropy balancing: arms weighted to the target's very means, as near to evenly as can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.targets import (
    Balancing,
    balancing,
    kernel_notes,
    unreachable,
    weighted_means,
)
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.entropy import EntropyBalance, balance_entropy
from baseeval.numerics.tilting import Equations, stack_equations, tilting_equations
from baseeval.results import Estimation

Floats = NDArray[np.float64]


def entropy_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight the arms to the target's covariate means.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Weights are one (times survey weights) in the target's arm; on average one in each
        arm that is weighted.

    Raises
    ------
    EstimationError
        No weights give the target means; every arm of which that is so.
    """
    plan = balancing(sample, "entropy", settings)
    means = weighted_means(plan.columns, plan.target_base)
    weights = plan.fixed_weights()
    problems: list[Problem] = []
    found: dict[int, EntropyBalance] = {}
    notes: list[str] = []
    for position in plan.moved:
        rows = sample.arm == position
        base = sample.base[rows]
        found[position] = balance_entropy(plan.columns[rows], means, base)
        weights[rows] = found[position].weights * (base.sum() / len(base))
        if not found[position].converged:
            problems.append(unreachable(plan, position, means, plan.target_words))
        notes += kernel_notes(plan, position, found[position])
    if problems:
        raise EstimationError(problems)
    estimation = None
    if settings.estimating_functions:
        several = [_equations(plan, means, weights, p, found[p]) for p in plan.moved]
        joined = stack_equations(several)
        estimation = Estimation(
            scores=joined.scores, bread=joined.bread, d_weights=joined.d_weights
        )
    return Made(weights=weights, estimation=estimation, notes=tuple(dict.fromkeys(notes)))


def _equations(
    plan: Balancing, means: Floats, weights: Floats, position: int, found: EntropyBalance
) -> Equations:
    mine = np.where(plan.sample.arm == position, weights, 0.0)
    kept = found.kept
    columns = (plan.columns[:, kept] - means[kept]) / found.scale[kept]
    regressors = np.column_stack([np.ones(len(columns)), columns])
    # An arm's weights add up to its own base, so the target's are scaled to that sum too.
    goal = plan.target_base * (mine.sum() / plan.target_base.sum())
    return tilting_equations(regressors, mine, mine, goal)


SPEC = DesignSpec(
    name="entropy",
    kind="weight",
    summary="Weights the comparison arms so that covariate means equal the target's exactly",
    words="weights that make the groups’ averages equal",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=entropy_weights,
    source="Hainmueller (2012), doi:10.1093/pan/mpr025",
    settings=("moments", "interactions", "estimating_functions"),
)

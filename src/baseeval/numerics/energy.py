"""Energy balancing: the weights whose distribution of covariates is nearest to the target's.

Huling and Mak (2024, doi:10.1515/jci-2022-0029). The energy distance between weighted samples is a
quadratic form in the weights, so its least value under weights that are not negative is a quadratic
program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from baseeval.numerics.quadratic import Conditions, solve_quadratic

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: So many distinct rows can be weighted at once: the program holds three matrices of that size.
MOST_ROWS = 5_000

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class EnergyBalance:
    """Weights of least energy distance to the target.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        The base included; those of each arm add up to one.
    before, after : float
        Energy distance between the arms and the target (and one another),
        with the base weights and with these.
    conditions : Conditions
        How far the answer is from optimal.
    """

    weights: Floats
    before: float
    after: float
    conditions: Conditions


def balance_energy(
    x: Floats, arm: Ints, base: Floats, targets: Floats, target_base: Floats
) -> EnergyBalance:
    """Weight arms to the distribution of a target, and so to one another.

    With several arms the sum of their distances to the target and between each
    pair is made least (the paper's improved weights).

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Rows to be weighted, in units in which distances mean something.
    arm : ndarray of int, shape (n,)
        From 0, none empty.
    base : ndarray, shape (n,)
        Positive; rows that are alike share their weight in its proportion.
    targets : ndarray, shape (m, p)
        Rows of the target.
    target_base : ndarray, shape (m,)

    Returns
    -------
    EnergyBalance

    Examples
    --------
    >>> x, target = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0], [1.0], [1.0]])
    >>> found = balance_energy(x, np.zeros(2, dtype=np.intp), np.ones(2), target, np.ones(4))
    >>> found.weights.round(9).tolist()
    [0.25, 0.75]
    """
    # Rows alike in all covariates are one: the program then has one answer only.
    tagged, place = np.unique(np.column_stack([arm, x]), axis=0, return_inverse=True)
    place = place.ravel()
    points, group = tagged[:, 1:], tagged[:, 0].astype(np.intp)
    mass = np.bincount(place, weights=base)
    goals, where = np.unique(targets, axis=0, return_inverse=True)
    goal = np.asarray(np.bincount(where.ravel(), weights=target_base) / target_base.sum())
    arms = int(group.max()) + 1
    # With weights that add up to one, twice this kernel's norm is the energy distance.
    origin = goal @ goals
    norm, goal_norm = _lengths(points, origin), _lengths(goals, origin)
    lift = float(norm.max(initial=0.0)) + 1e-12
    kernel = norm[:, None] + norm[None, :] + lift
    kernel -= cdist(points, points)
    pull = norm + goal @ goal_norm + lift - _mean_distance(points, goals, goal)
    own = goal @ goal_norm * 2 + lift - goal @ _mean_distance(goals, goals, goal)
    equations = (group[None, :] == np.arange(arms)[:, None]).astype(float)
    for a in range(arms):
        kernel[group == a] *= (arms + 1) * equations[a] - 1
    found = solve_quadratic(kernel, -pull, equations, np.ones(arms))

    def distance(shares: Floats) -> float:
        return float(shares @ kernel @ shares - 2 * pull @ shares + arms * own)

    start = mass / (equations.T @ (equations @ mass))
    return EnergyBalance(
        weights=(found.x / mass)[place] * base,
        before=distance(start),
        after=max(0.0, distance(found.x)),
        conditions=found.conditions,
    )


def _lengths(points: Floats, origin: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points - origin, axis=1))


def _mean_distance(points: Floats, goals: Floats, shares: Floats) -> Floats:
    """Return each point's mean distance to the target, some points at a time."""
    found = np.empty(len(points))
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        found[rows] = cdist(points[rows], goals) @ shares
    return found

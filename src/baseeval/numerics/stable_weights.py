"""Stable balancing weights: least variance among those that balance well enough.

Zubizarreta (2015, doi:10.1080/01621459.2015.1023805). The dual of that quadratic program has one
multiplier a column: the weights are a linear function of the columns, cut off at zero. Newton's
method on it, with the absolute values of the multipliers that tolerances bring kept as they are,
ends at the optimum itself, and reads the rows block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.hull import NearestMeans, nearest_means
from baseeval.numerics.quadratic import Conditions
from baseeval.numerics.row_blocks import measure_spread, row_blocks

Floats = NDArray[np.float64]

#: Conditions that hold this nearly count as met.
LIMIT = 1e-9

_TIGHT = 1e-13
_STEPS, _PATIENCE = 300, 12
_SWEEPS, _ROUNDS = 10, 100
_RIDGE, _SHORTEST = 1e-10, 1e-12


@dataclass(frozen=True, slots=True)
class StableBalance:
    """Weights of least variance, or what no weights can meet.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        The base included, not negative, with mean one.
    converged : bool
    conditions : Conditions
        How far the answer is from optimal, in standard deviations and shares of weight.
    multipliers : ndarray, shape (p,)
        Of each balance constraint, in standard deviations; 0 where it does not bind.
    beyond : NearestMeans, optional
        Where no weights exist: how near the means can come, beyond the tolerance.
    """

    weights: Floats
    converged: bool
    conditions: Conditions
    multipliers: Floats
    beyond: NearestMeans | None


def balance_stably(
    x: Floats, targets: Floats, base: Floats, allowed: float, scale: Floats
) -> StableBalance:
    """Weight rows so that their means come within a tolerance of the targets, as evenly as can be.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    targets : ndarray, shape (p,)
    base : ndarray, shape (n,)
        The weights over it vary least.
    allowed : float
        Largest difference of means, in units of `scale`.
    scale : ndarray, shape (p,)
        Positive.

    Returns
    -------
    StableBalance

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> found = balance_stably(x, np.array([1.5]), np.ones(3), 0.1, np.ones(1))
    >>> found.weights.round(6).tolist()
    [0.4, 1.0, 1.6]
    """
    spread = measure_spread(x, targets, base)
    # A mean to be met exactly that follows from others asks nothing; one with a tolerance may.
    use = ~spread.constant if allowed > 0 else np.isin(np.arange(x.shape[1]), spread.kept)
    rows = _Rows(x if use.all() else x[:, use], targets[use], scale[use], base / base.sum())
    penalty = np.concatenate([[0.0], np.full(int(use.sum()), allowed)])
    theta = np.concatenate([[1.0], np.zeros(int(use.sum()))])
    value, gradient, curvature = rows.dual(theta)
    beyond: NearestMeans | None = None
    for number in range(_STEPS):
        if _unmet(gradient, theta, penalty) <= _TIGHT:
            break
        if number == _PATIENCE:
            beyond = nearest_means(x, targets, scale, base, allowed)
            if beyond.distance > 0:
                break
        # A trace of a ridge: columns may repeat one another. It bends the way, not the end.
        curvature[np.diag_indices(len(theta))] += _RIDGE * float(np.diag(curvature).mean())
        try:
            aim = _minimum(curvature, gradient - curvature @ theta, penalty, theta)
        except np.linalg.LinAlgError:
            break  # hardly a row has weight any more: the dual falls without end
        step, share = aim - theta, 1.0
        size = value + float(penalty @ np.abs(theta))
        drop = float(gradient @ step + penalty @ (np.abs(aim) - np.abs(theta)))
        while share > _SHORTEST:
            trial = theta + share * step
            found = rows.dual(trial)
            reached = found[0] + float(penalty @ np.abs(trial))
            if reached <= size + 1e-4 * share * drop + 1e-15 * (1 + abs(size)):
                break
            share /= 2
        else:
            break
        theta, (value, gradient, curvature) = trial, found
    weights = rows.weights(theta)
    gap = np.zeros(x.shape[1])
    for block in row_blocks(*x.shape):
        gap += weights[block] @ (x[block] - targets) / scale
    conditions = _conditions(rows, theta, penalty, weights, gap, allowed, use)
    converged = conditions.largest <= LIMIT
    if not converged and beyond is None:
        beyond = nearest_means(x, targets, scale, base, allowed)
    multipliers = np.zeros(x.shape[1])
    multipliers[use] = theta[1:]
    return StableBalance(
        weights=weights * len(x),
        converged=converged,
        conditions=conditions,
        multipliers=multipliers,
        beyond=None if converged else beyond,
    )


class _Rows:
    """The rows of the program, and its dual but for the tolerances."""

    def __init__(self, x: Floats, targets: Floats, scale: Floats, base: Floats) -> None:
        self.x, self.targets, self.scale, self.base = x, targets, scale, base

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield the rows with an intercept, in standard deviations from the target."""
        for rows in row_blocks(*self.x.shape):
            z = (self.x[rows] - self.targets) / self.scale
            yield rows, np.column_stack([np.ones(len(z)), z])

    def dual(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return the smooth part of the dual objective, its gradient and second derivative."""
        value, gradient = -float(theta[0]), np.zeros(len(theta))
        gradient[0] = -1.0
        curvature = np.zeros((len(theta), len(theta)))
        for rows, z in self.blocks():
            ratio = np.maximum(z @ theta, 0.0)
            share = self.base[rows] * ratio
            value += 0.5 * float(share @ ratio)
            gradient += share @ z
            z = z[ratio > 0]
            curvature += (z * self.base[rows][ratio > 0, None]).T @ z
        return value, gradient, curvature

    def weights(self, theta: Floats) -> Floats:
        """Return the weights, which add up to one at the optimum."""
        found = np.empty(len(self.x))
        for rows, z in self.blocks():
            found[rows] = self.base[rows] * np.maximum(z @ theta, 0.0)
        return found


def _unmet(gradient: Floats, theta: Floats, penalty: Floats) -> float:
    """Return how far the dual is from its minimum: the largest slope that is left."""
    at_zero = np.maximum(np.abs(gradient) - penalty, 0.0)
    off_zero = np.abs(gradient + penalty * np.sign(theta))
    return float(np.where(theta == 0, at_zero, off_zero).max())


def _minimum(h: Floats, r: Floats, penalty: Floats, start: Floats) -> Floats:
    """Minimise v'hv / 2 + r'v + penalty'|v|: coordinates in turn, then their signs exactly."""
    free, bound = np.flatnonzero(penalty == 0), np.flatnonzero(penalty > 0)
    # What has no penalty is solved for and leaves a smaller problem of the same form.
    solved = np.linalg.solve(h[np.ix_(free, free)], np.column_stack([r[free], h[free][:, bound]]))
    inner = h[np.ix_(bound, bound)] - h[np.ix_(bound, free)] @ solved[:, 1:]
    push = r[bound] - h[np.ix_(bound, free)] @ solved[:, 0]
    v, cost, size = start[bound].copy(), penalty[bound], np.diag(inner)
    for _ in range(_ROUNDS if len(bound) else 0):
        on = v != 0
        exact = np.zeros(len(v))
        exact[on] = np.linalg.solve(inner[np.ix_(on, on)], -(push + cost * np.sign(v))[on])
        if np.all(exact * v >= 0) and _unmet(push + inner @ exact, exact, cost) <= _TIGHT:
            v = exact
            break
        for _ in range(_SWEEPS):
            for j in range(len(v)):
                slope = push[j] + inner[j] @ v - size[j] * v[j]
                v[j] = -np.sign(slope) * max(0.0, abs(slope) - cost[j]) / size[j]
    full = np.empty(len(start))
    full[bound] = v
    full[free] = -solved[:, 0] - solved[:, 1:] @ v
    return full


def _conditions(
    rows: _Rows,
    theta: Floats,
    penalty: Floats,
    weights: Floats,
    gap: Floats,
    allowed: float,
    use: NDArray[np.bool_],
) -> Conditions:
    """Measure the optimality of weights for the program as it was asked."""
    stationarity = multipliers = 0.0
    for block, z in rows.blocks():
        off = weights[block] / rows.base[block] - z @ theta
        above = weights[block] > 0
        stationarity = max(stationarity, float(np.abs(off[above]).max(initial=0.0)))
        multipliers = max(multipliers, float((-off[~above]).max(initial=0.0)))
    slack = gap[use] + penalty[1:] * np.sign(theta[1:])
    return Conditions(
        stationarity=stationarity,
        feasibility=max(
            abs(float(weights.sum()) - 1.0),
            float((np.abs(gap) - allowed).max(initial=0.0)),
            float(-weights.min(initial=0.0)),
        ),
        multipliers=multipliers,
        complementarity=float(np.abs(theta[1:] * slack).max(initial=0.0)),
    )

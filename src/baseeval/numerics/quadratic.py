"""Convex quadratic programs in weights: not negative, with a few equations to meet.

A primal-dual interior point method (Mehrotra 1992, doi:10.1137/0802028) finds which weights are
zero; solving the equations that then remain gives the rest to rounding. How far the answer is from
the conditions of Karush, Kuhn and Tucker comes with it, so nobody has to believe the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

Floats = NDArray[np.float64]

_STEPS = 100
_ENOUGH = 1e-11
_POLISHES = 20
_BACK = 0.995


@dataclass(frozen=True, slots=True)
class Conditions:
    """How far an answer is from being optimal; all are 0 for the optimum.

    Parameters
    ----------
    stationarity : float
        Largest entry of the gradient of the Lagrangian.
    feasibility : float
        Largest violation of a constraint.
    multipliers : float
        Largest wrong sign of a multiplier.
    complementarity : float
        Largest product of a weight and its multiplier, or of a slack and its.
    """

    stationarity: float
    feasibility: float
    multipliers: float
    complementarity: float

    @property
    def largest(self) -> float:
        """Return the largest of the four."""
        return max(self.stationarity, self.feasibility, self.multipliers, self.complementarity)


@dataclass(frozen=True, slots=True)
class Quadratic:
    """The minimum of a quadratic program.

    Parameters
    ----------
    x : ndarray, shape (n,)
    prices : ndarray, shape (m,)
        Multipliers of the equations.
    conditions : Conditions
        Of a gradient in units of the largest entry of `c` or `q`.
    """

    x: Floats
    prices: Floats
    conditions: Conditions


def solve_quadratic(q: Floats, c: Floats, a: Floats, b: Floats) -> Quadratic:
    """Minimise x'qx / 2 + c'x over x >= 0 with a x = b.

    Parameters
    ----------
    q : ndarray, shape (n, n)
        Symmetric, positive definite.
    c : ndarray, shape (n,)
    a : ndarray, shape (m, n)
        Of full row rank, and with some positive x that meets the equations.
    b : ndarray, shape (m,)

    Returns
    -------
    Quadratic

    Examples
    --------
    >>> q, a = np.diag([1.0, 1.0, 1.0]), np.ones((1, 3))
    >>> solve_quadratic(q, np.array([0.0, 0.0, 5.0]), a, np.array([1.0])).x.round(9).tolist()
    [0.5, 0.5, 0.0]
    """
    unit = max(float(np.abs(c).max()), float(np.abs(q).max() * np.abs(b).max()), 1e-300)
    x, prices, reduced = _interior(q, c, a, b, unit)
    x, prices = _polish(q, c, a, b, x, prices, reduced, unit)
    gradient = (q @ x + c - a.T @ prices) / unit
    return Quadratic(
        x,
        prices,
        Conditions(
            stationarity=float(np.abs(np.where(x > 0, gradient, 0.0)).max()),
            feasibility=float(np.abs(a @ x - b).max() + max(0.0, -x.min())),
            multipliers=float(max(0.0, -gradient.min())),
            complementarity=float(np.abs(x * gradient).max()),
        ),
    )


def _interior(
    q: Floats, c: Floats, a: Floats, b: Floats, unit: float
) -> tuple[Floats, Floats, Floats]:
    """Follow the central path; return weights, prices and reduced costs in the units of q."""
    n = len(c)
    size = float(np.abs(b).max()) or 1.0
    x = np.full(n, size * len(b) / n)
    prices, reduced = np.zeros(len(b)), np.full(n, unit)
    for _ in range(_STEPS):
        dual = q @ x + c - a.T @ prices - reduced
        primal = a @ x - b
        gap = float(x @ reduced)
        if (
            max(np.abs(dual).max() / unit, np.abs(primal).max() / size, gap / unit / size)
            <= _ENOUGH
        ):
            break
        newton = _Newton(q, a, x, reduced, dual, primal)
        guess_x, _, guess_z = newton.step(np.zeros(n))
        after = (x + _reach(x, guess_x) * guess_x) @ (reduced + _reach(reduced, guess_z) * guess_z)
        centre = gap / n * float(after / gap) ** 3
        d_x, d_prices, d_reduced = newton.step(centre - guess_x * guess_z)
        share = min(1.0, _BACK * _reach(x, d_x), _BACK * _reach(reduced, d_reduced))
        x = x + share * d_x
        prices, reduced = prices + share * d_prices, reduced + share * d_reduced
    return x, prices, reduced


class _Newton:
    """The linearised conditions at a point, factored once for several right-hand sides."""

    def __init__(
        self, q: Floats, a: Floats, x: Floats, reduced: Floats, dual: Floats, primal: Floats
    ) -> None:
        matrix = q.copy()
        matrix[np.diag_indices(len(x))] += reduced / x
        self.factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        self.across = cho_solve(self.factor, a.T, check_finite=False)
        self.inner = a @ self.across
        self.a, self.x, self.reduced, self.dual, self.primal = a, x, reduced, dual, primal

    def step(self, product: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the changes of x, prices and reduced costs towards x * reduced = product."""
        wanted = product / self.x - self.reduced
        straight = cho_solve(self.factor, wanted - self.dual, check_finite=False)
        d_prices = np.linalg.solve(self.inner, -self.primal - self.a @ straight)
        d_x = straight + self.across @ d_prices
        return d_x, d_prices, wanted - self.reduced / self.x * d_x


def _reach(values: Floats, change: Floats) -> float:
    """Return how far along a change values stay positive, at most past one."""
    falling = change < 0
    return min(1.0 / _BACK, float((values[falling] / -change[falling]).min(initial=np.inf)))


def _polish(
    q: Floats,
    c: Floats,
    a: Floats,
    b: Floats,
    x: Floats,
    prices: Floats,
    reduced: Floats,
    unit: float,
) -> tuple[Floats, Floats]:
    """Solve for the weights above zero exactly; keep what was given where that fails."""
    size = float(np.abs(b).max()) or 1.0
    free = x * len(x) / size > reduced / unit
    for _ in range(_POLISHES):
        inner, m = q[np.ix_(free, free)], int(free.sum())
        try:
            factor = cho_factor(inner, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return x, prices
        across = cho_solve(factor, np.column_stack([a[:, free].T, -c[free]]), check_finite=False)
        try:
            now = np.linalg.solve(a[:, free] @ across[:, :-1], b - a[:, free] @ across[:, -1])
        except LinAlgError:
            return x, prices
        found = across[:, -1] + across[:, :-1] @ now
        full = np.zeros(len(x))
        full[free] = found
        gradient = q @ full + c - a.T @ now
        wrong = (full < 0) | (~free & (gradient < -_ENOUGH * unit))
        if m == 0 or not wrong.any():
            return full, now
        free = free ^ wrong
    return x, prices

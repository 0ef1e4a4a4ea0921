"""The parameters whose deviance lies within a limit, and how far a function of them reaches.

Derived in `docs/methods/profile-intervals.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.likelihood import Likelihood, deviance, gradient
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

#: A value with its gradient.
Valued = Callable[[Floats], tuple[float, Floats]]

_STEP = 1e-5
#: Where a search restarts a standard deviation that is at zero, in theta's unit.
_INSIDE = 0.3
#: No end lies further than this many standard errors from the estimate.
_FAR = 100.0
#: How closely the deviance must reach its limit, over the room.
_REACHED = 1e-5


@dataclass(frozen=True)
class ProfileRegion:
    """Where the deviance stays within `room` of its minimum.

    Parameters
    ----------
    fit : MixedFit
        By maximum likelihood.
    room : float
    """

    fit: MixedFit
    room: float

    def end(self, target: Valued, sign: int, most: float = np.inf) -> float:
        """Return how far a function of (theta, log sigma) reaches.

        Parameters
        ----------
        target : callable
            In the likelihood's unit of the outcome.
        sign : int
            1 for its largest value, -1 for its smallest.
        most : float
            Its absolute value never exceeds this.

        Returns
        -------
        float
            NaN where no search reached the edge.
        """
        log_sigma = float(np.log(self.fit.sigma / self.likelihood.coordinates.scale))
        unit = 1 / np.sqrt(self.likelihood.n)
        return self._search(target, self._with_sigma, sign, log_sigma, unit, most)

    def coefficient(self, row: Floats) -> tuple[float, float]:
        """Return how far below and above its estimate a coefficient reaches.

        Parameters
        ----------
        row : ndarray, shape (k,)
            Its contrast in the likelihood's coordinates.

        Returns
        -------
        tuple of float
            In the likelihood's unit of the outcome.
        """
        at, n, step = self.fit.at, self.likelihood.n, _STEP * self._unit
        centre = float(row @ at.beta)
        spread = float(np.sqrt(row @ np.linalg.solve(at.information, row) * at.rss / n))

        def parts(theta: Floats) -> Floats:
            at = self.likelihood.profile(theta)
            solved = np.linalg.solve(at.information, row)
            return np.array([at.log_det, at.rss, row @ at.beta - centre, row @ solved])

        def excess(place: Floats) -> tuple[float, Floats]:
            """Return the excess at (theta, coefficient over its error), sigma at its best."""
            theta = place[:-1]
            log_det, rss, own, spare = parts(theta)
            gap = place[-1] * spread - own
            left = rss + gap**2 / spare
            slope = np.zeros(len(place))
            for position, width in enumerate(step):
                move = np.zeros(len(theta))
                move[position] = width
                lift = (parts(theta + move) - parts(theta - move)) / (2 * width)
                rise = lift[1] - 2 * gap * lift[2] / spare - gap**2 * lift[3] / spare**2
                slope[position] = lift[0] + n * rise / left
            slope[-1] = 2 * n * gap * spread / spare / left
            return self._over(log_det + n * (1 + np.log(2 * np.pi * left / n)), slope)

        ends = [self._search(_last, excess, sign, 0.0, 1.0) * spread for sign in (-1, 1)]
        return ends[0], ends[1]

    def holds_without(self, free: NDArray[np.bool_]) -> bool:
        """Return whether the region holds a model in which all other elements of theta are zero.

        Parameters
        ----------
        free : ndarray of bool, shape (m,)

        Returns
        -------
        bool
        """
        n = self.likelihood.n

        def excess(part: Floats) -> tuple[float, Floats]:
            theta = np.zeros(len(free))
            theta[free] = part
            at = self.likelihood.profile(theta)
            slope = gradient(self.likelihood, theta, at, at.rss / n, reml=False)
            return self._over(deviance(at, n, reml=False), slope[free])

        start = (self.fit.theta + self._lift)[free]
        if not len(start):
            return excess(start)[0] <= 1
        bounds = [bound for bound, keep in zip(self._bounds, free, strict=True) if keep]
        found = minimize(excess, start, jac=True, method="L-BFGS-B", bounds=bounds)
        return bool(found.fun <= 1)

    @property
    def likelihood(self) -> Likelihood:
        """Return the data."""
        return self.fit.likelihood

    def _over(self, value: float, slope: Floats) -> tuple[float, Floats]:
        """Return a deviance above the minimum, over the room, and its gradient."""
        lowest = deviance(self.fit.at, self.likelihood.n, reml=False)
        return (value - lowest) / self.room, slope / self.room

    def _with_sigma(self, place: Floats) -> tuple[float, Floats]:
        theta, sigma2 = place[:-1], float(np.exp(2 * place[-1]))
        n, at = self.likelihood.n, self.likelihood.profile(theta)
        slope = gradient(self.likelihood, theta, at, sigma2, reml=False)
        value = at.log_det + n * np.log(2 * np.pi * sigma2) + at.rss / sigma2
        return self._over(value, np.append(slope, 2 * n - 2 * at.rss / sigma2))

    def _search(
        self,
        target: Valued,
        excess: Valued,
        sign: int,
        last: float,
        last_unit: float,
        most: float = np.inf,
    ) -> float:
        """Push a function of (theta, last) to the edge of the region."""
        unit = np.append(self._spread, last_unit)
        middle = last / last_unit
        held = _once(excess)
        starts = [self.fit.theta, self.fit.theta + self._lift]
        ends = []
        for theta in starts if np.any(self._lift) else starts[:1]:
            found = minimize(
                lambda z: _times(target(z * unit), -sign, unit),
                np.append(theta, last) / unit,
                jac=True,
                method="SLSQP",
                bounds=[*self._bounds, (middle - _FAR, middle + _FAR)],
                constraints={
                    "type": "ineq",
                    "fun": lambda z: 1 - held(z * unit)[0],
                    "jac": lambda z: -held(z * unit)[1] * unit,
                },
                options={"maxiter": 200, "ftol": 1e-9},
            )
            value, edge = sign * target(found.x * unit)[0], held(found.x * unit)[0]
            if abs(edge - 1) < _REACHED or (edge < 1 and value > most - _REACHED):
                ends.append(value)
        return sign * min(max(ends, default=np.nan), most)

    @cached_property
    def _unit(self) -> Floats:
        return theta_scale(self.likelihood)

    @cached_property
    def _bounds(self) -> list[tuple[float | None, None]]:
        return [(0.0 if on else None, None) for on in self.likelihood.layout.diagonal]

    @cached_property
    def _lift(self) -> Floats:
        """Return what to add to theta so that no standard deviation is at zero."""
        low = self.likelihood.layout.diagonal & (self.fit.theta < 1e-3 * self._unit)
        return np.where(low, _INSIDE * self._unit, 0.0)

    @cached_property
    def _spread(self) -> Floats:
        """Return about the standard error of each element of theta, at most its unit."""
        found = self._unit.copy()
        for position, width in enumerate(_STEP * self._unit):
            move = np.zeros(len(found))
            move[position] = width
            slopes = [self._slope(self.fit.theta + side * move)[position] for side in (1, -1)]
            curve = (slopes[0] - slopes[1]) / (2 * width)
            if curve > 0:
                found[position] = min(found[position], np.sqrt(2 / curve))
        return found

    def _slope(self, theta: Floats) -> Floats:
        at = self.likelihood.profile(theta)
        return gradient(self.likelihood, theta, at, at.rss / self.likelihood.n, reml=False)


def _last(place: Floats) -> tuple[float, Floats]:
    slope = np.zeros_like(place)
    slope[-1] = 1.0
    return float(place[-1]), slope


def _once(valued: Valued) -> Valued:
    """Remember the last value: a search asks for value and gradient one after the other."""
    last: list[tuple[Floats, tuple[float, Floats]]] = []

    def remembered(place: Floats) -> tuple[float, Floats]:
        if not last or not np.array_equal(last[0][0], place):
            last[:] = [(place, valued(place))]
        return last[0][1]

    return remembered


def _times(found: tuple[float, Floats], sign: int, unit: Floats) -> tuple[float, Floats]:
    return sign * found[0], sign * found[1] * unit

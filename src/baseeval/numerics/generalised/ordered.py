"""Ordered categories by cumulative log odds.

P(y <= k) = expit(tau_k - eta), thresholds tau_1 < ... < tau_{K-1} (ordinal's clmm): a positive
coefficient moves rows to higher categories. With a and b the thresholds above and below a row's
own category less eta, and F the logistic distribution, l = log(F(a) - F(b)). F(a) - F(b) =
F(a) (1 - F(b)) (1 - exp(b - a)) keeps its digits, and makes the derivatives short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.numerics.generalised.slopes import Curve, Slopes

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class OrderedLogit:
    """Ordered categories.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        0 .. K - 1, each held by a row.
    categories : int
        K.
    """

    y: Ints
    categories: int

    @property
    def concave(self) -> bool:
        """Return True: the logistic distribution's logarithm is concave."""
        return True

    @property
    def level(self) -> float:
        """Return zero: thresholds take the place of an intercept."""
        return 0.0

    @cached_property
    def phi(self) -> Floats:
        """Return the thresholds of rows that are alike, shape (K - 1,)."""
        counts = np.bincount(self.y, minlength=self.categories) + 0.5
        below = np.cumsum(counts)[:-1] / counts.sum()
        return np.asarray(np.log(below) - np.log1p(-below))

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        upper, lower, value, _ = self._ends(eta, phi)
        return Curve(value, upper + lower - 1, -(upper * (1 - upper) + lower * (1 - lower)))

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        upper, lower, value, gap = self._ends(eta, phi)
        high, low = upper * (1 - upper), lower * (1 - lower)
        steep_high, steep_low = high * (1 - 2 * upper), low * (1 - 2 * lower)
        shape = (self.categories - 1, len(eta))
        by, first, second = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for threshold in range(self.categories - 1):
            above, below = self.y == threshold, self.y == threshold + 1
            by[threshold, above] = ((1 - upper) / ((1 - lower) * gap))[above]
            by[threshold, below] = (-lower / (upper * gap))[below]
            first[threshold] = high * above + low * below
            second[threshold] = -(steep_high * above + steep_low * below)
        return Slopes(
            value, upper + lower - 1, -(high + low), steep_high + steep_low, by, first, second
        )

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return the chance of each category, shape (K, m)."""
        below = expit(phi[:, None] - eta)
        edges = np.concatenate([np.zeros((1, len(eta))), below, np.ones((1, len(eta)))])
        return np.asarray(np.diff(edges, axis=0))

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> OrderedLogit:
        """Return categories drawn at eta."""
        return replace(self, y=np.searchsorted(phi, eta + rng.logistic(size=len(eta))))

    def _ends(self, eta: Floats, phi: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return F(a), F(b), l and 1 - exp(b - a); l is minus infinity out of order."""
        edges = np.concatenate([[-np.inf], phi, [np.inf]])
        if np.any(np.diff(phi) <= 0):
            half = np.full(len(eta), 0.5)
            return half, half, np.full(len(eta), -np.inf), np.ones(len(eta))
        with np.errstate(invalid="ignore"):
            gap = -np.expm1(edges[self.y] - edges[self.y + 1])
        a, b = edges[self.y + 1] - eta, edges[self.y] - eta
        value = -np.logaddexp(0, -a) - np.logaddexp(0, b) + np.log(gap)
        return np.asarray(expit(a)), np.asarray(expit(b)), value, gap

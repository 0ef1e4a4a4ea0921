"""Covariances of the residuals of one pupil's waves.

A cell is an occasion in a stratum (a wave in an arm). Over sigma^2, the residuals of two
cells have covariance d_i d_j c_ij: c follows a form of correlation of their occasions, d is
a relative standard deviation by occasion, by stratum, or the product of both. The forms and
their names of parameters are those of Pinheiro and Bates (2000), chapter 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How residuals of one group are correlated.
Correlation = Literal["independent", "ar1", "exchangeable", "unstructured"]
#: Size of a step along the imaginary axis: its square is nothing beside 1.
_STEP = 1e-30


@dataclass(frozen=True)
class ResidualForm:
    """The covariance of residuals as a function of unbounded parameters.

    Parameters
    ----------
    correlation : {"independent", "ar1", "exchangeable", "unstructured"}
        "ar1": rho to the power of the distance in time, in units of the largest number that
        all distances are whole multiples of, so that the unit of time is nothing to the
        likelihood (waves 12, 24, 36 are as good as 1, 2, 3); "exchangeable": one
        correlation (compound symmetry); "unstructured": one for each pair of
        occasions.
    by_occasion, by_stratum : bool
        Whether the standard deviation differs between them.
    times : ndarray of int, shape (T,)
        The occasions, in order.
    strata : int
    occasion, stratum : ndarray of int, shape (c,)
        Of each cell: places in `times`, and 0 to strata - 1.
    most : int
        Rows of the largest group, which bounds an exchangeable correlation from below.
    """

    correlation: Correlation
    by_occasion: bool
    by_stratum: bool
    times: Ints
    strata: int
    occasion: Ints
    stratum: Ints
    most: int

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Return the number of parameters of correlation, occasions and strata."""
        t = len(self.times)
        of_correlation = {
            "independent": 0,
            "ar1": 1,
            "exchangeable": 1,
            "unstructured": t * (t - 1) // 2,
        }[self.correlation]
        return (
            of_correlation,
            t - 1 if self.by_occasion else 0,
            self.strata - 1 if self.by_stratum else 0,
        )

    @property
    def count(self) -> int:
        """Return the number of parameters."""
        return sum(self.counts)

    @cached_property
    def steps(self) -> Ints:
        """Return the occasions counted in the greatest common divisor of their distances."""
        since = self.times - self.times[0]
        return np.asarray(since // max(int(np.gcd.reduce(since)), 1))

    def names(self) -> list[str]:
        """Return names of the parameters in :meth:`natural` form; strata are numbered from 0."""
        of_correlation, of_occasion, of_stratum = self.counts
        if self.correlation == "unstructured":
            rows, columns = np.tril_indices(len(self.times), -1)
            pairs = zip(self.times[columns], self.times[rows], strict=True)
            found = [f"correlation {a}, {b}" for a, b in pairs]
        else:
            found = ["correlation"] * of_correlation
        found += [f"sd ratio occasion {time}" for time in self.times[1 : 1 + of_occasion]]
        return found + [f"sd ratio stratum {place}" for place in range(1, 1 + of_stratum)]

    def natural(self, phi: Floats) -> Floats:
        """Return correlations and ratios of standard deviations."""
        of_correlation = self.counts[0]
        head, tail = phi[:of_correlation], np.exp(phi[of_correlation:])
        if self.correlation == "unstructured":
            return np.concatenate([self._table(head)[np.tril_indices(len(self.times), -1)], tail])
        return np.concatenate([self._single(head), tail])

    def matrix(self, phi: Floats) -> Floats:
        """Return the covariance of all cells over sigma^2, shape (c, c)."""
        of_correlation, of_occasion, _ = self.counts
        own = self.occasion[:, None], self.occasion
        lag = np.abs(self.steps[own[0]] - self.steps[own[1]])
        head = phi[:of_correlation]
        if self.correlation == "unstructured":
            found = self._table(head)[own]
        elif self.correlation == "ar1":
            found = self._single(head) ** lag
        elif self.correlation == "exchangeable":
            found = np.where(lag == 0, 1.0, self._single(head))
        else:
            found = np.where(lag == 0, 1.0, 0.0 * phi.sum())
        spread = np.ones(len(self.occasion), dtype=phi.dtype)
        scale = np.exp(np.insert(phi[of_correlation:], [0, of_occasion], 0.0))
        if self.by_occasion:
            spread = spread * scale[self.occasion]
        if self.by_stratum:
            spread = spread * scale[1 + of_occasion + self.stratum]
        return np.asarray(spread[:, None] * found * spread)

    def start(self, correlation: float) -> Floats:
        """Return parameters of equal variances with about this correlation of neighbours."""
        phi = np.zeros(self.count)
        if self.correlation == "ar1":
            phi[0] = np.arctanh(correlation ** (1 / np.diff(self.steps).min()))
        elif self.correlation == "exchangeable":
            share = (correlation - self._least) / (1 - self._least)
            phi[0] = np.log(share / (1 - share))
        elif self.correlation == "unstructured":
            t = len(self.times)
            lower = np.linalg.cholesky(np.full((t, t), correlation) + (1 - correlation) * np.eye(t))
            lower /= np.diagonal(lower)[:, None]
            phi[: self.counts[0]] = lower[np.tril_indices(t, -1)]
        return phi

    @property
    def _least(self) -> float:
        """Return the least exchangeable correlation of groups of this size."""
        return -1 / max(self.most - 1, 1)

    def _single(self, head: Floats) -> Floats:
        if self.correlation == "ar1":
            return np.asarray(np.tanh(head))
        return np.asarray(self._least + (1 - self._least) / (1 + np.exp(-head)))

    def _table(self, head: Floats) -> Floats:
        """Return correlations of occasions from the rows of a scaled Cholesky factor."""
        lower = np.eye(len(self.times), dtype=head.dtype)
        lower[np.tril_indices(len(self.times), -1)] = head
        lower = lower / np.sqrt((lower**2).sum(axis=1))[:, None]
        return np.asarray(lower @ lower.T)


def slopes(function: Callable[[Floats], Floats], at: Floats) -> Floats:
    """Return the derivatives of an analytic function of real parameters.

    By a step along the imaginary axis, exact to rounding (Squire and Trapp 1998,
    doi:10.1137/S003614459631241X).

    Parameters
    ----------
    function : callable
        From parameters, shape (m,), complex too, to an array.
    at : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (m, ...)
    """
    found = np.empty((len(at), *function(at).shape))
    for place in range(len(at)):
        step = at.astype(complex)
        step[place] += 1j * _STEP
        found[place] = np.imag(function(step)) / _STEP
    return found

"""The exact distribution of an estimate over its standard error, for normal data.

Both are made of the same y ~ N(0, Sigma): T^2 = (b'y)^2 / (y'Ay + h s^2), with A positive
semidefinite and s^2, the variance of one row, estimated apart from y on nu degrees of freedom.

    P(|T| > t) = P(y'(bb' - t^2 A)y > t^2 h s^2)

The form has one positive eigenvalue mu and others -lambda_j, so that this is the chance
that a chi-squared of one degree of freedom exceeds a sum of lambda_j / mu times others: with
Craig's (1991) form of the normal tail, one smooth integral (`docs/methods/few-schools.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
#: sin^2 of the nodes, over a quarter turn, and weights that add up to one.
_SQUARES, _SHARES = np.sin((_NODES + 1) * np.pi / 4) ** 2, _WEIGHTS / 2
_NEWTON = 12
#: The search for a critical value: steps at most, and when log P is close enough.
_SECANT, _CLOSE = 60, 1e-9
#: Logarithms of the critical values between which it looks.
_LOWEST, _HIGHEST = -7.0, 14.0


@dataclass(frozen=True, slots=True)
class RatioTail:
    """The tails of one statistic under several covariances of its data.

    Parameters
    ----------
    loads : ndarray, shape (w, k)
        Squares of b in the eigenvectors of A, in units of each covariance.
    values : ndarray, shape (w, k)
        Eigenvalues of A in those units, never negative.
    extra : float
        h / nu, in units of the variance of one row.
    df : int
        nu.
    """

    loads: Floats
    values: Floats
    extra: float
    df: int

    def probabilities(self, t: Floats) -> Floats:
        """Return P(|T| > t) under each covariance.

        Parameters
        ----------
        t : ndarray, shape (..., w)
            Positive.

        Returns
        -------
        ndarray, shape (..., w)
        """
        square = t[..., None] ** 2
        below = self.values * square
        # 1 / sum(loads / (mu + below)) is concave in mu: Newton closes in from the left.
        mu = np.broadcast_to(self.loads.sum(axis=-1), t.shape).copy()
        for _ in range(_NEWTON):
            shares = self.loads / (mu[..., None] + below)
            total = shares.sum(axis=-1)
            slope = (shares / (mu[..., None] + below)).sum(axis=-1)
            change = (total - 1) * total / slope
            mu = np.maximum(mu + change, 1e-12 * mu)
            if np.all(np.abs(change) < 1e-14 * mu):
                break
        x = 1 / (mu[..., None] * _SQUARES)
        grown = 1 + x[..., None] * below[..., None, :]
        log = np.log(grown).sum(axis=-1) + self.df * np.log1p(x * square * self.extra)
        held = (self.loads / (mu[..., None] + below))[..., None, :] / grown
        return np.asarray((np.exp(-log / 2) / np.sqrt(held.sum(axis=-1))) @ _SHARES)

    def worst(self, t: float) -> float:
        """Return the largest P(|T| > t) over the covariances."""
        return float(self.probabilities(np.full(len(self.loads), max(t, 1e-8))).max())

    def critical(self, levels: Floats) -> Floats:
        """Return the t that no covariance lets be exceeded more often than each level.

        Parameters
        ----------
        levels : ndarray, shape (a,)

        Returns
        -------
        ndarray, shape (a,)
        """
        shape = (len(levels), len(self.loads))
        target = np.log(np.broadcast_to(levels[:, None], shape))
        low, high = np.full(shape, _LOWEST), np.full(shape, _HIGHEST)
        # The logarithm of the chance is close to a line in that of t, so the secant is quick.
        here = np.log(self._rough(levels))
        before = here + 0.1
        old = np.log(self.probabilities(np.exp(before))) - target
        for _ in range(_SECANT):
            new = np.log(self.probabilities(np.exp(here))) - target
            found = np.abs(new) < _CLOSE
            if found.all():
                break
            low, high = np.where(new > 0, here, low), np.where(new > 0, high, here)
            moved = np.where(new == old, 1.0, new - old)
            trial = here - new * (here - before) / moved
            good = (trial > low) & (trial < high)
            before, old = here, new
            here = np.where(found, here, np.where(good, trial, (low + high) / 2))
        return np.asarray(np.exp(here).max(axis=1))

    def _rough(self, levels: Floats) -> Floats:
        """Return critical values by Satterthwaite's approximation, shape (a, w)."""
        mean = self.values.sum(axis=1) + self.extra * self.df
        square = (self.values**2).sum(axis=1) + self.extra**2 * self.df
        size = np.sqrt(self.loads.sum(axis=1) / mean)
        return np.asarray(size * stdtrit(mean**2 / square, 1 - levels[:, None] / 2))


def ratio_tail(
    b: Floats, a: Floats, covariances: Floats, extra: float = 0.0, df: int = 0
) -> RatioTail:
    """Prepare the tails of an estimate over its standard error.

    Parameters
    ----------
    b : ndarray, shape (k,)
        Estimate b'y.
    a : ndarray, shape (k, k)
        Squared standard error y'Ay, but for the part of `extra`.
    covariances : ndarray, shape (w, k, k)
        Of y, positive definite, in units of the variance of one row.
    extra : float
        h: what of the squared standard error is h s^2.
    df : int
        nu, degrees of freedom of s^2; zero without.

    Returns
    -------
    RatioTail

    Examples
    --------
    The mean of five: Student's t on four degrees of freedom.

    >>> a = (np.eye(5) - 0.2) / 20
    >>> tail = ratio_tail(np.full(5, 0.2), a, np.eye(5)[None])
    >>> round(tail.worst(2.7764451), 6)
    0.05
    """
    lower = np.linalg.cholesky(covariances)
    turned = np.swapaxes(lower, 1, 2)
    values, vectors = np.linalg.eigh(turned @ a @ lower)
    loads = np.einsum("wkj,wk->wj", vectors, turned @ b) ** 2
    return RatioTail(loads, np.maximum(values, 0.0), extra / df if df else 0.0, df)

"""What a family of outcomes tells about each row, and its derivatives.

A row's log-likelihood l depends on its linear predictor eta and on parameters phi
that all rows share: the logarithm of a dispersion, or thresholds. Laplace's
approximation needs the second derivative by eta, its gradient the third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Log-likelihoods of rows as functions of eta.

    Parameters
    ----------
    value, first, second : ndarray, shape (n,)
        l and its derivatives; minus infinity, 0 and 0 where eta cannot be.
    """

    value: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class Slopes:
    """All derivatives that a gradient needs.

    Parameters
    ----------
    value, first, second, third : ndarray, shape (n,)
        l and its derivatives by eta.
    by_phi, first_by_phi, second_by_phi : ndarray, shape (d, n)
        Derivatives of l, of `first` and of `second` by phi.
    """

    value: Floats
    first: Floats
    second: Floats
    third: Floats
    by_phi: Floats
    first_by_phi: Floats
    second_by_phi: Floats


class Outcome(Protocol):
    """An outcome of every row, of a family and link."""

    @property
    def concave(self) -> bool:
        """Return whether l is concave in eta whatever the outcome."""

    @property
    def level(self) -> float:
        """Return an eta that would be right for all rows if they were alike."""

    @property
    def phi(self) -> Floats:
        """Return phi to start from, shape (d,)."""

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows at eta, shape (n,)."""

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return expected outcomes, shape (k, m), at any eta, shape (m,).

        k is 1, a chance or a mean; of ordered categories, the chance of each.
        """

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> Outcome:
        """Return an outcome drawn at eta, shape (n,), with the same trials."""


def alone(value: Floats, first: Floats, second: Floats, third: Floats) -> Slopes:
    """Return the slopes of a family without phi.

    Parameters
    ----------
    value, first, second, third : ndarray, shape (n,)

    Returns
    -------
    Slopes
    """
    none = np.empty((0, len(value)))
    return Slopes(value, first, second, third, none, none, none)


def no_phi() -> Floats:
    """Return the phi of a family that has none, shape (0,)."""
    return np.empty(0)

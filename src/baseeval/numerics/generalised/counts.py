"""Counts: Poisson and negative binomial, by logarithms of the mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln

from baseeval.numerics.generalised.slopes import Curve, Slopes, alone, no_phi

Floats = NDArray[np.float64]

#: Between these a log dispersion is looked for.
_LEAST, _MOST = -8.0, 14.0
#: log phi where the counts vary less than a Poisson's.
_NONE = 5.0


@dataclass(frozen=True)
class Counts:
    """Counts of events.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Whole numbers from zero.
    """

    y: Floats

    @cached_property
    def constant(self) -> Floats:
        """Return -log y!."""
        return np.asarray(-gammaln(self.y + 1))

    @property
    def concave(self) -> bool:
        """Return True: logarithms of the mean make it so."""
        return True

    @property
    def level(self) -> float:
        """Return the logarithm of the mean, or of half an event."""
        return float(np.log(max(self.y.mean(), 0.5 / len(self.y))))

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return expected counts."""
        return np.asarray(np.exp(eta))[None]


class PoissonCounts(Counts):
    """Poisson, mean exp(eta)."""

    @property
    def phi(self) -> Floats:
        """Return no parameters."""
        return no_phi()

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        mu = np.exp(eta)
        return Curve(self.y * eta - mu + self.constant, self.y - mu, -mu)

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        mu = np.exp(eta)
        return alone(self.y * eta - mu + self.constant, self.y - mu, -mu, -mu)

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> PoissonCounts:
        """Return counts drawn at eta."""
        return replace(self, y=rng.poisson(np.exp(eta)).astype(np.float64))


class NegativeBinomialCounts(Counts):
    """Mean mu = exp(eta), variance mu + mu^2 / phi (nbinom2); kappa = log phi is shared."""

    @property
    def phi(self) -> Floats:
        """Return log phi by the moments of rows that are alike."""
        mean = float(self.y.mean())
        beyond = float(self.y.var()) - mean
        guess = np.log(mean**2 / beyond) if beyond > 0 and mean > 0 else _NONE
        return np.array([float(np.clip(guess, -2.0, _NONE))])

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        size, share = self._share(eta, phi)
        whole = self.y + size
        return Curve(self._value(eta, phi), self.y - whole * share, -whole * share * (1 - share))

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        size, share = self._share(eta, phi)
        whole, mixed = self.y + size, share * (1 - share)
        bend, turn = whole * mixed, whole * mixed * (1 - 2 * share)
        free = _LEAST < phi[0] < _MOST
        level = digamma(whole) - digamma(size) - np.logaddexp(0, eta - np.log(size)) + 1
        return Slopes(
            self._value(eta, phi),
            self.y - whole * share,
            -bend,
            -turn,
            (free * (size * level - whole * (1 - share)))[None],
            (free * (bend - size * share))[None],
            (free * (turn - size * mixed))[None],
        )

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> NegativeBinomialCounts:
        """Return counts drawn at eta."""
        size, share = self._share(eta, phi)
        drawn = rng.negative_binomial(size, 1 - share, len(eta))
        return replace(self, y=drawn.astype(np.float64))

    @staticmethod
    def _share(eta: Floats, phi: Floats) -> tuple[float, Floats]:
        """Return phi and mu / (mu + phi)."""
        kappa = float(np.clip(phi[0], _LEAST, _MOST))
        return float(np.exp(kappa)), np.asarray(expit(eta - kappa))

    def _value(self, eta: Floats, phi: Floats) -> Floats:
        kappa = float(np.clip(phi[0], _LEAST, _MOST))
        size = np.exp(kappa)
        # y log(mu / (mu + phi)) + phi log(phi / (mu + phi)), either share by its own logarithm.
        rest = -self.y * np.logaddexp(0, kappa - eta) - size * np.logaddexp(0, eta - kappa)
        found: Floats = gammaln(self.y + size) - gammaln(size) + rest + self.constant
        return found

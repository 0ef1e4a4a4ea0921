"""Successes of trials whose chance varies from row to row by a beta distribution.

With mean mu = expit(eta) and phi = exp(kappa), the chance is beta(mu phi, (1 - mu) phi), so
that y has variance m mu (1 - mu) (m + phi) / (1 + phi): glmmTMB's parametrisation. kappa is the
shared parameter; the binomial is its limit at infinity.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln

from baseeval.numerics.generalised.binomials import Trials
from baseeval.numerics.generalised.polygammas import trigamma_tetragamma
from baseeval.numerics.generalised.slopes import Curve, Slopes

Floats = NDArray[np.float64]

#: Between these a log dispersion is looked for.
_LEAST, _MOST = -8.0, 14.0
#: log phi where the rows vary less than the binomial.
_NONE = 5.0
#: A chance nearer to 0 or 1 than this is taken to be this near.
_EDGE = 1e-12


class BetaTrials(Trials):
    """Log odds of the mean chance: mu = expit(eta)."""

    @property
    def concave(self) -> bool:
        """Return False: a row far from its mean is not."""
        return False

    @property
    def level(self) -> float:
        """Return the log odds of the whole."""
        return float(np.log(self.share) - np.log1p(-self.share))

    @property
    def phi(self) -> Floats:
        """Return log phi by the moments of rows that are alike."""
        mu = self.share
        spread = np.mean((self.y - self.trials * mu) ** 2 / (self.trials * mu * (1 - mu)))
        beyond, most = spread - 1, np.mean(self.trials - 1)
        guess = np.log(most / beyond - 1) if 0 < beyond < most else _NONE
        return np.array([float(np.clip(guess, -2.0, _NONE))])

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        mu, size, a, b = self._shapes(eta, phi)
        value = self._value(a, b, size)
        (a0, a1, _), (b0, b1, _) = _rises(a, self.y), _rises(b, self.failures)
        d1, d2 = size * (a0 - b0), size**2 * (a1 + b1)
        m1 = mu * (1 - mu)
        return Curve(value, d1 * m1, d2 * m1**2 + d1 * m1 * (1 - 2 * mu))

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        mu, size, a, b = self._shapes(eta, phi)
        (a0, a1, a2), (b0, b1, b2) = _rises(a, self.y), _rises(b, self.failures)
        d1, d2, d3 = size * (a0 - b0), size**2 * (a1 + b1), size**3 * (a2 - b2)
        m1 = mu * (1 - mu)
        m2, m3 = m1 * (1 - 2 * mu), m1 * (1 - 6 * m1)
        free = _LEAST < phi[0] < _MOST
        # Derivatives by kappa are phi times those by phi.
        k0 = size * (mu * a0 + (1 - mu) * b0 + digamma(size) - digamma(self.trials + size)) * free
        k1 = size * (a0 - b0 + size * (mu * a1 - (1 - mu) * b1)) * free
        k2 = size**2 * (2 * (a1 + b1) + size * (mu * a2 + (1 - mu) * b2)) * free
        return Slopes(
            self._value(a, b, size),
            d1 * m1,
            d2 * m1**2 + d1 * m2,
            d3 * m1**3 + 3 * d2 * m1 * m2 + d1 * m3,
            k0[None],
            (k1 * m1)[None],
            (k2 * m1**2 + k1 * m2)[None],
        )

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return chances."""
        return np.asarray(expit(eta))[None]

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> BetaTrials:
        """Return successes drawn at eta."""
        _, _, a, b = self._shapes(eta, phi)
        return replace(self, y=self._drawn(rng.beta(a, b), rng))

    @staticmethod
    def _shapes(eta: Floats, phi: Floats) -> tuple[Floats, float, Floats, Floats]:
        mu = np.clip(expit(eta), _EDGE, 1 - _EDGE)
        size = float(np.exp(np.clip(phi[0], _LEAST, _MOST)))
        return mu, size, mu * size, (1 - mu) * size

    def _value(self, a: Floats, b: Floats, size: float) -> Floats:
        up = gammaln(self.y + a) - gammaln(a) + gammaln(self.failures + b) - gammaln(b)
        found: Floats = up + gammaln(size) - gammaln(self.trials + size) + self.constant
        return found


def _rises(shape: Floats, count: Floats) -> tuple[Floats, Floats, Floats]:
    """Return by how much three derivatives of log gamma rise from a shape to shape and count."""
    (high2, high3), (low2, low3) = trigamma_tetragamma(shape + count), trigamma_tetragamma(shape)
    return digamma(shape + count) - digamma(shape), high2 - low2, high3 - low3

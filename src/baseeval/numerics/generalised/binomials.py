"""Successes of trials, by four links.

Each is l = log C(m, y) + y log mu + (m - y) log(1 - mu), mu = the inverse link of eta.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, log_ndtr, ndtr, ndtri

from baseeval.numerics.generalised.slopes import Curve, Slopes, alone, no_phi

Floats = NDArray[np.float64]


def log_choose(trials: Floats, y: Floats) -> Floats:
    """Return the logarithms of the numbers of ways to choose y of the trials.

    Parameters
    ----------
    trials, y : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    found: Floats = gammaln(trials + 1) - gammaln(y + 1) - gammaln(trials - y + 1)
    return found


@dataclass(frozen=True)
class Trials:
    """Successes of trials, whatever the link.

    Parameters
    ----------
    y, trials : ndarray, shape (n,)
        Whole numbers, 0 <= y <= trials.
    """

    y: Floats
    trials: Floats

    @cached_property
    def failures(self) -> Floats:
        """Return the trials that did not succeed."""
        return self.trials - self.y

    @cached_property
    def constant(self) -> Floats:
        """Return log C(m, y)."""
        return log_choose(self.trials, self.y)

    @property
    def concave(self) -> bool:
        """Return True: all four links make it so."""
        return True

    @property
    def share(self) -> float:
        """Return the share of successes, half a trial from either end."""
        total = float(self.trials.sum())
        return float(np.clip(self.y.sum() / total, 0.5 / total, 1 - 0.5 / total))

    @property
    def phi(self) -> Floats:
        """Return no parameters."""
        return no_phi()

    def _drawn(self, mu: Floats, rng: np.random.Generator) -> Floats:
        return rng.binomial(self.trials.astype(np.int64), np.clip(mu, 0, 1)).astype(np.float64)


class LogitTrials(Trials):
    """Log odds: mu = expit(eta)."""

    @property
    def level(self) -> float:
        """Return the log odds of the whole."""
        return float(np.log(self.share) - np.log1p(-self.share))

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        p, value = self._chance(eta)
        pull = self.y - self.trials * p
        return Curve(value, pull, -self.trials * p * (1 - p))

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        p, value = self._chance(eta)
        bend = -self.trials * p * (1 - p)
        return alone(value, self.y - self.trials * p, bend, bend * (1 - 2 * p))

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return chances."""
        return np.asarray(expit(eta))[None]

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> LogitTrials:
        """Return successes drawn at eta."""
        return replace(self, y=self._drawn(expit(eta), rng))

    def _chance(self, eta: Floats) -> tuple[Floats, Floats]:
        # One exponential for the chance and for log(1 + exp eta).
        size = np.exp(-np.abs(eta))
        whole = 1 + size
        p = np.where(eta >= 0, 1.0, size) / whole
        log_whole = np.maximum(eta, 0) + np.log(whole)
        return p, self.y * eta - self.trials * log_whole + self.constant


class ProbitTrials(Trials):
    """Normal quantiles: mu = Phi(eta)."""

    @property
    def level(self) -> float:
        """Return the quantile of the whole."""
        return float(ndtri(self.share))

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        all_of_it = self.slopes(eta, phi)
        return Curve(all_of_it.value, all_of_it.first, all_of_it.second)

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative, by those of log Phi."""
        up, down = self._half(eta, self.y), self._half(-eta, self.failures)
        value, first, second, third = (
            a + sign * b for a, b, sign in zip(up, down, (1, -1, 1, -1), strict=True)
        )
        return alone(value + self.constant, first, second, third)

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return chances."""
        return np.asarray(ndtr(eta))[None]

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> ProbitTrials:
        """Return successes drawn at eta."""
        return replace(self, y=self._drawn(ndtr(eta), rng))

    @staticmethod
    def _half(eta: Floats, count: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        value = log_ndtr(eta)
        ratio = np.exp(-(eta**2) / 2 - value) / np.sqrt(2 * np.pi)
        bend = -ratio * (eta + ratio)
        turn = -bend * (eta + ratio) - ratio * (1 + bend)
        return count * value, count * ratio, count * bend, count * turn


class LogTrials(Trials):
    """Logarithms: mu = exp(eta), eta below zero; coefficients are log risk ratios."""

    @property
    def level(self) -> float:
        """Return the logarithm of the whole's share."""
        return float(np.log(self.share))

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        all_of_it = self.slopes(eta, phi)
        return Curve(all_of_it.value, all_of_it.first, all_of_it.second)

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        inside = eta < 0
        held = np.where(inside, eta, -1.0)
        odds = 1 / np.expm1(-held)
        value = self.y * held + self.failures * np.log(-np.expm1(held)) + self.constant
        first = self.y - self.failures * odds
        second = -self.failures * odds * (1 + odds)
        third = second * (1 + 2 * odds)
        return alone(
            np.where(inside, value, -np.inf), first * inside, second * inside, third * inside
        )

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return chances."""
        return np.asarray(np.exp(np.minimum(eta, 0.0)))[None]

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> LogTrials:
        """Return successes drawn at eta."""
        return replace(self, y=self._drawn(np.exp(np.minimum(eta, 0.0)), rng))


class IdentityTrials(Trials):
    """The chance itself: mu = eta, between 0 and 1; coefficients are percentage points / 100."""

    @property
    def level(self) -> float:
        """Return the whole's share."""
        return self.share

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate rows."""
        all_of_it = self.slopes(eta, phi)
        return Curve(all_of_it.value, all_of_it.first, all_of_it.second)

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate rows and every derivative."""
        inside = (eta > 0) & (eta < 1)
        mu = np.where(inside, eta, 0.5)
        up, down = self.y / mu, self.failures / (1 - mu)
        value = self.y * np.log(mu) + self.failures * np.log1p(-mu) + self.constant
        second = -up / mu - down / (1 - mu)
        third = 2 * (up / mu**2 - down / (1 - mu) ** 2)
        return alone(
            np.where(inside, value, -np.inf), (up - down) * inside, second * inside, third * inside
        )

    def means(self, eta: Floats, phi: Floats) -> Floats:
        """Return chances."""
        return np.asarray(np.clip(eta, 0.0, 1.0))[None]

    def draw(self, eta: Floats, phi: Floats, rng: np.random.Generator) -> IdentityTrials:
        """Return successes drawn at eta."""
        return replace(self, y=self._drawn(eta, rng))

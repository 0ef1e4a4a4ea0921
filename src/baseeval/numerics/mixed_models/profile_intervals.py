"""Profile likelihood intervals of a linear mixed model.

An end of the interval of a function of the parameters is its largest or smallest value where the
deviance stays within a chi-square's quantile of its minimum, which one constrained search finds.
The likelihood is the full one, as in lme4. See `docs/methods/profile-intervals.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.profile_region import ProfileRegion
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ProfileIntervals:
    """Profile likelihood intervals; low and high last.

    Parameters
    ----------
    level : float
    beta : ndarray, shape (k, 2)
    sigma : ndarray, shape (2,)
        Of the residual standard deviation.
    effects : tuple of ndarray, shapes (q_t, q_t, 2)
        Of each term: standard deviations on the diagonal, from zero where zero
        is not excluded; correlations off it, NaN where the model has none.
        NaN also where a search did not reach an end.
    """

    level: float
    beta: Floats
    sigma: Floats
    effects: tuple[Floats, ...]


def profile_intervals(fit: MixedFit, level: float = 0.95) -> ProfileIntervals:
    """Find the profile likelihood intervals of all parameters.

    Parameters
    ----------
    fit : MixedFit
        One by REML is fitted again by maximum likelihood first.
    level : float

    Returns
    -------
    ProfileIntervals
    """
    best = fit_likelihood(fit.likelihood, reml=False) if fit.reml else fit
    region = ProfileRegion(best, float(chi2.ppf(level, 1)))
    inside = best.likelihood.coordinates
    sigma = inside.scale * np.exp([region.end(_log_sigma, sign) for sign in (-1, 1)])
    effects = tuple(_term(region, term) for term in range(len(best.factors)))
    beta = inside.scale * np.array([region.coefficient(row) for row in inside.to_beta])
    return ProfileIntervals(level, best.beta[:, None] + beta, sigma, effects)


def _log_sigma(place: Floats) -> tuple[float, Floats]:
    slope = np.zeros_like(place)
    slope[-1] = 1.0
    return float(place[-1]), slope


def _term(region: ProfileRegion, term: int) -> Floats:
    """Return the intervals of a term's standard deviations and correlations."""
    layout, unit = region.likelihood.layout, region.likelihood.coordinates.scale
    template = layout.templates[term]
    found = np.full((template.size, template.size, 2), np.nan)
    for row in range(template.size):
        deviation = _Entry(layout, term, row, row)
        low = 0.0 if region.holds_without(deviation.apart()) else region.end(deviation, -1)
        found[row, row] = unit * low, unit * region.end(deviation, 1)
    free = template.factor(np.ones(template.count))
    for row in range(template.size):
        for column in np.flatnonzero((free @ free.T)[row, :row]).tolist():
            ends = -1.0, 1.0
            # Without one of the two effects their correlation may be anything.
            if found[row, row, 0] != 0 and found[column, column, 0] != 0:
                correlation = _Entry(layout, term, row, column)
                ends = region.end(correlation, -1, 1.0), region.end(correlation, 1, 1.0)
            found[row, column] = found[column, row] = ends
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """A standard deviation (row = column) or a correlation, of (theta, log sigma)."""

    layout: Layout
    term: int
    row: int
    column: int

    def __call__(self, place: Floats) -> tuple[float, Floats]:
        factors = self.layout.factors(place[:-1])
        slopes = [np.zeros_like(factor) for factor in factors]
        own, other = factors[self.term][self.row], factors[self.term][self.column]
        size, across = float(own @ own), float(other @ other)
        if self.row == self.column:
            value = float(np.exp(place[-1]) * np.sqrt(size))
            # At zero the only way is up, along the diagonal.
            way = own / np.sqrt(size) if size > 0 else np.eye(len(own))[self.row]
            slopes[self.term][self.row] = np.exp(place[-1]) * way
            return value, np.append(self.layout.collect(slopes), value)
        root = np.sqrt(size * across)
        value = float(own @ other) / root
        slopes[self.term][self.row] = other / root - value * own / size
        slopes[self.term][self.column] = own / root - value * other / across
        return value, np.append(self.layout.collect(slopes), 0.0)

    def apart(self) -> NDArray[np.bool_]:
        """Return which elements of theta stay free when this effect has no variance."""
        free = []
        for term, template in enumerate(self.layout.templates):
            keep = np.ones(template.count, dtype=bool)
            if term == self.term:
                keep[template.parameter[template.rows == self.row]] = False
            free.append(keep)
        return np.concatenate(free)

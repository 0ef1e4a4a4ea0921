"""Random effects with intervals that carry the variances' own uncertainty.

The usual interval of a group's effect takes the estimated variances for the truth. With four
groups that is far off: where the variance is estimated at zero, every interval has no width.
Here the variances are integrated over their REML likelihood, under a flat prior on the elements
of each factor L (on relative standard deviations); beta and log sigma, flat too, are integrated
in closed form. See `docs/methods/profile-intervals.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import qmc
from scipy.stats import t as student

from baseeval.numerics.mixed_models.boundary_penalty import boundary_penalty
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.likelihood import (
    Effects,
    Likelihood,
    Profile,
    deviance,
    free_rows,
    gradient,
)
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

#: Degrees of freedom of the points' distribution: its tails are heavier than the likelihood's.
_TAILS = 5
_STEP = 1e-4
#: A point with less than this of the largest weight is left out.
_NOTHING = 1e-9
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class ShrunkenEffects:
    """The effects of the levels of one term, each array of shape (levels, q).

    Parameters
    ----------
    modes : ndarray
        At the fitted theta.
    given : ndarray
        Standard deviation of the prediction error, theta and sigma taken as known.
    mean, deviation : ndarray
        Of the effect, all parameters integrated out.
    low, high : ndarray
        Ends of the interval with all parameters integrated out.
    points : float
        Points that carry the integral: the larger, the surer it is.
    """

    modes: Floats
    given: Floats
    mean: Floats
    deviation: Floats
    low: Floats
    high: Floats
    points: float


def shrunken(
    fit: MixedFit,
    term: int,
    fixed: Floats | None = None,
    level: float = 0.95,
    log2_points: int = 10,
) -> ShrunkenEffects:
    """Estimate each level's random effect, or its own coefficient, with an interval.

    Parameters
    ----------
    fit : MixedFit
        With a penalty or without; the intervals do not depend on it.
    term : int
        Position in what the likelihood's ``effects`` gives.
    fixed : ndarray, shape (q, k), optional
        What of the columns kept is added to each effect: the row of the intercept gives
        each level's own intercept. That is known far better than how much the
        level differs from a mean of a few, the effect by itself.
    level : float
    log2_points : int
        Logarithm of the number of points of theta at which effects are evaluated.

    Returns
    -------
    ShrunkenEffects
        The points are a fixed sequence (Sobol), so the same data give the same answer.
    """
    likelihood = fit.likelihood
    unit = likelihood.coordinates.scale
    count = likelihood.layout.templates[term].size
    added = np.zeros((count, len(fit.beta))) if fixed is None else fixed
    turned = added @ likelihood.coordinates.to_beta
    # Beta is held from a least-squares fit on; what that fit adds comes back at the end.
    start = added @ fit.beta - unit * turned @ fit.at.beta
    points = variance_points(likelihood, log2_points)
    weights = np.array([point.weight for point in points])
    free = free_rows(likelihood, reml=True)
    modes, scales = [], []
    for point in points:
        at, effects = point.at, likelihood.effects(point.theta)[term]
        modes.append(effects.modes + turned @ at.beta)
        scales.append(_error(effects, at, turned, float(np.sqrt(at.rss / free))))
    centre, scale = np.array(modes), np.array(scales)
    mean = np.einsum("i,igq->gq", weights, centre)
    square = scale**2 * free / max(free - 2, 1) + (centre - mean) ** 2
    ends = [_quantile(centre, scale, weights, free, (1 + s * level) / 2) for s in (-1, 1)]
    at_fit = likelihood.effects(fit.theta)[term]
    return ShrunkenEffects(
        modes=start + unit * (at_fit.modes + turned @ fit.at.beta),
        given=_error(at_fit, fit.at, turned, fit.sigma),
        mean=start + unit * mean,
        deviation=unit * np.sqrt(np.einsum("i,igq->gq", weights, square)),
        low=start + unit * ends[0],
        high=start + unit * ends[1],
        points=float(1 / np.sum(weights**2)),
    )


@dataclass(frozen=True, slots=True)
class VariancePoint:
    """A value of theta and its share of the distribution of theta given the data.

    Parameters
    ----------
    theta : ndarray, shape (m,)
    at : Profile
    weight : float
    """

    theta: Floats
    at: Profile
    weight: float


def variance_points(likelihood: Likelihood, log2_points: int) -> list[VariancePoint]:
    """Return points that stand for the distribution of theta given the data.

    Parameters
    ----------
    likelihood : Likelihood
    log2_points : int

    Returns
    -------
    list of VariancePoint
        Weights add up to one. Importance sampling on logarithms of standard deviations,
        where a flat prior on these is the gamma(2) penalty and keeps the mode off zero;
        points of no weight are left out.
    """
    on = likelihood.layout.diagonal
    mode = fit_likelihood(likelihood, penalty=boundary_penalty(likelihood.layout)).theta
    place = qmc.Sobol(len(mode), scramble=True, seed=0).random_base2(log2_points)
    moved = student.ppf(place, _TAILS)
    shift = moved @ _spread(likelihood, mode).T
    thetas = np.where(on, mode * np.exp(np.where(on, shift, 0.0)), mode + shift)
    free = free_rows(likelihood, reml=True)
    profiles = [likelihood.profile(theta) for theta in thetas]
    logs = np.array([-deviance(at, free, reml=True) / 2 for at in profiles])
    logs += shift[:, on].sum(axis=1) - student.logpdf(moved, _TAILS).sum(axis=1)
    weights = np.exp(logs - np.nanmax(logs))
    weights = np.where(weights > _NOTHING, weights, 0.0)
    points = zip(thetas, profiles, weights / weights.sum(), strict=True)
    return [VariancePoint(*point) for point in points if point[2] > 0]


def _spread(likelihood: Likelihood, mode: Floats) -> Floats:
    """Return a root of the inverse Hessian of half the deviance, on logarithms where positive."""
    on = likelihood.layout.diagonal
    unit = np.where(on, 1.0, theta_scale(likelihood))
    free = free_rows(likelihood, reml=True)

    def slope(shift: Floats) -> Floats:
        theta = np.where(on, mode * np.exp(shift), mode + shift * unit)
        at = likelihood.profile(theta)
        rise = gradient(likelihood, theta, at, at.rss / free, reml=True) / 2
        return np.asarray(np.where(on, rise * theta - 1, rise * unit), dtype=np.float64)

    steps = _STEP * np.eye(len(mode))
    hessian = np.array([slope(step) - slope(-step) for step in steps]) / (2 * _STEP)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    # A direction in which the likelihood says next to nothing is still no wider than this.
    return np.asarray(unit[:, None] * vectors / np.sqrt(np.maximum(values, 0.05)))


def _error(effects: Effects, at: Profile, turned: Floats, sigma: float) -> Floats:
    """Return the standard deviation of the prediction error, beta's uncertainty included."""
    left = turned - effects.loadings
    across = np.einsum("gqp,pr,gqr->gq", left, np.linalg.inv(at.information), left)
    own = np.einsum("gqq->gq", effects.variance)
    return np.asarray(sigma * np.sqrt(np.maximum(own + across, 0.0)))


def _quantile(
    centre: Floats, scale: Floats, weights: Floats, free: int, probability: float
) -> Floats:
    """Return a quantile of mixtures of t distributions, by bisection."""
    reach = student.ppf(1 - 1e-9, free) * scale
    low, high = (centre - reach).min(axis=0), (centre + reach).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            standard = (middle - centre) / scale
        below = np.einsum("i,igq->gq", weights, stdtr(free, standard)) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2, dtype=np.float64)

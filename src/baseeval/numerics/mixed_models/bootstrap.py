"""Parametric bootstrap of a linear mixed model.

Outcomes are drawn from the fitted model and the model is fitted to each, so that intervals and
tests need no approximation but that the model is true. Davison and Hinkley (1997,
doi:10.1017/CBO9780511802843), sections 2.4 and 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.fitting import MixedFit, Penalty, fit_likelihood
from baseeval.numerics.mixed_models.likelihood import Likelihood

Floats = NDArray[np.float64]

#: Two searches leave this much of a log likelihood ratio open.
_SLACK = 1e-7

#: Makes the likelihood of one simulated outcome.
Simulate = Callable[[np.random.Generator], Likelihood]


@dataclass(frozen=True, slots=True)
class BootstrapDraws:
    """Estimates from simulated outcomes.

    Parameters
    ----------
    beta : ndarray, shape (R, k)
    theta : ndarray, shape (R, m)
    sigma : ndarray, shape (R,)
    singular : int
        Draws with a variance at zero.
    failed : int
        Draws whose fit did not converge; they are among the others.
    """

    beta: Floats
    theta: Floats
    sigma: Floats
    singular: int
    failed: int


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """Two intervals of one number, each low and high, with the error of having few draws.

    Parameters
    ----------
    percentile, basic : tuple of float
    monte_carlo_error : tuple of float
        Standard error of the ends of either, from the draws about them.
    """

    percentile: tuple[float, float]
    basic: tuple[float, float]
    monte_carlo_error: tuple[float, float]


@dataclass(frozen=True, slots=True)
class BootstrapTest:
    """A test by simulation under the smaller model.

    Parameters
    ----------
    statistic : float
        Twice the log likelihood ratio, at least zero.
    p_value : float
        (1 + draws at or above) / (1 + draws).
    monte_carlo_error : float
        Standard error of the p-value.
    draws : int
    """

    statistic: float
    p_value: float
    monte_carlo_error: float
    draws: int


def parametric_bootstrap(
    fit: MixedFit, simulate: Simulate, draws: int, seed: int, penalty: Penalty | None = None
) -> BootstrapDraws:
    """Fit a model to outcomes drawn from it.

    Parameters
    ----------
    fit : MixedFit
        Says whether by REML.
    simulate : callable
        Makes the likelihood of one simulated outcome: an engine on the rows with an
        outcome of :func:`outcome_simulator`, or on the sums of one.
    draws : int
    seed : int
    penalty : callable, optional
        The one that the fit had.

    Returns
    -------
    BootstrapDraws
    """
    rng = np.random.default_rng(seed)
    fits = [fit_likelihood(simulate(rng), fit.reml, penalty) for _ in range(draws)]
    return BootstrapDraws(
        beta=np.array([one.beta for one in fits]),
        theta=np.array([one.theta for one in fits]),
        sigma=np.array([one.sigma for one in fits]),
        singular=sum(one.singular for one in fits),
        failed=sum(not one.converged for one in fits),
    )


def outcome_simulator(fit: MixedFit, whole: Block) -> Callable[[np.random.Generator], Floats]:
    """Return a function that draws an outcome for every row from the fitted model.

    Parameters
    ----------
    fit : MixedFit
    whole : Block
        The rows that were fitted.

    Returns
    -------
    callable
        A random generator to an outcome, shape (n,).
    """
    line = whole.x[:, fit.likelihood.coordinates.kept] @ fit.beta
    spread = np.full(len(line), fit.sigma)
    if whole.weights is not None:
        spread /= np.sqrt(whole.weights)
    factors = [fit.sigma * lower for lower in fit.factors]

    def draw(rng: np.random.Generator) -> Floats:
        y = line + spread * rng.standard_normal(len(line))
        for z, codes, lower in zip(whole.z, whole.groups, factors, strict=True):
            effects = rng.standard_normal((int(codes.max()) + 1, len(lower))) @ lower.T
            y += np.einsum("nq,nq->n", z, effects[codes])
        return np.asarray(y)

    return draw


def bootstrap_interval(draws: Floats, estimate: float, level: float = 0.95) -> BootstrapInterval:
    """Make percentile and basic intervals from the draws of one number.

    Parameters
    ----------
    draws : ndarray, shape (R,)
    estimate : float
        From the data.
    level : float

    Returns
    -------
    BootstrapInterval
        The Monte Carlo error of a quantile is half the distance between the quantiles one
        binomial standard error to either side.
    """
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = (float(end) for end in np.quantile(draws, tails))
    error = np.sqrt(tails * (1 - tails) / len(draws))
    above = np.quantile(draws, np.clip(tails + error, 0, 1))
    below = np.quantile(draws, np.clip(tails - error, 0, 1))
    errors = (above - below) / 2
    return BootstrapInterval(
        percentile=(low, high),
        basic=(2 * estimate - high, 2 * estimate - low),
        monte_carlo_error=(float(errors[0]), float(errors[1])),
    )


def bootstrap_ratio(
    small: MixedFit,
    large: MixedFit,
    simulate: Callable[[np.random.Generator], tuple[Likelihood, Likelihood]],
    draws: int,
    seed: int,
) -> BootstrapTest:
    """Test a smaller model against a larger one by outcomes drawn from the smaller.

    Parameters
    ----------
    small, large : MixedFit
        Both by ML, or both by REML with the same columns.
    simulate : callable
        Gives one outcome of the smaller model as the likelihood of each.
    draws : int
    seed : int

    Returns
    -------
    BootstrapTest
        No mixture of chi-squares is needed, whatever lies on the boundary.
    """
    rng = np.random.default_rng(seed)
    statistic = max(2 * (large.loglik - small.loglik), 0.0)
    above = 0
    for _ in range(draws):
        one, other = simulate(rng)
        gain = fit_likelihood(other, large.reml).loglik - fit_likelihood(one, small.reml).loglik
        # A statistic of zero, up to the search, is met by every draw.
        above += 2 * gain >= statistic - _SLACK
    p_value = (1 + above) / (1 + draws)
    return BootstrapTest(statistic, p_value, float(np.sqrt(p_value * (1 - p_value) / draws)), draws)

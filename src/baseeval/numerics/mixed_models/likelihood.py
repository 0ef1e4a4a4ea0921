"""What every evaluation of a linear mixed model's likelihood gives.

y = X beta + sum_t Z_t u_t + e, Var(e) = sigma^2 W^-1, each level's effects of
term t ~ N(0, sigma^2 L_t L_t'). Over sigma^2, Var(y) = V(theta). With the
deviance of Bates et al. (2015, doi:10.18637/jss.v067.i01), equations (34) and (41),

    deviance = log|V| [+ log|X'V^-1X|] + free (1 + log(2 pi rss / free)),

free = n, or n - p and the bracket under REML. An evaluation is a class with the
methods of :class:`Likelihood`: from cross-products of nested groups, or for any
structure from sparse ones. The gradient is derived in `docs/methods/mixed.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.coordinates import Coordinates
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """A likelihood at one theta, with beta and sigma at their best.

    With Sigma_t = L_t L_t' and p columns in X, all in the likelihood's coordinates:

    Parameters
    ----------
    log_det : float
        log|V|, the weights' part included.
    rss : float
        (y - X beta)' V^-1 (y - X beta).
    beta : ndarray, shape (p,)
    information : ndarray, shape (p, p)
        X'V^-1X.
    shapes : tuple of ndarray, shapes (q_t, q_t)
        d log|V| / d Sigma_t = sum over levels of Z'V^-1Z.
    spreads : tuple of ndarray, shapes (q_t, q_t)
        -d rss / d Sigma_t = sum of s s', s = Z'V^-1(y - X beta).
    fades : tuple of ndarray, shapes (q_t, q_t)
        -d log|X'V^-1X| / d Sigma_t = sum of F (X'V^-1X)^-1 F', F = Z'V^-1X.
    """

    log_det: float
    rss: float
    beta: Floats
    information: Floats
    shapes: tuple[Floats, ...]
    spreads: tuple[Floats, ...]
    fades: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """The random effects of one term given the data, theta and beta.

    Parameters
    ----------
    modes : ndarray, shape (levels, q)
        In units of the coordinates' outcome.
    variance : ndarray, shape (levels, q, q)
        Conditional variance over sigma^2, beta known.
    loadings : ndarray, shape (levels, q, p)
        Minus the derivative of the modes with respect to beta: the prediction
        error variance over sigma^2 is variance + loadings information^-1 loadings'.
    """

    modes: Floats
    variance: Floats
    loadings: Floats


class Likelihood(Protocol):
    """A mixed model's data in a form in which its likelihood is quick to evaluate."""

    @property
    def layout(self) -> Layout:
        """Return the random terms."""

    @property
    def coordinates(self) -> Coordinates:
        """Return the columns and the unit in which the data are held."""

    @property
    def n(self) -> int:
        """Return the number of rows."""

    @property
    def sizes(self) -> tuple[Floats, ...]:
        """Return the root mean square of each term's columns of Z, shapes (q_t,)."""

    def profile(self, theta: Floats) -> Profile:
        """Evaluate the likelihood and its derivatives."""

    def moments(self, covariances: list[Floats]) -> tuple[float, Floats]:
        """Return log|V| and X'V^-1X at covariances (q_t, q_t) over sigma^2.

        They need not be positive definite, as long as V is: differences about a
        variance of zero need both sides.
        """

    def effects(self, theta: Floats) -> tuple[Effects, ...]:
        """Return the random effects, one a term."""


def free_rows(likelihood: Likelihood, reml: bool) -> int:
    """Return the rows that are left to estimate sigma: n, or n - p under REML."""
    return likelihood.n - (len(likelihood.coordinates.kept) if reml else 0)


def deviance(at: Profile, free: int, reml: bool) -> float:
    """Return minus twice the profiled log-likelihood, in the likelihood's coordinates.

    Parameters
    ----------
    at : Profile
    free : int
        From :func:`free_rows`.
    reml : bool

    Returns
    -------
    float
        Minus infinity where the model reproduces the data: there is no lower end.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = at.log_det + free * (1 + np.log(2 * np.pi * at.rss / free))
    if reml:
        value += float(np.linalg.slogdet(at.information)[1])
    return float(value)


def covariance_slopes(at: Profile, sigma2: float, reml: bool) -> list[Floats]:
    """Return the derivative of the deviance with respect to each Sigma_t at a given sigma^2.

    Parameters
    ----------
    at : Profile
    sigma2 : float
        rss / free gives the derivative of the profiled deviance.
    reml : bool

    Returns
    -------
    list of ndarray, shapes (q_t, q_t)
    """
    terms = zip(at.shapes, at.spreads, at.fades, strict=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return [shape - spread / sigma2 - reml * fade for shape, spread, fade in terms]


def gradient(
    likelihood: Likelihood, theta: Floats, at: Profile, sigma2: float, reml: bool
) -> Floats:
    """Return the derivative of the deviance with respect to theta at a given sigma^2.

    Parameters
    ----------
    likelihood : Likelihood
    theta : ndarray, shape (m,)
    at : Profile
    sigma2 : float
    reml : bool

    Returns
    -------
    ndarray, shape (m,)
    """
    slopes = covariance_slopes(at, sigma2, reml)
    lowers = likelihood.layout.factors(theta)
    return likelihood.layout.collect(
        [2 * slope @ lower for slope, lower in zip(slopes, lowers, strict=True)]
    )

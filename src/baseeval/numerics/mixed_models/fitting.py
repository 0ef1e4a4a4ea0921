"""The maximum of a mixed model's likelihood, the boundary included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from baseeval.numerics.mixed_models.likelihood import (
    Likelihood,
    Profile,
    covariance_slopes,
    deviance,
    free_rows,
    gradient,
)
from baseeval.numerics.mixed_models.templates import Layout, Template
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

#: Standard deviation over sigma from which a search starts, its column at unit root mean square.
_START = 0.2
#: Those by which effects on the boundary are made to vary to see whether the deviance falls.
_INSIDE = (0.1, 0.03, 0.3, 1.0, 0.01, 0.003)
#: A diagonal entry below this is near enough to zero to look whether the deviance falls inwards.
_NEAR = 0.01
#: How often a search may leave the boundary, and the fall that is worth it.
_RESTARTS, _GAIN = 10, 1e-9
#: The first step of a descent is one over this.
_STRETCH = 10.0
#: A diagonal entry below this, its column at unit root mean square, is a variance at zero.
SINGULAR = 1e-5
#: Where this share of the variance or less is left, a model reproduces the data: the likelihood
#: has no maximum.
_REPRODUCED = 1e-14
#: Relative standard deviations beyond this leave the residual variance without digits.
_MOST = 3e4
#: Largest gradient of the deviance that still counts as a maximum.
_FLAT = 1e-4

#: A penalty on theta: value and gradient, added to the deviance.
Penalty = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True, slots=True)
class MixedFit:
    """A fitted linear mixed model.

    Parameters
    ----------
    beta : ndarray, shape (k,)
        Coefficients of the columns kept.
    vcov : ndarray, shape (k, k)
        Model-based covariance of beta.
    theta : ndarray, shape (m,)
    sigma : float
        Residual standard deviation.
    loglik : float
        REML or ML log-likelihood, with lme4's constants; without the penalty.
    singular : bool
        True where a variance or a combination of effects is at zero.
    converged : bool
    reml : bool
    at : Profile
        The likelihood at theta, in its own coordinates.
    likelihood : Likelihood
        The data in the form that was fitted, for inference.
    """

    beta: Floats
    vcov: Floats
    theta: Floats
    sigma: float
    loglik: float
    singular: bool
    converged: bool
    reml: bool
    at: Profile
    likelihood: Likelihood

    @property
    def factors(self) -> list[Floats]:
        """Return the factor L of each term: its effects have covariance sigma^2 L L'."""
        return self.likelihood.layout.factors(self.theta)

    @property
    def covariances(self) -> list[Floats]:
        """Return the covariance of each term's effects, in the outcome's units."""
        return [self.sigma**2 * lower @ lower.T for lower in self.factors]


def fit_likelihood(
    likelihood: Likelihood, reml: bool = True, penalty: Penalty | None = None
) -> MixedFit:
    """Find the maximum of a mixed model's likelihood.

    Parameters
    ----------
    likelihood : Likelihood
    reml : bool
        Restricted or full maximum likelihood.
    penalty : callable, optional
        Added to the deviance, as a function of theta with its gradient.

    Returns
    -------
    MixedFit
    """
    search = _Search(likelihood, reml, penalty)
    try:
        theta, converged = search.minimise()
    except (_Unbounded, np.linalg.LinAlgError):
        theta, converged = np.zeros(likelihood.layout.count), False
    beyond = np.abs(theta) > _MOST * search.unit
    return fit_at(likelihood, theta, reml, converged and not beyond.any())


def fit_at(
    likelihood: Likelihood, theta: Floats, reml: bool = True, converged: bool = True
) -> MixedFit:
    """Return the model at a given theta, beta and sigma at their best.

    Parameters
    ----------
    likelihood : Likelihood
    theta : ndarray, shape (m,)
    reml : bool
    converged : bool

    Returns
    -------
    MixedFit
    """
    at, inside = likelihood.profile(theta), likelihood.coordinates
    free = free_rows(likelihood, reml)
    sigma = inside.scale * float(np.sqrt(max(at.rss, 0.0) / free))
    loglik = -deviance(at, free, reml) / 2 - free * np.log(inside.scale)
    if reml:
        loglik += inside.log_det
    return MixedFit(
        beta=inside.beta(at.beta),
        vcov=sigma**2 * inside.to_beta @ np.linalg.inv(at.information) @ inside.to_beta.T,
        theta=theta,
        sigma=sigma,
        loglik=float(loglik),
        singular=is_singular(likelihood, theta),
        converged=converged,
        reml=reml,
        at=at,
        likelihood=likelihood,
    )


def is_singular(likelihood: Likelihood, theta: Floats) -> bool:
    """Return whether a variance, or a combination of effects, is at zero.

    Parameters
    ----------
    likelihood : Likelihood
    theta : ndarray, shape (m,)

    Returns
    -------
    bool
    """
    return bool(np.any(_at_zero(likelihood, theta)))


def _at_zero(likelihood: Likelihood, theta: Floats) -> NDArray[np.bool_]:
    layout = likelihood.layout
    return np.asarray(layout.diagonal & (np.abs(theta) < SINGULAR * theta_scale(likelihood)))


class _Unbounded(Exception):
    """The model reproduces the data at some theta: its likelihood has no upper end."""


@dataclass
class _Search:
    """A minimisation of the deviance, with theta in units of its columns."""

    likelihood: Likelihood
    reml: bool
    penalty: Penalty | None

    @property
    def layout(self) -> Layout:
        return self.likelihood.layout

    @cached_property
    def unit(self) -> Floats:
        return theta_scale(self.likelihood)

    def value(self, theta: Floats) -> tuple[float, Floats]:
        """Return the deviance with its penalty, and their gradient."""
        at = self.likelihood.profile(theta)
        free = free_rows(self.likelihood, self.reml)
        if not at.rss > _REPRODUCED * self.likelihood.n:
            raise _Unbounded
        value = deviance(at, free, self.reml)
        slope = gradient(self.likelihood, theta, at, at.rss / free, self.reml)
        if self.penalty is not None:
            more, lift = self.penalty(theta)
            value, slope = value + more, slope + lift
        return value, slope

    def minimise(self) -> tuple[Floats, bool]:
        """Find theta, and leave the boundary wherever the deviance falls inwards.

        A zero on the diagonal of L is a stationary point whether or not it is a
        minimum, so a descent that ends there is tried again from inside.
        """
        theta, lowest, converged = self.descend(_START * self.layout.diagonal * self.unit)
        for _ in range(_RESTARTS):
            start = self.inwards(theta, lowest)
            if start is None:
                break
            theta, lowest, converged = self.descend(start)
        nothing = np.zeros_like(theta)
        if self.penalty is None and theta.any() and self.value(nothing)[0] < lowest:
            return nothing, True
        return theta, converged

    def inwards(self, theta: Floats, lowest: float) -> Floats | None:
        """Return a theta of lower deviance that is less singular, if the deviance falls that way.

        With Sigma = L L' on the boundary, and K the derivative of the deviance with
        respect to Sigma, theta is at a minimum where K has no negative eigenvalue:
        the gradient, 2 K L, cannot show one. Otherwise Sigma grows by a multiple
        of v v', v the eigenvector.
        """
        near = self.layout.diagonal & (np.abs(theta) < _NEAR * self.unit)
        if not near.any() or self.penalty is not None:
            return None
        at = self.likelihood.profile(theta)
        slopes = covariance_slopes(at, at.rss / free_rows(self.likelihood, self.reml), self.reml)
        ends = np.cumsum([0, *(template.count for template in self.layout.templates)])
        terms = zip(self.layout.templates, slopes, self.layout.covariances(theta), strict=True)
        for term, (template, slope, covariance) in enumerate(terms):
            own = slice(ends[term], ends[term + 1])
            falls, direction = _falling(template, self.unit[own], slope)
            for size in _INSIDE if falls < 0 else ():
                moved = theta.copy()
                moved[own] = _rooted(template, covariance + size**2 * direction)
                if self.value(moved)[0] < lowest - _GAIN:
                    return moved
        return None

    def descend(self, start: Floats) -> tuple[Floats, float, bool]:
        """Minimise from one point."""
        unit = self.unit / _STRETCH
        bounds = [(0.0, None) if on else (None, None) for on in self.layout.diagonal]

        def scaled(place: Floats) -> tuple[float, Floats]:
            value, slope = self.value(place * unit)
            return value, slope * unit

        options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-6}
        found = minimize(
            scaled, start / unit, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        theta, value, slope = self.polish(found.x * unit)
        inside = ~_at_zero(self.likelihood, theta)
        flat = bool(np.abs((slope * self.unit)[inside]).max(initial=0.0) < _FLAT)
        return theta, value, flat

    def polish(self, theta: Floats) -> tuple[Floats, float, Floats]:
        """Take Newton steps on the gradient, which knows theta better than the deviance does."""
        unit = self.unit
        value, slope = self.value(theta)
        inverse: Floats | None = None
        for _ in range(8):
            inside = np.flatnonzero(~_at_zero(self.likelihood, theta))
            size = np.abs((slope * unit)[inside]).max(initial=0.0)
            if size < 1e-9:
                break
            if inverse is None or len(inverse) != len(inside):
                inverse = self._inverse_hessian(theta, inside, unit)
                if inverse is None:
                    break
            trial = theta.copy()
            trial[inside] -= inverse @ slope[inside]
            if np.any(trial[self.layout.diagonal] < 0):
                break
            new_value, new_slope = self.value(trial)
            # Beyond the rounding of the deviance only the gradient tells which is nearer.
            if np.abs((new_slope * unit)[inside]).max(initial=0.0) >= size:
                break
            theta, value, slope = trial, new_value, new_slope
        return theta, value, slope

    def _inverse_hessian(
        self, theta: Floats, inside: NDArray[np.intp], unit: Floats
    ) -> Floats | None:
        """Return the inverse of the second derivative, by differences; None if not convex."""
        hessian = np.empty((len(inside), len(inside)))
        for column, parameter in enumerate(inside):
            step = np.zeros_like(theta)
            step[parameter] = 1e-5 * max(unit[parameter], abs(theta[parameter]))
            above = self.value(theta + step)[1][inside]
            below = self.value(theta - step)[1][inside]
            hessian[:, column] = (above - below) / (2 * step[parameter])
        hessian = (hessian + hessian.T) / 2
        values = np.linalg.eigvalsh(hessian)
        if not np.all(np.isfinite(values)) or values[0] <= 0:
            return None
        return np.asarray(np.linalg.inv(hessian))


def _falling(template: Template, unit: Floats, slope: Floats) -> tuple[float, Floats]:
    """Return the direction of a covariance in which the deviance falls fastest, and its slope.

    In units of the columns of Z; only directions that the template allows.
    """
    if not template.correlated:
        slopes = np.bincount(template.parameter, np.diagonal(slope)[template.rows], template.count)
        least = int(np.argmin(slopes * unit**2))
        direction = np.diag(np.where(template.parameter == least, unit[least] ** 2, 0.0))
        return float(slopes[least]), direction
    on = template.rows == template.columns
    scale = np.ones(template.size)
    scale[template.rows[on]] = unit[template.parameter[on]]
    values, vectors = np.linalg.eigh(slope * np.outer(scale, scale))
    vector = scale * vectors[:, 0]
    # A trace of every effect keeps the covariance definite.
    return float(values[0]), np.outer(vector, vector) + np.diag((1e-3 * scale) ** 2)


def _rooted(template: Template, covariance: Floats) -> Floats:
    """Return the parameters of a covariance that the template allows."""
    if not template.correlated:
        held = np.zeros(template.count)
        held[template.parameter] = np.sqrt(np.diagonal(covariance)[template.rows])
        return held
    return np.asarray(np.linalg.cholesky(covariance)[template.rows, template.columns])

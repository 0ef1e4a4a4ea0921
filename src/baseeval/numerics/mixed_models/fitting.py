"""The maximum of a mixed model's likelihood, the boundary included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]

#: Standard deviations, over sigma, from which a variance left at zero is tried again.
_INSIDE = (0.03, 0.3, 1.0)
#: A diagonal entry below this, its column at unit root mean square, is a variance at zero.
SINGULAR = 1e-5
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
    theta, converged = search.minimise()
    return fit_at(likelihood, theta, reml, converged)


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
    sigma = inside.scale * float(np.sqrt(at.rss / free))
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
    return np.asarray(layout.diagonal & (np.abs(theta) * _unit(likelihood) < SINGULAR))


def _unit(likelihood: Likelihood) -> Floats:
    """Return for each parameter the root mean square of its column of Z."""
    unit = []
    for template, size in zip(likelihood.layout.templates, likelihood.sizes, strict=True):
        held = np.bincount(template.parameter, size[template.rows] ** 2, template.count)
        unit.append(np.sqrt(held / np.bincount(template.parameter, minlength=template.count)))
    found = np.concatenate(unit)
    return np.where(found > 0, found, 1.0)


@dataclass(slots=True)
class _Search:
    """A minimisation of the deviance, with theta in units of its columns."""

    likelihood: Likelihood
    reml: bool
    penalty: Penalty | None

    @property
    def layout(self) -> Layout:
        return self.likelihood.layout

    def value(self, theta: Floats) -> tuple[float, Floats]:
        """Return the deviance with its penalty, and their gradient."""
        at = self.likelihood.profile(theta)
        free = free_rows(self.likelihood, self.reml)
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
        unit = _unit(self.likelihood)
        theta, lowest, converged = self.descend(self.layout.diagonal / unit)
        for trial in self.retries(theta, unit):
            found, value, good = self.descend(trial)
            if value < lowest:
                theta, lowest, converged = found, value, good
        nothing = np.zeros_like(theta)
        if self.penalty is None and self.value(nothing)[0] < lowest:
            return nothing, True
        return theta, converged

    def retries(self, theta: Floats, unit: Floats) -> Iterator[Floats]:
        """Yield points inside from which a theta on the boundary should be tried again.

        Independent effects: where the derivative with respect to a variance that
        ended at zero points inwards, which the gradient of theta cannot show.
        Correlated ones can also end where a correlation has the wrong sign, so any
        zero has the whole term tried with either.
        """
        at_zero = _at_zero(self.likelihood, theta)
        if not at_zero.any():
            return
        at = self.likelihood.profile(theta)
        free = free_rows(self.likelihood, self.reml)
        slopes = covariance_slopes(at, at.rss / free, self.reml)
        start = 0
        for template, slope in zip(self.layout.templates, slopes, strict=True):
            own = slice(start, start + template.count)
            start += template.count
            if template.correlated and at_zero[own].any():
                for size in _INSIDE:
                    for lean in (-0.5, 0.5):
                        trial = theta.copy()
                        trial[own] = np.where(template.diagonal, size, lean * size) / unit[own]
                        yield trial
            elif not template.correlated:
                on_diagonal = np.bincount(
                    template.parameter, np.diagonal(slope)[template.rows], template.count
                )
                for place in np.flatnonzero(at_zero[own] & (on_diagonal < 0)):
                    for size in _INSIDE:
                        trial = theta.copy()
                        trial[own.start + place] = size / unit[own.start + place]
                        yield trial

    def descend(self, start: Floats) -> tuple[Floats, float, bool]:
        """Minimise from one point."""
        unit = _unit(self.likelihood)
        bounds = [(0.0, None) if on else (None, None) for on in self.layout.diagonal]

        def scaled(place: Floats) -> tuple[float, Floats]:
            value, slope = self.value(place / unit)
            return value, slope / unit

        options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-7}
        found = minimize(
            scaled, start * unit, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        theta, value, slope = self.polish(found.x / unit)
        inside = ~_at_zero(self.likelihood, theta)
        flat = bool(np.abs((slope / unit)[inside]).max(initial=0.0) < _FLAT)
        return theta, value, flat

    def polish(self, theta: Floats) -> tuple[Floats, float, Floats]:
        """Take Newton steps on the gradient, which knows theta better than the deviance does."""
        unit = _unit(self.likelihood)
        value, slope = self.value(theta)
        inverse: Floats | None = None
        for _ in range(8):
            inside = np.flatnonzero(~_at_zero(self.likelihood, theta))
            size = np.abs((slope / unit)[inside]).max(initial=0.0)
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
            if np.abs((new_slope / unit)[inside]).max(initial=0.0) >= size:
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
            step[parameter] = 1e-5 * max(1 / unit[parameter], abs(theta[parameter]))
            above = self.value(theta + step)[1][inside]
            below = self.value(theta - step)[1][inside]
            hessian[:, column] = (above - below) / (2 * step[parameter])
        hessian = (hessian + hessian.T) / 2
        values = np.linalg.eigvalsh(hessian)
        if not np.all(np.isfinite(values)) or values[0] <= 0:
            return None
        return np.asarray(np.linalg.inv(hessian))

"""The maximum of a likelihood with a structure of residuals, and its curvature."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from baseeval.numerics.mixed_models.residual_likelihood import ResidualLikelihood, ResidualProfile

Floats = NDArray[np.float64]

#: Starts: relative standard deviations of random effects, and correlations of residuals.
_SPREADS, _CORRELATIONS = (0.2, 0.8), (0.1, 0.6, 0.9)
#: Those by which effects at zero are made to vary to see whether the deviance falls.
_INSIDE = (0.03, 0.1, 0.3, 1.0)
#: How often a search may leave zero, and the fall that is worth it.
_RESTARTS, _GAIN = 5, 1e-8
#: A relative standard deviation below this, its column at unit root mean square, is at zero.
_ZERO = 1e-5
#: Largest gradient of the deviance that still counts as a maximum.
_FLAT = 1e-4
#: The deviance where the variance is not positive definite, to rounding.
_NOWHERE = 1e30


def find_maximum(likelihood: ResidualLikelihood, reml: bool) -> tuple[Floats, bool]:
    """Find the parameters of the covariance that are most likely.

    Residuals and random effects can trade places, and zero is stationary in every
    standard deviation, so several starts are tried and the best kept; where that one has
    a standard deviation at zero, the search goes on from inside if the deviance falls there.

    Parameters
    ----------
    likelihood : ResidualLikelihood
    reml : bool

    Returns
    -------
    psi : ndarray, shape (m,)
    converged : bool
    """
    if not len(likelihood.model.diagonal):
        return np.zeros(0), True
    found = [_descend(likelihood, reml, start) for start in _starts(likelihood)]
    psi, lowest, converged = min(found, key=lambda one: one[1])
    for _ in range(_RESTARTS):
        start = _inwards(likelihood, reml, psi, lowest)
        if start is None:
            break
        psi, lowest, converged = _descend(likelihood, reml, start)
    return psi, converged


def free_count(likelihood: ResidualLikelihood, reml: bool) -> int:
    """Return the rows left to estimate sigma: n, or n - p under REML."""
    return likelihood.n - (len(likelihood.coordinates.kept) if reml else 0)


def residual_deviance(at: ResidualProfile, free: int, reml: bool) -> float:
    """Return minus twice the profiled log-likelihood, in the coordinates."""
    value = at.log_det + free * (1 + np.log(2 * np.pi * at.rss / free))
    return float(value + (np.linalg.slogdet(at.information)[1] if reml else 0.0))


def residual_gradient(
    likelihood: ResidualLikelihood, psi: Floats, at: ResidualProfile, sigma2: float, reml: bool
) -> Floats:
    """Return the derivative of the deviance with respect to psi at a given sigma^2.

    Parameters
    ----------
    likelihood : ResidualLikelihood
    psi : ndarray, shape (m,)
    at : ResidualProfile
    sigma2 : float
        rss / free gives the derivative of the profiled deviance.
    reml : bool

    Returns
    -------
    ndarray, shape (m,)
    """
    of_gram = np.outer(at.contrast, at.contrast) / sigma2
    if reml:
        of_gram[:-1, :-1] += np.linalg.inv(at.information)
    return likelihood.pull(psi, at, of_gram, 1.0)


def at_boundary(likelihood: ResidualLikelihood, psi: Floats) -> NDArray[np.bool_]:
    """Return, for each parameter, whether it is a variance at zero."""
    model = likelihood.model
    return np.asarray(model.diagonal & (np.abs(psi) * likelihood.units < _ZERO))


def curvature(
    likelihood: ResidualLikelihood,
    psi: Floats,
    sigma: float,
    reml: bool,
    inside: NDArray[np.bool_],
) -> Floats:
    """Return the information on the parameters and log sigma^2, by differences of the gradient.

    Parameters
    ----------
    likelihood : ResidualLikelihood
    psi : ndarray, shape (m,)
    sigma : float
        In the unit of the coordinates.
    reml : bool
    inside : ndarray of bool, shape (m,)
        Parameters to be counted: i of them.

    Returns
    -------
    ndarray, shape (i + 1, i + 1)
        Half the second derivative of the deviance; its inverse is their covariance.
    """
    free = free_count(likelihood, reml)

    def slope(place: Floats) -> Floats:
        at = likelihood.profile(place[:-1])
        sigma2 = float(np.exp(place[-1]))
        own = residual_gradient(likelihood, place[:-1], at, sigma2, reml)[inside]
        return np.append(own, free - at.rss / sigma2)

    middle = np.append(psi, 2 * np.log(sigma))
    found = []
    for place in np.append(np.flatnonzero(inside), len(psi)):
        step = np.zeros_like(middle)
        step[place] = 1e-5 * max(1.0, abs(middle[place]))
        found.append((slope(middle + step) - slope(middle - step)) / (2 * step[place]))
    return np.asarray((np.array(found) + np.array(found).T) / 4)


def _inwards(
    likelihood: ResidualLikelihood, reml: bool, psi: Floats, lowest: float
) -> Floats | None:
    """Return parameters of lower deviance with one variance less at zero, if there are any."""
    for place in np.flatnonzero(at_boundary(likelihood, psi)):
        for size in _INSIDE:
            moved = psi.copy()
            moved[place] = size / likelihood.units[place]
            if _value(likelihood, moved, reml)[0] < lowest - _GAIN:
                return moved
    return None


def _starts(likelihood: ResidualLikelihood) -> Iterator[Floats]:
    model = likelihood.model
    spreads = _SPREADS if model.diagonal.any() else _SPREADS[:1]
    correlations = _CORRELATIONS if model.form.counts[0] else _CORRELATIONS[:1]
    for spread in spreads:
        for correlation in correlations:
            psi = np.where(model.diagonal, spread / likelihood.units, 0.0)
            psi[len(psi) - model.form.count :] = model.form.start(correlation)
            yield psi


def _value(likelihood: ResidualLikelihood, psi: Floats, reml: bool) -> tuple[float, Floats]:
    """Return the profiled deviance and its gradient."""
    free = free_count(likelihood, reml)
    try:
        # A line search may try parameters whose exponential is beyond all numbers.
        with np.errstate(over="ignore", invalid="ignore"):
            at = likelihood.profile(psi)
            if at.rss > 0:
                value = residual_deviance(at, free, reml)
                slope = residual_gradient(likelihood, psi, at, at.rss / free, reml)
                if np.isfinite(value) and np.all(np.isfinite(slope)):
                    return value, slope
    except np.linalg.LinAlgError:
        pass
    return _NOWHERE, np.zeros_like(psi)


def _descend(
    likelihood: ResidualLikelihood, reml: bool, start: Floats
) -> tuple[Floats, float, bool]:
    """Minimise the deviance from one point."""
    units = likelihood.units
    bounds = [(0.0, None) if on else (None, None) for on in likelihood.model.diagonal]

    def scaled(place: Floats) -> tuple[float, Floats]:
        value, slope = _value(likelihood, place / units, reml)
        return value, slope / units

    options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-7, "maxls": 40}
    found = minimize(
        scaled, start * units, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    psi, value, slope = _polish(likelihood, reml, found.x / units)
    inside = ~at_boundary(likelihood, psi)
    return psi, value, bool(np.abs((slope / units)[inside]).max(initial=0.0) < _FLAT)


def _polish(
    likelihood: ResidualLikelihood, reml: bool, psi: Floats
) -> tuple[Floats, float, Floats]:
    """Take Newton steps on the gradient, which knows the place better than the deviance does."""
    units = likelihood.units
    value, slope = _value(likelihood, psi, reml)
    inside = ~at_boundary(likelihood, psi)
    steps = np.diag(1e-5 / units)[inside]
    pairs = [
        (_value(likelihood, psi + s, reml)[1], _value(likelihood, psi - s, reml)[1]) for s in steps
    ]
    bend = np.array(
        [(a - b)[inside] / (2 * s.sum()) for (a, b), s in zip(pairs, steps, strict=True)]
    )
    bend = (bend + bend.T) / 2
    if not inside.any() or np.linalg.eigvalsh(bend)[0] <= 0:
        return psi, value, slope
    for _ in range(8):
        trial = psi.copy()
        trial[inside] -= np.linalg.solve(bend, slope[inside])
        if np.any(trial[likelihood.model.diagonal] < 0):
            break
        new_value, new_slope = _value(likelihood, trial, reml)
        # Beyond the rounding of the deviance only the gradient tells which is nearer.
        if np.abs((new_slope / units)[inside]).max() >= np.abs((slope / units)[inside]).max():
            break
        psi, value, slope = trial, new_value, new_slope
    return psi, value, slope

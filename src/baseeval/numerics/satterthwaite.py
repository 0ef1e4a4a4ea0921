"""Satterthwaite degrees of freedom of a linear mixed model.

Kuznetsova et al. (2017, doi:10.18637/jss.v082.i13), section 2: with A the
covariance of the variance parameters (theta, sigma), twice the inverse Hessian
of the deviance, and g the gradient of Var(c'beta), df = 2 Var^2 / g'Ag.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed import MixedFit, Profile, profile

Floats = NDArray[np.float64]

_STEP = 1e-4


def satterthwaite_df(fit: MixedFit, contrasts: Floats) -> Floats:
    """Return the degrees of freedom of contrasts of a mixed model's coefficients.

    Parameters
    ----------
    fit : MixedFit
    contrasts : ndarray, shape (k, p)

    Returns
    -------
    ndarray, shape (k,)
        NaN where the fit is singular: at the boundary the deviance has no
        Hessian that the approximation could rest on.
    """
    if fit.singular:
        return np.full(len(contrasts), np.nan)
    system, theta = fit.system, fit.theta
    sigma = fit.sigma / system.scale
    rotated = contrasts @ system.to_beta
    parameters = len(theta)
    at = _profile(fit, theta)
    lower = system.template.factor(theta)
    free = system.data.n - (system.data.xx.shape[0] if system.reml else 0)
    hessian = np.zeros((parameters + 1, parameters + 1))
    slopes = np.zeros((len(contrasts), parameters + 1))
    for position in range(parameters):
        step = np.zeros(parameters)
        step[position] = _STEP
        # Central differences at two widths, extrapolated (Richardson).
        wide = _differences(fit, theta, 2 * step, sigma, rotated)
        narrow = _differences(fit, theta, step, sigma, rotated)
        rise, lift = ((4 * n - w) / 3 for n, w in zip(narrow, wide, strict=True))
        hessian[:parameters, position], slopes[:, position] = rise, lift
    mixed = system.template.collect(4 * at.spread / sigma**3 @ lower)
    hessian[:parameters, parameters] = hessian[parameters, :parameters] = mixed
    hessian[parameters, parameters] = 4 * free / sigma**2
    variance = _variance(at, sigma, rotated)
    slopes[:, parameters] = 2 * variance / sigma
    covariance = 2 * np.linalg.inv((hessian + hessian.T) / 2)
    spread = np.einsum("ki,ij,kj->k", slopes, covariance, slopes)
    return np.asarray(2 * variance**2 / spread)


def _differences(
    fit: MixedFit, theta: Floats, step: Floats, sigma: float, rotated: Floats
) -> tuple[Floats, Floats]:
    """Return the change of the gradient and of the variances, per unit of theta."""
    width = 2 * step.sum()
    gradients, variances = [], []
    for moved in (theta + step, theta - step):
        at = _profile(fit, moved)
        lower = fit.system.template.factor(moved)
        gradients.append(fit.system.template.collect(2 * (at.shape - at.spread / sigma**2) @ lower))
        variances.append(_variance(at, sigma, rotated))
    return (gradients[0] - gradients[1]) / width, (variances[0] - variances[1]) / width


def _profile(fit: MixedFit, theta: Floats) -> Profile:
    return profile(fit.system.data, fit.system.template, theta, fit.system.reml)


def _variance(at: Profile, sigma: float, rotated: Floats) -> Floats:
    solved = np.linalg.solve(at.information, rotated.T)
    return np.asarray(sigma**2 * np.einsum("kp,pk->k", rotated, solved))

"""Satterthwaite degrees of freedom of a linear mixed model.

Kuznetsova et al. (2017, doi:10.18637/jss.v082.i13), section 2: with A the covariance of the
variance parameters (theta, sigma), twice the inverse Hessian of the deviance, and g the gradient
of Var(c'beta), df = 2 Var^2 / g'Ag. Several contrasts at once after Fai and Cornelius (1996,
doi:10.1080/00949659608811740).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.likelihood import Profile, free_rows, gradient
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

_STEP = 1e-4
#: Eigenvalues of the contrasts' covariance, over the largest, that count as zero.
_RANK = 1e-8


@dataclass(frozen=True, slots=True)
class JointTest:
    """An F test that several contrasts are all zero.

    Parameters
    ----------
    statistic : float
        F, with its scaling.
    df_num : int
        Contrasts that do not follow from one another.
    df : float
        Of the denominator.
    p_value : float
    scaling : float
        What the Wald statistic over df_num was multiplied by: one under Satterthwaite.
    """

    statistic: float
    df_num: int
    df: float
    p_value: float
    scaling: float


def satterthwaite_df(fit: MixedFit, contrasts: Floats) -> Floats:
    """Return the degrees of freedom of contrasts of a mixed model's coefficients.

    Parameters
    ----------
    fit : MixedFit
    contrasts : ndarray, shape (k, p)
        Of the columns kept, in their own units.

    Returns
    -------
    ndarray, shape (k,)
        NaN where the fit is singular: at the boundary the deviance has no
        Hessian that the approximation could rest on.
    """
    if fit.singular:
        return np.full(len(contrasts), np.nan)
    covariance, slopes = _uncertainty(fit, contrasts)
    variance = np.einsum("kp,pq,kq->k", contrasts, fit.vcov, contrasts)
    return np.asarray(2 * variance**2 / np.einsum("kr,rs,ks->k", slopes, covariance, slopes))


def satterthwaite_test(fit: MixedFit, contrasts: Floats) -> JointTest:
    """Test that several contrasts of a mixed model's coefficients are all zero.

    The contrasts are turned so that their estimates are uncorrelated; the
    denominator is that of an F whose mean is the mean of their squared t.

    Parameters
    ----------
    fit : MixedFit
    contrasts : ndarray, shape (k, p)

    Returns
    -------
    JointTest
        df and p_value NaN where the fit is singular.
    """
    values, vectors = np.linalg.eigh(contrasts @ fit.vcov @ contrasts.T)
    held = values > _RANK * values[-1]
    turned = vectors[:, held].T @ contrasts
    count = len(turned)
    statistic = float(np.mean((turned @ fit.beta) ** 2 / values[held]))
    df = _joint_df(satterthwaite_df(fit, turned))
    p_value = float(f_distribution.sf(statistic, count, df))
    return JointTest(statistic, count, df, p_value, 1.0)


def _joint_df(each: Floats) -> float:
    if len(each) == 1 or np.ptp(each) < _RANK:
        return float(each.mean())
    if np.any(each <= 2):
        return 2.0
    mean = float(np.sum(each / (each - 2)))
    return 2 * mean / (mean - len(each))


def _uncertainty(fit: MixedFit, contrasts: Floats) -> tuple[Floats, Floats]:
    """Return the covariance of (theta, sigma), and the slopes of the contrasts' variances.

    Shapes (m + 1, m + 1) and (k, m + 1).
    """
    likelihood, theta = fit.likelihood, fit.theta
    inside, count = likelihood.coordinates, len(theta)
    sigma = fit.sigma / inside.scale
    rotated = contrasts @ inside.to_beta * inside.scale
    hessian = np.zeros((count + 1, count + 1))
    slopes = np.zeros((len(contrasts), count + 1))
    scale = theta_scale(likelihood)
    for position in range(count):
        step = np.zeros(count)
        step[position] = _STEP * max(float(scale[position]), abs(theta[position]))
        # Central differences at two widths, extrapolated (Richardson).
        wide = _differences(fit, 2 * step, sigma, rotated)
        narrow = _differences(fit, step, sigma, rotated)
        rise, lift = ((4 * n - w) / 3 for n, w in zip(narrow, wide, strict=True))
        hessian[:count, position], slopes[:, position] = rise, lift
    lowers = likelihood.layout.factors(theta)
    pairs = zip(fit.at.spreads, lowers, strict=True)
    mixed = likelihood.layout.collect([4 * spread / sigma**3 @ lower for spread, lower in pairs])
    hessian[:count, count] = hessian[count, :count] = mixed
    hessian[count, count] = 4 * free_rows(likelihood, fit.reml) / sigma**2
    slopes[:, count] = 2 * _variance(fit.at, sigma, rotated) / sigma
    covariance: Floats = np.asarray(2 * np.linalg.inv((hessian + hessian.T) / 2), dtype=np.float64)
    return covariance, slopes


def _differences(
    fit: MixedFit, step: Floats, sigma: float, rotated: Floats
) -> tuple[Floats, Floats]:
    """Return the change of the gradient and of the variances, per unit of theta."""
    width = 2 * step.sum()
    gradients, variances = [], []
    for moved in (fit.theta + step, fit.theta - step):
        at = fit.likelihood.profile(moved)
        gradients.append(gradient(fit.likelihood, moved, at, sigma**2, fit.reml))
        variances.append(_variance(at, sigma, rotated))
    return (gradients[0] - gradients[1]) / width, (variances[0] - variances[1]) / width


def _variance(at: Profile, sigma: float, rotated: Floats) -> Floats:
    solved = np.linalg.solve(at.information, rotated.T)
    return np.asarray(sigma**2 * np.einsum("kp,pk->k", rotated, solved))

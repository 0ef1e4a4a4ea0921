"""Shares of a mixed model's variance by term, with delta intervals.

The variance of term t at z is sigma^2 |L_t'z|^2, and the residual's sigma^2: in a share sigma
cancels, so that it depends on theta alone. Goldstein, Browne and Rasbash (2002,
doi:10.1207/S15328031US0104_02).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.likelihood import free_rows, gradient
from baseeval.numerics.mixed_models.templates import Layout
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a whole variance.

    Parameters
    ----------
    parts : ndarray, shape (t + 1,)
        Over the residual variance of the model, the residual's own last.
    share, low, high : ndarray, shape (t + 1,)
        Each part over the whole, with its 95% interval.
    joint, joint_low, joint_high : ndarray, shape (t,)
        The parts up to and with each, over the whole.
    """

    parts: Floats
    share: Floats
    low: Floats
    high: Floats
    joint: Floats
    joint_low: Floats
    joint_high: Floats


def theta_covariance(fit: MixedFit) -> Floats:
    """Return the covariance of theta: twice the inverse Hessian of the profiled deviance.

    Parameters
    ----------
    fit : MixedFit

    Returns
    -------
    ndarray, shape (m, m)
        NaN where the fit is singular: theta has no such Hessian on the boundary.
    """
    count = len(fit.theta)
    if fit.singular:
        return np.full((count, count), np.nan)
    scale = theta_scale(fit.likelihood)
    hessian = np.empty((count, count))
    for place in range(count):
        step = np.zeros(count)
        step[place] = _STEP * max(float(scale[place]), abs(fit.theta[place]))
        # Central differences at two widths, extrapolated (Richardson).
        wide, narrow = _difference(fit, 2 * step), _difference(fit, step)
        hessian[:, place] = (4 * narrow - wide) / 3
    return np.asarray(2 * np.linalg.inv((hessian + hessian.T) / 2))


def variance_shares(
    layout: Layout,
    theta: Floats,
    covariance: Floats,
    z: Sequence[Floats],
    order: Sequence[int],
    residual: float = 1.0,
) -> Shares:
    """Split a variance into parts.

    Parameters
    ----------
    layout : Layout
    theta : ndarray, shape (m,)
    covariance : ndarray, shape (m, m)
        Of theta; NaN leaves the intervals out.
    z : sequence of ndarray, shapes (q_t,)
        Values of each term's columns.
    order : sequence of int
        Terms, the outermost level first.
    residual : float
        Variance of a row's own part, on the scale of theta squared.

    Returns
    -------
    Shares
        Intervals symmetric on the logit scale.
    """
    lowers = layout.factors(theta)
    turned = [lower.T @ column for lower, column in zip(lowers, z, strict=True)]
    parts = np.array([float(turned[term] @ turned[term]) for term in order] + [residual])
    slopes = np.zeros((len(parts), len(theta)))
    for place, term in enumerate(order):
        pieces = [np.zeros_like(lower) for lower in lowers]
        pieces[term] = 2 * np.outer(z[term], turned[term])
        slopes[place] = layout.collect(pieces)
    share, low, high = _intervals(parts, slopes, covariance, np.eye(len(parts)))
    until = np.tril(np.ones((len(parts), len(parts))))[:-1]
    joint, joint_low, joint_high = _intervals(parts, slopes, covariance, until)
    return Shares(parts, share, low, high, joint, joint_low, joint_high)


def _difference(fit: MixedFit, step: Floats) -> Floats:
    """Return the change of the profiled deviance's gradient per unit of theta."""
    free = free_rows(fit.likelihood, fit.reml)
    found = []
    for moved in (fit.theta + step, fit.theta - step):
        at = fit.likelihood.profile(moved)
        found.append(gradient(fit.likelihood, moved, at, at.rss / free, fit.reml))
    return np.asarray((found[0] - found[1]) / (2 * step.sum()))


def _intervals(
    parts: Floats, slopes: Floats, covariance: Floats, sums: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the shares of sums of parts, shape (s, t + 1), and the ends of their intervals."""
    top, rest = sums @ parts, (1 - sums) @ parts
    with np.errstate(divide="ignore", invalid="ignore"):
        # The logit of a share is log(top) - log(rest).
        lean = (sums @ slopes) / top[:, None] - ((1 - sums) @ slopes) / rest[:, None]
        error = np.sqrt(np.einsum("sm,mn,sn->s", lean, covariance, lean))
        share = top / (top + rest)
        reach = norm.ppf(0.975) * error
        return share, expit(logit(share) - reach), expit(logit(share) + reach)

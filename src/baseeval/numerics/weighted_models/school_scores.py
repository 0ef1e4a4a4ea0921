"""How each school moves a weighted mixed model: its score, and its second derivative.

In the coordinates of the likelihood, with gamma the coefficients, tau the residual standard
deviation and r = y - X gamma, of school j (`docs/methods/weighted-models.md`):

    by gamma    w_j X'V^-1 r / tau^2
    by theta    w_j collect( (spread / tau^2 - shape) L )
    by tau      w_j (r'V^-1 r / tau^3 - N_j / tau),   N_j the sum of its pupils' weights
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.weighted_models.pseudo_likelihood import (
    Swept,
    WeightedLikelihood,
)

Floats = NDArray[np.float64]

#: Step of a difference, as a share of the parameter.
_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Place:
    """All that is estimated, in the coordinates of a likelihood.

    Parameters
    ----------
    gamma : ndarray, shape (k,)
        Coefficients.
    theta : ndarray, shape (m,)
    tau : float
        Residual standard deviation.
    """

    gamma: Floats
    theta: Floats
    tau: float

    @property
    def ahead(self) -> Floats:
        """Return (-gamma, 1), by which [X y] becomes the residual."""
        return np.append(-self.gamma, 1.0)


def school_scores(likelihood: WeightedLikelihood, at: Place) -> Floats:
    """Return the derivative of each school's weighted log-likelihood by the parameters.

    Parameters
    ----------
    likelihood : WeightedLikelihood
    at : Place

    Returns
    -------
    ndarray, shape (G, k + m + 1)
        By gamma, theta and tau; the schools' weights are those of the likelihood.
    """
    rows, layout = likelihood.rows, likelihood.layout
    swept = likelihood.sweep(layout.covariances(at.theta))
    products = _times_residual(likelihood, swept, at.ahead)
    by_theta = [
        np.stack([template.collect(part) for part in (spread / at.tau**2 - shape) @ lower])
        for template, lower, (shape, spread) in zip(
            layout.templates,
            layout.factors(at.theta),
            likelihood.school_parts(swept, at.ahead),
            strict=True,
        )
    ]
    by_tau = products @ at.ahead / at.tau**3 - rows.school_sizes / at.tau
    found = np.column_stack([products[:, :-1] / at.tau**2, *by_theta, by_tau])
    return np.asarray(likelihood.school_weights[:, None] * found)


def school_curvatures(likelihood: WeightedLikelihood, at: Place) -> Floats:
    """Return minus the second derivative of each school's weighted log-likelihood.

    Parameters
    ----------
    likelihood : WeightedLikelihood
    at : Place

    Returns
    -------
    ndarray, shape (G, d, d)
        d = k + m + 1. By gamma twice it is exact, else by differences of scores.
    """
    k, m = len(at.gamma), len(at.theta)
    found = np.zeros((len(likelihood.school_weights), k + m + 1, k + m + 1))
    found[:, :k, :k] = school_information(likelihood, at.theta) / at.tau**2
    for place in range(m + 1):
        # Theta is over tau, so a tenth of it stands for its unit where it is near zero.
        size = _STEP * (at.tau if place == m else max(abs(float(at.theta[place])), 0.1))
        moved, lifted = size * (np.arange(m) == place), size * (place == m)
        above = Place(at.gamma, at.theta + moved, at.tau + lifted)
        below = Place(at.gamma, at.theta - moved, at.tau - lifted)
        slope = school_scores(likelihood, above) - school_scores(likelihood, below)
        found[:, :, k + place] = -slope / (2 * size)
        found[:, k + place, :k] = found[:, :k, k + place]
    found[:, k:, k:] = (found[:, k:, k:] + np.swapaxes(found[:, k:, k:], 1, 2)) / 2
    return found


def _times_residual(likelihood: WeightedLikelihood, swept: Swept, ahead: Floats) -> Floats:
    """Return [X y]'V^-1 r of each school, shape (G, k + 1)."""
    rows, q, r = likelihood.rows, likelihood.rows.z.shape[1], likelihood.rows.z_inner.shape[1]
    weighted = rows.row_weights * (likelihood.columns @ ahead)
    found = np.add.reduceat(likelihood.columns * weighted[:, None], rows.school_starts, axis=0)
    if r:
        products = likelihood.inner[:, :, r + q :]
        pulls = swept.inner_spread @ (products @ ahead)[:, :, None]
        found -= likelihood.add_pupils((np.swapaxes(products, 1, 2) @ pulls)[:, :, 0])
    cross = swept.cross[:, :, q:]
    pulls = swept.spread @ (cross @ ahead)[:, :, None]
    return np.asarray(found - (np.swapaxes(cross, 1, 2) @ pulls)[:, :, 0])


def school_information(likelihood: WeightedLikelihood, theta: Floats) -> Floats:
    """Return X'V^-1X of each school, the schools weighted.

    Parameters
    ----------
    likelihood : WeightedLikelihood
    theta : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (G, k, k)
    """
    rows, q, r = likelihood.rows, likelihood.rows.z.shape[1], likelihood.rows.z_inner.shape[1]
    swept = likelihood.sweep(likelihood.layout.covariances(theta))
    x = likelihood.columns[:, :-1]
    edges = np.append(rows.school_starts, len(x))
    weighted = rows.row_weights[:, None] * x
    found = np.array(
        [x[low:high].T @ weighted[low:high] for low, high in itertools.pairwise(edges)]
    )
    if r:
        products = likelihood.inner[:, :, r + q : -1]
        found -= likelihood.add_pupils(np.swapaxes(products, 1, 2) @ swept.inner_spread @ products)
    cross = swept.cross[:, :, q:-1]
    found -= np.swapaxes(cross, 1, 2) @ swept.spread @ cross
    return np.asarray(likelihood.school_weights[:, None, None] * found)

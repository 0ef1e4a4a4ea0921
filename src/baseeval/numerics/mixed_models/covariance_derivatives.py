"""Derivatives of X'V^-1X and log|V| with respect to the elements of a mixed model's covariance.

Var(y) over sigma^2 is V = s_0 W^-1 + sum_r s_r G_r, with s_0 = 1 and s_r the free elements of
the effects' covariances. The derivatives by s_r are differences of the engine's `moments`, which
are analytic on both sides of a variance of zero; those by s_0 follow from Euler's identity, as
V is of degree one in (s_0, s_1, ...). See `docs/methods/kenward-roger.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.likelihood import Likelihood
from baseeval.numerics.mixed_models.templates import Layout, Template

Floats = NDArray[np.float64]

#: Widest step, over one over the root of the second derivative of log|V|.
_WIDTH = 0.1
#: A second difference of log|V| below this is rounding.
_NOISE = 1e-11
#: Richardson's weights of steps of one, a half and a quarter: errors of order h^2 and h^4 cancel.
_STEPS = ((1.0, 1 / 45), (0.5, -20 / 45), (0.25, 64 / 45))


@dataclass(frozen=True, slots=True)
class CovarianceDerivatives:
    """Derivatives by the r free elements and, last, by the residual variance; sigma^2 is one.

    Parameters
    ----------
    information : ndarray, shape (r + 1, k, k)
        Of X'V^-1X: P_r.
    information_twice : ndarray, shape (r + 1, r + 1, k, k)
        Q_rs + Q_sr.
    log_det_twice : ndarray, shape (r + 1, r + 1)
        Of log|V|: -trace(V^-1 G_r V^-1 G_s).
    """

    information: Floats
    information_twice: Floats
    log_det_twice: Floats


def covariance_derivatives(fit: MixedFit) -> CovarianceDerivatives:
    """Differentiate at the fitted covariance.

    Parameters
    ----------
    fit : MixedFit

    Returns
    -------
    CovarianceDerivatives
        In the likelihood's coordinates.
    """
    layout, values = fit.likelihood.layout, fit.likelihood.layout.covariances(fit.theta)
    moves, steps, place = _scaled(fit, values, covariance_directions(layout))
    count, k = len(moves), len(fit.at.beta)
    first = np.zeros((count, k * k + 1))
    twice = np.zeros((count, count, k * k + 1))
    centre = _moments(fit.likelihood, values)
    for r, move in enumerate(moves):
        first[r], twice[r, r] = _along(fit.likelihood, values, centre, move)
    for r, s in combinations(range(count), 2):
        both = [one + other for one, other in zip(moves[r], moves[s], strict=True)]
        found = _along(fit.likelihood, values, centre, both)[1]
        twice[r, s] = twice[s, r] = (found - twice[r, r] - twice[s, s]) / 2
    # From steps to units.
    first /= steps[:, None]
    twice /= (steps[:, None] * steps)[:, :, None]
    # X'V^-1X has degree minus one, and the derivative of log|V| by any element too.
    degree = np.ones(k * k + 1)
    degree[0] = 0.0
    constant = -centre
    constant[0] = fit.likelihood.n
    residual = constant - place @ first
    across = -(degree + 1) * first - np.einsum("r,rsm->sm", place, twice)
    corner = -(degree + 1) * residual - place @ across
    first = np.vstack([first, residual])
    twice = np.concatenate([twice, across[:, None]], axis=1)
    twice = np.concatenate([twice, np.vstack([across, corner])[None]])
    return CovarianceDerivatives(
        first[:, 1:].reshape(-1, k, k),
        twice[:, :, 1:].reshape(count + 1, count + 1, k, k),
        twice[:, :, 0],
    )


def covariance_directions(layout: Layout) -> list[list[Floats]]:
    """Return what a unit of each free element adds to the terms' covariances.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    list of list of ndarray, shapes (q_t, q_t)
        One list an element: a variance, shared or not, or a covariance.
    """
    zero = [np.zeros((template.size, template.size)) for template in layout.templates]
    moves = []
    for term, template in enumerate(layout.templates):
        for own in _own_directions(template):
            moves.append([*zero[:term], own, *zero[term + 1 :]])
    return moves


def _own_directions(template: Template) -> list[Floats]:
    if not template.correlated:
        ones = np.eye(template.count)
        return [np.diag(np.diagonal(template.factor(np.sqrt(one)))) for one in ones]
    free = template.factor(np.ones(template.count))
    found = []
    for row, column in zip(*np.tril_indices(template.size), strict=True):
        if (free @ free.T)[row, column] != 0:
            own = np.zeros((template.size, template.size))
            own[row, column] = own[column, row] = 1.0
            found.append(own)
    if len(found) != template.count:
        raise ValueError("correlated effects that share parameters have no linear covariance")
    return found


def _scaled(
    fit: MixedFit, values: list[Floats], moves: list[list[Floats]]
) -> tuple[list[list[Floats]], Floats, Floats]:
    """Return the directions times a step each, the steps, and the present elements."""
    centre = _moments(fit.likelihood, values)
    steps, place = np.ones(len(moves)), np.zeros(len(moves))
    for r, move in enumerate(moves):
        term = next(t for t, own in enumerate(move) if own.any())
        row, column = (int(found[0]) for found in np.nonzero(move[term]))
        place[r] = values[term][row, column]
        # trace(V^-1 G) bounds the largest eigenvalue, beyond one over which V is singular.
        traces = np.diagonal(fit.at.shapes[term] * (move[term] != 0))
        if row != column:
            traces = np.sqrt(np.diagonal(fit.at.shapes[term])[[row, column]].prod())
        bound = float(np.sum(traces))
        if bound > 0:
            steps[r] = _WIDTH / bound
            curved = _along(fit.likelihood, values, centre, [steps[r] * own for own in move])[1][0]
            steps[r] *= _WIDTH / np.sqrt(max(-curved, _NOISE))
    scaled = [[step * own for own in move] for step, move in zip(steps, moves, strict=True)]
    return scaled, steps, place


def _along(
    likelihood: Likelihood, values: list[Floats], centre: Floats, move: list[Floats]
) -> tuple[Floats, Floats]:
    """Return first and second derivatives along a direction, per its own length."""
    first, twice = np.zeros_like(centre), np.zeros_like(centre)
    for step, weight in _STEPS:
        above = _moments(likelihood, [v + step * m for v, m in zip(values, move, strict=True)])
        below = _moments(likelihood, [v - step * m for v, m in zip(values, move, strict=True)])
        first += weight * (above - below) / (2 * step)
        twice += weight * ((above - centre) + (below - centre)) / step**2
    return first, twice


def _moments(likelihood: Likelihood, values: list[Floats]) -> Floats:
    """Return log|V| and the elements of X'V^-1X, shape (1 + k k,)."""
    log_det, information = likelihood.moments(values)
    return np.concatenate([[log_det], information.ravel()])

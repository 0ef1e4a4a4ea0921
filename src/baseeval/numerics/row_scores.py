"""Estimating functions of fitted chances of arms, for intervals that account for their estimation.

An estimator that solves sum_i s_i(theta) = 0 moves, to first order, with each row's score s_i by
bread @ s_i, where bread is the inverse of minus the derivative of the sum (Stefanski and Boos 2002,
doi:10.1198/000313002753631330). What depends on the chances follows by the chain rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.arm_likelihood import evaluate_arms
from baseeval.numerics.jeffreys import jeffreys_curvature, jeffreys_score
from baseeval.numerics.laplace import Grouped, approximate
from baseeval.numerics.multinomial import Multinomial
from baseeval.numerics.newton import invert_scaled
from baseeval.numerics.random_logit import RandomLogit

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RowScores:
    """How each row moves an estimate.

    Parameters
    ----------
    scores : ndarray, shape (n, q)
        At the estimate; columns add up to zero.
    bread : ndarray, shape (q, q)
        Inverse of minus the derivative of the summed scores.
    """

    scores: Floats
    bread: Floats


@dataclass(frozen=True, slots=True)
class GroupedScores:
    """How rows of groups move an estimate with an effect for each group.

    Parameters
    ----------
    scores : ndarray, shape (n, q)
        Only their sums by group mean anything: rows of a group are not independent.
    bread : ndarray, shape (q, q)
    by_parameters : ndarray, shape (n, q)
        Derivative of each row's log odds, its group's mode moving along. The
        parameters are `beta` and, unless it is zero, the standard deviation.
    """

    scores: Floats
    bread: Floats
    by_parameters: Floats


def score_likelihood(
    fit: Multinomial, x: Floats, arm: Ints, weights: Floats | None = None
) -> RowScores:
    """Return the scores of a fit by maximum likelihood, penalised or not.

    Parameters
    ----------
    fit : Multinomial
        From :func:`baseeval.numerics.multinomial.fit_multinomial`.
    x : ndarray, shape (n, p)
    arm : ndarray of int, shape (n,)
    weights : ndarray, shape (n,), optional
        As for the fit.

    Returns
    -------
    RowScores
        A ridge is shared among the rows by their weights; the standard
        deviations in it count as known.
    """
    size = np.ones(len(arm)) if weights is None else weights
    scores = _times_columns(_residuals(fit, arm, size), x)
    if fit.penalty.any():
        scores -= np.outer(size / size.sum(), fit.penalty @ fit.beta.ravel())
    return RowScores(scores, fit.vcov)


def score_firth(fit: Multinomial, x: Floats, arm: Ints, weights: Floats | None = None) -> RowScores:
    """Return the scores of a fit with Firth's bias reduction.

    Parameters
    ----------
    fit : Multinomial
        From :func:`baseeval.numerics.firth.fit_firth`.
    x : ndarray, shape (n, p)
    arm : ndarray of int, shape (n,)
    weights : ndarray, shape (n,), optional
        As for the fit.

    Returns
    -------
    RowScores
        Each row's part of the bias reduction is in its score, and the
        reduction's own derivative in the bread.
    """
    size = np.ones(len(arm)) if weights is None else weights
    information = evaluate_arms(x, arm, fit.beta, size).information
    inverse = invert_scaled(information)
    shift = jeffreys_score(x, fit.beta, size, inverse)
    curvature: Floats = information + jeffreys_curvature(x, fit.beta, size, inverse)
    scores = _times_columns(_residuals(fit, arm, size) + shift, x)
    return RowScores(scores, np.asarray(np.linalg.inv(curvature), dtype=np.float64))


def score_random(
    fit: RandomLogit, x: Floats, y: NDArray[np.bool_], group: Ints, weights: Floats | None = None
) -> GroupedScores:
    """Return the scores of a fit with an intercept for each group.

    Parameters
    ----------
    fit : RandomLogit
    x : ndarray, shape (n, p)
    y : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
    weights : ndarray, shape (n,), optional
        As for the fit.

    Returns
    -------
    GroupedScores
    """
    size = np.ones(len(y)) if weights is None else weights
    p = x.shape[1]
    if fit.singular:
        residual = size * (y - fit.probability)
        return GroupedScores(residual[:, None] * x, fit.vcov[:p, :p], x.copy())
    data = Grouped(x, np.asarray(y, dtype=float), size, group, len(fit.effects))
    at = approximate(data, fit.beta, fit.sd, fit.effects / fit.sd)
    scores = np.column_stack([at.by_eta[:, None] * x, at.by_sd])
    moved = np.column_stack([data.add_up(at.mode_by_eta * column) for column in x.T])
    by_beta = x + fit.sd * moved[group]
    by_sd = (at.effects + fit.sd * at.mode_by_sd)[group]
    return GroupedScores(scores, fit.vcov, np.column_stack([by_beta, by_sd]))


def pull_back(x: Floats, probability: Floats, by_probability: Floats) -> Floats:
    """Turn derivatives by each row's chances into derivatives by the coefficients.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    probability : ndarray, shape (n, k)
    by_probability : ndarray, shape (n, k)
        Derivative of a number of each row by its chance of each arm.

    Returns
    -------
    ndarray, shape (n, q)
        sum_a by_probability_a pi_a (1[a = c] - pi_c) x for c = 1 .. k - 1.

    Examples
    --------
    The weight 1 / pi of an arm with even odds falls by (1 - pi) / pi = 1:

    >>> half = np.array([[0.5, 0.5]])
    >>> pull_back(np.ones((1, 1)), half, np.array([[0.0, -4.0]])).tolist()
    [[-1.0]]
    """
    mean = np.sum(by_probability * probability, axis=1, keepdims=True)
    return _times_columns(((by_probability - mean) * probability)[:, 1:], x)


def _residuals(fit: Multinomial, arm: Ints, size: Floats) -> Floats:
    own = arm[:, None] == np.arange(1, fit.probability.shape[1])
    residuals: Floats = size[:, None] * (own - fit.probability[:, 1:])
    return residuals


def _times_columns(by_arm: Floats, x: Floats) -> Floats:
    """Return each row's number for each arm times its columns, arm by arm, shape (n, q)."""
    return (by_arm[:, :, None] * x[:, None, :]).reshape(len(x), -1)

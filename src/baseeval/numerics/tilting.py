"""Exponential tilting: inverse probability tilting, and the estimating functions of tilted weights.

Graham, Pinto and Egel (2012, doi:10.1093/restud/rdr047): with the logit a unit of an arm has the
weight 1 + exp(-x theta), and theta makes the weighted totals of the arm those of all. What the unit
speaks for besides itself, exp(-x theta), then tilts the arm to the totals of the rest: entropy
balancing to their means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.numerics.entropy import EntropyBalance, balance_entropy

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tilt:
    """Weights of an arm that stand for the arm and the rest.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        The base over the chance of being in this arm: at least the base.
    odds : ndarray, shape (n,)
        The part of `weights` that stands for the rest.
    balance : EntropyBalance
        How that part was found.
    """

    weights: Floats
    odds: Floats
    balance: EntropyBalance


@dataclass(frozen=True, slots=True)
class Equations:
    """What tells how weights vary with the data: see `baseeval.results.Estimation`.

    Parameters
    ----------
    scores : ndarray, shape (n, q)
    bread : ndarray, shape (q, q)
    d_weights : ndarray, shape (n, q)
    """

    scores: Floats
    bread: Floats
    d_weights: Floats


def tilt_probability(x: Floats, base: Floats, rest_mean: Floats, rest_total: float) -> Tilt:
    """Weight an arm to the totals of itself and the rest by inverse probability tilting.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        The arm's rows, without an intercept.
    base : ndarray, shape (n,)
    rest_mean : ndarray, shape (p,)
        Weighted means of all rows outside the arm.
    rest_total : float
        Their base weights added up.

    Returns
    -------
    Tilt

    Examples
    --------
    >>> arm = np.array([[0.0], [1.0]])
    >>> found = tilt_probability(arm, np.ones(2), np.array([0.75]), 4.0)
    >>> found.weights.round(6).tolist()
    [2.0, 4.0]
    """
    found = balance_entropy(x, rest_mean, base)
    odds = found.weights * (rest_total / found.weights.sum())
    return Tilt(base + odds, odds, found)


def predicted_odds(found: EntropyBalance, x: Floats, targets: Floats, total: float) -> Floats:
    """Predict, for any rows, the odds that tilting gave to the rows it was found from.

    Parameters
    ----------
    found : EntropyBalance
    x : ndarray, shape (m, p)
    targets : ndarray, shape (p,)
        Those that it was found for.
    total : float
        What the tilted weights were scaled to add up to.

    Returns
    -------
    ndarray, shape (m,)
        Of a row of base weight one.

    Examples
    --------
    >>> arm, target = np.array([[0.0], [0.0], [1.0]]), np.array([0.5])
    >>> predicted_odds(balance_entropy(arm, target), arm, target, 3.0).round(6).tolist()
    [0.75, 0.75, 1.5]
    """
    scale = found.intercept + np.log(total / len(found.weights))
    odds: Floats = np.exp(scale + (x - targets) @ found.multipliers)
    return odds


def tilting_equations(
    regressors: Floats, weights: Floats, moving: Floats, goal: Floats
) -> Equations:
    """Give the estimating functions of one arm's tilted weights.

    They are (weight - goal) times the regressors: an arm's weighted totals are those of its target.

    Parameters
    ----------
    regressors : ndarray, shape (n, q)
        All rows of the data, the intercept included; of full rank among rows that move.
    weights : ndarray, shape (n,)
        The arm's weights; 0 outside it.
    moving : ndarray, shape (n,)
        The part of a weight that is exponential in the regressors.
    goal : ndarray, shape (n,)
        The target's weights; their totals are those of `weights`.

    Returns
    -------
    Equations
    """
    information = regressors.T @ (regressors * moving[:, None])
    return Equations(
        scores=regressors * (weights - goal)[:, None],
        bread=np.asarray(-np.linalg.inv(information), dtype=float),
        d_weights=regressors * moving[:, None],
    )


def stack_equations(several: Sequence[Equations]) -> Equations:
    """Put the equations of several arms, each with its own parameters, into one.

    Parameters
    ----------
    several : sequence of Equations

    Returns
    -------
    Equations
    """
    return Equations(
        scores=np.hstack([each.scores for each in several]),
        bread=np.asarray(block_diag(*[each.bread for each in several]), dtype=float),
        d_weights=np.hstack([each.d_weights for each in several]),
    )

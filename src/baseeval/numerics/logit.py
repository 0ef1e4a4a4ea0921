"""Logistic regression by Newton's method: the multinomial one with two arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.multinomial import Multinomial, fit_multinomial
from baseeval.numerics.separation import Separation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Logit:
    """A fitted logistic regression.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    vcov : ndarray, shape (p, p)
        Inverse of the (penalised) information.
    probability : ndarray, shape (n,)
        Of every row, also of weight zero.
    converged : bool
    separated : bool
        True where the columns tell (some) ones from zeros without doubt, so
        that no finite estimate exists.
    separation : Separation or None
        Which columns do.
    log_likelihood : float
        Without any penalty.
    counts : ndarray of int, shape (2,)
        Zeros and ones among the rows of positive weight.
    rare : bool
        Whether either is fewer than `multinomial.RARE` for each column beside the first.
    penalty : ndarray, shape (p, p)
        Of the ridge, half beta' penalty beta; zeros without one.
    """

    beta: Floats
    vcov: Floats
    probability: Floats
    converged: bool
    separated: bool
    separation: Separation | None
    log_likelihood: float
    counts: Ints
    rare: bool
    penalty: Floats


def fit_logit(
    x: Floats, y: NDArray[np.bool_], weights: Floats | None = None, *, penalty: float = 0.0
) -> Logit:
    """Fit P(y = 1 | x) = expit(x beta) by maximum likelihood, penalised if so wished.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank, the intercept included.
    y : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,), optional
        Not negative. A weight of two is a row twice.
    penalty : float
        Ridge: half of it times the squared coefficients of columns in standard
        deviations is taken off the log-likelihood (a normal prior of variance
        1 / penalty). Constant columns are free.

    Returns
    -------
    Logit

    Raises
    ------
    ValueError
        Columns depend on one another.

    Examples
    --------
    >>> fit = fit_logit(np.ones((4, 1)), np.array([True, False, False, False]))
    >>> round(float(fit.probability[0]), 6)
    0.25
    """
    return two_arms(
        fit_multinomial(x, np.asarray(y, dtype=np.intp), weights, arms=2, penalty=penalty)
    )


def two_arms(fit: Multinomial) -> Logit:
    """Return a multinomial fit of two arms as a logistic regression of the second.

    Parameters
    ----------
    fit : Multinomial

    Returns
    -------
    Logit
    """
    return Logit(
        fit.beta[0],
        fit.vcov,
        fit.probability[:, 1].copy(),
        fit.converged,
        fit.separated,
        fit.separation,
        fit.log_likelihood,
        fit.counts,
        bool(fit.rare),
        fit.penalty,
    )

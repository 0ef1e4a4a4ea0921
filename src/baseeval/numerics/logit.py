"""Logistic regression by Newton's method from cross-products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

_STEPS = 60
#: A linear predictor this large has a probability that no data of ours can tell from 0 or 1.
_SEPARATED = 25.0


@dataclass(frozen=True, slots=True)
class Logit:
    """A fitted logistic regression.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    vcov : ndarray, shape (p, p)
        Inverse of the information.
    probability : ndarray, shape (n,)
    converged : bool
    separated : bool
        True where the columns tell (nearly) all ones from zeros, so that no
        finite estimate exists.
    """

    beta: Floats
    vcov: Floats
    probability: Floats
    converged: bool
    separated: bool


def fit_logit(x: Floats, y: NDArray[np.bool_], weights: Floats | None = None) -> Logit:
    """Fit P(y = 1 | x) = expit(x beta) by maximum likelihood.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank, the intercept included.
    y : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,), optional
        Not negative.

    Returns
    -------
    Logit

    Examples
    --------
    >>> fit = fit_logit(np.ones((4, 1)), np.array([True, False, False, False]))
    >>> round(float(fit.probability[0]), 6)
    0.25
    """
    size = np.ones(len(y)) if weights is None else weights
    # Columns of one length: the information is then as well conditioned as scaling makes it.
    length = np.linalg.norm(x, axis=0)
    scaled = x / length
    target = y.astype(float)
    gamma, eta = np.zeros(x.shape[1]), np.zeros(len(y))
    previous = _log_likelihood(eta, target, size)
    converged = False
    information = np.eye(x.shape[1])
    for _ in range(_STEPS):
        probability = expit(eta)
        spread = size * probability * (1 - probability)
        information = scaled.T @ (scaled * spread[:, None])
        score = scaled.T @ (size * (target - probability))
        if np.linalg.cond(information) > 1e14:
            break
        step = np.linalg.solve(information, score)
        decrement = float(score @ step)
        if decrement < 1e-20 * max(1.0, abs(previous)):
            converged = True
            break
        change, share = scaled @ step, 1.0
        current = _log_likelihood(eta + change, target, size)
        while current < previous - 1e-12 * abs(previous) and share > 1e-6:
            share /= 2
            current = _log_likelihood(eta + share * change, target, size)
        gamma, eta = gamma + share * step, eta + share * change
        converged = decrement < 1e-12 * max(1.0, abs(previous))
        previous = current
    separated = bool(np.abs(eta[size > 0]).max(initial=0.0) > _SEPARATED or not converged)
    vcov = np.linalg.pinv(information, hermitian=True) / np.outer(length, length)
    return Logit(gamma / length, vcov, expit(eta), converged, separated)


def _log_likelihood(eta: Floats, target: Floats, size: Floats) -> float:
    return float(np.sum(size * (target * eta - np.logaddexp(0.0, eta))))

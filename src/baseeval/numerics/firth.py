"""Firth's bias reduction for logistic regression of two arms or more.

Firth (1993, doi:10.1093/biomet/80.1.27): with canonical parameters, adding half the log
determinant of the information to the log-likelihood (Jeffreys' prior) takes away the bias of first
order. Heinze and Schemper (2002, doi:10.1002/sim.1047) show that estimates are then finite whatever
separates the arms; Kosmidis and Firth (2011, doi:10.1093/biomet/asr026) treat several arms.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.arm_likelihood import arm_chances, evaluate_arms
from baseeval.numerics.centring import centre_far_columns
from baseeval.numerics.jeffreys import jeffreys_curvature, jeffreys_score
from baseeval.numerics.logit import Logit, two_arms
from baseeval.numerics.multinomial import Multinomial
from baseeval.numerics.newton import Derivatives, invert_scaled, maximise, solve_scaled

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Steps of Fisher scoring, which are cheap and do for many rows, and of Newton's method, which
#: takes the second derivative of the prior and does for few.
_FISHER, _NEWTON = 10, 100


def fit_firth(
    x: Floats, arm: Ints, weights: Floats | None = None, *, arms: int | None = None
) -> Multinomial:
    """Fit the chance of each arm with Firth's bias reduction.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank, the intercept included.
    arm : ndarray of int, shape (n,)
        0 .. k - 1.
    weights : ndarray, shape (n,), optional
        Not negative. A weight of two is a row twice, so that weights of a mean
        far from one change how much the bias reduction counts for.
    arms : int, optional
        k; one more than the largest `arm` by default.

    Returns
    -------
    Multinomial
        Its covariance is the inverse of the (unpenalised) information at the
        estimate, as usual for this method.

    Raises
    ------
    ValueError
        Columns depend on one another.

    Examples
    --------
    Adding half a pupil to each arm is what it comes to with a constant alone:

    >>> fit = fit_firth(np.ones((3, 1)), np.array([1, 1, 1]))
    >>> fit.probability[0].round(6).tolist()
    [0.125, 0.875]
    """
    size = np.ones(len(arm)) if weights is None else weights
    k = int(arm.max()) + 1 if arms is None else arms
    x, turn = centre_far_columns(x)
    shape, total = (k - 1, x.shape[1]), float(size.sum())

    def evaluate(flat: Floats, exact: bool) -> Derivatives:
        beta = flat.reshape(shape)
        here = evaluate_arms(x, arm, beta, size)
        inverse = invert_scaled(here.information)
        if np.isnan(inverse).any():
            return Derivatives(-np.inf, here.score, here.information)
        prior = float(np.linalg.slogdet(here.information)[1]) / 2
        shift = jeffreys_score(x, beta, size, inverse).T @ x
        curvature = here.information
        if exact:
            whole = curvature + jeffreys_curvature(x, beta, size, inverse)
            # Far from the maximum the prior may bend the other way; its scoring step then serves.
            curvature = whole if solve_scaled(whole, here.score) is not None else curvature
        return Derivatives(here.value + prior, here.score + shift.ravel(), curvature)

    found = maximise(partial(evaluate, exact=False), np.zeros(shape).ravel(), total, _FISHER)
    if not np.isfinite(found.value):
        raise ValueError("columns depend on one another: see independent_columns")
    if not found.converged:
        found = maximise(partial(evaluate, exact=True), found.at, total, _NEWTON)
    beta = found.at.reshape(shape)
    plain = evaluate_arms(x, arm, beta, size)
    back = np.kron(np.eye(k - 1), turn)
    return Multinomial(
        (back @ found.at).reshape(shape),
        back @ invert_scaled(plain.information) @ back.T,
        arm_chances(x, beta),
        plain.value,
        found.converged,
        None,
        np.bincount(arm[size > 0], minlength=k),
        np.zeros_like(plain.information),
    )


def fit_firth_logit(x: Floats, y: NDArray[np.bool_], weights: Floats | None = None) -> Logit:
    """Fit P(y = 1 | x) = expit(x beta) with Firth's bias reduction.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,), optional

    Returns
    -------
    Logit
        As :func:`fit_firth` has it.

    Examples
    --------
    >>> fit = fit_firth_logit(np.ones((3, 1)), np.array([True, True, True]))
    >>> round(float(fit.probability[0]), 6)
    0.875
    """
    return two_arms(fit_firth(x, np.asarray(y, dtype=np.intp), weights, arms=2))

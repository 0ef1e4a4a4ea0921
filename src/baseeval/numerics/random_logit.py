"""Logistic regression with a normal intercept for each group, by the Laplace approximation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from baseeval.numerics.arm_likelihood import row_blocks
from baseeval.numerics.centring import centre_far_columns
from baseeval.numerics.laplace import Grouped, Laplace, approximate
from baseeval.numerics.logit import Logit, fit_logit
from baseeval.numerics.newton import invert_scaled
from baseeval.numerics.separation import Separation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A standard deviation of log odds below this is zero.
SINGULAR = 1e-4
#: Bounds of the first guess of the standard deviation.
_LEAST, _MOST = 0.1, 2.0
#: Step of the differences that make the second derivative, in standard errors about.
_STEP = 1e-3
#: Newton steps after the search at most, and the gain that the last of them leaves.
_POLISH, _CLOSE = 20, 1e-14


@dataclass(frozen=True, slots=True)
class RandomLogit:
    """A fitted logistic regression with an intercept for each of G groups.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    sd : float
        Standard deviation of the groups' effects, in log odds.
    vcov : ndarray, shape (p + 1, p + 1)
        Of `beta` and `sd`: the inverse of minus the second derivative; NaN for
        `sd` where it is zero.
    effects : ndarray, shape (G,)
        Conditional modes of the groups' effects, in log odds.
    probability : ndarray, shape (n,)
        With the group's effect at its mode.
    log_likelihood : float
        Of the Laplace approximation.
    converged : bool
    separation : Separation or None
        As for :class:`baseeval.numerics.logit.Logit`; the fit is then the one
        without effects, at one place on the way.
    singular : bool
        Whether `sd` is estimated at zero: the fit is then that without effects.
    """

    beta: Floats
    sd: float
    vcov: Floats
    effects: Floats
    probability: Floats
    log_likelihood: float
    converged: bool
    separation: Separation | None
    singular: bool


def fit_random_logit(
    x: Floats, y: NDArray[np.bool_], group: Ints, weights: Floats | None = None
) -> RandomLogit:
    """Fit P(y = 1 | x, g) = expit(x beta + b_g), with b_g normal about zero.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank, the intercept included.
    y : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        0 .. G - 1, each with a row of positive weight.
    weights : ndarray, shape (n,), optional
        Not negative. A weight of two is a row twice.

    Returns
    -------
    RandomLogit

    Raises
    ------
    ValueError
        No group holds both ones and zeros, so that effects of groups without
        bound would explain everything; or columns depend on one another.

    Examples
    --------
    Groups that differ less than chance makes them differ: no effects.

    >>> y, group = np.array([1, 0, 1, 0, 1, 0], dtype=bool), np.array([0, 0, 1, 1, 2, 2])
    >>> fit = fit_random_logit(np.ones((6, 1)), y, group)
    >>> fit.sd, fit.singular, fit.probability.round(6).tolist()
    (0.0, True, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    """
    size = np.ones(len(y)) if weights is None else weights
    x, turn = centre_far_columns(x)
    data = Grouped(x, np.asarray(y, dtype=float), size, group, int(group.max()) + 1)
    ones, zeros = data.add_up(size * data.y), data.add_up(size * (1 - data.y))
    if not np.any((ones > 0) & (zeros > 0)):
        raise ValueError("no group holds both ones and zeros: effects of groups have no bound")
    plain = fit_logit(x, y, size)
    if plain.separated:
        return _turned(_without_effects(plain, data), turn)
    residual = data.add_up(size * (data.y - plain.probability))
    spread = data.add_up(size * plain.probability * (1 - plain.probability))
    # Twice the derivative of the likelihood by the variance at zero, over its expected fall.
    guess = float((residual @ residual - spread.sum()) / (spread @ spread))
    # Where zero is at least a local maximum, a search from above shows whether it is the only one.
    first = float(np.clip(np.sqrt(guess), _LEAST, _MOST)) if guess > 0 else 1.0
    found = _climb(data, plain, first)
    if found.sd <= SINGULAR or found.log_likelihood <= plain.log_likelihood:
        found = _without_effects(plain, data)
    return _turned(found, turn)


def _climb(data: Grouped, plain: Logit, first: float) -> RandomLogit:
    """Maximise from the fit without effects and a first guess of the standard deviation."""
    p = len(plain.beta)
    here = approximate(data, plain.beta, first, np.zeros(data.groups))
    turn, known = _turn(data, here, first), [here.effects]

    def place(z: Floats) -> tuple[Floats, float]:
        moved = turn @ z
        return plain.beta + moved[:p], first + float(moved[p])

    def fall(z: Floats) -> tuple[float, Floats]:
        at = approximate(data, *place(z), known[0])
        known[0] = at.effects
        slope = np.append(at.by_eta @ data.x, at.by_sd.sum())
        return -at.value, -(turn.T @ slope)

    z = minimize(fall, np.zeros(p + 1), jac=True, method="BFGS", options={"gtol": 1e-6}).x
    if place(z)[1] < 0:
        z[p] -= 2 * place(z)[1] / turn[p, p]
        known[0] = -known[0]
    steps = _STEP * np.eye(p + 1)
    second = np.array([(fall(z + s)[1] - fall(z - s)[1]) / (2 * _STEP) for s in steps])
    inverse, left = invert_scaled((second + second.T) / 2), np.inf
    for _ in range(_POLISH):
        slope = fall(z)[1]
        left = float(slope @ inverse @ slope)
        if not left > _CLOSE:
            break
        z = z - inverse @ slope
    beta, sd = place(z)
    at = approximate(data, beta, sd, known[0])
    return RandomLogit(
        beta,
        sd,
        turn @ inverse @ turn.T,
        sd * at.effects,
        at.probability,
        at.value,
        left <= _CLOSE,
        None,
        False,
    )


def _turn(data: Grouped, at: Laplace, sd: float) -> Floats:
    """Return a matrix whose columns are about uncorrelated steps of one standard error."""
    p = data.x.shape[1]
    curve = data.weights * at.probability * (1 - at.probability)
    spread = data.add_up(curve)
    ratio = sd**2 / (1 + sd**2 * spread)
    by_group = np.column_stack([data.add_up(curve * column) for column in data.x.T])
    information = -(by_group.T @ (by_group * ratio[:, None]))
    for rows, z in row_blocks(data.x):
        information += z.T @ (z * curve[rows, None])
    turn = np.zeros((p + 1, p + 1))
    turn[:p, :p] = np.linalg.inv(np.linalg.cholesky(information)).T
    turn[p, p] = 1 / np.sqrt(2 * np.sum((ratio * spread / sd) ** 2))
    return turn


def _turned(fit: RandomLogit, turn: Floats) -> RandomLogit:
    """Return a fit on moved columns as one on the columns that were given."""
    vcov = fit.vcov.copy()
    vcov[:-1] = turn @ vcov[:-1]
    vcov[:, :-1] = vcov[:, :-1] @ turn.T
    return replace(fit, beta=turn @ fit.beta, vcov=vcov)


def _without_effects(plain: Logit, data: Grouped) -> RandomLogit:
    p = len(plain.beta)
    vcov = np.full((p + 1, p + 1), np.nan)
    vcov[:p, :p] = plain.vcov
    return RandomLogit(
        plain.beta,
        0.0,
        vcov,
        np.zeros(data.groups),
        plain.probability,
        plain.log_likelihood,
        plain.converged,
        plain.separation,
        plain.separation is None,
    )

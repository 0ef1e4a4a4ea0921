"""Newton's method with step halving, for smooth likelihoods of a few hundred parameters at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Smallest eigenvalue, over the largest, of an information scaled to ones on its diagonal, below
#: which rounding alone can be its cause. What `independent_columns` keeps lies above.
SINGULAR = 2e-15
#: A step is the last when it gains less than this for a unit of weight: linear predictors then
#: move by 1e-9 (root mean square), and quadratic convergence leaves 1e-18.
_GAIN = 1e-18
_SMALLEST_SHARE = 2.0**-20


@dataclass(frozen=True, slots=True)
class Derivatives:
    """A log-likelihood at one place.

    Parameters
    ----------
    value : float
    score : ndarray, shape (q,)
        Its derivative.
    information : ndarray, shape (q, q)
        Minus its second derivative, or a positive definite stand-in (Fisher scoring).
    """

    value: float
    score: Floats
    information: Floats


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where a log-likelihood is largest.

    Parameters
    ----------
    at : ndarray, shape (q,)
    value : float
    information : ndarray, shape (q, q)
        At the last place but one, which lies within rounding of `at` where converged.
    converged : bool
    """

    at: Floats
    value: float
    information: Floats
    converged: bool


def maximise(
    evaluate: Callable[[Floats], Derivatives], start: Floats, size: float, steps: int = 15
) -> Maximum:
    """Climb a concave log-likelihood.

    Parameters
    ----------
    evaluate : callable
        From a place, shape (q,), to Derivatives.
    start : ndarray, shape (q,)
    size : float
        Sum of the rows' weights: the scale of the log-likelihood.
    steps : int
        At most so many.

    Returns
    -------
    Maximum
        Not converged where the steps ran out or the information became
        singular on the way.

    Examples
    --------
    >>> hill = lambda b: Derivatives(-float(b @ b) / 2, -b, np.eye(2))
    >>> maximise(hill, np.ones(2), 1.0).at.tolist()
    [0.0, 0.0]
    """
    at, here = start, evaluate(start)
    for _ in range(steps):
        step = solve_scaled(here.information, here.score)
        if step is None:
            break
        decrement = float(here.score @ step)
        if decrement < _GAIN * size:
            # The gain of a Newton step is half its decrement: no further look is needed.
            return Maximum(at + step, here.value + decrement / 2, here.information, True)
        share, there = 1.0, evaluate(at + step)
        while not there.value >= here.value - 1e-12 * abs(here.value) and share > _SMALLEST_SHARE:
            share /= 2
            there = evaluate(at + share * step)
        at, here = at + share * step, there
    return Maximum(at, here.value, here.information, False)


def solve_scaled(information: Floats, right: Floats) -> Floats | None:
    """Solve a positive definite system after scaling it to ones on its diagonal.

    Parameters
    ----------
    information : ndarray, shape (q, q)
    right : ndarray, shape (q,) or (q, r)

    Returns
    -------
    ndarray or None
        None where the matrix is singular to rounding.

    Examples
    --------
    >>> solve_scaled(np.diag([1.0, 1e12]), np.ones(2)).tolist()
    [1.0, 1e-12]
    >>> solve_scaled(np.ones((2, 2)), np.ones(2)) is None
    True
    """
    diagonal = np.diag(information)
    if not len(diagonal):  # thresholds alone, no coefficient
        return right
    if not np.all(np.isfinite(information)) or np.any(diagonal <= 0):
        return None
    length = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(information / np.outer(length, length))
    if values[0] <= SINGULAR * values[-1]:
        return None
    across = right / (length if right.ndim == 1 else length[:, None])
    turned = vectors.T @ across
    answer = vectors @ (turned / (values if right.ndim == 1 else values[:, None]))
    found: Floats = answer / (length if right.ndim == 1 else length[:, None])
    return found


def invert_scaled(information: Floats) -> Floats:
    """Invert a positive definite matrix; NaN everywhere where it is singular to rounding.

    Parameters
    ----------
    information : ndarray, shape (q, q)

    Returns
    -------
    ndarray, shape (q, q)
        Exactly symmetric.
    """
    inverse = solve_scaled(information, np.eye(len(information)))
    if inverse is None:
        return np.full_like(information, np.nan)
    symmetric: Floats = (inverse + inverse.T) / 2
    return symmetric

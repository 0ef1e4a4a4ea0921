"""Whether chance alone could make a difference of weighted means as large as the one seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr  # scipy.stats costs three seconds to import

Floats = NDArray[np.float64]

#: An effective number of schools, or rows, this close to one tells of no spread between them.
_ONE = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Wobble:
    """How far chance moves a difference of two weighted means.

    Parameters
    ----------
    std_error : float
        Were there no difference; NaN where it cannot be told.
    df : float
        Degrees of freedom of its t distribution.
    """

    std_error: float
    df: float


def clustered_wobble(held: Floats, weight: Floats, first: int, second: int) -> Wobble:
    """Return how chance moves a difference of means, schools being what chance draws.

    Each school adds what its pupils' values lie off the middle of both means, so
    that an arm whose schools happen to be all the same is not taken for certain
    (a score test). Pupils of both arms in one school move together. Each arm is
    scaled by G / (G - 1), with G Kish's effective number of its schools; degrees
    of freedom are Welch's (1947, doi:10.1093/biomet/34.1-2.28).

    Parameters
    ----------
    held : ndarray, shape (k, s)
        Sum of weight times value of each arm in each school.
    weight : ndarray, shape (k, s)
        Sum of weights.
    first, second : int

    Returns
    -------
    Wobble
        NaN where an arm lies in one school.

    Examples
    --------
    >>> weight = np.ones((2, 4)) * [[1, 1, 0, 0], [0, 0, 1, 1]]
    >>> held = np.array([[1.0, 3.0, 0, 0], [0, 0, 1.0, 3.0]])
    >>> clustered_wobble(held, weight, 0, 1)
    Wobble(std_error=1.4142135623730951, df=2.0)
    """
    total = weight.sum(axis=1)
    middle = sum(float(held[arm].sum() / total[arm]) for arm in (first, second)) / 2
    off, effective = {}, {}
    for arm in (first, second):
        effective[arm] = float(total[arm] ** 2 / (weight[arm] @ weight[arm]))
        scale = _scale(effective[arm])
        off[arm] = np.sqrt(scale) * (held[arm] - middle * weight[arm]) / total[arm]
    variance = float(np.sum((off[first] - off[second]) ** 2))
    parts = [float(off[arm] @ off[arm]) for arm in (first, second)]
    return Wobble(float(np.sqrt(variance)), _welch(parts, [effective[first], effective[second]]))


def row_wobble(
    values: Floats, squares: Floats, share: Floats, effective: Floats, first: int, second: int
) -> Wobble:
    """Return the same where each row is drawn by itself.

    Parameters
    ----------
    values : ndarray, shape (d,)
        Different values of the column.
    squares : ndarray, shape (k, d)
        Sum of squared shares of an arm's weight at each value.
    share : ndarray, shape (k, d)
    effective : ndarray, shape (k,)
        Kish's effective number of rows.
    first, second : int

    Returns
    -------
    Wobble
    """
    middle = float(share[[first, second]].sum(axis=0) @ values) / 2
    parts = [
        _scale(float(effective[arm])) * float(squares[arm] @ (values - middle) ** 2)
        for arm in (first, second)
    ]
    sizes = [float(effective[arm]) for arm in (first, second)]
    return Wobble(float(np.sqrt(sum(parts))), _welch(parts, sizes))


def chance_of(difference: float, wobble: Wobble, limit: float = 0.0) -> float:
    """Return how often chance makes a difference at least this large, if it is `limit`.

    Parameters
    ----------
    difference : float
    wobble : Wobble
        In the same unit.
    limit : float
        Size of the true difference, in that unit.

    Returns
    -------
    float
        NaN where the standard error is not known.

    Examples
    --------
    >>> round(chance_of(1.96, Wobble(1.0, 1e9)), 3)
    0.05
    """
    size, error = abs(difference), wobble.std_error
    if np.isnan(size) or not np.isfinite(error):
        return float("nan")
    if error == 0:
        return float(size <= limit)
    tails = stdtr(wobble.df, [(limit - size) / error, -(limit + size) / error])
    return float(min(1.0, tails.sum()))


def holm(p_values: Floats) -> Floats:
    """Adjust p-values of one family by Holm's method (1979), whatever their dependence.

    Parameters
    ----------
    p_values : ndarray, shape (m,)
        NaN for a question that was not answered, which does not count.

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> holm(np.array([0.01, 0.5, 0.02])).tolist()
    [0.03, 0.5, 0.04]
    """
    order = np.argsort(p_values)
    known = int(np.sum(~np.isnan(p_values)))
    adjusted = np.full(len(p_values), np.nan)
    raised = np.maximum.accumulate(p_values[order[:known]] * np.arange(known, 0, -1))
    adjusted[order[:known]] = np.minimum(raised, 1.0)
    return adjusted


def _scale(effective: float) -> float:
    return effective / (effective - 1) if effective > _ONE else float("nan")


def _welch(parts: list[float], sizes: list[float]) -> float:
    """Return Welch's degrees of freedom of a sum of two variances."""
    below = sum(
        part**2 / (size - 1) if size > _ONE else float("nan")
        for part, size in zip(parts, sizes, strict=True)
    )
    return sum(parts) ** 2 / below if below > 0 else float("nan")

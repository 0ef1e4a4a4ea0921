"""Columns brought to where sums keep their digits: nearer zero (a year, say), nearer one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A column is far from zero when its nearest value is this many ranges away.
_FAR = 5.0

#: Squares of numbers beyond it, or of those smaller than one over it, may not be numbers.
_HUGE = 1e100


def centre_far_columns(x: Floats) -> tuple[Floats, Floats]:
    """Move columns that are far from zero, where a constant column can make up for it.

    Parameters
    ----------
    x : ndarray, shape (n, p)

    Returns
    -------
    moved : ndarray, shape (n, p)
        x itself where there is nothing to move.
    turn : ndarray, shape (p, p)
        moved = x @ turn: coefficients g of `moved` are turn @ g of x.

    Examples
    --------
    >>> moved, turn = centre_far_columns(np.array([[1.0, 2024.0], [1.0, 2026.0]]))
    >>> moved.tolist()
    [[1.0, -1.0], [1.0, 1.0]]
    >>> turn.tolist()
    [[1.0, -2025.0], [0.0, 1.0]]
    """
    low, high = x.min(axis=0), x.max(axis=0)
    turn = np.eye(x.shape[1])
    constants = np.flatnonzero((low == high) & (low != 0))
    far = np.minimum(np.abs(low), np.abs(high)) > _FAR * (high - low)
    far &= (low != high) & (np.sign(low) == np.sign(high))
    if not len(constants) or not far.any():
        return x, turn
    middle = (low[far] + high[far]) / 2
    turn[constants[0], far] = -middle / low[constants[0]]
    moved = x.copy()
    moved[:, far] -= middle
    return moved, turn


def bring_to_size(x: Floats) -> Floats:
    """Scale columns whose squares a computer cannot hold to largest values between 1/2 and 1.

    Parameters
    ----------
    x : ndarray, shape (n, p)

    Returns
    -------
    ndarray, shape (n, p)
        x itself where no column is so; else scaled by powers of two, to the digit.

    Examples
    --------
    >>> bring_to_size(np.array([[1.0, 2.0**600], [3.0, 2.0**601]])).tolist()
    [[1.0, 0.25], [3.0, 0.5]]
    """
    largest = np.maximum(x.max(axis=0, initial=0.0), -x.min(axis=0, initial=0.0))
    extreme = (largest > _HUGE) | ((largest > 0) & (largest < 1 / _HUGE))
    if not extreme.any():
        return x
    scaled: Floats = np.ldexp(x, np.where(extreme, -np.frexp(largest)[1], 0))
    return scaled

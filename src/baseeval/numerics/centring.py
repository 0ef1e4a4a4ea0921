"""Columns far from zero for their range (a year, say), moved to where sums keep their digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A column is far from zero when its nearest value is this many ranges away.
_FAR = 5.0


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

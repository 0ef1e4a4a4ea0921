"""How far partners lie apart: the mean distance over all pairs of two arms within sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def set_distance(column: Floats, sets: Ints, first: NDArray[np.bool_]) -> float:
    """Return the mean |x - y| over every pair of a first and a second row of one set.

    In rising order, the step from one row of a set to its next lies between as
    many pairs as have one row on either side of it, so no pair is visited.

    Parameters
    ----------
    column : ndarray, shape (n,)
    sets : ndarray of int, shape (n,)
        From 0; rows in no set are to be left out beforehand.
    first : ndarray of bool, shape (n,)

    Returns
    -------
    float
        NaN where no set holds both.

    Examples
    --------
    >>> set_distance(np.array([1.0, 4.0, 2.0]), np.zeros(3, int), np.array([True, False, False]))
    2.0
    """
    if not len(column):
        return float("nan")
    order = np.lexsort((column, sets))
    values, held, one = column[order], sets[order], first[order].astype(float)
    ends = np.append(np.flatnonzero(np.diff(held)), len(held) - 1)
    sizes = np.diff(ends, prepend=-1)
    below = [_within(np.cumsum(part), ends, sizes) for part in (one, 1 - one)]
    total = [np.repeat(part[ends], sizes) for part in below]
    pairs = float(total[0][ends] @ total[1][ends])
    if pairs == 0:
        return float("nan")
    steps = np.append(np.diff(values), 0.0)
    steps[ends] = 0.0
    across = below[0] * (total[1] - below[1]) + below[1] * (total[0] - below[0])
    return float(steps @ across) / pairs


def _within(running: Floats, ends: Ints, sizes: Ints) -> Floats:
    """Count from the beginning of each set rather than of the whole."""
    before = np.concatenate([[0.0], running[ends[:-1]]])
    found: Floats = running - np.repeat(before, sizes)
    return found

"""Many small symmetric matrices at once, the matrices along the last axis.

q is one to a handful and the matrices are thousands, so loops run over q and each step over
all matrices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def lower_factors(blocks: Floats) -> Floats:
    """Return the Cholesky factors of matrices.

    Parameters
    ----------
    blocks : ndarray, shape (q, q, G)
        Symmetric.

    Returns
    -------
    ndarray, shape (q, q, G)
        Lower triangles; NaN in a matrix that is not positive definite.

    Examples
    --------
    >>> lower_factors(np.array([[[4.0]]])).tolist()
    [[[2.0]]]
    """
    q = len(blocks)
    lower = np.zeros_like(blocks)
    for column in range(q):
        done = lower[column, :column]
        left = blocks[column, column] - (done**2).sum(axis=0)
        lower[column, column] = np.sqrt(np.where(left > 0, left, np.nan))
        for row in range(column + 1, q):
            part = blocks[row, column] - (lower[row, :column] * done).sum(axis=0)
            lower[row, column] = part / lower[column, column]
    return lower


def invert_lower(lower: Floats) -> Floats:
    """Return the inverses of lower triangles.

    Parameters
    ----------
    lower : ndarray, shape (q, q, G)

    Returns
    -------
    ndarray, shape (q, q, G)
    """
    q = len(lower)
    inverse = np.zeros_like(lower)
    for column in range(q):
        inverse[column, column] = 1 / lower[column, column]
        for row in range(column + 1, q):
            part = (lower[row, column:row] * inverse[column:row, column]).sum(axis=0)
            inverse[row, column] = -part / lower[row, row]
    return inverse


def cross(left: Floats, right: Floats) -> Floats:
    """Return left' right of each pair of matrices.

    Parameters
    ----------
    left : ndarray, shape (r, q, G)
    right : ndarray, shape (r, s, G)

    Returns
    -------
    ndarray, shape (q, s, G)
    """
    found = np.zeros((left.shape[1], right.shape[1], left.shape[2]))
    for a in range(left.shape[1]):
        for b in range(right.shape[1]):
            for inner in range(len(left)):
                found[a, b] += left[inner, a] * right[inner, b]
    return found


def apply(blocks: Floats, right: Floats) -> Floats:
    """Return each matrix times a vector of its own.

    Parameters
    ----------
    blocks : ndarray, shape (q, r, G)
    right : ndarray, shape (r, G)

    Returns
    -------
    ndarray, shape (q, G)
    """
    return np.stack([(row * right).sum(axis=0) for row in blocks])


def log_dets(lower: Floats) -> Floats:
    """Return the log determinants of matrices from their Cholesky factors, shape (G,)."""
    return sum((2 * np.log(lower[k, k]) for k in range(len(lower))), start=np.zeros(lower.shape[2]))

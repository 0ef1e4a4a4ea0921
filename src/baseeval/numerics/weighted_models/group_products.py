"""Cross-products of rows by group, and effects of groups swept out of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def sums_of_products(left: Floats, right: Floats, starts: Ints) -> Floats:
    """Add up the products of two sets of columns over groups of rows that follow one another.

    Parameters
    ----------
    left, right : ndarray, shapes (n, a), (n, b)
    starts : ndarray of int, shape (G,)

    Returns
    -------
    ndarray, shape (G, a, b)
    """
    parts = [np.add.reduceat(column[:, None] * right, starts, axis=0) for column in left.T]
    return np.stack(parts, axis=1) if parts else np.zeros((len(starts), 0, right.shape[1]))


def shrink(covariance: Floats, products: Floats) -> tuple[Floats, Floats]:
    """Return (I + Sigma Z'Z)^-1 Sigma and log|I + Sigma Z'Z| of each group.

    Parameters
    ----------
    covariance : ndarray, shape (q, q)
    products : ndarray, shape (G, q, q)

    Returns
    -------
    spread : ndarray, shape (G, q, q)
    log_det : ndarray, shape (G,)
    """
    matrix = np.eye(len(covariance)) + covariance @ products
    spread = np.linalg.solve(matrix, np.broadcast_to(covariance, products.shape))
    return (spread + np.swapaxes(spread, 1, 2)) / 2, np.linalg.slogdet(matrix)[1]


def starts_of(codes: Ints) -> Ints:
    """Return the first position of each code; codes are in order."""
    return np.flatnonzero(np.diff(codes, prepend=-1))


def outer(vectors: Floats) -> Floats:
    """Return the products of each vector with itself, shape (G, q, q)."""
    products: Floats = vectors[:, :, None] * vectors[:, None, :]
    return products

"""Small matrices of many groups at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Numbers of a batch of groups: it and what is made of it stay in the processor's cache.
_BATCH = 2**15


def take_out(gram: Floats, sigma: Floats) -> tuple[Floats, Floats, Floats]:
    """Return K, C and log|I + A Sigma| of each group.

    Parameters
    ----------
    gram : ndarray, shape (g, q, q)
        A.
    sigma : ndarray, shape (q, q)

    Returns
    -------
    inverse, middle : ndarray, shape (g, q, q)
    log_det : ndarray, shape (g,)
        Not a number where the covariance is not positive definite.
    """
    # Written out for one and two columns: LAPACK takes a microsecond for each small matrix.
    q = len(sigma)
    every = np.broadcast_to(sigma, gram.shape)
    inner = small_product(gram, every)
    inner[:, np.arange(q), np.arange(q)] += 1
    if q == 1:
        det, inverse = inner[:, 0, 0], 1 / inner
    elif q == 2:
        det = inner[:, 0, 0] * inner[:, 1, 1] - inner[:, 0, 1] * inner[:, 1, 0]
        inverse = np.empty_like(inner)
        inverse[:, 0, 0], inverse[:, 1, 1] = inner[:, 1, 1] / det, inner[:, 0, 0] / det
        inverse[:, 0, 1], inverse[:, 1, 0] = -inner[:, 0, 1] / det, -inner[:, 1, 0] / det
    else:
        det, inverse = np.asarray(np.linalg.det(inner)), np.asarray(np.linalg.inv(inner))
    with np.errstate(invalid="ignore", divide="ignore"):
        log_det = np.log(det)
    return inverse, small_product(every, inverse), log_det


def batches(count: int, width: int) -> Iterator[slice]:
    """Yield slices of groups, of each of which so many numbers are made.

    Parameters
    ----------
    count, width : int

    Yields
    ------
    slice
    """
    step = max(1, _BATCH // width)
    for start in range(0, count, step):
        yield slice(start, start + step)


def small_product(left: Floats, right: Floats) -> Floats:
    """Multiply each group's small matrices, numpy's own product being slow for them.

    Parameters
    ----------
    left, right : ndarray, shapes (g, a, b) and (g, b, c)

    Returns
    -------
    ndarray, shape (g, a, c)
    """
    groups, rows, places = left.shape
    columns = right.shape[2]
    if max(rows, places, columns) > 3:
        return left @ right
    product = np.empty((groups, rows, columns))
    for row in range(rows):
        for column in range(columns):
            out = left[:, row, 0] * right[:, 0, column]
            for place in range(1, places):
                out += left[:, row, place] * right[:, place, column]
            product[:, row, column] = out
    return product


def mix(matrices: Floats, stack: Floats) -> Floats:
    """Multiply each group's matrix and rows.

    Parameters
    ----------
    matrices : ndarray, shape (g, a, b)
    stack : ndarray, shape (b, g, m)

    Returns
    -------
    ndarray, shape (a, g, m)
    """
    product = np.empty((matrices.shape[1], *stack.shape[1:]))
    for row, out in enumerate(product):
        np.multiply(matrices[:, row, 0, None], stack[0], out=out)
        for place in range(1, len(stack)):
            out += matrices[:, row, place, None] * stack[place]
    return product

"""Blocks of rows that stay in the processor's cache, and what one pass over them tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Numbers in a block: two copies of it fit a second-level cache.
_CELLS = 45_000

#: A column counts as dependent when what earlier columns leave of its variance is smaller than
#: this share of it. Cross-products hold squares, so this is a share of 1e-6 of its length.
_DEPENDENT = 1e-12

#: A spread below this share of a column's size is rounding.
_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class Spread:
    """How columns lie about a centre.

    Parameters
    ----------
    lowest, highest, mean : ndarray, shape (p,)
        Less the centre.
    scale : ndarray, shape (p,)
        Standard deviations; 1 for a constant column.
    constant : ndarray of bool, shape (p,)
    kept : ndarray of int, shape (r,)
        Columns that vary and do not follow from those kept before them.
    basis : ndarray, shape (p, r)
        (x - centre) @ basis has independent columns of variance one.
    """

    lowest: Floats
    highest: Floats
    mean: Floats
    scale: Floats
    constant: NDArray[np.bool_]
    kept: Ints
    basis: Floats


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Cut rows into blocks.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix.

    Yields
    ------
    slice
        One after the other, every row once.

    Examples
    --------
    >>> [block.stop for block in row_blocks(3, 45_000)]
    [1, 2, 3]
    """
    size = max(1, _CELLS // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def measure_spread(x: Floats, centre: Floats, base: Floats) -> Spread:
    """Find the range, spread and rank of columns in one pass.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    centre : ndarray, shape (p,)
    base : ndarray, shape (n,)
        Not negative; rows of weight zero do not count.

    Returns
    -------
    Spread

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 5.0], [3.0, 6.0, 5.0]])
    >>> measure_spread(x, np.zeros(3), np.ones(2)).kept.tolist()
    [0]
    """
    p = x.shape[1]
    lowest, highest = np.full(p, np.inf), np.full(p, -np.inf)
    total, first, second = 0.0, np.zeros(p), np.zeros((p, p))
    for rows in row_blocks(*x.shape):
        b = base[rows]
        z = x[rows] - centre
        if not b.all():
            z, b = z[b > 0], b[b > 0]
        lowest = np.minimum(lowest, z.min(axis=0, initial=np.inf))
        highest = np.maximum(highest, z.max(axis=0, initial=-np.inf))
        total += b.sum()
        first += b @ z
        second += (z * b[:, None]).T @ z
    mean = first / total
    covariance = second / total - np.outer(mean, mean)
    size = np.maximum(np.abs(lowest + centre), np.abs(highest + centre))
    constant = highest - lowest <= _CONSTANT * size
    # Far from its centre a column's variance is rounding of a large square; its range is not.
    variance = np.maximum(np.diag(covariance), _CONSTANT * (highest - lowest) ** 2)
    scale = np.where(constant, 1.0, np.sqrt(variance))
    kept, basis = _independent(covariance / np.outer(scale, scale), ~constant)
    return Spread(lowest, highest, mean, scale, constant, kept, basis / scale[:, None])


def _independent(correlation: Floats, usable: NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Take columns in order, each less what those before it say (Cholesky, column by column)."""
    p = len(correlation)
    kept: list[int] = []
    basis = np.empty((p, 0))
    for column in np.flatnonzero(usable):
        own = np.zeros(p)
        own[column] = 1.0
        own -= basis @ (basis.T @ (correlation @ own))
        own -= basis @ (basis.T @ (correlation @ own))  # twice is enough (Kahan and Parlett)
        left = float(own @ correlation @ own)
        if left > _DEPENDENT:
            kept.append(int(column))
            basis = np.column_stack([basis, own / np.sqrt(left)])
    return np.array(kept, dtype=np.intp), basis

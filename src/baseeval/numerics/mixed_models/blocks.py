"""Rows as kernels take them: blocks of arrays, in the order of the groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Rows of a block: it and what is made of it stay in the processor's cache.
BLOCK_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a mixed model.

    Parameters
    ----------
    x : ndarray, shape (m, p)
    y : ndarray, shape (m,)
    z : tuple of ndarray, shapes (m, q_t)
        Columns of each random term.
    groups : tuple of ndarray of int, shapes (m,)
        Level of each row in each term, 0 to G_t - 1.
    weights : ndarray, shape (m,), optional
        Positive precision weights.
    """

    x: Floats
    y: Floats
    z: tuple[Floats, ...]
    groups: tuple[Ints, ...]
    weights: Floats | None = None


def cut_blocks(whole: Block, order: Ints | None = None) -> Iterator[Block]:
    """Cut rows that are at hand into blocks.

    Parameters
    ----------
    whole : Block
    order : ndarray of int, shape (n,), optional
        In which the rows are taken.

    Yields
    ------
    Block
    """
    for start in range(0, len(whole.y), BLOCK_ROWS):
        end = start + BLOCK_ROWS
        rows = slice(start, end) if order is None else order[start:end]
        yield Block(
            whole.x[rows],
            whole.y[rows],
            tuple(z[rows] for z in whole.z),
            tuple(group[rows] for group in whole.groups),
            None if whole.weights is None else whole.weights[rows],
        )

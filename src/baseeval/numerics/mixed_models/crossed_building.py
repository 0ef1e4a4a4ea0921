"""From rows to the cross-products of a mixed model with any random terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.coordinates import Coordinates, Sums
from baseeval.numerics.mixed_models.crossed_coupling import (
    DenseCoupling,
    dense_is_cheaper,
    list_pairs,
)
from baseeval.numerics.mixed_models.crossed_factors import Factor
from baseeval.numerics.mixed_models.crossed_fronts import FrontRest, front_rest
from baseeval.numerics.mixed_models.crossed_rest import DenseRest

Floats = NDArray[np.float64]

#: Effects beyond which whole matrices no longer fit; below the other, nothing else is tried.
_MOST_DENSE, _LEAST_SPARSE = 12_000, 500
#: A multiplication in many small matrices costs as much as so many in a large one.
_OVERHEAD = 3


def choose_rest(
    factors: Sequence[Factor], table: sparse.csr_matrix, square: sparse.csr_matrix
) -> DenseRest | FrontRest:
    """Choose how the effects of all factors but the first are dealt with."""
    width = factors[0].width
    levels = tuple(factor.levels for factor in factors[1:])
    widths = tuple(factor.width for factor in factors[1:])
    size = table.shape[1]
    if not levels or (size <= _MOST_DENSE and dense_is_cheaper(table, width)):
        return DenseRest(levels, widths, square.toarray(), DenseCoupling(table.toarray(), width))
    coupling = list_pairs(table, width, abs(square) + own_pattern(levels, widths))
    if size > _LEAST_SPARSE:
        fronts = front_rest(levels, widths, square, coupling)
        if size > _MOST_DENSE or fronts.work < size**3 / _OVERHEAD:
            return fronts
    return DenseRest(levels, widths, square.toarray(), coupling)


def own_pattern(levels: tuple[int, ...], widths: tuple[int, ...]) -> sparse.csr_matrix:
    """Return ones in every level's own block, shape (m, m)."""
    pairs = zip(levels, widths, strict=True)
    blocks = [sparse.kron(sparse.eye_array(g), np.ones((q, q))) for g, q in pairs]
    return sparse.csr_matrix(sparse.block_diag(blocks))


def whole_sums(whole: Block, intercept: int | None) -> Sums:
    """Return the cross-products of X and y, block by block of rows."""
    p = whole.x.shape[1]
    shift, centre = np.zeros(p), 0.0
    if intercept is not None:
        shift, centre = whole.x.mean(axis=0), float(whole.y.mean())
        shift[intercept] = 0.0
    total = np.zeros((p + 1, p + 1))
    for block in cut_blocks(whole):
        columns = np.column_stack([block.x - shift, block.y - centre])
        weighted = columns if block.weights is None else columns * block.weights[:, None]
        total += columns.T @ weighted
    log_weights = 0.0 if whole.weights is None else float(np.log(whole.weights).sum())
    return Sums(
        total[:p, :p],
        total[:p, p],
        float(total[p, p]),
        len(whole.y),
        log_weights,
        shift,
        centre,
        intercept,
    )


def right_sides(factor: Factor, whole: Block, coordinates: Coordinates) -> Floats:
    """Return Z'W[X y] of a factor in the coordinates, shape (levels, q, k + 1)."""
    sums = coordinates.sums
    w = 1.0 if whole.weights is None else whole.weights
    columns = [
        factor.level_sums((whole.x[:, j] - sums.shift[j]) * w) for j in range(whole.x.shape[1])
    ]
    x = coordinates.columns(np.stack(columns, axis=-1))
    y = coordinates.outcome(factor.level_sums((whole.y - sums.centre) * w), x)
    return np.concatenate([x, y[..., None]], axis=-1)


def own_blocks(factor: Factor, weights: Floats | None) -> Floats:
    """Return Z_g'WZ_g of each level, shape (levels, q, q)."""
    w = 1.0 if weights is None else weights
    return np.stack([factor.level_sums(z * w) for z in factor.z.T], axis=-1)


def square_of(columns: sparse.csr_matrix, weights: Floats | None) -> sparse.csr_matrix:
    """Return Z'WZ."""
    weighted = columns if weights is None else sparse.diags_array(weights) @ columns
    return sparse.csr_matrix(columns.T @ weighted)


def column_sizes(z: Floats, weights: Floats | None) -> Floats:
    """Return the root mean square of columns of Z, weights included."""
    squares = z**2 if weights is None else weights[:, None] * z**2
    return np.asarray(np.sqrt(squares.mean(axis=0)))

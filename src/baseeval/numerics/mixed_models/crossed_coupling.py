"""How the factor eliminated first hangs together with the other random effects.

With A = Z_1'WZ_1, block-diagonal by level, C = Z_1'WZ_r and M the blocks that come of
eliminating the first factor, the other effects are left with Z_r'WZ_r - C'MC, and the
first one's derivatives need C_g X C_g' by level for a symmetric X over the others.
Both are linear in the small blocks: what multiplies them is formed once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Bytes that the products of pairs of columns may take.
_MOST_BYTES = 1 << 30
#: Dense multiplications that cost what one sparse one does.
_DENSE_IS_FASTER = 20


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of columns that share a level of the first factor, once for each level.

    Parameters
    ----------
    level : ndarray of int, shape (s,)
    higher, lower : ndarray of int, shape (s,)
        Places in the table of (level, column), higher column first.
    column_higher, column_lower : ndarray of int, shape (s,)
    """

    level: Ints
    higher: Ints
    lower: Ints
    column_higher: Ints
    column_lower: Ints


@dataclass(frozen=True, slots=True)
class SparseCoupling:
    """Few columns meet any one level: products of pairs are listed.

    Parameters
    ----------
    table : csr_matrix, shape (G q, m)
        C.
    products : csr_matrix, shape (places, G q q)
        From M to the lower triangle of C'MC.
    rows, columns : ndarray of int, shape (places,)
        The places of the lower triangle, row by row.
    width : int
        q.
    """

    table: sparse.csr_matrix
    products: sparse.csr_matrix
    rows: Ints
    columns: Ints
    width: int

    def listed(self, middle: Floats) -> Floats:
        """Return C'MC at the places of the lower triangle, from M of shape (G, q, q)."""
        return np.asarray(self.products @ middle.ravel())

    def complement(self, middle: Floats) -> Floats:
        """Return C'MC, shape (m, m), its lower triangle."""
        found = np.zeros((self.table.shape[1],) * 2)
        found[self.rows, self.columns] = self.listed(middle)
        return found

    def sandwich_listed(self, values: Floats) -> Floats:
        """Return C_g X C_g', shape (G, q, q), from X at the places of the lower triangle."""
        halved = np.where(self.rows == self.columns, values / 2, values)
        half = (self.products.T @ halved).reshape(-1, self.width, self.width)
        return np.asarray(half + half.transpose(0, 2, 1))

    def sandwich(self, matrix: Floats) -> Floats:
        """Return C_g X C_g', shape (G, q, q), from the lower triangle of X, shape (m, m)."""
        return self.sandwich_listed(matrix[self.rows, self.columns])


@dataclass(frozen=True, slots=True)
class DenseCoupling:
    """Many columns meet each level: whole matrices.

    Parameters
    ----------
    table : ndarray, shape (G q, m)
    width : int
    """

    table: Floats
    width: int

    def complement(self, middle: Floats) -> Floats:
        """Return C'MC, shape (m, m)."""
        by_level = self.table.reshape(-1, self.width, self.table.shape[1])
        return np.asarray(self.table.T @ (middle @ by_level).reshape(self.table.shape))

    def sandwich(self, matrix: Floats) -> Floats:
        """Return C_g X C_g', shape (G, q, q), from the lower triangle of X, shape (m, m)."""
        matrix = fill_upper(matrix)
        shape = (-1, self.width, self.table.shape[1])
        swept = (self.table @ matrix).reshape(shape)
        return np.asarray(swept @ self.table.reshape(shape).transpose(0, 2, 1))


def fill_upper(matrix: Floats) -> Floats:
    """Return a symmetric matrix from its lower triangle.

    Parameters
    ----------
    matrix : ndarray, shape (..., m, m)

    Returns
    -------
    ndarray, shape (..., m, m)
    """
    return np.asarray(np.tril(matrix) + np.tril(matrix, -1).swapaxes(-1, -2))


def dense_is_cheaper(table: sparse.csr_matrix, width: int) -> bool:
    """Return whether whole matrices serve better than lists of pairs.

    Parameters
    ----------
    table : csr_matrix, shape (G q, m)
    width : int

    Returns
    -------
    bool
    """
    held = np.diff(_structure(table, width).indptr).astype(float)
    listed = float((held * (held + 1) / 2).sum()) * width**2
    whole = float(table.shape[0]) * table.shape[1] ** 2
    return bool(_DENSE_IS_FASTER * listed > whole or 12 * listed > _MOST_BYTES)


def list_pairs(table: sparse.csr_matrix, width: int, also: sparse.csr_matrix) -> SparseCoupling:
    """List the products of pairs of columns.

    Parameters
    ----------
    table : csr_matrix, shape (G q, m)
    width : int
    also : csr_matrix, shape (m, m)
        Its places are held as well.

    Returns
    -------
    SparseCoupling
    """
    structure = _structure(table, width)
    m = table.shape[1]
    values = np.stack([_aligned(table[start::width], structure) for start in range(width)], axis=1)
    pairs = _pairs(structure)
    held = sparse.tril(also, format="coo")
    keys = np.concatenate(
        [pairs.column_higher * m + pairs.column_lower, held.row.astype(np.intp) * m + held.col]
    )
    found, place = np.unique(keys, return_inverse=True)
    place = place[: len(pairs.level)]
    products = values[pairs.higher][:, :, None] * values[pairs.lower][:, None, :]
    columns = pairs.level[:, None] * width**2 + np.arange(width**2)
    matrix = sparse.csr_matrix(
        (products.ravel(), (np.repeat(place, width**2), columns.ravel())),
        (len(found), table.shape[0] * width),
    )
    return SparseCoupling(table, matrix, found // m, found % m, width)


def _structure(table: sparse.csr_matrix, width: int) -> sparse.csr_matrix:
    """Return which columns meet which level, shape (G, m), sorted."""
    entries = table.tocoo()
    shape = (table.shape[0] // width, table.shape[1])
    ones = np.ones(len(entries.row))
    found = sparse.csr_matrix((ones, (entries.row // width, entries.col)), shape)
    found.sum_duplicates()
    return found


def _aligned(part: sparse.csr_matrix, structure: sparse.csr_matrix) -> Floats:
    """Return the values of some rows of C at every place of the structure."""
    whole = structure.copy()
    whole.data = np.arange(1, structure.nnz + 1, dtype=float)
    mask = part.copy()
    mask.data = np.ones_like(mask.data)
    at = whole.multiply(mask).tocsr()
    at.sort_indices()
    part.sort_indices()
    values = np.zeros(structure.nnz)
    values[at.data.astype(np.intp) - 1] = part.data
    return values


def _pairs(structure: sparse.csr_matrix) -> Pairs:
    """List all pairs of columns of each level, by the number of columns it has."""
    held = np.diff(structure.indptr)
    levels, highers, lowers = [], [], []
    for size in np.unique(held[held > 0]):
        own = np.flatnonzero(held == size)
        high, low = np.tril_indices(size)
        first = structure.indptr[own].astype(np.intp)[:, None]
        levels.append(np.repeat(own, len(high)))
        highers.append((first + high).ravel())
        lowers.append((first + low).ravel())
    none = [np.empty(0, dtype=np.intp)]
    higher, lower = np.concatenate(highers or none), np.concatenate(lowers or none)
    columns = structure.indices.astype(np.intp)
    return Pairs(np.concatenate(levels or none), higher, lower, columns[higher], columns[lower])

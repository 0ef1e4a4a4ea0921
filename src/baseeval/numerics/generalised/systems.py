"""The Newton system of the random effects: what every structure of groups answers.

With effects u of all levels, independent and of variance one, and v = L'z the rows' columns in
their terms, D = I + sum_i c_i v_i v_i', where c_i is minus the second derivative of a row's
log-likelihood. Rows that share no level are in no product: with one factor D falls into blocks
of q by q, with two the blocks of the larger one are eliminated first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.grouped_rows import GroupedRows, add_up, dot
from baseeval.numerics.generalised.small_blocks import (
    apply,
    cross,
    invert_lower,
    log_dets,
    lower_factors,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Terms = tuple[Floats, ...]


class Factor(Protocol):
    """A factorised D."""

    @property
    def log_det(self) -> Floats:
        """Return log|D| of each unit, shape (U,)."""

    def solve(self, right: Terms) -> Terms:
        """Return D^-1 right, shapes (q_t, G_t)."""

    def inverse_rows(self, v: Terms) -> Terms:
        """Return the parts of D^-1 v_i that belong to the row's own levels, shapes (q_t, n)."""

    def variances(self) -> Terms:
        """Return the blocks of D^-1 on its diagonal, shapes (q_t, q_t, G_t)."""


class System(Protocol):
    """A structure of groups."""

    @property
    def units(self) -> int:
        """Return U: units that share no level, so that each has a likelihood of its own."""

    @property
    def row_unit(self) -> Ints:
        """Return the unit of each row, shape (n,)."""

    @property
    def level_units(self) -> tuple[Ints, ...]:
        """Return the unit of each level, shapes (G_t,)."""

    def factorise(self, v: Terms, c: Floats) -> Factor | None:
        """Return D's factor, or None where it is not positive definite."""


def gather(rows: GroupedRows, v: Terms, numbers: Floats) -> Terms:
    """Return sums of numbers times v by level.

    Parameters
    ----------
    rows : GroupedRows
    v : tuple of ndarray, shapes (q_t, n)
    numbers : ndarray, shape (n,)

    Returns
    -------
    tuple of ndarray, shapes (q_t, G_t)
    """
    terms = zip(v, rows.groups, rows.levels, strict=True)
    return tuple(add_up(own * numbers, code, size) for own, code, size in terms)


def spread(rows: GroupedRows, v: Terms, u: Terms) -> Floats:
    """Return each row's sum of v times the effects of its levels, shape (n,).

    Parameters
    ----------
    rows : GroupedRows
    v : tuple of ndarray, shapes (q_t, n)
    u : tuple of ndarray, shapes (q_t, G_t)

    Returns
    -------
    ndarray, shape (n,)
    """
    terms = zip(v, u, rows.groups, strict=True)
    parts = [dot(own, effects[:, code]) for own, effects, code in terms]
    return np.asarray(sum(parts[1:], start=parts[0]))


def products(left: Floats, right: Floats, c: Floats, code: Ints, size: int) -> Floats:
    """Return the sums by code of c left right', shape (q, r, size).

    Parameters
    ----------
    left : ndarray, shape (q, n)
    right : ndarray, shape (r, n)
    c : ndarray, shape (n,)
    code : ndarray of int, shape (n,)
    size : int

    Returns
    -------
    ndarray, shape (q, r, size)
    """
    found = np.empty((len(left), len(right), size))
    same = left is right
    for a in range(len(left)):
        weighted = left[a] * c
        for b in range(len(right)):
            if same and b < a:
                found[a, b] = found[b, a]
            else:
                found[a, b] = np.bincount(code, weighted * right[b], size)
    return found


def add_identity(blocks: Floats) -> Floats:
    """Add one to the diagonal of each matrix, in place, and return them."""
    for k in range(len(blocks)):
        blocks[k, k] += 1.0
    return blocks


@dataclass(frozen=True, slots=True)
class OneFactor:
    """Rows in groups of one factor: each group is a unit.

    Parameters
    ----------
    rows : GroupedRows
    """

    rows: GroupedRows

    @property
    def units(self) -> int:
        """Return the number of groups."""
        return self.rows.levels[0]

    @property
    def row_unit(self) -> Ints:
        """Return the groups."""
        return self.rows.groups[0]

    @property
    def level_units(self) -> tuple[Ints, ...]:
        """Return the groups' own numbers."""
        return (np.arange(self.units, dtype=np.intp),)

    def factorise(self, v: Terms, c: Floats) -> OneFactorBlocks | None:
        """Return the factor of every group's block."""
        code = self.rows.groups[0]
        lower = lower_factors(add_identity(products(v[0], v[0], c, code, self.units)))
        # A matrix that is not positive definite has NaN in its last place.
        if not np.isfinite(lower[-1, -1]).all():
            return None
        return OneFactorBlocks(code, invert_lower(lower), log_dets(lower))


@dataclass(frozen=True, slots=True)
class OneFactorBlocks:
    """The factor of D of one grouping factor.

    Parameters
    ----------
    code : ndarray of int, shape (n,)
    turned : ndarray, shape (q, q, G)
        Inverses of the lower triangles C, D = C C'.
    log_det : ndarray, shape (G,)
    """

    code: Ints
    turned: Floats
    log_det: Floats

    def solve(self, right: Terms) -> Terms:
        """Solve for every group."""
        return (apply(self.turned.swapaxes(0, 1), apply(self.turned, right[0])),)

    def inverse_rows(self, v: Terms) -> Terms:
        """Return each row's v times its group's inverse."""
        return (rows_by_blocks(self.variances()[0], v[0], self.code),)

    def variances(self) -> Terms:
        """Return the inverse of each block."""
        return (cross(self.turned, self.turned),)


def rows_by_blocks(blocks: Floats, v: Floats, code: Ints) -> Floats:
    """Return each row's vector times the matrix of its level.

    Parameters
    ----------
    blocks : ndarray, shape (q, r, G)
    v : ndarray, shape (r, n)
    code : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (q, n)
    """
    found = np.empty((len(blocks), v.shape[1]))
    for a, line in enumerate(blocks):
        found[a] = line[0][code] * v[0]
        for b in range(1, len(v)):
            found[a] += line[b][code] * v[b]
    return found

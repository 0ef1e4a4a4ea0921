"""The Newton system of two grouping factors, nested or crossed.

Levels of the larger factor (1) are in no product with one another, so that their blocks are
eliminated first. A cell is a pair of levels that some row holds. With E = D11^-1 D12 in the cells,

    S = D22 - D12' E,    log|D| = log|D11| + log|S|,
    D^-1 = [ D11^-1 + E S^-1 E',  -E S^-1 ;  -S^-1 E',  S^-1 ],

of which a gradient needs only the cells. Where factor 1 is nested in factor 2, S falls into
blocks too; otherwise it is one dense matrix of the smaller factor's effects, as for lme4 (Bates et
al. 2015, doi:10.18637/jss.v067.i01) when its columns are ordered so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from scipy.sparse import csr_array

from baseeval.numerics.generalised.grouped_rows import GroupedRows, add_up
from baseeval.numerics.generalised.small_blocks import (
    apply,
    cross,
    invert_lower,
    log_dets,
    lower_factors,
)
from baseeval.numerics.generalised.systems import (
    Factor,
    System,
    Terms,
    add_identity,
    products,
    rows_by_blocks,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Numbers of a dense part of E S^-1 that is formed at once.
_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class TwoFactors:
    """Rows in levels of two factors.

    Parameters
    ----------
    rows : GroupedRows
    cell : ndarray of int, shape (n,)
        The row's pair of levels.
    large, small : ndarray of int, shape (C,)
        Levels of each cell in the factor that is eliminated and in the other one.
    order : tuple of int
        Positions of the large and of the small factor among the terms.
    nested : bool
        Whether each level of the large factor is in one cell alone.
    """

    rows: GroupedRows
    cell: Ints
    large: Ints
    small: Ints
    order: tuple[int, int]
    nested: bool

    @property
    def units(self) -> int:
        """Return the levels of the outer factor, or one where the factors are crossed."""
        return self.rows.levels[self.order[1]] if self.nested else 1

    @property
    def row_unit(self) -> Ints:
        """Return the unit of each row."""
        code = self.rows.groups[self.order[1]]
        return code if self.nested else np.zeros_like(code)

    @property
    def level_units(self) -> tuple[Ints, ...]:
        """Return the unit of each level."""
        large, small = (self.rows.levels[place] for place in self.order)
        if not self.nested:
            found = (np.zeros(large, dtype=np.intp), np.zeros(small, dtype=np.intp))
        else:
            owner = np.empty(large, dtype=np.intp)
            owner[self.large] = self.small
            found = (owner, np.arange(small, dtype=np.intp))
        return self.arranged(found)

    def arranged(self, pair: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        """Return what belongs to the large and the small factor in the order of the terms."""
        return pair if self.order == (0, 1) else (pair[1], pair[0])

    def factorise(self, v: Terms, c: Floats) -> Factor | None:
        """Eliminate the large factor and factorise what is left."""
        one, two = self.order
        codes, levels, cells = self.rows.groups, self.rows.levels, len(self.large)
        first = lower_factors(add_identity(products(v[one], v[one], c, codes[one], levels[one])))
        if not np.isfinite(first[-1, -1]).all():
            return None
        turned = invert_lower(first)
        between = products(v[one], v[two], c, self.cell, cells)
        half = cross(turned[:, :, self.large].swapaxes(0, 1), between)
        share = cross(turned[:, :, self.large], half)
        own = add_identity(products(v[two], v[two], c, codes[two], levels[two]))
        parts = Parts(self, cross(turned, turned), between, share)
        if self.nested:
            taken = cross(half, half)
            for a in range(len(own)):
                own[a] -= add_up(taken[a], self.small, levels[two])
            lower = lower_factors(own)
            if not np.isfinite(lower[-1, -1]).all():
                return None
            log_det = log_dets(lower) + np.bincount(
                self.small, log_dets(first)[self.large], levels[two]
            )
            return NestedFactor(parts, invert_lower(lower), log_det)
        return _crossed(parts, half, own, float(log_dets(first).sum()))


def pair_factors(rows: GroupedRows) -> System:
    """Find the cells of two factors and which is to be eliminated.

    Parameters
    ----------
    rows : GroupedRows
        Of two terms.

    Returns
    -------
    TwoFactors
    """
    effects = [
        size * template.size
        for size, template in zip(rows.levels, rows.layout.templates, strict=True)
    ]
    order = (0, 1) if effects[0] >= effects[1] else (1, 0)
    one, two = order
    key = rows.groups[one] * rows.levels[two] + rows.groups[two]
    pairs, cell = np.unique(key, return_inverse=True)
    large, small = np.divmod(pairs, rows.levels[two])
    nested = len(pairs) == rows.levels[one]
    return TwoFactors(rows, cell.reshape(-1), large, small, order, nested)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a nested and a crossed factor share.

    Parameters
    ----------
    system : TwoFactors
    inverse : ndarray, shape (q_1, q_1, G_1)
        D11^-1.
    between, share : ndarray, shape (q_1, q_2, C)
        D12 and E in the cells.
    """

    system: TwoFactors
    inverse: Floats
    between: Floats
    share: Floats

    def forward(self, right: Terms) -> tuple[Floats, Floats]:
        """Return D11^-1 r1 and r2 - D12' D11^-1 r1."""
        one, two = self.system.order
        first = apply(self.inverse, right[one])
        down = apply(self.between.swapaxes(0, 1), first[:, self.system.large])
        return first, right[two] - add_up(down, self.system.small, right[two].shape[1])

    def back(self, first: Floats, second: Floats) -> Terms:
        """Return the solution from that of the small factor."""
        up = apply(self.share, second[:, self.system.small])
        return self.arranged(first - add_up(up, self.system.large, first.shape[1]), second)

    def arranged(self, first: Floats, second: Floats) -> Terms:
        """Return what belongs to the large and the small factor in the order of the terms."""
        return (first, second) if self.system.order == (0, 1) else (second, first)

    def rows_of(self, blocks: tuple[Floats, Floats, Floats], v: Terms) -> Terms:
        """Return each row's v times the inverse's blocks: of level 1, of the cell, of level 2."""
        one, two = self.system.order
        codes, cell = self.system.rows.groups, self.system.cell
        inner, between, outer = blocks
        first = rows_by_blocks(inner, v[one], codes[one])
        first += rows_by_blocks(between, v[two], cell)
        second = rows_by_blocks(between.swapaxes(0, 1), v[one], cell)
        second += rows_by_blocks(outer, v[two], codes[two])
        return self.arranged(first, second)

    def inner(self, between: Floats) -> Floats:
        """Return the blocks of the large factor: D11^-1 - [D^-1]_12 E', added up over cells."""
        back = cross(between.swapaxes(0, 1), self.share.swapaxes(0, 1))
        found = self.inverse.copy()
        for a in range(len(found)):
            found[a] -= add_up(back[a], self.system.large, found.shape[2])
        return found


@dataclass(frozen=True, slots=True)
class NestedFactor:
    """D of nested factors: blocks all the way.

    Parameters
    ----------
    parts : Parts
    turned : ndarray, shape (q_2, q_2, G_2)
        Inverses of the lower triangles of S.
    log_det : ndarray, shape (G_2,)
    """

    parts: Parts
    turned: Floats
    log_det: Floats

    def solve(self, right: Terms) -> Terms:
        """Solve, the large factor eliminated."""
        first, left = self.parts.forward(right)
        second = apply(self.turned.swapaxes(0, 1), apply(self.turned, left))
        return self.parts.back(first, second)

    def inverse_rows(self, v: Terms) -> Terms:
        """Return each row's v times the inverse."""
        return self.parts.rows_of(self._blocks(), v)

    def variances(self) -> Terms:
        """Return the blocks on the inverse's diagonal."""
        inner, _, outer = self._blocks()
        return self.parts.arranged(inner, outer)

    def _blocks(self) -> tuple[Floats, Floats, Floats]:
        outer = cross(self.turned, self.turned)
        small = self.parts.system.small
        between = -cross(self.parts.share.swapaxes(0, 1), outer[:, :, small])
        return self.parts.inner(between), between, outer


def _crossed(parts: Parts, half: Floats, own: Floats, first: float) -> CrossedFactor | None:
    """Form S of crossed factors, q_2 G_2 square, and factorise it."""
    system = parts.system
    q1, q2, levels = half.shape[0], len(own), own.shape[2]
    inner_levels = system.rows.levels[system.order[0]]
    tall = _by_effects(half, system.large, system.small, (q1 * inner_levels, q2 * levels))
    whole = -(tall.T @ tall).toarray()
    for a in range(q2):
        for b in range(q2):
            at = np.arange(levels)
            whole[at * q2 + a, at * q2 + b] += own[a, b]
    try:
        lower = np.linalg.cholesky(whole)
    except np.linalg.LinAlgError:
        return None
    log_det = first + 2 * float(np.log(np.diagonal(lower)).sum())
    return CrossedFactor(parts, lower, np.array([log_det]))


def _by_effects(blocks: Floats, large: Ints, small: Ints, shape: tuple[int, int]) -> csr_array:
    """Return blocks of cells as one sparse matrix, effects of a level side by side."""
    q1, q2, cells = blocks.shape
    row = np.broadcast_to(large * q1 + np.arange(q1)[:, None, None], (q1, q2, cells))
    column = np.broadcast_to(small * q2 + np.arange(q2)[None, :, None], (q1, q2, cells))
    return csr_array((blocks.ravel(), (row.ravel(), column.ravel())), shape=shape)


@dataclass(frozen=True, slots=True)
class CrossedFactor:
    """D of crossed factors: S is dense.

    Parameters
    ----------
    parts : Parts
    lower : ndarray, shape (q_2 G_2, q_2 G_2)
        Cholesky factor of S.
    log_det : ndarray, shape (1,)
    """

    parts: Parts
    lower: Floats
    log_det: Floats

    def solve(self, right: Terms) -> Terms:
        """Solve, the large factor eliminated."""
        first, left = self.parts.forward(right)
        second = cho_solve((self.lower, True), left.T.ravel()).reshape(left.T.shape).T
        return self.parts.back(first, np.ascontiguousarray(second))

    def inverse_rows(self, v: Terms) -> Terms:
        """Return each row's v times the inverse."""
        return self.parts.rows_of(self._blocks(), v)

    def variances(self) -> Terms:
        """Return the blocks on the inverse's diagonal."""
        inner, _, outer = self._blocks()
        return self.parts.arranged(inner, outer)

    def _blocks(self) -> tuple[Floats, Floats, Floats]:
        system, share = self.parts.system, self.parts.share
        q1, q2, cells = share.shape
        whole = cho_solve((self.lower, True), np.eye(len(self.lower)))
        levels = len(whole) // q2
        at = np.arange(levels)
        outer = np.array([[whole[at * q2 + a, at * q2 + b] for b in range(q2)] for a in range(q2)])
        inner_levels = system.rows.levels[system.order[0]]
        tall = _by_effects(share, system.large, system.small, (q1 * inner_levels, len(whole)))
        between = np.empty((q1, q2, cells))
        # Cells are in the order of the large factor's levels, so that some of them make a part.
        step = max(1, _CELLS // (q1 * len(whole)))
        for start in range(0, inner_levels, step):
            end = min(start + step, inner_levels)
            part = -(tall[start * q1 : end * q1] @ whole)
            own = slice(*np.searchsorted(system.large, [start, end]))
            row, column = system.large[own] - start, system.small[own]
            for a in range(q1):
                for b in range(q2):
                    between[a, b, own] = part[row * q1 + a, column * q2 + b]
        return self.parts.inner(between), between, outer

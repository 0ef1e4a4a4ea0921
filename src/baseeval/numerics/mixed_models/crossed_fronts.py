"""The random effects left after one factor is eliminated, where few of them meet.

The matrix is eliminated set of nodes by set of nodes, each in a small dense matrix (the
multifrontal method, Liu 1992, doi:10.1137/1034004). Of its inverse only the entries inside those
are found, from the last set back (Erisman and Tinney 1975, doi:10.1145/360680.360704): they are
all that the derivatives need.

Here P = Sigma^-1 + N, so that X = P^-1. For a variance of zero stands a small one, whose part is
taken off again to first order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from baseeval.numerics.mixed_models.crossed_coupling import SparseCoupling, fill_upper
from baseeval.numerics.mixed_models.crossed_front_plan import Front, plan_fronts
from baseeval.numerics.mixed_models.crossed_ordering import plan_elimination
from baseeval.numerics.mixed_models.crossed_rest import Roots, Solution

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Variance over sigma^2, times the mean of a level's Z'WZ, that stands for zero where the
#: derivatives are wanted, which lose its digits, and where they are not.
_SMALL, _NOTHING = 1e-7, 1e-12


@dataclass(frozen=True, slots=True)
class FrontRest:
    """The effects of some factors, by sparse elimination.

    Parameters
    ----------
    levels, widths : tuple of int
        Levels and columns of each factor.
    base : ndarray, shape (places,)
        Z_r'WZ_r at the places of the coupling.
    coupling : SparseCoupling
    own_places : list of ndarray of int
        Where, among the coupling's places, each level's own lower triangle stands, by factor.
    sorting : ndarray of int, shape (places,)
        The coupling's places, front by front.
    order : ndarray of int, shape (m,)
        Effect at each place of the elimination.
    fronts : list of Front
    work : float
        Multiplications of an evaluation, about.
    """

    levels: tuple[int, ...]
    widths: tuple[int, ...]
    base: Floats
    coupling: SparseCoupling
    own_places: list[Ints]
    sorting: Ints
    order: Ints
    fronts: list[Front]
    work: float

    @property
    def size(self) -> int:
        """Return m, the number of effects."""
        return len(self.order)

    def spans(self) -> list[slice]:
        """Return the place of each factor's effects."""
        ends = np.cumsum([g * q for g, q in zip(self.levels, self.widths, strict=True)])
        starts = np.append(0, ends[:-1])
        return [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]

    def solve(self, middle: Floats, roots: Roots, right: Floats) -> Solution:
        """Return everything that a profile needs; as of the dense solver."""
        values = self.base - self.coupling.listed(middle)
        inner = self._precisions(roots, _SMALL)
        pivots, loads, log_det = self._eliminate(values, inner.precisions)
        modes = self._substitute(pivots, loads, right)
        inverse = self._invert(pivots, loads)
        left = right - self._matrix(values) @ modes
        log_det, explained = log_det + inner.log_det, right.T @ modes
        blocks, shapes = [], []
        for place, span in enumerate(self.spans()):
            precision, added = inner.precisions[place], inner.added[place]
            block = self._blocks(inverse, place)
            shape = (precision - precision @ block @ precision).sum(axis=0)
            blocks.append(block)
            shapes.append((shape + shape.T) / 2)
            own = left[span].reshape(-1, len(added), left.shape[1])
            lifted = (added @ own).reshape(-1, left.shape[1])
            log_det -= float((shape * added).sum())
            explained = explained - left[span].T @ lifted
            modes[span] -= lifted
        around = self.coupling.sandwich_listed(inverse)
        return Solution(log_det, explained, modes, left, around, blocks, shapes)

    def moments(self, middle: Floats, roots: Roots, right: Floats) -> tuple[float, Floats]:
        """Return log|I + N Sigma| and R'XR; Sigma may be indefinite."""
        values = self.base - self.coupling.listed(middle)
        inner = self._precisions(roots, _NOTHING)
        pivots, loads, log_det = self._eliminate(values, inner.precisions)
        return log_det + inner.log_det, right.T @ self._substitute(pivots, loads, right)

    def _precisions(self, roots: Roots, least: float) -> _Precisions:
        """Invert Sigma of each factor, its eigenvalues held away from zero."""
        found = _Precisions([], [], 0.0)
        diagonal = np.zeros(self.size)
        on = self.coupling.rows == self.coupling.columns
        diagonal[self.coupling.rows[on]] = self.base[on]
        terms = zip(roots.matrices, roots.signs, self.spans(), self.levels, strict=True)
        for root, sign, span, levels in terms:
            size = diagonal[span].reshape(-1, len(root)).mean(axis=0)
            scale = np.sqrt(np.where(size > 0, size, 1.0))
            scaled = root * scale[:, None]
            own, vectors = np.linalg.eigh((scaled * sign) @ scaled.T)
            used = np.where(own < 0, np.minimum(own, -least), np.maximum(own, least))
            back, turned = vectors / scale[:, None], vectors * scale[:, None]
            found.added.append((back * (used - own)) @ back.T)
            found.precisions.append((turned / used) @ turned.T)
            log_det = float(np.log(np.abs(used)).sum() - 2 * np.log(scale).sum())
            found.log_det += levels * log_det
        return found

    def _eliminate(
        self, values: Floats, precisions: list[Floats]
    ) -> tuple[list[Floats], list[Floats], float]:
        """Return each front's P_11^-1 and P_21 P_11^-1, and log|det P|."""
        values = values.copy()
        for place, precision in enumerate(precisions):
            values[self.own_places[place]] += np.tile(
                precision[np.tril_indices(len(precision))], self.levels[place]
            )
        values = values[self.sorting]
        waiting: dict[int, Floats] = {}
        pivots, loads, log_det = [], [], 0.0
        for place, front in enumerate(self.fronts):
            whole = waiting.pop(place, None)
            if whole is None:
                whole = np.zeros((front.size, front.size))
            whole.ravel()[front.at] += values[front.entries]
            own = len(front.own)
            # Only lower triangles are held, except of what is given back.
            pivot, part = _inverse(whole[:own, :own])
            log_det += part
            below = whole[own:, :own]
            load = below @ pivot
            pivots.append(pivot)
            loads.append(load)
            if front.parent >= 0:
                if front.parent not in waiting:
                    size = self.fronts[front.parent].size
                    waiting[front.parent] = np.zeros((size, size))
                left = whole[own:, own:] - load @ below.T
                waiting[front.parent][front.inside[:, None], front.inside] += left
        return pivots, loads, log_det

    def _substitute(self, pivots: list[Floats], loads: list[Floats], right: Floats) -> Floats:
        """Return P^-1 times columns."""
        held = right[self.order]
        for front, load in zip(self.fronts, loads, strict=True):
            held[front.later] -= load @ held[front.own]
        steps = zip(self.fronts[::-1], pivots[::-1], loads[::-1], strict=True)
        for front, pivot, load in steps:
            held[front.own] = pivot @ held[front.own] - load.T @ held[front.later]
        found = np.empty_like(held)
        found[self.order] = held
        return found

    def _invert(self, pivots: list[Floats], loads: list[Floats]) -> Floats:
        """Return P^-1 at the places of the coupling."""
        found = np.empty(len(self.sorting))
        waiting: dict[int, Floats] = {}
        children = np.bincount(
            [front.parent for front in self.fronts if front.parent >= 0],
            minlength=len(self.fronts),
        )
        for place in range(len(self.fronts) - 1, -1, -1):
            front, load = self.fronts[place], loads[place]
            own = len(front.own)
            whole = np.empty((front.size, front.size))
            whole[:own, :own] = pivots[place]
            if front.parent >= 0:
                later = waiting[front.parent][front.inside[:, None], front.inside]
                swept = later @ load
                whole[own:, own:] = later
                whole[own:, :own] = -swept
                whole[:own, own:] = -swept.T
                whole[:own, :own] += load.T @ swept
                children[front.parent] -= 1
                if not children[front.parent]:
                    del waiting[front.parent]
            if children[place]:
                waiting[place] = whole
            found[front.entries] = whole.ravel()[front.at]
        values = np.empty_like(found)
        values[self.sorting] = found
        return values

    def _blocks(self, inverse: Floats, place: int) -> Floats:
        """Return the diagonal blocks of one factor, shape (levels, q, q)."""
        width = self.widths[place]
        blocks = np.zeros((self.levels[place], width, width))
        rows, columns = np.tril_indices(width)
        blocks[:, rows, columns] = inverse[self.own_places[place]].reshape(-1, len(rows))
        return fill_upper(blocks)

    def _matrix(self, values: Floats) -> sparse.csr_matrix:
        """Return N from its lower triangle."""
        rows, columns = self.coupling.rows, self.coupling.columns
        halved = np.where(rows == columns, values / 2, values)
        half = sparse.csr_matrix((halved, (rows, columns)), (self.size, self.size))
        return half + half.T


@dataclass(slots=True)
class _Precisions:
    """Sigma^-1 of each factor, what was added to Sigma, and log|Sigma| over all levels."""

    precisions: list[Floats]
    added: list[Floats]
    log_det: float


def front_rest(
    levels: tuple[int, ...],
    widths: tuple[int, ...],
    square: sparse.csr_matrix,
    coupling: SparseCoupling,
) -> FrontRest:
    """Plan the sparse elimination of some factors' effects.

    Parameters
    ----------
    levels, widths : tuple of int
    square : csr_matrix, shape (m, m)
        Z_r'WZ_r.
    coupling : SparseCoupling
        Its places hold every entry of each level's own block.

    Returns
    -------
    FrontRest
    """
    counts = np.repeat(widths, levels)
    node = np.repeat(np.arange(len(counts)), counts)
    rows, columns = coupling.rows, coupling.columns
    pairs = np.unique(node[rows] * len(counts) + node[columns])
    first, second = np.divmod(pairs, len(counts))
    apart = first != second
    plan = plan_elimination(len(counts), first[apart], second[apart])
    keys = rows * coupling.table.shape[1] + columns
    order, sorting, fronts = plan_fronts(plan, counts, rows, columns)
    return FrontRest(
        levels=levels,
        widths=widths,
        base=_listed(square, keys),
        coupling=coupling,
        own_places=_own_places(levels, widths, keys, coupling.table.shape[1]),
        sorting=sorting,
        order=order,
        fronts=fronts,
        work=plan.work * float(max(widths)) ** 3,
    )


def _inverse(lower: Floats) -> tuple[Floats, float]:
    """Return the inverse of a symmetric block, and log|det|, from its lower triangle."""
    factor, failed = lapack.dpotrf(lower, lower=1)
    if failed:
        whole = fill_upper(lower)
        return np.asarray(np.linalg.inv(whole)), float(np.linalg.slogdet(whole)[1])
    log_det = 2 * float(np.log(np.diagonal(factor)).sum())
    # dpotrf has cleared the upper triangle.
    half = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
    whole = half + half.T
    whole.flat[:: len(whole) + 1] /= 2
    return whole, log_det


def _listed(square: sparse.csr_matrix, keys: Ints) -> Floats:
    """Return the lower triangle of a matrix at sorted places."""
    held = sparse.tril(square, format="coo")
    values = np.zeros(len(keys))
    own = held.row.astype(np.intp) * square.shape[1] + held.col
    values[np.searchsorted(keys, own)] = held.data
    return values


def _own_places(
    levels: tuple[int, ...], widths: tuple[int, ...], keys: Ints, size: int
) -> list[Ints]:
    """Return where each level's own lower triangle stands among sorted places."""
    found, start = [], 0
    for count, width in zip(levels, widths, strict=True):
        rows, columns = np.tril_indices(width)
        first = start + width * np.arange(count)[:, None]
        wanted = (first + rows) * size + first + columns
        found.append(np.searchsorted(keys, wanted.ravel()))
        start += count * width
    return found

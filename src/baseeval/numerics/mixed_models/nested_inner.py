"""The inner level of nested groups: taken out first, with what the outer level then takes from it.

With V_d the covariance without the outer effects, inner group i of outer group s has

    Z1'V^-1 w = K_i (R_i w - B_i C_s T_s w),   T_s = Z2'V_d^-1[Z2 X y],   C_s as in nested_groups,

so every derivative with respect to Sigma1 is K_i N_i K_i' added up over i, where N_i is quadratic
in R_i less B_i C_s T_s. For pooled groups the cross terms are sums of B_i H_s R_i', H_s known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.nested_algebra import batches, mix, small_product
from baseeval.numerics.mixed_models.nested_groups import (
    PooledGroups,
    SeparateGroups,
    Slopes,
    Taken,
)
from baseeval.numerics.mixed_models.nested_patterns import Pattern
from baseeval.numerics.mixed_models.nested_reader import group_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pull:
    """What the outer level takes from its inner groups, S outer groups, r columns in Z2.

    Parameters
    ----------
    middle : ndarray, shape (S, r, r)
        C_s.
    modes : ndarray, shape (r, S)
        C_s T_s (y - X beta), the outer effects.
    loadings : ndarray, shape (r, S, p)
        C_s T_s X.
    """

    middle: Floats
    modes: Floats
    loadings: Floats


@dataclass(frozen=True, slots=True)
class PooledInner:
    """Inner groups that share patterns.

    Parameters
    ----------
    patterns : list of Pattern
        Their sums have the columns [Z2 X y].
    pool : PooledGroups
        Their gram, and the squares of the columns [X y].
    """

    patterns: list[Pattern]
    pool: PooledGroups

    def take(self, sigma: Floats) -> Taken:
        """Take these groups' effects out, their covariance sigma (q, q)."""
        return self.pool.take(sigma)

    def lower(self, taken: Taken, table: Floats) -> None:
        """Take sums of B_i'C_i R_i from the outer groups' Z2'[Z2 X y], shape (r, S, r + m)."""
        for pattern, middle in zip(self.patterns, taken.middle, strict=True):
            h, q, cells, m = pattern.sums.shape
            weights = np.einsum("ab,azh->zhb", middle, pattern.spread).reshape(-1, h * q)
            whole = cells == table.shape[1]
            for part in batches(cells, h * q * m):
                sums = weights @ pattern.sums[:, :, part].reshape(h * q, -1)
                table[:, part if whole else pattern.places[part]] -= sums.reshape(len(table), -1, m)

    def slopes(self, taken: Taken, combination: Floats, spread: Floats, pull: Pull) -> Slopes:
        """Return the derivatives with respect to sigma; arguments as in `PooledGroups.slopes`."""
        r, outers, p = pull.loadings.shape
        weighted = np.zeros((r, outers, r + p + 1))
        weighted[:, :, r:-1] = -pull.loadings @ spread[:p, :p]
        weighted[:, :, :r] = -0.5 * np.einsum(
            "zsx,ysx->zsy", weighted[:, :, r:-1], pull.loadings, optimize=False
        )
        parts = [self._cross(pattern, combination, pull, weighted) for pattern in self.patterns]
        shapes, spreads, fades = (np.stack(part) for part in zip(*parts, strict=True))
        return self.pool.slopes(taken, combination, spread, (shapes, spreads, fades))

    def _cross(
        self, pattern: Pattern, combination: Floats, pull: Pull, weighted: Floats
    ) -> list[Floats]:
        """Return sum_i B_i H_s R_i' and its transpose, for shapes, spreads and fades."""
        h, q, cells, m = pattern.sums.shape
        r = len(pull.modes)
        middle, modes = pull.middle, pull.modes
        if cells < modes.shape[1]:
            middle, modes = middle[pattern.places], modes[:, pattern.places]
            weighted = weighted[:, pattern.places]
        rows = pattern.sums.reshape(h * q, cells, m)
        own = rows[:, :, :r]
        scores = rows @ np.append(np.zeros(r), combination)
        scores -= 0.5 * np.einsum("jsz,zs->js", own, modes)
        sums = [
            -0.5 * np.einsum("jsy,szy->jz", own, middle),
            -scores @ modes.T,
            rows.reshape(h * q, -1) @ weighted.reshape(r, -1).T,
        ]
        halves = [np.einsum("azh,hbz->ab", pattern.spread, one.reshape(h, q, r)) for one in sums]
        return [half + half.T for half in halves]


@dataclass(frozen=True, slots=True)
class SingleInner:
    """Inner groups of which each is kept by itself.

    Parameters
    ----------
    groups : SeparateGroups
        Their gram, and sums with the columns [Z2 X y].
    places : ndarray of int, shape (g,)
        Outer group of each, never falling.
    outer : int
        r, columns of Z2.
    """

    groups: SeparateGroups
    places: Ints
    outer: int

    @property
    def _fixed(self) -> SeparateGroups:
        return SeparateGroups(self.groups.gram, self.groups.sums[:, :, self.outer :])

    @property
    def crosses(self) -> Floats:
        """Return B of each group, shape (g, q, r)."""
        return self.groups.sums[:, :, : self.outer].transpose(1, 0, 2)

    def take(self, sigma: Floats) -> Taken:
        """Take these groups' effects out, their covariance sigma (q, q)."""
        # The derivatives of separate groups are not theirs: the outer effects have a part in them.
        return self._fixed.take(sigma, derive=False)

    def lower(self, taken: Taken, table: Floats) -> None:
        """Take sums of B_i'C_i R_i from the outer groups' Z2'[Z2 X y], shape (r, S, r + m)."""
        weights = small_product(self.crosses.transpose(0, 2, 1), taken.middle)
        starts = np.append(0, np.flatnonzero(self.places[1:] != self.places[:-1]) + 1)
        for row, sums in enumerate(self.groups.sums):
            table[:, self.places[starts]] -= group_sums(weights[:, :, row], starts, sums)

    def slopes(self, taken: Taken, combination: Floats, spread: Floats, pull: Pull) -> Slopes:
        """Return the derivatives with respect to sigma; arguments as in `SeparateGroups.slopes`."""
        q, count = self.groups.sums.shape[:2]
        p = len(combination) - 1
        squares, shapes, scores = np.zeros((q * p, q * p)), np.zeros((q, q)), np.zeros((q, q))
        for part in batches(count, q * p):
            inverse = taken.inverse[part]
            score, swept = self.left(part, combination, pull)
            score = mix(inverse, score[:, :, None])[:, :, 0]
            scores += score @ score.T
            flat = mix(inverse, swept).transpose(1, 0, 2).reshape(-1, q * p)
            squares += flat.T @ flat
            within = small_product(inverse, self.crosses[part])
            pulled = small_product(within, pull.middle[self.places[part]])
            shapes += small_product(inverse, self.groups.gram[part]).sum(axis=0)
            shapes -= np.tensordot(pulled, within, ((0, 2), (0, 2)))
        fades = np.einsum("ambn,mn->ab", squares.reshape(q, p, q, p), spread[:p, :p])
        return Slopes(shapes, scores, fades)

    def left(self, part: slice, combination: Floats, pull: Pull) -> tuple[Floats, Floats]:
        """Return of some groups what the outer effects leave.

        Parameters
        ----------
        part : slice
        combination : ndarray, shape (p + 1,)
        pull : Pull

        Returns
        -------
        scores : ndarray, shape (q, g)
            Z1'V_d^-1 (y - X beta) before K, less the outer effects' part.
        loads : ndarray, shape (q, g, p)
            The same of X.
        """
        sums, places, crosses = self.groups.sums[:, part], self.places[part], self.crosses[part]
        scores = sums[:, :, self.outer :] @ combination
        scores -= mix(crosses, pull.modes[:, places, None])[:, :, 0]
        loads = sums[:, :, self.outer : -1] - mix(crosses, pull.loadings[:, places])
        return scores, loads

    def by_outer(self, sigma: Floats, outers: int) -> Floats:
        """Return the sum of R'C R over the columns [X y] by outer group, shape (S, m, m)."""
        sums, q = self._fixed.sums, len(sigma)
        found = np.zeros((outers, sums.shape[2], sums.shape[2]))
        mixed = mix(self.take(sigma).middle, sums)
        ends = np.searchsorted(self.places, np.arange(outers + 1))
        for place, (start, end) in enumerate(pairwise(ends)):
            for row in range(q):
                found[place] += sums[row, start:end].T @ mixed[row, start:end]
        return found

    def effects(
        self, sigma: Floats, combination: Floats, pull: Pull
    ) -> tuple[Floats, Floats, Floats]:
        """Return modes (g, q), conditional variances (g, q, q) and loadings (g, q, p)."""
        taken = self.groups.take(sigma)
        scores, loads = self.left(slice(None), combination, pull)
        modes = mix(taken.middle, scores[:, :, None])[:, :, 0].T
        within = taken.middle @ self.crosses
        variance = within @ pull.middle[self.places] @ within.transpose(0, 2, 1)
        loadings = mix(taken.middle, loads).transpose(1, 0, 2)
        return modes, taken.middle + variance, loadings

"""Inner groups that share a pattern, pooled: what is kept of them does not grow with their number.

Inner group i of outer group s enters the likelihood by A_i = Z1'Z1, B_i = Z1'Z2 and
R_i = Z1'[Z2 X y]. With C(A) = Sigma1 (I + A Sigma1)^-1, the sums over i that are needed are

    B_i' C(A_i) R_i by outer group     and     R_i' C(A_i) R_i over all.

Groups that share A and B (occasions at the same waves) need only the sum of their R_i by outer
group; groups that share A alone (B a continuous column) the sum of vec(B_i) R_i. Over all, groups
that share A need the cross-products of vec(R_i). A pattern that does not come again is not
pooled: such a group is kept by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.nested_reader import InnerGroups, group_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Fewer groups are kept one by one: they take little room, and a sum over patterns takes time.
POOL_FROM = 4096
#: Patterns pooled at most: each holds the cross-products of a whole row of sums.
_MOST = 256
#: Patterns are told apart by their numbers without the last four bits.
_TAIL = 16
_MIX = np.random.default_rng(20260101).integers(1, 2**62, 4096) * 2 + 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """Inner groups that share a pattern.

    Parameters
    ----------
    gram : ndarray, shape (q, q)
        A.
    spread : ndarray, shape (q, r, h)
        How B follows from the h multipliers: of one group, B = spread @ multipliers.
    count : int
        Groups.
    squares : ndarray, shape (q, m, q, m)
        Sum over groups of R R'.
    places : ndarray of int, shape (c,)
        Outer groups that hold some, ascending.
    sums : ndarray, shape (h, q, c, m)
        Sum over the groups of each outer group of multiplier times R.
    """

    gram: Floats
    spread: Floats
    count: int
    squares: Floats
    places: Ints
    sums: Floats


@dataclass(slots=True)
class PatternTable:
    """Collects inner groups as they come.

    Parameters
    ----------
    inner, outer : int
        q and r, columns of Z1 and Z2; a row of sums begins with Z1'Z1 and Z1'Z2.
    """

    inner: int
    outer: int
    #: Whether patterns are of A and B together; chosen by the first groups that are pooled.
    joint: bool | None = None
    _known: dict[bytes, int] = field(default_factory=dict)
    _keys: list[Floats] = field(default_factory=list)
    _squares: list[Floats] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    _cells: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    _singles: list[InnerGroups] = field(default_factory=list)
    _waiting: int = 0

    def add(self, groups: InnerGroups) -> None:
        """Take in some groups, outer groups in order."""
        if self.joint is None:
            self._singles.append(groups)
            self._waiting += len(groups.codes)
            if self._waiting <= POOL_FROM:
                return
            groups, self._singles = join_groups(self._singles), []
        if len(groups.codes):
            self._sort(groups)

    def _sort(self, groups: InnerGroups) -> None:
        """Pool what can be pooled."""
        q, r = self.inner, self.outer
        key = np.ascontiguousarray(groups.sums[:, :, : q + r].transpose(1, 0, 2))
        if self.joint is None:
            alone = _distinct(key[:, :, :q]).alone
            self.joint = _distinct(key).alone - alone <= len(key) / 4
        found = self._recognise(key if self.joint else key[:, :, :q])
        single = found < 0
        if single.any():
            self._singles.append(
                InnerGroups(
                    groups.codes[single], groups.places[single], groups.sums[:, single].copy()
                )
            )
        pooled = np.flatnonzero(~single)
        if len(pooled):
            self._pool(pooled[np.argsort(found[pooled], kind="stable")], found, groups)

    def patterns(self) -> list[Pattern]:
        """Return what was pooled, outer groups that came in two parts joined."""
        if not self._cells:
            return []
        places, kinds, sums = (np.concatenate(part) for part in zip(*self._cells, strict=True))
        order = np.lexsort((places, kinds))
        places, kinds = places[order], kinds[order]
        fresh = np.append(True, (places[1:] != places[:-1]) | (kinds[1:] != kinds[:-1]))
        starts = np.flatnonzero(fresh)
        sums = np.add.reduceat(sums[order], starts)
        places = places[starts]
        ends = np.searchsorted(kinds[starts], np.arange(len(self._keys) + 1))
        return [
            self._pattern(kind, places[start:end], sums[start:end])
            for kind, (start, end) in enumerate(pairwise(ends))
        ]

    def singles(self, columns: int) -> InnerGroups:
        """Return the groups that were not pooled; a row of sums has so many columns."""
        if not self._singles:
            none = np.empty(0, dtype=np.intp)
            return InnerGroups(none, none, np.empty((self.inner, 0, columns)))
        return join_groups(self._singles)

    def _recognise(self, key: Floats) -> Ints:
        """Return the pattern of each group, -1 where it is alone."""
        found = _distinct(key)
        known = np.empty(len(found.first), dtype=np.intp)
        for place, (first, count) in enumerate(zip(found.first, found.counts, strict=True)):
            name = found.bits[first].tobytes()
            pattern = self._known.get(name, -1)
            if pattern < 0 and count > 1 and len(self._keys) < _MOST:
                pattern = self._known[name] = len(self._keys)
                self._keys.append(key[first].copy())
                self._squares.append(np.zeros(()))
                self._counts.append(0)
            known[place] = pattern
        return np.asarray(known[found.inverse])

    def _pool(self, order: Ints, found: Ints, groups: InnerGroups) -> None:
        q, kinds, places = self.inner, found[order], groups.places[order]
        rows = groups.sums.transpose(1, 0, 2)[order]
        flat = rows.reshape(len(order), -1)
        if self.joint:
            multipliers = np.ones((len(order), 1))
        else:
            multipliers = rows[:, :, q : q + self.outer].reshape(len(order), -1)
        ends = np.append(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1, len(order))
        start = 0
        for end in ends:
            kind, part = kinds[start], flat[start:end]
            self._squares[kind] = self._squares[kind] + part.T @ part
            self._counts[kind] += end - start
            start = end
        fresh = (kinds[1:] != kinds[:-1]) | (places[1:] != places[:-1])
        starts = np.append(0, np.flatnonzero(fresh) + 1)
        sums = group_sums(multipliers, starts, flat).transpose(1, 0, 2)
        self._cells.append((places[starts], kinds[starts], sums))

    def _pattern(self, kind: int, places: Ints, sums: Floats) -> Pattern:
        q, r, key = self.inner, self.outer, self._keys[kind]
        h = sums.shape[1]
        spread = key[:, q:, None] if self.joint else np.eye(q * r).reshape(q, r, q * r)
        m = sums.shape[2] // q
        return Pattern(
            gram=key[:, :q],
            spread=spread,
            count=self._counts[kind],
            squares=self._squares[kind].reshape(q, m, q, m),
            places=places,
            sums=np.ascontiguousarray(sums.reshape(len(places), h, q, m).transpose(1, 2, 0, 3)),
        )


def join_groups(parts: list[InnerGroups]) -> InnerGroups:
    """Put parts one after the other.

    Parameters
    ----------
    parts : list of InnerGroups

    Returns
    -------
    InnerGroups
    """
    return InnerGroups(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.sums for part in parts], axis=1),
    )


@dataclass(frozen=True, slots=True)
class _Distinct:
    bits: NDArray[np.int64]
    first: Ints
    inverse: Ints
    counts: Ints

    @property
    def alone(self) -> int:
        return int((self.counts == 1).sum())


def _distinct(key: Floats) -> _Distinct:
    """Tell patterns apart, shape (g, ...)."""
    flat = np.ascontiguousarray(key.reshape(len(key), -1)) + 0.0  # one zero, not two
    bits = (flat.view(np.int64) + _TAIL // 2) // _TAIL
    # One number for each row sorts faster than rows do; should two rows share it, rows are sorted.
    mixed = (bits * _MIX[: bits.shape[1]]).sum(axis=1)
    _, first, inverse, counts = np.unique(
        mixed, return_index=True, return_inverse=True, return_counts=True
    )
    if not np.array_equal(bits, bits[first][inverse]):
        _, first, inverse, counts = np.unique(
            bits, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
    return _Distinct(bits, first, inverse.ravel(), counts)

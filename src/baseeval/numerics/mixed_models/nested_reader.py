"""Sorted blocks of rows, read once: the table of a block and the groups that end in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from baseeval.numerics.mixed_models.blocks import Block

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_UNSORTED = "rows of a group do not follow one another: sort by outer, then inner group"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table of rows holds what: Z of the inner terms, Z of the outer ones, X, y.

    Parameters
    ----------
    owners : tuple of int
        0 for a term of the outer factor, 1 for one of the inner.
    widths : tuple of int
        Columns of Z of each term.
    fixed : int
        p, columns of X.
    """

    owners: tuple[int, ...]
    widths: tuple[int, ...]
    fixed: int

    def terms(self, owner: int) -> list[int]:
        """Return the terms of a factor."""
        return [term for term, own in enumerate(self.owners) if own == owner]

    def width(self, owner: int) -> int:
        """Return the columns of Z of a factor's terms."""
        return sum(self.widths[term] for term in self.terms(owner))

    @property
    def slices(self) -> list[slice]:
        """Return where each term's columns are among those of its factor."""
        ends = {0: 0, 1: 0}
        found = []
        for own, width in zip(self.owners, self.widths, strict=True):
            found.append(slice(ends[own], ends[own] + width))
            ends[own] += width
        return found

    @property
    def inner(self) -> slice:
        """Return the columns of Z of the inner terms."""
        return slice(0, self.width(1))

    @property
    def outer(self) -> slice:
        """Return the columns of Z of the outer terms."""
        return slice(self.width(1), self.width(1) + self.width(0))

    @property
    def x(self) -> slice:
        """Return the columns of X."""
        return slice(self.outer.stop, self.outer.stop + self.fixed)

    @property
    def count(self) -> int:
        """Return the number of columns, the outcome's included."""
        return sum(self.widths) + self.fixed + 1


@dataclass(frozen=True, slots=True)
class InnerGroups:
    """Inner groups, each by itself.

    Parameters
    ----------
    codes : ndarray of int, shape (g,)
    places : ndarray of int, shape (g,)
        Position of the outer group in order of appearance; never falls.
    sums : ndarray, shape (q, g, m)
        Z'[table], Z the columns of the inner terms.
    """

    codes: Ints
    places: Ints
    sums: Floats


@dataclass(frozen=True, slots=True)
class Reading:
    """What one block holds.

    Parameters
    ----------
    table : ndarray, shape (n, m)
        As :class:`Columns` says, less the shift, times the root of the weights.
        It is overwritten by the next reading.
    log_weights : ndarray, shape (n,), or None
    codes, starts, places : ndarray of int, shape (r,)
        Runs of outer groups: code, first row, position in order of appearance.
    inner : InnerGroups or None
        Those whose last row has been seen.
    """

    table: Floats
    log_weights: Floats | None
    codes: Ints
    starts: Ints
    places: Ints
    inner: InnerGroups | None


def group_sums(z: Floats, starts: Ints, table: Floats) -> Floats:
    """Sum the products of two sets of columns over runs of rows.

    Parameters
    ----------
    z : ndarray, shape (n, q)
    starts : ndarray of int, shape (g,)
        First row of each run; a run may be empty.
    table : ndarray, shape (n, m)

    Returns
    -------
    ndarray, shape (q, g, m)
    """
    # A sparse product takes half the time of numpy.add.reduceat, a fifth for short runs.
    n, q = z.shape
    heads = (starts[None, :] + n * np.arange(q)[:, None]).ravel()
    pointers = np.append(heads, n * q).astype(np.int32)
    indices = np.tile(np.arange(n, dtype=np.int32), q)
    # Set one by one: the constructor would look through the indices, which are right as made.
    matrix = csr_array((q * len(starts), n))
    matrix.data, matrix.indices, matrix.indptr = z.T.ravel(), indices, pointers
    return np.asarray(matrix @ table).reshape(q, len(starts), -1)


@dataclass(slots=True)
class _Open:
    """The inner group at the end of what has been read, which may go on."""

    code: int
    place: int
    sums: Floats


@dataclass(slots=True)
class SortedReader:
    """A pass over blocks of rows sorted by outer, then inner group.

    Parameters
    ----------
    columns : Columns
    shift : ndarray, shape (p,)
        Taken from X.
    centre : float
        Taken from y.
    """

    columns: Columns
    shift: Floats
    centre: float
    _buffer: Floats = field(default_factory=lambda: np.empty((0, 0)))
    _last: tuple[int, int] = (-1, -1)
    _open: _Open | None = None
    _runs: int = 0
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def read(self, blocks: Iterable[Block]) -> Iterator[Reading]:
        """Yield what each block holds, and after the last the inner group still open.

        Raises
        ------
        ValueError
            If the rows of an inner group do not follow one another.
        """
        for block in blocks:
            if len(block.y):
                yield self._block(block)
        if self._open is not None:
            none, left = np.empty(0, dtype=np.intp), self._open
            inner = InnerGroups(np.array([left.code]), np.array([left.place]), left.sums[:, None])
            yield Reading(np.empty((0, self.columns.count)), None, none, none, none, inner)
        if self._runs != self._seen.sum():
            raise ValueError(_UNSORTED)

    def _block(self, block: Block) -> Reading:
        logs = None if block.weights is None else np.log(block.weights)
        table = self._table(block)
        outer = block.groups[self.columns.terms(0)[0]]
        turns = outer[1:] != outer[:-1]
        starts = np.append(0, np.flatnonzero(turns) + 1)
        codes, (code, place) = outer[starts], self._last
        places = np.arange(len(starts)) + (place if codes[0] == code else place + 1)
        self._last = int(codes[-1]), int(places[-1])
        inner = None
        if self.columns.terms(1):
            own = block.groups[self.columns.terms(1)[0]]
            firsts = np.append(0, np.flatnonzero(turns | (own[1:] != own[:-1])) + 1)
            held = places[np.searchsorted(starts, firsts, side="right") - 1]
            inner = self._inner(own[firsts], held, firsts, table)
        return Reading(table, logs, codes, starts, places, inner)

    def _table(self, block: Block) -> Floats:
        n, at = len(block.y), self.columns
        if len(self._buffer) < n:
            self._buffer = np.empty((n, at.count))
        table = self._buffer[:n]
        place = 0
        for term in at.terms(1) + at.terms(0):
            table[:, place : place + at.widths[term]] = block.z[term]
            place += at.widths[term]
        np.subtract(block.x, self.shift, out=table[:, at.x])
        np.subtract(block.y, self.centre, out=table[:, -1])
        if block.weights is not None:
            table *= np.sqrt(block.weights)[:, None]
        return table

    def _inner(self, codes: Ints, places: Ints, firsts: Ints, table: Floats) -> InnerGroups:
        """Return the groups that are complete; the last one is left open."""
        # An empty run in front makes room for the group that the last block left open.
        sums = group_sums(table[:, self.columns.inner], np.append(0, firsts), table)
        begin, left = 1, self._open
        if left is not None:
            if (left.code, left.place) == (codes[0], places[0]):
                sums[:, 1] += left.sums
            else:
                sums[:, 0], begin = left.sums, 0
        joined = left is not None and begin == 1
        self._count(codes[1:] if joined else codes)
        self._open = _Open(int(codes[-1]), int(places[-1]), sums[:, -1].copy())
        if begin == 0 and left is not None:
            codes, places = np.append(left.code, codes), np.append(left.place, places)
        return InnerGroups(codes[:-1], places[:-1], sums[:, begin:-1])

    def _count(self, codes: Ints) -> None:
        """Note the groups that begin; one that begins twice was not sorted."""
        self._runs += len(codes)
        most = int(codes.max(initial=-1)) + 1
        if most > len(self._seen):
            grown = np.zeros(max(most, 2 * len(self._seen)), dtype=bool)
            grown[: len(self._seen)] = self._seen
            self._seen = grown
        self._seen[codes] = True

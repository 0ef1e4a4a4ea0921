"""Everything that the likelihood of nested groups needs of the rows, from one pass over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.coordinates import Sums
from baseeval.numerics.mixed_models.nested_patterns import Pattern, PatternTable, join_groups
from baseeval.numerics.mixed_models.nested_reader import (
    Columns,
    InnerGroups,
    Reading,
    SortedReader,
    group_sums,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Inner groups that are pooled at a time when sums are pooled anew.
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class NestedStatistics:
    """Sums over rows and groups, S outer groups and tables of m columns.

    Parameters
    ----------
    columns : Columns
    shift, centre : ndarray (p,), float
        Taken from X and y.
    intercept : int or None
    total : ndarray, shape (m, m)
        Cross-products over all rows.
    codes, rows : ndarray of int, shape (S,)
        Outer groups in order of appearance.
    log_weights : ndarray, shape (S,)
    outer : ndarray, shape (r, S, m)
        Z2'[table].
    patterns : list of Pattern
    singles : InnerGroups
        Those that no pattern holds.
    squares : ndarray, shape (S, m, m), or None
        Cross-products by outer group.
    groups : InnerGroups or None
        All inner groups. Both only where groups are kept.
    """

    columns: Columns
    shift: Floats
    centre: float
    intercept: int | None
    total: Floats
    codes: Ints
    rows: Ints
    log_weights: Floats
    outer: Floats
    patterns: list[Pattern]
    singles: InnerGroups
    squares: Floats | None
    groups: InnerGroups | None

    @property
    def sums(self) -> Sums:
        """Return the cross-products of X and y."""
        x = self.columns.x
        return Sums(
            xx=self.total[x, x],
            xy=self.total[x, -1],
            yy=float(self.total[-1, -1]),
            n=int(self.rows.sum()),
            log_weights=float(self.log_weights.sum()),
            shift=self.shift,
            centre=self.centre,
            intercept=self.intercept,
        )


def read_statistics(
    blocks: Iterable[Block],
    owners: tuple[int, ...],
    intercept: int | None,
    keep_groups: bool,
) -> NestedStatistics:
    """Read the rows.

    Parameters
    ----------
    blocks : iterable of Block
        Rows sorted by outer, then inner group; a group may go on in the next block.
    owners : tuple of int
        0 for a term of the outer factor, 1 for one of the inner.
    intercept : int or None
        Position of a column of ones in X.
    keep_groups : bool
        Whether to keep cross-products by outer group, and every inner group's sums.

    Returns
    -------
    NestedStatistics

    Raises
    ------
    ValueError
        If there is no row, or the rows of a group do not follow one another.
    """
    coming = iter(blocks)
    first = next(coming, None)
    if first is None or not len(first.y):
        raise ValueError("a mixed model needs rows")
    columns = Columns(owners, tuple(z.shape[1] for z in first.z), first.x.shape[1])
    shift, centre = np.zeros(columns.fixed), 0.0
    if intercept is not None:
        shift, centre = first.x.mean(axis=0), float(first.y.mean())
        shift[intercept] = 0.0
    reader = SortedReader(columns, shift, centre)
    collected = _Collected(columns, keep_groups)
    for reading in reader.read(chain([first], coming)):
        collected.add(reading)
    return collected.finish(shift, centre, intercept)


def leave_out(whole: NestedStatistics, place: int) -> NestedStatistics:
    """Take an outer group away.

    Parameters
    ----------
    whole : NestedStatistics
        With its groups kept.
    place : int
        Position of the group in order of appearance.

    Returns
    -------
    NestedStatistics
    """
    squares, groups = whole.squares, whole.groups
    if squares is None:
        raise ValueError("groups were not kept: read with keep_groups=True")
    patterns, singles = whole.patterns, whole.singles
    if groups is not None:
        stay = groups.places != place
        places = groups.places[stay]
        groups = InnerGroups(groups.codes[stay], places - (places > place), groups.sums[:, stay])
        table = PatternTable(whole.columns.width(1), whole.columns.width(0))
        for start in range(0, len(places), _BATCH):
            part = slice(start, start + _BATCH)
            table.add(InnerGroups(groups.codes[part], groups.places[part], groups.sums[:, part]))
        patterns, singles = table.patterns(), table.singles(whole.columns.count)
    return NestedStatistics(
        columns=whole.columns,
        shift=whole.shift,
        centre=whole.centre,
        intercept=whole.intercept,
        total=whole.total - squares[place],
        codes=np.delete(whole.codes, place),
        rows=np.delete(whole.rows, place),
        log_weights=np.delete(whole.log_weights, place),
        outer=np.delete(whole.outer, place, axis=1),
        patterns=patterns,
        singles=singles,
        squares=np.delete(squares, place, axis=0),
        groups=groups,
    )


@dataclass(slots=True)
class _ByPlace:
    """Values by outer group; one that goes on in the next block is added up."""

    parts: list[Floats] = field(default_factory=list)
    last: int = -1

    def add(self, places: Ints, values: Floats) -> None:
        if self.last == places[0]:
            self.parts[-1][-1] += values[0]
            values = values[1:]
        if len(values):
            self.parts.append(values)
        self.last = int(places[-1])

    def joined(self) -> Floats:
        return np.concatenate(self.parts)


@dataclass(slots=True)
class _Collected:
    columns: Columns
    keep: bool
    total: Floats = field(init=False)
    table: PatternTable = field(init=False)
    codes: list[Ints] = field(default_factory=list)
    rows: _ByPlace = field(default_factory=_ByPlace)
    log_weights: _ByPlace = field(default_factory=_ByPlace)
    outer: _ByPlace = field(default_factory=_ByPlace)
    squares: _ByPlace = field(default_factory=_ByPlace)
    groups: list[InnerGroups] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = np.zeros((self.columns.count,) * 2)
        self.table = PatternTable(self.columns.width(1), self.columns.width(0))

    def add(self, reading: Reading) -> None:
        if reading.inner is not None:
            self.table.add(reading.inner)
            if self.keep:
                self.groups.append(reading.inner)
        if not len(reading.table):
            return
        table, starts, places = reading.table, reading.starts, reading.places
        self.total += table.T @ table
        self.codes.append(reading.codes[1:] if self.outer.last == places[0] else reading.codes)
        ends = np.append(starts[1:], len(table))
        self.rows.add(places, (ends - starts).astype(np.float64))
        logs = np.zeros(len(starts))
        if reading.log_weights is not None:
            logs = np.add.reduceat(reading.log_weights, starts)
        self.log_weights.add(places, logs)
        sums = group_sums(table[:, self.columns.outer], starts, table)
        self.outer.add(places, sums.transpose(1, 0, 2))
        if self.keep:
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            own = [table[start:end].T @ table[start:end] for start, end in spans]
            self.squares.add(places, np.stack(own))

    def finish(self, shift: Floats, centre: float, intercept: int | None) -> NestedStatistics:
        codes = np.concatenate(self.codes)
        if len(np.unique(codes)) < len(codes):
            raise ValueError("rows of an outer group do not follow one another")
        return NestedStatistics(
            columns=self.columns,
            shift=shift,
            centre=centre,
            intercept=intercept,
            total=self.total,
            codes=codes,
            rows=self.rows.joined().astype(np.intp),
            log_weights=self.log_weights.joined(),
            outer=np.ascontiguousarray(self.outer.joined().transpose(1, 0, 2)),
            patterns=self.table.patterns(),
            singles=self.table.singles(self.columns.count),
            squares=self.squares.joined() if self.keep else None,
            groups=join_groups(self.groups) if self.groups else None,
        )

"""Grouping factors as codes: which level each row has, and which factor lies within which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array

from baseeval.models.column_values import held_values

Ints = NDArray[np.intp]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

#: Whole numbers that spread over no more than this many times the rows are coded by a table.
_SPREAD = 4


@dataclass(frozen=True, slots=True)
class GroupCodes:
    """The level of each row.

    Parameters
    ----------
    codes : ndarray of int32, shape (n,)
        0 to G - 1.
    first : ndarray of int, shape (G,)
        A row of each level.
    """

    codes: Codes
    first: Ints

    @property
    def count(self) -> int:
        """Return the number of levels."""
        return len(self.first)

    def together(self) -> bool:
        """Return whether the rows of each level follow one another."""
        return int(np.count_nonzero(self.codes[1:] != self.codes[:-1])) + 1 == self.count

    def within(self, outer: GroupCodes) -> bool:
        """Return whether each level lies in one level of another factor."""
        home = outer.codes[self.first]
        return bool(np.array_equal(home[self.codes], outer.codes))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How grouping factors lie, and the order in which rows are taken.

    Parameters
    ----------
    route : str
        none, nested (one factor, or two of which one lies within the other) or
        crossed.
    owners : tuple of int
        For each factor: 0 the outer, 1 the inner; places where crossed.
    order : ndarray of int, optional
        Rows so that each level's follow one another; None where they do.
    factors : tuple of GroupCodes
        Renumbered along that order on the nested route.
    """

    route: str
    owners: tuple[int, ...]
    order: Ints | None
    factors: tuple[GroupCodes, ...]


def missing_group(frame: nw.DataFrame[Any], name: str) -> Mask | None:
    """Return which rows have no level of a factor, or None where all have.

    Parameters
    ----------
    frame : narwhals DataFrame
    name : str

    Returns
    -------
    ndarray of bool, or None
    """
    held = held_values(frame, name)
    if isinstance(held, pa.ChunkedArray):
        if not held.null_count and not pa.types.is_floating(held.type):
            return None
        absent = held.is_null(nan_is_null=True).to_numpy()
    else:
        absent = np.asarray(pd.isna(held))
    return absent if absent.any() else None


def code_group(frame: nw.DataFrame[Any], names: Sequence[str], rows: Ints | None) -> GroupCodes:
    """Give the levels of a factor, or of columns' combinations, codes as they appear.

    Parameters
    ----------
    frame : narwhals DataFrame
    names : sequence of str
    rows : ndarray of int, optional
        Rows that count; all by default. None of them may lack a level.

    Returns
    -------
    GroupCodes
        Of the rows that count.
    """
    made = [_appearing(_comparable(held_values(frame, name), rows)) for name in names]
    codes = made[0]
    for further in made[1:]:
        width = int(further.codes.max()) + 1 if len(further.codes) else 1
        codes = _appearing(codes.codes.astype(np.int64) * width + further.codes)
    return codes


def arrange(factors: Sequence[GroupCodes]) -> Arrangement:
    """Find how factors lie, and an order in which each level's rows follow one another.

    Parameters
    ----------
    factors : sequence of GroupCodes

    Returns
    -------
    Arrangement
    """
    given = tuple(factors)
    if not given:
        return Arrangement("none", (), None, given)
    if len(given) == 1:
        if given[0].together():
            return Arrangement("nested", (0,), None, given)
        return Arrangement("nested", (0,), _by_code(given[0]), given)
    owners = _owners(given) if len(given) == 2 else None
    if owners is None:
        return Arrangement("crossed", tuple(range(len(given))), None, given)
    outer, inner = given[owners.index(0)], given[owners.index(1)]
    order = None
    if not (outer.together() and inner.together()):
        inner = _renumbered(inner, np.argsort(outer.codes[inner.first], kind="stable"))
        order = _by_code(inner)
    pair = (outer, inner)
    return Arrangement("nested", owners, order, tuple(pair[owner] for owner in owners))


def _owners(factors: Sequence[GroupCodes]) -> tuple[int, int] | None:
    one, two = factors
    if one.count <= two.count:
        return (0, 1) if two.within(one) else None
    return (1, 0) if one.within(two) else None


def _renumbered(factor: GroupCodes, order: Ints) -> GroupCodes:
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return GroupCodes(place[factor.codes], factor.first[order])


def _by_code(factor: GroupCodes) -> Ints:
    """Return the rows by code, those of one code in their order: a counting sort."""
    n = len(factor.codes)
    rows = np.arange(n, dtype=np.int32)
    ones = np.ones(n, dtype=np.int8)
    sorted_rows = coo_array((ones, (factor.codes, rows)), shape=(factor.count, n)).tocsr()
    return np.asarray(sorted_rows.indices, dtype=np.intp)


def _comparable(held: Any, rows: Ints | None) -> Any:
    """Return a column's values so that equal levels are equal numbers or texts."""
    if isinstance(held, pd.Series):
        held = pd.Categorical(held).codes
    elif isinstance(held, pa.ChunkedArray):
        if pa.types.is_dictionary(held.type):
            one = held.unify_dictionaries().combine_chunks()
            held = pc.fill_null(one.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
        elif pa.types.is_integer(held.type) and not held.null_count:
            held = held.to_numpy()
    if rows is None:
        return held
    return held.take(pa.array(rows)) if isinstance(held, pa.ChunkedArray) else held[rows]


def _appearing(values: Any) -> GroupCodes:
    """Give values codes in the order in which they appear, runs of equal ones at once."""
    if isinstance(values, pa.ChunkedArray):
        changes = pc.not_equal(values[1:], values[:-1]).to_numpy()
    else:
        changes = np.asarray(values[1:] != values[:-1])
    starts: Ints = np.append(0, np.flatnonzero(changes) + 1)[: len(values)].astype(np.intp)
    heads = values.take(pa.array(starts)) if isinstance(values, pa.ChunkedArray) else values[starts]
    codes, first = _rising(heads) or _first_seen(heads)
    if len(starts) == len(values):
        return GroupCodes(codes, first)
    lengths = np.diff(np.append(starts, len(values)))
    origin: Ints = starts[first]
    return GroupCodes(np.repeat(codes, lengths), origin)


def _rising(values: Any) -> tuple[Codes, Ints] | None:
    """Give codes to values each of which is above the one before: none can come again."""
    if isinstance(values, pa.ChunkedArray):
        rises = pc.all(pc.less(values[:-1], values[1:])).as_py() is not False
    else:
        rises = bool(np.all(values[:-1] < values[1:]))
    if not rises:
        return None
    return np.arange(len(values), dtype=np.int32), np.arange(len(values), dtype=np.intp)


def _first_seen(values: Any) -> tuple[Codes, Ints]:
    if isinstance(values, pa.ChunkedArray):
        coded = values.dictionary_encode().unify_dictionaries().combine_chunks()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return codes, _firsts(codes, len(coded.dictionary))
    n = len(values)
    low, high = (int(values.min()), int(values.max())) if n else (0, 0)
    if high - low < _SPREAD * n + 1000 and values.dtype.kind in "iub":
        # Whole numbers without sign may be too large for those with one.
        above = values - values.min() if values.dtype.kind == "u" else values.astype(np.int64) - low
        return _by_table(above.astype(np.int64), high - low + 1)
    codes = pd.factorize(values)[0].astype(np.int32)
    return codes, _firsts(codes, int(codes.max()) + 1 if n else 0)


def _by_table(values: NDArray[np.int64], width: int) -> tuple[Codes, Ints]:
    """Give whole numbers codes by a table of the row where each is first seen."""
    n = len(values)
    seen = np.full(width, n, dtype=np.intp)
    seen[values[::-1]] = np.arange(n - 1, -1, -1)
    first = np.sort(seen[seen < n])
    place = np.empty(width, dtype=np.int32)
    place[values[first]] = np.arange(len(first), dtype=np.int32)
    return place[values], first


def _firsts(codes: Codes, count: int) -> Ints:
    first = np.empty(count, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first

"""The columns of a table as numbers and as codes, whichever library holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem, UsageError

Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]
#: Values of a column: floats, whole numbers or booleans.
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers or booleans.

    Parameters
    ----------
    chunks : tuple of ndarray
        As the table holds them, not copied where they have no missing values.
    missing : ndarray of bool, optional
        None where no value is.
    """

    chunks: tuple[Numbers, ...]
    missing: Mask | None

    def whole(self) -> Numbers:
        """Return the values as one array, shape (n,)."""
        return self.chunks[0] if len(self.chunks) == 1 else np.concatenate(self.chunks)

    def joined(self) -> NumberColumn:
        """Return the column as one chunk, for taking rows anywhere."""
        return NumberColumn((self.whole(),), self.missing)

    def take(self, rows: slice | Ints) -> Numbers:
        """Return some rows' values: neighbouring ones from whichever chunks they lie in."""
        if len(self.chunks) == 1:
            return self.chunks[0][rows]
        if not isinstance(rows, slice):
            return self.whole()[rows]
        parts, before = [], 0
        for chunk in self.chunks:
            start, end = max(rows.start - before, 0), min(rows.stop - before, len(chunk))
            if start < end:
                parts.append(chunk[start:end])
            before += len(chunk)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def infinite(self, rows: Ints | None) -> int:
        """Count the infinite values among some rows."""
        if self.chunks[0].dtype.kind != "f":
            return 0
        with np.errstate(over="ignore", invalid="ignore"):
            sound = all(np.isfinite(chunk.sum()) for chunk in self.chunks)
        if sound:
            return 0
        whole = self.whole()
        return int(np.isinf(whole if rows is None else whole[rows]).sum())


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """A column of categories.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Place of each row's category in `levels`; -1 where the value is missing.
    levels : list
        Declared categories in their order, else the values found, sorted.
    declared : bool
        Whether the table itself names the categories.
    """

    codes: NDArray[Any]
    levels: list[Any]
    declared: bool

    @property
    def missing(self) -> Mask | None:
        """Return which rows have no value, or None where all have."""
        absent = self.codes < 0
        return absent if absent.any() else None


Column = NumberColumn | CodedColumn


def open_table(data: IntoDataFrame) -> nw.DataFrame[Any]:
    """Open a dataframe of any library.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads.

    Returns
    -------
    narwhals DataFrame

    Raises
    ------
    UsageError
        It is no dataframe at hand.
    """
    try:
        return nw.from_native(data, eager_only=True)
    except TypeError:
        what = f"{type(data).__name__} is not a table in memory that narwhals reads"
        remedy = "Give a pandas or polars DataFrame or a pyarrow Table; collect a lazy one first."
        raise UsageError(Problem("data", what, remedy)) from None


def read_column(frame: nw.DataFrame[Any], name: str) -> Column:
    """Read a column as numbers or categories.

    Text and declared categories are categories, all else is numbers; a boolean
    is 0 or 1. In pandas, a column of Python objects is a category, as
    formulaic has it.

    Parameters
    ----------
    frame : narwhals DataFrame
    name : str

    Returns
    -------
    NumberColumn or CodedColumn

    Raises
    ------
    DataError
        The column holds days, times or what else is neither.
    """
    held = held_values(frame, name)
    if isinstance(held, np.ndarray):
        return NumberColumn((held,), _not_numbers(held))
    if isinstance(held, pd.Series):
        made = pd.Categorical(held)
        declared = isinstance(held.dtype, pd.CategoricalDtype)
        return CodedColumn(made.codes, list(made.categories), declared)
    kind = held.type
    if pa.types.is_dictionary(kind):
        return _declared(held)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return _sorted_text(held)
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        held = held.cast(pa.float64())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        what = f"it holds {kind}, which is neither a number nor a category"
        raise DataError(Problem(f"data, column `{name}`", what, "Count days from one, or code it."))
    return _arrow_numbers(held)


def held_values(frame: nw.DataFrame[Any], name: str) -> Any:
    """Return a column as its library holds it, uncopied.

    Parameters
    ----------
    frame : narwhals DataFrame
    name : str

    Returns
    -------
    ndarray of numbers, pandas.Series of categories or objects, or pyarrow.ChunkedArray
    """
    column = frame.get_column(name)
    native = column.to_native()
    if isinstance(native, pd.Series):
        if isinstance(native.dtype, np.dtype) and native.dtype.kind in "biuf":
            return native.to_numpy()
        if native.dtype == object or isinstance(native.dtype, pd.CategoricalDtype):
            return native
    made = native if isinstance(native, pa.ChunkedArray) else column.to_arrow()
    return pa.chunked_array([made]) if isinstance(made, pa.Array) else made


def _arrow_numbers(held: pa.ChunkedArray) -> NumberColumn:
    if held.null_count:
        empty = held.is_null().to_numpy()
        whole = held.cast(pa.float64()).to_numpy()
        return NumberColumn((whole,), empty | np.isnan(whole))
    chunks = tuple(
        np.asarray(chunk.to_numpy(zero_copy_only=False)) for chunk in held.chunks if len(chunk)
    ) or (np.empty(0),)
    masks = [_not_numbers(chunk) for chunk in chunks]
    if all(mask is None for mask in masks):
        return NumberColumn(chunks, None)
    return NumberColumn(chunks, np.isnan(np.concatenate(chunks)))


def _not_numbers(values: Numbers) -> Mask | None:
    if values.dtype.kind != "f":
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(values.sum()):  # one NaN makes the sum NaN, and a sum needs no array
            return None
    absent: Mask = np.isnan(values)
    return absent if absent.any() else None


def _declared(held: pa.ChunkedArray) -> CodedColumn:
    one = held.unify_dictionaries().combine_chunks()
    if isinstance(one, pa.ChunkedArray):  # older pyarrow gives it in pieces
        one = pa.concat_arrays(one.chunks)
    places = one.indices  # kept as they are where they can be: a byte a row is enough for most
    if places.null_count or not pa.types.is_signed_integer(places.type):
        places = pc.fill_null(places.cast(pa.int32()), -1)
    return CodedColumn(places.to_numpy(zero_copy_only=False), one.dictionary.to_pylist(), True)


def _sorted_text(held: pa.ChunkedArray) -> CodedColumn:
    if held.type == pa.string_view():
        held = held.cast(pa.large_string())
    found = _declared(held.dictionary_encode())
    order = sorted(range(len(found.levels)), key=found.levels.__getitem__)
    place = np.full(len(order) + 1, -1, dtype=np.int32)  # the last one is for -1
    place[order] = np.arange(len(order))
    return CodedColumn(place[found.codes], [found.levels[k] for k in order], False)


def as_coded(column: Column, rows: Ints | None = None) -> CodedColumn:
    """Give a column as categories, those that no row has left out unless the table names them.

    Parameters
    ----------
    column : NumberColumn or CodedColumn
    rows : ndarray of int, optional
        Rows that count; all by default.

    Returns
    -------
    CodedColumn
        With a code for every row of the table.
    """
    if isinstance(column, NumberColumn):
        whole = column.whole()
        levels = np.unique(whole if rows is None else whole[rows])
        codes = np.searchsorted(levels, whole).astype(np.int32)
        codes[codes == len(levels)] = -1
        if len(levels):
            codes[levels[codes] != whole] = -1
        return CodedColumn(codes, levels.tolist(), False)
    if column.declared:
        return column
    codes = column.codes if rows is None else column.codes[rows]
    used = np.bincount(codes[codes >= 0], minlength=len(column.levels)) > 0
    if used.all():
        return column
    place = np.append(np.where(used, np.cumsum(used) - 1, -1), -1).astype(np.int32)
    kept = [level for level, here in zip(column.levels, used, strict=True) if here]
    return CodedColumn(place[column.codes], kept, False)


def join_missing(columns: Sequence[Mask | None]) -> Mask | None:
    """Return which rows miss any of several values, or None where none does.

    Parameters
    ----------
    columns : sequence of ndarray of bool or None

    Returns
    -------
    ndarray of bool, or None
    """
    masks = [mask for mask in columns if mask is not None]
    if not masks:
        return None
    joined: Mask = np.logical_or.reduce(masks)
    return joined

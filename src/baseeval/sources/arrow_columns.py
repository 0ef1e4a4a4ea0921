"""Columns given in memory, as a CSV file of them would be read."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from baseeval.sources.cells import EXACT


def as_read(table: pa.Table) -> pa.Table:
    """Give each column a type that is read.

    Parameters
    ----------
    table : pyarrow.Table

    Returns
    -------
    pyarrow.Table
        Categories are text; a column of timestamps that all stand at midnight is of
        dates.
    """
    columns = [_column(column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def object_array(values: Sequence[Any]) -> pa.Array:
    """Make an Arrow column of Python objects: of their one type, else text.

    Parameters
    ----------
    values : sequence
        None and what pandas holds as missing are missing.

    Returns
    -------
    pyarrow.Array
    """
    kinds = {type(value) for value in values}
    times = any(issubclass(kind, datetime.datetime) for kind in kinds - {type(pd.NaT)})
    # Arrow would cut a time among days down to its day.
    if not (times and datetime.date in kinds):
        try:
            array = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            pass
        else:
            if not isinstance(array.type, pa.BaseExtensionType):
                return array
    return pa.array(list(map(_text, values)), pa.string())


def joined_blocks(names: Sequence[str], blocks: Sequence[Sequence[pa.Array]]) -> pa.Table:
    """Put the blocks of a query one under the other, each column of one type.

    Parameters
    ----------
    names : sequence of str
    blocks : sequence of sequences of pyarrow.Array
        Of each block, one array a column.

    Returns
    -------
    pyarrow.Table
    """
    columns = [_one_type([block[place] for block in blocks]) for place in range(len(names))]
    return pa.table(columns, names=list(names))


def _one_type(arrays: list[pa.Array]) -> pa.ChunkedArray:
    kinds = {array.type for array in arrays} - {pa.null()}
    if not kinds:
        return pa.chunked_array(arrays, pa.null())
    if len(kinds) == 1:
        kind = next(iter(kinds))
    elif all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        kind = pa.float64()
    elif all(pa.types.is_decimal(kind) for kind in kinds):
        kind = pa.decimal128(38, max(kind.scale for kind in kinds))
    else:
        return pa.chunked_array(
            [pa.array(list(map(_text, a.to_pylist())), pa.string()) for a in arrays]
        )
    return pa.chunked_array([array.cast(kind) for array in arrays], kind)


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _column(column.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        values = column.cast(kind.value_type)
        if pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type):
            return values
        return pa.chunked_array([pa.array(list(map(_text, values.to_pylist())), pa.string())])
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_date64(kind):
        return column.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return _days(pc.local_timestamp(column) if kind.tz else column)
    return column.cast(pa.float32()) if pa.types.is_float16(kind) else column


def _days(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make dates of timestamps, if each stands at midnight where it was taken."""
    days = times.cast(pa.date32(), safe=False)
    at_midnight = pc.all(pc.equal(days.cast(times.type), times)).as_py()
    return days if at_midnight in (True, None) else times


def _text(value: Any) -> str | None:
    """Write a value as a cell: a whole number without its point, a truth in small letters."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | decimal.Decimal) and _is_whole(value):
        return str(int(value))
    return str(value)


def _is_whole(value: float | decimal.Decimal) -> bool:
    return -EXACT < value < EXACT and value == int(value)

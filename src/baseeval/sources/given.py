"""What may be given in place of a file: a frame, an Arrow stream, a query on an open connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Problem, UsageError
from baseeval.sources.arrow_columns import as_read, joined_blocks, object_array
from baseeval.sources.querying import query_blocks, query_duckdb

_WAYS = (
    "Give a frame (pandas, polars, pyarrow, DuckDB, narwhals), anything with an Arrow stream, "
    'a list of these, or (an open connection, "SELECT ...").'
)

#: What conversion to Arrow raises; the engines' own words may quote a value, and stay here.
_REFUSALS = (pa.ArrowException, duckdb.Error, TypeError, ValueError, OverflowError)


def take(value: object, engine: Engine, name: str) -> list[nw.LazyFrame[Any]]:
    """Take what was given in place of a table's files.

    Parameters
    ----------
    value : object
        A frame that narwhals reads, eager or lazy; anything with ``__arrow_c_stream__``;
        ``(connection, "SELECT ...")``, of DuckDB or of any DB-API driver;
        ``(DuckDB connection, "table")``; or a list of these, which are put one under
        the other. Neither frame nor connection is changed or closed.
    engine : Engine
    name : str
        The table's key, for messages.

    Returns
    -------
    list of narwhals LazyFrame
        Held by `engine`. Columns as a CSV file of them would be read: mixed values and
        categories are text, days are dates, whole numbers stay whole.

    Raises
    ------
    UsageError
        It is nothing that is read, or cannot be; the type is named, never a value.

    Examples
    --------
    >>> with Engine() as engine:
    ...     [frame] = take(pd.DataFrame({"urn": [100001, "x"]}), engine, "schools")
    ...     engine.collect(frame, ["urn"]).column("urn").to_pylist()
    ['100001', 'x']
    """
    if isinstance(value, list):
        if not value:
            raise _refused(value, name, "the list is empty")
        return [frame for part in value for frame in take(part, engine, name)]
    try:
        table = as_read(_arrow(value, name))
        _check_names(table.column_names, value, name)
        return [engine.table(table)]
    except _REFUSALS as error:
        if isinstance(error, UsageError):
            raise
        reason = f"it cannot be read ({type(error).__name__})"
        raise _refused(value, name, reason) from None


def _arrow(value: object, name: str) -> pa.Table:
    """Bring to Arrow whatever was given."""
    if isinstance(value, tuple):
        return _queried(value, name)
    if isinstance(value, str | PurePath):
        raise _refused(value, name, "it is text, and names no frame", "Name files in [data.files].")
    if isinstance(value, pa.Table):
        return value
    native = nw.to_native(value, pass_through=True)
    if isinstance(native, pd.DataFrame):
        return _of_pandas(native, name)
    try:
        frame = nw.from_native(native)
    except TypeError:
        if hasattr(native, "__arrow_c_stream__"):
            return pa.table(native)
        raise _refused(value, name, "it is nothing that is read") from None
    if isinstance(frame, nw.LazyFrame):
        # A new query: what the caller has fetched from theirs is left as it is.
        return frame.select(nw.all()).collect("pyarrow").to_native()
    return frame.to_arrow()


def _queried(value: tuple[object, ...], name: str) -> pa.Table:
    connection, query = value if len(value) == 2 else (None, None)
    if not isinstance(query, str):
        reason = "a pair is an open connection and the text of a query"
        raise _refused(value, name, reason)
    if isinstance(connection, duckdb.DuckDBPyConnection):
        return query_duckdb(connection, query, name)
    if not hasattr(connection, "cursor"):
        reason = "the first of the pair is no open connection: it has no `cursor`"
        raise _refused(connection, name, reason)
    return joined_blocks(*query_blocks(connection, query, name))


def _of_pandas(frame: pd.DataFrame, name: str) -> pa.Table:
    """Bring a pandas frame to Arrow, column by column and without its index."""
    names = [str(column) for column in frame.columns]
    _check_names(names, frame, name)
    arrays = [_pandas_array(frame.iloc[:, position]) for position in range(len(names))]
    return pa.table(arrays, names=names)


def _pandas_array(series: pd.Series) -> pa.ChunkedArray | pa.Array:
    if series.dtype == object:
        return object_array(series.tolist())
    if isinstance(series.dtype, pd.PeriodDtype | pd.IntervalDtype | pd.SparseDtype):
        return object_array(list(series.astype(object)))
    return pa.array(series, from_pandas=True)


def _check_names(names: Sequence[str], value: object, name: str) -> None:
    if not names:
        raise _refused(value, name, "it has no columns")
    # The engine does not tell capitals from small letters.
    twice = [column for column, count in Counter(map(str.lower, names)).items() if count > 1]
    if twice:
        listed = ", ".join(f"`{column}`" for column in twice)
        raise _refused(value, name, f"two columns have one name ({listed})", "Keep one of each.")


def _refused(value: object, name: str, reason: str, remedy: str = _WAYS) -> UsageError:
    kind = type(value)
    where = f"tables[{name!r}], a {kind.__module__}.{kind.__qualname__}"
    return UsageError(Problem(where, reason, remedy))

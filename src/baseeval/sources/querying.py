"""Rows of a query on the caller's own open connection, which is left as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.errors import Problem, UsageError
from baseeval.sources.arrow_columns import object_array

#: Rows fetched at a time.
_BLOCK = 50_000

_QUERY = re.compile(r"^\s*(select|with|from|values)\b", re.IGNORECASE)
_CHANGE = re.compile(r"\b(insert|update|delete|merge|drop|create|alter|truncate|into)\b", re.I)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\[[^\]]*\]|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)


def query_duckdb(connection: duckdb.DuckDBPyConnection, query: str, name: str) -> pa.Table:
    """Read a query, or a table by its name, from a DuckDB connection.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    query : str
    name : str
        The table's key, for messages.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        It changes something, or the connection refuses it.
    """
    try:
        if _QUERY.match(_bare(query)):
            kinds = [statement.type for statement in connection.extract_statements(query)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise _not_one_select(name)
            relation = connection.sql(query)
        else:
            relation = connection.table(query)
        table: pa.Table = nw.from_native(relation).select(nw.all()).collect("pyarrow").to_native()
        return table
    except duckdb.Error as error:
        raise _refused_by_driver(name, error) from None


def query_blocks(connection: Any, query: str, name: str) -> tuple[list[str], list[list[pa.Array]]]:
    """Read a query from a DB-API connection, in blocks.

    Parameters
    ----------
    connection : object
        With ``cursor``, as PEP 249 has it.
    query : str
    name : str
        The table's key, for messages.

    Returns
    -------
    names : list of str
    blocks : list of lists of pyarrow.Array
        Of each block, one array a column; at least one block.

    Raises
    ------
    UsageError
        It changes something, or the driver refuses it.
    """
    bare = _bare(query)
    if not _QUERY.match(bare) or ";" in bare or _CHANGE.search(bare):
        raise _not_one_select(name)
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        names = [str(column[0]) for column in cursor.description]
        blocks = []
        while rows := cursor.fetchmany(_BLOCK):
            blocks.append([object_array(values) for values in _by_column(rows, names)])
        return names, blocks or [[pa.nulls(0) for _ in names]]
    except getattr(connection, "Error", ()) as error:
        raise _refused_by_driver(name, error) from None
    finally:
        cursor.close()


def _by_column(rows: list[Any], names: list[str]) -> list[tuple[Any, ...]]:
    if isinstance(rows[0], Mapping):
        return [tuple(row[name] for row in rows) for name in names]
    return list(zip(*rows, strict=True))


def _bare(query: str) -> str:
    """Take comments and all that is quoted out of a query."""
    return _QUOTED.sub(" ", query).strip().rstrip("; \n")


def _not_one_select(name: str) -> UsageError:
    remedy = "Write one SELECT, or WITH and a SELECT, that only reads."
    return UsageError(Problem(f"tables[{name!r}]", "the query is not one SELECT", remedy))


def _refused_by_driver(name: str, error: BaseException) -> UsageError:
    # The driver's own message may quote a value, so it stays here.
    return UsageError(
        Problem(
            f"tables[{name!r}]",
            f"the connection refused the query ({type(error).__name__})",
            "Run it there by itself; fetch whatever the connection has not yet given.",
        )
    )

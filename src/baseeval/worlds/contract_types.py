"""Columns as the contracts type them: what each kind of column is in a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baseeval.contracts.registry import TABLES

_WORDS = pa.string()

#: Kind of a column -> its type in a file.
TYPES: Mapping[str, pa.DataType] = {
    "key": _WORDS,
    "number": pa.float64(),
    "integer": pa.int32(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "code": _WORDS,
    "category": _WORDS,
    "word": _WORDS,
    "either": _WORDS,
}


def contract_table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Type columns as the contract of a table says, in its order.

    Parameters
    ----------
    name : str
        Of a contract.
    columns : mapping of str to array
        NumPy or Arrow; NaN is missing. What the contract does not know is left out.

    Returns
    -------
    pyarrow.Table
    """
    made = {}
    for column in TABLES[name].columns:
        if column.name in columns:
            values = columns[column.name]
            array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
            made[column.name] = array.cast(TYPES[column.kind])
    return pa.table(made)


def words(levels: list[str | None], codes: NDArray[Any]) -> pa.Array:
    """Pick words by position; None is missing."""
    return pa.array(levels, _WORDS).take(pa.array(np.asarray(codes, dtype=np.intp)))

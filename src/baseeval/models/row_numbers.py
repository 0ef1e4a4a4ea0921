"""Numbers that stand beside a formula, one a row: weights, trials, an offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem
from baseeval.models.column_values import NumberColumn, read_column

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Those of which a row with none counts for nothing.
_COUNTING = ("weights", "sampling_weights", "school_weights", "trials")


def read_row_numbers(
    frame: nw.DataFrame[Any], given: Mapping[str, str | Floats | None]
) -> dict[str, Floats]:
    """Read columns or arrays of numbers, one a row of the table.

    Parameters
    ----------
    frame : narwhals DataFrame
    given : mapping of str to str, ndarray or None
        By what they are: weights, sampling_weights, school_weights, trials, offset.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        NaN where a row has no value.

    Raises
    ------
    DataError
        Every fault of each.
    """
    found: dict[str, Floats] = {}
    problems: list[Problem] = []
    for name, held in given.items():
        if held is None:
            continue
        where = f"data, column `{held}`" if isinstance(held, str) else name
        values = _values(frame, held)
        if values is None or values.shape != (len(frame),):
            what = f"{name} must be one number for each of {len(frame):,} rows"
            problems.append(Problem(where, what, "Mend it."))
            continue
        found[name] = values
        problems += _faults(name, where, values)
    if problems:
        raise DataError(problems)
    return found


def weightless_rows(found: Mapping[str, Floats]) -> Mask | None:
    """Return which rows count for nothing, or None where all count.

    Parameters
    ----------
    found : mapping of str to ndarray

    Returns
    -------
    ndarray of bool, or None
    """
    masks = [found[name] == 0 for name in _COUNTING if name in found]
    return np.logical_or.reduce(masks) if masks and np.any(masks) else None


def _values(frame: nw.DataFrame[Any], held: str | Floats) -> Floats | None:
    if isinstance(held, str):
        column = read_column(frame, held)
        if not isinstance(column, NumberColumn):
            return None
        return column.whole().astype(np.float64, copy=False)
    try:
        return np.asarray(held, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _faults(name: str, where: str, values: Floats) -> list[Problem]:
    problems = []
    endless = int(np.isinf(values).sum())
    if endless:
        problems.append(Problem(where, f"{endless:,} rows have an infinite value", "Mend them."))
    if name in _COUNTING and (negative := int((values < 0).sum())):
        what = f"{negative:,} rows have less than zero, which {name} cannot be"
        problems.append(Problem(where, what, "Mend them."))
    if name == "trials":
        known = values[np.isfinite(values)]
        parts = int((known != np.floor(known)).sum())
        if parts:
            what = f"{parts:,} rows have no whole number of trials"
            problems.append(Problem(where, what, "Count what was possible, such as sessions."))
    return problems

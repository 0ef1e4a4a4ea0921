"""Read one cell of a released table, where a missing cell is ordinary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import pandas as pd

Row = Mapping[str, object]


def records(table: pd.DataFrame) -> list[Row]:
    """Return the table's rows, in order, as mappings from column to cell."""
    return cast(list[Row], table.to_dict("records"))


def is_empty(value: object) -> bool:
    """Tell whether a cell is missing: None, NA, NaN or empty text."""
    if value is None or value is pd.NA or value is pd.NaT or value == "":
        return True
    return isinstance(value, float) and math.isnan(value)


def text(row: Row, name: str) -> str:
    """Return a cell as text, empty where it is missing."""
    value = row.get(name)
    return "" if is_empty(value) else str(value)


def real(row: Row, name: str) -> float:
    """Return a cell as a number, NaN where it is missing."""
    value = row.get(name)
    return math.nan if is_empty(value) else float(cast(float, value))


def whole(row: Row, name: str) -> int | None:
    """Return a cell as a whole number, None where it is missing."""
    value = real(row, name)
    return None if math.isnan(value) else round(value)


def codes(row: Row, name: str = "flags") -> tuple[str, ...]:
    """Return the codes of a cell that joins them by `;`."""
    return tuple(part for part in text(row, name).split(";") if part)


def distinct(rows: list[Row], name: str) -> list[str]:
    """Return the different texts of a column, in order of first appearance."""
    return list(dict.fromkeys(text(row, name) for row in rows))


def grouped(rows: list[Row], *names: str) -> dict[tuple[str, ...], list[Row]]:
    """Gather rows by the texts of some columns, groups and rows in order of first appearance."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(text(row, name) for name in names), []).append(row)
    return groups

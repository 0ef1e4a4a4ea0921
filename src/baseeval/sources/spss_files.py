"""SPSS files (.sav), read with pyreadstat: the extra `spss`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem, fault
from baseeval.sources.heading_rows import Wanted, check_headings, find_headings, no_headings
from baseeval.sources.loaded import KindOf, Loaded

#: Kinds of column that are read as they are stored, whatever words the file has for their values.
_AS_STORED = ("key", "number", "integer", "date")


def read_spss(path: Path, engine: Engine, wanted: Wanted, kind_of: KindOf | None) -> Loaded:
    """Read an SPSS file.

    Parameters
    ----------
    path : pathlib.Path
    engine : Engine
    wanted : Wanted
    kind_of : callable, optional
        Says which columns are wanted as numbers, days or keys: they keep the values
        stored. Any other is read as the words of its value labels, where every value
        that occurs has one.

    Returns
    -------
    Loaded
        Typed columns: numbers, days and text. What the file marks as user-missing is
        missing, and counted.

    Raises
    ------
    DataError
        The file is damaged, or pyreadstat is not installed.
    """
    reader = _pyreadstat(path.name)
    try:
        values, about = reader.read_sav(str(path), output_format="dict", user_missing=True)
    except (reader.ReadstatError, reader.PyreadstatError):
        # Its own message may quote what it stumbled on.
        raise DataError(
            Problem(
                path.name,
                "the file cannot be read as an SPSS file",
                "Open it in SPSS, check that it is whole, and save it again.",
            )
        ) from None
    if find_headings([list(values)], wanted) is None:
        raise no_headings(path.name, [list(values)], wanted)
    check_headings(path.name, list(values))
    columns: dict[str, pa.Array] = {}
    faults: list[Fault] = []
    for name, column in values.items():
        plain = [_plain(value) for value in column]
        missing = about.missing_ranges.get(name, [])
        kept = [None if _is_missing(value, missing) else value for value in plain]
        marked = sum(value is not None for value in plain) - sum(v is not None for v in kept)
        if marked:
            faults.append(_user_missing(path.name, name, marked))
        if kind_of is None or kind_of(name) not in _AS_STORED:
            kept = _labelled(kept, about.variable_value_labels.get(name, {}))
        columns[name] = _array(kept)
    return Loaded(engine.table(pa.table(columns)), tuple(faults))


def _pyreadstat(file: str) -> ModuleType:
    try:
        import pyreadstat
    except ImportError:
        raise DataError(
            Problem(
                file,
                "SPSS files need pyreadstat, which is not installed",
                "Install it with `pip install baseeval[spss]`, or save the file as CSV.",
            )
        ) from None
    module: ModuleType = pyreadstat
    return module


def _plain(value: object) -> object:
    """Take margins off text, midnight off a day, and read what is empty as missing."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date()
    return value


def _is_missing(value: object, ranges: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the file's author marked a value as no answer."""
    for span in ranges:
        low, high = span["lo"], span["hi"]
        if isinstance(value, str) == isinstance(low, str) and isinstance(value, str | int | float):
            if isinstance(value, str):
                if low.strip() <= value <= high.strip():
                    return True
            elif low <= value <= high:
                return True
    return False


def _labelled(values: list[Any], labels: Mapping[Any, str]) -> list[Any]:
    """Put words in the place of codes, where all that occur have one."""
    occurring = {value for value in values if value is not None}
    if not occurring or not occurring <= set(labels):
        return values
    return [None if value is None else labels[value] for value in values]


def _array(values: list[Any]) -> pa.Array:
    """Hold values of one type as they are, and mixed ones (days, and days with a time) as text."""
    if len({type(value) for value in values if value is not None}) > 1:
        values = [None if value is None else str(value) for value in values]
    array = pa.array(values)
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def _user_missing(file: str, column: str, count: int) -> Fault:
    return fault(
        file,
        column,
        "user_missing",
        count,
        "a value that the file marks as no answer; it is read as missing",
        "If such values are answers, take the mark off in SPSS.",
        verb="hold",
    )

"""JSON taken apart: every list of records is a table, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from baseeval.disclosure.contents import Contents, Grid


def read_nested(value: Any, where: str = "") -> Contents:
    """Read parsed JSON."""
    return Contents(grids=list(_grids(value, where)), texts=[(where, "\n".join(_strings(value)))])


def _grids(value: Any, where: str) -> Iterator[Grid]:
    if isinstance(value, dict):
        plain = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
        if plain:
            yield Grid(where, [list(plain), [_lone_cell(inner) for inner in plain.values()]])
        lists = {key: v for key, v in value.items() if isinstance(v, list) and _all_plain(v)}
        for length in sorted({len(v) for v in lists.values()}):
            equal = {key: v for key, v in lists.items() if len(v) == length}
            columns = zip(*equal.values(), strict=True)
            yield Grid(where, [list(equal), *[[_cell(cell) for cell in row] for row in columns]])
        for key, inner in value.items():
            if key not in lists:
                yield from _grids(inner, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list):
        yield from _list_grids(value, where)


def _list_grids(value: list[Any], where: str) -> Iterator[Grid]:
    records = [inner for inner in value if isinstance(inner, dict)]
    rows = [inner for inner in value if isinstance(inner, list)]
    if records:
        keys = list(dict.fromkeys(key for record in records for key in record))
        cells = [[_cell(record.get(key)) for key in keys] for record in records]
        yield Grid(where, [keys, *cells])
    if rows and all(map(_all_plain, rows)):
        yield Grid(where, [[_cell(cell) for cell in row] for row in rows])
    if value and _all_plain(value):
        yield Grid(where, [[""], *[[_cell(inner)] for inner in value]])
    for inner in [*records, *rows]:
        nested = inner.items() if isinstance(inner, dict) else enumerate(inner)
        for key, deeper in nested:
            if isinstance(deeper, dict | list):
                yield from _grids(deeper, f"{where}.{key}".lstrip("."))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value


def _all_plain(values: list[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _cell(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _lone_cell(value: Any) -> str:
    """Leave out of a single record the words that name things: only numbers can be a leak there."""
    cell = _cell(value)
    return cell if any(character.isdigit() for character in cell) else ""

"""The published form of a contract: a Frictionless Table Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baseeval.contracts.codes import BLANKS, NO, SUPPRESSION_CODES, YES
from baseeval.contracts.columns import ColumnContract, ColumnKind
from baseeval.contracts.registry import TABLES
from baseeval.contracts.tables import TableContract
from baseeval.errors import Problem, UsageError

#: The edition of the standard; its first knows neither a field's own missing values nor categories.
PROFILE = "https://datapackage.org/profiles/2.0/tableschema.json"

_TYPES: Mapping[ColumnKind, str] = {
    "key": "string",
    "number": "number",
    "integer": "integer",
    "flag": "boolean",
    "date": "date",
    "code": "string",
    "category": "string",
    "word": "string",
    "either": "any",
}

#: A key names somebody and a category has levels: there, `NA` or `low` is a value like any other.
_WITHOUT_CODES = ("key", "category")


def table_schema(name: str) -> dict[str, Any]:
    """Return a table's contract as a Frictionless Table Schema.

    A file that keeps the schema is read without a fault of its values. What is read
    besides (a date as 01/09/2022, a code in small letters) is not in it, nor are the
    rules between columns: those are in the data dictionary.

    Parameters
    ----------
    name : str
        ``pupils``, ``schools``, ``placements``, ...

    Returns
    -------
    dict
        As https://specs.frictionlessdata.io/table-schema/ lays it down, ready for
        `json.dump`. Each field also holds ``unit``, ``source``, ``reasons`` (code that
        stands for no value, and why) and ``columnRequired`` where they apply.

    Raises
    ------
    UsageError
        No table has that name.

    Examples
    --------
    >>> from baseeval.contracts.schema import table_schema
    >>> peers = table_schema("peers")
    >>> peers["primaryKey"]
    ['pupil_id']
    >>> [(field["name"], field["type"]) for field in peers["fields"]]
    [('pupil_id', 'string'), ('peer_of', 'string')]
    """
    if name not in TABLES:
        known = ", ".join(f"`{table}`" for table in TABLES)
        raise UsageError(
            Problem("table_schema", f"no table is named `{name}`", f"Known here: {known}.")
        )
    contract = TABLES[name]
    fields = [_field(column) for column in contract.columns]
    return {
        "$schema": PROFILE,
        "name": contract.name,
        "title": contract.meaning,
        "description": contract.source,
        "fieldsMatch": "partial",
        "fields": fields,
        **_key(contract),
        "missingValues": _shared(fields),
    }


def _field(column: ColumnContract) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": _TYPES[column.kind],
        "description": column.meaning,
        "missingValues": _missing(column),
    }
    if column.kind == "flag":
        field |= {"trueValues": _spellings(YES), "falseValues": _spellings(NO)}
    if column.codes:
        field["categories"] = [
            {"value": code, "label": label} for code, label in column.codes.items()
        ]
    if column.unit == "%":
        field["bareNumber"] = False
    if constraints := _constraints(column):
        field["constraints"] = constraints
    if column.required:
        field["columnRequired"] = True
    stated = {"unit": column.unit, "source": column.source, "reasons": dict(column.reasons)}
    return field | {name: value for name, value in stated.items() if value}


def _constraints(column: ColumnContract) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if column.needed:
        constraints["required"] = True
    if column.codes:
        constraints["enum"] = list(column.codes)
    if column.low is not None:
        constraints["minimum"] = column.low
    if column.high is not None:
        constraints["maximum"] = column.high
    if column.pattern is not None:
        # A pattern of the standard is of the whole value, and knows no anchors.
        constraints["pattern"] = column.pattern.removeprefix("^").removesuffix("$")
    return constraints


def _missing(column: ColumnContract) -> list[str]:
    """List what stands for no value; a code of the column comes first, in any case."""
    if column.kind in _WITHOUT_CODES:
        return list(BLANKS)
    own = {code.lower() for code in column.codes}
    codes = dict.fromkeys((*SUPPRESSION_CODES, *column.reasons))
    return [*BLANKS, *(code for code in codes if code.lower() not in own)]


def _shared(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    """List what stands for no value in some field and for a value in none.

    For readers of the standard's first edition, who know of one list a table.
    """
    codes = {code for field in fields for code in field.get("constraints", {}).get("enum", ())}
    missing = dict.fromkeys(text for field in fields for text in field["missingValues"])
    return [text for text in missing if text not in codes]


def _key(contract: TableContract) -> dict[str, Any]:
    """Return the key: primary if no part of it may be empty, else unique."""
    if all(contract.column(name).needed for name in contract.key):
        return {"primaryKey": list(contract.key)}
    return {"uniqueKeys": [list(contract.key)]}


def _spellings(words: Sequence[str]) -> list[str]:
    forms = (form for word in words for form in (word, word.capitalize(), word.upper()))
    return list(dict.fromkeys(forms))

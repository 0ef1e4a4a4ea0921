"""What a good base is said to have, as columns: of the base, and of the school around it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import domain_column

_WORDS = ("not known", "unknown", "not recorded")

#: Words for "nobody knows": no value, counted apart from an empty cell, and never a no.
NOT_KNOWN: Mapping[str, str] = MappingProxyType(
    {form: "not known" for word in _WORDS for form in (word, word.capitalize())}
    | {"not_known": "not known"}
)

#: A feature that moves with the pupils may serve only as recorded before they came.
RECORDED = domain_column("features_recorded", "date", "Day on which the features were recorded")


@cache
def feature_rows() -> tuple[Mapping[str, Any], ...]:
    """Read the checklist of features as its file has it.

    Returns
    -------
    tuple of mapping
        In the file's order; `baseeval.catalogue` checks each and says more of it.
    """
    text = files("baseeval.contracts").joinpath("features.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["features"])


def feature_columns(of: Literal["base", "school"]) -> tuple[ColumnContract, ...]:
    """Return the features of a base, or of a school, as columns.

    Parameters
    ----------
    of : str

    Returns
    -------
    tuple of ColumnContract
        The day of recording, then the features that have no column of another name
        or making; none of them is required. "Not known" is missing, with that reason.

    Examples
    --------
    >>> column = feature_columns("base")[-1]
    >>> column.name, column.kind, column.unit
    ('usual_journey', 'number', 'minutes')
    """
    rows = (row for row in feature_rows() if row["of"] == of and not row.get("held", False))
    return (RECORDED, *map(_column, rows))


def _column(row: Mapping[str, Any]) -> ColumnContract:
    return domain_column(
        row["name"],
        row["kind"],
        row["records"],
        unit=row.get("unit", ""),
        codes=row.get("codes", {}),
        reasons={} if row["kind"] == "category" else dict(NOT_KNOWN),
        low=row.get("low"),
        high=row.get("high"),
        source="features.md",
    )

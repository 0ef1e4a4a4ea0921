"""Published figures that set a study in its context; none is an effect."""

from __future__ import annotations

from typing import Any

from baseeval.contracts.columns import ColumnContract, ColumnKind
from baseeval.contracts.tables import TableContract
from baseeval.contracts.tables import domain_column as column


def _stated(name: str, kind: ColumnKind, meaning: str, **rest: Any) -> ColumnContract:
    """Make a column that every row must fill: a figure without it must not be shown."""
    return column(name, kind, meaning, required=True, needed=True, stops=True, **rest)


COLUMNS = (
    _stated("measure", "category", "What was measured"),
    column("value", "number", "The published figure", required=True),
    _stated("unit", "category", "Unit of the figure"),
    _stated("geography", "category", "England, or the name of a local authority or region"),
    column("need", "category", "Primary type of need; empty for all"),
    column("sen_provision", "category", "SEN provision; empty for all"),
    column("phase", "category", "Phase of education; empty for all"),
    _stated(
        "year",
        "integer",
        "School year, named by the summer in which it ends",
        low=1996,
        high=2100,
    ),
    _stated("source", "category", "Publication"),
    _stated("published", "date", "Day of publication"),
)

CONTRACT = TableContract(
    "benchmarks",
    "A published figure for a group of pupils",
    ("measure", "geography", "need", "sen_provision", "phase", "year"),
    COLUMNS,
    (),
    "DfE's published statistics, in a file that the user makes from what they download",
)

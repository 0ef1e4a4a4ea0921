"""Published figures that set a study in its context; none is an effect."""

from __future__ import annotations

from baseeval.contracts.tables import TableContract
from baseeval.contracts.tables import domain_column as column

COLUMNS = (
    column("measure", "category", "What was measured", required=True, needed=True),
    column("value", "number", "The published figure", required=True),
    column("unit", "category", "Unit of the figure", required=True, needed=True),
    column(
        "geography",
        "category",
        "England, or the name of a local authority or region",
        required=True,
        needed=True,
    ),
    column("need", "category", "Primary type of need; empty for all"),
    column("sen_provision", "category", "SEN provision; empty for all"),
    column("phase", "category", "Phase of education; empty for all"),
    column(
        "year",
        "integer",
        "School year, named by the summer in which it ends",
        required=True,
        needed=True,
        low=1996,
        high=2100,
    ),
    column("source", "category", "Publication", required=True, needed=True),
    column("published", "date", "Day of publication", required=True, needed=True),
)

CONTRACT = TableContract(
    "benchmarks",
    "A published figure for a group of pupils",
    ("measure", "geography", "need", "sen_provision", "phase", "year"),
    COLUMNS,
    (),
    "DfE's published statistics, in a file that the user makes from what they download",
)

"""Bases: one row each, from whoever lists them."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.base_features import feature_columns
from baseeval.contracts.tables import Rule, TableContract
from baseeval.contracts.tables import domain_column as column

#: What a base is, and how large; what it offers its pupils is told by the features.
OWN = (
    column("base_id", "key", "Base", required=True, needed=True),
    column("urn", "key", "School that hosts it", required=True, needed=True),
    column("name", "category", "Name of the base"),
    column(
        "base_type",
        "category",
        "What the base is called: SEN unit, resourced provision, support base, ...",
    ),
    column(
        "commissioner",
        "code",
        "Who commissions and funds it",
        codes={
            "la": "Local authority",
            "school": "School",
            "trust": "Trust",
            "unknown": "Not recorded",
        },
    ),
    column("needs", "category", "Types of need provided for, joined by ;"),
    column("places", "number", "Places", unit="pupils", low=0),
    column("pupils", "number", "Pupils in the base", unit="pupils", low=0),
    column("opened", "date", "Day of opening"),
    column("closed", "date", "Day of closing"),
    column("local_offer", "flag", "Listed in the authority's local offer"),
)

COLUMNS = (*OWN, *feature_columns("base"))

RULES = (
    Rule(
        "closed_before_opened",
        ("closed", "opened"),
        nw.col("closed") < nw.col("opened"),
        "a closing before the opening",
        "Mend the dates.",
        unit="base",
    ),
    Rule(
        "base_over_capacity",
        ("pupils", "places"),
        nw.col("pupils") > nw.col("places"),
        "more pupils than places",
        "They are read as they stand; the register shows both.",
        unit="base",
    ),
    Rule(
        "base_twice",
        ("base_id",),
        nw.col("rows") > 1,
        "more than one row",
        "Keep one row a base.",
        stops=True,
        per=("base_id",),
        gathered={"rows": ("", "rows")},
        unit="base",
    ),
)

CONTRACT = TableContract(
    "bases",
    "A base",
    ("base_id",),
    COLUMNS,
    RULES,
    "A trust's, school's or local authority's own list, such as the local offer",
)

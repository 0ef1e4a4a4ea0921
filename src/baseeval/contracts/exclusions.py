"""Suspensions and permanent exclusions, by pupil and school year."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import PUPIL, YEAR, Rule, TableContract
from baseeval.contracts.tables import domain_column as column

COLUMNS = (
    PUPIL,
    YEAR,
    column("urn", "key", "School"),
    column(
        "suspensions",
        "number",
        "Suspensions (fixed-period exclusions)",
        low=0,
        source="TotalFixedExclusions",
    ),
    column(
        "suspension_sessions",
        "number",
        "Sessions lost to suspensions: half days, not days",
        unit="sessions",
        low=0,
        source="TotalFixedSessions",
    ),
    column(
        "permanent_exclusions",
        "number",
        "Permanent exclusions",
        low=0,
        source="PermanentExclusionCount",
    ),
)

RULES = (
    Rule(
        "sessions_without_suspension",
        ("suspension_sessions", "suspensions"),
        (nw.col("suspension_sessions") > 0) & (nw.col("suspensions") == 0),
        "sessions lost to suspensions and no suspension",
        "They are read as they stand.",
    ),
)

CONTRACT = TableContract(
    "exclusions",
    "A pupil's suspensions and exclusions in one school year",
    ("pupil_id", "year"),
    COLUMNS,
    RULES,
    "Exclusions extract of the National Pupil Database, or a school's own record",
)

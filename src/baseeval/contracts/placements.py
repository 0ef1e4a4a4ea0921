"""Spells in a base, and the decisions that led to them or did not."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import PUPIL, Rule, TableContract
from baseeval.contracts.tables import domain_column as column

#: Every pupil considered for a base may have a row, placed or not, in every arm.
DECISIONS = {
    "placed": "Placed in the base",
    "asked": "Asked for, not decided",
    "offered": "Offered, not yet begun",
    "refused": "Refused by the authority or the school",
    "waiting": "On a waiting list",
    "declined": "Offered, and declined by the family",
}

COLUMNS = (
    PUPIL,
    column("urn", "key", "School that hosts the base", required=True, needed=True),
    column("base_id", "key", "Base; a school may host several"),
    column("base_type", "category", "What the base is called, in any word of BASE_WORDS"),
    column("start", "date", "First day in the base", required=True),
    column("end", "date", "Last day in the base; empty where it goes on"),
    column(
        "share_of_time_in_base",
        "number",
        "Share of the week spent in the base's own classes",
        unit="proportion",
        low=0,
        high=1,
    ),
    column("decision", "code", "What became of the request for a place", codes=DECISIONS),
    column("decided", "date", "Day of the request or decision"),
    column(
        "route",
        "code",
        "How the place came about",
        codes={"planned": "A planned move", "crisis": "In a crisis"},
    ),
    column(
        "ehcp_section",
        "code",
        "Where the EHC plan names the base",
        codes={"F": "Section F", "I": "Section I", "F and I": "Both", "none": "Neither"},
    ),
    column("first_choice", "flag", "The base was the family's first choice"),
    column("journey_minutes", "number", "Journey to school, one way", unit="minutes", low=0),
    column("support_hours_before", "number", "Support a week before", unit="hours", low=0),
    column("support_hours_after", "number", "Support a week afterwards", unit="hours", low=0),
)

RULES = (
    Rule(
        "end_before_start",
        ("end", "start"),
        nw.col("end") < nw.col("start"),
        "an end before the start",
        "Mend the dates; until then the spells are left out.",
    ),
    Rule(
        "placed_without_start",
        ("start", "decision"),
        nw.col("start").is_null() & (nw.col("decision") == "placed"),
        "a place and no first day",
        "Give the first day; until then the spells are left out.",
    ),
)

CONTRACT = TableContract(
    "placements",
    "A spell of one pupil in one base, or a request for one",
    ("pupil_id", "base_id", "start"),
    COLUMNS,
    RULES,
    "A trust's or authority's own list; made from census flags where there is none",
)

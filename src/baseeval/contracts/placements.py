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

#: What came after the base. None of them is better than another by itself.
WAYS_OUT = {
    "mainstream": "To mainstream classes of the same school",
    "mainstream_elsewhere": "To another mainstream school",
    "another_base": "To another base",
    "special_school": "To a special school",
    "alternative_provision": "To alternative provision",
    "home_education": "To education at home",
    "left_school": "End of schooling there: after Year 11 or 13, or of the phase",
    "moved_away": "Moved away",
    "unknown": "Not known",
}

COLUMNS = (
    PUPIL,
    column("urn", "key", "School that hosts the base", required=True, needed=True),
    column("base_id", "key", "Base; a school may host several"),
    column(
        "base_type",
        "category",
        "What the base is called: SEN unit, resourced provision, support base, ...",
    ),
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
    column(
        "left_for",
        "code",
        "Where the pupil went from the base, once there is an `end`",
        codes=WAYS_OUT,
    ),
    column("ready", "flag", "The last review judged the pupil ready to leave the base"),
    column("reviewed", "date", "Day of the last review of the place"),
    column("first_choice", "flag", "The base was the family's first choice"),
    column("journey_minutes", "number", "Journey to school, one way", unit="minutes", low=0),
    column("support_hours_before", "number", "Support a week before", unit="hours", low=0),
    column("support_hours_after", "number", "Support a week afterwards", unit="hours", low=0),
)

_PLACED = nw.col("decision").is_null() | (nw.col("decision") == "placed")
_UNDATED = ~nw.col("pupil_id").is_null() & nw.col("start").is_null() & _PLACED
_UNTIL = "Until then such pupils are in no arm, where the file makes the arms."

RULES = (
    Rule(
        "end_before_start",
        ("end", "start"),
        nw.col("ill") == 1,
        "an end before the start",
        f"Mend the dates. {_UNTIL}",
        per=("pupil_id",),
        gathered={"ill": ("ill", "max")},
        worked={"ill": nw.when(nw.col("end") < nw.col("start")).then(1).otherwise(0)},
        unit="pupil",
    ),
    Rule(
        "placed_without_start",
        ("start", "decision"),
        nw.col("undated") == 1,
        "a place and no first day",
        f"Fill `start`: nothing else tells it. {_UNTIL}",
        per=("pupil_id",),
        gathered={"undated": ("undated", "max")},
        worked={"undated": nw.when(_UNDATED).then(1).otherwise(0)},
        unit="pupil",
    ),
    Rule(
        "left_without_end",
        ("left_for", "end"),
        ~nw.col("left_for").is_null() & nw.col("end").is_null(),
        "a way out and no last day",
        "Fill `end`; until then the place is taken to go on.",
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

"""Answers to surveys, one a row."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import PUPIL, Rule, TableContract
from baseeval.contracts.tables import domain_column as column

COLUMNS = (
    PUPIL,
    column("date", "date", "Day of the answer", required=True, needed=True),
    column("instrument", "category", "Questionnaire: pssm, pisa_belong, a school's own"),
    column("item", "category", "Item, by number or name", required=True, needed=True),
    column("answer", "category", "The answer as it was given", required=True),
)

RULES = (
    Rule(
        "answered_twice",
        ("item",),
        nw.col("rows") > 1,
        "more than one answer to an item on one day",
        "Keep one answer.",
        stops=True,
        per=("pupil_id", "date", "instrument", "item"),
        gathered={"rows": ("", "rows")},
        unit="answer",
    ),
)

CONTRACT = TableContract(
    "surveys",
    "One pupil's answer to one item",
    ("pupil_id", "date", "instrument", "item"),
    COLUMNS,
    RULES,
    "Questionnaires",
)

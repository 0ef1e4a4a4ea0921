"""Answers to surveys, one a row, and why there is none."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import PUPIL, Rule, TableContract
from baseeval.contracts.tables import domain_column as column

#: Who answered, about the pupil: never put together.
RESPONDENTS = {
    "pupil": "The pupil",
    "parent": "A parent or carer",
    "staff": "A member of staff",
}

#: How the questions were put.
MODES = {
    "standard": "The questionnaire as it stands",
    "adapted": "Easier words, larger print, or read aloud",
    "symbols": "Symbols or pictures",
    "interview": "Asked and answered in talk or signs",
    "other": "Another way",
}

ANSWERED = "answered"

STATUSES = {
    ANSWERED: "There is an answer",
    "declined": "Was asked, and did not wish to answer",
    "away": "Was not there when it was asked",
    "not_accessible": "Could not be asked in any mode on offer",
    "not_offered": "Was not offered it, for another reason",
}

#: Status -> the reason that stands where the score would; of two on one day, the first.
NO_ANSWER = {
    "not_accessible": "could not be asked in any mode on offer",
    "declined": "declined to answer",
    "away": "away when it was asked",
    "not_offered": "was not offered it",
}

_SILENT = ~nw.col("status").is_null() & (nw.col("status") != ANSWERED)

COLUMNS = (
    PUPIL,
    column("date", "date", "Day of the answer", required=True, needed=True),
    column("instrument", "category", "Questionnaire: pssm, pisa_belong, a school's own"),
    column(
        "item",
        "category",
        "Item, by number or name; empty where `status` says of all items why there is no answer",
        required=True,
    ),
    column("answer", "category", "The answer as it was given", required=True),
    column("respondent", "code", "Who answered", codes=RESPONDENTS),
    column("mode", "code", "How the questions were put", codes=MODES),
    column("status", "code", "Whether there is an answer, and if not, why", codes=STATUSES),
)

RULES = (
    Rule(
        "answered_twice",
        ("item",),
        nw.col("rows") > 1,
        "more than one answer to an item on one day",
        "Keep one answer.",
        stops=True,
        per=("pupil_id", "date", "instrument", "respondent", "item"),
        gathered={"rows": ("", "rows")},
        unit="answer",
    ),
    Rule(
        "answer_without_item",
        ("item", "answer"),
        nw.col("item").is_null() & ~nw.col("answer").is_null(),
        "an answer, and no item that it answers",
        "Name the item; until then the answers are not read.",
    ),
    Rule(
        "answered_without_item",
        ("item", "status"),
        nw.col("item").is_null() & (nw.col("status") == ANSWERED),
        "no item, and a status that says that it was answered",
        "Name the item, or say why there is no answer; until then the rows are not read.",
    ),
    Rule(
        "answer_against_status",
        ("answer", "status"),
        ~nw.col("answer").is_null() & _SILENT,
        "an answer, and a status that says that there is none",
        "Take out one of the two; until then the answers are not read.",
    ),
)

CONTRACT = TableContract(
    "surveys",
    "One pupil's answer to one item",
    ("pupil_id", "date", "instrument", "respondent", "item"),
    COLUMNS,
    RULES,
    "Questionnaires",
)

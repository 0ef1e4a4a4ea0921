"""Attainment: results, one a row."""

from __future__ import annotations

from baseeval.contracts.tables import PUPIL, YEAR, TableContract
from baseeval.contracts.tables import domain_column as column
from baseeval.contracts.vocabulary import BASES_OF_RESULT, NO_RESULT

COLUMNS = (
    PUPIL,
    YEAR,
    column("stage", "category", "Occasion: KS1, KS2, KS4, a school's own assessment"),
    column(
        "measure",
        "category",
        "What was measured: ks2_reading, ks4_attainment8, ...",
        required=True,
        needed=True,
    ),
    column(
        "value", "number", "The result", required=True, reasons={code: code for code in NO_RESULT}
    ),
    column("status", "code", "Why there is no result, where there is none", codes=NO_RESULT),
    column("basis", "code", "How the result came about", codes=BASES_OF_RESULT),
    column("national", "flag", "Counts in the national results", source="NATRES"),
    column("date", "date", "Day of the assessment; by default 15 May of the year"),
    column("pandemic", "flag", "A result that was not made like another year's"),
)

CONTRACT = TableContract(
    "attainment",
    "A result of one pupil",
    ("pupil_id", "year", "measure"),
    COLUMNS,
    (),
    "Key stage extracts of the National Pupil Database, or a school's own assessments",
)

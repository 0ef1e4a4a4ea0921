"""Marks: the register, one row a pupil and session; two other forms of it are read too."""

from __future__ import annotations

from baseeval.contracts.tables import PUPIL, TableContract
from baseeval.contracts.tables import domain_column as column

CONTRACT = TableContract(
    "marks",
    "What a register says of a pupil in one session (half a day); made into `attendance`",
    ("pupil_id", "date", "session"),
    (
        PUPIL,
        column("date", "date", "Day; every register has it, but for a string of `marks`"),
        column(
            "session",
            "code",
            "Half of the day; 1 and 2 are read too. Without this column, `mark` holds two "
            "characters: morning, afternoon",
            codes={"AM": "Morning", "PM": "Afternoon"},
        ),
        column(
            "mark",
            "key",
            "Code of the register, in any case: see the method page of register marks",
        ),
        column("urn", "key", "School whose register it is"),
        column("start", "date", "Of a string of `marks`: its first day"),
        column(
            "marks",
            "key",
            "A string of marks in place of `date`, `session` and `mark`: two characters for every "
            "day from `start`, weekends and holidays among them, a space where there is no session",
        ),
    ),
    source="A school's registers: a report of SIMS, Arbor, Bromcom or another system",
)

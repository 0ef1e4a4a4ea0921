"""Attendance: sessions, by pupil and school year."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import PUPIL, YEAR, Rule, TableContract
from baseeval.contracts.tables import domain_column as column

_ABSENCE = "Absence extract of the school census"

#: A school year has some 380 sessions; more than this is a double count.
MOST_SESSIONS = 420

COLUMNS = (
    PUPIL,
    YEAR,
    column("urn", "key", "School; empty where several were added up"),
    column(
        "sessions_possible",
        "number",
        "Sessions possible (half days)",
        unit="sessions",
        required=True,
        low=0,
        high=MOST_SESSIONS,
        source=_ABSENCE,
    ),
    column("sessions_attended", "number", "Sessions attended", unit="sessions", low=0),
    column("authorised", "number", "Authorised absence", unit="sessions", low=0, source=_ABSENCE),
    column(
        "unauthorised", "number", "Unauthorised absence", unit="sessions", low=0, source=_ABSENCE
    ),
    column("overall", "number", "Absence, of both kinds", unit="sessions", low=0, source=_ABSENCE),
    column("illness", "number", "Absence for illness", unit="sessions", low=0, source="Reason I"),
    column("medical", "number", "Medical appointments", unit="sessions", low=0, source="Reason M"),
    column(
        "part_time",
        "number",
        "Authorised absence under a part-time timetable; no code for it before August 2024",
        unit="sessions",
        low=0,
        source="Register code C2",
    ),
    column(
        "late",
        "number",
        "Attended, late, before the register closed",
        unit="sessions",
        low=0,
        source="Register code L",
    ),
    column(
        "not_counted",
        "number",
        "In the register and not possible: closed, kept away, elsewhere, without a mark to read",
        unit="sessions",
        low=0,
        source="Register codes, such as D, X, Y, Z, #",
    ),
    column("pandemic", "flag", "A year in which absence was not recorded like another's"),
)

RULES = (
    Rule(
        "absence_over_possible",
        ("overall", "sessions_possible"),
        nw.col("overall") > nw.col("sessions_possible"),
        "more sessions missed than possible",
        "Mend them; until then the year's sessions are missing.",
    ),
    Rule(
        "absence_does_not_add_up",
        ("overall", "authorised", "unauthorised"),
        nw.col("authorised") + nw.col("unauthorised") != nw.col("overall"),
        "authorised and unauthorised absence that do not add up to the overall",
        "The overall figure is used.",
    ),
    Rule(
        "attended_over_possible",
        ("sessions_attended", "sessions_possible"),
        nw.col("sessions_attended") > nw.col("sessions_possible"),
        "more sessions attended than possible",
        "Mend them; until then the year's sessions are missing.",
    ),
)

CONTRACT = TableContract(
    "attendance",
    "A pupil's sessions in one school year",
    ("pupil_id", "year"),
    COLUMNS,
    RULES,
    "Absence extract of the school census, or a school's registers",
)

"""The words of the page of a world: causes, outcomes, arms, contrasts."""

from __future__ import annotations

CAUSES = {
    "quality": "School quality",
    "intake": "School intake",
    "primary": "Primary school",
    "severity": "Severity",
    "female": "Sex",
    "fsm": "FSM",
    "need": "Need",
    "ehcp": "EHC plan",
    "prior": "Entry score",
    "push": "Family seeks a base",
    "journey": "Journey",
    "named": "Plan names a base",
    "hosting": "School hosts a base",
    "placement": "Place in the base",
    "crowding": "How full the base is",
    "base_quality": "Base quality",
    "dose": "Time in the base",
    "teacher_support": "Teacher support",
    "peer_support": "Peer support",
}

OUTCOMES = {
    "attainment": "Attainment",
    "attendance": "Attendance",
    "belonging": "Belonging",
    "difficulties": "Difficulties",
    "suspensions": "Suspensions",
    "teacher_support": "Teacher support",
    "peer_support": "Peer support",
}

#: Unit of an effect on each outcome, the factor that it is shown with, and its decimals.
UNITS = {
    "attainment": ("points", 1.0, 2),
    "attendance": ("percentage points of sessions", 100.0, 2),
    "belonging": ("points of the mean item score, 1 to 5", 1.0, 3),
    "difficulties": ("points of 40", 1.0, 2),
    "suspensions": ("suspensions a year", 1.0, 3),
    "teacher_support": ("points of the score, 1 to 5", 1.0, 3),
    "peer_support": ("points of the score, 1 to 5", 1.0, 3),
}

ARM_NAMES = {
    "base": "In a base",
    "host_mainstream": "Mainstream of a school with a base",
    "non_host": "School without a base",
}

CONTRAST_NAMES = {
    "base_vs_host": "A place in the base, against the mainstream of the same schools",
    "base_vs_non_host": "A place in the base, against a school without a base",
    "host_vs_non_host": "The mainstream beside a base, against a school without a base",
}

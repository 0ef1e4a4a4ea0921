"""Key stage measures, and the codes that say why there is none (docs/methods/npd-codes.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

#: Outcome codes of the tests that are results.
RESULTS = ("AS", "NS")

#: Special consideration: a result where there is a score.
SPECIAL = ("CA", "CB", "CN")

#: Sat the test, and has too few marks for a scaled score: the marks are real.
TOO_FEW_MARKS = "N"

#: Outcome code -> status. Any other is `other`, and counted.
STATUS_OF_OUTCOME: Mapping[str, str] = MappingProxyType(
    {
        "N": "below_standard",
        "B": "below_standard",
        "T": "disapplied",
        "U": "disapplied",
        "D": "disapplied",
        "A": "absent",
        "J": "not_entered",
        "L": "not_entered",
        "F": "not_entered",
        "P": "not_entered",
        "M": "other",
        "S": "other",
        "X": "other",
        "H": "annulled",
        "Q": "annulled",
    }
)

#: No key stage 2 tests were sat in these years.
CANCELLED_KS2 = (2020, 2021)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of a key stage.

    Parameters
    ----------
    name : str
        Also the column of the crosswalk.
    kind : str
        ``score``, ``marks``, ``scaled``, ``flag`` or ``grade`` (9 to 1 and U, which is 0).
    outcome : str
        Column of the outcome code that says why it is missing; empty for none.
    never : tuple of int
        Years in which nobody could have it, for want of the earlier tests.
    """

    name: str
    kind: Literal["score", "marks", "scaled", "flag", "grade"]
    outcome: str = ""
    never: tuple[int, ...] = ()


def _tests(subject: str) -> tuple[Measure, ...]:
    outcome = f"{subject}_outcome"
    return (
        Measure(f"ks2_{subject}", "marks", outcome),
        Measure(f"ks2_{subject}_scaled", "scaled", outcome),
        Measure(f"ks2_{subject}_expected", "flag", outcome),
        Measure(f"ks2_{subject}_high", "flag", outcome),
    )


MEASURES: Mapping[str, tuple[Measure, ...]] = MappingProxyType(
    {
        "KS2": (
            *_tests("reading"),
            *_tests("maths"),
            *_tests("gps"),
            Measure("ks2_reading_progress", "score", "reading_outcome", (2024, 2025)),
            Measure("ks2_maths_progress", "score", "maths_outcome", (2024, 2025)),
        ),
        "KS4": (
            Measure("ks4_attainment8", "score"),
            Measure("ks4_progress8", "score", "", (2025, 2026)),
            Measure("ks4_english_maths_94", "flag"),
            Measure("ks4_english_maths_95", "flag"),
            Measure("ks4_english_grade", "grade"),
            Measure("ks4_maths_grade", "grade"),
        ),
    }
)

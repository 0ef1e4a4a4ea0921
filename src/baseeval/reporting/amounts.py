"""The one place where a number becomes text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.measures.kinds import RANK

SCHOOL_DAYS = 190  # days that pupils attend in a school year in England

NOT_SHOWN = "–"

_WHOSE = ("pupils", "leavers")  # whose proportion reads well as so many in a hundred


@dataclass(frozen=True, slots=True)
class Scale:
    """How the numbers of a unit are shown: the factor, and the word that follows."""

    factor: float
    word: str


def scale_of(unit: str) -> Scale:
    """Show proportions as percentage points, places in an order out of 100, others as they are."""
    if unit.startswith("proportion"):
        return Scale(100.0, "percentage points")
    if unit == RANK:
        return Scale(100.0, "places in 100")
    return Scale(
        1.0, {"sd": "standard deviations", "mean score": "points of the score"}.get(unit, unit)
    )


def difference_words(unit: str) -> str:
    """Name the unit of a difference where it stands alone, as in the heading of a table."""
    word = scale_of(unit).word
    return f"number {word}" if word == "a pupil" else word


def level_words(unit: str) -> str:
    """Name the unit of an average, where a proportion is shown per cent."""
    if unit.startswith("proportion"):
        return f"per cent{unit.removeprefix('proportion')}"
    if unit == RANK:
        return "places out of 100, from the lowest"
    return difference_words(unit)


def decimals_for(*values: float) -> int:
    """Return the decimals that suit the largest value: none from 100, one from 1, else two."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 0 if largest >= 100 else 1 if largest >= 1 else 2


def plain(value: float, decimals: int = 2) -> str:
    """Write a number with a true minus sign and commas, and never a negative zero.

    Examples
    --------
    >>> plain(-1234.56, 1), plain(-0.001)
    ('−1,234.6', '0.00')
    """
    if not math.isfinite(value):
        return NOT_SHOWN
    rounded = round(value, decimals) + 0.0
    return f"{rounded:,.{decimals}f}".replace("-", "−")


def counted(value: int | None) -> str:
    """Write a count with commas; a count that is not there is a dash."""
    return NOT_SHOWN if value is None else f"{value:,}"


def number_of(count: int | None, one: str, many: str) -> str:
    """Write a count and its noun: `1 school`, `1,204 schools`, `an unstated number of schools`."""
    if count is None:
        return f"an unstated number of {many}"
    return f"{count:,} {one if count == 1 else many}"


def interval(estimate: float, low: float, high: float, *, decimals: int = 2) -> str:
    """Write an estimate and its interval.

    Examples
    --------
    >>> interval(0.123, 0.05, 0.19)
    '0.12 (0.05 to 0.19)'
    """
    if not math.isfinite(estimate):
        return NOT_SHOWN
    if not (math.isfinite(low) and math.isfinite(high)):
        return plain(estimate, decimals)
    return f"{plain(estimate, decimals)} ({plain(low, decimals)} to {plain(high, decimals)})"


def interval_in(unit: str, estimate: float, low: float, high: float) -> str:
    """Write an estimate and its interval on the scale that readers see."""
    factor = scale_of(unit).factor
    values = (estimate * factor, low * factor, high * factor)
    return interval(*values, decimals=decimals_for(*values))


def size(value: float, unit: str) -> str:
    """Write how large a difference is, whichever way it runs."""
    scale = scale_of(unit)
    shown = abs(value * scale.factor)
    words = f"{plain(shown, decimals_for(shown))} {scale.word}".strip()
    if "session" in unit:
        return f"{words} ({school_days(value)})"
    whose = unit.removeprefix("proportion of ")
    return f"{words} ({of_pupils(value, whose)})" if _is_of_pupils(unit) else words


def school_days(proportion: float) -> str:
    """Write a proportion of sessions as days of a school year."""
    days = round(abs(proportion) * SCHOOL_DAYS)
    if days == 0:
        return "less than a school day a year"
    return f"about {days} school {'day' if days == 1 else 'days'} a year"


def of_pupils(proportion: float, whose: str) -> str:
    """Write a proportion of pupils as so many in a hundred.

    Examples
    --------
    >>> of_pupils(-0.12, "pupils"), of_pupils(0.002, "leavers")
    ('about 12 in 100 pupils', 'fewer than 1 in 100 leavers')
    """
    count = round(100 * abs(proportion))
    return f"about {count} in 100 {whose}" if count else f"fewer than 1 in 100 {whose}"


def _is_of_pupils(unit: str) -> bool:
    return unit.startswith("proportion of ") and unit.endswith(_WHOSE)


def span(low: float, high: float, unit: str) -> str:
    """Say in words how far an interval reaches on either side of no difference.

    Examples
    --------
    >>> span(1.2, 10.4, "points")
    'between 1.2 and 10.4 points higher'
    >>> span(-0.02, 0.01, "proportion of sessions")
    'anywhere from 2.0 percentage points lower to 1.0 percentage points higher'
    """
    scale = scale_of(unit)
    ends = (low * scale.factor, high * scale.factor)
    if scale.factor > 1:
        # No two shares, and no two places in an order, lie further apart than 100.
        ends = (max(ends[0], -100.0), min(ends[1], 100.0))
    decimals = decimals_for(*ends)
    low_text, high_text = (plain(abs(end), decimals) for end in ends)
    if low > 0:
        return f"between {low_text} and {high_text} {scale.word} higher"
    if high < 0:
        return f"between {high_text} and {low_text} {scale.word} lower"
    return f"anywhere from {low_text} {scale.word} lower to {high_text} {scale.word} higher"


def percent(value: float) -> str:
    """Write a share as a percentage with no decimals."""
    return f"{plain(100 * value, 0)}%" if math.isfinite(value) else NOT_SHOWN

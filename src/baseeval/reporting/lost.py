"""Who was lost: how many of each group, and how they differ from those who stayed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN, number_of, percent, plain
from baseeval.reporting.cells import Row, grouped, real, records, text
from baseeval.reporting.love import covariate_name
from baseeval.reporting.phrasebook import capital, group, wave_words
from baseeval.reporting.sheet import Sheet, absent, shown

LARGE = 0.25  # of a difference in SD: what adjustment should not be left to mend (WWC 4.1)
_MOST = 6  # rows of large differences: the others are in the csv


@dataclass(frozen=True, slots=True)
class Losses:
    """How many were lost, a sentence on whom, and the largest differences."""

    counts: Sheet
    told: str
    largest: Sheet


def losses(released: Released) -> Losses | None:
    """Return who was lost; None where the study has one wave."""
    rows = records(released.attrition)
    if not rows:
        return None
    differences = _differences([row for row in rows if text(row, "covariate")])
    large = [row for row in differences if abs(real(row, "smd")) > LARGE]
    return Losses(
        _counts([row for row in rows if not text(row, "covariate")]),
        _told(len(differences), len(large)),
        _largest(large[:_MOST]),
    )


def _counts(rows: list[Row]) -> Sheet:
    heads = ("Group", "Wave", "Pupils", "Pupils seen", "Pupils lost", "Share lost")
    lines = tuple(
        (
            group(text(row, "arm")),
            capital(wave_words(text(row, "wave"))) or NOT_SHOWN,
            shown(row, "pupils"),
            shown(row, "n_stayed"),
            shown(row, "n_lost"),
            _share(row),
        )
        for row in rows
    )
    return Sheet("Pupils lost by each wave", heads, lines, frozenset(range(2, 6)))


def _share(row: Row) -> str:
    pupils = real(row, "pupils")
    words = percent(real(row, "n_lost") / pupils) if pupils > 0 else NOT_SHOWN
    return absent(row) if words == NOT_SHOWN else words


def _differences(rows: list[Row]) -> list[Row]:
    """Return the differences that may be shown, one a characteristic, the largest first."""
    known = [row for row in rows if not math.isnan(real(row, "smd"))]
    largest = [
        max(each, key=lambda row: abs(real(row, "smd")))
        for each in grouped(known, "wave", "arm", "covariate").values()
    ]
    return sorted(largest, key=lambda row: -abs(real(row, "smd")))


def _told(known: int, large: int) -> str:
    """Say how many differences there are to look at, and how many are large."""
    if not known:
        return (
            "How those who were lost differ from those who stayed is withheld, because they are "
            "few or nobody."
        )
    compared = number_of(known, "comparison", "comparisons")
    limit = "a quarter of a standard deviation"
    told = (
        f"Those who were lost are set beside those who stayed in {compared}: one for each group, "
        f"wave and recorded characteristic for which enough pupils were lost."
    )
    if not large:
        return f"{told} No difference is larger than {limit}."
    are = "difference is" if large == 1 else "differences are"
    rest = " The largest are shown; the others are in attrition.csv." if large > _MOST else ""
    return f"{told} {large} {are} larger than {limit}.{rest}"


def _largest(rows: list[Row]) -> Sheet:
    heads = ("Recorded before", "Group", "Wave", "Those lost, against those who stayed (SD)")
    lines = tuple(
        (
            covariate_name(row),
            group(text(row, "arm")),
            capital(wave_words(text(row, "wave"))) or NOT_SHOWN,
            f"{plain(abs(real(row, 'smd')))} {'higher' if real(row, 'smd') > 0 else 'lower'}",
        )
        for row in rows
    )
    return Sheet("Where those who were lost differ most", heads, lines, frozenset({3}))

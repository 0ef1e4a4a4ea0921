"""Whom the answers describe, beside all pupils with a base place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.design.estimand_sentences import estimand_sentence
from baseeval.design.registry import DESIGNS
from baseeval.disclosure.released import Released
from baseeval.reporting.alike_sheets import average
from baseeval.reporting.amounts import plain
from baseeval.reporting.cells import Row, distinct, real, records, text
from baseeval.reporting.love import covariate_name
from baseeval.reporting.phrasebook import SHORT_CONTRASTS
from baseeval.reporting.sheet import Sheet, shown
from baseeval.results import ARMS, CONTRASTS, balance_band

_NEAR = {
    "alike": "so it speaks of pupils like them",
    "adjust": "so it speaks of pupils a little unlike them",
    "not_comparable": "so it speaks of pupils unlike them",
}


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom the answer of a contrast describes, in a sentence and as numbers."""

    title: str
    told: str
    numbers: Sheet


def whom(released: Released) -> tuple[Whom, ...]:
    """Say of each contrast under its headline design how its pupils compare with base pupils.

    Parameters
    ----------
    released : Released

    Returns
    -------
    tuple of Whom
    """
    rows = records(released.describes)
    found = []
    for contrast in CONTRASTS:
        here = [row for row in rows if text(row, "contrast") == contrast]
        present = distinct(here, "design")
        chosen = [name for name in released.about.designs if name in present] or present
        mine = [row for row in here if chosen and text(row, "design") == chosen[0]]
        if mine:
            told = " ".join(part for part in (_sentence(mine[0]), _told(mine)) if part)
            found.append(Whom(SHORT_CONTRASTS[contrast], told, _numbers(mine)))
    return tuple(found)


def _sentence(row: Row) -> str:
    """Write out who is compared with whom; nothing where only the model makes them alike."""
    design = text(row, "design")
    if design not in DESIGNS or DESIGNS[design].kind == "none":
        return ""
    return estimand_sentence(row)


def _told(rows: list[Row]) -> str:
    sizes = [abs(real(row, "smd")) for row in rows if not math.isnan(real(row, "smd"))]
    is_part = text(rows[0], "target") == ARMS[0]
    if not sizes and is_part:
        return (
            "The answer describes pupils with a base place: all whose records say enough, or all "
            "but so few of these that no more may be shown."
        )
    if not sizes:
        return "Whom the answer describes is withheld, because it would tell of few pupils."
    largest = max(sizes)
    who = "the pupils with a base place whom it keeps" if is_part else "those whom it is about"
    return (
        f"Between {who} and all pupils with a base place the largest difference that may be "
        f"shown is {plain(largest)} standard deviations, {_NEAR[balance_band(largest)]}."
    )


def _numbers(rows: list[Row]) -> Sheet:
    heads = (
        "Recorded before",
        "Those described",
        "All with a base place and a value",
        "Difference (SD)",
    )
    known = [row for row in rows if not math.isnan(real(row, "smd"))]
    lines = tuple(
        (
            covariate_name(row),
            average(row, "mean_described"),
            average(row, "mean_base"),
            shown(row, "smd", 2),
        )
        for row in rows
    )
    title = f"{SHORT_CONTRASTS[text(rows[0], 'contrast')]}: whom the answer describes"
    return Sheet(title, heads, lines if known else (), frozenset(range(1, 4)))

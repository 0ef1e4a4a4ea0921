"""Were the groups alike: balance and overlap of each contrast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import plain
from baseeval.reporting.cautions import flag_name
from baseeval.reporting.cells import Row, codes, distinct, real, records, text
from baseeval.reporting.love import ALIKE, covariate_name, love_plot
from baseeval.reporting.phrasebook import (
    DESIGNS,
    SHORT_CONTRASTS,
    capital,
    contrast_title,
    spelled,
)
from baseeval.reporting.sheet import Sheet, share, shown
from baseeval.results import CONTRASTS


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the two groups of a contrast are, before and after the headline design."""

    title: str
    told: str
    figure: str
    numbers: Sheet


def likenesses(released: Released) -> tuple[Likeness, ...]:
    """Return the balance of each contrast under its headline design, with a love plot."""
    rows = records(released.balance)
    found: list[Likeness] = []
    for contrast in CONTRASTS:
        of_contrast = [row for row in rows if text(row, "contrast") == contrast]
        design = _headline(released, of_contrast)
        lines = [row for row in of_contrast if text(row, "design") == design]
        if lines:
            title = SHORT_CONTRASTS[contrast]
            figure = love_plot(lines, f"balance-{len(found) + 1}", title)
            found.append(
                Likeness(contrast_title(contrast), _told(lines), figure, _numbers(lines, title))
            )
    return tuple(found)


def overlap(released: Released) -> Sheet:
    """Return, for each contrast and design, how many pupils count and lack anybody alike."""
    heads = (
        "Comparison",
        "Made alike by",
        "Pupils, first group",
        "Pupils, second group",
        "Worth, first group",
        "Worth, second group",
        "With nobody alike",
        "Largest difference before",
        "and after",
        "Cautions",
    )
    lines = tuple(
        (
            SHORT_CONTRASTS.get(text(row, "contrast"), text(row, "contrast")),
            design_name(text(row, "design")),
            shown(row, "n_first"),
            shown(row, "n_second"),
            shown(row, "n_effective_first", 0),
            shown(row, "n_effective_second", 0),
            share(row, "share_outside_support"),
            shown(row, "max_smd_before", 2),
            shown(row, "max_smd_after", 2),
            ", ".join(flag_name(flag) for flag in codes(row)) or "none",
        )
        for row in records(released.overlap)
    )
    return Sheet("Pupils who count, and how alike they are", heads, lines, frozenset(range(2, 9)))


def design_name(design: str) -> str:
    """Name a design in a word or two."""
    names = {"none": "The model alone", "entropy": "Entropy balancing", "nearest": "Nearest match"}
    return names.get(design, capital(spelled(design))) if design else names["none"]


def design_words(design: str) -> str:
    """Say what a design does."""
    return DESIGNS.get(design, spelled(design))


def _headline(released: Released, rows: list[Row]) -> str:
    """Return the first design of the plan that these rows hold."""
    present = distinct(rows, "design")
    chosen = [design for design in released.about.designs if design in present]
    return (chosen or present or [""])[0]


def _told(rows: list[Row]) -> str:
    """Say how far apart the groups were and are."""
    before, after = (
        max(
            (
                abs(real(row, f"smd_{when}"))
                for row in rows
                if real(row, f"smd_{when}") == real(row, f"smd_{when}")
            ),
            default=float("nan"),
        )
        for when in ("before", "after")
    )
    if after != after:
        return "How alike these two groups are is withheld or could not be worked out."
    close = (
        "so on what was recorded the groups are alike"
        if after <= ALIKE
        else ("so the groups still differ, and the answers may owe something to that")
    )
    some_withheld = any(math.isnan(real(row, "smd_before")) for row in rows)
    known = "of what may be shown" if some_withheld else "in what was recorded"
    largest = f"The largest difference {known} was {plain(before)} standard deviations"
    if text(rows[0], "design") == "none":
        return f"{largest}, {close}. Only the model allows for it."
    return f"{largest}; after the groups were made comparable it is {plain(after)}, {close}."


def _numbers(rows: list[Row], title: str) -> Sheet:
    """Return the numbers that a love plot draws, and the averages behind them."""
    heads = (
        "Recorded before",
        "First group's average",
        "Second group's, before",
        "Second group's, after",
        "Difference before (SD)",
        "Difference after (SD)",
    )
    names = (
        "mean_first_after",
        "mean_second_before",
        "mean_second_after",
        "smd_before",
        "smd_after",
    )
    lines = tuple((covariate_name(row), *(shown(row, name, 2) for name in names)) for row in rows)
    return Sheet(f"{title}: the numbers in the figure", heads, lines, frozenset(range(1, 6)))

"""Were the groups alike: balance and overlap of each contrast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.design.registry import DESIGNS
from baseeval.disclosure.released import About, Released
from baseeval.reporting.alike_sheets import band_word, moved_sheet, parts_sheet, spread_sheet
from baseeval.reporting.amounts import plain
from baseeval.reporting.cautions import flag_name
from baseeval.reporting.cells import Row, codes, distinct, real, records, text
from baseeval.reporting.love import love_plot
from baseeval.reporting.overlapping import Overlapping, overlapping
from baseeval.reporting.phrasebook import (
    BANDS,
    CHANCES,
    SHORT_CONTRASTS,
    capital,
    contrast_title,
    group,
    spelled,
)
from baseeval.reporting.sheet import Sheet, share, shown
from baseeval.results import CONTRASTS, balance_band


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the two groups of a contrast are, before and after the headline design."""

    title: str
    told: str
    divided: str
    figure: str
    folded: tuple[tuple[str, Sheet], ...]
    overlap: Overlapping | None


def likenesses(released: Released) -> tuple[Likeness, ...]:
    """Return the balance of each contrast under its headline design, with its figures."""
    found: list[Likeness] = []
    for contrast, lines in headline_rows(released).items():
        title = SHORT_CONTRASTS[contrast]
        place = len(found) + 1
        sheets = (
            ("The numbers in this figure", moved_sheet(lines, title)),
            ("How the values are spread", spread_sheet(lines, title)),
            ("Within schools and between them", parts_sheet(lines, title)),
        )
        found.append(
            Likeness(
                title=contrast_title(contrast),
                told=_told(lines),
                divided=_divided(lines),
                figure=love_plot(lines, f"balance-{place}", title),
                folded=tuple((name, sheet) for name, sheet in sheets if sheet.rows),
                overlap=overlapping(
                    released, contrast, text(lines[0], "design"), f"overlap-{place}"
                ),
            )
        )
    return tuple(found)


def no_likeness(about: About) -> str:
    """Say why no comparison of the study has anything to show of how alike its groups are."""
    if about.adjusted or about.exact:
        return (
            "No fair comparison of any two groups could be made, so there is nothing to show of "
            "how alike they were made."
        )
    return "Nothing recorded before was named, so how alike the groups were cannot be said."


def headline_rows(released: Released) -> dict[str, list[Row]]:
    """Return the rows of balance of each contrast under the first design of the plan it has."""
    rows = records(released.balance)
    found = {}
    for contrast in CONTRASTS:
        of_contrast = [row for row in rows if text(row, "contrast") == contrast]
        present = distinct(of_contrast, "design")
        chosen = [design for design in released.about.designs if design in present]
        design = (chosen or present or [""])[0]
        lines = [row for row in of_contrast if text(row, "design") == design]
        if lines:
            found[contrast] = lines
    return found


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
        "How alike",
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
            band_word(row),
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
    return DESIGNS[design].words if design in DESIGNS else spelled(design)


def _told(rows: list[Row]) -> str:
    """Say how far apart the groups were and are, and whether chance alone could make it."""
    before, after = (
        max(
            (abs(value) for row in rows if math.isfinite(value := real(row, f"smd_{when}"))),
            default=math.nan,
        )
        for when in ("before", "after")
    )
    if math.isnan(after):
        return "How alike these two groups are is withheld or could not be worked out."
    band = balance_band(after)
    some_withheld = any(math.isnan(real(row, "smd_before")) for row in rows)
    known = "of what may be shown" if some_withheld else "in what was recorded"
    told = f"The largest difference {known} was {plain(before)} standard deviations"
    if text(rows[0], "design") == "none":
        rest = "Nothing was weighted or matched: only the model allows for it."
    else:
        told, rest = f"{told}; after the groups were made comparable it is {plain(after)}", ""
    parts = (f"{told}, {BANDS[band][1]}.", rest, _chance(rows, after))
    return " ".join(part for part in parts if part)


def _chance(rows: list[Row], largest: float) -> str:
    """Say what chance has to do with the largest difference, all of them taken together."""
    code = next((text(row, "chance") for row in rows if abs(real(row, "smd_after")) == largest), "")
    told = code in CHANCES and balance_band(largest) != "alike"
    return CHANCES[code][1] if told else ""


def _divided(rows: list[Row]) -> str:
    """Say whose standard deviation a difference of one is."""
    given = [text(row, "denominator") for row in rows if text(row, "denominator")]
    if not given:
        return ""
    commonest = max(dict.fromkeys(given), key=given.count)
    if commonest.startswith("SD of "):
        who = group(commonest.removeprefix("SD of "))
        return f"A difference of 1 is one standard deviation of “{who}” before weighting."
    return "A difference of 1 is one standard deviation, taken over both groups before weighting."

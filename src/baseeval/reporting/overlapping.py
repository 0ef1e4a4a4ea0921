"""How two groups overlap: a figure of chances, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import plain
from baseeval.reporting.cells import Row, real, records, text
from baseeval.reporting.overlap_plot import overlap_plot
from baseeval.reporting.phrasebook import SHORT_CONTRASTS, SIDES, group
from baseeval.reporting.sheet import Sheet, share, shown
from baseeval.results import CONTRASTS


@dataclass(frozen=True, slots=True)
class Overlapping:
    """How the two groups of a contrast lie over the chance of being in the first."""

    figure: str
    numbers: Sheet


def overlapping(released: Released, contrast: str, design: str, name: str) -> Overlapping | None:
    """Return the overlap plot of a contrast under a design, and its numbers.

    Parameters
    ----------
    released : Released
    contrast, design : str
    name : str
        Id of the figure within its page.

    Returns
    -------
    Overlapping or None
        None where either group has no part of the range that may be shown.
    """
    rows = [
        row
        for row in records(released.propensity)
        if text(row, "contrast") == contrast and text(row, "design") == design
    ]
    first, second = (
        [row for row in rows if text(row, "arm") == arm] for arm in CONTRASTS[contrast]
    )
    if not (first and second):
        return None
    figure = overlap_plot(first, second, name, SIDES[contrast])
    return Overlapping(figure, _numbers([*first, *second], SHORT_CONTRASTS[contrast]))


def _numbers(rows: list[Row], title: str) -> Sheet:
    heads = ("Group", "Chance", "Pupils", "Of the group, before", "Of the group, after")
    lines = tuple(
        (
            group(text(row, "arm")),
            f"{plain(real(row, 'chance_from'))} to {plain(real(row, 'chance_to'))}",
            shown(row, "pupils"),
            share(row, "share_before"),
            share(row, "share_after"),
        )
        for row in rows
    )
    return Sheet(
        f"{title}: chance of being in the first group",
        heads,
        lines,
        frozenset(range(2, 5)),
    )

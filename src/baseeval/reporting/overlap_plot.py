"""The overlap plot: how each group lies over the chance of being in the first."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from baseeval.reporting.cells import Row, real
from baseeval.reporting.figures import TEXT, Palette, canvas, house_style, inline_svg
from baseeval.reporting.phrasebook import capital

HEIGHT = 1.35  # inches for each group
NAME = 0.14  # of the height of all steps: room beyond the highest for the name of a group
TENTH = 0.1
TIMES = ("before", "after")


def overlap_plot(first: list[Row], second: list[Row], name: str, words: tuple[str, str]) -> str:
    """Draw the first group upwards and the second downwards, before (line) and after (filled).

    Parameters
    ----------
    first, second : list of mapping
        Rows of the propensity table, of one contrast and design, in order.
    name : str
        Id of the figure within its page.
    words : (str, str)
        What the two groups are called.
    """
    with house_style(name) as palette:
        figure, axes = canvas(2.0, HEIGHT, 0.2, below=0.8)
        sides = ((first, 1, palette.mark, words[0]), (second, -1, palette.faint, words[1]))
        peaks = [_peak(rows) for rows, *_ in sides]
        room = NAME * sum(peaks)
        axes.set_ylim(-peaks[1] - room, peaks[0] + room)
        axes.set_xlim(0, 1)
        for (rows, way, colour, group), peak in zip(sides, peaks, strict=True):
            _steps(axes, rows, way, colour, palette)
            edge = "top" if way > 0 else "bottom"
            height = way * (peak + room)
            axes.text(0.01, height, capital(group), va=edge, color=palette.text, size=TEXT)
        axes.axhline(0, color=palette.text, linewidth=1)
        axes.set_xlabel("Chance of being in the first group,\nwere both equally large", labelpad=5)
        alternative = (
            f"How {words[0]} and {words[1]} lie over the chance of being in the first group, "
            "before and after weighting or matching. The table below the figure holds the same "
            "numbers."
        )
        return inline_svg(figure, name, alternative)


def density(row: Row, when: str) -> float:
    """Return the share of a group for each tenth of the range, within a part of it."""
    width = real(row, "chance_to") - real(row, "chance_from")
    return real(row, f"share_{when}") * TENTH / width


def _peak(rows: list[Row]) -> float:
    """Return the greatest density of a group that may be shown."""
    known = (density(row, when) for row in rows for when in TIMES)
    return max((value for value in known if math.isfinite(value)), default=1.0)


def _steps(axes: Axes, rows: list[Row], way: int, colour: str, palette: Palette) -> None:
    """Draw one group as steps away from the middle line."""
    edges = [real(rows[0], "chance_from"), *(real(row, "chance_to") for row in rows)]
    after = [way * density(row, "after") for row in rows]
    before = [way * density(row, "before") for row in rows]
    axes.stairs(after, edges, fill=True, color=colour, alpha=0.45, linewidth=0)
    axes.stairs(before, edges, baseline=0, color=palette.text, linewidth=1.3)

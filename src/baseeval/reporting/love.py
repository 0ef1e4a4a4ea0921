"""The love plot: how alike two groups were, before and after they were made comparable."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from baseeval.reporting.cells import Row, real, text
from baseeval.reporting.figures import TEXT, Palette, canvas, house_style, inline_svg
from baseeval.reporting.phrasebook import label_of
from baseeval.results import BALANCE_BANDS

ROW = 0.48  # inches
#: Of a row, below its name: where its dots lie, with the band and the lines behind them.
STRIP, LINE = (0.46, 1.0), 0.73
LIMIT = 2.0


def love_plot(rows: list[Row], name: str, title: str) -> str:
    """Draw each covariate's standardised difference before (hollow) and after (filled).

    Parameters
    ----------
    rows : list of mapping
        Rows of the balance table, of one contrast and design.
    name : str
        Id of the figure within its page.
    title : str
        The contrast in words.
    """
    with house_style(name) as palette:
        figure, axes = canvas(len(rows) + 0.15, ROW, 0.2)
        values = [abs(real(row, f"smd_{when}")) for row in rows for when in ("before", "after")]
        widest = max((value for value in values if math.isfinite(value)), default=0.0)
        reach = min(max(1.12 * widest, 0.3), LIMIT)
        axes.set_xlim(-reach, reach)
        alike, adjust = (BALANCE_BANDS[name][0] for name in ("alike", "adjust"))
        for place, row in enumerate(rows):
            _background(axes, place, alike, adjust, palette)
            _covariate(axes, place, row, palette, reach)
        axes.set_xlabel("Difference in standard deviations", labelpad=5)
        alternative = (
            f"Balance of {title}: differences in {len(rows)} recorded characteristics before and "
            f"after weighting or matching, with a band at {alike} and lines at {adjust} standard "
            "deviations. The table below the figure holds the same numbers."
        )
        return inline_svg(figure, name, alternative)


def covariate_name(row: Row) -> str:
    """Name a covariate, with its level where it is a category."""
    level = text(row, "level")
    return label_of(text(row, "covariate")) + (f": {label_of(level)}" if level else "")


def _background(axes: Axes, place: int, alike: float, adjust: float, palette: Palette) -> None:
    """Draw the band and the lines of a row, below its name and not behind it."""
    top, bottom = (place + end for end in STRIP)
    axes.fill_between((-alike, alike), top, bottom, color=palette.band, linewidth=0, zorder=0)
    for edge in (-adjust, adjust):
        axes.vlines(
            edge, top, bottom, color=palette.faint, linewidth=1, linestyle=(0, (3, 3)), zorder=0
        )
    axes.vlines(0, top, bottom, color=palette.text, linewidth=1, zorder=1)


def _covariate(axes: Axes, place: int, row: Row, palette: Palette, reach: float) -> None:
    """Draw one covariate: its name above the line, its two differences on it."""
    name, line = covariate_name(row), place + LINE
    axes.axhline(line, color=palette.band, linewidth=0.8, zorder=0)
    before, after = (
        min(max(real(row, f"smd_{when}"), -reach), reach) for when in ("before", "after")
    )
    known = math.isfinite(before + after)
    label = name if known else f"{name} (withheld)"
    axes.text(-reach, place + STRIP[0] / 2, label, va="center", color=palette.text, size=TEXT)
    if not known:
        return
    axes.plot([before, after], [line, line], color=palette.faint, linewidth=1, zorder=1)
    shared = {"marker": "o", "markersize": 6.5, "color": palette.mark, "clip_on": False}
    axes.plot(before, line, markerfacecolor="white", zorder=2, **shared)  # type: ignore[arg-type]
    axes.plot(after, line, zorder=3, **shared)  # type: ignore[arg-type]

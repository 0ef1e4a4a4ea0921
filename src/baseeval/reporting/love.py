"""The love plot: how alike two groups were, before and after they were made comparable."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from baseeval.reporting.cells import Row, real, text
from baseeval.reporting.figures import Palette, canvas, house_style, inline_svg
from baseeval.reporting.phrasebook import label_of
from baseeval.results import BALANCE_BANDS

ROW = 0.42  # inches
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
        axes.axvspan(-alike, alike, color=palette.band, linewidth=0, zorder=0)
        for edge in (-adjust, adjust):
            axes.axvline(edge, color=palette.faint, linewidth=1, linestyle=(0, (3, 3)), zorder=0)
        axes.axvline(0, color=palette.text, linewidth=1, zorder=1)
        for place, row in enumerate(rows):
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


def _covariate(axes: Axes, place: int, row: Row, palette: Palette, reach: float) -> None:
    """Draw one covariate: its name above the line, its two differences on it."""
    name, line = covariate_name(row), place + 0.72
    axes.axhline(line, color=palette.band, linewidth=0.8, zorder=0)
    before, after = (
        min(max(real(row, f"smd_{when}"), -reach), reach) for when in ("before", "after")
    )
    known = math.isfinite(before + after)
    label = name if known else f"{name} (withheld)"
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    axes.text(-reach, place + 0.32, label, va="center", color=palette.text, size=9.5, bbox=behind)
    if not known:
        return
    axes.plot([before, after], [line, line], color=palette.faint, linewidth=1, zorder=1)
    shared = {"marker": "o", "markersize": 6.5, "color": palette.mark, "clip_on": False}
    axes.plot(before, line, markerfacecolor="white", zorder=2, **shared)  # type: ignore[arg-type]
    axes.plot(after, line, zorder=3, **shared)  # type: ignore[arg-type]

"""The forest plot: one outcome's headline answers on one scale."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from baseeval.reporting.cells import Row, grouped, real, text
from baseeval.reporting.figures import TEXT, Palette, canvas, house_style, inline_svg
from baseeval.reporting.phrasebook import SHORT_CONTRASTS, capital, wave_words

ROW = 0.3  # inches
LIMIT = 2.0  # standard deviations beyond which an interval is cut, with an arrow
LEFT = 0.85


def forest_plot(rows: list[Row], name: str, label: str) -> str:
    """Draw effect sizes with their 95% intervals, a line at zero and the band too small to matter.

    Parameters
    ----------
    rows : list of mapping
        Headline rows of one outcome and form, those of a contrast together.
    name : str
        Id of the figure within its page.
    label : str
        The outcome in words.
    """
    contrasts = grouped(rows, "contrast")
    places = sum(1.85 + len(each) for each in contrasts.values()) + 0.2
    with house_style(name) as palette:
        figure, axes = canvas(places, ROW, LEFT)
        reach = _reach(rows)
        axes.set_xlim(-reach, reach)
        place = 0.85
        for (contrast,), each in contrasts.items():
            title = SHORT_CONTRASTS[contrast].replace(", against", ",\nagainst")
            _text(axes, place, title, palette.text, weight="bold")
            place += 0.4
            _background(axes, each, place + 0.45, palette)
            for row in each:
                place += 1
                _line(axes, place, row, palette, reach)
            place += 1.45
        axes.set_xlabel("Lower  ←  standard deviations  →  higher", labelpad=5)
        alternative = (
            f"Forest plot of {label}: {len(rows)} estimates with their 95% intervals. "
            "The table below the figure holds the same numbers."
        )
        return inline_svg(figure, name, alternative)


def is_cut(rows: list[Row]) -> bool:
    """Tell whether an interval is too wide to be drawn whole."""
    ends = [abs(real(row, f"effect_size_{end}")) for row in rows for end in ("low", "high")]
    return any(end > LIMIT for end in ends)


def _reach(rows: list[Row]) -> float:
    """Return how far the axis runs on either side of zero."""
    names = ("effect_size_low", "effect_size_high", "effect_size", "smallest_effect")
    values = [abs(real(row, name)) for row in rows for name in names]
    widest = max((value for value in values if math.isfinite(value)), default=0.0)
    return min(max(1.12 * widest, 0.5), LIMIT)


def _background(axes: Axes, rows: list[Row], top: float, palette: Palette) -> None:
    """Draw the band within which a difference does not matter, and the line of no difference."""
    bottom = top + len(rows) + 0.1
    bands = [real(row, "smallest_effect") for row in rows]
    band = max((value for value in bands if math.isfinite(value)), default=0.0)
    if band > 0:
        axes.fill_between((-band, band), top, bottom, color=palette.band, linewidth=0, zorder=0)
    axes.vlines(0, top, bottom, color=palette.text, linewidth=1, zorder=1)


def _text(axes: Axes, place: float, words: str, colour: str, weight: str = "normal") -> None:
    """Write at the left edge of the figure."""
    left, right = axes.get_xlim()
    inches = axes.get_position().width * axes.figure.get_figwidth()  # type: ignore[union-attr]
    edge = left - (right - left) * (LEFT - 0.05) / inches
    axes.text(edge, place, words, va="center", color=colour, weight=weight, size=TEXT)


def _line(axes: Axes, place: float, row: Row, palette: Palette, reach: float) -> None:
    """Draw one answer: its wave, its interval and its estimate."""
    _text(axes, place, capital(wave_words(text(row, "wave")))[:11], palette.text)
    middle = real(row, "effect_size")
    low, high = real(row, "effect_size_low"), real(row, "effect_size_high")
    if not math.isfinite(middle):
        words = "withheld" if "suppressed" in text(row, "flags") else "no estimate"
        axes.text(0, place, f" {words}", va="center", color=palette.faint, style="italic")
        return
    if math.isfinite(low + high):
        ends = (max(low, -reach), min(high, reach))
        axes.hlines(place, *ends, color=palette.mark, linewidth=2, zorder=2)
        for end, full, mark in ((ends[0], low, "<"), (ends[1], high, ">")):
            if end != full:
                axes.plot(end, place, marker=mark, color=palette.mark, markersize=6, clip_on=False)
    if abs(middle) <= reach:
        axes.plot(middle, place, marker="s", color=palette.mark, markersize=6.5, zorder=3)

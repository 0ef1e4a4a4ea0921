"""Small bars of what the pupils of a world look like, arm by arm."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from matplotlib.figure import Figure

from baseeval.reporting.amounts import counted, plain
from baseeval.reporting.figures import TEXT, WIDTH, house_style, inline_svg
from baseeval.reporting.sheet import Sheet
from baseeval.reporting.world_words import ARM_NAMES
from baseeval.worlds.meeting import Meeting

_PANEL, _BELOW = 1.0, 0.62  # inches: one arm's bars, and what the axis needs

_SUBJECTS = {
    "prior": ("Entry score", "points, before placement", 1.0, "", 0),
    "attendance": ("Attendance", "per cent of sessions, last wave", 100.0, "%", 0),
    "belonging": ("Belonging", "mean item score, last wave", 1.0, "", 1),
}


@dataclass(frozen=True)
class Distribution:
    """A figure of bars by arm, and the numbers in it.

    Attributes
    ----------
    title, drawing : str
        The drawing is an SVG element.
    numbers : Sheet
    """

    title: str
    drawing: str
    numbers: Sheet


def distributions(seen: Meeting) -> list[Distribution]:
    """Draw what a meeting counted.

    Parameters
    ----------
    seen : Meeting

    Returns
    -------
    list of Distribution
        Entry score, attendance, belonging.
    """
    return [_distribution(seen, name) for name in _SUBJECTS]


def _distribution(seen: Meeting, name: str) -> Distribution:
    title, unit, factor, sign, decimals = _SUBJECTS[name]
    edges = [float(edge) * factor for edge in seen.edges[name]]
    totals = [float(row.sum()) for row in seen.counts[name]]
    shares = [
        [float(count) / total if total else 0.0 for count in row]
        for row, total in zip(seen.counts[name], totals, strict=True)
    ]
    heads = [f"{ARM_NAMES[arm]}" for arm in ARM_NAMES]
    rows = [
        (
            f"{plain(low, decimals)}{sign} to {plain(high, decimals)}{sign}",
            *(f"{plain(100 * share[bar], 1)}%" if any(share) else "–" for share in shares),
        )
        for bar, (low, high) in enumerate(pairwise(edges))
    ]
    rows.append(("Pupils", *(counted(int(total)) for total in totals)))
    sheet = Sheet(
        f"{title}: share of each arm’s pupils", (unit, *heads), tuple(rows), frozenset({1, 2, 3})
    )
    return Distribution(title, _bars(f"world-{name}", title, unit, edges, shares), sheet)


def _bars(name: str, title: str, unit: str, edges: list[float], shares: list[list[float]]) -> str:
    height = _PANEL * len(shares) + _BELOW
    widths = [high - low for low, high in pairwise(edges)]
    # A wide bar holds more pupils than a narrow one: areas are compared, not heights.
    tops = [[s / w for s, w in zip(share, widths, strict=True)] for share in shares]
    most = max((top for row in tops for top in row), default=0.0) or 1.0
    with house_style(name) as palette:
        figure = Figure(figsize=(WIDTH, height))
        for at, (arm, row) in enumerate(zip(ARM_NAMES.values(), tops, strict=True)):
            bottom = (_BELOW + _PANEL * (len(tops) - 1 - at)) / height
            axes = figure.add_axes((0.03, bottom, 0.94, 0.62 * _PANEL / height))
            axes.bar(edges[:-1], row, widths, align="edge", color=palette.mark, edgecolor="white")
            axes.set_xlim(edges[0], edges[-1])
            axes.set_ylim(0, most)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_title(arm, loc="left", fontsize=TEXT, color=palette.text, pad=4)
            if at < len(tops) - 1:
                axes.set_xticklabels([])
            else:
                axes.set_xlabel(f"{title}: {unit}", labelpad=5)
        alternative = (
            f"{title} ({unit}) of the pupils of each arm, as bars of equal area a pupil. The table "
            "below the figure holds the same numbers."
        )
        return inline_svg(figure, name, alternative)

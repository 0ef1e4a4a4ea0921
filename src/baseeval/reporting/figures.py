"""Drawings become SVG that can stand inside a page: same drawing, same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib import rc_context, rcParams
from matplotlib import style as styles
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 4.7  # inches
TEXT = 11.5  # points of that width: 11 pixels and more where the page is 360 wide
MARGIN_BELOW = 0.62
MARGIN_ABOVE = 0.12


@dataclass(frozen=True, slots=True)
class Palette:
    """The Analysis Function's colours, by what they mean here."""

    mark: str
    faint: str
    band: str
    text: str


@contextmanager
def house_style(name: str) -> Iterator[Palette]:
    """Draw in the Analysis Function's style, with text as text and ids that depend on the name.

    Parameters
    ----------
    name : str
        The figure's id within its page.
    """
    settings: Any = {  # matplotlib types its keys one by one
        "text.parse_math": False,
        "font.family": "DejaVu Sans",  # ships with matplotlib; the page's own font replaces it
        "font.size": TEXT,
        "xtick.labelsize": TEXT,
        "axes.labelsize": TEXT,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "axes.grid": False,
    }
    with styles.context("afcharts.afcharts"), rc_context(settings):
        colours = rcParams["axes.prop_cycle"].by_key()["color"]
        yield Palette(mark=colours[0], faint="#595959", band="#E3E6EA", text="#0B0C0C")


def canvas(
    rows: float, row_height: float, left: float = 0.08, below: float = MARGIN_BELOW
) -> tuple[Figure, Axes]:
    """Open a figure whose height follows its rows, with axes of one unit a row, the first on top.

    Parameters
    ----------
    rows : float
        Units of the vertical axis.
    row_height : float
        Inches a unit.
    left : float
        Inches kept free on the left.
    below : float
        Inches kept free for the axis and what it is called.
    """
    height = rows * row_height + below + MARGIN_ABOVE
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes(
        (
            left / WIDTH,
            below / height,
            1 - (left + 0.15) / WIDTH,
            1 - (below + MARGIN_ABOVE) / height,
        )
    )
    axes.set_ylim(rows, 0)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    return figure, axes


def inline_svg(figure: Figure, name: str, alternative: str) -> str:
    """Return the figure as an SVG element for a page, with ids of its own and no address in it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        The figure's id within its page; it begins every id inside.
    alternative : str
        What the figure shows, for those who do not see it.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    drawing = stream.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for clutter in (r"<metadata>.*?</metadata>", r"<style[^>]*>.*?</style>", r"<!--.*?-->"):
        drawing = re.sub(clutter, "", drawing, flags=re.DOTALL)
    view = re.search(r'viewBox="([^"]*)"', drawing)
    opening = (
        f'<svg id="{name}" class="plot" viewBox="{view.group(1) if view else ""}" '
        f'role="img" aria-label="{escape(alternative, quote=True)}">'
    )
    drawing = re.sub(r"<svg[^>]*>", lambda _: opening, drawing, count=1)
    head, body = drawing[: len(opening)], drawing[len(opening) :]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    return head + re.sub(r"\n\s*\n", "\n", body).strip()

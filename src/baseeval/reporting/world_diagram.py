"""The causal diagram of a world as SVG: its layout is fixed, its arrows follow the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from baseeval.reporting.world_words import CAUSES, OUTCOMES
from baseeval.worlds.arrows import UNSEEN, Arrow

WIDTH, HEIGHT, NARROW = 450, 40, 90  # units of the drawing; a box's height and width
_TOP = 468  # where the second part begins
_ROW = 44
_BOX, _BOX_WIDTH = 330, 116  # the outcomes' box


@dataclass(frozen=True)
class _Place:
    """Centre of a box of the first part, and the lines of its words."""

    x: float
    y: float
    lines: tuple[str, ...]


_PLACES = {
    "quality": _Place(50, 50, ("School", "quality")),
    "intake": _Place(165, 50, ("School", "intake")),
    "severity": _Place(352, 50, ("Severity",)),
    "fsm": _Place(150, 130, ("FSM",)),
    "need": _Place(256, 130, ("Need",)),
    "ehcp": _Place(368, 130, ("EHC plan",)),
    "push": _Place(146, 216, ("Family", "seeks a base")),
    "prior": _Place(252, 216, ("Entry", "score")),
    "named": _Place(376, 230, ("Plan names", "a base")),
    "hosting": _Place(50, 300, ("School", "hosts a base")),
    "journey": _Place(376, 330, ("Journey",)),
    "primary": _Place(50, 404, ("Primary", "school")),
    "placement": _Place(262, 404, ("Place in", "the base")),
}

#: From where to where each arrow runs, by way of the two control points of a curve.
_PATHS = {
    ("quality", "hosting"): "M50,70 L50,278",
    ("intake", "hosting"): "M126,70 C84,110 72,200 62,278",
    ("primary", "hosting"): "M50,384 L50,322",
    ("intake", "fsm"): "M161,70 L154,108",
    ("severity", "need"): "M324,70 L282,108",
    ("severity", "ehcp"): "M356,70 L364,108",
    ("intake", "prior"): "M184,70 C206,110 206,160 226,194",
    ("fsm", "prior"): "M176,150 L220,194",
    ("severity", "prior"): "M340,70 C316,130 312,160 284,194",
    ("need", "prior"): "M255,150 L253,194",
    ("fsm", "push"): "M149,150 L147,194",
    ("push", "hosting"): "M110,236 L80,278",
    ("ehcp", "named"): "M370,150 L374,208",
    ("severity", "named"): "M394,62 C434,96 434,170 408,208",
    ("named", "placement"): "M352,250 L294,382",
    ("prior", "placement"): "M252,236 L258,382",
    ("ehcp", "placement"): "M344,150 C316,230 304,310 284,382",
    ("need", "placement"): "M292,150 C324,210 308,300 276,382",
    ("severity", "placement"): "M394,50 C456,120 458,400 310,406",
    ("journey", "placement"): "M346,350 L304,386",
    ("push", "placement"): "M160,236 L240,382",
    ("hosting", "placement"): "M96,314 L214,392",
}

#: The causes of outcomes, from top to bottom, in the second part.
_STACK = (
    *("female", "fsm", "need", "ehcp", "prior", "severity", "quality", "hosting", "crowding"),
    *("placement", "base_quality", "dose", "teacher_support", "peer_support"),
)


def causal_diagram(found: Iterable[Arrow], name: str) -> str:
    """Draw the arrows of a world.

    Parameters
    ----------
    found : iterable of Arrow
        From :func:`baseeval.worlds.arrows.arrows`.
    name : str
        The figure's id within its page.

    Returns
    -------
    str
        An SVG element, with every arrow in its text alternative. Dashes mark what no table shows.
    """
    drawn = list(found)
    placing = [arrow for arrow in drawn if (arrow.cause, arrow.effect) in _PATHS]
    moving = [arrow for arrow in drawn if arrow.effect in OUTCOMES]
    reached = {
        cause: [arrow.effect for arrow in moving if arrow.cause == cause]
        for cause in _STACK
        if any(arrow.cause == cause for arrow in moving)
    }
    outcomes = [each for each in OUTCOMES if any(arrow.effect == each for arrow in moving)]
    height = _TOP + 46 + _ROW * max(len(reached), 3)
    parts = [
        f'<svg id="{name}" class="plot diagram" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(alternative(drawn), quote=True)}" font-size="13" fill="#0b0c0c">',
        f'<defs><marker id="{name}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#12436d"/>'
        "</marker></defs>",
        _heading(14, "How pupils come to an arm"),
    ]
    shown = {end for arrow in placing for end in (arrow.cause, arrow.effect)}
    parts += [_line(_PATHS[each.cause, each.effect], each.cause, name) for each in placing]
    parts += [_box(key, place) for key, place in _PLACES.items() if key in shown]
    parts += [_heading(_TOP, "What moves the outcomes")]
    parts += _outcome_box(outcomes, len(reached))
    for row, (cause, effects) in enumerate(reached.items()):
        parts += _row(row, cause, _which(effects, outcomes), name)
    return "\n".join([*parts, "</svg>"])


def alternative(found: Iterable[Arrow]) -> str:
    """Say every arrow of a world in words, causes in the order of the diagram."""
    effects: dict[str, list[str]] = {}
    for arrow in found:
        effects.setdefault(arrow.cause, []).append(_named(arrow.effect))
    told = [f"{CAUSES[cause]}: {', '.join(ends)}" for cause, ends in effects.items()]
    return f"Causal diagram. Each cause, and what it acts on. {'; '.join(told)}."


def _named(effect: str) -> str:
    words = OUTCOMES.get(effect) or CAUSES[effect]
    return words if words.startswith(("FSM", "EHC")) else words[0].lower() + words[1:]


def _which(effects: list[str], outcomes: list[str]) -> str:
    """Say in few words which outcomes an arrow reaches."""
    if len(effects) == len(outcomes):
        return "all"
    if len(effects) > 2:
        return f"{len(effects)} of {len(outcomes)}"
    return ", ".join(_named(effect) for effect in effects)


def _line(path: str, cause: str, name: str) -> str:
    dashes = ' stroke-dasharray="5 4"' if cause in UNSEEN else ""
    return (
        f'<path d="{path}" fill="none" stroke="#12436d" stroke-width="1.4"{dashes} '
        f'marker-end="url(#{name}-head)"/>'
    )


def _box(key: str, place: _Place) -> str:
    size = (NARROW, HEIGHT)
    return _rectangle(place.x - NARROW / 2, place.y, size, place.lines, key in UNSEEN)


def _rectangle(
    left: float, middle: float, size: tuple[float, float], lines: tuple[str, ...], unseen: bool
) -> str:
    width, height = size
    dashes = ' stroke-dasharray="5 4"' if unseen else ""
    words = "".join(
        f'<text x="{left + width / 2:g}" y="{middle + 4.5 + 15 * (at - (len(lines) - 1) / 2):g}" '
        f'text-anchor="middle">{escape(line)}</text>'
        for at, line in enumerate(lines)
    )
    return (
        f'<rect x="{left:g}" y="{middle - height / 2:g}" width="{width:g}" height="{height:g}" '
        f'rx="4" fill="#fff" stroke="#0b0c0c"{dashes}/>{words}'
    )


def _row(row: int, cause: str, which: str, name: str) -> list[str]:
    middle = _TOP + 40 + _ROW * row
    return [
        _line(f"M150,{middle} L{_BOX - 2},{middle}", cause, name),
        _rectangle(8, middle, (142, 32), (CAUSES[cause],), cause in UNSEEN),
        f'<text x="{(150 + _BOX) / 2 - 4:g}" y="{middle - 5}" text-anchor="middle" '
        f'font-size="12">{escape(which)}</text>',
    ]


def _outcome_box(outcomes: list[str], rows: int) -> list[str]:
    height = _ROW * max(rows, 3) - 6
    middle = _TOP + 21 + height / 2
    first = middle - 11 * (len(outcomes) - 1) + 4.5
    words = "".join(
        f'<text x="{_BOX + _BOX_WIDTH / 2:g}" y="{first + 22 * at:g}" text-anchor="middle">'
        f"{escape(OUTCOMES[each])}</text>"
        for at, each in enumerate(outcomes)
    )
    return [
        f'<rect x="{_BOX}" y="{_TOP + 21}" width="{_BOX_WIDTH}" height="{height}" rx="4" '
        f'fill="#f3f2f1" stroke="#0b0c0c"/>{words}'
    ]


def _heading(y: float, words: str) -> str:
    return f'<text x="8" y="{y:g}" font-weight="700" font-size="14">{escape(words)}</text>'

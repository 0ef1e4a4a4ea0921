"""Who counts under which rule, and who moved: tables that compare nothing."""

from __future__ import annotations

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN
from baseeval.reporting.cells import distinct, grouped, records, text
from baseeval.reporting.included import NEED_RULES
from baseeval.reporting.phrasebook import capital, everyday, group, wave_words
from baseeval.reporting.sheet import Sheet, shown


def need_rules(released: Released) -> Sheet:
    """Return who would be in the study under each rule of need."""
    heads = ("The need counts if it is", "Used here", "Pupils", "Schools")
    lines = tuple(
        (
            capital(NEED_RULES[text(row, "rule")]),
            "Yes" if row["used"] else "No",
            shown(row, "pupils"),
            shown(row, "schools"),
        )
        for row in records(released.need_rules)
    )
    return Sheet("Pupils under each rule of need", heads, lines, frozenset({2, 3}))


def movements(released: Released) -> Sheet:
    """Return where pupils of each group were later: groups and waves down, groups then across."""
    rows = records(released.movements)
    ends = distinct(rows, "arm_then")
    lines = []
    for (arm, wave), each in grouped(rows, "arm", "wave").items():
        cells = {text(row, "arm_then"): shown(row, "pupils") for row in each}
        found = (cells.get(end, NOT_SHOWN) for end in ends)
        lines.append((group(arm), capital(wave_words(wave)), *found))
    heads = (
        "Group at the start",
        "Wave",
        *(f"Then: {_lowered(everyday(group(end)))}" for end in ends),
    )
    return Sheet(
        "Pupils by their group at the start and later",
        heads,
        tuple(lines),
        frozenset(range(2, len(heads))),
    )


def moving_words(released: Released) -> str:
    """Say which groups the answers are about."""
    told = "Pupils can gain or lose a base place, or change school."
    if not released.about.contrasts_made:
        return told
    return f"{told} The groups compared are those at the start, whatever came later."


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]

"""Checks before any result, as part of the phrasebook: what was asked, found and missed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.disclosure.released import GateAbout, Released
from baseeval.reporting.alike import design_name
from baseeval.reporting.amounts import number_of, percent, plain
from baseeval.reporting.cells import Row, grouped, real, records, text
from baseeval.reporting.phrasebook import SHORT_CONTRASTS, capital
from baseeval.reporting.sheet import Sheet, absent

#: Rule -> what its number is, in the words of a table.
RULES = {
    "largest_smd": "Largest difference left in what was recorded before (standard deviations)",
    "overlap": "Pupils with nobody like them in the other group",
    "schools_per_arm": "Schools of the group that has fewer",
    "effective_size": "Pupils that the smaller group is worth",
    "smallest_detectable_effect": "Smallest difference that could be found (standard deviations)",
}

_MET = {"yes": "Yes", "no": "No", "not asked": "Not asked"}


@dataclass(frozen=True, slots=True)
class GateFound:
    """What the gate asked, which comparisons failed, and every number.

    Parameters
    ----------
    asked : tuple of str
        One sentence a limit.
    told : str
        How many comparisons met all of them, and what follows.
    failed : tuple of str
        One sentence a comparison that did not.
    numbers : Sheet
    """

    asked: tuple[str, ...]
    told: str
    failed: tuple[str, ...]
    numbers: Sheet


def gate_found(released: Released) -> GateFound | None:
    """Return what the checks before any result found; None where the study asked for none."""
    gate, rows = released.about.gate, records(released.gate)
    if gate is None or not rows:
        return None
    comparisons = grouped(rows, "contrast", "design")
    missed = {
        key: [row for row in each if text(row, "passed") == "no"]
        for key, each in comparisons.items()
    }
    withheld = sum(all(text(row, "status") for row in each) for each in comparisons.values())
    failed = tuple(_missed(each) for each in missed.values() if each)
    return GateFound(
        asked=tuple(_limit(rule, threshold, gate) for rule, threshold in gate.thresholds.items()),
        told=" ".join(
            part
            for part in (
                "Each comparison counts once for each way in which its groups were made alike."
                if len(comparisons) > len({contrast for contrast, *_ in comparisons})
                else "",
                _told(len(comparisons), len(failed), withheld, gate.show_failed),
            )
            if part
        ),
        failed=failed,
        numbers=_numbers([row for row in rows if text(row, "passed") != "not asked"]),
    )


def _limit(rule: str, threshold: float, gate: GateAbout) -> str:
    """Say what a rule asks of a comparison."""
    if rule == "largest_smd":
        return (
            f"The averages of the groups differ by at most {plain(threshold)} standard deviations "
            "in anything recorded before placement."
        )
    if rule == "overlap":
        return (
            f"At most {percent(threshold)} of the pupils whom the answer is about have nobody like "
            "them in the other group."
        )
    if rule == "schools_per_arm":
        schools = number_of(math.ceil(threshold), "school", "schools")
        return f"Each group has pupils in at least {schools}."
    if rule == "effective_size":
        return f"Each group is worth at least {plain(threshold, 0)} pupils who all count the same."
    return (
        f"A true difference of {plain(threshold)} standard deviations would be found in "
        f"{percent(gate.power)} of such studies, taking it that {percent(gate.icc)} of what sets "
        "pupils’ results apart lies between schools."
    )


def _told(comparisons: int, failed: int, withheld: int, shows: bool) -> str:
    """Say how many comparisons met the limits, and what became of the others."""
    known = comparisons - withheld
    hidden = (
        f" For {number_of(withheld, 'comparison', 'comparisons')} this is withheld, so that no "
        "pupil or school can be recognised."
        if withheld
        else ""
    )
    if not known:
        return hidden.strip()
    if not failed:
        met = "The one comparison met" if known == 1 else f"All {known} comparisons met"
        return f"{met} every limit.{hidden}"
    follows = (
        "The study said beforehand that their numbers are shown all the same. None of them is "
        "taken as an answer."
        if shows
        else "For these the report says how many pupils there are, and no difference."
    )
    return f"{failed} of {known} comparisons did not meet every limit. {follows}{hidden}"


def _missed(rows: list[Row]) -> str:
    """Say which limits a comparison missed, and by how much."""
    parts = [
        f"{RULES[text(row, 'rule')].lower()}: {_found(row)} (limit {_threshold(row)})"
        for row in rows
    ]
    contrast, design = text(rows[0], "contrast"), text(rows[0], "design")
    name = f"{SHORT_CONTRASTS.get(contrast, contrast)} ({design_name(design).lower()})"
    return f"{capital(name)}. {capital('; '.join(parts))}."


def _numbers(rows: list[Row]) -> Sheet:
    heads = ("Comparison", "Made alike by", "What was checked", "Limit", "Found", "Met")
    lines = tuple(
        (
            SHORT_CONTRASTS.get(text(row, "contrast"), text(row, "contrast")),
            design_name(text(row, "design")),
            RULES[text(row, "rule")],
            _threshold(row),
            _found(row),
            _MET.get(text(row, "passed"), absent(row)),
        )
        for row in rows
    )
    return Sheet("Every check of every comparison", heads, lines, frozenset({3, 4}))


def _threshold(row: Row) -> str:
    bound = "at least" if text(row, "rule") in ("schools_per_arm", "effective_size") else "at most"
    return f"{bound} {_written(text(row, 'rule'), real(row, 'threshold'))}"


def _found(row: Row) -> str:
    value = real(row, "value")
    if math.isinf(value):
        return "none could be found" if "effect" in text(row, "rule") else "beyond any limit"
    if text(row, "status"):
        return absent(row)
    return "could not be worked out" if math.isnan(value) else _written(text(row, "rule"), value)


def _written(rule: str, value: float) -> str:
    if rule == "overlap":
        return percent(value)
    return plain(value, 0 if rule in ("schools_per_arm", "effective_size") else 2)

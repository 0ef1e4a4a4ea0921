"""An answer in a few words: part of the phrasebook."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.reporting.cells import Row, codes, real, text


@dataclass(frozen=True, slots=True)
class Tag:
    """An answer in a few words, with a tone and a mark so that colour never speaks alone."""

    words: str
    tone: str
    mark: str


#: Contrast -> where a higher or lower value was found.
PLACES = {
    "base_vs_host": "with a base place",
    "base_vs_non_host": "with a base place",
    "host_vs_non_host": "at schools with a base",
}

TOO_CLOSE = Tag("Too close to matter", "close", "≈")
CANNOT_TELL = Tag("Cannot tell", "unknown", "?")
DIFFERENT = Tag("Different", "different", "≠")
WITHHELD = Tag("Withheld", "unknown", "–")
NOT_COMPARED = Tag("Not recorded in both", "unknown", "–")
NOT_ASKED = Tag("Not asked", "unknown", "–")


def tag_of(row: Row, better: str) -> Tag:
    """Return the answer in a few words."""
    verdict = text(row, "verdict")
    if not verdict or ("suppressed" in codes(row) and math.isnan(real(row, "estimate"))):
        return WITHHELD
    if verdict == "no_meaningful_difference":
        return TOO_CLOSE
    if verdict == "cannot_tell":
        return CANNOT_TELL
    if verdict == "differs" or better == "neither":
        return DIFFERENT
    first_is_better = verdict == "favours_first"
    higher = first_is_better == (better == "higher")
    words = f"{'Higher' if higher else 'Lower'} {PLACES[text(row, 'contrast')]}"
    return Tag(words, "good" if first_is_better else "poor", "▲" if higher else "▼")

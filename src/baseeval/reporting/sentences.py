"""One row of the results becomes one answer: the same row, always the same sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.disclosure.released import OutcomeAbout
from baseeval.reporting.amounts import interval, interval_in, number_of, scale_of, size, span
from baseeval.reporting.cautions import caution
from baseeval.reporting.cells import Row, codes, real, text, whole
from baseeval.reporting.headlines import form_words
from baseeval.reporting.phrasebook import (
    GENERALISES,
    SIDES,
    capital,
    label_of,
    wave_words,
)
from baseeval.reporting.tags import CANNOT_TELL, DIFFERENT, TOO_CLOSE, WITHHELD, Tag, tag_of

SURE = 0.05  # the verdict asks for an adjusted p-value below it


@dataclass(frozen=True, slots=True)
class Answer:
    """What a row says, in the parts that a page lays out and a sentence joins."""

    tag: Tag
    finding: str
    reach: str
    cautions: tuple[str, ...]
    numbers: str
    wave: str
    contrast: str


def sentence(row: Row, outcome: OutcomeAbout) -> str:
    """Say a row in words, from the finding to its cautions."""
    said = answer(row, outcome)
    return " ".join(part for part in (said.finding, said.reach, *said.cautions) if part)


def answer(row: Row, outcome: OutcomeAbout) -> Answer:
    """Say a row of the results in words.

    Parameters
    ----------
    row : mapping
        One row of the results table.
    outcome : OutcomeAbout
        The outcome of that row.
    """
    tag = tag_of(row, outcome.better)
    withheld = tag is WITHHELD
    return Answer(
        tag=tag,
        finding=_finding(row, outcome, tag),
        reach="" if withheld else _reach(row),
        cautions=() if withheld else tuple(caution(flag) for flag in codes(row)),
        numbers="" if withheld else numbers(row),
        wave=capital(wave_words(text(row, "wave"))),
        contrast=text(row, "contrast"),
    )


def numbers(row: Row) -> str:
    """Write the row's estimate, and its effect size, with their intervals."""
    unit = text(row, "unit")
    raw = [real(row, name) for name in ("estimate", "ci_low", "ci_high")]
    if math.isnan(raw[0]):
        return ""
    words = f"{interval_in(unit, *raw)} {scale_of(unit).word}".strip()
    sizes = [real(row, f"effect_size{end}") for end in ("", "_low", "_high")]
    return words if math.isnan(sizes[0]) else f"{words}; effect size {interval(*sizes)}"


def _finding(row: Row, outcome: OutcomeAbout, tag: Tag) -> str:
    """Say what was found, and how far the data leave it open."""
    contrast = text(row, "contrast")
    first, second = SIDES[contrast]
    if not {"nothing_adjusted", "imbalance"} & set(codes(row)):
        second = f"similar {second}"
    subject, unit = _subject(row, outcome), text(row, "unit")
    estimate, low, high = (real(row, name) for name in ("estimate", "ci_low", "ci_high"))
    fits = f"Differences {span(low, high, unit)} fit the data." if math.isfinite(low + high) else ""
    if tag is WITHHELD:
        return (
            f"{subject}: the comparison of {first} with {second} is withheld, "
            "so that no pupil or school can be recognised."
        )
    if tag is TOO_CLOSE:
        close = f"{subject} was much the same for {first} as for {second}: "
        limit = real(row, "smallest_effect")
        bound = f" ({interval(limit, math.nan, math.nan)} standard deviations)" if limit > 0 else ""
        close += f"any difference is smaller than the study set beforehand as mattering{bound}."
        return f"{close} {fits}".strip()
    if tag is CANNOT_TELL:
        told = f"{subject}: these data cannot tell whether {first} and {second} differ."
        return f"{_cannot_tell(told, row)} {fits}".strip()
    way = "higher" if estimate > 0 else "lower"
    told = f"{subject} was {way} for {first} than for {second}, by {size(estimate, unit)}."
    if tag is DIFFERENT:
        told += " The study calls neither direction better."
    return f"{told} {fits}".strip()


def _cannot_tell(told: str, row: Row) -> str:
    """Add why the data leave it open, which is not the same as no difference."""
    low, high = real(row, "ci_low"), real(row, "ci_high")
    if "gate_failed" in codes(row):
        why = "It did not meet what the study asked of a comparison before any result was read"
        shown = "the numbers are shown because the study said so beforehand"
        return f"{told} {why}{f'; {shown}' if math.isfinite(real(row, 'estimate')) else ''}."
    if not math.isfinite(low + high):
        return f"{told} No trustworthy range could be worked out."
    if low <= 0 <= high:
        return f"{told} That is not the same as no difference."
    if "conservative" in codes(row):
        return f"{told} So few schools could not show a difference more surely than this."
    if real(row, "p_adjusted") >= SURE:
        return f"{told} Among this many questions, one such difference could arise by chance."
    return f"{told} The comparison did not pass the checks that a firm answer needs."


def _subject(row: Row, outcome: OutcomeAbout) -> str:
    """Name what was measured, when and in which form."""
    wave = wave_words(text(row, "wave"))
    form = form_words(text(row, "form"), [row])
    name = _counted_as(label_of(outcome.name, outcome.label), outcome.kind)
    return name + (f" at {wave}" if wave else "") + (f" ({form})" if form else "")


def _counted_as(name: str, kind: str) -> str:
    """Say what of an outcome is higher or lower: of a yes or no its share, of a count its number.

    Examples
    --------
    >>> _counted_as("Left the base", "binary"), _counted_as("Suspensions", "count")
    ('The share counted under “Left the base”', 'The number of suspensions')
    """
    if kind == "binary":
        return f"The share counted under “{name}”"
    if kind == "count" and not name.lower().startswith("number"):
        # A capital that begins an abbreviation stays.
        small = name if name[1:2].isupper() else name[:1].lower() + name[1:]
        return f"The number of {small}"
    return name


def _reach(row: Row) -> str:
    """Say for how many pupils, in how many schools, the answer holds."""
    contrast = text(row, "contrast")
    n_first, n_second = whole(row, "n_first"), whole(row, "n_second")
    s_first, s_second = whole(row, "schools_first"), whole(row, "schools_second")
    if not n_first and not n_second:
        return ""
    first, second = SIDES[contrast]
    of_first = number_of(n_first, "pupil", "pupils") + first.removeprefix("pupils")
    of_second = number_of(n_second, "pupil", "pupils") + second.removeprefix("pupils")
    told = (
        f"This is for {of_first} (in {number_of(s_first, 'school', 'schools')}), set beside "
        f"{of_second} (in {number_of(s_second, 'school', 'schools')})."
    )
    if "low_df" in codes(row):
        return told
    return f"{told} {GENERALISES.get(text(row, 'generalises_to'), '')}".strip()

"""What we found: each outcome's answers, and all of them at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from baseeval.disclosure.released import OutcomeAbout, Released
from baseeval.reporting.amounts import interval, number_of
from baseeval.reporting.cells import Row, grouped, real, text
from baseeval.reporting.forest import forest_plot, is_cut
from baseeval.reporting.headlines import about_outcome, headline_rows, outcome_title
from baseeval.reporting.phrasebook import (
    ANSWERED_BY,
    SHORT_CONTRASTS,
    capital,
    contrast_title,
    wave_words,
)
from baseeval.reporting.sentences import Answer, answer
from baseeval.reporting.sheet import Sheet, absent
from baseeval.reporting.tags import NOT_ASKED, NOT_COMPARED, WITHHELD, Tag, tag_of
from baseeval.results import CONTRASTS


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contrast of an outcome: the cautions of all its answers, then each wave's answer."""

    title: str
    cautions: tuple[str, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome in one form: its answers, their figure and the figure's numbers."""

    title: str
    note: str
    comparisons: tuple[Comparison, ...]
    figure: str
    is_cut: bool
    has_band: bool
    numbers: Sheet


def findings(released: Released) -> tuple[Finding, ...]:
    """Return each outcome's answers, sentence by sentence, with a forest plot."""
    found: list[Finding] = []
    for (name, form), rows in grouped(headline_rows(released), "outcome", "form").items():
        outcome = about_outcome(released, name)
        title = outcome_title(released, name, form)
        comparisons = tuple(
            _comparison(contrast, [answer(row, outcome) for row in each])
            for (contrast,), each in grouped(rows, "contrast").items()
        )
        figure = forest_plot(rows, f"forest-{len(found) + 1}", title)
        numbers = _numbers(rows, title)
        band = outcome.smallest_effect is not None
        found.append(
            Finding(title, _note(outcome), comparisons, figure, is_cut(rows), band, numbers)
        )
    return tuple(found)


def glance(released: Released) -> Sheet:
    """Return every answer as a tag: outcomes and waves down, contrasts across."""
    rows = headline_rows(released, ("outcome", "form", "wave"))
    contrasts = [name for name in CONTRASTS if any(text(row, "contrast") == name for row in rows)]
    lines: dict[str, dict[str, Tag]] = {}
    for row in rows:
        outcome = about_outcome(released, text(row, "outcome"))
        wave = wave_words(text(row, "wave")).replace(" ", "\u00a0")
        title = outcome_title(released, outcome.name, text(row, "form"))
        title += f", {wave}" if wave else ""
        asked = outcome.contrasts or tuple(contrasts)
        beside = {name: NOT_ASKED for name in contrasts if name not in asked}
        lines.setdefault(title, beside)[text(row, "contrast")] = tag_of(row, outcome.better)
    return Sheet(
        "Each answer in a few words",
        ("Outcome", *(SHORT_CONTRASTS[name] for name in contrasts)),
        tuple(
            (title, *(tags.get(name, NOT_COMPARED) for name in contrasts))
            for title, tags in lines.items()
        ),
    )


def tally(sheet: Sheet) -> str:
    """Count the answers at a glance, such as `Cannot tell: 4.`, the commonest first."""
    tags = [cell for row in sheet.rows for cell in row if isinstance(cell, Tag)]
    counts = Counter(tag.words for tag in tags if tag not in (NOT_COMPARED, NOT_ASKED))
    told = " ".join(f"{words}: {count}." for words, count in counts.most_common())
    return f"This study asked for {number_of(counts.total(), 'answer', 'answers')}. {told}"


def _comparison(contrast: str, answers: list[Answer]) -> Comparison:
    """Say once the cautions that every answer given carries."""
    given = [each.cautions for each in answers if each.tag is not WITHHELD]
    shared = tuple(
        one for one in (given or [()])[0] if len(given) > 1 and all(one in each for each in given)
    )
    kept = tuple(
        replace(each, cautions=tuple(one for one in each.cautions if one not in shared))
        for each in answers
    )
    return Comparison(contrast_title(contrast), shared, kept)


def _note(outcome: OutcomeAbout) -> str:
    """Say how an outcome is measured and which way is better."""
    way = {"higher": "Higher is better.", "lower": "Lower is better."}.get(
        outcome.better, "Neither higher nor lower is called better."
    )
    by = ANSWERED_BY.get(outcome.respondent, "")
    return " ".join(part for part in (outcome.note, by, way) if part)


def _numbers(rows: list[Row], title: str) -> Sheet:
    """Return the numbers that a forest plot draws."""
    lines = []
    for row in rows:
        sizes = [real(row, f"effect_size{end}") for end in ("", "_low", "_high")]
        words = interval(*sizes) if sizes[0] == sizes[0] else absent(row)
        wave = capital(wave_words(text(row, "wave"))) or "Once"
        lines.append((SHORT_CONTRASTS[text(row, "contrast")], wave, words))
    heads = ("Comparison", "Wave", "Effect size (95% interval)")
    return Sheet(f"{title}: the numbers in the figure", heads, tuple(lines), frozenset({2}))

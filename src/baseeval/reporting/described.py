"""What happened, who was counted and what is missing: tables that compare nothing."""

from __future__ import annotations

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import (
    NOT_SHOWN,
    decimals_for,
    difference_words,
    level_words,
    percent,
    plain,
    scale_of,
)
from baseeval.reporting.cells import Row, distinct, grouped, real, records, text, whole
from baseeval.reporting.headlines import about_outcome, outcome_title
from baseeval.reporting.phrasebook import capital, everyday, group, label_of, wave_words
from baseeval.reporting.sheet import Sheet, absent, shown
from baseeval.results import ARMS


def descriptions(released: Released) -> tuple[Sheet, ...]:
    """Return the outcomes as they were, by group and wave; one table where there is one group."""
    rows = records(released.descriptions)
    if len(distinct(rows, "arm")) <= 1:
        return (_together(released, rows),) if rows else ()
    sheets = []
    for (name, form), lines in grouped(rows, "outcome", "form").items():
        has_waves = any(text(row, "wave") for row in lines)
        title = outcome_title(released, name, form)
        unit = (level_words if form == "level" else difference_words)(text(lines[0], "unit"))
        heads = ("Group", *(("Wave",) if has_waves else ()), *_heads("Pupils"))
        sheets.append(
            Sheet(
                f"{title}, in {unit}" if unit else title,
                heads,
                tuple(
                    (group(text(row, "arm")), *((_wave(row),) if has_waves else ()), *_middle(row))
                    for row in lines
                ),
                frozenset(range(1 + has_waves, len(heads))),
            )
        )
    return tuple(sheets)


def flow(released: Released) -> Sheet:
    """Return who was counted at each step: steps down, groups across."""
    rows = records(released.flow)
    present = distinct(rows, "arm")
    arms = [arm for arm in ARMS if arm in present]
    arms = [arm for arm in present if arm not in ARMS] + arms
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        told = f"{shown(row, 'pupils')} in {shown(row, 'schools')} schools"
        told = (
            absent(row) if whole(row, "pupils") is None else told.replace(" 1 schools", " 1 school")
        )
        lines.setdefault((text(row, "step"), text(row, "reason")), {})[text(row, "arm")] = told
    return Sheet(
        "Pupils and schools at each step",
        ("Step", "Reason", *(group(arm) for arm in arms)),
        tuple(
            (
                label_of(everyday(step)),
                capital(everyday(reason)) or NOT_SHOWN,
                *(cells.get(arm, NOT_SHOWN) for arm in arms),
            )
            for (step, reason), cells in lines.items()
        ),
    )


def withheld_counts(released: Released) -> int:
    """Return how many lines of missing values may not be stated: few pupils, or none."""
    return sum(whole(row, "missing") is None for row in records(released.missing))


def missingness(released: Released) -> Sheet:
    """Return every value that a stated number of pupils lack, with the reason."""
    rows = [row for row in records(released.missing) if whole(row, "missing")]
    heads = ("What", "Wave", "Group", "Pupils", "Without a value", "Share", "Reason")
    return Sheet(
        "Values that are missing",
        heads,
        tuple(
            (
                _value_name(released, row),
                _wave(row),
                group(text(row, "arm")),
                shown(row, "pupils"),
                shown(row, "missing"),
                _share(row),
                capital(everyday(text(row, "reason"))) or NOT_SHOWN,
            )
            for row in rows
        ),
        frozenset({3, 4, 5}),
    )


def _together(released: Released, rows: list[Row]) -> Sheet:
    """Return one table of all outcomes, for a study that tells no groups apart."""
    lines = []
    for row in rows:
        title = outcome_title(released, text(row, "outcome"), text(row, "form"))
        wave = wave_words(text(row, "wave"))
        lines.append((title + (f", {wave}" if wave else ""), *_middle(row)))
    heads = ("Outcome", *_heads("Rows"))
    return Sheet("Each outcome, described", heads, tuple(lines), frozenset(range(1, len(heads))))


def _heads(counted: str) -> tuple[str, ...]:
    return (counted, "Schools", "Average", "Spread (SD)", "Middle half")


def _middle(row: Row) -> tuple[str, ...]:
    """Return the counts, average, spread and middle half of a group."""
    factor = scale_of(text(row, "unit")).factor
    mean, spread, low, high = (factor * real(row, name) for name in ("mean", "sd", "p25", "p75"))
    decimals = decimals_for(mean, spread, low, high)
    numbers = [plain(value, decimals) for value in (mean, spread)]
    numbers.append(
        f"{plain(low, decimals)} to {plain(high, decimals)}" if low == low else NOT_SHOWN
    )
    numbers = [absent(row) if words == NOT_SHOWN else words for words in numbers]
    return (shown(row, "pupils"), shown(row, "schools"), *numbers)


def _wave(row: Row) -> str:
    return capital(wave_words(text(row, "wave"))) or NOT_SHOWN


def _share(row: Row) -> str:
    """Return the share of pupils without a value."""
    pupils = real(row, "pupils")
    words = percent(real(row, "missing") / pupils) if pupils > 0 else NOT_SHOWN
    return absent(row) if words == NOT_SHOWN else words


def _value_name(released: Released, row: Row) -> str:
    """Name an outcome or covariate."""
    outcome = about_outcome(released, text(row, "name"))
    return label_of(outcome.name, outcome.label)

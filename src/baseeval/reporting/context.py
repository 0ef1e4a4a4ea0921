"""Published figures: they show what is usual, and say nothing of an effect."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.contracts.vocabulary import NEEDS, PHASES, SEN_PROVISIONS
from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN
from baseeval.reporting.cells import Row, real, records, text, whole
from baseeval.reporting.phrasebook import capital, school_year, spelled, spelled_date
from baseeval.reporting.sheet import Sheet

_MOST = 8  # rows on the page: the others are in the csv
_GROUPS = {"need": NEEDS, "sen_provision": SEN_PROVISIONS, "phase": PHASES}


@dataclass(frozen=True, slots=True)
class Context:
    """The first of the published figures, and where the others are."""

    figures: Sheet
    more: str


def context(released: Released) -> Context | None:
    """Return published figures with their source and date; None where the study names none."""
    rows = records(released.benchmarks)
    if not rows:
        return None
    heads = ("What", "Published figure", "Pupils whom it is about", "Place", "Year", "Source")
    left = len(rows) - _MOST
    sheet = Sheet(
        "Published by others: not an effect",
        heads,
        tuple(map(_line, rows[:_MOST])),
        frozenset({1}),
    )
    return Context(sheet, f"{left} more are in benchmarks.csv." if left > 0 else "")


def _line(row: Row) -> tuple[str, ...]:
    year = whole(row, "year")
    return (
        f"{capital(spelled(text(row, 'measure')))} ({text(row, 'unit')})",
        _value(row),
        _whom(row),
        text(row, "geography"),
        NOT_SHOWN if year is None else school_year(year),
        f"{text(row, 'source')}, published {spelled_date(text(row, 'published'))}",
    )


def _value(row: Row) -> str:
    """Write a figure as it was published: not rounded further."""
    value = real(row, "value")
    if value != value:
        return f"not given ({text(row, 'reason') or 'no reason'})"
    return f"{value:,.12g}".replace("-", "−")


def _whom(row: Row) -> str:
    parts = [labels.get(text(row, name), text(row, name)) for name, labels in _GROUPS.items()]
    return capital("; ".join(part for part in parts if part)) or "All"

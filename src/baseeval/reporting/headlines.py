"""The rows that answer a study's questions, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence

from baseeval.disclosure.released import OutcomeAbout, Released
from baseeval.reporting.cells import Row, codes, records, text
from baseeval.reporting.phrasebook import FORMS, label_of
from baseeval.results import CONTRASTS

READING_ORDER = ("outcome", "form", "contrast", "wave")


def headline_rows(released: Released, order: Sequence[str] = READING_ORDER) -> list[Row]:
    """Return the headline rows of all pupils, sorted as the plan lists things.

    Parameters
    ----------
    released : Released
    order : sequence of str
        The columns to sort by, of `outcome, form, contrast, wave`.
    """
    about = released.about
    known = {
        "outcome": [outcome.name for outcome in about.outcomes],
        "form": list(FORMS),
        "contrast": list(CONTRASTS),
        "wave": list(about.waves),
    }

    def place(row: Row, name: str) -> tuple[int, str]:
        value = text(row, name)
        return (known[name].index(value) if value in known[name] else len(known[name]), value)

    rows = [
        row
        for row in records(released.results)
        if row["headline"] is True
        and all(text(row, name) in ("", "all") for name in ("subgroup", "population"))
        and text(row, "variant") in ("", "main")
    ]
    return sorted(rows, key=lambda row: [place(row, name) for name in order])


def about_outcome(released: Released, name: str) -> OutcomeAbout:
    """Return what is known of an outcome; a bare name where the study says nothing."""
    known = {outcome.name: outcome for outcome in released.about.outcomes}
    return known.get(name, OutcomeAbout(name=name, label=name, kind="", better="neither", unit=""))


def outcome_title(released: Released, name: str, form: str) -> str:
    """Name an outcome in the form in which it was looked at."""
    outcome, rows = about_outcome(released, name), records(released.results)
    words = form_words(form, [r for r in rows if (r["outcome"], r["form"]) == (name, form)])
    return label_of(outcome.name, outcome.label) + (f": {words}" if words else "")


def form_words(form: str, rows: Sequence[Row]) -> str:
    """Name a form; where pupils were placed already, a change has no measurement before it."""
    while_placed = {"no_pre_placement_baseline" in codes(row) for row in rows}
    if form != "change" or True not in while_placed:
        return FORMS.get(form, form)
    return "change" if False in while_placed else "change while placed"

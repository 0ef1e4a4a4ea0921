"""Who answered a questionnaire, who could not be asked, and how the questions were put."""

from __future__ import annotations

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN, counted, percent
from baseeval.reporting.cells import Row, distinct, grouped, real, records, text, whole
from baseeval.reporting.phrasebook import capital, group, spelled, wave_words
from baseeval.reporting.sheet import Sheet, shown
from baseeval.reporting.tags import WITHHELD
from baseeval.results import ARMS

_WHOLE = "all"
_NOT_RECORDED = "not recorded"
_ABOUT_THEM = "What follows is about those who answered."
_NOBODY_TELLS = "It is not recorded who could not be asked, nor who did not wish to answer."
_PARTS = (
    ("could_not_be_asked", "could not be asked in any way that was offered"),
    ("declined", "did not wish to answer"),
)
_MODES = {
    "standard": "The questionnaire as it stands",
    "adapted": "Made easier, or read aloud",
    "symbols": "With symbols or pictures",
    "interview": "In talk or signs",
    "other": "Another way",
    "several": "More than one way",
    "not recorded": "Not recorded",
    "other modes": "Any other way",
}


def completion_words(released: Released, outcome: str) -> tuple[str, ...]:
    """Say of each group how many answered and how many could not be asked.

    Parameters
    ----------
    released : Released
    outcome : str

    Returns
    -------
    tuple of str
        Sentences; none where nothing is known of who answered.
    """
    rows = _rows(released, outcome)
    every = [row for row in rows if text(row, "need") == _WHOLE]
    if not every:
        return ()
    waves = len(distinct(every, "wave")) > 1
    told = [_told(row, waves) for row in every]
    if any(_NOT_RECORDED in text(row, "status") for row in every):
        told.append(_NOBODY_TELLS)
    return (*told, _ABOUT_THEM)


def completion_sheet(released: Released, outcome: str) -> Sheet:
    """Return who answered, by group, wave and need."""
    rows = _rows(released, outcome)
    has_waves, has_needs = (len(distinct(rows, name)) > 1 for name in ("wave", "need"))
    lines = tuple(
        (
            group(text(row, "arm")),
            *((capital(wave_words(text(row, "wave"))),) if has_waves else ()),
            *((_need(text(row, "need")),) if has_needs else ()),
            *(_cell(row, name) for name in ("pupils", "answered", *dict(_PARTS), "other")),
        )
        for row in rows
    )
    heads = ("Group", *(("Wave",) if has_waves else ()), *(("Need",) if has_needs else ()))
    counts = ("Pupils", "Answered", "Could not be asked", "Declined", "Other")
    first = len(heads)
    return Sheet(
        "Who answered", (*heads, *counts), lines, frozenset(range(first, first + len(counts)))
    )


def mode_sheet(released: Released, outcome: str) -> Sheet:
    """Return how the questions were put, with each way's share of a group where it may be told."""
    rows = [row for row in records(released.modes) if text(row, "outcome") == outcome]
    rows.sort(key=lambda row: text(row, "wave"))
    answered = {
        (text(row, "wave"), text(row, "arm")): real(row, "answered")
        for row in _rows(released, outcome)
        if text(row, "need") == _WHOLE
    }
    lines = []
    for (wave, arm), each in grouped(rows, "wave", "arm").items():
        for row in each:
            share = percent(real(row, "pupils") / answered.get((wave, arm), float("nan")))
            lines.append(
                (
                    group(arm),
                    capital(wave_words(wave)) or NOT_SHOWN,
                    _MODES.get(text(row, "mode"), capital(spelled(text(row, "mode")))),
                    shown(row, "pupils"),
                    WITHHELD.words.lower() if share == NOT_SHOWN else share,
                )
            )
    heads = ("Group", "Wave", "How the questions were put", "Pupils", "Share of those who answered")
    return Sheet("How the questions were put", heads, tuple(lines), frozenset({3, 4}))


def of_pupils(arm: str) -> str:
    """Name the pupils of an arm inside a sentence."""
    name = group(arm)
    return name[:1].lower() + name[1:] if arm in ARMS else "pupils"


def _rows(released: Released, outcome: str) -> list[Row]:
    return [row for row in records(released.completion) if text(row, "outcome") == outcome]


def _told(row: Row, waves: bool) -> str:
    when = f" at {wave_words(text(row, 'wave'))}" if waves else ""
    pupils, answered = whole(row, "pupils"), whole(row, "answered")
    if pupils is None or answered is None:
        return f"How many {of_pupils(text(row, 'arm'))} answered{when} is withheld."
    # Each count is rounded by itself: "40 of 40" would say that nobody is missing.
    told = f"Of the {of_pupils(text(row, 'arm'))}, about {counted(answered)} of {counted(pupils)} "
    told += f"answered{when}"
    if _NOT_RECORDED in text(row, "status"):
        return f"{told}."
    known = [f"{counted(whole(row, n))} {say}" for n, say in _PARTS if whole(row, n) is not None]
    told += f"; {' and '.join(known)}" if known else ""
    lacking = [say for name, say in _PARTS if whole(row, name) is None]
    if lacking:
        # A few and nobody look the same.
        told += f". How many {' or '.join(lacking)} is withheld"
    return f"{told}."


def _cell(row: Row, name: str) -> str:
    if whole(row, name) is not None:
        return counted(whole(row, name))
    asked = name in dict(_PARTS) and _NOT_RECORDED in text(row, "status")
    return _NOT_RECORDED if asked else WITHHELD.words.lower()


def _need(need: str) -> str:
    return "All" if need == _WHOLE else capital(need)

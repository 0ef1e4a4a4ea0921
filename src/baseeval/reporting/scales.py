"""Can the questionnaire be trusted here? Each scale in a sentence by group, numbers folded away."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN, counted, interval, plain
from baseeval.reporting.cells import Row, grouped, real, records, text, whole
from baseeval.reporting.completion import (
    completion_sheet,
    completion_words,
    mode_sheet,
    of_pupils,
)
from baseeval.reporting.headlines import about_outcome
from baseeval.reporting.phrasebook import (
    ANSWERED_BY,
    capital,
    group,
    label_of,
    listed,
    wave_words,
)
from baseeval.reporting.sheet import Sheet, absent, shown

#: From this alpha on, answers agree well, or fairly well; 0.70 is what `low_reliability` means.
_WELL, _FAIRLY = 0.80, 0.70
_STEPS = {
    "configural": "Same pattern (configural)",
    "metric": "Same weights (metric)",
    "scalar": "Same starting points (scalar)",
}
_TOO_FEW = "too few answered every question"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a report says of one questionnaire."""

    title: str
    by: str
    answered: tuple[str, ...]
    agreement: tuple[str, ...]
    meaning: tuple[str, ...]
    folded: tuple[tuple[str, Sheet], ...]


def trust(released: Released) -> tuple[Trust, ...]:
    """Say of each scale who answered, whether it agrees with itself and means the same.

    Parameters
    ----------
    released : Released

    Returns
    -------
    tuple of Trust
        None for a study without a questionnaire.
    """
    scales = grouped(records(released.scales), "outcome")
    return tuple(_trust(released, name, rows) for (name,), rows in scales.items())


def _trust(released: Released, name: str, rows: list[Row]) -> Trust:
    outcome = about_outcome(released, name)
    ladders = [row for row in records(released.invariance) if text(row, "outcome") == name]
    items = [row for row in records(released.items) if text(row, "outcome") == name]
    sheets = (
        ("Show who answered", completion_sheet(released, name)),
        ("Show how the questions were put", mode_sheet(released, name)),
        ("Show how well the answers agree", _scale_sheet(rows)),
        ("Show each question", _item_sheet(items)),
        ("Show whether the questions mean the same", _ladder_sheet(ladders)),
    )
    return Trust(
        title=label_of(outcome.name, outcome.label),
        by=ANSWERED_BY.get(outcome.respondent, ""),
        answered=completion_words(released, name),
        agreement=tuple(_agreement(arm, own) for (arm,), own in grouped(rows, "arm").items()),
        meaning=tuple(
            _meaning(waves.split("; "), arms.split("; "), steps)
            for (waves, arms), steps in grouped(ladders, "wave", "groups").items()
        ),
        folded=tuple((title, sheet) for title, sheet in sheets if sheet.rows),
    )


def _agreement(arm: str, rows: list[Row]) -> str:
    """Say how well the answers of a group agree, wave by wave."""
    items = whole(rows[0], "items")
    who = capital(of_pupils(arm))
    if len(rows) == 1:
        row = rows[0]
        if math.isnan(real(row, "alpha")):
            return f"{who}: how well the answers agree {_unsaid(row)}."
        alpha, low, high = (plain(real(row, f"alpha{end}")) for end in ("", "_low", "_high"))
        numbers = f"{alpha}; 95% interval {low} to {high}"
        told = f"the answers to the {items} questions agree {_how_well(row)} with one another"
        return f"{who}: {told} (alpha {numbers})."
    parts = [
        f"{_how_well(row)} at {wave_words(text(row, 'wave'))} (alpha {plain(real(row, 'alpha'))})"
        for row in rows
        if not math.isnan(real(row, "alpha"))
    ]
    silent = [row for row in rows if math.isnan(real(row, "alpha"))]
    told = f"the answers to the {items} questions agree {listed(parts)}" if parts else ""
    unsaid = [f"at {wave_words(text(row, 'wave'))} it {_unsaid(row)}" for row in silent]
    if parts and unsaid:
        return f"{who}: {told}; {listed(unsaid)}."
    return f"{who}: {told}." if parts else f"{who}: how well the answers agree {_unsaid(rows[0])}."


def _how_well(row: Row) -> str:
    alpha = real(row, "alpha")
    return "well" if alpha >= _WELL else "fairly well" if alpha >= _FAIRLY else "little"


def _unsaid(row: Row) -> str:
    return "could not be worked out" if text(row, "note") else "is withheld"


def _meaning(waves: list[str], arms: list[str], steps: list[Row]) -> str:
    """Say whether the questions work alike in two groups, or from wave to wave."""
    across = len(waves) > 1
    verdicts = {text(row, "step"): text(row, "verdict") for row in steps}
    who = " and ".join(of_pupils(arm) for arm in arms)
    when = f"at {wave_words(waves[0])}, " if waves[0] and not across else ""
    when = f"from {listed([wave_words(wave) for wave in waves])}, " if across else when
    if verdicts.get("scalar") == "holds":
        told = f"the questions work alike for {who}, so their averages can be set side by side"
    elif "fails" not in verdicts.values():
        told = f"whether the questions mean the same for {who} could not be checked: "
        told += _why(next(text(row, "why") for row in steps if text(row, "verdict") != "holds"))
    elif verdicts.get("configural") == "fails":
        told = f"the answers of {who} do not hang together as the scale supposes, so their "
        told += "averages may not mean the same"
    else:
        told = f"some questions work otherwise for some of these than for others ({who}), so a "
        told += "difference between averages can come from the questions"
    return f"{capital(f'{when}{told}')}."


def _why(words: str) -> str:
    if words.startswith("fewer than"):
        return f"{_TOO_FEW} (100 in each group are needed)"
    if "three items" in words:
        return "it has too few questions"
    return "answers are too much alike" if "does not vary" in words else "no model could be fitted"


def _scale_sheet(rows: list[Row]) -> Sheet:
    agreement = ("Alpha (95% interval)", "Omega (95% interval)", "Fit of one factor (CFI)")
    heads = ("Group", "Wave", "Questions", "Pupils", *agreement, "Note")
    lines = tuple(
        (
            group(text(row, "arm")),
            capital(wave_words(text(row, "wave"))) or NOT_SHOWN,
            counted(whole(row, "items")),
            shown(row, "pupils"),
            _reliability(row, "alpha"),
            _reliability(row, "omega"),
            shown(row, "one_factor_cfi", 2),
            capital(text(row, "note")) or NOT_SHOWN,
        )
        for row in rows
    )
    return Sheet("How well the answers agree", heads, lines, frozenset({2, 3, 4, 5, 6}))


def _reliability(row: Row, name: str) -> str:
    words = interval(*(real(row, f"{name}{end}") for end in ("", "_low", "_high")))
    return absent(row) if words == NOT_SHOWN else words


def _item_sheet(rows: list[Row]) -> Sheet:
    numbers = ("Average", "Spread (SD)", "Agrees with the others (correlation)")
    heads = ("Question", "Group", "Wave", "Pupils", "Without an answer", *numbers)
    lines = tuple(
        (
            text(row, "item"),
            group(text(row, "arm")),
            capital(wave_words(text(row, "wave"))) or NOT_SHOWN,
            shown(row, "pupils"),
            shown(row, "missing"),
            *(shown(row, name, 2) for name in ("mean", "sd", "item_rest")),
        )
        for row in rows
    )
    return Sheet("Question by question", heads, lines, frozenset(range(3, 8)))


def _ladder_sheet(rows: list[Row]) -> Sheet:
    fit = ("Chi-square (df)", "CFI", "RMSEA", "SRMR", "Fall of CFI")
    heads = ("Step", "Groups", "Wave", *fit, "What is found")
    lines = tuple(
        (
            _STEPS[text(row, "step")],
            "; ".join(group(arm) for arm in text(row, "groups").split("; ")),
            capital(listed([wave_words(w) for w in text(row, "wave").split("; ")])) or NOT_SHOWN,
            _chi_square(row),
            *(plain(real(row, name), 3) for name in ("cfi", "rmsea", "srmr")),
            plain(-real(row, "d_cfi"), 3),
            capital(text(row, "verdict")),
        )
        for row in rows
    )
    return Sheet("Whether the questions mean the same", heads, lines, frozenset(range(3, 8)))


def _chi_square(row: Row) -> str:
    chi2 = real(row, "chi2")
    if math.isnan(chi2):
        return NOT_SHOWN
    return f"{plain(chi2, 0 if chi2 >= 100 else 1)} ({plain(real(row, 'df'), 0)})"

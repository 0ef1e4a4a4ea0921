"""What cannot be told: limits written from what the run found."""

from __future__ import annotations

from baseeval.disclosure.released import About, Released
from baseeval.reporting.cautions import caution, flag_name
from baseeval.reporting.cells import codes, distinct, records, text
from baseeval.reporting.headlines import headline_rows
from baseeval.reporting.phrasebook import SIDES, everyday
from baseeval.results import FLAGS

ALWAYS = (
    "Special schools were not compared. This report says nothing of how pupils do there.",
    "It must not decide any pupil’s place, judge staff, or close or open a base by itself.",
    "No single pupil can be found in it, and none should be looked for.",
)

COMPARED = (
    "Unless places were drawn by lot, pupils were placed for reasons. The comparisons allow for "
    "what the records hold from before, and not for needs the records do not show. A difference "
    "between two groups does not by itself show that the base place made it."
)


def limits(released: Released) -> tuple[str, ...]:
    """Return what this report cannot say, each limit a sentence or two."""
    about, rows = released.about, headline_rows(released)
    told = list(ALWAYS)
    if about.contrasts_made:
        told.append(COMPARED)
        told += [not_made(name, reason) for name, reason in about.contrasts_not_made.items()]
    else:
        told.append("No groups were compared, so nothing here says whether a base place helps.")
    if any(text(row, "verdict") == "cannot_tell" for row in rows):
        told.append(
            "“Cannot tell” means that the data leave it open. It does not mean that there was no "
            "difference."
        )
    told += [_flagged(released, flag) for flag in FLAGS if flag in _flags(released)]
    return (*told, *(f"{everyday(note)}." for note in about.notes))


def flag_glossary(released: Released) -> tuple[tuple[str, str, str], ...]:
    """Return the cautions that any row of this report carries: code, short name, meaning."""
    used = {
        flag
        for table in (released.results, released.overlap)
        for row in records(table)
        for flag in codes(row)
    }
    known = [flag for flag in FLAGS if flag in used] + sorted(used - set(FLAGS))
    return tuple((flag, flag_name(flag), caution(flag)) for flag in known)


def _flags(released: Released) -> set[str]:
    """Return the flags of the headline rows."""
    return {flag for row in headline_rows(released) for flag in codes(row)}


def _flagged(released: Released, flag: str) -> str:
    """Say a caution once, with how many of the answers carry it and in which comparisons."""
    rows = headline_rows(released)
    carrying = [row for row in rows if flag in codes(row)]
    names, every = distinct(carrying, "contrast"), distinct(rows, "contrast")
    if len(carrying) == len(rows):
        where = "all answers in this report"
    elif len(names) == len(every):
        where = f"{len(carrying)} of {len(rows)} answers, in every comparison"
    else:
        where = f"{len(carrying)} of {len(rows)} answers, comparing " + "; ".join(
            " with ".join(SIDES[name]) for name in names
        )
    return f"{caution(flag)} This holds for {where}."


def all_not_made(about: About) -> tuple[str, ...]:
    """Say which comparisons were never made; once, where none was made for one reason."""
    reasons = set(about.contrasts_not_made.values())
    if not about.contrasts_made and len(reasons) == 1:
        return (f"No groups were compared. The reason: {everyday(reasons.pop())}.",)
    return tuple(not_made(name, reason) for name, reason in about.contrasts_not_made.items())


def not_made(contrast: str, reason: str) -> str:
    """Say that a comparison was never made, and why."""
    first, second = SIDES[contrast]
    told = f"No comparison was made of {first} with {second}."
    return f"{told} The reason: {everyday(reason)}." if reason.strip() else told

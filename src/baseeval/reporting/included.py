"""Who is in the study, from the plan's codes to sentences: part of the phrasebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from baseeval.contracts.vocabulary import BASE_TYPES, NEEDS, PHASES, YEAR_GROUPS
from baseeval.disclosure.released import About, EligibilityAbout, PlacementAbout
from baseeval.reporting.phrasebook import school_year, spelled_date

NEED_RULES = {
    "primary": "the main need (primary)",
    "secondary": "the second need (secondary)",
    "either": "the main need or the second",
}

_RECORDED = {"primary": "main", "secondary": "second", "either": "main or second"}

_PLANS = {"any": "", "only": "with an EHC plan", "none": "without an EHC plan"}

_STARTS = {
    "school_entry": "the day they came to the school where they are first eligible",
    "ehcp_issue": "the day their first EHC plan was issued",
    "matched_date": (
        "the first day in a base or, without a base place, a day drawn from the first days of "
        "pupils of their age"
    ),
}

_SOURCES = {
    "census": "Who has a base place is taken from the school census.",
    "spells": "Who has a base place is taken from a list of places.",
    "schools": (
        "Which schools have a base is taken from public registers, and who has a place from the "
        "school census or a list of places."
    ),
}

_MOVERS = {
    "at_entry": "Later moves do not change a pupil’s group.",
    "time_varying": (
        "Groups are read anew each school year. That describes; no groups are compared."
    ),
    "modal": (
        "A pupil’s group is the one held longest, which is known only afterwards. That describes; "
        "no groups are compared."
    ),
}

_NAMES = ("SEN", "Down")  # labels whose first word keeps its capital


def included(about: About) -> tuple[str, ...]:
    """Return who is in the study and who counts as placed, a paragraph each."""
    told = []
    if about.eligibility is not None:
        told.append(_eligible(about.eligibility))
    if about.placement is not None:
        told.append(_placed(about.placement))
    return tuple(told)


def _eligible(rules: EligibilityAbout) -> str:
    needs = _or(_label(NEEDS, need) for need in rules.needs)
    parts = [
        f"whose {_RECORDED[rules.need_rule]} recorded need is {needs}" if needs else "",
        _or(f"in {_label(YEAR_GROUPS, year)}" for year in rules.years),
        _or(f"in a school of the phase “{_label(PHASES, phase)}”" for phase in rules.phases),
        _PLANS[rules.ehcp],
    ]
    kept = ", ".join(part for part in parts if part)
    told = (
        f"The study is about pupils {kept}." if kept else "Pupils of every kind are in the study."
    )
    if rules.date is not None:
        told += f" In every group pupils are followed from {spelled_date(rules.date.isoformat())}."
    elif rules.time_zero:
        told += f" In every group a pupil is followed from {_STARTS[rules.time_zero]}."
    return told + _within(rules.first_year, rules.last_year)


def _within(first: int | None, last: int | None) -> str:
    """Say in which school years pupils began."""
    if first is None and last is None:
        return ""
    if first is None or last is None:
        known = first or last or 0
        return (
            f" That day lies in {school_year(known)} or {'earlier' if first is None else 'later'}."
        )
    years = [school_year(year) for year in dict.fromkeys((first, last))]
    return f" That day lies in {' to '.join(years)}."


def _placed(rules: PlacementAbout) -> str:
    told = [_SOURCES[rules.source]]
    if rules.types:
        told.append(f"Only these count: {_or(_label(BASE_TYPES, kind) for kind in rules.types)}.")
    if rules.hosts_listed:
        told.append("The study lists the schools that have a base.")
    elif rules.host_at_least == 1:
        told.append("A school has a base in a school year if anybody has a place in it.")
    else:
        told.append(
            "A school has a base in a school year if the number of its pupils with a place is "
            f"{rules.host_at_least} or more."
        )
    if rules.grace_days:
        told.append(
            f"A place that began up to {rules.grace_days} days late counts as from the start."
        )
    if rules.already_placed == "exclude":
        told.append("Pupils who had a place already when first seen are left out.")
    if rules.comparison == "considered":
        told.append("Only pupils who were considered for a place are compared with those placed.")
    return " ".join([*told, _MOVERS[rules.movers]])


def _label(labels: Mapping[str, str], code: str) -> str:
    """Name a code inside a sentence; what is no code stands as it is."""
    words = labels.get(code.upper(), labels.get(code, code))
    return words if words.startswith(_NAMES) else words[:1].lower() + words[1:]


def _or(words: Iterable[str]) -> str:
    """Join words by commas and a last `or`."""
    *most, last = [*words] or [""]
    return f"{', '.join(most)} or {last}" if most else last

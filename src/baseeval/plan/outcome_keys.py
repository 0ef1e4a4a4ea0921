"""What must hold between the keys of one outcome: those of its kind, and of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baseeval.plan.basics import quoted

if TYPE_CHECKING:
    from baseeval.plan.outcome_section import OutcomeSection

#: Kind -> the keys that it needs, and those that it may have besides. Others are for other kinds.
_KEYS = {
    "continuous": (("column",), ()),
    "sessions": (("attended", "possible"), ()),
    "scale": (("items", "range"), ("labels", "reverse", "respondent", "modes", "factors")),
    "binary": (("column",), ("labels", "counts")),
    "ordinal": (("column",), ("order", "floor")),
    "count": (("column",), ()),
}
#: Of a binary outcome that is made from sessions.
_FROM_SESSIONS = ("attended", "possible", "missed_at_least")

#: Fewer items tell nothing of a factor.
_LEAST_OF_A_FACTOR = 3

#: Kinds whose values lie between 0 and 1 whatever the data.
_SHARES = ("sessions", "binary", "ordinal")


def outcome_key_faults(outcome: OutcomeSection) -> list[str]:
    """Name what is wrong with an outcome's section, all of it.

    Parameters
    ----------
    outcome : OutcomeSection

    Returns
    -------
    list of str
    """
    return [
        *_of_the_kind(outcome),
        *_of_values(outcome),
        *_of_factors(outcome),
        *_of_units(outcome),
        *_of_bounds(outcome),
        *_named_twice(outcome),
    ]


def _of_the_kind(outcome: OutcomeSection) -> list[str]:
    needs, may = _KEYS[outcome.kind]
    if outcome.kind == "binary" and any(getattr(outcome, key) for key in _FROM_SESSIONS):
        needs, may = _FROM_SESSIONS, ()
    known = dict.fromkeys(key for pair in _KEYS.values() for keys in pair for key in keys)
    faults = []
    missing = [key for key in needs if not getattr(outcome, key)]
    if missing:
        faults.append(f"an outcome of kind {outcome.kind!r} needs {quoted(missing)}")
    others = {*known, *_FROM_SESSIONS} - {*needs, *may}
    stray = sorted(key for key in others if getattr(outcome, key))
    if stray:
        whose = "made from sessions" if needs is _FROM_SESSIONS else f"of kind {outcome.kind!r}"
        faults.append(f"an outcome {whose} takes no {quoted(stray)}")
    if outcome.kind == "ordinal" and outcome.forms != ["level"]:
        faults.append(
            "an outcome of kind 'ordinal' has places in an order, and places do not subtract: "
            "leave `forms` out, and adjust for the place before instead"
        )
    return faults


def _of_values(outcome: OutcomeSection) -> list[str]:
    faults = []
    if outcome.range is not None and not outcome.range[0] < outcome.range[1]:
        faults.append("`range` must be [lowest, highest]")
    strangers = sorted(set(outcome.reverse) - set(outcome.items))
    if strangers and outcome.kind == "scale":
        faults.append(f"`reverse` names {quoted(strangers)}, not among `items`")
    if outcome.kind == "binary" and set(outcome.labels.values()) - {0.0, 1.0}:
        faults.append("`labels` of an outcome of kind 'binary' stand for 1 or 0")
    if outcome.labels and outcome.counts:
        faults.append("`counts` asks why there is no value, and takes no `labels`")
    words = [word.strip().lower() for word in outcome.order]
    if len(words) == 1:
        faults.append("`order` names the lowest word first and the highest last: two at least")
    if len(set(words)) < len(words):
        faults.append("`order` names something twice, but for capitals")
    return faults


def _of_factors(outcome: OutcomeSection) -> list[str]:
    """Say which items stand in no factor or in several, and which factors are too short."""
    if not outcome.factors or outcome.kind != "scale":
        return []
    named = [item for items in outcome.factors.values() for item in items]
    wrong = [item for item in outcome.items if named.count(item) != 1]
    strangers = sorted(set(named) - set(outcome.items))
    short = [name for name, items in outcome.factors.items() if len(items) < _LEAST_OF_A_FACTOR]
    faults = []
    if wrong:
        faults.append(f"`factors` must hold each item once: {quoted(wrong)}")
    if strangers:
        faults.append(f"`factors` names {quoted(strangers)}, not among `items`")
    if short:
        faults.append(f"`factors` needs three items or more in {quoted(short)}")
    return faults


def _of_units(outcome: OutcomeSection) -> list[str]:
    faults = []
    if outcome.standardise == "cohort":
        if outcome.kind in ("binary", "ordinal", "count"):
            faults.append(f"`standardise` is not for the kind {outcome.kind!r}: take it out")
        if outcome.smallest_effect_unit == "outcome":
            faults.append(
                "`smallest_effect_unit` is `outcome`, and `standardise` measures in SDs of the "
                "school year: give the smallest effect in `sd`"
            )
    if outcome.kind == "ordinal" and outcome.unit:
        faults.append(
            "an outcome of kind 'ordinal' is compared by place in the order, which is its unit: "
            "take `unit` out"
        )
    if outcome.kind == "binary" and outcome.unit and not outcome.unit.startswith("proportion"):
        faults.append(
            "`unit` of an outcome of kind 'binary' begins with `proportion`, such as "
            '"proportion of leavers"'
        )
    return faults


def _of_bounds(outcome: OutcomeSection) -> list[str]:
    if outcome.bounds is None:
        return []
    low, high = outcome.bounds
    faults = []
    if not low < high:
        faults.append("`bounds` must be [lowest possible, highest possible]")
    elif outcome.kind in _SHARES and (low, high) != (0.0, 1.0):
        faults.append(f"`bounds` of the kind {outcome.kind!r} are [0, 1]")
    elif outcome.range is not None and outcome.bounds != outcome.range:
        faults.append("`bounds` of a scale are its `range`")
    elif outcome.kind == "count" and low < 0:
        faults.append("`bounds` of a count begin at 0 or above")
    if outcome.forms != ["level"]:
        faults.append(
            "`bounds` are for the form 'level' alone: name the outcome a second time, with "
            "another `name`, for its other forms"
        )
    if outcome.comparable == "within_school":
        faults.append("`bounds` are not for a scale of each school's own: take them out")
    if outcome.standardise == "cohort":
        faults.append("`bounds` are of the figures as they are: take `standardise` out, or them")
    return faults


def _named_twice(outcome: OutcomeSection) -> list[str]:
    return [
        f"`{key}` names something twice"
        for key in ("items", "forms", "reverse", "contrasts", "modes")
        if len(set(getattr(outcome, key))) < len(getattr(outcome, key))
    ]

"""How each kind of outcome becomes one number, and why it sometimes does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import narwhals.stable.v2 as nw

from baseeval.plan import OutcomeSection
from baseeval.sources.values import WHY


@dataclass(frozen=True, slots=True)
class Score:
    """An outcome as expressions over the typed rows.

    Parameters
    ----------
    value : narwhals expression
        The number; missing where there is none.
    why : narwhals expression
        The reason, where there is none.
    """

    value: nw.Expr
    why: nw.Expr


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What a kind of outcome is measured in.

    Parameters
    ----------
    name : str
    unit : str
        Unit of the score where the plan gives none.
    note : str
        How it is measured here, in a sentence for readers.
    """

    name: str
    unit: str
    note: str


#: The kinds of outcome that can be scored.
KINDS: Mapping[str, KindSpec] = MappingProxyType(
    {
        "continuous": KindSpec("continuous", "points", "Compared as the number recorded."),
        "sessions": KindSpec(
            "sessions",
            "proportion of sessions",
            "Sessions attended divided by sessions possible, one proportion a pupil and wave; "
            "each pupil counts the same however many sessions were possible.",
        ),
        "scale": KindSpec(
            "scale",
            "mean score",
            "The mean of the items answered, items worded the other way turned round, where "
            "enough of them were answered.",
        ),
    }
)


def unit_of(outcome: OutcomeSection) -> str:
    """Return the unit of an outcome's score.

    Parameters
    ----------
    outcome : OutcomeSection

    Returns
    -------
    str
        The plan's own where it gives one.

    Examples
    --------
    >>> unit_of(OutcomeSection(name="maths", kind="continuous", column="maths"))
    'points'
    """
    if outcome.unit:
        return outcome.unit
    if outcome.standardise == "cohort":
        return "SD of the school year"
    return KINDS[outcome.kind].unit


def note_of(outcome: OutcomeSection) -> str:
    """Return how an outcome is measured here, in words.

    Parameters
    ----------
    outcome : OutcomeSection

    Returns
    -------
    str
    """
    note = KINDS[outcome.kind].note
    if outcome.kind == "sessions" and outcome.better == "lower":
        # What is better when there is less of it are sessions missed.
        note = note.replace("attended", "missed")
    if outcome.standardise == "cohort":
        note += (
            " Each pupil is compared with the mean of all pupils of the same school year in the "
            "data, in SDs of that year."
        )
    return note


def score(outcome: OutcomeSection) -> Score:
    """Return an outcome's score as expressions.

    Parameters
    ----------
    outcome : OutcomeSection
        Of a kind in :data:`KINDS`.

    Returns
    -------
    Score
    """
    if outcome.kind == "sessions":
        return _sessions(outcome)
    if outcome.kind == "scale":
        return _scale(outcome)
    assert outcome.column is not None
    return Score(nw.col(outcome.column), nw.col(WHY + outcome.column))


def _sessions(outcome: OutcomeSection) -> Score:
    assert outcome.attended is not None
    assert outcome.possible is not None
    attended, possible = nw.col(outcome.attended), nw.col(outcome.possible)
    value = nw.when(possible > 0).then(attended / possible).otherwise(None)
    none_possible = nw.when(possible == 0).then(nw.lit("no session was possible")).otherwise(None)
    why = nw.coalesce(nw.col(WHY + outcome.possible), none_possible, nw.col(WHY + outcome.attended))
    return Score(value, why)


def _scale(outcome: OutcomeSection) -> Score:
    assert outcome.range is not None
    low, high = outcome.range
    items = [
        low + high - nw.col(item) if item in outcome.reverse else nw.col(item)
        for item in outcome.items
    ]
    answered = nw.sum_horizontal(
        *(nw.when(nw.col(item).is_null()).then(0).otherwise(1) for item in outcome.items)
    )
    enough = answered >= outcome.min_answered * len(items) - 1e-9
    value = nw.when(enough).then(nw.mean_horizontal(*items)).otherwise(None)
    some = nw.when((answered > 0) & ~enough).then(nw.lit("too few items answered"))
    why = nw.coalesce(
        some.otherwise(None),
        nw.when(answered == 0).then(nw.col(WHY + outcome.items[0])).otherwise(None),
    )
    return Score(value, why)

"""How each kind of outcome becomes one number, and why it sometimes does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import NO_RESULT
from baseeval.plan import OutcomeSection
from baseeval.sources.values import WHY

#: Reasons for no result under which a pupil was not entered, or did not come.
NOT_ENTERED = ("not_entered", "disapplied", "absent")

_BELOW = "below_standard"

#: Stands below every result.
_FLOOR = -1e300

_NONE_POSSIBLE = "no session was possible"


@dataclass(frozen=True, slots=True)
class Score:
    """An outcome as expressions over the typed rows.

    Parameters
    ----------
    value : narwhals expression
        The number; missing where there is none. Of an ordinal outcome only its
        order means anything: `ridits` makes places of it.
    why : narwhals expression
        The reason, where there is none.
    """

    value: nw.Expr
    why: nw.Expr


def score(outcome: OutcomeSection) -> Score:
    """Return an outcome's score as expressions.

    Parameters
    ----------
    outcome : OutcomeSection

    Returns
    -------
    Score
    """
    return _SCORES[outcome.kind](outcome)


def _as_recorded(outcome: OutcomeSection) -> Score:
    assert outcome.column is not None
    return Score(nw.col(outcome.column), nw.col(WHY + outcome.column))


def _sessions(outcome: OutcomeSection) -> Score:
    attended, possible = nw.col(str(outcome.attended)), nw.col(str(outcome.possible))
    value = nw.when(possible > 0).then(attended / possible).otherwise(None)
    return Score(value, _why_no_sessions(outcome))


def _why_no_sessions(outcome: OutcomeSection) -> nw.Expr:
    possible = nw.col(str(outcome.possible))
    none_possible = nw.when(possible == 0).then(nw.lit(_NONE_POSSIBLE)).otherwise(None)
    return nw.coalesce(
        nw.col(f"{WHY}{outcome.possible}"), none_possible, nw.col(f"{WHY}{outcome.attended}")
    )


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


def _binary(outcome: OutcomeSection) -> Score:
    if outcome.missed_at_least is not None:
        return _missed(outcome, outcome.missed_at_least)
    if outcome.counts is not None:
        return _why_counted(outcome)
    return _as_recorded(outcome)


def _missed(outcome: OutcomeSection, share: float) -> Score:
    """Compare whole numbers: 19 of 190 is a tenth, though 0.1 is none to a computer."""
    limit = Fraction(str(share))
    attended, possible = nw.col(str(outcome.attended)), nw.col(str(outcome.possible))
    missed = possible - attended
    reached = missed * limit.denominator >= possible * limit.numerator
    known = (possible > 0) & ~attended.is_null()
    one = nw.when(reached).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return Score(nw.when(known).then(one).otherwise(None), _why_no_sessions(outcome))


def _why_counted(outcome: OutcomeSection) -> Score:
    """Make an outcome of why there is no result; a blank without a reason stays missing."""
    column, why = nw.col(str(outcome.column)), nw.col(f"{WHY}{outcome.column}")
    has_result = ~column.is_null()
    if outcome.counts == "entered":
        yes = has_result | why.is_in([reason for reason in NO_RESULT if reason not in NOT_ENTERED])
        no = why.is_in(list(NOT_ENTERED))
    else:
        yes, no = why == _BELOW, has_result
    value = nw.when(yes).then(nw.lit(1.0)).when(no).then(nw.lit(0.0)).otherwise(None)
    return Score(value, nw.when(value.is_null()).then(why).otherwise(None))


def _ordinal(outcome: OutcomeSection) -> Score:
    made = _as_recorded(outcome)
    value, why = made.value.cast(nw.Float64) if not outcome.order else _step(outcome), made.why
    if outcome.floor is not None:
        value = nw.when(why == _BELOW).then(nw.lit(_FLOOR)).otherwise(value)
        why = nw.when(why == _BELOW).then(None).otherwise(why)
    return Score(value, why)


def _step(outcome: OutcomeSection) -> nw.Expr:
    """Give the words of an order numbers, from 0 for the lowest."""
    value: nw.Expr = nw.lit(None, dtype=nw.Float64)
    for step, word in enumerate(outcome.order):
        said = nw.col(str(outcome.column)) == word
        value = nw.when(said).then(nw.lit(float(step))).otherwise(value)
    return value


_SCORES: Mapping[str, Callable[[OutcomeSection], Score]] = {
    "continuous": _as_recorded,
    "sessions": _sessions,
    "scale": _scale,
    "binary": _binary,
    "ordinal": _ordinal,
    "count": _as_recorded,
}

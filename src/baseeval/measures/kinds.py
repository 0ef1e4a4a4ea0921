"""The kinds of outcome: what each is measured in, and how, in words for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from baseeval.plan import OutcomeSection

#: Unit of a place in an order (a ridit): the mean over all arms together is one half.
RANK = "rank (share of pupils below)"


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


#: The kinds of outcome, each of which can be scored.
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
        "binary": KindSpec(
            "binary",
            "proportion of pupils",
            "Yes or no for each pupil. A difference is one between the shares of pupils with yes.",
        ),
        "ordinal": KindSpec(
            "ordinal",
            RANK,
            "Each pupil’s place in the order of all pupils compared at that time: the share of "
            "them below, and half of those level. Steps of the order need not be equal. A "
            "difference of 5 places in 100 means: set against a pupil drawn at random from all "
            "groups together, a pupil of the first group comes out higher in 5 more of 100 draws "
            "than a pupil of the second does, where a draw that ends level counts as half.",
        ),
        "count": KindSpec(
            "count",
            "a pupil",
            "The mean number a pupil. A few pupils with many weigh heavily in it, and where most "
            "have none it says little of a usual pupil.",
        ),
    }
)

_ENTERED = (
    "A pupil counts as entered who has a result, or has none for another reason than not being "
    "entered, being disapplied or being absent. Pupils working below the standard of the test "
    "count too: the records do not tell them from those who sat it and had too few marks. Where "
    "no reason is recorded, the pupil is left out."
)
_BELOW = (
    "A pupil counts who worked below the standard of the test or had too few marks for a score. "
    "Pupils with a result do not; those without one for another reason are left out."
)
_FLOOR = (
    "Pupils without a result because they worked below the standard, or had too few marks, stand "
    "below every result."
)
_OWN_SCALE = (
    "The scale is each school’s own: it says how a pupil stands among those of the same school, "
    "and nothing of how schools compare."
)
_OF_THE_YEAR = (
    "Each pupil is compared with the mean of all pupils of the same school year in the "
    "data, in SDs of that year."
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
    said = [note]
    if outcome.missed_at_least is not None:
        said.append(
            f"Yes means that {100 * outcome.missed_at_least:g}% or more of the sessions that were "
            "possible were missed."
        )
    if outcome.counts is not None:
        said.append(_ENTERED if outcome.counts == "entered" else _BELOW)
    if outcome.floor is not None:
        said.append(_FLOOR)
    if outcome.standardise == "cohort":
        said.append(_OF_THE_YEAR)
    if outcome.comparable == "within_school":
        said.append(_OWN_SCALE)
    return " ".join(said)

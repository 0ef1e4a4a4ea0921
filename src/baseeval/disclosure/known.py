"""What other tables have released of the pupils whose answers are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baseeval.disclosure.flows import Record
from baseeval.disclosure.shapes import SUPPRESSED, text, whole

Place = tuple[str, str, str]  # outcome, wave, arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What other tables have released, with the exact counts behind it.

    Parameters
    ----------
    arms : mapping of str to (count, withheld)
        Size of each arm.
    scored : mapping of (outcome, wave, arm) to (count, withheld)
        Pupils with a score.
    missing : mapping of (outcome, wave, arm) to mapping of reason to (count, withheld)
    lonely : frozenset of (outcome, wave, arm)
        Whose pupils with a score are of one school.
    """

    arms: Mapping[str, tuple[int, bool]]
    scored: Mapping[Place, tuple[int, bool]]
    missing: Mapping[Place, Mapping[str, tuple[int, bool]]]
    lonely: frozenset[Place]


def known_of(
    flow: tuple[Sequence[Record], Sequence[Record]],
    descriptions: tuple[Sequence[Record], Sequence[Record]],
    missing: tuple[Sequence[Record], Sequence[Record]],
) -> Known:
    """Gather what is known from other tables.

    Parameters
    ----------
    flow, descriptions, missing : (exact, released) records

    Returns
    -------
    Known
    """
    arms = {
        text(exact["arm"]): (whole(exact["pupils"]) or 0, text(shown["status"]) == SUPPRESSED)
        for exact, shown in zip(*flow, strict=True)
        if not text(exact["reason"])
    }
    scored, lonely = {}, set()
    for exact, shown in zip(*descriptions, strict=True):
        if text(exact["form"]) == "level":
            place = _place(exact, "outcome")
            scored[place] = (whole(exact["pupils"]) or 0, whole(shown["pupils"]) is None)
            if (whole(exact["schools"]) or 0) < 2:
                lonely.add(place)
    told = {
        (_place(row, "name"), text(row["reason"]))
        for row in missing[1]
        if whole(row["missing"]) is not None
    }
    reasons: dict[Place, dict[str, tuple[int, bool]]] = {}
    for row in missing[0]:
        if text(row["role"]) == "outcome" and text(row["reason"]):
            place, reason = _place(row, "name"), text(row["reason"])
            count = (whole(row["missing"]) or 0, (place, reason) not in told)
            reasons.setdefault(place, {})[reason] = count
    return Known(arms=arms, scored=scored, missing=reasons, lonely=frozenset(lonely))


def _place(record: Record, name: str) -> Place:
    return text(record[name]), text(record["wave"]), text(record["arm"])

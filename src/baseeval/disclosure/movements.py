"""Who moved between arms, released: a whole grid, so that no missing row says nobody."""

from __future__ import annotations

from collections.abc import Collection

from baseeval.disclosure.flows import Record, release_count
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation
from baseeval.disclosure.shapes import text, whole
from baseeval.results import ARMS, NOT_SEEN


def every_movement(records: list[Record]) -> list[Record]:
    """Add the movements that nobody made: that a row is not there would tell that they are none.

    Parameters
    ----------
    records : list of dict
        Rows of `wave, arm, arm_then, pupils, schools` with exact counts.

    Returns
    -------
    list of dict
        At each wave, one row for each arm at time zero and each arm at any wave.
    """
    held = {tuple(text(r[key]) for key in ("wave", "arm", "arm_then")): r for r in records}
    waves = list(dict.fromkeys(wave for wave, _, _ in held))
    starts = _ordered({arm for _, arm, _ in held})
    ends = _ordered({name for _, arm, then in held for name in (arm, then)})
    nobody: Record = {"pupils": 0, "schools": 0}
    return [
        held.get((wave, arm, then), nobody | {"wave": wave, "arm": arm, "arm_then": then})
        for wave in waves
        for arm in starts
        for then in ends
    ]


def movement_cells(records: list[Record], profile: Profile, arms_gone: Collection[str]) -> Cells:
    """Gather the counts of movements and their margins, which no row gives.

    Parameters
    ----------
    records : list of dict
        From `every_movement`.
    profile : Profile
    arms_gone : collection of str
        Arms whose size is withheld elsewhere: nothing of them leaves here.

    Returns
    -------
    Cells
        The keys are those of `movement_key` and `margin_key`.
    """
    counts: dict[Key, int] = {}
    withheld: set[Key] = set()
    margins: dict[Key, list[Key]] = {}
    for record in records:
        wave, arm, then = (text(record[name]) for name in ("wave", "arm", "arm_then"))
        key = movement_key(wave, arm, then)
        counts[key] = whole(record["pupils"]) or 0
        lonely = whole(record["schools"]) == 1
        if profile.is_small(counts[key]) or lonely or arm in arms_gone:
            withheld.add(key)
        if then != NOT_SEEN:
            margins.setdefault(margin_key(wave, arm), []).append(key)
        margins.setdefault(("moved to", wave, then), []).append(key)
    sums = {margin: sum(counts[key] for key in keys) for margin, keys in margins.items()}
    return Cells(
        counts=counts | sums,
        relations=[Relation(margin, tuple(keys)) for margin, keys in margins.items()],
        withheld=withheld,
        unlisted=frozenset(sums),
    )


def movement_key(wave: str, arm: str, then: str) -> Key:
    """Name the count of those who were in one arm and are, at a wave, in another."""
    return ("moved", wave, arm, then)


def margin_key(wave: str, arm: str) -> Key:
    """Name the count of those of an arm who are in any arm at a wave."""
    return ("moved from", wave, arm)


def release_movements(
    records: list[Record], gone: Collection[Key], profile: Profile
) -> list[Record]:
    """Round the counts that leave.

    Parameters
    ----------
    records : list of dict
        From `every_movement`.
    gone : collection of key
        Counts that are withheld.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows; a withheld one loses its pupils and its schools.
    """
    keys = [movement_key(*(text(r[key]) for key in ("wave", "arm", "arm_then"))) for r in records]
    return [
        release_count(record, key in gone, profile)
        for record, key in zip(records, keys, strict=True)
    ]


def _ordered(names: set[str]) -> list[str]:
    """Put the arms first, in their order, and not being seen last."""
    place = {name: i for i, name in enumerate(ARMS)} | {NOT_SEEN: len(names) + len(ARMS)}
    return sorted(names, key=lambda name: (place.get(name, len(ARMS)), name))

"""How arms lie over the chance of being in one of them, released: no part holds few."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from baseeval.disclosure.estimates import few_schools
from baseeval.disclosure.flows import Record
from baseeval.disclosure.overlaps import key_of
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import released_share, round_count
from baseeval.disclosure.shapes import SUPPRESSED, number, text, whole

_SHARES = {"share_before": "counting_before", "share_after": "counting_after"}


def release_propensity(
    records: list[Record], overlap: list[Record], profile: Profile
) -> list[Record]:
    """Join parts of the range until each holds enough pupils of an arm.

    Parameters
    ----------
    records : list of dict
        From `check_balance`: one row an arm and equal part of the range, in order, with the
        exact counts of pupils, and of those who have a weight before and after the design.
    overlap : list of dict
        The released rows of the overlap table.

    Returns
    -------
    list of dict
        Each arm has parts of its own. The outer ends are no pupil's: beyond them lie fewer than
        `profile.feasible`, who are counted in. An arm without two parts has no row, and neither
        has a comparison that is withheld. A share of few pupils with a weight is withheld, and
        where it is the only one of its arm that of the next fewest: all of them add up to 1.
    """
    shown = {key_of(row) for row in overlap if SUPPRESSED not in text(row["flags"]).split(";")}
    arms: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        arms.setdefault((*key_of(record), text(record["arm"])), []).append(record)
    released: list[Record] = []
    for (*name, _), parts in arms.items():
        if tuple(name) in shown and not few_schools(parts[0]["schools"]):
            released += _released(parts, profile)
    return released


def _released(parts: list[Record], profile: Profile) -> list[Record]:
    joined: list[Record] = []
    for part in parts:
        if joined and _pupils(joined[-1]) < profile.threshold:
            joined[-1] = _together(joined[-1], part)
        else:
            joined.append(part)
    if len(joined) > 1 and _pupils(joined[-1]) < profile.threshold:
        joined[-2:] = [_together(*joined[-2:])]
    if len(joined) < 2:
        return []
    pupils = sum(map(_pupils, joined))
    joined[0] = joined[0] | {"low": _end(parts, profile)["low"]}
    joined[-1] = joined[-1] | {"high": _end(parts[::-1], profile)["high"]}
    gone = {name: _withheld(joined, counting, profile) for name, counting in _SHARES.items()}
    return [
        part
        | {
            name: None
            if i in gone[name]
            else released_share(number(part[name]), pupils, profile.base)
            for name in _SHARES
        }
        | {
            "chance_from": part["low"],
            "chance_to": part["high"],
            "pupils": round_count(_pupils(part), profile.base),
            "status": SUPPRESSED if any(i in places for places in gone.values()) else "",
        }
        for i, part in enumerate(joined)
    ]


def _withheld(parts: list[Record], counting: str, profile: Profile) -> set[int]:
    """Return the parts whose share rests on few pupils who count, and one that they hide behind."""
    counts = [whole(part[counting]) or 0 for part in parts]
    gone = {i for i, count in enumerate(counts) if profile.is_small(count)}
    if len(gone) == 1:
        gone.add(min(set(range(len(parts))) - gone, key=lambda i: counts[i]))
    return gone


def _end(parts: list[Record], profile: Profile) -> Record:
    """Return the part in which enough pupils are reached, from the first on."""
    reached = accumulate(map(_pupils, parts))
    return next(p for p, n in zip(parts, reached, strict=True) if n >= profile.feasible)


def _pupils(part: Mapping[str, object]) -> int:
    return whole(part["pupils"]) or 0


def _together(one: Record, two: Record) -> Record:
    added: Record = {name: number(one[name]) + number(two[name]) for name in _SHARES}
    for name in ("pupils", *_SHARES.values()):
        added[name] = (whole(one[name]) or 0) + (whole(two[name]) or 0)
    return one | added | {"high": two["high"]}

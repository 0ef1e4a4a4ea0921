"""Secondary suppression: no withheld count may be worked out from those that leave.

The attacker is given more than a reader has: which sums hold, the rounding
rule, and for each withheld count whether it is small or was withheld to
protect another. He bounds a count by two integer programs, its smallest and
its largest value over every table that agrees with all that is released.
While a small count has fewer possible values than the profile asks for, the
smallest released count tied to it is withheld too.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from baseeval.disclosure.attacking import Interval, bound_first
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import round_count, rounding_interval

Key = Hashable


@dataclass(frozen=True, slots=True)
class Relation:
    """A sum that the reader knows to hold: `total` is the sum of `parts`."""

    total: Key
    parts: tuple[Key, ...]

    @property
    def keys(self) -> tuple[Key, ...]:
        """The total and its parts."""
        return (self.total, *self.parts)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Counts of pupils and what ties them together.

    Parameters
    ----------
    counts : mapping of key to int
        The exact counts.
    relations : sequence of Relation
        One that the counts do not obey tells the attacker nothing true and is left out.
    withheld : collection of key
        Counts withheld for their own sake.
    unlisted : collection of key
        Counts that no table holds but that follow from others, as a difference.
    fixed : collection of key
        Counts that may not be chosen to protect others.
    base : int, optional
        What the reader knows released counts to be rounded to; the profile's
        unless given. 1 hands him the exact counts.
    """

    counts: Mapping[Key, int]
    relations: Iterable[Relation]
    withheld: Collection[Key]
    unlisted: Collection[Key] = field(default_factory=frozenset)
    fixed: Collection[Key] = field(default_factory=frozenset)
    base: int | None = None


def protect(cells: Cells, profile: Profile) -> frozenset[Key]:
    """Choose which further counts to withhold.

    Returns
    -------
    frozenset of key
        `cells.withheld` and those withheld for their sake.
    """
    counts = cells.counts
    relations = [r for r in cells.relations if counts[r.total] == sum(counts[p] for p in r.parts)]
    gone = set(cells.withheld)
    closed = gone | set(cells.unlisted) | set(cells.fixed)
    queue = [
        k for k in counts if k in gone or (k in cells.unlisted and profile.is_small(counts[k]))
    ]
    neighbours = {key: _component(key, relations) for key in queue}
    while queue:
        key = queue[0]
        tied = neighbours[key]
        low, high = _feasible(key, tied, cells, gone, profile)
        near = [k for r in tied if key in r.keys for k in r.keys if k not in closed]
        far = [k for r in tied for k in r.keys if k not in closed]
        if high - low + 1 >= profile.feasible or not far:
            queue.pop(0)
            continue
        chosen = min(near or far, key=lambda k: (counts[k] == 0, counts[k]))
        gone.add(chosen)
        closed.add(chosen)
    return frozenset(gone)


def _component(key: Key, relations: list[Relation]) -> list[Relation]:
    """Relations that reach `key`, directly or through others."""
    reached, found = {key}, set[int]()
    while True:
        new = {
            i for i, r in enumerate(relations) if i not in found and not reached.isdisjoint(r.keys)
        }
        if not new:
            return [relations[i] for i in sorted(found)]
        found |= new
        reached |= {k for i in new for k in relations[i].keys}


def _feasible(
    key: Key, relations: list[Relation], cells: Cells, gone: set[Key], profile: Profile
) -> Interval:
    """Smallest and largest value that the attacker can give a count."""
    keys = list(dict.fromkeys([key, *(k for r in relations for k in r.keys)]))
    at = {k: i for i, k in enumerate(keys)}
    known = tuple(_known(k, cells, gone, profile) for k in keys)
    equations = tuple((at[r.total], tuple(at[p] for p in r.parts)) for r in relations)
    return bound_first(known, equations)


def _known(key: Key, cells: Cells, gone: set[Key], profile: Profile) -> Interval:
    """Give what the attacker knows of one count before he uses any sum."""
    count, base = cells.counts[key], cells.base or profile.base
    ceiling = 4 * max(cells.counts.values()) + 100  # stands for no limit
    if key in cells.unlisted:
        return 0, ceiling
    if key in gone and count < profile.threshold:
        return int(count > 0 and not profile.zeros_disclosive), profile.threshold - 1
    if key in gone:
        return profile.threshold, ceiling
    low, high = rounding_interval(round_count(count, base), base)
    return (0, 0) if count == 0 else (max(low, min(profile.threshold, count)), high)

"""Counts of answers in several tables protected as one: of items, of scales, of who answered.

What the flow, the descriptions and the table of missing values have released is known to the
reader and is not changed here: how many an arm holds, how many have a score, how many lack one for
a reason. The same count stands in two tables or in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from baseeval.contracts.surveys import NO_ANSWER
from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.known import Known, Place
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.shapes import text, whole

#: The parts that pupils fall into, and the reason that the table of missing values gives.
PARTS = ("answered", "could_not_be_asked", "declined", "other")
_REASONS = {
    "could_not_be_asked": NO_ANSWER["not_accessible"],
    "declined": NO_ANSWER["declined"],
}


@dataclass(slots=True)
class _Web:
    """Counts of one arm at one wave, and what ties them together."""

    counts: dict[Key, int] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    withheld: set[Key] = field(default_factory=set)
    unlisted: set[Key] = field(default_factory=set)
    fixed: set[Key] = field(default_factory=set)

    def know(self, key: Key, count: int, withheld: bool) -> Key:
        """Add a count that another table has released or withheld."""
        self.counts[key] = count
        self.fixed.add(key)
        if withheld:
            self.withheld.add(key)
        return key

    def add(self, key: Key, count: int, profile: Profile, gone: bool = False) -> Key:
        """Add a count that these tables list; one that is known already stays as it is."""
        if key not in self.counts:
            self.counts[key] = count
            if gone or profile.is_small(count):
                self.withheld.add(key)
        return key

    def rest(self, total: Key, *parts: Key) -> Key:
        """Add what the parts leave of a total, which no table lists."""
        key = ("rest", total, parts)
        self.counts[key] = self.counts[total] - sum(self.counts[part] for part in parts)
        self.unlisted.add(key)
        self.relations.append(Relation(total, (*parts, key)))
        return key


def protect_responses(
    scales: Sequence[Record],
    items: Sequence[Record],
    completion: Sequence[Record],
    modes: Sequence[Record],
    known: Known,
    profile: Profile,
) -> frozenset[Key]:
    """Choose which counts of the four tables are withheld.

    Parameters
    ----------
    scales, items, completion, modes : sequence of dict
        With exact counts; needs and modes of few are put together already.
    known : Known
    profile : Profile

    Returns
    -------
    frozenset of key
        Those of `count_key`.
    """
    gone = set(_sizes_gone(completion, known, profile))
    places = dict.fromkeys(_place(row) for row in (*completion, *scales, *modes))
    for place in places:
        web = _Web()
        of_all = _add_completion(web, place, completion, known, gone, profile)
        _add_modes(web, of_all, _at(modes, place), place, profile)
        for scale in _at(scales, place):
            _add_items(web, of_all, scale, _at(items, place), known, profile)
        cells = Cells(
            counts=web.counts,
            relations=web.relations,
            withheld=web.withheld,
            unlisted=frozenset(web.unlisted),
            fixed=frozenset(web.fixed),
        )
        gone |= protect(cells, profile)
    return frozenset(gone)


def count_key(record: Record, part: str, of: str = "") -> Key:
    """Name a count: a part of a row of one of the four tables.

    Parameters
    ----------
    record : dict
        With ``outcome, wave, arm``.
    part : str
        Its column.
    of : str
        The need, mode or item of the row.
    """
    if part == "size":
        return ("size", text(record["arm"]), of)
    return ("response", *_place(record), part, of)


def _place(record: Record) -> Place:
    return text(record["outcome"]), text(record["wave"]), text(record["arm"])


def _at(records: Iterable[Record], place: Place) -> list[Record]:
    return [record for record in records if _place(record) == place]


def _sizes_gone(completion: Sequence[Record], known: Known, profile: Profile) -> frozenset[Key]:
    """Choose which sizes by need are withheld: the same in every outcome and wave."""
    sizes = {
        count_key(row, "size", text(row["need"])): whole(row["pupils"]) or 0 for row in completion
    }
    arms = dict.fromkeys(text(row["arm"]) for row in completion)
    fixed, withheld, relations = set(), set(), []
    for arm in arms:
        total: Key = ("size", arm, WHOLE)
        own = [key for key in sizes if key[1] == arm and key != total]  # type: ignore[index]
        if own:
            relations.append(Relation(total, tuple(own)))
        if arm in known.arms:
            fixed.add(total)
            withheld |= {total, *own} if known.arms[arm][1] else set()
    withheld |= {key for key, n in sizes.items() if profile.is_small(n) and key not in fixed}
    return protect(
        Cells(counts=sizes, relations=relations, withheld=withheld, fixed=frozenset(fixed)), profile
    )


def _add_completion(
    web: _Web,
    place: Place,
    completion: Sequence[Record],
    known: Known,
    gone: set[Key],
    profile: Profile,
) -> Key:
    """Add the rows of who answered; return the key of all who have a score."""
    rows = _at(completion, place)
    answered = whole(rows[0]["answered"]) if rows else None
    of_all: Key = ("response", *place, "answered", WHOLE)
    if place in known.scored:
        # Where arms are followed over time, those described are not those asked.
        if answered not in (None, known.scored[place][0]):
            of_all = ("scored", *place)
        web.know(of_all, *known.scored[place])
    reasons = known.missing.get(place, {})
    columns: dict[str, dict[str, Key]] = {part: {} for part in ("size", *PARTS)}
    arm_gone = any(count_key(row, "size", text(row["need"])) in gone for row in rows[:1])
    for row in rows:
        need = text(row["need"])
        size = count_key(row, "size", need)
        columns["size"][need] = web.know(size, whole(row["pupils"]) or 0, size in gone)
        parts = [part for part in PARTS if whole(row[part]) is not None]
        for part in parts:
            key, count = count_key(row, part, need), whole(row[part]) or 0
            told = reasons.get(_REASONS.get(part, ""))
            if need == WHOLE and told is not None and told[0] == count:
                web.know(key, *told)
            columns[part][need] = web.add(key, count, profile, gone=arm_gone)
        if web.counts[size] == sum(web.counts[columns[part][need]] for part in parts):
            web.relations.append(Relation(size, tuple(columns[part][need] for part in parts)))
    for keys in columns.values():
        own = tuple(key for need, key in keys.items() if need != WHOLE)
        if own and WHOLE in keys:
            web.relations.append(Relation(keys[WHOLE], own))
    others = [
        web.know(("missing", *place, reason), *told)
        for reason, told in reasons.items()
        if reason not in _REASONS.values()
    ]
    total = columns["other"].get(WHOLE)
    if others and total is not None and web.counts[total] == sum(web.counts[key] for key in others):
        web.relations.append(Relation(total, tuple(others)))
    return of_all


def _add_modes(
    web: _Web, of_all: Key, modes: Sequence[Record], place: Place, profile: Profile
) -> None:
    if not modes:
        return
    keys = [
        web.add(count_key(row, "mode", text(row["mode"])), whole(row["pupils"]) or 0, profile)
        for row in modes
    ]
    total = sum(web.counts[key] for key in keys)
    if web.counts.setdefault(of_all, total) == total:
        web.relations.append(Relation(of_all, tuple(keys)))


def _add_items(
    web: _Web,
    of_all: Key,
    scale: Record,
    items: Sequence[Record],
    known: Known,
    profile: Profile,
) -> None:
    """Add who answered every item, and each item: all are among those who answered any."""
    place = _place(scale)
    alone = place in known.lonely or (whole(scale["schools"]) or 0) < 2
    everyone: Key = ("respondents", *place)
    web.counts[everyone] = whole(scale["respondents"]) or 0
    web.unlisted.add(everyone)
    complete = web.add(
        count_key(scale, "complete"), whole(scale["pupils"]) or 0, profile, gone=alone
    )
    if of_all in web.counts and web.counts[everyone] >= web.counts[of_all]:
        few = web.rest(everyone, of_all)
        told: Key = ("missing", *place, "too few items answered")
        if web.counts.get(told) == web.counts[few]:
            web.relations.append(Relation(told, (few,)))
    above = of_all if web.counts.get(of_all, -1) >= web.counts[complete] else everyone
    web.rest(above, complete)
    firsts = first_alike(items)
    for item in (each for each in items if firsts[_counted(each)] == text(each["item"])):
        # Items of the same counts are taken as one, which hands the reader more than he has.
        counts = (whole(item["pupils"]) or 0, whole(item["missing"]) or 0)
        given, lacking = (
            web.add(item_key(item, part, firsts), count, profile, gone=alone)
            for part, count in zip(("given", "missing"), counts, strict=True)
        )
        web.relations.append(Relation(everyone, (given, lacking)))
        web.rest(given, complete)


def first_alike(items: Iterable[Record]) -> dict[Key, str]:
    """Find of the items with the same counts, in one arm at one wave, the first.

    Parameters
    ----------
    items : iterable of dict

    Returns
    -------
    dict
        For `item_key`.
    """
    firsts: dict[Key, str] = {}
    for item in items:
        firsts.setdefault(_counted(item), text(item["item"]))
    return firsts


def item_key(item: Record, part: str, firsts: Mapping[Key, str]) -> Key:
    """Name a count of an item: given or missing.

    Parameters
    ----------
    item : dict
    part : str
    firsts : mapping
        From `first_alike`.
    """
    return count_key(item, part, firsts[_counted(item)])


def _counted(item: Record) -> Key:
    return (*_place(item), whole(item["pupils"]), whole(item["missing"]))

"""How many lack a value, and why: released as counts whose margins tell no more than rounding."""

from __future__ import annotations

from collections.abc import Iterable

from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.rounding import round_count
from baseeval.disclosure.shapes import SUPPRESSED, text, whole


def release_missing(
    records: list[Record], profile: Profile, lone: frozenset[str] = frozenset()
) -> list[Record]:
    """Withhold and round the counts of a table of missing values.

    Parameters
    ----------
    records : list of dict
        Rows of `role, name, wave, arm, pupils, missing, reason` with exact
        counts, `pupils` being those of the arm. Who has the value is worked
        out by difference and is protected as well.
    profile : Profile
    lone : frozenset of str
        Arms whose pupils are of one school, whatever their number.

    Returns
    -------
    list of dict
        `status` says suppressed where a count is withheld. Such rows of one
        variable, wave and arm become one without a reason: that a reason is
        named, or none, would tell whether the count is zero.
    """
    arms = _pupils_withheld(records, profile, lone)
    gone: set[Key] = set()
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, record in enumerate(records):
        groups.setdefault(_texts(record, "role", "name", "wave"), []).append(i)
    for places in groups.values():
        gone |= protect(_cells({i: records[i] for i in places}, arms, profile), profile)
    released: dict[Key, Record] = {}
    for i, record in enumerate(records):
        row = _released(record, _arm(record) in arms, i in gone, profile)
        same = (*_texts(row, "role", "name", "wave", "arm", "status"), row["pupils"])
        released.setdefault(same if row["status"] else i, row)
    return list(released.values())


def _released(record: Record, arm_gone: bool, missing_gone: bool, profile: Profile) -> Record:
    missing_gone = missing_gone or arm_gone
    pupils, missing = whole(record["pupils"]), whole(record["missing"])
    return record | {
        "pupils": None if arm_gone or pupils is None else round_count(pupils, profile.base),
        "missing": None if missing_gone or missing is None else round_count(missing, profile.base),
        "reason": "" if missing_gone else record["reason"],
        "status": SUPPRESSED if missing_gone else "",
    }


def _texts(record: Record, *columns: str) -> tuple[str, ...]:
    return tuple(text(record[column]) for column in columns)


def _arm(record: Record) -> Key:
    """Name the count of pupils that a row repeats: one for all rows of an arm at a wave."""
    return (*_texts(record, "wave", "arm"), whole(record["pupils"]))


def _pupils_withheld(
    records: Iterable[Record], profile: Profile, lone: frozenset[str]
) -> frozenset[Key]:
    """Which arms' sizes are withheld."""
    counts: dict[Key, int] = {}
    arm_of: dict[Key, str] = {}
    waves: dict[str, dict[bool, list[Key]]] = {}
    for record in records:
        key, count = _arm(record), whole(record["pupils"])
        if count is None or key in counts:
            continue
        counts[key], arm_of[key] = count, text(record["arm"])
        wave = waves.setdefault(text(record["wave"]), {True: [], False: []})
        wave[text(record["arm"]) == WHOLE].append(key)
    relations = [Relation(t, tuple(w[False])) for w in waves.values() for t in w[True]]
    small = {key for key, count in counts.items() if profile.is_small(count) or arm_of[key] in lone}
    return protect(Cells(counts=counts, relations=relations, withheld=small), profile)


def _cells(rows: dict[int, Record], arms: frozenset[Key], profile: Profile) -> Cells:
    """Gather the counts of one variable at one wave, by arm and reason."""
    counts: dict[Key, int] = {}
    pupils: dict[Key, int] = {}
    by_arm: dict[Key, list[Key]] = {}
    by_reason: dict[str, dict[bool, list[Key]]] = {}
    for i, row in rows.items():
        missing, size = whole(row["missing"]), whole(row["pupils"])
        if missing is None:
            continue
        counts[i] = missing
        reason = by_reason.setdefault(text(row["reason"]), {True: [], False: []})
        reason[text(row["arm"]) == WHOLE].append(i)
        if size is not None:
            pupils[_arm(row)] = size
            by_arm.setdefault(_arm(row), []).append(i)
    relations = [Relation(t, tuple(r[False])) for r in by_reason.values() for t in r[True]]
    withheld = {key for key, count in counts.items() if profile.is_small(count)}
    present: dict[Key, int] = {}
    for arm, parts in by_arm.items():
        rest = pupils[arm] - sum(counts[part] for part in parts)
        if rest < 0:
            continue
        present["present", arm] = rest
        relations.append(Relation(arm, (*parts, ("present", arm))))
        if arm in arms:
            withheld |= {*parts}
    return Cells(
        counts=counts | pupils | present,
        relations=relations,
        withheld=withheld | (arms & set(pupils)),
        unlisted=frozenset(present),
        fixed=frozenset(pupils),
    )

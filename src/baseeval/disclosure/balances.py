"""Balance and overlap, released: no level of a category is read off the others."""

from __future__ import annotations

import math

from baseeval.disclosure.estimates import must_withhold
from baseeval.disclosure.flows import Record
from baseeval.disclosure.overlaps import SIDES, key_of, release_overlap
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.rounding import (
    DECIMALS,
    count_behind,
    released_share,
    significant,
)
from baseeval.disclosure.shapes import BALANCE_NUMBERS, SUPPRESSED, number, text, whole

_COMPARISONS = tuple(name for name in BALANCE_NUMBERS.split() if not name.startswith("mean_"))


def release_balance(
    records: list[Record], overlap: list[Record], profile: Profile
) -> tuple[list[Record], list[Record]]:
    """Withhold what rests on few; recompute shares from rounded counts.

    Parameters
    ----------
    records : list of dict
        Rows of the balance table with `n_first, n_second`, pupils of each arm
        in the design, and `count_first, count_second`, pupils at the level of
        a category, missing for a number.
    overlap : list of dict
        One row a contrast, design and estimand.
    profile : Profile

    Returns
    -------
    balance, overlap : list of dict
    """
    about = {key_of(row): row for row in overlap}
    counts = [_level_counts(record) for record in records]
    gone = {
        i
        for i, record in enumerate(records)
        if _arms_small(record, about.get(key_of(record)), profile)
        or any(_level_small(c, n, profile) for c, n in counts[i])
    }
    gone |= _tied(records, counts, gone, profile)
    balance = [
        record | dict.fromkeys(BALANCE_NUMBERS.split()) | {"status": SUPPRESSED}
        if i in gone
        else _rounded(record, counts[i], profile) | {"status": ""}
        for i, record in enumerate(records)
    ]
    return balance, [release_overlap(row, balance, profile) for row in overlap]


def _level_counts(record: Record) -> list[tuple[int | None, int]]:
    """Pupils at the level, and of the arm, on each side; None where the row is of a number.

    A number that is 0 or 1 is a category: its means are shares of whole
    pupils, or differ by just the Kolmogorov-Smirnov distance.
    """
    sizes = [whole(record[f"n_{side}"]) or 0 for side in SIDES]
    given = [whole(record[f"count_{side}"]) for side in SIDES]
    means = [number(record[f"mean_{side}_before"]) for side in SIDES]
    if None in given and all(0 <= mean <= 1 for mean in means):
        given = [count_behind(mean, size) for mean, size in zip(means, sizes, strict=True)]
        if math.isclose(abs(means[0] - means[1]), number(record["ks_before"]), abs_tol=1e-9):
            given = [round(mean * size) for mean, size in zip(means, sizes, strict=True)]
    return [(None if None in given else c, n) for c, n in zip(given, sizes, strict=True)]


def _arms_small(record: Record, about: Record | None, profile: Profile) -> bool:
    schools = {f"schools_{side}": about and about[f"schools_{side}"] for side in SIDES}
    return must_withhold(record | schools, profile)


def _level_small(count: int | None, pupils: int, profile: Profile) -> bool:
    """Few at the level, few outside it, or the whole arm at it."""
    if count is None:
        return False
    return profile.is_small(count) or 0 < count > pupils - profile.threshold


def _tied(
    records: list[Record],
    counts: list[list[tuple[int | None, int]]],
    gone: set[int],
    profile: Profile,
) -> set[int]:
    """Levels to withhold because the others of their category would give one away.

    Standardised differences tell more than rounded counts do, so the attacker
    is handed the exact counts of the levels that leave and of the arm.
    """
    categories: dict[tuple[str, ...], list[int]] = {}
    for i, record in enumerate(records):
        if counts[i][0][0] is not None:
            name = (*key_of(record), text(record["covariate"]))
            categories.setdefault(name, []).append(i)
    more: set[int] = set()
    for levels in categories.values():
        while True:
            found = set(more)
            for side in range(len(SIDES)):
                out = gone | more
                found |= _tied_on_one_side({i: counts[i][side] for i in levels}, out, profile)
            if found == more:
                break
            more = found
    return more


def _tied_on_one_side(
    levels: dict[int, tuple[int | None, int]], gone: set[int], profile: Profile
) -> set[int]:
    sizes: dict[Key, int] = {i: count or 0 for i, (count, _) in levels.items()}
    arm = max(n for _, n in levels.values())
    rest = arm - sum(sizes.values())
    unlisted: dict[Key, int] = {"rest": rest} if rest > 0 else {}
    cells = Cells(
        counts=sizes | unlisted | {"arm": arm},
        relations=[Relation("arm", (*sizes, *unlisted))],
        withheld=[i for i in sizes if i in gone],
        unlisted=frozenset(unlisted),
        fixed=frozenset({"arm"}),
        base=1,
    )
    hidden = protect(cells, profile)
    return {i for i in levels if i in hidden and i not in gone}


def _rounded(record: Record, counts: list[tuple[int | None, int]], profile: Profile) -> Record:
    released = dict(record)
    for side, (count, pupils) in zip(SIDES, counts, strict=True):
        for when in ("before", "after"):
            name = f"mean_{side}_{when}"
            mean = number(record[name])
            if math.isfinite(mean):
                share = count is not None
                released[name] = (
                    released_share(mean, pupils, profile.base) if share else significant(mean)
                )
    for name in _COMPARISONS:
        released[name] = round(number(record[name]), DECIMALS)
    return released

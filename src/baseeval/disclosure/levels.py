"""Levels of a category of which too few have one, or that others would give away."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect

#: Pupils of a group at the level, and of the group; the first is None for a number.
Held = tuple[int | None, int]


def is_level_small(held: Held, profile: Profile) -> bool:
    """Tell whether few of a group are at a level, few outside it, or all at it.

    Parameters
    ----------
    held : (int or None, int)
        Pupils at the level, and of the group; None passes.
    profile : Profile

    Returns
    -------
    bool
    """
    count, pupils = held
    if count is None:
        return False
    return profile.is_small(count) or 0 < count > pupils - profile.threshold


def tied_levels(
    categories: Sequence[tuple[str, ...]],
    counts: Sequence[Sequence[Held]],
    gone: Collection[int],
    profile: Profile,
) -> set[int]:
    """Find levels to withhold because the others of their category would give one away.

    Standardised differences tell more than rounded counts do, so the attacker
    is handed the exact counts of the levels that leave and of the group.

    Parameters
    ----------
    categories : sequence of tuple of str
        What rows of one category share, for each row.
    counts : sequence of sequence of (int or None, int)
        For each row, each group's pupils at the level and in all.
    gone : collection of int
        Rows that are withheld for their own sake.
    profile : Profile

    Returns
    -------
    set of int
        Further rows.
    """
    levels_of: dict[tuple[str, ...], list[int]] = {}
    for i, name in enumerate(categories):
        if counts[i] and counts[i][0][0] is not None:
            levels_of.setdefault(name, []).append(i)
    more: set[int] = set()
    for levels in levels_of.values():
        while True:
            found = set(more)
            for side in range(len(counts[levels[0]])):
                out = set(gone) | more
                found |= _tied_in_one({i: counts[i][side] for i in levels}, out, profile)
            if found == more:
                break
            more = found
    return more


def _tied_in_one(levels: dict[int, Held], gone: set[int], profile: Profile) -> set[int]:
    sizes: dict[Key, int] = {i: count or 0 for i, (count, _) in levels.items()}
    group = max(n for _, n in levels.values())
    rest = group - sum(sizes.values())
    unlisted: dict[Key, int] = {"rest": rest} if rest > 0 else {}
    cells = Cells(
        counts=sizes | unlisted | {"group": group},
        relations=[Relation("group", (*sizes, *unlisted))],
        withheld=[i for i in sizes if i in gone],
        unlisted=frozenset(unlisted),
        fixed=frozenset({"group"}),
        base=1,
    )
    hidden = protect(cells, profile)
    return {i for i in levels if i in hidden and i not in gone}

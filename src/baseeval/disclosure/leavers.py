"""Which differences between those lost and those who stayed would tell of a few pupils.

The reader is handed more than he has: how many of an arm were lost and how
many stayed, how many have each level of a category, and the exact counts
behind every difference that leaves.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.shapes import number, text, whole

_SIDES = ("n_stayed", "n_lost")
Sizes = tuple[int, int]


def few_behind(records: list[Record], profile: Profile) -> frozenset[int]:
    """Find the differences to withhold.

    Parameters
    ----------
    records : list of dict
        Rows of `wave, arm, covariate, level, n_stayed, n_lost, smd`, with those
        of each arm among them.
    profile : Profile

    Returns
    -------
    frozenset of int
        Places of rows that rest on few pupils, or that would give such a row away.
    """
    arms: dict[tuple[str, str], Sizes] = {}
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i, record in enumerate(records):
        wave, arm, name = (text(record[key]) for key in ("wave", "arm", "covariate"))
        if name:
            groups.setdefault((wave, arm, name), []).append(i)
        else:
            arms[wave, arm] = _sizes(record)
    few: set[int] = set()
    for (wave, arm, _), places in groups.items():
        rows = {i: records[i] for i in places}
        if any(text(row["level"]) for row in rows.values()):
            few |= _few_levels(
                {i: _sizes(row) for i, row in rows.items()}, arms[wave, arm], profile
            )
        else:
            few |= {i for i, row in rows.items() if _few_of_a_number(row, profile)}
    return frozenset(few | _totals(records, few))


def _sizes(record: Record) -> Sizes:
    stayed, lost = (whole(record[side]) or 0 for side in _SIDES)
    return stayed, lost


def _few_levels(levels: dict[int, Sizes], arm: Sizes, profile: Profile) -> set[int]:
    """Levels that few have or few lack, then others until none of those can be worked out."""
    few = {
        i
        for i, counts in levels.items()
        if any(
            n < profile.threshold or n > of - profile.threshold
            for n, of in zip(counts, arm, strict=True)
        )
    }
    found: set[int] = set()
    while found != few:
        found = few
        hidden = protect(_level_cells(levels, arm, few), profile)
        few = few | {i for i in levels for side in _SIDES if (i, side) in hidden}
    return few


def _level_cells(levels: dict[int, Sizes], arm: Sizes, gone: set[int]) -> Cells:
    """Gather who stayed and who was lost at each level; the sums of both are known."""
    counts: dict[Key, int] = {(i, side): n for i in levels for side, n in _by_side(levels[i])}
    totals: dict[Key, int] = {("level", i): sum(sizes) for i, sizes in levels.items()}
    ends: dict[Key, int] = {("arm", side): n for side, n in _by_side(arm)}
    rest: dict[Key, int] = {}
    relations = [Relation(("level", i), tuple((i, side) for side in _SIDES)) for i in levels]
    for side in _SIDES:
        parts: list[Key] = [(i, side) for i in levels]
        unknown = ends["arm", side] - sum(counts[part] for part in parts)
        if unknown > 0:
            rest["unknown", side] = unknown
            parts.append(("unknown", side))
        relations.append(Relation(("arm", side), tuple(parts)))
    return Cells(
        counts=counts | totals | ends | rest,
        relations=relations,
        withheld=[(i, side) for i in gone for side in _SIDES],
        unlisted=frozenset(rest),
        fixed=frozenset({*totals, *ends}),
        base=1,
    )


def _by_side(sizes: Sizes) -> list[tuple[str, int]]:
    return list(zip(_SIDES, sizes, strict=True))


def _few_of_a_number(record: Record, profile: Profile) -> bool:
    """Few pupils, or a number that may be a yes or no with few on one side of it."""
    sizes, smd = _sizes(record), number(record["smd"])
    if min(sizes) < profile.threshold or not math.isfinite(smd) or smd == 0:  # 0: all alike
        return True
    stayed, lost = (np.arange(n + 1) for n in sizes)
    edges = [
        np.unique(np.r_[n[: profile.threshold], n[-profile.threshold :]]) for n in (stayed, lost)
    ]
    return bool(_fits(edges[0], lost, sizes, smd) or _fits(stayed, edges[1], sizes, smd))


def _fits(stayed: NDArray[np.int_], lost: NDArray[np.int_], sizes: Sizes, smd: float) -> bool:
    """Tell whether a yes or no with some of these counts of yes has this difference."""
    one, two = stayed[:, None], lost[None, :]
    everyone = sum(sizes)
    share = (one + two) / everyone
    spread = np.sqrt(share * (1 - share) * everyone / (everyone - 1))
    apart = two / sizes[1] - one / sizes[0]
    return bool(np.any((spread > 0) & (np.abs(apart - smd * spread) <= 1e-9)))


def _totals(records: list[Record], few: set[int]) -> set[int]:
    """Differences of all arms together, where that of one of the arms is withheld."""
    keys = {
        i: tuple(text(r[key]) for key in ("wave", "covariate", "level"))
        for i, r in enumerate(records)
    }
    hidden = {keys[i] for i in few}
    return {
        i
        for i, r in enumerate(records)
        if text(r["arm"]) == WHOLE and keys[i] in hidden and keys[i][1]
    }

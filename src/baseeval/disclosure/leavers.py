"""Which differences between those lost and those who stayed would tell of a few pupils.

The reader is handed more than he has: how many of an arm were lost, how many
stayed, and the exact counts behind every difference that leaves.
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
    while True:
        found = set(few)
        for side in range(len(_SIDES)):
            counts: dict[Key, int] = {i: sizes[side] for i, sizes in levels.items()}
            few |= {i for i in levels if i in _tied(counts, arm[side], few, profile)}
        if found == few:
            return few


def _tied(counts: dict[Key, int], arm: int, gone: set[int], profile: Profile) -> frozenset[Key]:
    """Withhold levels because the others, and who has no level, would give one of them away."""
    unknown = arm - sum(counts.values())
    rest: dict[Key, int] = {"unknown": unknown} if unknown > 0 else {}
    cells = Cells(
        counts=counts | rest | {"arm": arm},
        relations=[Relation("arm", (*counts, *rest))],
        withheld=gone,
        unlisted=frozenset(rest),
        fixed=frozenset({"arm"}),
        base=1,
    )
    return protect(cells, profile)


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

"""Greedy nearest-neighbour matching on a score, with MatchIt's order and tie rules.

Within a stratum the controls are sorted by score. The nearest control left for a
treated unit is the next free one on either side of it, which pointers that skip
the taken ones find in near constant time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def match_nearest(
    score: Floats,
    treated: NDArray[np.bool_],
    order: Ints,
    strata: Ints,
    *,
    ratio: int = 1,
    replace: bool = False,
    caliper: float = np.inf,
) -> Ints:
    """Pair each treated row with its nearest controls.

    Parameters
    ----------
    score : ndarray, shape (n,)
    treated : ndarray of bool, shape (n,)
    order : ndarray of int, shape (t,)
        Treated rows in the order in which they choose.
    strata : ndarray of int, shape (n,)
        Rows are paired only within a stratum.
    ratio : int
        Controls a treated row may have; all choose once before any chooses again.
    replace : bool
        Whether a control may serve more than one treated row.
    caliper : float
        Largest allowed difference of scores.

    Returns
    -------
    ndarray of int, shape (m, 2)
        Treated row and control row, by round and then by order. Of two controls
        equally near, one on each side, the one of the lower score is taken; of
        several with one score, the one next to the treated row in the order of
        (score, row).

    Examples
    --------
    >>> score = np.array([0.5, 0.1, 0.45, 0.9])
    >>> treated = np.array([True, False, False, False])
    >>> match_nearest(score, treated, np.array([0]), np.zeros(4, dtype=np.intp)).tolist()
    [[0, 2]]
    """
    lines = {}
    for stratum in np.unique(strata[order]):
        lines[stratum] = _Line(score, np.flatnonzero(strata == stratum), treated, replace)
    pairs = []
    choosing = list(order)
    for _ in range(ratio):
        lucky = []
        for row in choosing:
            found = lines[strata[row]].nearest(row, score[row], caliper)
            if found >= 0:
                pairs.append((row, found))
                lucky.append(row)
        choosing = lucky
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


class _Line:
    """The controls of one stratum along the score, with those taken skipped."""

    def __init__(
        self, score: Floats, rows: Ints, treated: NDArray[np.bool_], replace: bool
    ) -> None:
        ranked = rows[np.argsort(score[rows], kind="stable")]
        is_control = ~treated[ranked]
        self.controls = ranked[is_control]
        self.scores = score[self.controls]
        before: Ints = np.cumsum(is_control) - is_control
        gaps = dict(zip(ranked.tolist(), before.tolist(), strict=True))
        size = len(self.controls)
        self.replace = replace
        # Slot k + 1 is control k; slots 0 and size + 1 are the two ends.
        self.left = list(range(size + 2))
        self.right = list(range(size + 2))
        self.reach = {row: [gap, gap + 1] for row, gap in gaps.items()}
        self.size = size

    def nearest(self, row: int, at: float, caliper: float) -> int:
        """Return the nearest control left for a treated row, and take it; -1 if none."""
        reach = self.reach[row]
        low, high = _root(self.left, reach[0]), _root(self.right, reach[1])
        far = np.inf
        down = at - self.scores[low - 1] if low > 0 else far
        up = self.scores[high - 1] - at if high <= self.size else far
        if min(down, up) > caliper or min(down, up) == far:
            return -1
        slot = low if down <= up else high
        if self.replace:
            # Its own next choices lie beyond; other rows still see the control.
            reach[0 if slot == low else 1] += -1 if slot == low else 1
        else:
            self.left[slot], self.right[slot] = slot - 1, slot + 1
        return int(self.controls[slot - 1])


def _root(pointers: list[int], slot: int) -> int:
    """Follow pointers to the first free slot, shortening the path on the way."""
    root = slot
    while pointers[root] != root:
        root = pointers[root]
    while pointers[slot] != root:
        pointers[slot], slot = root, pointers[slot]
    return root

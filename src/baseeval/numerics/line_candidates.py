"""The controls along a score as each chooser sees them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.score_line import ScoreLine

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How many slots are looked at together: at first, and at most.
_FEW, _MANY = 16, 4096


class LineCandidates:
    """Candidates along a score; places are slots of the line.

    Of two equally near, one on each side, the lower goes first; of several with
    one score, the one next to the chooser in the order of (score, row).

    Parameters
    ----------
    line : ScoreLine
    score : ndarray, shape (n,)
    choosers : ndarray of int, shape (t,)
        Rows, as they are numbered.
    caliper : float
        The largest difference of scores; finite.
    reuse : float
        How many choosers a control may serve; infinity for any number.
    restrictions : Restrictions
    """

    def __init__(
        self,
        line: ScoreLine,
        score: Floats,
        choosers: Ints,
        *,
        caliper: float,
        reuse: float,
        restrictions: Restrictions,
    ) -> None:
        self._rows, self._points = line.rows, line.points.data
        self._choosers = choosers.tolist()
        self._at = score[choosers].tolist()
        self._caliper, self._reuse, self._restrictions = caliper, reuse, restrictions
        self._uses: Counter[int] = Counter()
        self._taken = np.zeros(len(line.rows), dtype=bool)
        # From a slot that is taken to one nearer the end, on either side.
        self._below: dict[int, int] = {}
        self._above: dict[int, int] = {}
        # Where a chooser looks next on either side. It never turns back: whoever stands nearer
        # is taken, may not be its partner, or is already.
        gaps = line.gaps_of(choosers)
        self._low, self._high = (gaps - 1).tolist(), gaps.tolist()

    def nearest(self, chooser: int) -> tuple[float, int]:
        """Return the distance and the slot of the nearest one left; slot -1 for none."""
        at = self._at[chooser]
        low = _follow(self._below, self._low[chooser])
        high = _follow(self._above, self._high[chooser])
        if self._restrictions.any:
            low, high = self._seek_down(chooser, low), self._seek_up(chooser, high)
        self._low[chooser], self._high[chooser] = low, high
        down, up = at - self._points[low], self._points[high] - at
        distance, slot = (down, low) if down <= up else (up, high)
        return (distance, slot) if distance <= self._caliper else (np.inf, -1)

    def take(self, chooser: int, place: int) -> None:
        """Give the control in a slot to a chooser."""
        if place == self._low[chooser]:
            self._low[chooser] -= 1
        else:
            self._high[chooser] += 1
        self._uses[place] += 1
        if self._uses[place] >= self._reuse:
            self._taken[place] = True
            self._below[place], self._above[place] = place - 1, place + 1

    def _seek_down(self, chooser: int, slot: int) -> int:
        """Return the next slot downwards whose control is free and allowed, or the end."""
        size = _FEW
        while self._rows[slot] >= 0 and self._at[chooser] - self._points[slot] <= self._caliper:
            first = max(slot + 1 - size, 0)
            hits = self._hits(chooser, first, slot + 1)
            if len(hits):
                return first + int(hits[-1])
            slot, size = first - 1, min(2 * size, _MANY)
        return slot

    def _seek_up(self, chooser: int, slot: int) -> int:
        """Return the next slot upwards whose control is free and allowed, or the end."""
        size = _FEW
        while self._rows[slot] >= 0 and self._points[slot] - self._at[chooser] <= self._caliper:
            hits = self._hits(chooser, slot, slot + size)
            if len(hits):
                return slot + int(hits[0])
            slot, size = slot + size, min(2 * size, _MANY)
        return slot

    def _hits(self, chooser: int, first: int, end: int) -> Ints:
        """Return which slots of a block stop the search: ends, and whoever may be taken."""
        rows = self._rows[first:end]
        allowed = self._restrictions.allow(self._choosers[chooser], rows)
        return np.flatnonzero((allowed & ~self._taken[first:end]) | (rows < 0))


def _follow(pointers: dict[int, int], slot: int) -> int:
    """Follow pointers to the first slot that is not taken, shortening the path on the way."""
    after = pointers.get(slot)
    while after is not None:
        further = pointers.get(after)
        if further is not None:
            pointers[slot] = further
        slot, after = after, further
    return slot

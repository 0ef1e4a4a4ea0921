"""Optimal matching along a score, in the time of a sort.

On a line, partners are a flow: with F units passing a gap between neighbouring scores, that gap
costs |F| times its width. Let V(F) be the least cost of all to the left of a place that sends F on
to its right; it is convex, so its steps, in rising order, say all. Passing a gap of width g adds g
to the steps above zero and -g to those below; a slot adds a step of minus its penalty, a row of the
second side one of what being taken saves. Two heaps, of the steps below and above zero, hold V, and
the last step of each row says what becomes of it (Karp and Li 1975,
doi:10.1016/0012-365X(75)90065-8, have the problem; the steps are the slope trick).

Prices are a function along the line that changes no faster than the score, and exactly as fast
where a flow passes: two running minima. They prove the answer, whatever led to it.
"""

from __future__ import annotations

from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.optimal import Filled, judge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]


def fill_line(first: Floats, second: Floats, penalties: Floats, saved: Floats) -> Filled:
    """Fill the slots of one side of a line from the other at the least cost.

    Parameters
    ----------
    first, second : ndarray, shape (f,), (s,)
        Scores; a pair costs their distance less what the second saves.
    penalties : ndarray, shape (f, k)
        What each empty slot of a row costs; falling along each row.
    saved : ndarray, shape (s,)
        What is saved when a row of the second side is taken.

    Returns
    -------
    Filled

    Examples
    --------
    >>> first, second = np.array([0.0, 1.0]), np.array([1.0, 3.0])
    >>> found = fill_line(first, second, np.full((2, 1), 9.0), np.zeros(2))
    >>> found.second.tolist(), float(found.cost.sum()), found.certified
    ([0, 1], 3.0, True)
    """
    f = len(first)
    order = np.argsort(np.concatenate([first, second]), kind="stable")
    score = np.concatenate([first, second])[order]
    filled, taken = _flow(order, score, penalties, saved)
    rows = order[order < f]
    one = np.repeat(rows, filled[rows])
    two = order[order >= f] - f
    two = two[taken[two]]
    cost = np.abs(first[one] - second[two]) - saved[two]
    prices = _prices(order, score, filled, taken, penalties, saved)
    values = _reach(first, second, prices - saved)
    return judge(one, two, cost, prices, values, penalties)


def _flow(order: Ints, score: Floats, penalties: Floats, saved: Floats) -> tuple[Ints, Flags]:
    """Say how many slots of each first row are filled, and which second rows are taken."""
    f, k = penalties.shape
    below: list[tuple[float, int]] = []  # steps below zero, the largest first, so negated
    above: list[tuple[float, int]] = []
    origin, slots, save = float(score[0]), penalties.tolist(), saved.tolist()
    # All gaps so far have moved steps below zero down, and those above up, by the same `shift`:
    # each is held as it would stand at the origin.
    for row, at in zip(order.tolist(), score.tolist(), strict=True):
        shift = at - origin
        if row < f:
            for slot, penalty in enumerate(slots[row]):
                step, who = heappushpop(below, (penalty - shift, row * k + slot))
                heappush(above, (-step - shift - shift, who))
        else:
            step, who = heappushpop(above, (save[row - f] - shift, -1 - (row - f)))
            heappush(below, (-step - shift - shift, who))
    filled = np.zeros(f, dtype=np.intp)
    kept = np.array([who for _, who in below], dtype=np.intp)
    np.add.at(filled, kept[kept >= 0] // k, 1)
    taken = np.ones(len(saved), dtype=bool)
    taken[-1 - kept[kept < 0]] = False
    return filled, taken


def _prices(
    order: Ints, score: Floats, filled: Ints, taken: Flags, penalties: Floats, saved: Floats
) -> Floats:
    """Find the greatest function along the line that the flow allows, and prices from it."""
    f = len(filled)
    mine = order < f
    rows, others = order[mine], order[~mine] - f
    flow, most = np.empty(len(order)), np.empty(len(order))
    flow[mine], flow[~mine] = filled[rows], -taken[others].astype(float)
    most[mine] = penalties[rows, np.maximum(filled[rows] - 1, 0)]
    most[~mine] = np.where(taken[others], np.inf, -saved[others])
    passing, gap = np.cumsum(flow)[:-1], np.diff(score)
    there = np.append(0.0, np.cumsum(np.where(passing > 0, -gap, gap)))
    back = np.append(np.cumsum(np.where(passing < 0, -gap, gap)[::-1])[::-1], 0.0)
    found = np.minimum(
        there + np.minimum.accumulate(most - there),
        back + np.minimum.accumulate((most - back)[::-1])[::-1],
    )
    prices = np.zeros(len(saved))
    prices[others] = np.maximum(found[~mine] + saved[others], 0.0)
    return prices


def _reach(first: Floats, second: Floats, level: Floats) -> Floats:
    """Return each first row's least distance plus level over the whole second side."""
    order = np.argsort(second, kind="stable")
    held, level = second[order], level[order]
    below = np.append(np.inf, np.minimum.accumulate(level - held))
    above = np.append(np.minimum.accumulate((level + held)[::-1])[::-1], np.inf)
    low = first + below[np.searchsorted(held, first, side="right")]
    high = above[np.searchsorted(held, first, side="left")] - first
    least: Floats = np.minimum(low, high)
    return least


def nearest_on_line(first: Floats, second: Floats) -> tuple[Floats, Ints]:
    """Return how far each row's nearest is, and which that is.

    Parameters
    ----------
    first, second : ndarray, shape (f,), (s,)
        Scores; the second side is not empty.

    Returns
    -------
    distance : ndarray, shape (f,)
    place : ndarray of int, shape (f,)
        Position in `second`.

    Examples
    --------
    >>> nearest_on_line(np.array([0.4]), np.array([1.0, 0.0]))[1].tolist()
    [1]
    """
    order = np.argsort(second, kind="stable")
    held = second[order]
    right = np.minimum(np.searchsorted(held, first), len(held) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(np.abs(first - held[left]) <= np.abs(held[right] - first), left, right)
    return np.abs(first - held[nearer]), order[nearer]

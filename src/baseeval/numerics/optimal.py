"""Pairs of least total cost, proven so, without ever listing all pairs.

The least cost is first found along a short list of arcs. Prices for the second side then bound
the cost over *all* pairs from below (the dual of the linear program): with q >= 0 and
v_i = min_j (c_ij + q_j) over every j that i may have,

    cost >= sum_i sum_s min(v_i, m_is) - sum_j q_j

where m_is is the penalty of i's empty slot s. Where bound and cost meet, nothing is better; until
they do, the pairs that prices speak for join the list (column generation: Ford and Fulkerson 1958,
doi:10.1287/mnsc.5.1.97). The proof rests on the last pass over all pairs alone, whatever led there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.slot_assignment import Arcs, assign_slots, price_arcs

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How far cost and bound may lie apart in an answer that is called proven: a share of the cost,
#: or of one where the cost is smaller.
PROOF = 1e-8

#: Problems of no more pairs than this are solved along all of them.
_SMALL = 250_000

#: Cheapest arcs of a row that join the list in a round, besides some ever dearer ones.
_FEW = 20

_MOST_ROUNDS = 200
_ROUNDING = 1e-13


class Costs(Protocol):
    """What every pair costs, in blocks; infinite where it may not be made."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many rows the two sides have."""

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield some rows of the first side and their costs with all of the second."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Pairs of least cost, and the proof.

    Parameters
    ----------
    first, second : ndarray of int, shape (m,)
        Positions of partners.
    cost : ndarray, shape (m,)
    prices : ndarray, shape (s,)
        Not negative.
    values : ndarray, shape (f,)
        The least of cost and price over all that a row may have; infinite where
        there is nobody.
    gap : float
        Cost, with the penalties of empty slots, less its bound.
    """

    first: Ints
    second: Ints
    cost: Floats
    prices: Floats
    values: Floats
    gap: float

    @property
    def certified(self) -> bool:
        """Say whether the bound proves that no pairs cost less."""
        return self.gap <= PROOF * max(1.0, abs(math.fsum(self.cost)))


def fill_slots(costs: Costs, penalties: Floats) -> Filled:
    """Fill the slots of the first side from the second at the least cost.

    Parameters
    ----------
    costs : Costs
    penalties : ndarray, shape (f, k)
        What each empty slot of a row costs; falling along each row. A row of the
        second side fills one slot or none.

    Returns
    -------
    Filled
        Its `certified` says whether the optimum was proven.

    Examples
    --------
    >>> from baseeval.numerics.pair_costs import PairCosts
    >>> points = np.array([[1.0], [2.0], [2.0], [4.0]])
    >>> costs = PairCosts(points, np.array([0, 1]), np.array([2, 3]))
    >>> found = fill_slots(costs, np.full((2, 1), 9.0))
    >>> float(found.cost.sum()), found.certified
    (3.0, True)
    """
    arcs = _first_arcs(costs, penalties)
    if not len(arcs.code):
        nobody = np.empty(0, dtype=np.intp)
        alone = np.full(len(penalties), np.inf)
        return judge(nobody, nobody, np.empty(0), np.zeros(arcs.size), alone, penalties)
    best: Filled | None = None
    for _ in range(_MOST_ROUNDS):
        taken = assign_slots(arcs, penalties)
        prices = price_arcs(arcs, taken, penalties)
        values, code, cost = _look_at_all(costs, arcs, prices, penalties)
        first, second = arcs.first[taken], arcs.second[taken]
        found = judge(first, second, arcs.cost[taken], prices, values, penalties)
        best = found if best is None or found.gap < best.gap else best
        if found.gap <= 0.01 * PROOF or not len(code):
            break
        arcs = arcs.plus(code, cost)
    return best or found


def _first_arcs(costs: Costs, penalties: Floats) -> Arcs:
    """List the cheapest pairs of every row, and pairs that fill every slot if greed can."""
    f, s = costs.shape
    k, small = penalties.shape[1], f * s <= _SMALL
    free = np.ones(s, dtype=bool)
    codes, found = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for part, cost in costs.blocks():
        cost = np.where(cost < penalties[part, :1], cost, np.inf)
        chosen = np.isfinite(cost)
        if not small:
            chosen &= _among_cheapest(cost, _FEW + k - 1)
            for place, row in enumerate(cost):
                left = np.where(free, row, np.inf)
                greedy = np.argpartition(left, k - 1)[:k] if k < s else np.arange(s)
                greedy = greedy[np.isfinite(left[greedy])]
                free[greedy] = False
                chosen[place, greedy] = True
        row, column = np.nonzero(chosen)
        codes.append((part.start + row).astype(np.int64) * s + column)
        found.append(cost[row, column])
    return Arcs(np.concatenate(codes), np.concatenate(found), s)


def _among_cheapest(cost: Floats, few: int) -> NDArray[np.bool_]:
    """Mark each row's cheapest, and those 2, 4, 8, ... ranks on, which join distant parts."""
    size = cost.shape[1]
    marked = np.zeros(cost.shape, dtype=bool)
    far = [few * 2**power for power in range(1, 40) if few * 2**power < size]
    if few >= size:
        marked[:] = True
        return marked
    order = np.argpartition(cost, [few, *far], axis=1)
    np.put_along_axis(marked, order[:, [*range(few), *far]], True, axis=1)
    return marked


def _look_at_all(
    costs: Costs, arcs: Arcs, prices: Floats, penalties: Floats
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return every row's least cost and price over all pairs, and pairs that beat the list's."""
    f, s = costs.shape
    listed = penalties[:, 0].copy()
    if len(arcs.code):
        bidder, starts = np.unique(arcs.first, return_index=True)
        offer = np.minimum.reduceat(arcs.cost + prices[arcs.second], starts)
        listed[bidder] = np.minimum(listed[bidder], offer)
    listed -= _ROUNDING * max(1.0, float(np.abs(listed).max(initial=0.0)))
    values = np.full(f, np.inf)
    codes, found = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for part, cost in costs.blocks():
        priced = cost + prices
        values[part] = priced.min(axis=1)
        beaten = np.flatnonzero(values[part] < listed[part])
        if not len(beaten):
            continue
        priced = priced[beaten]
        better = _among_cheapest(priced, _FEW)
        better &= priced < listed[part][beaten, None]
        row, column = np.nonzero(better)
        codes.append((part.start + beaten[row]).astype(np.int64) * s + column)
        found.append(cost[beaten[row], column])
    return values, np.concatenate(codes), np.concatenate(found)


def judge(
    first: Ints, second: Ints, cost: Floats, prices: Floats, values: Floats, penalties: Floats
) -> Filled:
    """Set the cost of pairs against the bound that prices give.

    Parameters
    ----------
    first, second : ndarray of int, shape (m,)
    cost : ndarray, shape (m,)
    prices : ndarray, shape (s,)
    values : ndarray, shape (f,)
    penalties : ndarray, shape (f, k)

    Returns
    -------
    Filled
        Its gap is a sum without rounding, in which large penalties cancel.
    """
    f, k = penalties.shape
    empty = np.arange(k) >= np.bincount(first, minlength=f)[:, None]
    bound = -np.minimum(values[:, None], penalties)
    gap = math.fsum(np.concatenate([cost, penalties[empty], bound.ravel(), prices]).tolist())
    return Filled(first, second, cost, prices, values, gap)

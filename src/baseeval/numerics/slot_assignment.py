"""Assignment along a list of arcs: who takes whom at the least cost, and at what prices.

Each row of the first side has slots, each with a penalty for staying empty; a row of the second
side fills one slot at most. scipy's sparse assignment (Jonker and Volgenant 1987,
doi:10.1007/BF02278710) finds the least cost. It returns no prices, so they are read off the
answer: with x the arcs taken, prices q of the second side and values u of the first are
*consistent* when

    u_i - q_j <= c_ij on every arc, with equality on those taken; q >= 0, and q_j = 0 if j is free;
    u_i lies between the penalty of i's first empty slot and that of its last full one.

Such prices exist if and only if x is optimal. They are the fixed points of a shortest-path
relaxation (Bellman and Ford), from below and from above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Steps of the relaxation after which the prices from below are given up: those from above
#: settle sooner where slots stay empty.
_MOST_STEPS = 500

#: A change smaller than this share of the largest number around is rounding.
_ROUNDING = 1e-15


@dataclass(frozen=True, slots=True)
class Arcs:
    """Pairs that may be made, in the order of their codes.

    Parameters
    ----------
    code : ndarray of int, shape (a,)
        Position on the first side times the size of the second, plus that on the
        second; rising.
    cost : ndarray, shape (a,)
    size : int
        Rows of the second side.
    """

    code: NDArray[np.int64]
    cost: Floats
    size: int

    @property
    def first(self) -> Ints:
        """Return the positions on the first side, shape (a,)."""
        return np.asarray(self.code // self.size, dtype=np.intp)

    @property
    def second(self) -> Ints:
        """Return the positions on the second side, shape (a,)."""
        return np.asarray(self.code % self.size, dtype=np.intp)

    def plus(self, code: NDArray[np.int64], cost: Floats) -> Arcs:
        """Return these arcs and some more.

        Parameters
        ----------
        code : ndarray of int
        cost : ndarray

        Returns
        -------
        Arcs
        """
        codes, places = np.unique(np.concatenate([self.code, code]), return_index=True)
        return Arcs(codes, np.concatenate([self.cost, cost])[places], self.size)


def assign_slots(arcs: Arcs, penalties: Floats) -> Ints:
    """Choose the arcs of least cost.

    Parameters
    ----------
    arcs : Arcs
    penalties : ndarray, shape (f, k)
        What an empty slot of a row costs; falling along each row.

    Returns
    -------
    ndarray of int
        Which arcs are taken.

    Examples
    --------
    >>> arcs = Arcs(np.array([0, 1, 2]), np.array([1.0, 2.0, 1.5]), 2)
    >>> assign_slots(arcs, np.full((2, 1), 9.0)).tolist()
    [1, 2]
    """
    f, k = penalties.shape
    slots = f * k
    # Every entry must differ from zero to be seen; a constant a slot changes no answer.
    size = _size(arcs, penalties) or 1.0
    shift = size - min(arcs.cost.min(initial=0.0), penalties.min(initial=0.0))
    row = np.concatenate([(arcs.first[:, None] * k + np.arange(k)).ravel(), np.arange(slots)])
    column = np.concatenate([np.repeat(arcs.second, k), arcs.size + np.arange(slots)])
    cost = np.concatenate([np.repeat(arcs.cost, k), penalties.ravel()]) + shift
    table = csr_array((cost, (row, column)), shape=(slots, arcs.size + slots))
    slot, taken = min_weight_full_bipartite_matching(table)
    real = taken < arcs.size
    codes = (slot[real] // k).astype(np.int64) * arcs.size + taken[real]
    return np.sort(np.searchsorted(arcs.code, codes))


def price_arcs(arcs: Arcs, taken: Ints, penalties: Floats) -> Floats:
    """Price the second side so that the arcs taken are the best there are.

    Parameters
    ----------
    arcs : Arcs
    taken : ndarray of int
        From :func:`assign_slots`.
    penalties : ndarray, shape (f, k)

    Returns
    -------
    ndarray, shape (s,)
        Not negative; zero for a row that nobody takes. Half way between the least
        and the greatest consistent prices, which speak best for arcs not listed.
    """
    greatest = _from_above(arcs, taken, penalties)
    least = _from_below(arcs, taken, penalties)
    return greatest if least is None else (least + greatest) / 2


def _from_below(arcs: Arcs, taken: Ints, penalties: Floats) -> Floats | None:
    """Raise prices from zero until no row of the first side would rather have another's."""
    f, k = penalties.shape
    first, second, cost = arcs.first[taken], arcs.second[taken], arcs.cost[taken]
    filled = np.bincount(first, minlength=f)
    least = np.where(filled < k, penalties[np.arange(f), np.minimum(filled, k - 1)], -np.inf)
    order = np.argsort(arcs.second, kind="stable")
    bidder, offer = arcs.first[order], arcs.cost[order]
    wanted, starts = np.unique(arcs.second[order], return_index=True)
    prices = np.zeros(arcs.size)
    for _ in range(_MOST_STEPS):
        value = least.copy()
        np.maximum.at(value, first, cost + prices[second])
        bid = np.maximum.reduceat(value[bidder] - offer, starts)
        if not np.any(bid - prices[wanted] > _ROUNDING * _size(arcs, penalties)):
            return prices
        prices[wanted] = np.maximum(prices[wanted], bid)
    return None


def _from_above(arcs: Arcs, taken: Ints, penalties: Floats) -> Floats:
    """Lower values from the penalties until every arc is dear enough."""
    f, _ = penalties.shape
    first, second, cost = arcs.first[taken], arcs.second[taken], arcs.cost[taken]
    filled = np.bincount(first, minlength=f)
    value = penalties[np.arange(f), np.maximum(filled - 1, 0)]
    bidder, starts = np.unique(arcs.first, return_index=True)
    theirs = arcs.second
    prices = np.zeros(arcs.size)
    for _ in range(f + 1):
        prices[second] = np.maximum(value[first] - cost, 0.0)
        best = np.minimum.reduceat(arcs.cost + prices[theirs], starts)
        if not np.any(value[bidder] - best > _ROUNDING * _size(arcs, penalties)):
            break
        value[bidder] = np.minimum(value[bidder], best)
    return prices


def _size(arcs: Arcs, penalties: Floats) -> float:
    return float(max(np.abs(arcs.cost).max(initial=0.0), np.abs(penalties).max(initial=0.0)))

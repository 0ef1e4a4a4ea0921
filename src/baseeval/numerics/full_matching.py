"""Optimal full matching: sets of one to many, everybody in one, at the least total distance.

Every row must have a partner: the cheapest edge cover of a graph, whose parts are stars. With
a_i and b_j the distances to the nearest of the other side, a row left without a partner of its
own joins its nearest, so the cover costs

    sum_i a_i + sum_j b_j + sum over pairs made of (c_ij - a_i - b_j)

and what remains is to choose pairs, each row in one at most: an assignment in which i's empty slot
costs a_i and j's partner saves b_j (Keijsper and Pendavingh 1998, doi:10.1006/jctb.1998.1822).
Where sets are bounded, one cannot simply join: a row has slots for as many as it may take, or
copies, of which the first must be used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.line_matching import fill_line
from baseeval.numerics.optimal import PROOF, Filled, fill_slots
from baseeval.numerics.pair_costs import PairCosts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class FullMatch:
    """Sets of one row of a side and one or more of the other.

    Parameters
    ----------
    first, second : ndarray of int, shape (m,)
        Positions of the partners: every row of a set with its one.
    set_first, set_second : ndarray of int, shape (f,), (s,)
        Set of each row, from 0; -1 for a row that may have no partner.
    distance : float
        Total over the partners.
    gap : float
        Distance less its lower bound.
    value_first, value_second : ndarray, shape (f,), (s,)
        Where sets are not bounded: not negative, and together at most the distance
        of any pair that may be made (but for rounding), so that their sum is the
        bound. Zero for a row that may have no partner.
    short : tuple of int
        Rows of either side for whom the bounds leave no room.
    """

    first: Ints
    second: Ints
    set_first: Ints
    set_second: Ints
    distance: float
    gap: float
    value_first: Floats
    value_second: Floats
    short: tuple[int, int]

    @property
    def certified(self) -> bool:
        """Say whether the bound proves that no sets cost less."""
        return self.gap <= PROOF * max(1.0, self.distance)


def match_fully(costs: PairCosts, least: float | None = None, most: int | None = None) -> FullMatch:
    """Put every row into a set at the least total distance.

    Parameters
    ----------
    costs : PairCosts
    least : float, optional
        How many of the second side stand at least with one of the first: a whole
        number, or 1 / k for at most k of the first with one of the second.
    most : int, optional
        How many of the second side stand at most with one of the first.

    Returns
    -------
    FullMatch

    References
    ----------
    Rosenbaum (1991), doi:10.1111/j.2517-6161.1991.tb01848.x; Hansen and Klopfer
    (2006), doi:10.1198/106186006X137047.

    Examples
    --------
    >>> score = np.array([[0.1], [0.9], [0.2], [0.8], [0.95]])
    >>> found = match_fully(PairCosts(score, np.array([0, 1]), np.array([2, 3, 4])))
    >>> found.set_second.tolist(), round(found.distance, 9), found.certified
    ([0, 1, 1], 0.25, True)
    """
    near_first, of_first, near_second, of_second = costs.nearest()
    rows, columns = (np.flatnonzero(np.isfinite(near)) for near in (near_first, near_second))
    # A bound that no set can reach is none.
    most = None if most is not None and most >= len(columns) else most
    least = None if least is not None and least * len(rows) <= 1 < len(rows) else least
    some = replace(costs, first=costs.first[rows], second=costs.second[columns])
    slots = _lay_out(some, near_first[rows], near_second[columns], least, most)
    filled = _fill(slots)
    first, second = rows[filled.first], columns[filled.second // slots.copies]
    alone, idle = np.setdiff1d(rows, first), np.setdiff1d(columns, second)
    wanting = int(np.sum(np.bincount(first, minlength=len(near_first))[rows] < slots.needed))
    if least is None:
        first, second = np.append(first, alone), np.append(second, of_first[alone])
    if most is None:
        first, second = np.append(first, of_second[idle]), np.append(second, idle)
    first, second = _stars(first, second, costs.shape)
    value_first, value_second = np.zeros(len(near_first)), np.zeros(len(near_second))
    value_first[rows] = np.minimum(filled.values, slots.penalties[:, 0])
    value_second[columns] = (slots.offset - filled.prices)[:: slots.copies]
    return FullMatch(
        first,
        second,
        *_sets(first, second, costs.shape),
        distance=math.fsum(costs.of(first, second)),
        gap=filled.gap,
        value_first=value_first,
        value_second=value_second,
        short=(0 if least is None else wanting, 0 if most is None else len(idle)),
    )


@dataclass(frozen=True, slots=True)
class _Slots:
    """The assignment that a full matching comes down to."""

    costs: PairCosts
    offset: Floats
    copies: int
    penalties: Floats
    needed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many rows the sides have, the second with its copies."""
        return self.costs.shape[0], len(self.offset)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield distances less what a partner saves."""
        for part, cost in self.costs.blocks():
            yield part, np.repeat(cost, self.copies, axis=1) - self.offset


def _fill(slots: _Slots) -> Filled:
    costs = slots.costs
    if not costs.on_a_line:
        return fill_slots(slots, slots.penalties)
    one, two = costs.points[costs.first, 0], costs.points[costs.second, 0]
    return fill_line(one, np.repeat(two, slots.copies), slots.penalties, slots.offset)


def _lay_out(
    costs: PairCosts, near_first: Floats, near_second: Floats, least: float | None, most: int | None
) -> _Slots:
    """Say what an empty slot costs and what being taken saves."""
    f, s = costs.shape
    needed = 1 if least is None else max(1, int(least))
    copies = 1 if least is None or least >= 1 else math.ceil(1 / least - _ROUNDING)
    must = 0.0
    if least is not None or most is not None:
        # More than any chain of exchanges can cost, so that nobody is left out to spare distance.
        chain = f * copies + s + 1 if costs.restrictions.any else 2
        must = 4.0 * chain * (costs.largest() or 1.0)
    penalties = np.zeros((f, needed if most is None else max(needed, most)))
    penalties[:, :needed] = near_first[:, None] if least is None else must
    offset = np.zeros((s, copies))
    offset[:, 0] = near_second if most is None else must
    return _Slots(costs, offset.ravel(), copies, penalties, needed)


def _stars(first: Ints, second: Ints, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Drop pairs whose both ends have another partner: they cost nothing, or were not needed."""
    code = np.unique(first.astype(np.int64) * shape[1] + second)
    first, second = code // shape[1], code % shape[1]
    degree_first = np.bincount(first, minlength=shape[0])
    degree_second = np.bincount(second, minlength=shape[1])
    kept = np.ones(len(code), dtype=bool)
    for edge in np.flatnonzero((degree_first[first] > 1) & (degree_second[second] > 1)):
        i, j = first[edge], second[edge]
        if degree_first[i] > 1 and degree_second[j] > 1:
            kept[edge] = False
            degree_first[i] -= 1
            degree_second[j] -= 1
    return first[kept], second[kept]


def _sets(first: Ints, second: Ints, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Give each star a number, in the order of their first rows."""
    many = np.bincount(second, minlength=shape[1])[second] > 1
    centre = np.where(many, shape[0] + second, first)
    _, met, number = np.unique(centre, return_index=True, return_inverse=True)
    rank = np.empty(len(met), dtype=np.intp)
    rank[np.argsort(first[met], kind="stable")] = np.arange(len(met))
    set_first, set_second = np.full(shape[0], -1), np.full(shape[1], -1)
    set_first[first], set_second[second] = rank[number], rank[number]
    return set_first, set_second

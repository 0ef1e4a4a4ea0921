"""Rows laid out along a score: who stands next to whom, stratum by stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
SmallInts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """The controls along a score, and where those who choose stand among them.

    Each stratum has its stretch of slots, one a control in the order of (score,
    row), with an empty slot at either end that is infinitely far from everybody.

    Parameters
    ----------
    points : ndarray, shape (m,)
        Score of a slot; minus and plus infinity at the ends of a stretch.
    rows : ndarray of int, shape (m,)
        Row of a slot; -1 at the ends.
    choosers : ndarray of int, shape (t,)
        Rows that choose, in the order of (stratum, score, row).
    gaps : ndarray of int, shape (t,)
        The first slot that comes after a chooser in the order of (score, row).
    """

    points: Floats
    rows: SmallInts
    choosers: SmallInts
    gaps: SmallInts

    def gaps_of(self, choosers: Ints) -> SmallInts:
        """Return the gaps of some who choose, in an order of their own.

        Parameters
        ----------
        choosers : ndarray of int, shape (t,)
            Rows.

        Returns
        -------
        ndarray of int, shape (t,)
        """
        by_row = np.argsort(self.choosers)
        places = np.searchsorted(self.choosers, choosers, sorter=by_row)
        found: SmallInts = self.gaps[by_row[places]]
        return found

    def pairs(
        self, choosers: Ints, numbers: Sequence[int] | Ints, slots: Sequence[int] | Ints
    ) -> Ints:
        """Return the rows of those who chose and of those in the slots chosen.

        Parameters
        ----------
        choosers : ndarray of int, shape (t,)
            Rows.
        numbers, slots : sequence of int, of length m
            Places in `choosers`, and slots.

        Returns
        -------
        ndarray of int, shape (m, 2)
        """
        found = np.empty((len(slots), 2), dtype=np.intp)
        found[:, 0] = choosers[np.asarray(numbers, dtype=np.intp)]
        found[:, 1] = self.rows[np.asarray(slots, dtype=np.intp)]
        return found


def lay_out(score: Floats, chooses: NDArray[np.bool_], strata: Ints) -> ScoreLine:
    """Lay rows out along a score.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Finite.
    chooses : ndarray of bool, shape (n,)
        Rows that choose; the others are the controls.
    strata : ndarray of int, shape (n,)
        Not negative.

    Returns
    -------
    ScoreLine

    Examples
    --------
    >>> line = lay_out(np.array([0.5, 0.1, 0.9]), np.array([True, False, False]), np.zeros(3, int))
    >>> line.rows.tolist(), line.gaps.tolist()
    ([-1, 1, 2, -1], [2])
    """
    ranked = _ranked(score, strata)
    choosing = chooses[ranked]
    places = np.flatnonzero(choosing)
    choosers, controls = ranked[places], ranked[~choosing]
    del ranked, choosing
    # Before a control stand the controls before it, two ends a stratum before its own, and the
    # lower end of its own.
    many = int(strata.max(initial=0)) + 1
    sizes = np.bincount(strata, minlength=many) - np.bincount(strata[choosers], minlength=many)
    ends = np.cumsum(sizes + 2)
    slots = np.repeat(np.arange(1, 2 * many, 2, dtype=np.int32), sizes)
    slots += np.arange(len(controls), dtype=np.int32)
    points = np.empty(len(controls) + 2 * len(sizes))
    points[ends - 1] = np.inf
    points[ends - sizes - 2] = -np.inf
    points[slots] = score[controls]
    rows = np.full(len(points), -1, dtype=np.int32)
    rows[slots] = controls
    gaps = places - np.arange(len(places)) + 2 * strata[choosers] + 1
    return ScoreLine(points, rows, choosers, gaps.astype(np.int32))


def _ranked(score: Floats, strata: Ints) -> SmallInts:
    """Return the rows in the order of (stratum, score, row).

    The sort that keeps equal scores in order takes twice as long as the one that does not, so
    rows that are tied are put in order afterwards.
    """
    order = np.argsort(score)
    along = score[order]
    alike = along[1:] == along[:-1]
    ranked = order.astype(np.int32)
    del order
    if alike.any():
        tied = np.zeros(len(score), dtype=bool)
        tied[1:] |= alike
        tied[:-1] |= alike
        rows = ranked[tied]
        ranked[tied] = rows[np.lexsort((rows, along[tied]))]
    del along
    largest = int(strata.max(initial=0))
    if largest == 0:
        return ranked
    codes = strata.astype(np.min_scalar_type(largest))[ranked]
    within: SmallInts = ranked[np.argsort(codes, kind="stable")]
    return within

"""Schools paired with schools, and pupils with pupils inside the pairs, each at least cost.

Pimentel, Page, Lenard and Keele (2018, doi:10.1214/17-AOAS1118): pupils are matched inside
every pair of schools that might be made, what that gives is the cost of the pair, and the
schools are then paired at the least total cost, each pair bringing its pupils along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial.distance import cdist

from baseeval.numerics.restrictions import Restrictions

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_NONE = Restrictions()


@dataclass(frozen=True, slots=True)
class PupilSpace:
    """Where pupils stand, and who may be the partner of whom.

    Parameters
    ----------
    points : ndarray, shape (n, q)
        Pupils are as unlike as their points are far apart.
    strata : ndarray of int, shape (n,)
        Partners are of one stratum.
    widest : float
        Partners are no farther apart.
    restrictions : Restrictions
    """

    points: Floats
    strata: Ints
    widest: float = np.inf
    restrictions: Restrictions = _NONE

    def between(self, first: Ints, second: Ints) -> Floats:
        """Return the distances of rows from rows; infinite for those who may not be partners.

        Parameters
        ----------
        first : ndarray of int, shape (a,)
        second : ndarray of int, shape (b,)

        Returns
        -------
        ndarray, shape (a, b)
        """
        apart: Floats = cdist(self.points[first], self.points[second])
        allowed = (self.strata[first, None] == self.strata[second]) & (apart <= self.widest)
        if self.restrictions.any:
            for place, row in enumerate(first):
                allowed[place] &= self.restrictions.allow(int(row), second)
        apart[~allowed] = np.inf
        return apart


def pupil_cost(apart: Floats, left_out: float, ratio: int = 1) -> float:
    """Return the least cost of matching the pupils of one school with those of another.

    Parameters
    ----------
    apart : ndarray, shape (a, b)
        Distances, infinite where two may not be partners.
    left_out : float
        What each partner that a pupil of the first school lacks costs; one farther
        away costs no more.
    ratio : int
        Partners that each is to have.

    Returns
    -------
    float

    Examples
    --------
    >>> pupil_cost(np.array([[0.2, 0.5], [0.1, np.inf]]), 1.0)
    0.6
    """
    capped = np.repeat(np.minimum(apart, left_out), ratio, axis=0)
    places = linear_sum_assignment(capped)
    return float(capped[places].sum()) + left_out * (len(capped) - len(places[0]))


def pair_pupils(apart: Floats, ratio: int = 1) -> Ints:
    """Match as many pupils of one school with those of another as can be, the nearest so.

    Parameters
    ----------
    apart : ndarray, shape (a, b)
        Distances, infinite where two may not be partners.
    ratio : int
        Partners that each of the first is to have.

    Returns
    -------
    ndarray of int, shape (m, 2)
        Positions in `apart`.

    Examples
    --------
    >>> pair_pupils(np.array([[0.2, 0.5], [0.1, np.inf]])).tolist()
    [[0, 1], [1, 0]]
    """
    allowed = np.isfinite(apart)
    if not allowed.any():
        return np.empty((0, 2), dtype=np.intp)
    # One pair more is worth more than all distances together.
    never = 1.0 + float(apart[allowed].max()) * (ratio * len(apart) + 1)
    copies = np.repeat(np.where(allowed, apart, never), ratio, axis=0)
    rows, columns = linear_sum_assignment(copies)
    pairs = np.column_stack([rows // ratio, columns]).astype(np.intp)
    return pairs[allowed[pairs[:, 0], pairs[:, 1]]]


def pair_schools(
    first: Ints,
    second: Ints,
    cost: Floats,
    *,
    each: int = 1,
    keep: int | None = None,
    leaving: Floats | None = None,
) -> Ints:
    """Pair schools at the least total cost, as many as can be or a given number.

    Parameters
    ----------
    first, second : ndarray of int, shape (e,)
        The schools of the pairs that may be made; each pair once.
    cost : ndarray, shape (e,)
        Not negative.
    each : int
        Schools of the second side that one of the first is to have.
    keep : int, optional
        How many pairs to make at most.
    leaving : ndarray, shape (schools,), optional
        With `keep`, what it costs to leave out a school of the first side, by its
        number; nothing by default.

    Returns
    -------
    ndarray of int, shape (m, 2)
        Schools of the first and of the second side, sorted; one of the second
        is in one pair only.

    Examples
    --------
    >>> first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> pair_schools(first, second, np.array([1.0, 2.0, 1.0, 9.0])).tolist()
    [[0, 1], [1, 0]]
    >>> pair_schools(first, second, np.array([1.0, 2.0, 1.5, 9.0]), keep=1).tolist()
    [[0, 0]]
    """
    if not len(first):
        return np.empty((0, 2), dtype=np.intp)
    side, rows = np.unique(first, return_inverse=True)
    other, columns = np.unique(second, return_inverse=True)
    copies = len(side) * each
    spare = 0 if keep is None else max(0, copies - keep)
    # A copy of a school that finds no place by a pair has one of its own, dearer than any way of
    # pairing all; the `spare` places are so cheap that all of them are taken. Every copy gets one
    # place, and no cost may be zero, which would be read as "no pair".
    dear = 1.0 + (float(cost.max()) + (0.0 if leaving is None else float(leaving.max()))) * copies
    every = np.arange(copies)
    left = np.zeros(len(side)) if leaving is None else leaving[side]
    entries = [
        (
            np.tile(rows, each) + np.repeat(np.arange(each) * len(side), len(rows)),
            np.tile(columns, each),
            np.tile(cost, each) + dear,
        ),
        (every, len(other) + every, np.full(copies, 2 * dear)),
        (
            np.repeat(every, spare),
            len(other) + copies + np.tile(np.arange(spare), copies),
            np.repeat(np.tile(left, each), spare),
        ),
    ]
    i, j, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    shape = (copies, len(other) + copies + spare)
    taken = min_weight_full_bipartite_matching(
        coo_array((values + 1.0, (i, j)), shape=shape).tocsr()
    )
    real = taken[1] < len(other)
    found = np.column_stack([side[taken[0][real] % len(side)], other[taken[1][real]]])
    return found[np.lexsort((found[:, 1], found[:, 0]))].astype(np.intp)

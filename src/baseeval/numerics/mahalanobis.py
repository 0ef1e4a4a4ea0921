"""Mahalanobis distance between pupils, and greedy matching on it.

Rubin (1980, doi:10.2307/2529981): d(x, y)^2 = (x - y)' S^- (x - y), with S the covariance within
the arms. Whitened points, x V diag(w)^-1/2 with S = V diag(w) V', lie as far apart as that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from baseeval.numerics.greedy import Priority, choose_greedily
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.score_line import ScoreLine, lay_out

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Directions with a smaller share of a column's variance within the arms have no part.
_FLAT = 1e-10

#: Distances, in standard deviations, that rounding alone tells apart are one.
_DECIMALS = 9
_SAME = 10.0**-_DECIMALS

#: How many neighbours are looked for at first, and how many times as many the next time.
_FEW, _TIMES = 8, 4

_NONE = Restrictions()


@dataclass(frozen=True, slots=True)
class Whitened:
    """Rows as points whose distance is Mahalanobis's.

    Parameters
    ----------
    points : ndarray, shape (n, q)
        q is the rank of the covariance within the arms.
    along : ndarray, shape (n,)
        The row's place on a line that settles ties.
    """

    points: Floats
    along: Floats


def whiten(columns: Floats, first: NDArray[np.bool_]) -> Whitened:
    """Turn covariates into points whose distance is Mahalanobis's.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        A category has one column a level, or all but one: it makes no difference.
    first : ndarray of bool, shape (n,)
        Rows of the first arm; the covariance is that within the arms, pooled, and
        its inverse the generalised one.

    Returns
    -------
    Whitened
        Ties are settled along the second column (of one, the first) less what the
        others say of it, a rule found from what MatchIt gives.

    Examples
    --------
    >>> found = whiten(np.array([[0.0], [2.0], [1.0], [3.0]]), np.array([True, True, False, False]))
    >>> float(found.points[1, 0] - found.points[0, 0]).__round__(6)
    1.732051
    """
    standard = columns[:, np.ptp(columns, axis=0) > 0]
    standard -= standard.mean(axis=0)
    standard /= standard.std(axis=0, ddof=1)
    within = standard.copy()
    for arm in (first, ~first):
        within[arm] -= within[arm].mean(axis=0)
    covariance = within.T @ within / (len(within) - 1)
    del within
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _FLAT
    vectors, values = vectors[:, kept], values[kept]
    inverse = (vectors / values) @ vectors.T
    points = standard @ (vectors / np.sqrt(values))
    if not len(inverse):
        return Whitened(points, np.zeros(len(columns)))
    return Whitened(points, np.round(standard @ inverse[min(1, len(inverse) - 1)], _DECIMALS))


def match_mahalanobis(
    whitened: Whitened,
    treated: NDArray[np.bool_],
    order: Ints,
    strata: Ints,
    *,
    ratio: int | Ints = 1,
    replace: bool = False,
    reuse: int | None = None,
    priority: Priority = "given",
    restrictions: Restrictions = _NONE,
) -> Ints:
    """Pair each treated row with the controls nearest by Mahalanobis distance.

    Parameters
    ----------
    whitened : Whitened
    treated, order, strata, ratio, replace, reuse, priority, restrictions
        As in `match_nearest`; a caliper on a score is one of the restrictions.

    Returns
    -------
    ndarray of int, shape (m, 2)
        Treated row and control row, in the order of the choices. Of controls
        equally near, one that stands below the treated row in the order of (along,
        row) goes first, and of those on one side the farthest in that order.

    Examples
    --------
    >>> age = np.array([[10.0], [13.0], [10.5], [12.0]])
    >>> treated = np.array([True, True, False, False])
    >>> found = match_mahalanobis(
    ...     whiten(age, treated), treated, np.array([0, 1]), np.zeros(4, dtype=np.intp)
    ... )
    >>> found.tolist()
    [[0, 2], [1, 3]]
    """
    line = lay_out(whitened.along, treated, strata)
    candidates = _Neighbours(
        whitened.points,
        line,
        order,
        strata,
        reuse=(reuse or np.inf) if replace else 1,
        restrictions=restrictions,
    )
    wanted = np.broadcast_to(ratio, len(order)).tolist()
    return line.pairs(order, *choose_greedily(candidates, wanted, priority))


class _Neighbours:
    """Candidates by Mahalanobis distance; places are slots of a line that settles ties.

    Each chooser's nearest few are found in a tree of the controls of its stratum, and more of
    them when those are taken or may not be its partners.
    """

    def __init__(
        self,
        points: Floats,
        line: ScoreLine,
        choosers: Ints,
        strata: Ints,
        *,
        reuse: float,
        restrictions: Restrictions,
    ) -> None:
        self._points, self._rows = points, line.rows
        self._choosers, self._gaps = choosers, line.gaps_of(choosers)
        self._strata = strata[choosers]
        self._reuse, self._restrictions = reuse, restrictions
        self._uses: Counter[int] = Counter()
        self._taken = np.zeros(len(line.rows), dtype=bool)
        self._own: dict[int, list[int]] = {}
        limits = np.flatnonzero(line.rows < 0)
        self._starts, self._ends = limits[::2] + 1, limits[1::2]  # a stratum's first slot, and past
        self._trees: dict[int, cKDTree] = {}
        self._seen: dict[int, _Seen] = {}

    def nearest(self, chooser: int) -> tuple[float, int]:
        """Return the distance and the slot of the nearest one left; slot -1 for none."""
        seen = self._seen.get(chooser) or self._look(chooser, _FEW)
        while True:
            free = np.flatnonzero(~self._taken[seen.slots])
            if chooser in self._own:
                free = free[~np.isin(seen.slots[free], self._own[chooser])]
            if len(free):
                best = float(seen.distances[free[0]])
                if best + _SAME < seen.reach:
                    alike = seen.slots[free[seen.distances[free] <= best + _SAME]]
                    return round(best, _DECIMALS), self._settle(chooser, alike)
            elif seen.reach == np.inf:
                return np.inf, -1
            seen = self._look(chooser, _TIMES * seen.looked)

    def take(self, chooser: int, place: int) -> None:
        """Give the control in a slot to a chooser."""
        self._uses[place] += 1
        if self._uses[place] >= self._reuse:
            self._taken[place] = True
        else:
            self._own.setdefault(chooser, []).append(place)

    def _settle(self, chooser: int, slots: Ints) -> int:
        below = slots < self._gaps[chooser]
        return int(slots.min() if below.any() else slots.max())

    def _look(self, chooser: int, many: int) -> _Seen:
        """Find a chooser's nearest controls in its stratum, and keep those that are allowed."""
        stratum, row = int(self._strata[chooser]), int(self._choosers[chooser])
        start, end = self._starts[stratum], self._ends[stratum]
        many = min(many, int(end - start))
        if not many:
            return _Seen(np.empty(0), np.empty(0, dtype=np.intp), 0, np.inf)
        if stratum not in self._trees:
            self._trees[stratum] = cKDTree(self._points[self._rows[start:end]])
        distances, places = self._trees[stratum].query(self._points[row], k=np.arange(1, many + 1))
        slots = start + places
        reach = np.inf if many == end - start else float(distances[-1])
        allowed = self._restrictions.allow(row, self._rows[slots])
        self._seen[chooser] = seen = _Seen(distances[allowed], slots[allowed], many, reach)
        return seen


@dataclass(frozen=True, slots=True)
class _Seen:
    """Controls that a chooser may take, nearest first, of so many looked at.

    Nobody who has not been looked at stands nearer than `reach`.
    """

    distances: Floats
    slots: Ints
    looked: int
    reach: float

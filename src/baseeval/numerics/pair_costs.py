"""What it costs to make partners of two rows, block by block, and which may not be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from baseeval.numerics.line_matching import nearest_on_line
from baseeval.numerics.restrictions import Restrictions

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Costs held at once: 16 MB of them.
_CELLS = 2_000_000

_NONE = Restrictions()


@dataclass(frozen=True, slots=True)
class PairCosts:
    """The distance of every row of one side from every row of the other.

    Nothing is stored: a block of costs is made when it is asked for.

    Parameters
    ----------
    points : ndarray, shape (n, q)
        Rows lie as far apart as these points do; a score has q = 1.
    first, second : ndarray of int, shape (f,), (s,)
        Rows of the two sides.
    restrictions : Restrictions
        Who may not be partners.

    Examples
    --------
    >>> costs = PairCosts(np.array([[1.0], [4.0], [2.0]]), np.array([0]), np.array([1, 2]))
    >>> costs.block(slice(0, 1)).tolist()
    [[3.0, 1.0]]
    """

    points: Floats
    first: Ints
    second: Ints
    restrictions: Restrictions = _NONE

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many rows the two sides have."""
        return len(self.first), len(self.second)

    @property
    def on_a_line(self) -> bool:
        """Say whether costs are distances along a score, whoever the partners."""
        return self.points.shape[1] == 1 and not self.restrictions.any

    def block(self, part: slice) -> Floats:
        """Return the costs of some of the first side with all of the second.

        Parameters
        ----------
        part : slice
            Of positions in `first`.

        Returns
        -------
        ndarray, shape (r, s)
            Infinite where the two may not be partners.
        """
        mine, theirs = self.first[part], self.second
        if self.points.shape[1] == 1:
            cost: Floats = np.abs(self.points[mine] - self.points[theirs, 0])
        else:
            cost = cdist(self.points[mine], self.points[theirs])
        for limit in self.restrictions.limits:
            apart = np.abs(limit.values[mine, None] - limit.values[theirs])
            cost[(apart > limit.width) if limit.width >= 0 else (apart <= -limit.width)] = np.inf
        for codes in self.restrictions.apart:
            cost[codes[mine, None] == codes[theirs]] = np.inf
        return cost

    def of(self, first: Ints, second: Ints) -> Floats:
        """Return the distances of some pairs, whoever may be partners.

        Parameters
        ----------
        first, second : ndarray of int, shape (m,)
            Positions.

        Returns
        -------
        ndarray, shape (m,)
        """
        apart = self.points[self.first[first]] - self.points[self.second[second]]
        distance: Floats = np.linalg.norm(apart, axis=1)
        return distance

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield all costs, some rows of the first side at a time.

        Yields
        ------
        part : slice
        cost : ndarray, shape (r, s)
        """
        step = max(1, _CELLS // max(1, len(self.second)))
        for start in range(0, len(self.first), step):
            part = slice(start, min(len(self.first), start + step))
            yield part, self.block(part)

    def nearest(self) -> tuple[Floats, Ints, Floats, Ints]:
        """Return how near each row's nearest is, and which that is.

        Returns
        -------
        cost_first : ndarray, shape (f,)
            Infinite for a row that may have no partner.
        of_first : ndarray of int, shape (f,)
            Positions in `second`.
        cost_second : ndarray, shape (s,)
        of_second : ndarray of int, shape (s,)
            Positions in `first`.
        """
        f, s = self.shape
        if self.on_a_line:
            one, two = self.points[self.first, 0], self.points[self.second, 0]
            return *nearest_on_line(one, two), *nearest_on_line(two, one)
        cost_first, of_first = np.full(f, np.inf), np.zeros(f, dtype=np.intp)
        cost_second, of_second = np.full(s, np.inf), np.zeros(s, dtype=np.intp)
        for part, cost in self.blocks():
            of_first[part] = cost.argmin(axis=1)
            cost_first[part] = cost.min(axis=1)
            row = cost.argmin(axis=0)
            low = cost[row, np.arange(s)]
            nearer = low < cost_second
            cost_second[nearer], of_second[nearer] = low[nearer], part.start + row[nearer]
        return cost_first, of_first, cost_second, of_second

    def largest(self) -> float:
        """Return the largest cost of a pair that may be made; 0 where there is none."""
        if self.on_a_line:
            one, two = self.points[self.first, 0], self.points[self.second, 0]
            return float(max(one.max() - two.min(), two.max() - one.min()))
        found = 0.0
        for _, cost in self.blocks():
            found = max(found, float(np.where(np.isfinite(cost), cost, 0.0).max(initial=0.0)))
        return found

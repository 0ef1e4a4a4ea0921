"""Who may be the partner of whom, whatever the distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Limit:
    """How far apart partners may be on a variable.

    Parameters
    ----------
    values : ndarray, shape (n,)
    width : float
        Partners differ by no more than this. Where it is negative they differ by
        more than its size.
    """

    values: Floats
    width: float


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What partners must, and must not, share.

    Parameters
    ----------
    limits : tuple of Limit
    apart : tuple of ndarray of int, shape (n,)
        Codes that partners must not share.

    Examples
    --------
    >>> age = np.array([10.0, 10.5, 13.0])
    >>> Restrictions(limits=(Limit(age, 1.0),)).allow(0, np.array([1, 2])).tolist()
    [True, False]
    """

    limits: tuple[Limit, ...] = ()
    apart: tuple[Ints, ...] = ()

    @property
    def any(self) -> bool:
        """Say whether there is anything to restrict."""
        return bool(self.limits or self.apart)

    def allow(self, row: int, others: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Say which rows may be partners of a row.

        Parameters
        ----------
        row : int
        others : ndarray of int, shape (m,)

        Returns
        -------
        ndarray of bool, shape (m,)
        """
        fit = np.ones(len(others), dtype=bool)
        for limit in self.limits:
            apart = np.abs(limit.values[others] - limit.values[row])
            fit &= apart <= limit.width if limit.width >= 0 else apart > -limit.width
        for codes in self.apart:
            fit &= codes[others] != codes[row]
        return fit

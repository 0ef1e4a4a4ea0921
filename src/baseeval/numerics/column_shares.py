"""How the weight of each group lies over the values of one column."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Whole numbers that span no more values than this are counted without being sorted.
_FEW = 65_536


@dataclass(frozen=True, slots=True)
class Values:
    """The different values of a column, and which of them each row has.

    Parameters
    ----------
    values : ndarray, shape (d,)
        In rising order.
    codes : ndarray of int, shape (n,)
        ``values[codes]`` is the column.
    """

    values: Floats
    codes: Ints

    @property
    def is_binary(self) -> bool:
        """Return whether there is no value but zero and one."""
        return bool(np.all((self.values == 0) | (self.values == 1)))


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of each group's weight at each value of a column.

    Parameters
    ----------
    values : ndarray, shape (d,)
        In rising order.
    share : ndarray, shape (k, d)
        Rows add up to one; those of a group without weight are NaN.
    squares : ndarray, shape (k,)
        Sum over a group's rows of each row's squared share of its weight.
    is_binary : bool
        Whether the column holds nothing but zeros and ones.
    """

    values: Floats
    share: Floats
    squares: Floats
    is_binary: bool

    def means(self) -> Floats:
        """Return the weighted mean of each group, shape (k,)."""
        found: Floats = self.share @ self.values
        return found

    def variances(self) -> Floats:
        """Return the weighted variance of each group, shape (k,).

        Of zeros and ones it is p (1 - p); otherwise the divisor is one less the
        sum of squared shares, which is n - 1 over n where weights are equal.
        """
        means = self.means()
        if self.is_binary:
            return np.maximum(means * (1 - means), 0.0)
        around = np.einsum("kd,kd->k", self.share, (self.values - means[:, None]) ** 2)
        left = 1 - self.squares
        return np.where(left > 0, around / np.where(left > 0, left, 1.0), 0.0)

    def only(self, held: NDArray[np.bool_]) -> Shares:
        """Return the same over some of the values, shape (d,), that hold all that matters."""
        return replace(self, values=self.values[held], share=self.share[:, held])

    def gaps(self, first: int, second: int) -> Floats:
        """Return the size of the gap between two distribution functions at each value."""
        found: Floats = np.abs(np.cumsum(self.share[first] - self.share[second]))
        return found


def values_of(column: Floats) -> Values:
    """Find the different values of a column: by counting where they are few, else by one sort.

    Parameters
    ----------
    column : ndarray, shape (n,)
        At least one row, all finite.

    Returns
    -------
    Values

    Examples
    --------
    >>> values_of(np.array([2.0, 0.5, 2.0])).codes.tolist()
    [1, 0, 1]
    """
    lowest, highest = float(column.min()), float(column.max())
    if highest - lowest < _FEW and np.array_equal(column, np.rint(column)):
        places = (column - lowest).astype(np.intp)
        present = np.bincount(places) > 0
        kept = np.flatnonzero(present)
        codes = places if present.all() else (np.cumsum(present) - 1)[places]
        return Values(np.asarray(kept + lowest, dtype=float), codes)
    values, codes = np.unique(column, return_inverse=True)
    return Values(values, codes)


def shares_of(
    found: Values, group: Ints, groups: int, weights: Floats, squares: Floats | None = None
) -> Shares:
    """Spread the weight of each group over the values of a column.

    Parameters
    ----------
    found : Values
        From :func:`values_of`.
    group : ndarray of int, shape (n,)
        0 to groups - 1.
    groups : int
    weights : ndarray, shape (n,)
        Not negative.
    squares : ndarray, shape (k,), optional
        Sum of each group's squared weights, where it is known already.

    Returns
    -------
    Shares
    """
    d = len(found.values)
    held = np.bincount(group * d + found.codes, weights, groups * d).reshape(groups, d)
    total = held.sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    if squares is None:
        squares = np.asarray(np.bincount(group, weights**2, groups), dtype=float)
    return Shares(found.values, held / safe[:, None], squares / safe**2, found.is_binary)

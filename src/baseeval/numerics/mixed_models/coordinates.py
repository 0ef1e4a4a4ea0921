"""Columns and units in which cross-products keep their digits.

Cross-products of columns far from zero lose digits, so they are formed of columns less a
provisional mean; a model is then fitted in orthonormal columns, to the outcome less its
least-squares fit, over its own scale. All of it is undone at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A column of whose squared length less than this is its own adds nothing to the others.
_DEPENDENT = 1e-11
#: Where the columns leave less than this of the outcome, what is left is rounding.
_NOTHING = 1e-13


@dataclass(frozen=True, slots=True)
class Sums:
    """Cross-products of the columns of a model over all rows.

    Parameters
    ----------
    xx, xy, yy : ndarray (p, p), ndarray (p,), float
        Weighted, of columns less their shift and of the outcome less its centre.
    n : int
        Rows.
    log_weights : float
        Sum of the logarithms of the precision weights.
    shift : ndarray, shape (p,)
        What was taken from each column; zero without an intercept.
    centre : float
        What was taken from the outcome; zero without an intercept.
    intercept : int or None
        Position of the column of ones.
    """

    xx: Floats
    xy: Floats
    yy: float
    n: int
    log_weights: float
    shift: Floats
    centre: float
    intercept: int | None


@dataclass(frozen=True, slots=True)
class Coordinates:
    """How the model's own columns are made from those given, and back.

    Parameters
    ----------
    kept : ndarray of int, shape (k,)
        Columns that add something to those before them.
    turn : ndarray, shape (k, k)
        Upper triangle: shifted columns to orthonormal ones.
    first : ndarray, shape (k,)
        Least-squares coefficients of the orthonormal columns.
    scale : float
        Unit of the outcome.
    sums : Sums
    """

    kept: Ints
    turn: Floats
    first: Floats
    scale: float
    sums: Sums

    def columns(self, x: Floats) -> Floats:
        """Turn cross-products with shifted columns, shape (..., p), into (..., k)."""
        return x[..., self.kept] @ self.turn

    def outcome(self, y: Floats, columns: Floats) -> Floats:
        """Turn cross-products with the outcome, shape (...), given those of :meth:`columns`."""
        return np.asarray((y - columns @ self.first) / self.scale)

    @property
    def yy(self) -> float:
        """Return the sum of squares of the outcome in these coordinates."""
        rest = self.sums.yy - float(self.first @ self.first)
        return rest / self.scale**2 if rest > _NOTHING * self.sums.yy else 0.0

    @property
    def to_beta(self) -> Floats:
        """Return the matrix from coefficients here to those of the kept columns, (k, k)."""
        matrix = self.turn.copy()
        if self.sums.intercept is not None:
            place = int(np.flatnonzero(self.kept == self.sums.intercept)[0])
            matrix[place] -= self.sums.shift[self.kept] @ self.turn
        return matrix

    def beta(self, inner: Floats) -> Floats:
        """Return coefficients of the kept columns from those here, shape (k,)."""
        found = self.to_beta @ (self.first + self.scale * inner)
        if self.sums.intercept is not None:
            found[self.kept == self.sums.intercept] += self.sums.centre
        return np.asarray(found)

    @property
    def log_det(self) -> float:
        """Return log|T|, half of what log|X'V^-1X| gains in these coordinates."""
        return float(np.log(np.abs(np.diagonal(self.turn))).sum())


def make_coordinates(sums: Sums) -> Coordinates:
    """Choose the columns to keep and make them orthonormal.

    Parameters
    ----------
    sums : Sums

    Returns
    -------
    Coordinates
        The intercept is kept first; a later column that depends on earlier
        ones is left out, as R does.
    """
    p = len(sums.xy)
    size = np.sqrt(np.diagonal(sums.xx))
    unit = np.where(size > 0, size, 1.0)
    order = list(range(p))
    if sums.intercept is not None:
        order.insert(0, order.pop(sums.intercept))
    scaled = sums.xx / np.outer(unit, unit)
    kept: list[int] = []
    lower = np.zeros((p, p))
    for column in order:
        held = len(kept)
        part = solve_triangular(lower[:held, :held], scaled[kept, column], lower=True)
        left = scaled[column, column] - part @ part
        if left > _DEPENDENT:
            lower[held, :held] = part
            lower[held, held] = np.sqrt(left)
            kept.append(column)
    chosen = np.array(sorted(kept), dtype=np.intp)
    return _orthonormal(sums, chosen, unit[chosen])


def _orthonormal(sums: Sums, kept: Ints, unit: Floats) -> Coordinates:
    scaled = sums.xx[np.ix_(kept, kept)] / np.outer(unit, unit)
    lower = np.linalg.cholesky(scaled)
    turn = solve_triangular(lower, np.diag(1 / unit), lower=True).T
    first = turn.T @ sums.xy[kept]
    rest = sums.yy - float(first @ first)
    if rest <= _NOTHING * sums.yy:
        rest = 0.0
    return Coordinates(kept, turn, first, float(np.sqrt(rest / sums.n)) or 1.0, sums)

"""Means of each arm in each school, adjusted for pupils' covariates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.least_squares import independent_columns

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class ArmSample(Protocol):
    """Pupils of two arms: what every step of the ladder is given."""

    @property
    def outcome(self) -> Floats:
        """Return the outcome, shape (n,)."""

    @property
    def first(self) -> NDArray[np.bool_]:
        """Return who is in the first arm, shape (n,)."""

    @property
    def weights(self) -> Floats:
        """Return positive weights with mean one in each arm, shape (n,)."""

    @property
    def covariates(self) -> Floats:
        """Return what is adjusted for, shape (n, p)."""

    @property
    def school(self) -> Ints:
        """Return schools, 0 to G - 1, shape (n,)."""


@dataclass(frozen=True, eq=False)
class CellLayout:
    """The design of a sample's cells, one for each arm that a school holds, k in all.

    Two layouts of the same numbers are equal, so that what follows from one can be kept.

    Parameters
    ----------
    school : ndarray of int, shape (k,)
        Never falls.
    first : ndarray of bool, shape (k,)
    totals, effective : ndarray, shape (k,)
        Sum of the weights and their effective number.
    noise : ndarray, shape (k, k)
        Covariance that the estimated gamma adds to the means, over the variance of a pupil.
    df : int
        Rows less cells less covariates, on which the variance of a pupil and gamma rest.
    adjusted : int
        Covariates that vary within cells.
    """

    school: Ints
    first: NDArray[np.bool_]
    totals: Floats
    effective: Floats
    noise: Floats
    df: int
    adjusted: int

    @cached_property
    def _key(self) -> tuple[bytes | int, ...]:
        arrays = (self.school, self.first, self.totals, self.effective, self.noise)
        return (*(array.tobytes() for array in arrays), self.df, self.adjusted)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellLayout) and self._key == other._key


@dataclass(frozen=True, slots=True)
class ArmCells:
    """The cells of a sample.

    Parameters
    ----------
    layout : CellLayout
    means : ndarray, shape (k,)
        Weighted means of the outcome, less covariates' means times gamma.
    variance : float
        Of a pupil about the cell's mean and the covariates.
    """

    layout: CellLayout
    means: Floats
    variance: float


def arm_cells(sample: ArmSample) -> ArmCells:
    """Form the mean of each arm in each school.

    Parameters
    ----------
    sample : ArmSample

    Returns
    -------
    ArmCells
        Gamma comes from the differences between pupils within cells, weighted: it knows
        nothing of the differences between schools or arms, so its error is independent of the
        cells' means. A covariate that is constant in every cell, as a school's own facts are,
        is not adjusted for: few schools cannot tell its effect from their own.

    Raises
    ------
    EstimationError
        There are too few pupils for the covariates.
    """
    labels, cell, totals = _labels(sample)
    count, weights = len(labels), sample.weights
    effective = totals**2 / np.bincount(cell, weights**2, count)
    means = _cell_means(sample.outcome[:, None], weights, cell, totals)[:, 0]
    x_means = _cell_means(sample.covariates, weights, cell, totals)
    within = _within(sample.covariates, x_means[cell])
    kept = independent_columns(within)
    within, x_means = within[:, kept], x_means[:, kept]
    df = len(cell) - count - len(kept)
    if len(kept) and df < 1:
        raise EstimationError(
            Problem(
                "the model",
                f"{len(kept)} covariates are asked of {len(cell)} pupils in {count} groups",
                "Adjust for fewer covariates.",
            ),
            flag="model_failed",
        )
    weighted = within * weights[:, None]
    bread = np.linalg.inv(weighted.T @ within)
    rest = sample.outcome - means[cell]
    gamma = bread @ (weighted.T @ rest)
    rest = rest - within @ gamma
    spread = x_means @ bread @ (weighted.T @ weighted) @ bread @ x_means.T
    variance = float(weights @ rest**2) / df if df > 0 else float("nan")
    layout = CellLayout(labels // 2, labels % 2 == 0, totals, effective, spread, df, len(kept))
    return ArmCells(layout, means - x_means @ gamma, variance)


def has_school_covariate(sample: ArmSample) -> bool:
    """Tell whether a covariate varies between schools alone.

    Parameters
    ----------
    sample : ArmSample

    Returns
    -------
    bool
    """
    _, cell, totals = _labels(sample)
    x = sample.covariates
    inside = _within(x, _cell_means(x, sample.weights, cell, totals)[cell])
    return bool(np.any(~inside.any(axis=0) & (np.ptp(x, axis=0) > 0)))


def _labels(sample: ArmSample) -> tuple[Ints, Ints, Floats]:
    """Return the cells' codes, each pupil's cell and the cells' total weights."""
    codes = 2 * sample.school + ~sample.first
    labels, cell = np.unique(codes, return_inverse=True)
    totals = np.bincount(cell, sample.weights, len(labels)).astype(np.float64)
    return labels.astype(np.intp), cell.astype(np.intp), totals


def _cell_means(values: Floats, weights: Floats, cell: Ints, totals: Floats) -> Floats:
    """Return weighted means of columns, shape (k, columns)."""
    means = np.empty((len(totals), values.shape[1]))
    for column in range(values.shape[1]):
        means[:, column] = np.bincount(cell, weights * values[:, column], len(totals)) / totals
    return means


def _within(x: Floats, means: Floats) -> Floats:
    """Return columns less their cells' means; zero where only rounding is left."""
    inside = x - means
    inside[:, np.abs(inside).max(axis=0) <= 1e-9 * np.abs(x).max(axis=0)] = 0.0
    return inside

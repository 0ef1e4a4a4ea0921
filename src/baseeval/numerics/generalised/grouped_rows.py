"""Rows of a generalised mixed model, and the parameters in the order of one vector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.slopes import Curve, Outcome, Slopes
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class GroupedRows:
    """Rows with their groups.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Independent columns.
    outcome : Outcome
    z : tuple of ndarray, shapes (q_t, n)
        Columns of each random term, each contiguous.
    groups : tuple of ndarray of int, shapes (n,)
        Level of each row in each term, 0 to G_t - 1, each held by a row.
    levels : tuple of int
        G_t.
    layout : Layout
        Templates of the terms.
    weights : ndarray, shape (n,), optional
        Of the rows' log-likelihoods.
    offset : ndarray, shape (n,), optional
        Added to the linear predictor.
    """

    x: Floats
    outcome: Outcome
    z: tuple[Floats, ...]
    groups: tuple[Ints, ...]
    levels: tuple[int, ...]
    layout: Layout
    weights: Floats | None = None
    offset: Floats | None = None

    @property
    def shared(self) -> int:
        """Return the number of parameters phi."""
        return len(self.outcome.phi)

    @property
    def count(self) -> int:
        """Return the number of parameters: beta, theta, phi."""
        return int(self.x.shape[1]) + self.layout.count + self.shared

    def parts(self, place: Floats) -> tuple[Floats, Floats, Floats]:
        """Return beta, theta and phi of a vector of all parameters."""
        p, m = self.x.shape[1], self.layout.count
        return place[:p], place[p : p + m], place[p + m :]

    def fixed(self, beta: Floats) -> Floats:
        """Return the linear predictor without random effects, shape (n,)."""
        eta = self.x @ beta
        return np.asarray(eta if self.offset is None else eta + self.offset)

    def curve(self, eta: Floats, phi: Floats) -> Curve:
        """Evaluate the outcome, weighted."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self.outcome.curve(eta, phi)
        w = self.weights
        return found if w is None else Curve(w * found.value, w * found.first, w * found.second)

    def slopes(self, eta: Floats, phi: Floats) -> Slopes:
        """Evaluate the outcome and every derivative, weighted."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self.outcome.slopes(eta, phi)
        w = self.weights
        if w is None:
            return found
        return Slopes(
            w * found.value,
            w * found.first,
            w * found.second,
            w * found.third,
            w * found.by_phi,
            w * found.first_by_phi,
            w * found.second_by_phi,
        )

    def with_outcome(self, outcome: Outcome) -> GroupedRows:
        """Return the same rows with another outcome."""
        return replace(self, outcome=outcome)


def add_up(rows: Floats, code: Ints, size: int) -> Floats:
    """Return sums by code of each line of rows.

    Parameters
    ----------
    rows : ndarray, shape (q, n)
    code : ndarray of int, shape (n,)
    size : int

    Returns
    -------
    ndarray, shape (q, size)
    """
    found = np.empty((len(rows), size))
    for line, row in enumerate(rows):
        found[line] = np.bincount(code, row, size)
    return found


def dot(left: Floats, right: Floats) -> Floats:
    """Return the sums over the first axis of products, shape (n,)."""
    total: Floats = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=True):
        total += a * b
    return total

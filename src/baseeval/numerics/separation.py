"""Whether columns tell arms apart so well that no finite logit coefficients exist, and which do.

Albert and Anderson (1984, doi:10.1093/biomet/71.1.1): the likelihood has no maximum just where some
direction d has x_i (d_own - d_other) >= 0 for every row i and every other arm, and > 0 for some
(quasi-complete separation; complete where > 0 for all). As Konis (2007, Linear programming
algorithms for detecting separated data in binary logistic regression models, Oxford) does, a
linear program looks for it; the one here takes the direction of least length, so that it names few
columns, and brings rows in as they are found to be violated, so that a nation's rows are read and
not copied. Comparisons that a direction settles are then left out and the rest looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Comparisons that a linear program starts with and that each round adds, at most.
_FIRST, _MORE = 3000, 500
#: A comparison is settled, or violated, beyond this share of the largest element of a direction.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Separation:
    """Which columns tell arms apart.

    Parameters
    ----------
    columns : tuple of int
        Positions of the columns whose coefficients run away; constant columns,
        whose coefficients only follow, are left out unless they are all.
    rows : int
        Rows of positive weight whose own arm is told from at least one other without doubt.
    complete : bool
        Whether every row's arm is told from every other.
    """

    columns: tuple[int, ...]
    rows: int
    complete: bool


def find_separation(x: Floats, arm: Ints, weights: Floats, arms: int) -> Separation | None:
    """Look for columns that separate the arms.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Independent columns.
    arm : ndarray of int, shape (n,)
        0 .. k - 1.
    weights : ndarray, shape (n,)
        Rows of weight zero count for nothing.
    arms : int
        k.

    Returns
    -------
    Separation or None
        None where finite coefficients of largest likelihood exist.

    Examples
    --------
    >>> x = np.column_stack([np.ones(5), [1.0, 2.0, 3.0, 4.0, 5.0]])
    >>> find_separation(x, np.array([0, 0, 0, 1, 1]), np.ones(5), 2)
    Separation(columns=(1,), rows=5, complete=True)
    >>> find_separation(x, np.array([0, 1, 0, 1, 0]), np.ones(5), 2) is None
    True
    """
    lowest, highest = x.min(axis=0), x.max(axis=0)
    constant = lowest == highest
    # With an intercept, centred columns ask the same question in better numbers.
    centre = np.where(constant, 0.0, (lowest + highest) / 2 if constant.any() else 0.0)
    length = np.maximum(np.maximum(highest - centre, centre - lowest), np.finfo(float).tiny)
    unsettled = (arm[:, None] != np.arange(arms)) & (weights > 0)[:, None]
    compared = unsettled.sum()
    running = np.zeros(x.shape[1], dtype=bool)
    settled_rows = np.zeros(len(x), dtype=bool)
    while unsettled.any():
        direction = _plainest_direction(x, arm, unsettled, centre, length)
        if direction is None:
            break
        settled = unsettled & (_margins(x, arm, direction, centre, length) > _TOLERANCE)
        if not settled.any():
            break
        # No more comparisons than coefficients: any columns tell those apart, so they name none.
        if unsettled.sum() > direction.size or not running.any():
            running |= np.any(np.abs(direction) > _TOLERANCE, axis=0)
        unsettled &= ~settled
        settled_rows |= settled.any(axis=1)
    if not settled_rows.any():
        return None
    named = running & ~constant if np.any(running & ~constant) else running
    columns = tuple(int(position) for position in np.flatnonzero(named))
    complete = bool(compared and not unsettled.any())
    return Separation(columns, int(settled_rows.sum()), complete)


def _plainest_direction(
    x: Floats, arm: Ints, unsettled: Flags, centre: Floats, length: Floats
) -> Floats | None:
    """Return a separating direction, shape (k - 1, p), that needs all of its columns, or None."""
    allowed = np.ones(x.shape[1], dtype=bool)
    found = _least_direction(x, arm, unsettled, centre, length, allowed)
    if found is None or unsettled.sum() <= found.size:
        return found
    size = np.abs(found).max(axis=0)
    allowed = size > _TOLERANCE
    for column in np.argsort(size):
        if allowed[column] and allowed.sum() > 1:
            allowed[column] = False
            fewer = _least_direction(x, arm, unsettled, centre, length, allowed)
            if fewer is None:
                allowed[column] = True
            else:
                found = fewer
                allowed &= np.abs(found).max(axis=0) > _TOLERANCE
    return found


def _least_direction(
    x: Floats, arm: Ints, unsettled: Flags, centre: Floats, length: Floats, allowed: Flags
) -> Floats | None:
    """Return the shortest separating direction in some columns, of largest element one, or None."""
    k = unsettled.shape[1]
    # Each comparison adds its row to the own arm's columns and takes it from the other's.
    net = -unsettled.astype(float)
    net[np.arange(len(x)), arm] += unsettled.sum(axis=1)
    total = ((net.T @ x - np.outer(net.sum(axis=0), centre)) / length)[1:][:, allowed].ravel()
    if np.abs(total).max(initial=0.0) <= 1e-12 * len(x):
        return None
    total /= np.abs(total).max()
    places = np.flatnonzero(unsettled)
    chosen = places[:: max(1, -(-len(places) // _FIRST))]
    while True:
        row, other = np.divmod(chosen, k)
        z = ((x[row] - centre) / length)[:, allowed]
        claims = np.zeros((len(chosen), k, int(allowed.sum())))
        claims[np.arange(len(chosen)), arm[row]] += z
        claims[np.arange(len(chosen)), other] -= z
        asked = claims[:, 1:].reshape(len(chosen), -1)
        # A coefficient is what is above zero less what is below, so that its length is linear.
        found = linprog(
            np.ones(2 * len(total)),
            A_ub=np.hstack([-asked, asked]),
            b_ub=np.zeros(len(chosen)),
            A_eq=np.concatenate([total, -total])[None],
            b_eq=[1.0],
            method="highs",
        )
        if found.x is None:
            return None
        positive, negative = found.x[: len(total)], found.x[len(total) :]
        direction = np.zeros((k - 1, x.shape[1]))
        direction[:, allowed] = np.reshape(positive - negative, (k - 1, -1))
        direction /= np.abs(direction).max()
        margins = np.where(unsettled, _margins(x, arm, direction, centre, length), 0.0).ravel()
        violated = np.flatnonzero(margins < -_TOLERANCE)
        fresh = np.setdiff1d(violated, chosen, assume_unique=True)
        if not len(fresh):
            return direction
        worst = fresh[np.argsort(margins[fresh], kind="stable")[:_MORE]]
        spread = fresh[:: max(1, -(-len(fresh) // _MORE))]
        chosen = np.union1d(chosen, np.union1d(worst, spread))


def _margins(x: Floats, arm: Ints, direction: Floats, centre: Floats, length: Floats) -> Floats:
    """Return by how much a direction puts each row's own arm before every arm, (n, k)."""
    raw = direction / length
    place = np.zeros((len(x), len(direction) + 1))
    place[:, 1:] = x @ raw.T - raw @ centre
    own = np.take_along_axis(place, arm[:, None], axis=1)
    margins: Floats = own - place
    return margins

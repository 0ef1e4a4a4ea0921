"""Matching three arms or more at once on the vector of their chances.

Lopez and Gutman (2017, doi:10.1214/17-STS612), section 3.2.4: each row of a reference arm is
matched with one of every other arm. A pair of arms t, t' is matched on the log odds of t, among
rows that are alike, by k-means, in the log odds of all arms but these two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.nearest import match_nearest
from baseeval.numerics.restrictions import Limit, Restrictions
from baseeval.numerics.strata_weights import cross_codes

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_STEPS = 100
_NONE = Restrictions()


def match_vectors(
    logits: Floats,
    arm: Ints,
    reference: int,
    *,
    width: float,
    clusters: int,
    strata: Ints,
    restrictions: Restrictions = _NONE,
) -> Ints:
    """Match each row of the reference arm with one row of every other arm.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Log odds of the chance of each arm.
    arm : ndarray of int, shape (n,)
    reference : int
    width : float
        Largest difference in the log odds of the reference arm.
    clusters : int
        How many groups of rows alike in the other log odds.
    strata : ndarray of int, shape (n,)
        Rows are matched only within a stratum.
    restrictions : Restrictions

    Returns
    -------
    ndarray of int, shape (m, k)
        One row of each arm, arms by position, reference rows in their order; a
        row of another arm may stand in several. Reference rows that find nobody
        in some arm are left out.

    Examples
    --------
    >>> logits = np.array([[0.0, -1, -1], [0.1, -1, -1], [0.2, -1, -1], [0.9, -1, -1]])
    >>> arm = np.array([0, 1, 2, 2])
    >>> match_vectors(
    ...     logits, arm, 0, width=0.5, clusters=1, strata=np.zeros(4, dtype=np.intp)
    ... ).tolist()
    [[0, 1, 2]]
    """
    arms = logits.shape[1]
    found = np.full((len(arm), arms), -1, dtype=np.intp)
    own = np.flatnonzero(arm == reference)
    found[own, reference] = own
    for other in range(arms):
        if other == reference:
            continue
        rest = [place for place in range(arms) if place not in (reference, other)]
        alike = cluster_rows(logits[:, rest], clusters) if rest else np.zeros_like(strata)
        rows = np.flatnonzero((arm == reference) | (arm == other))
        treated = arm[rows] == reference
        pairs = match_nearest(
            logits[rows, reference],
            treated,
            np.flatnonzero(treated),
            cross_codes([alike, strata])[rows],
            replace=True,
            caliper=width,
            restrictions=_of_rows(restrictions, rows),
        )
        found[rows[pairs[:, 0]], other] = rows[pairs[:, 1]]
    return found[(found >= 0).all(axis=1)]


def cluster_rows(points: Floats, clusters: int) -> Ints:
    """Group rows that lie close together, by k-means from a start that chance has no part in.

    Parameters
    ----------
    points : ndarray, shape (n, q)
    clusters : int

    Returns
    -------
    ndarray of int, shape (n,)
        From 0. Lloyd's (1982, doi:10.1109/TIT.1982.1056489) steps from the means of
        groups of equal size along the direction in which rows vary most.

    Examples
    --------
    >>> cluster_rows(np.array([[0.0], [5.0], [0.2], [5.1]]), 2).tolist()
    [0, 1, 0, 1]
    """
    centred = points - points.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    direction = direction * (1 if direction[np.argmax(np.abs(direction))] > 0 else -1)
    ranked = np.argsort(centred @ direction, kind="stable")
    groups = [group for group in np.array_split(ranked, clusters) if len(group)]
    centres = np.array([points[group].mean(axis=0) for group in groups])
    codes = np.full(len(points), -1, dtype=np.intp)
    for _ in range(_STEPS):
        squares = ((points[:, None, :] - centres) ** 2).sum(axis=2)
        nearest = squares.argmin(axis=1)
        if np.array_equal(nearest, codes):
            break
        codes = nearest
        for place in np.unique(codes):
            centres[place] = points[codes == place].mean(axis=0)
    return codes


def _of_rows(restrictions: Restrictions, rows: Ints) -> Restrictions:
    """Return the restrictions of some rows only."""
    return Restrictions(
        tuple(Limit(limit.values[rows], limit.width) for limit in restrictions.limits),
        tuple(codes[rows] for codes in restrictions.apart),
    )

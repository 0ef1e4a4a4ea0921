"""Subclasses along a score: cut at quantiles, each holding some rows of both arms.

The rules are MatchIt's (version 4.7.2), from its manual and its output: quantiles by R's
type 7, a score on a cut belongs above it, and an arm that is too few in a subclass is filled
up from the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def subclassify(
    score: Floats,
    treated: NDArray[np.bool_],
    target: NDArray[np.bool_],
    subclasses: int,
    min_per_arm: int = 1,
) -> Ints:
    """Divide rows into subclasses at quantiles of the target's scores.

    Parameters
    ----------
    score : ndarray, shape (n,)
    treated : ndarray of bool, shape (n,)
    target : ndarray of bool, shape (n,)
        The rows whose quantiles are the cuts.
    subclasses : int
    min_per_arm : int
        Rows of each arm that every subclass gets; with 0 a subclass may lack
        an arm.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0, by score. Where scores are tied there can be fewer than asked for.

    Raises
    ------
    ValueError
        An arm has too few rows for `min_per_arm` in every subclass.

    Examples
    --------
    >>> score = np.array([0.1, 0.2, 0.3, 0.4, 0.15, 0.35])
    >>> treated = np.array([True, True, True, True, False, False])
    >>> subclassify(score, treated, treated, 2).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    cuts = quantile_cuts(score[target], subclasses)
    codes = np.searchsorted(cuts, score, side="right")
    codes = np.unique(codes, return_inverse=True)[1].astype(np.intp)
    size = int(codes.max(initial=0)) + 1
    for arm in (treated, ~treated):
        if np.sum(arm) < size * min_per_arm:
            raise ValueError("an arm has too few rows for every subclass")
        codes[arm] = _fill(score[arm], codes[arm], size, min_per_arm)
    return codes


def quantile_cuts(values: Floats, parts: int) -> Floats:
    """Return the cuts that divide values into parts of equal size.

    Parameters
    ----------
    values : ndarray, shape (m,)
        At least one.
    parts : int

    Returns
    -------
    ndarray, shape (parts - 1,)
        Hyndman and Fan's (1996, doi:10.2307/2684934) definition 7, in the order
        of operations of R's `quantile`: a value on a cut is told from one beside
        it by the last bit, so other orders give other subclasses.

    Examples
    --------
    >>> quantile_cuts(np.array([4.0, 1.0, 2.0]), 2).tolist()
    [2.0]
    """
    ordered = np.sort(values)
    place = 1 + (len(ordered) - 1) * (np.arange(1, parts) * (1 / parts))
    below = np.floor(place).astype(np.intp)
    beyond = place - below
    low, high = ordered[below - 1], ordered[np.minimum(below, len(ordered) - 1)]
    between = (beyond > 0) & (low != high)
    return np.asarray(np.where(between, (1 - beyond) * low + beyond * high, low), dtype=float)


def _fill(score: Floats, codes: Ints, size: int, least: int) -> Ints:
    """Move rows of one arm between subclasses until each has at least so many.

    The first of the emptiest subclasses takes a row from the nearest that has more than it, on
    the side where, each subclass's surplus over its next size divided by its distance, the sum
    is larger; from below the highest score, from above the lowest, of equal ones the earliest row.
    """
    codes = codes.copy()
    counts = np.bincount(codes, minlength=size)
    while counts.min() < least:
        poorest = int(np.argmin(counts))
        surplus = np.maximum(counts - counts[poorest] - 1, 0)
        gaps = np.abs(np.arange(size) - poorest)
        below = float(np.sum(surplus[:poorest] / gaps[:poorest]))
        above = float(np.sum(surplus[poorest + 1 :] / gaps[poorest + 1 :]))
        richer = np.flatnonzero(counts > counts[poorest])
        if below >= above:
            giver = int(richer[richer < poorest][-1])
            held = np.flatnonzero(codes == giver)
            moved = held[np.argmax(score[held])]
        else:
            giver = int(richer[richer > poorest][0])
            held = np.flatnonzero(codes == giver)
            moved = held[np.argmin(score[held])]
        codes[moved] = poorest
        counts[giver] -= 1
        counts[poorest] += 1
    return codes

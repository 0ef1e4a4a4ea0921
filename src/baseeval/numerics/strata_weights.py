"""Weights of rows in strata: the arms of every stratum stand for the same pupils."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def cross_codes(codes: list[Ints]) -> Ints:
    """Give a number to each combination of codes that occurs.

    Parameters
    ----------
    codes : list of ndarray of int, shape (n,)
        At least one; each from 0.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0 without gaps, in the order of the codes, the first slowest.

    Examples
    --------
    >>> cross_codes([np.array([0, 0, 2]), np.array([1, 0, 1])]).tolist()
    [1, 0, 2]
    """
    crossed = np.unique(codes[0], return_inverse=True)[1]
    for each in codes[1:]:
        # Renumbered after every step, so that many covariates cannot overflow the product.
        crossed = np.unique(crossed * (int(each.max(initial=0)) + 1) + each, return_inverse=True)[1]
    return np.asarray(crossed, dtype=np.intp)


def drop_one_armed(strata: Ints, treated: NDArray[np.bool_]) -> Ints:
    """Give new numbers to the strata that hold both arms.

    Parameters
    ----------
    strata : ndarray of int, shape (n,)
        From 0; -1 for a row in none.
    treated : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
        From 0 without gaps, in the same order; -1 for rows of a stratum that
        lacks an arm.

    Examples
    --------
    >>> drop_one_armed(np.array([0, 1, 1]), np.array([True, True, False])).tolist()
    [-1, 0, 0]
    """
    first, second = _counts(strata, treated)
    both = (first > 0) & (second > 0)
    number = np.where(both, np.cumsum(both) - 1, -1)
    kept: Ints = np.where(strata >= 0, number[strata], -1)
    return kept


def weigh_strata(strata: Ints, treated: NDArray[np.bool_], estimand: str) -> Floats:
    """Weight rows by the share of the first arm in their stratum.

    Parameters
    ----------
    strata : ndarray of int, shape (n,)
        From 0, each holding both arms; -1 for a row in none.
    treated : ndarray of bool, shape (n,)
    estimand : str
        ATT, ATC or ATE.

    Returns
    -------
    ndarray, shape (n,)
        With p the first arm's share of a stratum: for ATT 1 and p / (1 - p),
        for ATC (1 - p) / p and 1, for ATE 1 / p and 1 / (1 - p), first arm and
        second; then scaled to a mean of one over the rows of each arm that are
        in a stratum, as MatchIt does. Zero for a row in none.

    References
    ----------
    Hong (2010), doi:10.3102/1076998609359785, equation (6).

    Examples
    --------
    >>> weigh_strata(np.array([0, 0, 0]), np.array([True, False, False]), "ATT").tolist()
    [1.0, 1.0, 1.0]
    """
    first, second = _counts(strata, treated)
    sizes = {
        "ATT": (first, first),
        "ATC": (second, second),
        "ATE": (first + second, first + second),
    }[estimand]
    weights = np.zeros(len(strata))
    for arm, size, stood_for in zip((treated, ~treated), (first, second), sizes, strict=True):
        inside = arm & (strata >= 0)
        share = stood_for[strata[inside]] / size[strata[inside]]
        weights[inside] = share / share.mean() if len(share) else share
    return weights


def _counts(strata: Ints, treated: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return how many rows of each arm each stratum holds."""
    size, inside = int(strata.max(initial=0)) + 1, strata >= 0
    first = np.bincount(strata[inside & treated], minlength=size)
    second = np.bincount(strata[inside & ~treated], minlength=size)
    return first, second

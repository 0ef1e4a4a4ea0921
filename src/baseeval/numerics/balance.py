"""How alike two groups are on one column: mean difference, spread, distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alike:
    """Balance of one column between two groups.

    Parameters
    ----------
    mean_first, mean_second : float
        Weighted means.
    smd : float
        Their difference over the stated standard deviation; NaN if that is 0
        and the means differ, 0 if they do not.
    variance_ratio : float
        Weighted variance of the first group over that of the second; NaN for
        a column of two values, where it says nothing beyond the means.
    ks : float
        Largest difference between the weighted distribution functions.
    """

    mean_first: float
    mean_second: float
    smd: float
    variance_ratio: float
    ks: float


def effective_size(weights: Floats) -> float:
    """Return Kish's effective number of rows, (sum w)^2 / sum w^2.

    Parameters
    ----------
    weights : ndarray, shape (n,)

    Returns
    -------
    float
        0 where all weights are 0.

    Examples
    --------
    >>> effective_size(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0


def standardiser(column: Floats, first: NDArray[np.bool_], estimand: str) -> float:
    """Return the unweighted standard deviation that mean differences are divided by.

    Parameters
    ----------
    column : ndarray, shape (n,)
    first : ndarray of bool, shape (n,)
    estimand : str
        ATT takes the first group's, ATC the second's, others the root of the
        mean of both variances (MatchIt's and cobalt's rule). Where the group
        named does not vary, both count.

    Returns
    -------
    float
        A column of zeros and ones has sqrt(p (1 - p)), as in MatchIt.
    """
    binary = is_binary(column)
    variances = [
        _variance(column[group], np.ones(group.sum()), binary) for group in (first, ~first)
    ]
    named = {"ATT": variances[0], "ATC": variances[1]}.get(estimand, 0.0)
    return float(np.sqrt(named if named > 0 else np.mean(variances)))


def compare(column: Floats, first: NDArray[np.bool_], weights: Floats, sd: float) -> Alike:
    """Compare one column between two weighted groups.

    Parameters
    ----------
    column : ndarray, shape (n,)
    first : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,)
        Not negative.
    sd : float
        From :func:`standardiser`.

    Returns
    -------
    Alike
    """
    one, two = column[first], column[~first]
    w_one, w_two = weights[first], weights[~first]
    if not (w_one.sum() > 0 and w_two.sum() > 0):
        nan = float("nan")
        return Alike(nan, nan, nan, nan, nan)
    mean_one, mean_two = np.average(one, weights=w_one), np.average(two, weights=w_two)
    difference = float(mean_one - mean_two)
    tiny = 1e-12 * max(1.0, float(np.abs(column).max()))
    smd = difference / sd if sd > tiny else (0.0 if abs(difference) <= tiny else float("nan"))
    ratio = float("nan")
    if not is_binary(column):
        below = _variance(two, w_two, binary=False)
        ratio = _variance(one, w_one, binary=False) / below if below > 0 else float("nan")
    return Alike(float(mean_one), float(mean_two), smd, ratio, _distance(one, w_one, two, w_two))


def is_binary(column: Floats) -> bool:
    """Return whether a column holds at most two values, zero and one."""
    return bool(np.all((column == 0) | (column == 1)))


def _variance(column: Floats, weights: Floats, binary: bool) -> float:
    """Return a group's variance; what kind of column it is, the whole column says."""
    total = weights.sum()
    if total <= 0:
        return 0.0
    share = weights / total
    mean = float(share @ column)
    if binary:
        return max(mean * (1 - mean), 0.0)
    shrink = 1 - float(share @ share)
    return float(share @ (column - mean) ** 2) / shrink if shrink > 0 else 0.0


def _distance(one: Floats, w_one: Floats, two: Floats, w_two: Floats) -> float:
    """Return the largest gap between two weighted distribution functions."""
    values = np.concatenate([one, two])
    steps = np.concatenate([w_one / w_one.sum(), -w_two / w_two.sum()])
    order = np.argsort(values, kind="stable")
    gaps = np.cumsum(steps[order])
    last_of_value = np.append(values[order][1:] != values[order][:-1], True)
    return float(np.abs(gaps[last_of_value]).max())

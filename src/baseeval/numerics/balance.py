"""How alike two groups are on one column: mean difference, spread, distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.column_shares import Shares, shares_of, values_of
from baseeval.numerics.overlap_coefficient import overlap_coefficient

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


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
    ecdf_mean : float
        Their mean difference in size over the column's different values, those
        of rows without weight among them; for zeros and ones the largest.
    ovl : float
        Area that both distributions share.
    """

    mean_first: float
    mean_second: float
    smd: float
    variance_ratio: float
    ks: float
    ecdf_mean: float
    ovl: float


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


def design_effect(weights: Floats, school: Ints | None = None, icc: float = 0.0) -> float:
    """Return how much larger weights, and schools, make the variance of a mean.

    Kish (1965) for weights alone: n sum w^2 / (sum w)^2. With schools and an
    intraclass correlation, Gabler, Haeder and Lahiri (1999, Survey Methodology
    25, 105-106), n sum over schools of (icc (sum w)^2 + (1 - icc) sum w^2) /
    (sum w)^2.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Rows of weight zero do not count.
    school : ndarray of int, shape (n,), optional
        Codes from 0.
    icc : float
        Share of the variance that lies between schools.

    Returns
    -------
    float
        NaN where all weights are 0.

    Examples
    --------
    >>> design_effect(np.ones(4), np.array([0, 0, 1, 1]), 0.5)
    1.5
    """
    total, squares = float(weights.sum()), float(weights @ weights)
    if not squares > 0:
        return float("nan")
    held = squares
    if school is not None:
        of_school = np.bincount(school, weights)
        held = icc * float(of_school @ of_school) + (1 - icc) * squares
    return int(np.count_nonzero(weights)) * held / total**2


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
    spread = shares_of(values_of(column), _groups(first), 2, np.ones(len(column)))
    return divisor(spread, {"ATT": 0, "ATC": 1}.get(estimand))[0]


def divisor(before: Shares, group: int | None) -> tuple[float, bool]:
    """Return the standard deviation of one group, or of all groups, and whether it is one's.

    Parameters
    ----------
    before : Shares
        Before the design.
    group : int, optional
        None takes the root of the mean of all groups' variances, as does a group
        that does not vary.

    Returns
    -------
    tuple of float and bool
    """
    variances = np.nan_to_num(before.variances())
    if group is not None and variances[group] > 0:
        return float(np.sqrt(variances[group])), True
    return float(np.sqrt(variances.mean())), False


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
    return compare_shares(shares_of(values_of(column), _groups(first), 2, weights), 0, 1, sd)


def compare_shares(shares: Shares, first: int, second: int, sd: float) -> Alike:
    """Compare one column between two groups whose distributions are known.

    Parameters
    ----------
    shares : Shares
    first, second : int
        Positions of the groups.
    sd : float

    Returns
    -------
    Alike
        All NaN where a group has no weight.
    """
    means = shares.means()
    one, two = float(means[first]), float(means[second])
    if np.isnan(one + two):
        return Alike(*[float("nan")] * 7)
    gaps = shares.gaps(first, second)
    largest = float(gaps.max())
    ratio = float("nan")
    if not shares.is_binary:
        variances = shares.variances()
        below = variances[second]
        ratio = float(variances[first] / below) if below > 0 else float("nan")
    return Alike(
        mean_first=one,
        mean_second=two,
        smd=standardised(one - two, sd, shares),
        variance_ratio=ratio,
        ks=largest,
        ecdf_mean=largest if shares.is_binary else float(gaps.mean()),
        ovl=overlap_coefficient(shares, first, second),
    )


def standardised(difference: float, sd: float, shares: Shares) -> float:
    """Divide a difference of means by a standard deviation.

    Parameters
    ----------
    difference, sd : float
    shares : Shares
        Of the column: what is nought at its size.

    Returns
    -------
    float
        With a standard deviation of nought: 0 where there is no difference, else
        NaN.
    """
    tiny = 1e-12 * max(1.0, float(np.abs(shares.values).max()))
    if sd > tiny:
        return difference / sd
    return 0.0 if abs(difference) <= tiny else float("nan")


def is_binary(column: Floats) -> bool:
    """Return whether a column holds at most two values, zero and one."""
    return bool(np.all((column == 0) | (column == 1)))


def _groups(first: NDArray[np.bool_]) -> Ints:
    return np.where(first, 0, 1).astype(np.intp)

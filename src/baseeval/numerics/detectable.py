"""The smallest effect that a comparison of pupils in schools could show.

Dong and Maynard (2013, doi:10.1080/19345747.2012.673143), models 3.1 (placement between
schools), 2.2 and 2.3 (placement within schools), after Bloom (1995,
doi:10.1177/0193841X9501900504): the multiplier of a t distribution times the standard error,
in standard deviations. `docs/methods/power.md` derives the effective numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from baseeval.numerics.balance import effective_size

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Assumed:
    """What has to be assumed of an outcome that nobody has looked at.

    Parameters
    ----------
    icc : float
        Share of the outcome's variance that lies between schools.
    r2_pupil, r2_school : float
        Shares of the variance within, and between, schools that covariates explain.
    effect_variance : float
        Variance of the effect from school to school, over the outcome's variance.
    alpha : float
        Two-sided level of the test.
    power : float
        Chance of showing an effect of just this size.

    Raises
    ------
    ValueError
        A share is not in [0, 1), a variance is negative, or a chance is not in (0, 1).
    """

    icc: float
    r2_pupil: float = 0.0
    r2_school: float = 0.0
    effect_variance: float = 0.0
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        shares = (self.icc, self.r2_pupil, self.r2_school)
        if not all(0 <= share < 1 for share in shares) or not self.effect_variance >= 0:
            raise ValueError("shares must be at least 0 and below 1, variances at least 0")
        if not (0 < self.alpha < 1 and 0 < self.power < 1):
            raise ValueError("alpha and power must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class Between:
    """Two arms in different schools, first and second.

    Parameters
    ----------
    schools : tuple of float
        Effective schools: as many equally weighted ones tell as much of the schools.
    pupils : tuple of float
        Effective pupils.
    """

    schools: tuple[float, float]
    pupils: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Within:
    """Two arms in the same schools.

    Parameters
    ----------
    schools : float
        Effective schools that hold both arms.
    pupils : tuple of float
        Effective pupils of the first and of the second arm in those schools.
    rows : int
        Pupils of both arms in those schools.
    """

    schools: float
    pupils: tuple[float, float]
    rows: int


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest effect that a comparison could show, and what it is made of.

    Parameters
    ----------
    effect : float
        In standard deviations of the outcome; infinite where no interval exists.
    std_error, df, multiplier : float
    """

    effect: float
    std_error: float
    df: float
    multiplier: float


def detectable_effect(
    compared: Between | Within, assumed: Assumed, *, fixed: bool = False, fitted: int = 0
) -> Detectable:
    """Return the smallest effect that would be told from none so often as asked.

    Parameters
    ----------
    compared : Between or Within
    assumed : Assumed
    fixed : bool
        Within schools only: speak of these schools alone, with degrees of freedom of pupils.
        Otherwise of schools like these, with degrees of freedom of schools.
    fitted : int
        Degrees of freedom that covariates take: of schools between them, or where effects
        are random; of pupils where they are fixed.

    Returns
    -------
    Detectable

    Examples
    --------
    Twenty schools of fifteen pupils, half of the schools with the first arm; the same number
    of pupils with both arms in every school.

    >>> assumed = Assumed(icc=0.17)
    >>> found = detectable_effect(Between((10.0, 10.0), (150.0, 150.0)), assumed)
    >>> round(found.effect, 3), found.df
    (0.629, 18.0)
    >>> round(detectable_effect(Within(20.0, (150.0, 150.0), 300), assumed).effect, 3)
    0.311
    """
    inside = (1 - assumed.icc) * (1 - assumed.r2_pupil)
    of_pupils = [_over(inside, pupils) for pupils in compared.pupils]
    if isinstance(compared, Between):
        outside = assumed.icc * (1 - assumed.r2_school)
        of_schools = [_over(outside, schools) for schools in compared.schools]
        parts = [one + two for one, two in zip(of_pupils, of_schools, strict=True)]
        variance, df = sum(parts), _welch(parts, compared.schools) - fitted
    else:
        varies = 0.0 if fixed else assumed.effect_variance
        variance = sum(of_pupils) + _over(varies, compared.schools)
        df = (compared.rows - 2 * compared.schools if fixed else compared.schools - 1) - fitted
    if not (df > 0 and math.isfinite(variance)):
        return Detectable(math.inf, math.sqrt(variance), df, math.inf)
    multiplier = float(student.ppf(1 - assumed.alpha / 2, df) + student.ppf(assumed.power, df))
    error = math.sqrt(variance)
    return Detectable(multiplier * error, error, df, multiplier)


def compared_between(
    weights: Floats, first: NDArray[np.bool_], school: NDArray[np.intp]
) -> Between:
    """Return the effective numbers of two weighted arms in different schools.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Not negative; a pupil of weight zero is in neither arm.
    first : ndarray of bool, shape (n,)
    school : ndarray of int, shape (n,)
        0 to G - 1.

    Returns
    -------
    Between
        Kish's numbers, of pupils and of the schools' sums of weights. They make the variance
        of the difference of weighted means exact. A school that holds both arms counts in
        each, as if it were two: that is cautious, for what they share would cancel.

    Examples
    --------
    >>> compared_between(np.ones(4), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 2]))
    Between(schools=(1.0, 2.0), pupils=(2.0, 2.0))
    """
    arms = (first, ~first)
    sums: list[Floats] = [np.bincount(school[arm], weights[arm]).astype(np.float64) for arm in arms]
    pupils = [effective_size(weights[arm]) for arm in arms]
    schools = [effective_size(each) for each in sums]
    return Between((schools[0], schools[1]), (pupils[0], pupils[1]))


def compared_within(weights: Floats, first: NDArray[np.bool_], school: NDArray[np.intp]) -> Within:
    """Return the effective numbers of two weighted arms in the same schools.

    Parameters
    ----------
    weights : ndarray, shape (n,)
    first : ndarray of bool, shape (n,)
    school : ndarray of int, shape (n,)

    Returns
    -------
    Within
        Of the schools that hold both arms alone: those of weighted least squares with an
        intercept for each school.

    Examples
    --------
    >>> compared_within(np.ones(4), np.array([1, 0, 1, 0], bool), np.array([0, 0, 1, 1]))
    Within(schools=2.0, pupils=(2.0, 2.0), rows=4)
    """
    used = weights > 0
    size = int(school.max(initial=-1)) + 1
    totals, squares = [], []
    for arm in (first & used, ~first & used):
        totals.append(np.bincount(school[arm], weights[arm], size))
        squares.append(np.bincount(school[arm], weights[arm] ** 2, size))
    both = (totals[0] > 0) & (totals[1] > 0)
    if not both.any():
        return Within(0.0, (0.0, 0.0), 0)
    rows = int(np.sum(used & both[school]))
    one, two = totals[0][both], totals[1][both]
    share: Floats = (one * two / (one + two)).astype(np.float64)
    share /= share.sum()
    spread = [share**2 @ (squares[0][both] / one**2), share**2 @ (squares[1][both] / two**2)]
    return Within(effective_size(share), (float(1 / spread[0]), float(1 / spread[1])), rows)


def _over(variance: float, number: float) -> float:
    return variance / number if number > 0 else math.inf


def _welch(parts: list[float], schools: tuple[float, float]) -> float:
    """Return Welch's degrees of freedom, each arm's variance known as well as its schools allow.

    With equal arms they are all schools less two. CR2's own fall short of that in the same way
    where one arm has few schools.
    """
    if not all(math.isfinite(part) for part in parts) or min(schools) <= 1:
        return 0.0
    known = sum(part**2 / (number - 1) for part, number in zip(parts, schools, strict=True))
    return sum(parts) ** 2 / known

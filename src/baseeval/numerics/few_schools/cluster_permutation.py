"""Tests that rest on who might have been in which arm: schools, signs or pupils exchanged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.cr2 import Interval
from baseeval.numerics.few_schools.arm_cells import ArmCells, ArmSample, arm_cells

Floats = NDArray[np.float64]
Unit = Literal["schools", "signs", "pupils"]

#: Arrangements are listed up to this many, and drawn beyond.
_LISTED = 20_000
#: Arrangements drawn, the observed one beside them.
_DRAWN = 9_999
#: Statistics closer than this share of their size are equal.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Permutation:
    """A test by exchanging who is in which arm.

    Parameters
    ----------
    estimate : float
        First arm minus second, schools counting alike (`pupils`: by pairs of pupils).
    interval : Interval
        By inversion under a constant effect; an end is infinite where too few
        arrangements exist. The standard error is the spread of the statistic over
        the arrangements; df are missing.
    smallest : float
        The smallest p-value that the arrangements allow.
    arrangements : int
    exact : bool
        Whether all arrangements were listed, not drawn.
    parameters : int
    """

    estimate: float
    interval: Interval
    smallest: float
    arrangements: int
    exact: bool
    parameters: int


def permute_arms(sample: ArmSample, unit: Unit = "schools", seed: int = 0) -> Permutation:
    """Test that the arms do not differ by exchanging labels.

    Parameters
    ----------
    sample : ArmSample
    unit : {'schools', 'signs', 'pupils'}
        What is exchanged. `schools`: arms between schools, none of which holds both; the
        null is that the schools' means are exchangeable. `signs`: which arm is which within
        each school that holds both; the null is that each school's difference is as likely
        as its negative, so effects may vary around a mean of zero. `pupils`: pupils within
        such schools; the sharp null of no effect on any pupil, which effects that vary
        around zero break.
    seed : int
        Of the arrangements drawn, where they are too many to list.

    Returns
    -------
    Permutation
        Drawn arrangements give (b + 1) / (m + 1) (Phipson and Smyth 2010), which is never zero
        and never rejects too often.

    Raises
    ------
    EstimationError
        The layout does not allow the exchange that was asked for.
    """
    cells = arm_cells(sample)
    both = _holds_both(cells)
    if unit == "schools":
        if both.any():
            raise _refusal("a school holds both arms", "Exchange `signs` or `pupils`.")
        values, treated = cells.means, cells.layout.first.astype(float)
        count = math.comb(len(values), int(treated.sum()))
        labels = _label_schools(treated, count, seed)
        sizes = labels.sum(axis=1, keepdims=True)
        coefficients = labels / sizes - (1 - labels) / (len(values) - sizes)
    elif not both.any():
        raise _refusal("no school holds both arms", "Exchange `schools`.")
    elif unit == "signs":
        means = cells.means[both].reshape(-1, 2)
        values, treated = means[:, 0] - means[:, 1], np.ones(len(means))
        count = 2 ** len(values)
        coefficients = _flip_signs(len(values), count, seed) / len(values)
    else:
        values, treated, coefficients = _exchange_pupils(sample, cells, both, seed)
        count = 0
    listed = 0 < count <= _LISTED
    return _tested(values, treated, coefficients, listed, 2 + cells.layout.adjusted)


def _refusal(what: str, remedy: str) -> EstimationError:
    return EstimationError(Problem("permutation", what, remedy))


def _holds_both(cells: ArmCells) -> NDArray[np.bool_]:
    return np.asarray(np.bincount(cells.layout.school)[cells.layout.school] == 2)


def _label_schools(treated: Floats, count: int, seed: int) -> Floats:
    """Return arrangements of the first arm over schools, the observed one first."""
    if count <= _LISTED:
        chosen = list(itertools.combinations(range(len(treated)), int(treated.sum())))
        labels = np.zeros((len(chosen), len(treated)))
        np.put_along_axis(labels, np.array(chosen), 1.0, axis=1)
        same = np.flatnonzero((labels == treated).all(axis=1))[0]
        labels[[0, same]] = labels[[same, 0]]
        return labels
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(treated, (_DRAWN, 1)), axis=1)
    return np.vstack([treated, drawn])


def _flip_signs(schools: int, count: int, seed: int) -> Floats:
    """Return arrangements of signs, the observed one first."""
    if count <= _LISTED:
        return np.array(list(itertools.product((1.0, -1.0), repeat=schools)))
    drawn = np.random.default_rng(seed).choice([1.0, -1.0], (_DRAWN, schools))
    return np.vstack([np.ones(schools), drawn])


def _exchange_pupils(
    sample: ArmSample, cells: ArmCells, both: NDArray[np.bool_], seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return pupils' outcomes, who is in the first arm, and drawn arrangements of them."""
    if np.ptp(sample.weights) != 0:
        raise _refusal("pupils have weights, so they are not exchangeable", "Exchange `signs`.")
    if cells.layout.adjusted:
        raise _refusal("pupils have covariates", "Exchange `signs`, which adjusts for them.")
    shared = np.isin(sample.school, cells.layout.school[both])
    school = np.unique(sample.school[shared], return_inverse=True)[1]
    treated = sample.first[shared].astype(float)
    rng = np.random.default_rng(seed)
    labels = np.vstack([treated, *_shuffled(rng, treated, school)])
    size, firsts = np.bincount(school), np.bincount(school, treated)
    pairs = firsts * (size - firsts) / size
    share = (pairs / pairs.sum())[school]
    ones = share / firsts[school]
    others = share / (size - firsts)[school]
    return sample.outcome[shared], treated, labels * ones - (1 - labels) * others


def _shuffled(
    rng: np.random.Generator, treated: Floats, school: NDArray[np.intp]
) -> Iterator[Floats]:
    order = np.argsort(school, kind="stable")
    for _ in range(_DRAWN):
        # Sorting by school, then at random, shuffles within schools.
        mixed = np.lexsort((rng.random(len(school)), school))
        labels = np.empty_like(treated)
        labels[order] = treated[mixed]
        yield labels


def _tested(
    values: Floats, treated: Floats, coefficients: Floats, exact: bool, parameters: int
) -> Permutation:
    """Compare the first arrangement, the observed one, with all of them.

    Under a constant effect d an arrangement's statistic is a - d c. It is at least as far from
    zero as the observed one, e - d, for the d between (e - a) / (1 - c) and (e + a) / (1 + c):
    so the interval by inversion is a matter of sorting the ends.
    """
    statistics, slopes = coefficients @ values, coefficients @ treated
    estimate = float(statistics[0])
    count = len(statistics)
    extreme = np.abs(statistics) >= abs(estimate) * (1 - _EQUAL)
    # Arrangements that are the observed one, or its mirror image, are as extreme at every d.
    always = np.abs(np.abs(slopes) - 1) < _EQUAL
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack(
            [(estimate - statistics) / (1 - slopes), (estimate + statistics) / (1 + slopes)]
        )
    highs = np.sort(np.where(always, np.inf, ends.max(axis=0)))[::-1]
    lows = np.sort(np.where(always, -np.inf, ends.min(axis=0)))
    places = [math.floor(level * count + _EQUAL) for level in (0.05, 0.10)]
    spread = float(np.sqrt(np.mean(statistics**2)))
    interval = Interval(
        spread,
        float("nan"),
        estimate / spread if spread > 0 else float("nan"),
        float(extreme.mean()),
        float(lows[places[0]]),
        float(highs[places[0]]),
        float(lows[places[1]]),
        float(highs[places[1]]),
    )
    return Permutation(estimate, interval, float(always.mean()), count, exact, parameters)

"""Two arms compared by the means of their schools, with nothing estimated between schools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtridf

from baseeval.numerics.cr2 import ClusterParts, Interval, cr2
from baseeval.numerics.few_schools.arm_cells import ArmSample, CellLayout, arm_cells
from baseeval.numerics.few_schools.assumed_covariance import assumed_guess, assumed_range
from baseeval.numerics.few_schools.ratio_tail import RatioTail, ratio_tail

Floats = NDArray[np.float64]

#: Levels of the 95% and the 90% interval.
_LEVELS = np.array([0.05, 0.10])
#: A standard error of this share of the means is what rounding leaves of none.
_NOTHING = 1e-13


@dataclass(frozen=True, slots=True)
class SchoolMeans:
    """A comparison of school means.

    Parameters
    ----------
    estimate : float
        First arm minus second.
    interval : Interval
        Its df are those at which Student's t has the same 95% interval.
    least : float
        How often the test at 5% rejects a true null where it does so least, over the
        covariances assumed: a number of the design, whatever the outcome.
    parameters : int
        Coefficients fitted: intercept, arm, covariates.
    """

    estimate: float
    interval: Interval
    least: float
    parameters: int


def compare_school_means(sample: ArmSample) -> SchoolMeans:
    """Compare the arms by their schools' means, each school one observation of each arm it holds.

    Parameters
    ----------
    sample : ArmSample
        Each arm in two schools or more.

    Returns
    -------
    SchoolMeans
        Schools are weighed by a covariance fixed beforehand; the standard error is CR2 by
        school; p-value and intervals hold for normal school means under every covariance of
        :func:`assumed_range`, exactly under the worst of them. Where every school holds both
        arms and schools are of a size this is the paired t-test on schools - 1 df.
    """
    cells = arm_cells(sample)
    design = _design(cells.layout)
    estimate = float(design.coefficients @ cells.means)
    squared = float(np.sum((design.scores @ cells.means) ** 2))
    if design.from_gamma:
        squared += design.from_gamma * cells.variance
    std_error = float(np.sqrt(squared))
    if std_error <= _NOTHING * float(np.abs(cells.means).max()):
        std_error = 0.0
    interval = _interval(estimate, std_error, design)
    return SchoolMeans(estimate, interval, design.least, 2 + cells.layout.adjusted)


@dataclass(frozen=True, slots=True)
class _Design:
    """What a layout alone decides of a comparison.

    Parameters
    ----------
    coefficients : ndarray, shape (k,)
        The estimate as a linear form of the cells' means.
    scores : ndarray, shape (G, k)
        Each school's part in the standard error, likewise.
    from_gamma : float
        What estimating gamma adds to the squared standard error, over the variance of a pupil.
    tail : RatioTail
    critical : tuple of float
        For the 95% and the 90% interval.
    df, least : float
        As in :class:`SchoolMeans`.
    """

    coefficients: Floats
    scores: Floats
    from_gamma: float
    tail: RatioTail
    critical: tuple[float, float]
    df: float
    least: float


def _interval(estimate: float, std_error: float, design: _Design) -> Interval:
    if not std_error > 0:
        # Means that do not differ from school to school leave nothing to judge by.
        nan = float("nan")
        return Interval(nan, design.df, nan, nan, nan, nan, nan, nan)
    wide, narrow = design.critical[0] * std_error, design.critical[1] * std_error
    statistic = estimate / std_error
    return Interval(
        std_error,
        design.df,
        statistic,
        design.tail.worst(abs(statistic)),
        estimate - wide,
        estimate + wide,
        estimate - narrow,
        estimate + narrow,
    )


@lru_cache(maxsize=256)
def _design(layout: CellLayout) -> _Design:
    """Work out a layout once: outcomes measured on the same pupils share it."""
    count = len(layout.school)
    x = np.column_stack([np.ones(count), layout.first])
    guess = assumed_guess(layout)
    wx = np.linalg.solve(guess, x)
    bread = np.linalg.inv(x.T @ wx)
    turn = bread @ wx.T
    places = _places(layout)
    held = places >= 0
    slots = np.where(held, places, 0)
    on = held[:, :, None]
    phi = np.where(on & held[:, None, :], guess[slots[:, :, None], slots[:, None, :]], np.eye(2))
    nothing = np.zeros(held.shape)
    parts = ClusterParts(
        np.where(on, x[slots], 0.0), np.where(on, wx[slots], 0.0), phi, nothing, bread
    )
    # A school's residuals, corrected by CR2 and weighed, as a form of all cells' means.
    corrected = cr2(parts).adjusted[:, :, 1] * held
    scores = np.einsum("gr,grk->gk", corrected, (np.eye(count) - x @ turn)[slots])
    gamma = float(turn[1] @ layout.noise @ turn[1]) if layout.adjusted else 0.0
    tail = ratio_tail(
        turn[1],
        scores.T @ scores,
        assumed_range(layout),
        gamma,
        layout.df if layout.adjusted else 0,
    )
    wide, narrow = (float(each) for each in tail.critical(_LEVELS))
    least = float(tail.probabilities(np.full(len(tail.loads), wide)).min())
    return _Design(
        turn[1], scores, gamma, tail, (wide, narrow), float(stdtridf(0.975, wide)), least
    )


def _places(layout: CellLayout) -> NDArray[np.intp]:
    """Return the cells of each school, shape (G, 2); -1 for an arm that it does not hold."""
    places = np.full((int(layout.school[-1]) + 1, 2), -1, dtype=np.intp)
    places[layout.school, np.where(layout.first, 0, 1)] = np.arange(len(layout.school))
    return places

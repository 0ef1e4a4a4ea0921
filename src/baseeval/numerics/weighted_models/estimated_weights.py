"""Carrying the estimation of weights into the scores of an outcome model.

Weights w(alpha) that were themselves estimated, sum of s_i(alpha) = 0, are one more equation in
the stack (Stefanski and Boos 2002, doi:10.1198/000313002753631330). Solved for the outcome's
parameters, school j's score S_j becomes

    S_j + C B s_j,   C = d sum S / d alpha,   B = (- d sum s / d alpha)^-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.weighted_models.school_sandwich import SchoolScores

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Largest relative change of a weight in a difference.
_STEP = 1e-4


class Weighted(Protocol):
    """An outcome model whose scores are known under other weights."""

    @property
    def scores(self) -> SchoolScores:
        """Return the schools' scores at the estimate."""

    def scores_under(self, pupil_weights: Floats, school_weights: Floats) -> Floats:
        """Return them under other weights, shape (G, d)."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """How weights were estimated, as rows of the outcome model see it.

    Parameters
    ----------
    d_pupil : ndarray, shape (n, a)
        Derivative of each row's weight within its school, before scaling.
    d_school : ndarray, shape (n, a)
        Derivative of the weight of each row's school.
    scores : ndarray, shape (G + h, a)
        Estimating function of the weights, added up by school: those of the outcome model in the
        order of their codes, then schools that it has not.
    bread : ndarray, shape (a, a)
        Inverse of minus the derivative of the summed scores.
    """

    d_pupil: Floats
    d_school: Floats
    scores: Floats
    bread: Floats


def carry_estimation(
    fit: Weighted, pupil_weights: Floats, school_weights: Floats, estimated: Estimated
) -> SchoolScores:
    """Return the schools' scores with what they owe to the estimation of the weights.

    Parameters
    ----------
    fit : Weighted
        A `WeightedFit` or an `EquationsFit`.
    pupil_weights, school_weights : ndarray, shape (n,)
        Those that it was fitted with.
    estimated : Estimated

    Returns
    -------
    SchoolScores
        Its sandwich and jackknife are those of the whole stack. C is by central differences.
    """
    slopes = np.zeros((fit.scores.scores.shape[1], estimated.bread.shape[0]))
    for place in range(slopes.shape[1]):
        by_pupil, by_school = estimated.d_pupil[:, place], estimated.d_school[:, place]
        largest = max(
            np.abs(by_pupil / pupil_weights).max(), np.abs(by_school / school_weights).max()
        )
        if largest > 0:
            step = _STEP / largest
            above, below = (
                fit.scores_under(
                    pupil_weights + way * by_pupil, school_weights + way * by_school
                ).sum(axis=0)
                for way in (step, -step)
            )
            slopes[:, place] = (above - below) / (2 * step)
    owed = estimated.scores @ estimated.bread.T @ slopes.T
    own, curvatures = fit.scores.scores, fit.scores.curvatures
    owed[: len(own)] += own
    more = np.zeros((len(owed) - len(own), *curvatures.shape[1:]))
    return SchoolScores(owed, np.concatenate([curvatures, more]), fit.scores.coefficients)

"""A weight in two parts, its school's and its pupil's within the school, for multilevel models.

With pi the chance that a pupil's school hosts and rho that of a place in its base, the weights of
nested scores are products where the target is an arm, or all three arms at once:

    target         base        host_mainstream    non_host
    base           1           rho / (1 - rho)    pi / (1 - pi) * rho
    host           (1-rho)/rho 1                  pi / (1 - pi) * (1 - rho)
    non_host       (1 - pi) / pi / rho, likewise / (1 - rho)      1
    all three      1 / pi / rho, likewise / (1 - rho)             1 / (1 - pi)

The school's part is its pupils' mean of what pi makes; pi follows pupils' covariates too, so that
a pupil keeps what theirs differs by. Every other weight (ATO, ATE of two arms of different
schools, other propensities, other methods) is no such product, and is the pupil's alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.scores import Hosting, Scores
from baseeval.design.settings import Settings
from baseeval.design.tilts import target_arm
from baseeval.errors import Problem, UsageError
from baseeval.numerics.weighted_models.estimated_weights import Estimated
from baseeval.results import ARMS, Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

_NON_HOST = ARMS[2]
#: Rounding makes chances of one, and so others of zero, from log odds beyond 36.
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class SchoolFactors:
    """The school's part of each weight.

    Parameters
    ----------
    factor : ndarray, shape (n,)
    slopes : ndarray, shape (n, q), optional
        Derivative by what the model of the arms estimates.
    """

    factor: Floats
    slopes: Floats | None = None


def school_factors(scores: Scores, sample: DesignSample, settings: Settings) -> SchoolFactors:
    """Take the school's part of weights by the chances of the arms.

    Parameters
    ----------
    scores : Scores
        Of the sample.
    sample : DesignSample
    settings : Settings

    Returns
    -------
    SchoolFactors
        Ones where the weights are no product of a school's part and a pupil's.
    """
    factor = np.ones(len(sample.arm))
    hosting = scores.hosting
    if hosting is None or not len(sample.school):
        return SchoolFactors(factor)
    hosted = sample.arm != sample.arms.index(_NON_HOST)
    tilted = _tilt(hosting, hosted, sample, settings)
    if tilted is None:
        return SchoolFactors(factor)
    tilt, slope = tilted
    school = np.unique(sample.school, return_inverse=True)[1]
    share = sample.base / np.bincount(school, sample.base)[school]
    factor = np.asarray(np.bincount(school, share * tilt)[school], dtype=np.float64)
    if hosting.carry is None:
        return SchoolFactors(factor)
    moved = share[:, None] * hosting.carry(slope)
    slopes = np.column_stack([np.bincount(school, column)[school] for column in moved.T])
    return SchoolFactors(factor, slopes.astype(np.float64))


def levels_words(design: Weights) -> str:
    """Say which level a design's weights stand at, for whoever reads a multilevel model of them.

    Parameters
    ----------
    design : Weights

    Returns
    -------
    str
    """
    if np.ptp(design.school_factor) > 0:
        return (
            "Each weight is its school's times its pupil's within the school; only the pupil's is "
            "scaled."
        )
    if _NON_HOST in design.arms:
        return (
            "These weights are no product of a school's and a pupil's, so they are the pupil's "
            "alone: scaled within schools they no longer tell one school from another. Take "
            'scaling "none" beside the others.'
        )
    return "The arms share schools, so the weights are the pupils' alone."


def estimated_levels(design: Weights, rows: Ints, group: Ints) -> Estimated:
    """Lay out how a design's weights were estimated, for the rows of an outcome model.

    Parameters
    ----------
    design : Weights
        Made with `estimating_functions`.
    rows : ndarray of int, shape (m,)
        Row of the design that each row of the outcome model belongs to; a pupil has one for each
        occasion.
    group : ndarray of int, shape (m,)
        School of each row, as the outcome model has it.

    Returns
    -------
    Estimated
        Its scores hold all schools of the design, with or without an outcome.

    Raises
    ------
    UsageError
        The design does not say how its weights were estimated.
    """
    estimation = design.estimation
    if estimation is None:
        raise UsageError(
            Problem(
                f"design `{design.method}`",
                "it does not say how its weights were estimated",
                "Make it with estimating_functions = True by a method that has them, or take the "
                "weights as given.",
            )
        )
    d_school = estimation.d_school_factor
    if d_school is None:
        d_school = np.zeros_like(estimation.d_weights)
    factor = design.school_factor[:, None]
    d_pupil = (estimation.d_weights - design.pupil_factor[:, None] * d_school) / factor
    first = np.unique(group, return_index=True)[1]
    labels, school = np.unique(design.school, return_inverse=True)
    by_school = np.zeros((len(labels), estimation.scores.shape[1]))
    np.add.at(by_school, school, estimation.scores)
    known = school[rows[first]]
    others = np.setdiff1d(np.arange(len(labels)), known)
    return Estimated(
        d_pupil=d_pupil[rows],
        d_school=d_school[rows],
        scores=by_school[np.concatenate([known, others])],
        bread=estimation.bread,
    )


def _tilt(
    hosting: Hosting, hosted: Flags, sample: DesignSample, settings: Settings
) -> tuple[Floats, Floats] | None:
    """Return what the chance of hosting makes of a weight, and its slope; None if no factor."""
    pi = np.clip(hosting.chance, _LEAST, 1 - _LEAST)
    if settings.estimand == "ATE" and len(sample.arms) == len(ARMS):
        own = np.where(hosted, pi, 1 - pi)
        return 1 / own, np.where(hosted, -1, 1) / own**2
    if settings.estimand not in ("ATT", "ATC"):
        return None
    target = sample.arms[target_arm(settings.estimand, settings.focal)]
    if target == _NON_HOST:
        return np.where(hosted, (1 - pi) / pi, 1.0), np.where(hosted, -1 / pi**2, 0.0)
    return np.where(hosted, 1.0, pi / (1 - pi)), np.where(hosted, 0.0, 1 / (1 - pi) ** 2)

"""The schools of two arms that share none, and how unlike their pupils are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.calipers import read_calipers
from baseeval.design.line_scores import score_to_match
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.mahalanobis import whiten
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.school_matching import PupilSpace

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SchoolSides:
    """The schools of the target's arm and of the other, and the rows of each.

    Parameters
    ----------
    first, second : ndarray of int
        Schools of the target's arm and of the other, by code.
    code : ndarray of int, shape (n,)
        Each row's school, from 0.
    rows : tuple of ndarray of int
        Of every school, its rows.
    """

    first: Ints
    second: Ints
    code: Ints
    rows: tuple[Ints, ...]

    @staticmethod
    def of(sample: DesignSample, focal: NDArray[np.bool_]) -> SchoolSides:
        """Sort the schools of a sample, refusing one that has pupils of both arms.

        Parameters
        ----------
        sample : DesignSample
        focal : ndarray of bool, shape (n,)

        Returns
        -------
        SchoolSides

        Raises
        ------
        EstimationError
        """
        names, code = np.unique(sample.school, return_inverse=True)
        ordered = np.argsort(code, kind="stable")
        rows = np.split(ordered, np.cumsum(np.bincount(code))[:-1])
        first, second = np.unique(code[focal]), np.unique(code[~focal])
        shared = np.intersect1d(first, second)
        if len(shared):
            raise EstimationError(
                Problem(
                    f"design `schools`, {sample.where}",
                    f"{len(shared)} of {len(names)} schools have pupils of both arms, so there is "
                    "no other school to pair them with",
                    'Use `nearest` with `prefer = "school"`: pupils are compared inside their own '
                    "school first.",
                )
            )
        return SchoolSides(first, second, code.astype(np.intp), tuple(rows))


def pupil_space(
    sample: DesignSample, settings: Settings
) -> tuple[PupilSpace, float, Floats | None]:
    """Return where pupils stand, and what it costs to leave one out.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    space : PupilSpace
        On the score, or Mahalanobis's.
    left_out : float
        The caliper on the score, if that is less than how far apart two pupils
        drawn at random are.
    propensity : ndarray, shape (n,), or None
    """
    own = settings.distance
    score, propensity = None, None
    if isinstance(own, str) and own == "mahalanobis":
        points = whiten(sample.columns, sample.treated).points
    else:
        score, propensity = score_to_match(sample, settings, "schools")
        points = score[:, None]
    limits, widest = read_calipers(sample, settings, score), np.inf
    if score is not None and limits and limits[0].values is score and limits[0].width >= 0:
        widest, limits = limits[0].width, limits[1:]
    space = PupilSpace(points, sample.strata, widest, Restrictions(limits, sample.anti))
    return space, min(widest, random_distance(points)) or 1.0, propensity


def random_distance(points: Floats) -> float:
    """Return how far apart two points drawn at random are: root of the mean square.

    Parameters
    ----------
    points : ndarray, shape (n, q)

    Returns
    -------
    float

    Examples
    --------
    >>> random_distance(np.array([[0.0], [2.0]])).__round__(6)
    1.414214
    """
    return math.sqrt(2 * float(np.sum(points.var(axis=0))))

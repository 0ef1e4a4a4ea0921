"""Nearest-neighbour matching on a propensity score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.spec import DesignSpec
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.nearest import match_nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

SPEC = DesignSpec(
    name="nearest",
    summary="Pairs each pupil of the target with the nearest of the other arm on the propensity",
    estimands=("ATT", "ATC"),
    needs_covariates=True,
    source="Rosenbaum and Rubin (1985), doi:10.1080/00031305.1985.10479383; order and ties as "
    "MatchIt 4.7.2 gives them",
)


def choosing_order(score: Floats, focal: NDArray[np.bool_], order: str) -> Ints:
    """Return the rows of the focal arm in the order in which they choose.

    Parameters
    ----------
    score : ndarray, shape (n,)
    focal : ndarray of bool, shape (n,)
    order : str
        largest, smallest (score first), or data (as the rows stand).

    Returns
    -------
    ndarray of int
    """
    rows = np.flatnonzero(focal)
    if order == "data":
        return rows
    key = -score[rows] if order == "largest" else score[rows]
    return rows[np.argsort(key, kind="stable")]


def pairs_to_weights(pairs: Ints, focal: NDArray[np.bool_]) -> Floats:
    """Turn pairs into weights, scaled as MatchIt's.

    Parameters
    ----------
    pairs : ndarray of int, shape (m, 2)
        Focal row, comparison row.
    focal : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        One for a matched focal row; a comparison row has the sum of its shares
        (one over the number of partners of each focal row), scaled so that the
        weights of the comparison arm add up to its number of matched rows.
    """
    weights = np.zeros(len(focal))
    partners = np.bincount(pairs[:, 0], minlength=len(focal))
    np.add.at(weights, pairs[:, 1], 1 / partners[pairs[:, 0]])
    matched = np.count_nonzero(weights)
    if matched:
        weights *= matched / weights.sum()
    weights[np.unique(pairs[:, 0])] = 1.0
    return weights


def nearest_pairs(
    sample: DesignSample,
    score: Floats,
    *,
    focal: NDArray[np.bool_],
    ratio: int,
    replace: bool,
    caliper: float | None,
    order: str,
) -> Ints:
    """Pair the focal arm with the other arm, within the exact strata.

    Parameters
    ----------
    sample : DesignSample
    score : ndarray, shape (n,)
    focal : ndarray of bool, shape (n,)
        The arm whose pupils are matched.
    ratio : int
    replace : bool
    caliper : float, optional
        In units of the score.
    order : str

    Returns
    -------
    ndarray of int, shape (m, 2)
        Focal row, comparison row.

    Raises
    ------
    EstimationError
        Nobody could be matched.
    """
    pairs = match_nearest(
        score,
        focal,
        choosing_order(score, focal, order),
        sample.strata,
        ratio=ratio,
        replace=replace,
        caliper=np.inf if caliper is None else caliper,
    )
    if not len(pairs):
        raise EstimationError(
            Problem(
                f"design `nearest`, {sample.contrast or 'the data'}",
                "no pupil has a match within the caliper and the exact strata",
                "Widen the caliper or match exactly on less.",
            )
        )
    return pairs

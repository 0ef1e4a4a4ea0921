"""What surrounds nearest-neighbour matching: who chooses when, and what pairs weigh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError
from baseeval.numerics.extremal import extremal_counts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def choosing_order(
    score: Floats | None, focal: NDArray[np.bool_], order: str, seed: int = 0
) -> Ints:
    """Return the rows of the focal arm in the order in which they choose.

    Parameters
    ----------
    score : ndarray, shape (n,), optional
        Needed for the orders largest and smallest.
    focal : ndarray of bool, shape (n,)
    order : str
        largest, smallest (score first), random, or anything else for the order in
        which the rows stand.
    seed : int
        Of the order random.

    Returns
    -------
    ndarray of int
        Rows of one score as they stand.

    Examples
    --------
    >>> choosing_order(np.array([0.2, 0.9, 0.2]), np.array([True, True, True]), "largest").tolist()
    [1, 0, 2]
    """
    rows = np.flatnonzero(focal)
    if order == "random":
        return np.random.default_rng(seed).permutation(rows)
    if score is None or order not in ("largest", "smallest"):
        return rows
    key = -score[rows] if order == "largest" else score[rows]
    return rows[np.argsort(key, kind="stable")]


def partners_wanted(
    settings: Settings, score: Floats | None, chooses: Ints, pool: int, *, first: bool
) -> int | Ints:
    """Return how many partners each row of the focal arm is to have.

    Parameters
    ----------
    settings : Settings
        With `min_controls` or `max_controls` the number varies around `ratio`.
    score : ndarray, shape (n,), optional
    chooses : ndarray of int, shape (t,)
        Rows of the focal arm.
    pool : int
        How many the other arm has.
    first : bool
        Whether the first arm is the focal one; then the most go to the lowest
        scores, where the other arm is crowded, else to the highest.

    Returns
    -------
    int, or ndarray of int, shape (t,)

    Raises
    ------
    UsageError
        The numbers do not go together.
    """
    ratio, least, most = settings.ratio, settings.min_controls, settings.max_controls
    problems = []
    if ratio < 1 or (least is None and most is None and ratio != int(ratio)):
        problems.append(Problem("ratio", "it is not a whole number from one", "Give one."))
    if least is None and most is None:
        if problems:
            raise UsageError(problems)
        return int(ratio)
    low = 1 if least is None else int(least)
    high = pool if most is None else int(most)
    if not (1 <= low < ratio < high) or (least or low) != low or (most or high) != high:
        problems.append(
            Problem(
                "min_controls, ratio, max_controls",
                "the number of partners varies only between whole numbers below and above `ratio`",
                "Widen the bounds, or leave both out for the same number for everybody.",
            )
        )
    elif ratio * len(chooses) > pool and not settings.replace:
        problems.append(
            Problem(
                "ratio",
                f"{pool} pupils of the other arm are fewer than {ratio} for each of {len(chooses)}",
                "Ask for fewer.",
            )
        )
    if score is None:
        problems.append(
            Problem(
                "min_controls, max_controls",
                "the Mahalanobis distance does not say who should have more partners",
                "Match on a score, or leave both out.",
            )
        )
    if problems or score is None:
        raise UsageError(problems)
    ranks = np.argsort(np.argsort(score[chooses] if first else -score[chooses], kind="stable"))
    return extremal_counts(len(chooses), ratio, low, high)[ranks]


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

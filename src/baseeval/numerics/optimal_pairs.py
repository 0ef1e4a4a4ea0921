"""Optimal pair matching: k partners each where possible, at the least total distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.line_matching import fill_line
from baseeval.numerics.optimal import Filled, fill_slots
from baseeval.numerics.pair_costs import PairCosts

Floats = NDArray[np.float64]


def pair_optimally(costs: PairCosts, ratio: int = 1) -> Filled:
    """Give every row of the first side its partners from the second.

    As many pairs as possible are made; among these matchings those in which most
    rows have one partner, then most a second, and so on; among these, one of the
    least total distance. The sets of rows that can be served form a matroid, so
    the first two wishes never conflict.

    Parameters
    ----------
    costs : PairCosts
    ratio : int
        Partners wanted; each row of the second side is the partner of one at most.

    Returns
    -------
    Filled
        Its prices and values prove what was said, if it is `certified`.

    Notes
    -----
    Along a score without calipers this takes no more than a sort and some passes.

    References
    ----------
    Rosenbaum (1989), doi:10.1080/01621459.1989.10478868.

    Examples
    --------
    >>> score = np.array([[0.5], [0.6], [0.55], [0.1]])
    >>> found = pair_optimally(PairCosts(score, np.array([0, 1]), np.array([2, 3])))
    >>> found.second.tolist()
    [1, 0]
    """
    penalties = empty_slots(costs, ratio)
    if not costs.on_a_line:
        return fill_slots(costs, penalties)
    one, two = costs.points[costs.first, 0], costs.points[costs.second, 0]
    return fill_line(one, two, penalties, np.zeros(len(two)))


def empty_slots(costs: PairCosts, ratio: int) -> Floats:
    """Return penalties so large that no slot stays empty to spare distance.

    Parameters
    ----------
    costs : PairCosts
    ratio : int

    Returns
    -------
    ndarray, shape (f, ratio)
        Filling one more slot moves partners along a path: of one pair where
        everybody may be the partner of everybody, else of no more pairs than are
        made. Each penalty exceeds the next by more than such a path can cost.
    """
    first, second = costs.shape
    most = min(first * ratio, second) if costs.restrictions.any else 1
    step = 2.0 * (most + 1) * (costs.largest() or 1.0)
    return np.tile(step * np.arange(ratio, 0, -1.0), (first, 1))

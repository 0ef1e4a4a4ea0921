"""How many partners each gets when the number may differ."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]


def extremal_counts(treated: int, ratio: float, least: int, most: int) -> Ints:
    """Divide controls among treated so that nearly all have the least or the most.

    Ming and Rosenbaum (2000, doi:10.1111/j.0006-341X.2000.00118.x), page 119: of
    all divisions of a given number of controls, one in which at most one treated
    has a number between the bounds removes most bias.

    Parameters
    ----------
    treated : int
    ratio : float
        Controls for each treated on average, between the bounds.
    least, most : int

    Returns
    -------
    ndarray of int, shape (treated,)
        The larger numbers first.

    Examples
    --------
    >>> np.unique(extremal_counts(185, 2, 1, 12), return_counts=True)
    (array([ 1, 10, 12]), array([168,   1,  16]))
    """
    spare = math.floor(treated * ratio) - treated * least
    counts = np.full(treated, least, dtype=np.intp)
    full, rest = divmod(spare, most - least)
    counts[:full] = most
    if rest:
        counts[full] += rest
    return counts

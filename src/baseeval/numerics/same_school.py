"""Matching that looks for partners in one's own school first, then elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.strata_weights import cross_codes

Ints = NDArray[np.intp]

#: Makes pairs of who chooses, in order, and strata; further `ratio` and `restrictions`.
Pairing = Callable[..., Ints]


def match_own_school_first(
    pair: Pairing,
    order: Ints,
    strata: Ints,
    school: Ints,
    *,
    ratio: int | Ints,
    replace: bool,
    restrictions: Restrictions,
) -> Ints:
    """Match inside schools as far as the caliper allows, and the others across schools.

    Parameters
    ----------
    pair : callable
        `match_nearest` or `match_mahalanobis`, but for the arguments below; its
        caliper says how unlike a partner of one's own school may be.
    order : ndarray of int, shape (t,)
        Rows in the order in which they choose.
    strata : ndarray of int, shape (n,)
    school : ndarray of int, shape (n,)
        From 0.
    ratio : int, or ndarray of int, shape (t,)
    replace : bool
        Whether a partner may serve several.
    restrictions : Restrictions

    Returns
    -------
    ndarray of int, shape (m, 2)
        First the pairs of one school, then the others.

    References
    ----------
    Arpino and Cannas (2016), doi:10.1002/sim.6880, "preferential within-cluster matching".

    Examples
    --------
    >>> from functools import partial
    >>> from baseeval.numerics.nearest import match_nearest
    >>> score, treated = np.array([0.5, 0.52, 0.4]), np.array([True, False, False])
    >>> pair = partial(match_nearest, score, treated, caliper=0.2)
    >>> school, strata = np.array([0, 1, 0]), np.zeros(3, dtype=np.intp)
    >>> match_own_school_first(pair, np.array([0]), strata, school, ratio=1, replace=False,
    ...                        restrictions=Restrictions()).tolist()
    [[0, 2]]
    """
    wanted = np.broadcast_to(ratio, len(order)).astype(np.intp)
    inside = pair(order, cross_codes([strata, school]), ratio=wanted, restrictions=restrictions)
    left = wanted - np.bincount(inside[:, 0], minlength=len(strata))[order]
    looking = left > 0
    if not looking.any():
        return inside
    free = strata.copy()
    if not replace:
        free[inside[:, 1]] = int(strata.max()) + 1  # where nobody chooses
    # Whoever still looks has had everybody allowed in the own school, or they are taken.
    elsewhere = Restrictions(restrictions.limits, (*restrictions.apart, school))
    across = pair(order[looking], free, ratio=left[looking], restrictions=elsewhere)
    return np.concatenate([inside, across])

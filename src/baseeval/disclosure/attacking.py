"""The attack that secondary suppression must withstand: two integer programs a count."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

Interval = tuple[int, int]
Equation = tuple[int, tuple[int, ...]]


@lru_cache(maxsize=4096)
def bound_first(known: tuple[Interval, ...], equations: tuple[Equation, ...]) -> Interval:
    """Bound the first of some counts, given what is known of each and the sums that hold.

    Parameters
    ----------
    known : tuple of (smallest, largest)
        One a count.
    equations : tuple of (total, parts)
        Positions of counts: the first is the sum of the others.

    Returns
    -------
    (smallest, largest)
        Exact: the solutions of two integer programs.
    """
    if not equations:
        return known[0]
    matrix = np.zeros((len(equations), len(known)))
    for row, (total, parts) in enumerate(equations):
        matrix[row, total] += 1
        for part in parts:
            matrix[row, part] -= 1
    aim = np.zeros(len(known))
    aim[0] = 1
    low, high = np.array(known, dtype=float).T
    found = [
        milp(
            sign * aim,
            integrality=np.ones(len(known)),
            bounds=Bounds(low, high),
            constraints=LinearConstraint(matrix, 0, 0),
        ).x[0]
        for sign in (1, -1)
    ]
    return round(found[0]), round(found[1])

"""A column in two parts: the mean of a pupil's school, and what the pupil lies off it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def school_shares(group: Ints, groups: int, school: Ints, weights: Floats) -> Floats:
    """Sum weights by group and school.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
    groups : int
    school : ndarray of int, shape (n,)
        Codes from 0.
    weights : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (groups, s)

    Examples
    --------
    >>> school_shares(np.array([0, 0, 1]), 2, np.array([0, 1, 1]), np.ones(3)).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    schools = int(school.max()) + 1
    held = np.bincount(group * schools + school, weights, groups * schools)
    return np.asarray(held, dtype=float).reshape(groups, schools)


def school_means(column: Floats, school: Ints, base: Floats) -> Floats:
    """Return the mean of a column in each school, over every row there.

    Parameters
    ----------
    column : ndarray, shape (n,)
    school : ndarray of int, shape (n,)
        Codes from 0, each used.
    base : ndarray, shape (n,)
        Positive survey or attrition weights.

    Returns
    -------
    ndarray, shape (s,)
    """
    found: Floats = np.bincount(school, base * column) / np.bincount(school, base)
    return found


def between_means(means: Floats, weight: Floats) -> Floats:
    """Return the mean of the school means that each group has.

    With a group's mean m and this b, a difference of means has two parts: that of
    b, how differently groups lie over schools, and that of m - b, how differently
    their pupils lie within them. The two add up to the whole.

    Parameters
    ----------
    means : ndarray, shape (s,)
        From :func:`school_means`.
    weight : ndarray, shape (k, s)
        From :func:`school_shares`.

    Returns
    -------
    ndarray, shape (k,)
        NaN for a group without weight.
    """
    total = weight.sum(axis=1)
    found: Floats = (weight @ means) / np.where(total > 0, total, np.nan)
    return found

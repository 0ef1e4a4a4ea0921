"""How unlike schools are, by what their pupils are like on average and how many they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: With fewer schools than this for each summary their covariance says little, and each
#: summary counts by itself.
SCHOOLS_PER_SUMMARY = 3

#: Directions in which schools vary less than this share of the most have no part.
_FLAT = 1e-10


def summarise_schools(columns: Floats, school: Ints, *, numbers: bool = True) -> Floats:
    """Return the means of the pupils' columns by school, and the logarithm of their number.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
    school : ndarray of int, shape (n,)
        From 0 without gaps.
    numbers : bool
        Whether how many pupils there are is a summary.

    Returns
    -------
    ndarray, shape (schools, p + 1), or (schools, p) without the number

    Examples
    --------
    >>> summarise_schools(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]))[:, 0].tolist()
    [2.0, 5.0]
    """
    counts = np.bincount(school)
    sums = np.column_stack([np.bincount(school, column) for column in columns.T])
    means: Floats = sums / counts[:, None]
    return np.column_stack([means, np.log(counts)]) if numbers else means


def place_schools(summaries: Floats, first: NDArray[np.bool_], *, ranked: bool = False) -> Floats:
    """Turn summaries into points whose distance is how unlike schools are.

    Parameters
    ----------
    summaries : ndarray, shape (s, p)
    first : ndarray of bool, shape (s,)
        Schools of the first side.
    ranked : bool
        The rank-based Mahalanobis distance of Rosenbaum (2010,
        doi:10.1007/978-1-4419-1213-8, section 8.3): ranks stand for values, so
        that an outlying school does not hide the others' differences, and a
        column with many ties counts no more than one without. Else Mahalanobis
        with the covariance within the sides (Rubin 1980, doi:10.2307/2529981).

    Returns
    -------
    ndarray, shape (s, q)
        With fewer than `SCHOOLS_PER_SUMMARY` schools for each column that varies,
        columns over their standard deviations.
    """
    x = summaries[:, np.ptp(summaries, axis=0) > 0]
    if not x.shape[1]:
        return np.zeros((len(summaries), 1))
    centred = x - x.mean(axis=0)
    shrink = np.ones(x.shape[1])
    if ranked:
        x = rankdata(x, axis=0)
        centred = x - x.mean(axis=0)
        untied = (len(x) + 1) * len(x) / 12
        shrink = np.sqrt(centred.var(axis=0, ddof=1) / untied)
    elif min(first.sum(), (~first).sum()) > 1:
        for side in (first, ~first):
            centred[side] = x[side] - x[side].mean(axis=0)
    spread: Floats = centred.std(axis=0)
    spread[spread == 0] = 1.0
    x, centred = x * shrink / spread, centred / spread
    if len(x) < SCHOOLS_PER_SUMMARY * x.shape[1]:
        return np.asarray(x, dtype=float)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > _FLAT * values.max()
    return np.asarray(x @ (vectors[:, kept] / np.sqrt(values[kept])), dtype=float)


def nearest_schools(
    points: Floats, first: Ints, second: Ints, many: int
) -> tuple[Ints, Ints, Floats]:
    """Return each school's nearest schools of the other side.

    Parameters
    ----------
    points : ndarray, shape (s, q)
    first, second : ndarray of int
        Schools of the two sides.
    many : int
        How many for each of the first.

    Returns
    -------
    first, second : ndarray of int, shape (e,)
    distance : ndarray, shape (e,)
    """
    many = min(many, len(second))
    found: list[tuple[Ints, Ints, Floats]] = []
    for block in np.array_split(first, max(1, len(first) * len(second) // 5_000_000)):
        apart = cdist(points[block], points[second])
        near = np.sort(np.argsort(apart, axis=1, kind="stable")[:, :many], axis=1)
        flat = np.take_along_axis(apart, near, axis=1).ravel()
        found.append((np.repeat(block, many), second[near.ravel()], flat))
    left, right, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    return left, right, distance

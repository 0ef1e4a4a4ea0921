"""The cumulative incidence of competing events, with late entry, and its spread by clusters.

Aalen and Johansen (1978), Scandinavian Journal of Statistics 5, 141-150, in the case of one state
and several ways out of it: Putter, Fiocco and Geskus (2007), doi:10.1002/sim.2712, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CumulativeIncidence:
    """The chance of each way out by some times.

    Parameters
    ----------
    at : (m,) array
        The times.
    incidence : (K, m) array
        Of each way.
    std_error : (K, m) array
        Infinitesimal jackknife, over clusters.
    any_way, any_std_error : (m,) array
        Of all ways together: 1 less the chance of being in still.
    clusters : int
    """

    at: Floats
    incidence: Floats
    std_error: Floats
    any_way: Floats
    any_std_error: Floats
    clusters: int


def cumulative_incidence(
    entry: Floats,
    leaving: Floats,
    way: Ints,
    ways: int,
    at: Floats,
    cluster: Ints | None = None,
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of each of several ways out.

    Parameters
    ----------
    entry : (n,) array
        Time from which each is followed: 0, or later where only those still in then
        could be seen. Someone is at risk at t if ``entry < t <= leaving``.
    leaving : (n,) array
        Time of the way out, or the last time at which it was known that there was none.
    way : (n,) array of int
        1 to `ways`; 0 where none was taken by the end.
    ways : int
        K.
    at : (m,) array
        Times to report.
    cluster : (n,) array of int, optional
        Who stands together, 0 to G - 1; everybody alone by default.

    Returns
    -------
    CumulativeIncidence

    Raises
    ------
    ValueError
        Someone leaves no later than they enter, or a way is not one of those named.

    Notes
    -----
    With d_kj leaving by way k at the j-th time out of n_j at risk, the chance of being in still
    is S_j = S_{j-1} (1 - sum_k d_kj / n_j), and F_k(t) the sum of S_{j-1} d_kj / n_j over the times
    up to t. The derivative of F_k(t) by the weight of each person follows the same recursion; its
    sums within clusters, squared and added, are the variance (Jaeckel's infinitesimal jackknife, as
    R's ``survival::survfit`` gives for states and ``cluster``). No correction is made for few
    clusters: the spread is then too small.

    Examples
    --------
    >>> leaving, way = np.array([1.0, 2.0, 2.0, 3.0]), np.array([1, 0, 2, 1])
    >>> found = cumulative_incidence(np.zeros(4), leaving, way, 2, np.array([2.0, 3.0]))
    >>> found.incidence.round(4).tolist()
    [[0.25, 0.75], [0.25, 0.25]]
    """
    if not np.all(entry < leaving):
        raise ValueError("everybody must leave later than they enter")
    if way.size and (way.min() < 0 or way.max() > ways):
        raise ValueError(f"a way must be 0 to {ways}")
    clusters = np.arange(entry.size) if cluster is None else cluster
    groups = int(clusters.max()) + 1 if clusters.size else 0
    at = np.asarray(at, dtype=np.float64)
    incidence, spread = np.zeros((ways, at.size)), np.zeros((ways + 1, at.size))
    still = 1.0
    reached = np.zeros(ways)
    # Of each cluster: the derivatives of `still` and of `reached`.
    d_still, d_reached = np.zeros(groups), np.zeros((ways, groups))
    times = np.unique(leaving[way > 0])
    for position, until in enumerate((*times, np.inf)):
        # Times to report before the next leaving show what was reached by then.
        since = times[position - 1] if position else -np.inf
        shown = (at >= since) & (at < until)
        incidence[:, shown] = reached[:, None]
        spread[:-1, shown] = np.sqrt((d_reached**2).sum(axis=1))[:, None]
        spread[-1, shown] = np.sqrt((d_reached.sum(axis=0) ** 2).sum())
        if position == times.size:
            break
        there = (entry < until) & (leaving >= until)
        n = float(there.sum())
        standing = np.bincount(clusters[there], minlength=groups).astype(np.float64)
        now = there & (leaving == until) & (way > 0)
        left = np.zeros((ways, groups))
        np.add.at(left, (way[now] - 1, clusters[now]), 1.0)
        hazard = left.sum(axis=1) / n
        d_hazard = (left - hazard[:, None] * standing) / n
        reached = reached + still * hazard
        d_reached = d_reached + np.outer(hazard, d_still) + still * d_hazard
        d_still = d_still * (1 - hazard.sum()) - still * d_hazard.sum(axis=0)
        still *= 1 - hazard.sum()
    return CumulativeIncidence(
        at=at,
        incidence=incidence,
        std_error=spread[:-1],
        any_way=incidence.sum(axis=0),
        any_std_error=spread[-1],
        clusters=groups,
    )

"""CR2 of a mixed model whose terms are nested within the clusters.

The definition is that of `numerics/cr2.py`, `docs/methods/cr2.md`; here a cluster's covariance is
that of several terms, as with classes within schools and clusters of schools.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.cr2 import ClusterParts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def nested_mixed_parts(
    x: Floats,
    z: Sequence[Floats],
    groups: Sequence[Ints],
    covariances: Sequence[Floats],
    residuals: Floats,
    clusters: Ints,
) -> ClusterParts:
    """Prepare a linear mixed model of several terms, one cluster at a time.

    Everything is in units of the residual variance, which CR2 does not need.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank.
    z : sequence of ndarray, shapes (n, q_t)
        Columns of each random term.
    groups : sequence of ndarray of int, shapes (n,)
        Level of each row in each term.
    covariances : sequence of ndarray, shapes (q_t, q_t)
        Of a level's effects, over sigma squared.
    residuals : ndarray, shape (n,)
        y - X beta.
    clusters : ndarray of int, shape (n,)
        0 to G - 1.

    Returns
    -------
    ClusterParts
        For :func:`~baseeval.numerics.cr2.cr2`. With precision weights, pass x, z
        and residuals times their square roots. No matrix is larger than a
        cluster's rows, or its columns of x and z together where they are fewer.

    Raises
    ------
    ValueError
        If a level has rows in two clusters: they are not independent then.
    """
    for codes in groups:
        first = np.full(int(codes.max()) + 1, -1, dtype=np.intp)
        first[codes] = clusters
        if np.any(first[codes] != clusters):
            raise ValueError("a level of a random term has rows in two clusters")
    order = np.argsort(clusters, kind="stable")
    ends = np.cumsum(np.bincount(clusters))[:-1]
    made = []
    for rows in np.split(order, ends):
        own = [
            (columns[rows], codes[rows], covariance)
            for columns, codes, covariance in zip(z, groups, covariances, strict=True)
        ]
        made.append(_one_cluster(x[rows], own, residuals[rows]))
    return _stacked(made, x.shape[1])


def _one_cluster(
    x: Floats, terms: list[tuple[Floats, Ints, Floats]], residuals: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return a cluster's columns, covariance and residuals in a basis of [x, z]."""
    spread = [_spread(columns, codes) for columns, codes, _ in terms]
    basis = np.linalg.qr(np.hstack([x, *spread]))[0]
    phi = np.eye(basis.shape[1])
    for columns, (_, _, covariance) in zip(spread, terms, strict=True):
        inside = (basis.T @ columns).reshape(basis.shape[1], -1, len(covariance))
        phi += np.einsum("rgi,ij,sgj->rs", inside, covariance, inside)
    return basis.T @ x, phi, basis.T @ residuals


def _spread(columns: Floats, codes: Ints) -> Floats:
    """Return Z itself: a column for each level and effect, levels slowest."""
    place = np.unique(codes, return_inverse=True)[1]
    levels = np.eye(int(place.max()) + 1)[place]
    return np.asarray((levels[:, :, None] * columns[:, None, :]).reshape(len(codes), -1))


def _stacked(made: list[tuple[Floats, Floats, Floats]], p: int) -> ClusterParts:
    """Stack clusters of uneven bases: coordinates that one lacks are zero, with variance one."""
    r = max(len(residuals) for *_, residuals in made)
    x, e = np.zeros((len(made), r, p)), np.zeros((len(made), r))
    phi = np.tile(np.eye(r), (len(made), 1, 1))
    for cluster, (own_x, own_phi, residuals) in enumerate(made):
        held = slice(0, len(residuals))
        x[cluster, held], e[cluster, held] = own_x, residuals
        phi[cluster, held, held] = own_phi
    wx: Floats = np.asarray(np.linalg.solve(phi, x), dtype=np.float64)
    information = np.einsum("grp,grq->pq", x, wx)
    return ClusterParts(x, wx, phi, e, np.asarray(np.linalg.inv(information)))

"""CR2 by school for a model with a structure of residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.cr2 import ClusterParts
from baseeval.numerics.mixed_models.residual_rows import WaveRows, find_cells
from baseeval.numerics.mixed_models.residual_structures import ResidualFit

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def residual_parts(fit: ResidualFit, rows: WaveRows, clusters: Ints) -> ClusterParts:
    """Prepare a fit for :func:`~baseeval.numerics.cr2.cr2`, its own covariance the working one.

    The rows of a cluster are its basis: residuals of this kind span no smaller one. So this is
    for schools of hundreds of rows, not for a nation.

    Parameters
    ----------
    fit : ResidualFit
    rows : WaveRows
        Those that were fitted.
    clusters : ndarray of int, shape (n,)
        Codes from 0, of schools or of something coarser.

    Returns
    -------
    ClusterParts
        Of the columns kept, over sigma^2.

    Raises
    ------
    ValueError
        Where a pupil, or a school with random effects, is in more than one cluster.
    """
    model = fit.likelihood.model
    effects = rows.schools if model.school is not None else None
    for name, codes in (("pupils", rows.pupils), ("schools", effects)):
        if codes is None:
            continue
        pairs = np.unique(np.stack([codes, clusters]), axis=1)[0]
        crossing = int((np.bincount(pairs) > 1).sum())
        if crossing:
            raise ValueError(
                f"{crossing} {name} are in more than one cluster: CR2 needs clusters that share "
                "nothing. Cluster by school, or by what holds the schools."
            )
    x = rows.x[:, fit.likelihood.coordinates.kept]
    residuals = rows.y - x @ fit.beta
    omega, cells = model.omega(fit.psi), find_cells(rows)[2]
    lower = fit.likelihood.lower(fit.psi)
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(int(clusters.max()) + 2))
    count, r, p = len(starts) - 1, int(np.diff(starts).max()), x.shape[1]
    parts = np.zeros((count, r, p)), np.zeros((count, r, p)), np.zeros((count, r))
    phi = np.tile(np.eye(r), (count, 1, 1))
    for cluster in range(count):
        own = order[starts[cluster] : starts[cluster + 1]]
        size = len(own)
        same = rows.pupils[own][:, None] == rows.pupils[own]
        covariance = omega[np.ix_(cells[own], cells[own])] * same
        if rows.school_z is not None and rows.schools is not None and len(lower):
            loads = rows.school_z[own] @ lower
            covariance += loads @ loads.T * (rows.schools[own][:, None] == rows.schools[own])
        phi[cluster, :size, :size] = covariance
        parts[0][cluster, :size] = x[own]
        parts[1][cluster, :size] = np.linalg.solve(covariance, x[own])
        parts[2][cluster, :size] = residuals[own]
    information = np.einsum("grp,grq->pq", parts[0], parts[1])
    return ClusterParts(parts[0], parts[1], phi, parts[2], np.asarray(np.linalg.inv(information)))

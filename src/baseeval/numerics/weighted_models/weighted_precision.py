"""Design weights around a working covariance: what weighs rows of a school, and its CR2 parts.

An estimator beta = M sum_j w_j X'V^-1 y with V = W^-1 + Z Sigma Z', W = diag(w_i|j), is a
pseudo-likelihood's at its covariances and, in rows divided by their standard deviations, an
estimating equation's. Weights of a design are no precisions: if the model holds, rows vary as
I + Z Sigma Z', whatever their weights.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.cr2 import ClusterParts
from baseeval.numerics.weighted_models.group_products import (
    shrink,
    starts_of,
    sums_of_products,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def apply_precision(
    columns: Floats, z: Floats, covariance: Floats, weights: Floats, school: Ints
) -> Floats:
    """Return V^-1 times columns, V = W^-1 + Z Sigma Z' in each school.

    Parameters
    ----------
    columns : ndarray, shape (n, c)
    z : ndarray, shape (n, q)
    covariance : ndarray, shape (q, q)
    weights : ndarray, shape (n,)
        Of rows within their school.
    school : ndarray of int, shape (n,)
        From 0, each used, in order.

    Returns
    -------
    ndarray, shape (n, c)

    Examples
    --------
    With Sigma = 1 and two rows of weight one, V = [[2, 1], [1, 2]]:

    >>> one = np.ones((2, 1))
    >>> found = apply_precision(one, one, np.eye(1), one[:, 0], np.zeros(2, dtype=np.intp))
    >>> found.round(6).tolist()
    [[0.333333], [0.333333]]
    """
    weighted = weights[:, None] * np.column_stack([z, columns])
    cross = sums_of_products(z, weighted, starts_of(school))
    size = z.shape[1]
    pulls = shrink(covariance, cross[:, :, :size])[0] @ cross[:, :, size:]
    left = columns.copy()
    for place in range(size):
        left -= z[:, [place]] * pulls[school, place]
    return np.asarray(weights[:, None] * left)


def design_parts(
    x: Floats,
    z: Floats,
    residuals: Floats,
    covariance: Floats,
    weights: Floats,
    school_weights: Floats,
    school: Ints,
) -> ClusterParts:
    """Prepare the CR2 covariance of an estimator with design weights.

    The working covariance is I + Z Sigma Z': a basis of [X, Z, WX, WZ] holds all that differs
    from the identity (`docs/methods/cr2.md`).

    Parameters
    ----------
    x, z : ndarray, shapes (n, p), (n, q)
    residuals : ndarray, shape (n,)
        y - X beta.
    covariance : ndarray, shape (q, q)
        Over that of a row.
    weights : ndarray, shape (n,)
        Of rows within their school, positive.
    school_weights : ndarray, shape (G,)
    school : ndarray of int, shape (n,)
        From 0, each used, in order.

    Returns
    -------
    ClusterParts
    """
    both = np.hstack([x, z])
    span = both if np.ptp(weights) == 0 else np.hstack([both, weights[:, None] * both])
    weighted = apply_precision(x, z, covariance, weights, school) * school_weights[school][:, None]
    edges = np.append(starts_of(school), len(x))
    count, p = len(edges) - 1, x.shape[1]
    r = int(min(span.shape[1], np.diff(edges).max()))
    x_basis, w_basis = np.zeros((2, count, r, p))
    e_basis = np.zeros((count, r))
    phi = np.tile(np.eye(r), (count, 1, 1))
    for own, (low, high) in enumerate(itertools.pairwise(edges)):
        q = np.linalg.qr(span[low:high])[0]
        size = q.shape[1]
        x_basis[own, :size] = q.T @ x[low:high]
        w_basis[own, :size] = q.T @ weighted[low:high]
        e_basis[own, :size] = q.T @ residuals[low:high]
        turned = q.T @ z[low:high]
        phi[own, :size, :size] += turned @ covariance @ turned.T
    bread = np.asarray(np.linalg.inv(x.T @ weighted))
    return ClusterParts(x_basis, w_basis, phi, e_basis, (bread + bread.T) / 2)

"""CR2 cluster-robust variance with Satterthwaite degrees of freedom.

Bell and McCaffrey (2002); Pustejovsky and Tipton (2018, doi:10.1080/07350015.2016.1247004),
equations (5) to (9) and section 2.3. The derivation, and why a small basis for
each cluster is enough, stands in `docs/methods/cr2.md`.

A linear estimator beta = M X'W y with M = (X'WX)^-1 and block-diagonal W has
residuals e = (I - H) y. Under a working covariance Phi, CR2 corrects the score
of cluster i by the symmetric matrix A_i for which A_i Var(e_i) A_i = Phi_i.
Var(e_i) differs from Phi_i only inside the span of a few columns, so all of it
happens in coordinates of an orthonormal basis of that span.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]

#: Eigenvalues below this count as zero: the tolerance of clubSandwich.
_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class ClusterParts:
    """One linear estimator in the coordinates of each cluster's basis.

    With G clusters, p coefficients and r basis vectors at most:

    Parameters
    ----------
    x : ndarray, shape (G, r, p)
        Q_i' X_i.
    wx : ndarray, shape (G, r, p)
        Q_i' W_i X_i.
    phi : ndarray, shape (G, r, r)
        Q_i' Phi_i Q_i; the identity on coordinates that a cluster lacks.
    e : ndarray, shape (G, r)
        Q_i' e_i.
    bread : ndarray, shape (p, p)
        M, the inverse of X'WX.
    """

    x: Floats
    wx: Floats
    phi: Floats
    e: Floats
    bread: Floats


@dataclass(frozen=True, slots=True)
class RobustVariance:
    """A cluster-robust covariance, and what its degrees of freedom need.

    Parameters
    ----------
    vcov : ndarray, shape (p, p)
    adjusted : ndarray, shape (G, r, p)
        A_i W_i X_i M in basis coordinates.
    parts : ClusterParts
    """

    vcov: Floats
    adjusted: Floats
    parts: ClusterParts

    def df(self, contrast: Floats) -> float:
        """Return Satterthwaite degrees of freedom of a linear contrast.

        Parameters
        ----------
        contrast : ndarray, shape (p,)

        Returns
        -------
        float
            trace(P)^2 / trace(P P), Pustejovsky and Tipton section 2.3; NaN
            where the variance of the contrast is not identified.
        """
        parts, bread = self.parts, self.parts.bread
        g = self.adjusted @ contrast
        a = np.einsum("grp,gr->gp", parts.x, g)
        phi_g = np.einsum("grs,gs->gr", parts.phi, g)
        b = np.einsum("grp,gr->gp", parts.wx, phi_g)
        d = np.einsum("gr,gr->g", g, phi_g)
        phi_wx = np.einsum("grs,gsp->grp", parts.phi, parts.wx)
        spread = np.einsum("grp,grq->pq", parts.wx, phi_wx)
        # P = diag(d) + U C U' with U = [a, b]: never a G by G matrix.
        u = np.concatenate([a, b], axis=1)
        zero = np.zeros_like(bread)
        c = np.block([[bread @ spread @ bread, -bread], [-bread, zero]])
        low_rank = np.einsum("gi,ij,gj->g", u, c, u)
        inner = c @ (u.T @ u)
        trace = float(d.sum() + low_rank.sum())
        trace_of_square = float(d @ d + 2 * d @ low_rank + np.sum(inner * inner.T))
        model = float(contrast @ bread @ spread @ bread @ contrast)
        if not trace > _ZERO * model or trace_of_square <= 0:
            return float("nan")
        return trace**2 / trace_of_square


def cr2(parts: ClusterParts) -> RobustVariance:
    """Compute the CR2 covariance of a linear estimator.

    Parameters
    ----------
    parts : ClusterParts
        From :func:`weighted_parts` or :func:`mixed_parts`.

    Returns
    -------
    RobustVariance
    """
    x, wx, phi, bread = parts.x, parts.wx, parts.phi, parts.bread
    phi_wx = np.einsum("grs,gsp->grp", phi, wx)
    spread = np.einsum("grp,grq->pq", wx, phi_wx)
    cross = x @ bread @ np.swapaxes(phi_wx, 1, 2)
    var_e = phi - cross - np.swapaxes(cross, 1, 2)
    var_e += x @ (bread @ spread @ bread) @ np.swapaxes(x, 1, 2)
    root = _power(phi, 0.5)
    a = root @ _power(root @ var_e @ root, -0.5) @ root
    adjusted = a @ wx @ bread
    scores = np.einsum("grp,gr->gp", adjusted, parts.e)
    return RobustVariance(scores.T @ scores, adjusted, parts)


def weighted_parts(
    x: Floats, residuals: Floats, weights: Floats, clusters: NDArray[np.intp], bread: Floats
) -> ClusterParts:
    """Prepare a weighted least squares fit; the working covariance is the identity.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    residuals : ndarray, shape (n,)
    weights : ndarray, shape (n,)
        All positive: rows of weight zero must be left out first, as they are
        in no cluster's residuals.
    clusters : ndarray of int, shape (n,)
        Cluster of each row, 0 to G - 1.
    bread : ndarray, shape (p, p)

    Returns
    -------
    ClusterParts
    """
    if np.ptp(weights) == 0:
        return _in_basis(x, x * weights[:, None], x, residuals, clusters, bread)
    wx = x * weights[:, None]
    return _in_basis(x, wx, np.hstack([x, wx]), residuals, clusters, bread)


def mixed_parts(
    x: Floats,
    z: Floats,
    residuals: Floats,
    covariance: Floats,
    clusters: NDArray[np.intp],
) -> ClusterParts:
    """Prepare a linear mixed model, whose own covariance is the working one.

    Everything is in units of the residual variance, which CR2 does not need.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    z : ndarray, shape (n, q)
        Random-effect columns, in units of the cluster.
    residuals : ndarray, shape (n,)
        y - X beta.
    covariance : ndarray, shape (q, q)
        Covariance of a cluster's random effects over sigma squared.
    clusters : ndarray of int, shape (n,)

    Returns
    -------
    ClusterParts
        With prior weights, pass x, z and residuals times their square roots:
        the basis is then that of the weighted rows.
    """
    p = x.shape[1]
    plain = _in_basis(x, x, np.hstack([x, z]), residuals, clusters, np.eye(p))
    z_basis = _in_basis(z, z, np.hstack([x, z]), residuals, clusters, np.eye(z.shape[1])).x
    phi = plain.phi + z_basis @ covariance @ np.swapaxes(z_basis, 1, 2)
    wx: Floats = np.asarray(np.linalg.solve(phi, plain.x), dtype=np.float64)
    information: Floats = np.einsum("grp,grq->pq", plain.x, wx)
    return ClusterParts(plain.x, wx, phi, plain.e, np.asarray(np.linalg.inv(information)))


@dataclass(frozen=True, slots=True)
class Interval:
    """A t interval of one contrast.

    Parameters
    ----------
    std_error, df, statistic, p_value : float
    low, high : float
        Ends of the 95% interval.
    low90, high90 : float
        Ends of the 90% interval.
    """

    std_error: float
    df: float
    statistic: float
    p_value: float
    low: float
    high: float
    low90: float
    high90: float


def t_interval(estimate: float, std_error: float, df: float) -> Interval:
    """Make the 95% and 90% t intervals of an estimate.

    Parameters
    ----------
    estimate, std_error, df : float

    Returns
    -------
    Interval
        All NaN where the standard error or df is not a positive number.

    Examples
    --------
    >>> round(t_interval(1.0, 0.5, 10.0).high, 4)
    2.1141
    """
    nan = float("nan")
    if not (np.isfinite(std_error) and std_error > 0 and df > 0):
        return Interval(std_error if std_error > 0 else nan, df, nan, nan, nan, nan, nan, nan)
    statistic = estimate / std_error
    p_value = float(2 * student.sf(abs(statistic), df))
    wide, narrow = student.ppf([0.975, 0.95], df) * std_error
    return Interval(
        std_error,
        df,
        statistic,
        p_value,
        float(estimate - wide),
        float(estimate + wide),
        float(estimate - narrow),
        float(estimate + narrow),
    )


def _in_basis(
    x: Floats,
    wx: Floats,
    span: Floats,
    residuals: Floats,
    clusters: NDArray[np.intp],
    bread: Floats,
) -> ClusterParts:
    """Express a fit in an orthonormal basis of `span`, cluster by cluster.

    A basis of something larger than the span does no harm, so no rank is
    decided; a cluster with fewer rows than columns has its rows as basis.
    """
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(clusters.max() + 2))
    count, p = len(starts) - 1, x.shape[1]
    r = int(min(span.shape[1], np.diff(starts).max()))
    x_basis, wx_basis = np.zeros((count, r, p)), np.zeros((count, r, p))
    e_basis = np.zeros((count, r))
    for cluster in range(count):
        rows = order[starts[cluster] : starts[cluster + 1]]
        q = np.linalg.qr(span[rows])[0]
        size = q.shape[1]
        x_basis[cluster, :size] = q.T @ x[rows]
        wx_basis[cluster, :size] = q.T @ wx[rows]
        e_basis[cluster, :size] = q.T @ residuals[rows]
    phi = np.broadcast_to(np.eye(r), (count, r, r))
    return ClusterParts(x_basis, wx_basis, phi, e_basis, bread)


def _power(matrices: Floats, exponent: float) -> Floats:
    """Raise symmetric matrices to a power, zero eigenvalues staying zero."""
    values, vectors = np.linalg.eigh((matrices + np.swapaxes(matrices, -1, -2)) / 2)
    kept = values > _ZERO
    powers = np.where(kept, np.where(kept, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * powers[..., None, :]) @ np.swapaxes(vectors, -1, -2))

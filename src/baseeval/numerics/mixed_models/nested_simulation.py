"""Outcomes of a model of one factor, drawn as the sums that its likelihood holds.

No row is needed: given Z_g'Z_g, Z_g'X and X'X, the errors enter the likelihood by Z_g'e, X'e and
e'e alone, whose joint law is normal but for what is left of e'e, a chi-square. The draw is exact,
and costs as much for millions of rows as for their groups. See `docs/methods/profile-intervals.md`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.numerics.mixed_models.bootstrap import Simulate
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.nested import NestedLikelihood

Floats = NDArray[np.float64]

#: Eigenvalues below this, over the largest of all, are directions that a group's rows lack.
_RANK = 1e-11


def nested_simulator(fit: MixedFit, likelihood: NestedLikelihood) -> Simulate:
    """Return what draws an outcome from a fit, as the likelihood of the same rows.

    Parameters
    ----------
    fit : MixedFit
    likelihood : NestedLikelihood
        The one that was fitted, of terms of one factor.

    Returns
    -------
    callable
        For :func:`~baseeval.numerics.mixed_models.bootstrap.parametric_bootstrap`.

    Raises
    ------
    ValueError
        If the model has terms of an inner factor: draw rows then.
    """
    data = likelihood.data
    if data.inner:
        raise ValueError("sums are drawn for terms of one factor only: draw rows instead")
    r, k = len(data.outer), len(data.total) - 1
    gram = np.ascontiguousarray(data.outer[:, :, :r].transpose(1, 0, 2))
    cross = np.ascontiguousarray(data.outer[:, :, r:-1].transpose(1, 0, 2))
    xx, beta = data.total[:k, :k], fit.at.beta
    sigma = fit.sigma / data.coordinates.scale
    lower = np.asarray(block_diag(*fit.factors))
    root, inverse = _roots(gram)
    loads = np.swapaxes(cross, 1, 2) @ inverse
    rest, _ = _roots((xx - np.einsum("gkr,glr->kl", loads, loads))[None])
    rank = int(np.any(root != 0, axis=1).sum() + np.any(rest[0] != 0, axis=0).sum())

    def simulate(rng: np.random.Generator) -> NestedLikelihood:
        effects = sigma * rng.standard_normal((len(gram), r)) @ lower.T
        inside, across = rng.standard_normal((len(gram), r)), rng.standard_normal(k)
        # Directions that a group lacks carry nothing, so what they draw is not counted.
        inside *= np.any(root != 0, axis=1)
        across *= np.any(rest[0] != 0, axis=0)
        ze = sigma * np.einsum("gqr,gr->gq", root, inside)
        xe = sigma * (np.einsum("gkr,gr->k", loads, inside) + rest[0] @ across)
        ee = np.sum(inside**2) + np.sum(across**2) + rng.chisquare(max(likelihood.n - rank, 0))
        zu = np.einsum("gqr,gr->gq", gram, effects)
        xu = np.einsum("gqk,gq->k", cross, effects)
        total, outer = data.total.copy(), data.outer.copy()
        outer[:, :, -1] = (cross @ beta + zu + ze).T
        xy = xx @ beta + xu + xe
        total[:k, -1] = total[-1, :k] = xy
        own = np.sum(effects * (zu + 2 * ze)) + sigma**2 * ee
        total[-1, -1] = beta @ (xx @ beta + 2 * xu + 2 * xe) + own
        return NestedLikelihood(likelihood.layout, replace(data, total=total, outer=outer), None)

    return simulate


def _roots(matrices: Floats) -> tuple[Floats, Floats]:
    """Return R with R R' = A, and A^+ R, of positive semidefinite matrices; zero where A is."""
    values, vectors = np.linalg.eigh(matrices)
    held = values > _RANK * max(float(values.max()), 1.0)
    size = np.sqrt(np.where(held, values, 1.0))
    root = np.where(held, size, 0.0)[:, None, :] * vectors
    inverse = np.where(held, 1 / size, 0.0)[:, None, :] * vectors
    return root, inverse

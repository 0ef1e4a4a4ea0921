"""Standard errors and degrees of freedom of a linear mixed model's coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.errors import Problem, UsageError
from baseeval.models.model_rows import ModelRows
from baseeval.numerics.cr2 import ClusterParts, cr2, mixed_parts
from baseeval.numerics.cr2_mixed import nested_mixed_parts
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.kenward_roger import kenward_roger
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df

Floats = NDArray[np.float64]

#: What `fit_mixed` may be asked for; None leaves df out.
INFERENCES = ("satterthwaite", "kenward_roger", "cr2_satterthwaite")


def mixed_inference(
    rows: ModelRows, fit: MixedFit, inference: str | None, contrasts: Floats
) -> tuple[Floats, Floats]:
    """Return the covariance of the coefficients and the df of contrasts of them.

    Parameters
    ----------
    rows : ModelRows
    fit : MixedFit
    inference : str or None
        One of :data:`INFERENCES`.
    contrasts : ndarray, shape (c, k)

    Returns
    -------
    vcov : ndarray, shape (k, k)
        Model-based, adjusted as Kenward and Roger do, or CR2 by the outermost factor.
    df : ndarray, shape (c,)
        NaN where the approximation has no ground: Satterthwaite's at a singular fit.
    """
    if inference == "kenward_roger":
        adjusted = kenward_roger(fit)
        return adjusted.vcov, np.array([adjusted.df(contrast) for contrast in contrasts])
    if inference == "cr2_satterthwaite":
        robust = cr2(_cluster_parts(rows, fit))
        return robust.vcov, np.array([robust.df(contrast) for contrast in contrasts])
    if inference == "satterthwaite":
        return fit.vcov, satterthwaite_df(fit, contrasts)
    return fit.vcov, np.full(len(contrasts), np.nan)


def _cluster_parts(rows: ModelRows, fit: MixedFit) -> ClusterParts:
    """Return the parts of CR2 by the outermost factor."""
    if rows.route == "crossed":
        raise UsageError(
            Problem(
                "df `cr2_satterthwaite`",
                "it is made for one grouping factor, or two nested ones",
                "Use `kenward_roger`.",
            )
        )
    whole = rows.whole()
    root = np.ones(rows.n) if whole.weights is None else np.sqrt(whole.weights)
    x = whole.x[:, fit.likelihood.coordinates.kept]
    residuals = (whole.y - x @ fit.beta) * root
    x, z = x * root[:, None], [columns * root[:, None] for columns in whole.z]
    covariances = fit.likelihood.layout.covariances(fit.theta)
    clusters = whole.groups[rows.owners.index(0)]
    if len(rows.factors) == 1:
        joined = np.asarray(block_diag(*covariances))
        return mixed_parts(x, np.column_stack(z), residuals, joined, clusters)
    return nested_mixed_parts(x, z, whole.groups, covariances, residuals, clusters)

"""McDonald's omega from the one-factor model, with an interval that trusts no distribution.

McDonald (1999), Test theory: a unified treatment, chapter 6. The interval is the delta method on
each row's influence on the fit, right also where one factor is only an approximation; derived in
`docs/methods/scales.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.factor import FactorFit, fit_factors, whitened
from baseeval.numerics.factor_indices import FitIndices, fit_indices
from baseeval.numerics.factor_model import Moments, is_singular, moments_of
from baseeval.numerics.invariance_model import measurement_model
from baseeval.numerics.reliability import (
    ReliabilityEstimate,
    complete_rows,
    from_influence,
    refuse_items,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Omega:
    """Omega of k items.

    Parameters
    ----------
    sum_score : ReliabilityEstimate
        Of the items' sum or mean: (sum of loadings)^2 over that plus the residual variances.
    standardised : ReliabilityEstimate
        Of the sum of items in standard deviations, over its observed variance, as psych's
        ``omega(nfactors = 1, fm = "ml")``.
    loading, residual_variance : ndarray, shape (k,)
        In the items' own units, the factor's variance being one.
    indices : FitIndices
        How far one factor is true.
    improper : bool
        A residual variance is below zero.
    """

    sum_score: ReliabilityEstimate
    standardised: ReliabilityEstimate
    loading: Floats
    residual_variance: Floats
    indices: FitIndices
    improper: bool


def mcdonald_omega(rows: Floats, level: float = 0.95, clusters: Integers | None = None) -> Omega:
    """Estimate omega by one-factor maximum likelihood from the complete rows.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        NaN where there is no answer; items worded the other way are turned round already.
    level : float
    clusters : ndarray of int, shape (n,), optional
        Schools, for an interval in which whole schools vary.

    Returns
    -------
    Omega

    Raises
    ------
    EstimationError
        Fewer than three items, a singular covariance, or a fit that did not converge.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = rng.normal(size=(500, 1)) * [0.5, 0.7, 0.9, 0.6] + 0.6 * rng.normal(size=(500, 4))
    >>> found = mcdonald_omega(rows)
    >>> round(found.sum_score.estimate, 2), found.sum_score.low < 0.838 < found.sum_score.high
    (0.81, True)
    """
    whole = complete_rows(rows)
    used = rows[whole]
    refuse_items(used, least=3)
    data = moments_of(used)
    if is_singular(data):
        raise EstimationError(
            Problem(
                "omega",
                f"the covariance of {used.shape[1]} items over {data.n} complete rows has no "
                "inverse",
                "Leave out items that repeat others, or gather more rows than items.",
            ),
            flag="model_failed",
        )
    one = np.ones((used.shape[1], 1), dtype=bool)
    fit = fit_factors(measurement_model([data], one, "configural"), [data])
    if not (fit.converged and fit.identified):
        raise EstimationError(
            Problem(
                "omega",
                "no one-factor model fits best: the likelihood has no single top",
                "Look at the items' correlations: some may be unrelated to the rest.",
            ),
            flag="model_failed",
        )
    loading = fit.matrices.loading[0, :, 0]
    residual = np.diag(fit.matrices.residual_covariance[0])
    centred = used - data.mean
    moved = _influence(fit, data, centred)
    own = None if clusters is None else clusters[whole]
    value, influence = _sum_score(loading, residual, moved)
    sum_score = from_influence(value, influence, level, own)
    value, influence = _standardised(residual, data.covariance, centred, moved[:, len(loading) :])
    return Omega(
        sum_score=sum_score,
        standardised=from_influence(value, influence, level, own),
        loading=loading,
        residual_variance=residual,
        indices=fit_indices(fit, [data]),
        improper=bool(fit.improper),
    )


def _sum_score(loading: Floats, residual: Floats, moved: Floats) -> tuple[float, Floats]:
    items = len(loading)
    common, unique = loading.sum() ** 2, residual.sum()
    d_common = 2 * loading.sum() * moved[:, :items].sum(axis=1)
    d_unique = moved[:, items:].sum(axis=1)
    whole = common + unique
    return float(common / whole), (unique * d_common - common * d_unique) / whole**2


def _standardised(
    residual: Floats, covariance: Floats, centred: Floats, moved: Floats
) -> tuple[float, Floats]:
    variance = np.diag(covariance)
    correlation = covariance / np.sqrt(np.outer(variance, variance))
    scores = centred / np.sqrt(variance)
    whole, unique = correlation.sum(), residual / variance
    d_whole = scores.sum(axis=1) ** 2 - scores**2 @ correlation.sum(axis=1)
    d_unique = (moved / variance - unique * (scores**2 - 1)).sum(axis=1)
    share = unique.sum() / whole
    return float(1 - share), (share * d_whole - d_unique) / whole


def _influence(fit: FactorFit, data: Moments, centred: Floats) -> Floats:
    """Return each row's influence on the loadings, then on the residual variances, (n, 2 k)."""
    model = fit.model
    ours = np.concatenate([model.parameter[model.matrix == 0], model.parameter[model.matrix == 2]])
    loading = fit.matrices.loading[0, :, 0]
    inverse = np.linalg.inv(fit.matrices.covariance[0])
    weighed = centred @ inverse
    on_loading = weighed * (weighed @ loading)[:, None] - inverse @ loading
    on_residual = (weighed**2 - np.diag(inverse)) / 2
    # The second derivative of minus the mean log-likelihood, by central differences of the first.
    curvature = np.empty((len(ours), len(ours)))
    for position, parameter in enumerate(ours):
        step = np.zeros(model.size)
        step[parameter] = 1e-4 * np.sqrt(fit.vcov[parameter, parameter] * data.n)
        slopes = []
        for moved in (fit.parameters + step, fit.parameters - step):
            jacobian, left = whitened(model, [data], moved)
            slopes.append(-(jacobian.T @ left)[ours] / data.n)
        curvature[position] = (slopes[0] - slopes[1]) / (2 * step[parameter])
    scores = np.hstack([on_loading, on_residual])
    return np.asarray(np.linalg.solve((curvature + curvature.T) / 2, scores.T).T)

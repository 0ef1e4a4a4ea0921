"""Which schools move a mixed model's answer, and whether its effects look normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from baseeval.errors import Problem, UsageError
from baseeval.models.model_likelihood import model_likelihood
from baseeval.numerics.mixed_models.fitting import fit_likelihood
from baseeval.numerics.mixed_models.nested import NestedLikelihood

if TYPE_CHECKING:
    from baseeval.models.mixed_model import MixedModel

Floats = NDArray[np.float64]


def school_influence(model: MixedModel, refit: bool = False) -> pd.DataFrame:
    """Leave out each group of the outermost factor in turn.

    Parameters
    ----------
    model : MixedModel
    refit : bool
        Estimate the variances anew each time, from the sums that are held; by
        default they stay as they are, and no search is needed.

    Returns
    -------
    pandas.DataFrame
        One row a group: ``cooks_distance`` (of all coefficients, over their number), and
        for each term how far the estimate moves when the group is left out.

    Raises
    ------
    UsageError
        Its factors are crossed, so that no outermost group can be left out alone.
    """
    likelihood = model.fit.likelihood
    if not isinstance(likelihood, NestedLikelihood):
        raise UsageError(
            Problem("influence", "it is for one factor, or two nested ones", "Simplify it.")
        )
    if likelihood.statistics is None:
        held = model_likelihood(model.rows, keep_groups=True)
        assert isinstance(held, NestedLikelihood)
        likelihood = held
    moved = _refitted(model, likelihood) if refit else _at_once(model, likelihood)
    outer = model.rows.factors[model.rows.arrangement.owners.index(0)]
    inverse = np.linalg.inv(model.fit.vcov)
    distance = np.einsum("gk,kl,gl->g", moved, inverse, moved) / len(inverse)
    order, names = outer.shown(), outer.labels()
    table = pd.DataFrame(
        np.column_stack([distance, moved])[order],
        columns=["cooks_distance", *model.vcov.columns],
        index=pd.Index([names[place] for place in order], name=outer.label),
    )
    return table


def normal_quantiles(model: MixedModel, group: str) -> pd.DataFrame:
    """Set the effects of a factor beside the normal quantiles that they should follow.

    Parameters
    ----------
    model : MixedModel
    group : str

    Returns
    -------
    pandas.DataFrame
        ``term, quantile, effect``: effects over their own marginal standard
        deviation, ascending, so that no group is named.
    """
    model.rows.factor(group)
    scale = model.fit.likelihood.coordinates.scale
    parts = zip(model.rows.random, model.effects, model.fit.covariances, strict=True)
    tables = []
    for part, effects, covariance in parts:
        if part.group != group:
            continue
        unexplained = model.fit.sigma**2 * np.diagonal(effects.variance, axis1=1, axis2=2)
        spread = np.sqrt(np.maximum(np.diag(covariance) - unexplained, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.sort(np.where(spread > 0, scale * effects.modes / spread, 0), axis=0)
        quantile = norm.ppf((np.arange(len(ratio)) + 0.5) / len(ratio))
        tables += [
            pd.DataFrame({"term": name, "quantile": quantile, "effect": ratio[:, place]})
            for place, name in enumerate(part.columns)
        ]
    return pd.concat(tables, ignore_index=True)


def _at_once(model: MixedModel, likelihood: NestedLikelihood) -> Floats:
    """Return the change of the coefficients, theta held: (M - M_s)^-1 (m - m_s) - M^-1 m."""
    information, scores = likelihood.by_group(model.fit.theta)
    rest = information.sum(axis=0) - information
    change = -np.linalg.pinv(rest, hermitian=True) @ scores[:, :, None]
    inside = likelihood.coordinates
    return np.asarray(change[:, :, 0] @ inside.to_beta.T * inside.scale)


def _refitted(model: MixedModel, likelihood: NestedLikelihood) -> Floats:
    groups = len(likelihood.data.codes)
    moved = np.full((groups, len(model.fit.beta)), np.nan)
    for place in range(groups):
        found = fit_likelihood(likelihood.without(place), model.fit.reml)
        if len(found.beta) == len(model.fit.beta):
            moved[place] = found.beta - model.fit.beta
    return moved

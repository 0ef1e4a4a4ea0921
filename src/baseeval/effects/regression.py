"""Least squares: the plain difference in means, and regression on the covariates."""

from __future__ import annotations

import numpy as np

from baseeval.effects.spec import EffectSample, ModelFit, ModelSpec, identified
from baseeval.measures.kinds import KINDS
from baseeval.numerics.cr2 import cr2, t_interval, weighted_parts
from baseeval.numerics.least_squares import fit_least_squares, independent_columns

_SOURCE = "Pustejovsky and Tipton (2018), doi:10.1080/07350015.2016.1247004"
_KINDS = tuple(KINDS)


def fit_regression(sample: EffectSample) -> ModelFit:
    """Regress the outcome on the arm and the covariates, with CR2 by school.

    Parameters
    ----------
    sample : EffectSample

    Returns
    -------
    ModelFit
        The coefficient of the first arm. Without covariates it is the weighted
        difference in means.
    """
    arm = sample.first.astype(float)
    x = np.column_stack([np.ones_like(arm), arm, sample.covariates])
    x = identified(x[:, independent_columns(x)])
    fit = fit_least_squares(x, sample.outcome, sample.weights)
    robust = cr2(weighted_parts(x, fit.residuals, sample.weights, sample.school, fit.bread))
    contrast = np.eye(x.shape[1])[1]
    interval = t_interval(
        float(fit.beta[1]), float(np.sqrt(robust.vcov[1, 1])), robust.df(contrast)
    )
    return ModelFit(float(fit.beta[1]), interval, x.shape[1])


UNADJUSTED = ModelSpec(
    name="unadjusted",
    summary="The difference in means between the arms as they are, with nothing adjusted for",
    kinds=_KINDS,
    carries_designs=False,
    uses_covariates=False,
    inference="cr2_satterthwaite",
    generalises_to="schools_like_these",
    fit=fit_regression,
    source=_SOURCE,
)

REGRESSION = ModelSpec(
    name="regression",
    summary="Least squares of the outcome on the arm and the covariates, with the design's weights",
    kinds=_KINDS,
    carries_designs=True,
    uses_covariates=True,
    inference="cr2_satterthwaite",
    generalises_to="schools_like_these",
    fit=fit_regression,
    source=_SOURCE,
)

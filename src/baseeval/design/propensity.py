"""Inverse-probability weights from a logistic propensity score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.spec import DesignSpec
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.logit import Logit, fit_logit

Floats = NDArray[np.float64]

SPEC = DesignSpec(
    name="propensity",
    summary="Weights pupils by the inverse of their fitted chance of being in their arm",
    estimands=("ATT", "ATC", "ATE", "ATO"),
    needs_covariates=True,
    source="Li, Morgan and Zaslavsky (2018), doi:10.1080/01621459.2016.1260466, table 1",
)


def fit_propensity(sample: DesignSample) -> Logit:
    """Fit the chance of being in the first arm given the covariates.

    Parameters
    ----------
    sample : DesignSample

    Returns
    -------
    Logit
        Its `separated` says whether a finite estimate exists.
    """
    regressors = sample.regressors()
    kept = independent_columns(regressors)
    return fit_logit(regressors[:, kept], sample.treated)


def propensity_weights(sample: DesignSample, estimand: str) -> tuple[Floats, Floats]:
    """Weight both arms to the target by the propensity score.

    Parameters
    ----------
    sample : DesignSample
    estimand : str

    Returns
    -------
    weights, propensity : ndarray, shape (n,)

    Raises
    ------
    EstimationError
        The covariates separate the arms.
    """
    fit = fit_propensity(sample)
    if fit.separated:
        raise EstimationError(
            Problem(
                f"design `propensity`, {sample.contrast or 'the data'}",
                "the covariates tell the two arms apart completely, so no weight is finite",
                "Adjust for fewer covariates, or merge rare categories.",
            ),
            flag="separation",
        )
    p = fit.probability
    first, second = {
        "ATT": (np.ones_like(p), p / (1 - p)),
        "ATC": ((1 - p) / p, np.ones_like(p)),
        "ATE": (1 / p, 1 / (1 - p)),
        "ATO": (1 - p, p),
    }[estimand]
    return np.where(sample.treated, first, second), p

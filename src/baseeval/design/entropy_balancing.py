"""Entropy balancing: the comparison arm weighted to the target's very means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.spec import DesignSpec
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.entropy import balance_entropy

Floats = NDArray[np.float64]

SPEC = DesignSpec(
    name="entropy",
    summary="Weights the comparison arm so that covariate means equal the target's exactly",
    estimands=("ATT", "ATC", "ATE"),
    needs_covariates=True,
    source="Hainmueller (2012), doi:10.1093/pan/mpr025",
)


def entropy_weights(sample: DesignSample, estimand: str) -> Floats:
    """Weight the arms to the target's covariate means.

    Parameters
    ----------
    sample : DesignSample
    estimand : str

    Returns
    -------
    ndarray, shape (n,)
        One in the target's arm; mean one in each arm that is weighted.

    Raises
    ------
    EstimationError
        No positive weights give the target means.
    """
    weights = np.ones(len(sample.treated))
    target = {"ATT": sample.treated, "ATC": ~sample.treated}.get(
        estimand, np.ones_like(sample.treated)
    )
    means = sample.columns[target].mean(axis=0)
    for arm in (sample.treated, ~sample.treated):
        if np.array_equal(arm, target):
            continue
        found = balance_entropy(sample.columns[arm], means)
        if not found.converged:
            raise EstimationError(
                Problem(
                    f"design `entropy`, {sample.contrast or 'the data'}",
                    "no weights give the comparison arm the covariate means of the target: "
                    "it holds too few pupils like them",
                    "Adjust for fewer covariates, merge rare categories, or use `nearest`.",
                )
            )
        weights[arm] = found.weights
    return weights

"""Deciding who is compared with whom: `weight`, and the designs that a plan names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.entropy_balancing import entropy_weights
from baseeval.design.matching import match
from baseeval.design.propensity import propensity_weights
from baseeval.design.requests import (
    check_method,
    made_weights,
    requested_sample,
    select_rows,
    usable_rows,
)
from baseeval.plan import DesignSection
from baseeval.results import Weights

Floats = NDArray[np.float64]


def weight(
    data: IntoDataFrame | Cohort,
    *,
    treated: str | None = None,
    covariates: Sequence[str] | None = None,
    contrast: str | None = None,
    method: str = "entropy",
    estimand: str = "ATT",
    exact: Sequence[str] | None = None,
) -> Weights:
    """Weight two arms so that their covariates are alike.

    Parameters
    ----------
    data : dataframe or Cohort
        Any dataframe that narwhals reads, or a cohort from `build_cohort`.
    treated : str, optional
        For a dataframe: column of zeros and ones; ones are the first arm.
    covariates : sequence of str, optional
        What is to be made alike; a cohort's own by default.
    contrast : str, optional
        For a cohort: base_vs_host, base_vs_non_host or host_vs_non_host.
    method : str
        entropy, propensity, or none for weights of one.
    estimand : str
        ATT, ATC, ATE or ATO, as far as the method serves them.
    exact : sequence of str, optional
        Rows of a stratum that lacks one of the arms have weight zero.

    Returns
    -------
    Weights

    Raises
    ------
    UsageError, DataError
        The call or the data cannot be used.
    EstimationError
        No such weights exist.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"small": [1, 1, 0, 0, 0], "age": [6.0, 7.0, 5.0, 6.5, 8.0]})
    >>> found = weight(frame, treated="small", covariates=["age"])
    >>> round(float(np.average(frame.age[2:], weights=found.weights[2:])), 6)
    6.5
    """
    sample = requested_sample(data, treated, covariates, contrast, exact)
    check_method(method, estimand, sample, allowed=("none", "propensity", "entropy"))
    if method == "none":
        return made_weights(sample, np.ones(len(sample.treated)), method, estimand)
    usable = usable_rows(sample)
    inner = select_rows(sample, usable)
    scores: Floats | None = None
    if method == "propensity":
        made, probability = propensity_weights(inner, estimand)
        scores = np.full(len(usable), np.nan)
        scores[usable] = probability
    else:
        made = entropy_weights(inner, estimand)
    weights = np.zeros(len(usable))
    weights[usable] = made
    return made_weights(sample, weights, method, estimand, propensity=scores)


def decide(cohort: Cohort, contrast: str, method: str) -> Weights:
    """Make the design that a plan names for a contrast of its cohort.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
    method : str
        A name of :data:`DESIGNS`.

    Returns
    -------
    Weights

    Raises
    ------
    EstimationError
        The design does not exist on these data.
    """
    design: DesignSection = cohort.plan.design
    if method == "nearest":
        return match(
            cohort,
            contrast=contrast,
            estimand=design.estimand,
            ratio=design.ratio,
            caliper=design.caliper,
        )
    return weight(cohort, contrast=contrast, method=method, estimand=design.estimand)

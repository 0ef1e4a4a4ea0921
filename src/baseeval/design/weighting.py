"""Weighting: `weight`, on a table or a cohort."""

from __future__ import annotations

from collections.abc import Sequence

from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.cohort.building import Cohort
from baseeval.design.making import make_design
from baseeval.design.requests import focal_arm, requested_sample
from baseeval.design.settings import Settings
from baseeval.results import Weights


def weight(
    data: IntoDataFrame | Cohort,
    *,
    treated: str | None = None,
    covariates: Sequence[str] | None = None,
    contrast: str | None = None,
    method: str = "entropy",
    estimand: str = "ATT",
    focal: str | None = None,
    exact: Sequence[str] | None = None,
    school: str | None = None,
    sampling_weights: str | None = None,
    propensity: str = "auto",
    ridge: float = 1.0,
    moments: int = 1,
    interactions: bool = False,
    tolerance: float = 0.05,
    trim: str | float | None = None,
    truncate: float | None = None,
    stabilise: bool = False,
    normalise: bool = False,
    largest_share: float | None = None,
    estimating_functions: bool = False,
    seed: int = 0,
) -> Weights:
    """Weight two arms or more so that their covariates are alike.

    Parameters
    ----------
    data : dataframe or Cohort
        Any dataframe that narwhals reads, or a cohort from `build_cohort`.
    treated : str, optional
        For a dataframe: column of zeros and ones, where ones are the first arm;
        or of three values or more, each an arm, in the order of the values.
    covariates : sequence of str, optional
        What is to be made alike; a cohort's own by default.
    contrast : str, optional
        For a cohort: base_vs_host, base_vs_non_host, host_vs_non_host, or
        all_arms for the three at once.
    method : str
        propensity, entropy, tilting, cbps, energy, stable, or none for weights of one.
    estimand : str
        ATT, ATC, ATE, ATO, ATM or ATEN, as far as the method serves them.
    focal : str, optional
        The arm that an ATT is about, where there are more than two.
    exact : sequence of str, optional
        Rows of a stratum that lacks one of the arms have weight zero.
    school, sampling_weights : str, optional
        For a dataframe: columns of schools, and of survey or attrition weights.
    propensity : str
        How the chance of being in an arm is modelled: logit, firth, ridge,
        nested (as placement is: a school hosts, then a pupil is placed),
        random_intercept and within_between (of schools), one_vs_rest, or the
        learners forest and trees of the extra `ml`; auto takes nested for a
        cohort, else logit.
    ridge : float
        Penalty of the ridge.
    moments : int
        1 balances means, 2 also variances.
    interactions : bool
        Whether products of covariates are balanced too.
    tolerance : float
        For `stable`: largest mean difference, in standard deviations.
    trim : str or float, optional
        Who is left out before weights are made, the scores being fitted anew
        after: crump, common_support, or the smallest propensity allowed.
    truncate : float, optional
        Quantile of an arm's weights beyond which they are drawn down to it.
    stabilise, normalise : bool
        Whether weights are multiplied by the share of their arm, and scaled to a
        mean of one in it.
    largest_share : float, optional
        The largest share of an arm's weight that one pupil may hold.
    estimating_functions : bool
        Whether scores, bread and derivatives of the weights are wanted, in
        `Weights.estimation`.
    seed : int
        For learners.

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
    >>> import numpy as np
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"small": [1, 1, 0, 0, 0], "age": [6.0, 7.0, 5.0, 6.5, 8.0]})
    >>> found = weight(frame, treated="small", covariates=["age"])
    >>> round(float(np.average(frame.age[2:], weights=found.weights[2:])), 6)
    6.5
    """
    sample = requested_sample(
        data,
        treated=treated,
        covariates=covariates,
        contrast=contrast,
        exact=exact,
        sampling_weights=sampling_weights,
        school=school,
    )
    settings = Settings(
        estimand=estimand,
        focal=focal_arm(sample, focal),
        tolerance=tolerance,
        moments=moments,
        interactions=interactions,
        propensity=propensity,
        ridge=ridge,
        trim=trim,
        truncate=truncate,
        stabilise=stabilise,
        normalise=normalise,
        largest_share=largest_share,
        estimating_functions=estimating_functions,
        seed=seed,
    )
    return make_design(sample, method, "weight", settings)

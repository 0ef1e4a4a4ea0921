"""Matching: `match`, on a table or a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.making import make_design
from baseeval.design.requests import caliper_columns, focal_arm, requested_sample
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError
from baseeval.results import Weights

Floats = NDArray[np.float64]


def match(
    data: IntoDataFrame | Cohort,
    *,
    treated: str | None = None,
    covariates: Sequence[str] | None = None,
    contrast: str | None = None,
    method: str = "nearest",
    distance: str | Floats = "logit",
    mahalanobis: Sequence[str] = (),
    ratio: int = 1,
    replace: bool = False,
    reuse: int | None = None,
    caliper: float | Mapping[str, float] | None = None,
    caliper_unit: str | Mapping[str, str] = "sd",
    exact: Sequence[str] | None = None,
    anti_exact: Sequence[str] = (),
    order: str | None = None,
    prefer: str = "",
    school_cost: str = "both",
    schools_each: int = 1,
    keep_schools: float | None = None,
    subclasses: int = 6,
    min_per_arm: int = 1,
    cutpoints: Mapping[str, Any] | None = None,
    grouping: Mapping[str, Sequence[Sequence[str]]] | None = None,
    min_controls: float | None = None,
    max_controls: float | None = None,
    tolerance: float = 0.05,
    profile: bool = False,
    time_limit: float = 60.0,
    propensity: str = "auto",
    estimand: str = "ATT",
    focal: str | None = None,
    school: str | None = None,
    sampling_weights: str | None = None,
    largest_share: float | None = None,
    seed: int = 0,
) -> Weights:
    """Match the pupils of one arm with like pupils of the others.

    Parameters
    ----------
    data, treated, covariates, contrast, exact, focal, school, sampling_weights
        As in :func:`weight`.
    method : str
        nearest, optimal, full, subclass, exact, cem, cardinality, schools or triplets.
    distance : str or ndarray, shape (n,)
        logit (fitted probability), linear_logit (its log odds), mahalanobis, or
        scores of one's own.
    mahalanobis : sequence of str
        Covariates whose Mahalanobis distance ranks partners within a caliper on
        the propensity.
    ratio : int
        Partners a pupil may have.
    replace : bool
        Whether a pupil may be the partner of several.
    reuse : int, optional
        Of how many at most; asking for it asks for replacement.
    caliper : float or mapping of str to float, optional
        Largest difference allowed: of the distance, or by the names of columns,
        where the empty name is the distance.
    caliper_unit : str or mapping of str to str
        sd (standard deviations over all rows) or raw.
    anti_exact : sequence of str
        Partners differ on each of these.
    order : str, optional
        Who chooses first: largest, smallest (score), closest, farthest (from their
        nearest), random or data; by default largest, for ATC smallest, so that the
        hardest to match choose first, and data where there is no score.
    prefer : str
        "school" to look for partners in the same school first.
    school_cost : str
        For `schools`: pupils (what matching them would give), mahalanobis or
        rank_mahalanobis (of their means and numbers), or both the first two.
    schools_each : int
        For `schools`: how many of the other side each school is paired with.
    keep_schools : float, optional
        For `schools`: how many pairs of schools to keep, the most alike, or below
        one the share of them.
    subclasses, min_per_arm : int
        For `subclass`: how many, and pupils of each arm in every one.
    cutpoints : mapping, optional
        For `cem`: by column (the empty name: all others), a number of bins, the
        name of a rule, or the cuts.
    grouping : mapping, optional
        For `cem`: by column, lists of categories that count as one.
    min_controls, max_controls : float, optional
        For `full`: bounds on how many of the second arm stand with one of the first.
    tolerance : float
        For `cardinality`: largest mean difference, in standard deviations.
    profile : bool
        For `cardinality`: as many as balance against the target's means allows, in
        no ratio of the arms; ATT and ATC keep the target whole.
    time_limit : float
        For `cardinality`: seconds for each exact stratum.
    propensity : str
        How the chance of the first arm is modelled: see :func:`weight`.
    estimand : str
        ATT matches the first arm, ATC the second; others as far as the method
        serves them.
    largest_share : float, optional
        The largest share of an arm's weight that one pupil may hold.
    seed : int
        For the order random.

    Returns
    -------
    Weights
        Its `pairs` hold ``first_row, second_row, first_id, second_id``:
        positions in the data, and pupils (or row labels).

    Raises
    ------
    UsageError, DataError
        The call or the data cannot be used.
    EstimationError
        The covariates separate the arms, or nobody has a match.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"small": [1, 0, 0], "age": [6.0, 9.0, 6.5]})
    >>> found = match(frame, treated="small", covariates=["age"], distance=frame.age.to_numpy())
    >>> found.pairs[["first_row", "second_row"]].to_numpy().tolist()
    [[0, 2]]
    """
    sample = requested_sample(
        data,
        treated=treated,
        covariates=covariates,
        contrast=contrast,
        exact=exact,
        anti_exact=anti_exact,
        variables=caliper_columns(caliper),
        sampling_weights=sampling_weights,
        school=school,
    )
    settings = Settings(
        estimand=estimand,
        focal=focal_arm(sample, focal),
        distance=distance if isinstance(distance, str) else _numbers(distance),
        mahalanobis=tuple(mahalanobis),
        ratio=ratio,
        replace=replace,
        reuse=reuse,
        caliper=caliper,
        caliper_unit=caliper_unit,
        order=order,
        prefer=prefer,
        school_cost=school_cost,
        schools_each=schools_each,
        keep_schools=keep_schools,
        subclasses=subclasses,
        min_per_arm=min_per_arm,
        cutpoints=dict(cutpoints or {}),
        grouping=dict(grouping or {}),
        min_controls=min_controls,
        max_controls=max_controls,
        tolerance=tolerance,
        profile=profile,
        time_limit=time_limit,
        propensity=propensity,
        largest_share=largest_share,
        seed=seed,
    )
    return make_design(sample, method, "match", settings)


def _numbers(distance: object) -> Floats:
    """Return scores of one's own as an array, whatever held them."""
    try:
        return np.asarray(distance, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(
            Problem("distance", "scores of one's own must be numbers, one a row", "Mend them.")
        ) from None

"""Matching: `match`, on a table or a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_fields

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.nearest_matching import nearest_pairs, pairs_to_weights
from baseeval.design.propensity import fit_propensity
from baseeval.design.requests import check_choice, check_method, made_weights, requested_sample
from baseeval.design.sample import DesignSample
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.results import Weights

Floats = NDArray[np.float64]

_DECIMALS = 12


def match(
    data: IntoDataFrame | Cohort,
    *,
    treated: str | None = None,
    covariates: Sequence[str] | None = None,
    contrast: str | None = None,
    method: str = "nearest",
    distance: str | Floats = "logit",
    ratio: int = 1,
    replace: bool = False,
    caliper: float | None = None,
    caliper_unit: str = "sd",
    exact: Sequence[str] | None = None,
    order: str | None = None,
    estimand: str = "ATT",
) -> Weights:
    """Match the pupils of one arm with like pupils of the other.

    Parameters
    ----------
    data, treated, covariates, contrast
        As in :func:`weight`.
    method : str
        nearest.
    distance : str or ndarray, shape (n,)
        logit (fitted probability), linear_logit (its log odds), or scores of
        one's own.
    ratio : int
        Partners a pupil may have.
    replace : bool
        Whether a pupil may be the partner of several.
    caliper : float, optional
        Largest distance allowed.
    caliper_unit : str
        sd (standard deviations of the distance over all rows) or raw.
    exact : sequence of str, optional
        Partners agree on these.
    order : str, optional
        largest, smallest (score first) or data; by default largest, for ATC
        smallest, so that the hardest to match choose first.
    estimand : str
        ATT matches the first arm, ATC the second.

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
    >>> frame = pd.DataFrame({"small": [1, 0, 0], "age": [6.0, 9.0, 6.5]})
    >>> found = match(frame, treated="small", covariates=["age"], distance=frame.age.to_numpy())
    >>> found.pairs[["first_row", "second_row"]].to_numpy().tolist()
    [[0, 2]]
    """
    sample = requested_sample(data, treated, covariates, contrast, exact)
    check_method(method, estimand, sample, allowed=("nearest",))
    order = order or ("smallest" if estimand == "ATC" else "largest")
    check_choice("order", order, ("largest", "smallest", "data"))
    check_choice("caliper_unit", caliper_unit, ("sd", "raw"))
    score, scores = _distance(sample, distance)
    if caliper is not None and caliper_unit == "sd":
        caliper = caliper * float(np.std(score, ddof=1))
    focal = ~sample.treated if estimand == "ATC" else sample.treated
    pairs = nearest_pairs(
        sample, score, focal=focal, ratio=ratio, replace=replace, caliper=caliper, order=order
    )
    weights = pairs_to_weights(pairs, focal)
    first, second = (pairs[:, 1], pairs[:, 0]) if estimand == "ATC" else (pairs[:, 0], pairs[:, 1])
    table = pd.DataFrame(
        {
            "first_row": first,
            "second_row": second,
            "first_id": sample.pupil[first],
            "second_id": sample.pupil[second],
        }
    )
    made = made_weights(sample, weights, method, estimand, propensity=scores)
    return with_fields(made, pairs=table)


def _distance(sample: DesignSample, distance: str | Floats) -> tuple[Floats, Floats | None]:
    """Return the score to match on, and the propensity where it is one."""
    if not isinstance(distance, str):
        score = np.asarray(distance, dtype=float)
        if score.shape != sample.treated.shape or not np.isfinite(score).all():
            raise UsageError(
                Problem(
                    "distance",
                    f"an array needs one finite number for each of {len(sample.treated)} rows",
                    "Pass one score a row.",
                )
            )
        return score, None
    check_choice("distance", distance, ("logit", "linear_logit"))
    fit = fit_propensity(sample)
    if fit.separated:
        raise EstimationError(
            Problem(
                f"design `nearest`, {sample.contrast or 'the data'}",
                "the covariates tell the two arms apart completely, so there is no score",
                "Adjust for fewer covariates, or merge rare categories.",
            ),
            flag="separation",
        )
    p = fit.probability
    score = np.log(p / (1 - p)) if distance == "linear_logit" else p
    # Pupils alike in every covariate must tie, whatever the last bits of a sum.
    return np.round(score, _DECIMALS), p

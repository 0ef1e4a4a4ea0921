"""Deciding who is compared with whom: `weight` and `match`, on a table or a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as with_fields
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design import entropy_balancing, nearest_matching, propensity
from baseeval.design.contrast import contrast_sample
from baseeval.design.sample import DesignSample, table_sample
from baseeval.design.spec import DesignSpec
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.plan import DesignSection, nearest
from baseeval.results import CONTRASTS, Weights

Floats = NDArray[np.float64]

NONE = DesignSpec(
    name="none",
    summary="Takes pupils as they are: no weighting and no matching",
    estimands=("ATT", "ATC", "ATE", "ATO"),
    needs_covariates=False,
    source="",
)

#: Every design method there is, by name.
DESIGNS: Mapping[str, DesignSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (NONE, propensity.SPEC, entropy_balancing.SPEC, nearest_matching.SPEC)
    }
)


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
    >>> frame = pd.DataFrame({"small": [1, 1, 0, 0, 0], "age": [6.0, 7.0, 5.0, 6.5, 8.0]})
    >>> found = weight(frame, treated="small", covariates=["age"])
    >>> round(float(np.average(frame.age[2:], weights=found.weights[2:])), 6)
    6.5
    """
    sample = _sample(data, treated, covariates, contrast, exact)
    _check_method(method, estimand, sample, allowed=("none", "propensity", "entropy"))
    if method == "none":
        return _weights(sample, np.ones(len(sample.treated)), method, estimand)
    usable = _usable(sample)
    inner = _rows(sample, usable)
    scores: Floats | None = None
    if method == "propensity":
        made, probability = propensity.propensity_weights(inner, estimand)
        scores = np.full(len(usable), np.nan)
        scores[usable] = probability
    else:
        made = entropy_balancing.entropy_weights(inner, estimand)
    weights = np.zeros(len(usable))
    weights[usable] = made
    return _weights(sample, weights, method, estimand, propensity=scores)


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
    sample = _sample(data, treated, covariates, contrast, exact)
    _check_method(method, estimand, sample, allowed=("nearest",))
    order = order or ("smallest" if estimand == "ATC" else "largest")
    _check_choice("order", order, ("largest", "smallest", "data"))
    _check_choice("caliper_unit", caliper_unit, ("sd", "raw"))
    score, scores = _distance(sample, distance)
    if caliper is not None and caliper_unit == "sd":
        caliper = caliper * float(np.std(score, ddof=1))
    focal = ~sample.treated if estimand == "ATC" else sample.treated
    pairs = nearest_matching.nearest_pairs(
        sample, score, focal=focal, ratio=ratio, replace=replace, caliper=caliper, order=order
    )
    weights = nearest_matching.pairs_to_weights(pairs, focal)
    first, second = (pairs[:, 1], pairs[:, 0]) if estimand == "ATC" else (pairs[:, 0], pairs[:, 1])
    table = pd.DataFrame(
        {
            "first_row": first,
            "second_row": second,
            "first_id": sample.pupil[first],
            "second_id": sample.pupil[second],
        }
    )
    made = _weights(sample, weights, method, estimand, propensity=scores)
    return with_fields(made, pairs=table)


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


def _sample(
    data: IntoDataFrame | Cohort,
    treated: str | None,
    covariates: Sequence[str] | None,
    contrast: str | None,
    exact: Sequence[str] | None,
) -> DesignSample:
    if isinstance(data, Cohort):
        if contrast is None:
            raise UsageError(
                Problem("contrast", "a cohort has several", f"Name one: {', '.join(CONTRASTS)}.")
            )
        return contrast_sample(data, contrast, covariates, exact)
    if treated is None or covariates is None:
        raise UsageError(
            Problem(
                "treated, covariates",
                "a plain table does not say which columns these are",
                "Name both.",
            )
        )
    return table_sample(data, treated, covariates, exact or ())


def _check_method(
    method: str, estimand: str, sample: DesignSample, allowed: tuple[str, ...]
) -> None:
    _check_choice("method", method, allowed)
    _check_choice("estimand", estimand, DESIGNS[method].estimands)
    if DESIGNS[method].needs_covariates and not sample.names:
        raise UsageError(
            Problem(f"method `{method}`", "there is no covariate to adjust for", "Name some.")
        )
    if not (sample.treated.any() and (~sample.treated).any()):
        raise EstimationError(
            Problem(
                f"design `{method}`, {sample.contrast or 'the data'}",
                "one of the arms has no pupil with every covariate",
                "Adjust for covariates that both arms have.",
            )
        )


def _check_choice(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(
            Problem(f"{argument} = {value!r}", "this is not available", nearest(value, [*allowed]))
        )


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
    _check_choice("distance", distance, ("logit", "linear_logit"))
    fit = propensity.fit_propensity(sample)
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
    return (np.log(p / (1 - p)) if distance == "linear_logit" else p), p


def _usable(sample: DesignSample) -> NDArray[np.bool_]:
    """Return the rows whose exact stratum holds both arms."""
    size = int(sample.strata.max()) + 1
    both = (np.bincount(sample.strata[sample.treated], minlength=size) > 0) & (
        np.bincount(sample.strata[~sample.treated], minlength=size) > 0
    )
    usable: NDArray[np.bool_] = both[sample.strata]
    if not usable.any():
        raise EstimationError(
            Problem(
                f"the design, {sample.contrast or 'the data'}",
                "no exact stratum holds pupils of both arms",
                "Name fewer `exact` covariates.",
            )
        )
    return usable


def _rows(sample: DesignSample, rows: NDArray[np.bool_]) -> DesignSample:
    return with_fields(
        sample,
        treated=sample.treated[rows],
        columns=sample.columns[rows],
        strata=sample.strata[rows],
        pupil=sample.pupil[rows],
        school=sample.school[rows],
    )


def _weights(
    sample: DesignSample, weights: Floats, method: str, estimand: str, **more: Any
) -> Weights:
    first, second = CONTRASTS.get(sample.contrast, ("first", "second"))
    target = {"ATT": first, "ATC": second}.get(estimand, "union")
    return Weights(
        weights=weights,
        treated=sample.treated,
        covariates=sample.columns,
        names=sample.names,
        method=method,
        estimand=estimand,
        target=target,
        contrast=sample.contrast,
        pupil=sample.pupil,
        school=sample.school,
        flags=sample.flags,
        **more,
    )

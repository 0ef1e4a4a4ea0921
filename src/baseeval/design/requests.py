"""What `weight` and `match` share: reading a request, refusing a bad one, giving weights back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.contrast import contrast_sample
from baseeval.design.registry import DESIGNS
from baseeval.design.sample import DesignSample, table_sample
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.plan import nearest
from baseeval.results import CONTRASTS, Weights, target_of

Floats = NDArray[np.float64]


def requested_sample(
    data: IntoDataFrame | Cohort,
    treated: str | None,
    covariates: Sequence[str] | None,
    contrast: str | None,
    exact: Sequence[str] | None,
) -> DesignSample:
    """Read the data of a request: a table's columns, or a contrast of a cohort.

    Parameters
    ----------
    data, treated, covariates, contrast, exact
        As in `weight`.

    Returns
    -------
    DesignSample

    Raises
    ------
    UsageError, DataError
    """
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


def check_method(
    method: str, estimand: str, sample: DesignSample, allowed: tuple[str, ...]
) -> None:
    """Refuse a method that is not there, or that cannot serve the request.

    Parameters
    ----------
    method, estimand : str
    sample : DesignSample
    allowed : tuple of str

    Raises
    ------
    UsageError
    EstimationError
        An arm is empty.
    """
    check_choice("method", method, allowed)
    check_choice("estimand", estimand, DESIGNS[method].estimands)
    if DESIGNS[method].needs_covariates and not sample.names:
        problem = Problem(
            f"design `{method}`, {sample.contrast or 'the data'}",
            "there is no covariate to adjust for",
            "Name some; between schools, too few schools leave no room for school-level ones.",
        )
        raise EstimationError(problem) if sample.contrast else UsageError(problem)
    check_arms(method, sample)


def check_arms(method: str, sample: DesignSample) -> None:
    """Refuse a design of which an arm is empty.

    Parameters
    ----------
    method : str
    sample : DesignSample

    Raises
    ------
    EstimationError
    """
    if not (sample.treated.any() and (~sample.treated).any()):
        raise EstimationError(
            Problem(
                f"design `{method}`, {sample.contrast or 'the data'}",
                "one of the arms has no pupil with every covariate",
                "Adjust for covariates that both arms have.",
            )
        )


def check_choice(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse an argument's value that is not among those allowed, naming the nearest.

    Parameters
    ----------
    argument, value : str
    allowed : tuple of str

    Raises
    ------
    UsageError
    """
    if value not in allowed:
        raise UsageError(
            Problem(f"{argument} = {value!r}", "this is not available", nearest(value, [*allowed]))
        )


def usable_rows(sample: DesignSample) -> NDArray[np.bool_]:
    """Return the rows whose exact stratum holds both arms.

    Parameters
    ----------
    sample : DesignSample

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    EstimationError
        No stratum does.
    """
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


def select_rows(sample: DesignSample, rows: NDArray[np.bool_]) -> DesignSample:
    """Return a sample of some rows only.

    Parameters
    ----------
    sample : DesignSample
    rows : ndarray of bool, shape (n,)

    Returns
    -------
    DesignSample
    """
    return replace(
        sample,
        treated=sample.treated[rows],
        columns=sample.columns[rows],
        strata=sample.strata[rows],
        pupil=sample.pupil[rows],
        school=sample.school[rows],
    )


def made_weights(
    sample: DesignSample, weights: Floats, method: str, estimand: str, **more: Any
) -> Weights:
    """Join weights to the sample that they were made for.

    Parameters
    ----------
    sample : DesignSample
    weights : ndarray, shape (n,)
    method, estimand : str
    **more
        Further fields of Weights.

    Returns
    -------
    Weights
    """
    return Weights(
        weights=weights,
        treated=sample.treated,
        covariates=sample.columns,
        names=sample.names,
        method=method,
        estimand=estimand,
        target=target_of(sample.contrast, estimand),
        contrast=sample.contrast,
        pupil=sample.pupil,
        school=sample.school,
        flags=sample.flags,
        **more,
    )

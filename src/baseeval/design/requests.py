"""What `weight` and `match` share: reading a request, and refusing a bad one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.cohort.building import Cohort
from baseeval.design.choices import check_choice
from baseeval.design.contrast import contrast_sample
from baseeval.design.registry import DESIGNS
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec
from baseeval.design.table_samples import table_sample
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.results import ALL_ARMS, CONTRASTS


def requested_sample(
    data: IntoDataFrame | Cohort,
    *,
    treated: str | None,
    covariates: Sequence[str] | None,
    contrast: str | None,
    exact: Sequence[str] | None,
    anti_exact: Sequence[str] = (),
    variables: Sequence[str] = (),
    sampling_weights: str | None = None,
    school: str | None = None,
) -> DesignSample:
    """Read the data of a request: a table's columns, or arms of a cohort.

    Parameters
    ----------
    data, treated, covariates, contrast, exact, anti_exact, sampling_weights, school
        As in `weight` and `match`.
    variables : sequence of str
        Columns that calipers name.

    Returns
    -------
    DesignSample

    Raises
    ------
    UsageError, DataError
    """
    if isinstance(data, Cohort):
        if contrast is None:
            known = ", ".join((*CONTRASTS, ALL_ARMS))
            raise UsageError(Problem("contrast", "a cohort has several", f"Name one: {known}."))
        if sampling_weights is not None or school is not None or treated is not None:
            raise UsageError(
                Problem(
                    "treated, school, sampling_weights",
                    "a cohort says itself which arm and school a pupil belongs to",
                    "Leave these out.",
                )
            )
        return contrast_sample(data, contrast, covariates, exact, anti_exact, variables)
    if treated is None or covariates is None:
        raise UsageError(
            Problem(
                "treated, covariates",
                "a plain table does not say which columns these are",
                "Name both.",
            )
        )
    return table_sample(
        data,
        treated,
        covariates,
        exact=exact or (),
        anti_exact=anti_exact,
        variables=variables,
        sampling_weights=sampling_weights,
        school=school,
    )


def focal_arm(sample: DesignSample, focal: str | None) -> int | None:
    """Return the position of the arm that is named, refusing one that is not there.

    Parameters
    ----------
    sample : DesignSample
    focal : str, optional

    Returns
    -------
    int or None

    Raises
    ------
    UsageError
    """
    if focal is None:
        return None
    check_choice("focal", str(focal), sample.arms)
    return sample.arms.index(str(focal))


def check_request(sample: DesignSample, method: str, kind: str, settings: Settings) -> DesignSpec:
    """Refuse a method that is not there, or that cannot serve the request.

    Parameters
    ----------
    sample : DesignSample
    method : str
    kind : str
        match or weight; weighting takes `none` besides.
    settings : Settings

    Returns
    -------
    DesignSpec

    Raises
    ------
    UsageError
    EstimationError
        An arm is empty, or a cohort's contrast has no covariate left.
    """
    kinds = (kind, "none") if kind == "weight" else (kind,)
    check_choice("method", method, tuple(n for n, spec in DESIGNS.items() if spec.kind in kinds))
    spec = DESIGNS[method]
    several = len(sample.arms) > 2
    estimands = spec.estimands_of_several if several else spec.estimands
    if several and not estimands:
        serve = [n for n, other in DESIGNS.items() if other.estimands_of_several]
        raise UsageError(
            Problem(
                f"method = {method!r}",
                f"it serves two arms, and there are {len(sample.arms)}",
                f"Compare two of them, or use one of {', '.join(serve)}.",
            )
        )
    check_choice("estimand", settings.estimand, estimands)
    unread = [
        name
        for name in settings.changed()
        if name not in (*spec.settings, "estimand", "focal", "largest_share")
    ]
    if unread:
        raise UsageError(
            [
                Problem(n, f"the method `{method}` does not read this", "Leave it out.")
                for n in unread
            ]
        )
    if spec.needs_covariates and not sample.names:
        problem = Problem(
            f"design `{method}`, {sample.where}",
            "there is no covariate to adjust for",
            "Name some; between schools, too few schools leave no room for school-level ones.",
        )
        raise EstimationError(problem) if sample.contrast else UsageError(problem)
    check_arms(method, sample)
    return spec


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
    if len(set(sample.arm.tolist())) < len(sample.arms):
        raise EstimationError(
            Problem(
                f"design `{method}`, {sample.where}",
                "one of the arms has no pupil with every covariate",
                "Adjust for covariates that every arm has.",
            )
        )


def caliper_columns(caliper: float | Mapping[str, float] | None) -> tuple[str, ...]:
    """Return the columns that a caliper names; the empty name is the distance itself.

    Parameters
    ----------
    caliper : float or mapping, optional

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> caliper_columns({"": 0.2, "age": 1.0})
    ('age',)
    """
    return tuple(name for name in caliper if name) if isinstance(caliper, Mapping) else ()

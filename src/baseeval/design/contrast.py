"""Arms of a cohort as a design sample, with what their schools allow to be adjusted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.sample import DesignSample, base_weights, expand, numbers, strata_of
from baseeval.errors import Problem, UsageError
from baseeval.plan import nearest
from baseeval.results import ALL_ARMS, ARMS, CONTRASTS

#: Schools of the smaller group that each school-level covariate needs.
SCHOOLS_PER_COVARIATE = 10


def contrast_sample(
    cohort: Cohort,
    contrast: str,
    covariates: Sequence[str] | None = None,
    exact: Sequence[str] | None = None,
    anti_exact: Sequence[str] = (),
    variables: Sequence[str] = (),
    sampling_weights: str | None = None,
) -> DesignSample:
    """Take the pupils of a contrast, or of all three arms, who have every covariate.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
        One of the cohort's contrasts, or `baseeval.results.ALL_ARMS`.
    covariates, exact : sequence of str, optional
        The plan's by default.
    anti_exact : sequence of str
        Covariates that partners must not share.
    variables : sequence of str
        Covariates, all of them numbers, that calipers name.
    sampling_weights : str, optional
        A covariate of positive numbers.

    Returns
    -------
    DesignSample
        Rows by school and pupil. Between schools, covariates that are constant
        within every school are kept only as far as the number of schools
        allows; where it allows none the sample is flagged.

    Raises
    ------
    UsageError
        The cohort cannot make the contrast.
    DataError
        A column of calipers or weights holds something else than numbers.
    """
    arms = _arms(cohort, contrast)
    plan = cohort.plan.covariates
    adjust = [c.column for c in plan.adjust] if covariates is None else list(covariates)
    strict = [c.column for c in plan.exact] if exact is None else list(exact)
    further = [] if sampling_weights is None else [sampling_weights]
    wanted = list(dict.fromkeys([*adjust, *strict, *anti_exact, *variables, *further]))
    rows = cohort.covariates.filter(nw.col("arm").is_in(arms))
    rows = rows.select("pupil", "school", "arm", *wanted).drop_nulls(["school", *wanted])
    frame = cohort.engine.collect(rows, ["school", "pupil"]).to_pandas()
    arm = np.array([arms.index(name) for name in frame["arm"]], dtype=np.intp)
    hosts = frame["arm"].isin(ARMS[:2]).to_numpy()
    flags: tuple[str, ...] = ()
    wanted = list(dict.fromkeys([*adjust, *strict]))
    level = [name for name in wanted if _is_school_level(frame, name)]
    if "non_host" in arms:
        allowed = _allowed(frame, hosts)
        if allowed == 0 or len(level) > allowed:
            flags = ("school_confounding_unadjustable",)
        wanted = [name for name in wanted if name not in level[allowed:]]
        strict = [name for name in strict if name in wanted]
    columns, names = expand(frame, wanted)
    whole = None
    if "non_host" in arms and contrast != ALL_ARMS and len(cohort.contrasts) == len(CONTRASTS):
        whole = partial(
            contrast_sample,
            cohort,
            ALL_ARMS,
            covariates,
            exact,
            anti_exact,
            variables,
            sampling_weights,
        )
    return DesignSample(
        arm=arm,
        arms=tuple(arms),
        columns=columns,
        names=names,
        strata=strata_of(frame, strict),
        exact_only=tuple(name for name in strict if name not in adjust),
        base=base_weights(frame, sampling_weights),
        pupil=frame["pupil"].to_numpy(dtype=str),
        school=frame["school"].to_numpy(dtype=str),
        contrast="" if contrast == ALL_ARMS else contrast,
        flags=flags,
        anti=tuple(strata_of(frame, [name]) for name in anti_exact),
        variables={name: numbers(frame, name, "caliper") for name in variables},
        school_level=np.flatnonzero([name in level for name, _ in names]),
        hosts=hosts,
        whole=whole,
    )


def _arms(cohort: Cohort, contrast: str) -> list[str]:
    """Return the arms that a contrast compares, or refuse it."""
    if contrast == ALL_ARMS and len(cohort.contrasts) == len(CONTRASTS):
        return list(ARMS)
    if contrast not in cohort.contrasts:
        raise UsageError(
            Problem(
                f"contrast `{contrast}`",
                "this cohort cannot make it",
                nearest(contrast, list(cohort.contrasts)),
            )
        )
    return list(CONTRASTS[contrast])


def _allowed(frame: pd.DataFrame, hosts: NDArray[np.bool_]) -> int:
    """Return how many school-level covariates the smaller group of schools can carry."""
    smaller = min(frame.loc[hosts, "school"].nunique(), frame.loc[~hosts, "school"].nunique())
    return int(smaller // SCHOOLS_PER_COVARIATE)


def _is_school_level(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a covariate is the same for all pupils of every school."""
    by_school = frame.groupby("school", sort=False)[name].agg(["nunique", "size"])
    several = by_school.loc[by_school["size"] > 1, "nunique"]
    return len(several) > 0 and bool((several <= 1).all()) and frame[name].nunique() > 1

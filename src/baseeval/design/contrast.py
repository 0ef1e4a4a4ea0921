"""A contrast of a cohort as a design sample, with what its schools allow to be adjusted."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.design.sample import DesignSample, expand, strata_of
from baseeval.errors import Problem, UsageError
from baseeval.plan import nearest
from baseeval.results import CONTRASTS

#: Schools of the smaller group that each school-level covariate needs.
SCHOOLS_PER_COVARIATE = 10


def contrast_sample(
    cohort: Cohort,
    contrast: str,
    covariates: Sequence[str] | None = None,
    exact: Sequence[str] | None = None,
) -> DesignSample:
    """Take the pupils of a contrast who have every covariate.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
    covariates, exact : sequence of str, optional
        The plan's by default.

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
    """
    if contrast not in cohort.contrasts:
        raise UsageError(
            Problem(
                f"contrast `{contrast}`",
                "this cohort cannot make it",
                nearest(contrast, list(cohort.contrasts)),
            )
        )
    plan = cohort.plan.covariates
    adjust = [c.column for c in plan.adjust] if covariates is None else list(covariates)
    strict = [c.column for c in plan.exact] if exact is None else list(exact)
    wanted = [*adjust, *(name for name in strict if name not in adjust)]
    first, second = CONTRASTS[contrast]
    rows = cohort.covariates.filter(nw.col("arm").is_in([first, second]))
    rows = rows.select("pupil", "school", "arm", *wanted).drop_nulls(["school", *wanted])
    frame = cohort.engine.collect(rows, ["school", "pupil"]).to_pandas()
    treated = (frame["arm"] == first).to_numpy()
    flags: tuple[str, ...] = ()
    if contrast != "base_vs_host":
        allowed = _allowed(frame, treated)
        level = [name for name in wanted if _is_school_level(frame, name)]
        if allowed == 0 or len(level) > allowed:
            flags = ("school_confounding_unadjustable",)
        wanted = [name for name in wanted if name not in level[allowed:]]
        strict = [name for name in strict if name in wanted]
    columns, names = expand(frame, wanted)
    return DesignSample(
        treated=treated,
        columns=columns,
        names=names,
        strata=strata_of(frame, strict),
        pupil=frame["pupil"].to_numpy(dtype=str),
        school=frame["school"].to_numpy(dtype=str),
        contrast=contrast,
        flags=flags,
    )


def _allowed(frame: pd.DataFrame, treated: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Return how many school-level covariates the smaller group of schools can carry."""
    smaller = min(frame.loc[treated, "school"].nunique(), frame.loc[~treated, "school"].nunique())
    return int(smaller // SCHOOLS_PER_COVARIATE)


def _is_school_level(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a covariate is the same for all pupils of every school."""
    by_school = frame.groupby("school", sort=False)[name].agg(["nunique", "size"])
    several = by_school.loc[by_school["size"] > 1, "nunique"]
    return len(several) > 0 and bool((several <= 1).all()) and frame[name].nunique() > 1

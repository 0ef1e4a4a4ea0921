"""Estimating: a cohort, a design and a model give one row for each outcome and wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.contrast import contrast_sample
from baseeval.design.making import join_sample
from baseeval.design.methods.as_they_are import as_they_are
from baseeval.design.requests import check_arms
from baseeval.design.settings import Settings
from baseeval.effects.flagging import flags_of_rows
from baseeval.effects.occasions import Occasion, covered, occasions
from baseeval.effects.registry import MODELS
from baseeval.effects.rows import empty_row, with_numbers
from baseeval.effects.spec import EffectSample, ModelSpec
from baseeval.effects.verdict import adjust_families, judge
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.measures.commonest import unlike_the_rest
from baseeval.numerics.balance import effective_size
from baseeval.plan import nearest
from baseeval.results import CONTRASTS, Effect, Weights, unreleased_table

Floats = NDArray[np.float64]


def estimate(cohort: Cohort, *, design: Weights, models: Sequence[str]) -> pd.DataFrame:
    """Estimate every outcome of a cohort for the contrast of a design.

    Parameters
    ----------
    cohort : Cohort
    design : Weights
        From `weight` or `match` on this cohort.
    models : sequence of str
        Names of models; one that cannot carry the design runs without one.

    Returns
    -------
    pandas.DataFrame
        The results table, and beside it the columns that `release` reads and
        drops. It has not passed disclosure control. Bounds are made by a whole
        run alone.

    Raises
    ------
    UsageError
        A model is not known, or the design is not of a contrast.
    """
    unknown = [name for name in models if name not in MODELS]
    if unknown or design.contrast not in CONTRASTS:
        raise UsageError(
            [Problem(f"model `{n}`", "not known", nearest(n, list(MODELS))) for n in unknown]
            or Problem("design", "it belongs to no contrast", "Make it from the cohort.")
        )
    rows: list[Effect] = []
    times = occasions(cohort)
    for name in models:
        spec = MODELS[name]
        carried = spec.carries_designs or design.method == "none"
        chosen = design if carried else plain(cohort, design.contrast, spec)
        headline = name == models[0]
        rows += [
            estimate_one(cohort, time, chosen, spec, headline)
            for time in covered(times, design.contrast)
        ]
    return unreleased_table(finish(cohort, rows))


def plain(cohort: Cohort, contrast: str, spec: ModelSpec) -> Weights:
    """Return the design `none` for a model, with the covariates that it uses.

    It is what a model that carries no design falls back on, so it takes the
    plan's estimand whether or not a plan could have named `none` with it.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
    spec : ModelSpec

    Returns
    -------
    Weights

    Raises
    ------
    EstimationError
        An arm has no pupil with every covariate.
    """
    names: list[str] | None = None if spec.uses_covariates else []
    weights = cohort.plan.design.sampling_weights
    sample = contrast_sample(cohort, contrast, names, names, sampling_weights=weights)
    check_arms("none", sample)
    settings = Settings(estimand=cohort.plan.design.estimand)
    return join_sample(sample, as_they_are(sample, settings), "none", settings)


def estimate_one(
    cohort: Cohort,
    time: Occasion,
    design: Weights,
    spec: ModelSpec,
    headline: bool,
    *,
    count_only: bool = False,
) -> Effect:
    """Estimate one outcome at one wave for one contrast.

    Parameters
    ----------
    cohort : Cohort
    time : Occasion
    design : Weights
    spec : ModelSpec
    headline : bool
    count_only : bool
        Say who would be compared, and estimate nothing.

    Returns
    -------
    Effect
        Without verdict or family adjustment: see :func:`finish`. Where the
        model cannot be fitted the row says so and holds no number.
    """
    joined = pd.Series(time.values["value"].to_numpy(), index=time.values["pupil"].to_numpy())
    values = joined.reindex(design.pupil).to_numpy(dtype=float)
    known = np.isfinite(values)
    if time.outcome.comparable == "within_school":
        known &= _with_both_arms(design, known)
    used = known & (design.weights > 0)
    blank = empty_row(cohort, time, design.contrast, design.method, spec, headline)
    first = design.treated[used]
    flags = flags_of_rows(cohort, design, time, known, used)
    row = replace(
        blank,
        n_first=int(first.sum()),
        n_second=int((~first).sum()),
        n_effective_first=effective_size(design.weights[used][first]),
        n_effective_second=effective_size(design.weights[used][~first]),
        schools_first=len(set(design.school[used][first])),
        schools_second=len(set(design.school[used][~first])),
        unlike_first=_unlike(time, design, values, used & design.treated),
        unlike_second=_unlike(time, design, values, used & ~design.treated),
    )
    if count_only:
        return replace(row, flags=tuple(flags))
    try:
        sample = _sample(design, values, used)
        fit = spec.fit(sample)
    except (EstimationError, np.linalg.LinAlgError):
        return replace(row, flags=(*flags, "model_failed"))
    return with_numbers(row, time, fit, sample, flags)


def finish(cohort: Cohort, rows: Sequence[Effect]) -> list[Effect]:
    """Adjust rows over their families and give each its verdict.

    Parameters
    ----------
    cohort : Cohort
    rows : sequence of Effect

    Returns
    -------
    list of Effect
    """
    better = {outcome.name: outcome.better for outcome in cohort.plan.outcomes}
    return [judge(row, better[row.outcome]) for row in adjust_families(rows)]


def _with_both_arms(design: Weights, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which rows stand in a school where both arms have the outcome."""
    counted = known & (design.weights > 0)
    schools = [set(design.school[counted & arm]) for arm in (design.treated, ~design.treated)]
    return np.isin(design.school, sorted(schools[0] & schools[1]))


def _unlike(time: Occasion, design: Weights, values: Floats, rows: NDArray[np.bool_]) -> int | None:
    """Count the fewer pupils of an arm where most are alike, in this form or in their level."""
    level = pd.Series(time.level["value"].to_numpy(), index=time.level["pupil"].to_numpy())
    levels = level.reindex(design.pupil[rows]).to_numpy(dtype=float)
    counts = [unlike_the_rest(each) for each in (values[rows], levels)]
    return min((count for count in counts if count is not None), default=None)


def _sample(design: Weights, values: Floats, used: NDArray[np.bool_]) -> EffectSample:
    first = design.treated[used]
    if not (first.any() and (~first).any()):
        raise EstimationError(
            Problem("the outcome", "an arm has no pupil with it", "Nothing can be compared.")
        )
    spread, largest = np.ptp(values[used]), np.abs(values[used]).max()
    if not spread > 1e-10 * largest:
        raise EstimationError(
            Problem("the outcome", "every pupil has the same value", "Nothing can be compared.")
        )
    weights = design.weights[used].copy()
    for arm in (first, ~first):
        weights[arm] /= weights[arm].mean()
    school = np.unique(design.school[used], return_inverse=True)[1].astype(np.intp)
    if school.max() == 0:
        raise EstimationError(
            Problem("the outcome", "one school holds all pupils", "No interval exists.")
        )
    return EffectSample(values[used], first, weights, design.covariates[used], school)

"""Estimating: a cohort, a design and a model give one row for each outcome and wave."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.design.deciding import weight
from baseeval.effects.registry import MODELS
from baseeval.effects.spec import EffectSample, ModelFit, ModelSpec
from baseeval.effects.verdict import adjust_families, judge
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.measures.scoring import KINDS
from baseeval.numerics.balance import effective_size, standardiser
from baseeval.plan import OutcomeSection, nearest
from baseeval.results import CONTRASTS, Effect, Weights, results_table

Floats = NDArray[np.float64]

#: An arm in fewer schools than this is flagged `few_schools`.
FEW_SCHOOLS = 10
#: Below this many degrees of freedom a t interval is a rough guide (Tipton 2015).
LOW_DF = 4.0
#: Largest mean difference after weighting, and where only the model adjusts (WWC 4.1).
IMBALANCE_WEIGHTED, IMBALANCE_MODELLED = 0.10, 0.25
#: Share of an arm missing from a row, and its difference between arms, that are flagged.
MISSING_LIMIT, MISSING_DIFFERENCE = 0.20, 0.10


@dataclass(frozen=True, slots=True)
class Occasion:
    """One outcome in one form at one wave, over all arms.

    Parameters
    ----------
    outcome : OutcomeSection
    form, wave : str
    values : pandas.DataFrame
        ``pupil, school, arm, value``, ordered by school and pupil.
    sd : float
        The standardiser: unweighted pooled within-arm standard deviation of
        the level at this wave, over all arms.
    """

    outcome: OutcomeSection
    form: str
    wave: str
    values: pd.DataFrame
    sd: float


def occasions(cohort: Cohort) -> list[Occasion]:
    """List what can be estimated, in the order of the plan, forms and waves.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    list of Occasion
        The baseline wave is no outcome: placement cannot have changed it.
    """
    baseline = cohort.plan.data.baseline_wave
    found = []
    for outcome in cohort.plan.outcomes:
        mine = cohort.outcomes.filter(nw.col("outcome") == outcome.name)
        table = cohort.engine.collect(mine, ["form", "wave", "school", "pupil"]).to_pandas()
        for form in outcome.forms:
            for wave in (wave for wave in cohort.waves if wave != baseline):
                at = table[(table["form"] == form) & (table["wave"] == wave)]
                level = table[(table["form"] == "level") & (table["wave"] == wave)]
                if len(at):
                    values = at[["pupil", "school", "arm", "value"]].reset_index(drop=True)
                    found.append(Occasion(outcome, form, wave, values, pooled_sd(level)))
    return found


def pooled_sd(level: pd.DataFrame) -> float:
    """Return the unweighted pooled within-arm standard deviation.

    Parameters
    ----------
    level : pandas.DataFrame
        ``arm, value``.

    Returns
    -------
    float
        NaN where no arm has two pupils.

    Examples
    --------
    >>> pooled_sd(pd.DataFrame({"arm": ["a", "a", "b", "b"], "value": [1.0, 3.0, 5.0, 9.0]}))
    2.23606797749979
    """
    groups = [group.to_numpy() for _, group in level.groupby("arm", sort=True)["value"]]
    free = sum(len(values) - 1 for values in groups)
    squares = sum(float(np.sum((values - values.mean()) ** 2)) for values in groups)
    return math.sqrt(squares / free) if free > 0 else float("nan")


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
        The results table. It has not passed disclosure control.

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
        chosen = design if design.method in spec.designs else plain(cohort, design.contrast, spec)
        headline = name == models[0]
        rows += [
            estimate_one(cohort, time, chosen, spec, headline)
            for time in covered(times, design.contrast)
        ]
    return results_table(finish(cohort, rows))


def plain(cohort: Cohort, contrast: str, spec: ModelSpec) -> Weights:
    """Return the design `none` for a model, with the covariates that it uses.

    Parameters
    ----------
    cohort : Cohort
    contrast : str
    spec : ModelSpec

    Returns
    -------
    Weights
    """
    names: list[str] | None = None if spec.uses_covariates else []
    return weight(
        cohort,
        contrast=contrast,
        method="none",
        estimand=cohort.plan.design.estimand,
        covariates=names,
        exact=names,
    )


def covered(times: Sequence[Occasion], contrast: str) -> Iterator[Occasion]:
    """Yield the occasions at which both arms of a contrast have the outcome.

    Parameters
    ----------
    times : sequence of Occasion
    contrast : str

    Yields
    ------
    Occasion
    """
    for time in times:
        if set(CONTRASTS[contrast]) <= set(time.values["arm"]):
            yield time


def estimate_one(
    cohort: Cohort, time: Occasion, design: Weights, spec: ModelSpec, headline: bool
) -> Effect:
    """Estimate one outcome at one wave for one contrast.

    Parameters
    ----------
    cohort : Cohort
    time : Occasion
    design : Weights
    spec : ModelSpec
    headline : bool

    Returns
    -------
    Effect
        Without verdict or family adjustment: see :func:`finish`. Where the
        model cannot be fitted the row says so and holds no number.
    """
    joined = pd.Series(time.values["value"].to_numpy(), index=time.values["pupil"].to_numpy())
    values = joined.reindex(design.pupil).to_numpy(dtype=float)
    known = np.isfinite(values)
    used = known & (design.weights > 0)
    blank = empty_row(cohort, time, design.contrast, design.method, spec, headline)
    first = design.treated[used]
    flags = list(design.flags)
    if _missing_much(cohort, design, known):
        flags.append("high_missing")
    if cohort.plan.data.baseline_wave is None and not _has_earlier_covariate(cohort):
        flags.append("no_pre_placement_baseline")
    row = replace(
        blank,
        n_first=int(first.sum()),
        n_second=int((~first).sum()),
        n_effective_first=effective_size(design.weights[used][first]),
        n_effective_second=effective_size(design.weights[used][~first]),
        schools_first=len(set(design.school[used][first])),
        schools_second=len(set(design.school[used][~first])),
    )
    if min(row.schools_first, row.schools_second) < FEW_SCHOOLS:
        flags.append("few_schools")
    one_school = min(row.schools_first, row.schools_second) == 1
    if one_school:
        flags.append("one_school")
    try:
        sample = _sample(design, values, used)
        fit = spec.fit(sample)
    except (EstimationError, np.linalg.LinAlgError):
        return replace(row, flags=(*flags, "model_failed"))
    if _imbalanced(design, used):
        flags.append("imbalance")
    return _with_numbers(row, time, fit, sample, one_school, flags)


def empty_row(
    cohort: Cohort,
    time: Occasion,
    contrast: str,
    method: str,
    spec: ModelSpec,
    headline: bool,
    flags: tuple[str, ...] = (),
) -> Effect:
    """Return a row that names its question and holds no answer.

    Parameters
    ----------
    cohort : Cohort
    time : Occasion
    contrast, method : str
    spec : ModelSpec
    headline : bool
    flags : tuple of str

    Returns
    -------
    Effect
    """
    plan = cohort.plan
    first, second = CONTRASTS[contrast]
    estimand = plan.design.estimand
    return Effect(
        study=plan.study.name,
        plan_hash=plan.hash,
        outcome=time.outcome.name,
        form=time.form,
        wave=time.wave,
        contrast=contrast,
        estimand=estimand,
        target={"ATT": first, "ATC": second}.get(estimand, "union"),
        design=method,
        model=spec.name,
        unit=time.outcome.unit or KINDS[time.outcome.kind].unit,
        smallest_effect=_smallest(time),
        inference=spec.inference,
        generalises_to=spec.generalises_to,
        flags=flags,
        role="primary" if headline else "secondary",
        headline=headline,
        family=time.outcome.name if headline else "",
    )


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


def _sample(design: Weights, values: Floats, used: NDArray[np.bool_]) -> EffectSample:
    first = design.treated[used]
    if not (first.any() and (~first).any()):
        raise EstimationError(
            Problem("the outcome", "an arm has no pupil with it", "Nothing can be compared.")
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


def _with_numbers(
    row: Effect,
    time: Occasion,
    fit: ModelFit,
    sample: EffectSample,
    one_school: bool,
    flags: list[str],
) -> Effect:
    interval, sd = fit.interval, time.sd
    row = replace(row, parameters=fit.parameters)
    scaled = sd if sd > 0 else float("nan")
    flags += fit.flags
    if one_school:
        return replace(
            row, estimate=fit.estimate, effect_size=fit.estimate / scaled, flags=tuple(flags)
        )
    if interval.df < LOW_DF:
        flags.append("low_df")
    p_value = interval.p_value
    floor = _smallest_p(sample)
    if p_value < floor:
        p_value = floor
        flags.append("conservative")
    return replace(
        row,
        estimate=fit.estimate,
        std_error=interval.std_error,
        df=interval.df,
        ci_low=interval.low,
        ci_high=interval.high,
        ci90_low=interval.low90,
        ci90_high=interval.high90,
        p_value=p_value,
        effect_size=fit.estimate / scaled,
        effect_size_low=interval.low / scaled,
        effect_size_high=interval.high / scaled,
        flags=tuple(flags),
    )


def _smallest_p(sample: EffectSample) -> float:
    """Return the smallest p-value that relabelling the schools could give.

    Where no school holds both arms, placement varies between schools: among
    the ways in which so many schools could have hosted, the one seen has at
    least this probability. With five against two it is 1/21.
    """
    if sample.shared_schools:
        return 0.0
    schools = int(sample.school.max()) + 1
    return 1 / math.comb(schools, len(set(sample.school[sample.first])))


def _smallest(time: Occasion) -> float:
    size = time.outcome.smallest_effect
    if size is None:
        return float("nan")
    return size if time.outcome.smallest_effect_unit == "sd" else size / time.sd


def _missing_much(cohort: Cohort, design: Weights, known: NDArray[np.bool_]) -> bool:
    shares = [
        1 - int(np.sum(known & group)) / cohort.sizes[arm]
        for arm, group in zip(
            CONTRASTS[design.contrast], (design.treated, ~design.treated), strict=True
        )
    ]
    return max(shares) > MISSING_LIMIT or abs(shares[0] - shares[1]) > MISSING_DIFFERENCE


def _has_earlier_covariate(cohort: Cohort) -> bool:
    section = cohort.plan.covariates
    return any(c.date or c.wave for c in (*section.adjust, *section.exact))


def _imbalanced(design: Weights, used: NDArray[np.bool_]) -> bool:
    limit = IMBALANCE_MODELLED if design.method == "none" else IMBALANCE_WEIGHTED
    first, weights = design.treated, np.where(used, design.weights, 0.0)
    for position in range(design.covariates.shape[1]):
        column = design.covariates[:, position]
        one = np.average(column[first], weights=weights[first])
        two = np.average(column[~first], weights=weights[~first])
        if abs(one - two) > limit * standardiser(column, first, design.estimand) + 1e-12:
            return True
    return False

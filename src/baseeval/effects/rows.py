"""Rows of the results table: empty ones that name a question, and answered ones."""

from __future__ import annotations

import math
from dataclasses import replace

from baseeval.cohort.building import Cohort
from baseeval.design.deciding import is_common
from baseeval.effects.occasions import Occasion, smallest_in_sd
from baseeval.effects.spec import EffectSample, ModelFit, ModelSpec
from baseeval.measures.kinds import unit_of
from baseeval.results import ARMS, Effect, target_of

#: Below this many degrees of freedom a t interval is a rough guide (Tipton 2015).
LOW_DF = 4.0
#: A p-value raised to less than this is as small as any reader needs.
WORTH_SAYING = 0.001


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
    estimand = plan.design.estimand
    # A model without a design compares two arms as they are, whatever the designs are about.
    at_once = is_common(cohort) and method != "none"
    focal = (plan.design.focal or ARMS[0]) if at_once else None
    return Effect(
        study=plan.study.name,
        plan_hash=plan.hash,
        outcome=time.outcome.name,
        form=time.form,
        wave=time.wave,
        contrast=contrast,
        estimand=estimand,
        target=target_of(contrast, estimand, focal),
        design=method,
        model=spec.name,
        unit=unit_of(time.outcome),
        smallest_effect=smallest_in_sd(time),
        inference=spec.inference,
        generalises_to=spec.generalises_to,
        flags=flags,
        role="primary" if headline else "secondary",
        headline=headline,
        family=time.outcome.name if headline else "",
    )


def with_numbers(
    row: Effect, time: Occasion, fit: ModelFit, sample: EffectSample, flags: list[str]
) -> Effect:
    """Write a fitted model into its row.

    Parameters
    ----------
    row : Effect
    time : Occasion
    fit : ModelFit
    sample : EffectSample
    flags : list of str
        Those that the row carries already.

    Returns
    -------
    Effect
        An arm in one school has an estimate and no interval.
    """
    interval, sd = fit.interval, time.sd
    row = replace(row, parameters=fit.parameters, inference=fit.inference or row.inference)
    scaled = sd if sd > 0 else float("nan")
    flags = [*flags, *fit.flags]
    if "one_school" in flags:
        return replace(
            row, estimate=fit.estimate, effect_size=fit.estimate / scaled, flags=tuple(flags)
        )
    if not interval.df >= LOW_DF:
        flags.append("low_df")
    p_value = interval.p_value
    floor = _smallest_p(sample, row.contrast)
    if p_value < floor:
        p_value = floor
        if floor >= WORTH_SAYING and "conservative" not in flags:
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


def _smallest_p(sample: EffectSample, contrast: str) -> float:
    """Return the smallest p-value that relabelling the schools could give.

    Placement varies between schools in the contrasts with `non_host`: among
    the ways in which so many schools could have hosted, the one seen has this
    probability, twice over where hosts and others are equally many and the
    mirror image is as extreme. With five against two it is 1/21. Schools that
    hold both arms tell nothing of hosting and are not counted.
    """
    if contrast == "base_vs_host":
        return 0.0
    first, second = set(sample.school[sample.first]), set(sample.school[~sample.first])
    hosts, others = len(first - second), len(second - first)
    if not (hosts and others):
        return 0.0
    return (1 + (hosts == others)) / math.comb(hosts + others, hosts)

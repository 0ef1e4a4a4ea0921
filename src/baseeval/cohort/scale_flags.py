"""The rows of a scale carry as flags what was found of it: how it agrees, means, was answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from baseeval.cohort.building import Cohort
from baseeval.cohort.completing import EVERY_NEED
from baseeval.cohort.questionnaires import Questionnaires
from baseeval.measures.trust import invariance_flag, is_low_completion, is_low_reliability
from baseeval.results import CONTRASTS


def with_cautions(cohort: Cohort, found: Questionnaires) -> Cohort:
    """Let the rows of scales carry what was found of them, as flags.

    Parameters
    ----------
    cohort : Cohort
    found : Questionnaires

    Returns
    -------
    Cohort
        With more `cautions`, by ``outcome form wave contrast``.
    """
    cautions = dict(cohort.cautions)
    for outcome in cohort.plan.outcomes:
        if outcome.kind != "scale":
            continue
        for wave in cohort.waves:
            for contrast in cohort.contrasts:
                for form in outcome.forms:
                    flags = _flags(outcome.name, form, wave, CONTRASTS[contrast], cohort, found)
                    cautions[f"{outcome.name} {form} {wave} {contrast}"] = frozenset(flags)
    return replace(cohort, cautions=cautions)


def _flags(
    outcome: str,
    form: str,
    wave: str,
    arms: tuple[str, str],
    cohort: Cohort,
    found: Questionnaires,
) -> Iterator[str]:
    mine = found.scales[(found.scales["outcome"] == outcome) & found.scales["arm"].isin(arms)]
    before = cohort.plan.data.baseline_wave
    waves = {wave, before} if form == "change" else {wave}
    if is_low_reliability(mine[mine["wave"].isin(waves)]["alpha"].to_list()):
        yield "low_reliability"
    yield from dict.fromkeys(
        flag for flag in _invariance_flags(outcome, form, wave, arms, cohort, found) if flag
    )
    counted = cohort.completion
    rows = counted[
        (counted["outcome"] == outcome)
        & (counted["wave"] == wave)
        & (counted["need"] == EVERY_NEED)
        & counted["arm"].isin(arms)
    ]
    if len(rows) and is_low_completion(rows["answered"].to_list(), rows["pupils"].to_list()):
        yield "low_completion"


def _invariance_flags(
    outcome: str,
    form: str,
    wave: str,
    arms: tuple[str, str],
    cohort: Cohort,
    found: Questionnaires,
) -> Iterator[str]:
    """Judge the ladder of the wave, and for a change the one that holds it and the baseline."""
    steps = found.invariance
    mine = steps[(steps["outcome"] == outcome) & (steps["groups"] == "; ".join(arms))]
    yield invariance_flag(mine[mine["wave"] == wave]["verdict"].to_list())
    if form == "change":
        needed = {wave, cohort.plan.data.baseline_wave}
        across = mine[[needed <= set(str(waves).split("; ")) for waves in mine["wave"]]]
        yield invariance_flag(across["verdict"].to_list())

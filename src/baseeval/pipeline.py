"""The path from a cohort to its answers, as a function that can be run again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.design.balancing import LIMIT, check_balance
from baseeval.design.deciding import decide, decide_all, is_common
from baseeval.design.gate import Judged, judge_designs
from baseeval.effects.bounding import bound_rows
from baseeval.effects.estimating import estimate_one, finish, plain
from baseeval.effects.occasions import covered, occasions
from baseeval.effects.registry import MODELS
from baseeval.effects.rows import empty_row
from baseeval.effects.spec import ModelSpec
from baseeval.effects.verdict import GATE_FAILED
from baseeval.errors import EstimationError
from baseeval.results import Balance, Effect, Weights, unreleased_table


@dataclass(frozen=True, slots=True)
class Designs:
    """Every design of a study, made before any outcome is looked at.

    Parameters
    ----------
    made : dict
        (contrast, method) -> Weights.
    failed : dict
        (contrast, method) -> the reason, for those that do not exist.
    balance : Balance
    gate : Judged
        Also of the design `none`, where there is a gate and a model falls back on it.
    """

    made: dict[tuple[str, str], Weights]
    failed: dict[tuple[str, str], EstimationError]
    balance: Balance
    gate: Judged


def make_designs(cohort: Cohort) -> Designs:
    """Make and judge every design that the plan names, for every contrast.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    Designs
    """
    made: dict[tuple[str, str], Weights] = {}
    failed: dict[tuple[str, str], EstimationError] = {}
    all_at_once = is_common(cohort)
    for method in _asked(cohort):
        if all_at_once:
            try:
                whole = decide_all(cohort, method)
                made |= {(contrast, method): whole[contrast] for contrast in cohort.contrasts}
            except EstimationError as error:
                failed |= {(contrast, method): error for contrast in cohort.contrasts}
            continue
        for contrast in cohort.contrasts:
            try:
                made[contrast, method] = decide(cohort, contrast, method)
            except EstimationError as error:
                failed[contrast, method] = error
    gate = cohort.plan.gate
    if gate is None:
        balance = check_balance(made.values())
    else:
        limit = LIMIT if gate.largest_smd is None else gate.largest_smd
        balance = check_balance(made.values(), limit=limit, icc=gate.icc)
    return Designs(made, failed, balance, _judged(cohort, made, balance))


def estimate_all(cohort: Cohort, designs: Designs) -> pd.DataFrame:
    """Estimate every outcome, contrast, design and model of a study.

    Parameters
    ----------
    cohort : Cohort
    designs : Designs

    Returns
    -------
    pandas.DataFrame
        From `unreleased_table`, before disclosure control.
    """
    times = occasions(cohort)
    rows: list[Effect] = []
    poor, failing = _poor_overlap(designs.balance), designs.gate.failing()
    shows = cohort.plan.gate is not None and cohort.plan.gate.show_failed
    for contrast in cohort.contrasts:
        here = list(covered(times, contrast))
        for name in cohort.plan.analysis.models:
            spec = MODELS[name]
            methods = _asked(cohort) if spec.carries_designs else ["none"]
            for method in methods:
                fails = (contrast, method) in failing
                headline = name == cohort.plan.analysis.models[0] and method == methods[0]
                chosen = _design(cohort, designs, contrast, method, spec)
                for time in here:
                    if isinstance(chosen, EstimationError):
                        flags = (chosen.flag,)
                        made = [empty_row(cohort, time, contrast, method, spec, headline, flags)]
                    else:
                        bare = fails and not shows
                        made = [estimate_one(cohort, time, chosen, spec, headline, count_only=bare)]
                        if headline and not bare:
                            made += bound_rows(cohort, time, chosen, spec, made[0])
                    if fails:
                        made = [replace(row, flags=(*row.flags, GATE_FAILED)) for row in made]
                    rows += [_flag_overlap(row, poor) for row in made]
    return unreleased_table(finish(cohort, rows))


def _judged(cohort: Cohort, made: dict[tuple[str, str], Weights], balance: Balance) -> Judged:
    """Hold every design against the gate, and where there is one what models fall back on."""
    gate = cohort.plan.gate
    fallen = _fallbacks(cohort) if gate is not None else []
    tables = [balance.overlap, check_balance(fallen).overlap] if fallen else [balance.overlap]
    overlap = pd.concat([table for table in tables if len(table)] or tables)
    return judge_designs([*made.values(), *fallen], overlap, gate)


def _fallbacks(cohort: Cohort) -> list[Weights]:
    """Return the design `none` of each contrast, if a model runs without those that are named.

    It is judged on the plan's covariates, also for a model that uses none of them; without, where
    an arm has nobody with all of them.
    """
    specs = [MODELS[name] for name in cohort.plan.analysis.models]
    alone = [spec for spec in specs if not spec.carries_designs]
    if not alone or "none" in _asked(cohort):
        return []
    found = []
    for contrast in cohort.contrasts:
        for uses in (True, False):
            made = _design_none(cohort, contrast, replace(alone[0], uses_covariates=uses))
            if isinstance(made, Weights):
                found.append(made)
                break
    return found


def _asked(cohort: Cohort) -> list[str]:
    return cohort.plan.design.methods or ["none"]


def _design(
    cohort: Cohort, designs: Designs, contrast: str, method: str, spec: ModelSpec
) -> Weights | EstimationError:
    if method != "none":
        return designs.failed.get((contrast, method)) or designs.made[contrast, method]
    return _design_none(cohort, contrast, spec)


def _design_none(cohort: Cohort, contrast: str, spec: ModelSpec) -> Weights | EstimationError:
    try:
        return plain(cohort, contrast, spec)
    except EstimationError as error:
        return error


def _poor_overlap(balance: Balance) -> set[tuple[str, str]]:
    flagged = balance.overlap[balance.overlap["flags"].str.contains("poor_overlap")]
    return set(zip(flagged["contrast"], flagged["design"], strict=True))


def _flag_overlap(row: Effect, poor: set[tuple[str, str]]) -> Effect:
    if (row.contrast, row.design) not in poor:
        return row
    return replace(row, flags=(*row.flags, "poor_overlap"))

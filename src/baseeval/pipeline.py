"""The path from a cohort to its answers, as a function that can be run again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.design.balancing import check_balance
from baseeval.design.deciding import decide
from baseeval.effects.bounding import bound_rows
from baseeval.effects.estimating import estimate_one, finish, plain
from baseeval.effects.occasions import covered, occasions
from baseeval.effects.registry import MODELS
from baseeval.effects.rows import empty_row
from baseeval.effects.spec import ModelSpec
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
    """

    made: dict[tuple[str, str], Weights]
    failed: dict[tuple[str, str], EstimationError]
    balance: Balance


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
    for contrast in cohort.contrasts:
        for method in cohort.plan.design.methods or ["none"]:
            try:
                made[contrast, method] = decide(cohort, contrast, method)
            except EstimationError as error:
                failed[contrast, method] = error
    return Designs(made, failed, check_balance(made.values()))


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
    asked = cohort.plan.design.methods or ["none"]
    rows: list[Effect] = []
    poor = _poor_overlap(designs.balance)
    for contrast in cohort.contrasts:
        here = list(covered(times, contrast))
        for name in cohort.plan.analysis.models:
            spec = MODELS[name]
            methods = [method for method in asked if method in spec.designs] or ["none"]
            for method in methods:
                headline = name == cohort.plan.analysis.models[0] and method == methods[0]
                chosen = _design(cohort, designs, contrast, method, spec)
                for time in here:
                    if isinstance(chosen, EstimationError):
                        flags = (chosen.flag,)
                        made = [empty_row(cohort, time, contrast, method, spec, headline, flags)]
                    else:
                        made = [estimate_one(cohort, time, chosen, spec, headline)]
                        if headline:
                            made += bound_rows(cohort, time, chosen, spec, made[0])
                    rows += [_flag_overlap(row, poor) for row in made]
    return unreleased_table(finish(cohort, rows))


def _design(
    cohort: Cohort, designs: Designs, contrast: str, method: str, spec: ModelSpec
) -> Weights | EstimationError:
    if method != "none":
        return designs.failed.get((contrast, method)) or designs.made[contrast, method]
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

"""The gate: what a design shows before any outcome is read, held against what the plan asked.

After OHDSI's CohortMethod, whose diagnostics decide, before results are unblinded, which of
them are shown. `docs/methods/gate.md` says what each number is and why it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from baseeval.numerics.detectable import (
    Assumed,
    Between,
    Within,
    compared_between,
    compared_within,
    detectable_effect,
)
from baseeval.plan import GATE_RULES, GateSection
from baseeval.results import Weights

#: Whether a comparison kept to a rule, where the plan asked for it.
PASSED, FAILED, NOT_ASKED = "yes", "no", "not asked"

#: Rules that ask for at least so much; the others ask for at most.
_AT_LEAST = ("schools_per_arm", "effective_size")

_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "rule",
    "threshold",
    "value",
    "passed",
    "n_first",
    "n_second",
    "schools_first",
    "schools_second",
]


@dataclass(frozen=True, slots=True)
class Judged:
    """What every design shows, held against the gate.

    Parameters
    ----------
    table : pandas.DataFrame
        ``contrast, design, estimand, rule, threshold, value, passed``, and the exact counts that
        disclosure control needs.
    compared : mapping of (contrast, design) to Between or Within
        The effective numbers behind each smallest detectable effect.
    assumed : Assumed
    """

    table: pd.DataFrame
    compared: Mapping[tuple[str, str], Between | Within]
    assumed: Assumed

    def failing(self) -> frozenset[tuple[str, str]]:
        """Return the contrast and design of those that failed a rule that the plan asked for."""
        failed = self.table[self.table["passed"] == FAILED]
        return frozenset(zip(failed["contrast"], failed["design"], strict=True))


def judge_designs(
    designs: Iterable[Weights], overlap: pd.DataFrame, gate: GateSection | None
) -> Judged:
    """Hold designs against a gate.

    Parameters
    ----------
    designs : iterable of Weights
        Of two arms each.
    overlap : pandas.DataFrame
        From `check_balance` on these designs.
    gate : GateSection or None
        None judges nothing; the numbers are the same.

    Returns
    -------
    Judged
        What could not be worked out does not pass.
    """
    keys = zip(overlap["contrast"], overlap["design"], strict=True)
    held = dict(zip(keys, overlap.to_dict("records"), strict=True))
    section = gate or GateSection()
    asked, assumed = section.thresholds(), _assumed(section)
    rows, compared = [], {}
    for design in designs:
        key = design.contrast, design.method
        about, compared[key] = held[key], sharper(design, assumed)
        detectable = detectable_effect(compared[key], assumed).effect
        values = {**_values(design, about), "smallest_detectable_effect": detectable}
        sizes = {
            name: about[name] for name in ("n_first", "n_second", "schools_first", "schools_second")
        }
        for rule in GATE_RULES:
            threshold, value = asked.get(rule, math.nan), values[rule]
            rows.append(
                {
                    "contrast": design.contrast,
                    "design": design.method,
                    "estimand": design.estimand,
                    "rule": rule,
                    "threshold": threshold,
                    "value": value,
                    "passed": _passed(rule, threshold, value),
                    **sizes,
                }
            )
    return Judged(pd.DataFrame.from_records(rows, columns=_COLUMNS), compared, assumed)


def sharper(design: Weights, assumed: Assumed) -> Between | Within:
    """Return the effective numbers of the comparison that could show the smaller effect.

    Parameters
    ----------
    design : Weights
    assumed : Assumed

    Returns
    -------
    Between or Within
        That between schools or, where schools hold both arms, that within them.
    """
    school = pd.factorize(design.school)[0].astype(np.intp)
    between = compared_between(design.weights, design.treated, school)
    within = compared_within(design.weights, design.treated, school)
    if detectable_effect(within, assumed).effect < detectable_effect(between, assumed).effect:
        return within
    return between


def _assumed(gate: GateSection) -> Assumed:
    return Assumed(
        icc=gate.icc,
        r2_pupil=gate.r2_pupil,
        r2_school=gate.r2_school,
        effect_variance=gate.effect_variance,
        alpha=gate.alpha,
        power=gate.power,
    )


def _values(design: Weights, about: Mapping[Any, Any]) -> dict[str, float]:
    """Return what a design shows, by rule."""
    # Without a covariate nothing is known of either.
    known = bool(design.names)
    return {
        "largest_smd": about["max_smd_after"] if known else math.nan,
        "overlap": about["share_outside_support"] if known else math.nan,
        "schools_per_arm": float(min(about["schools_first"], about["schools_second"])),
        "effective_size": min(about["n_effective_first"], about["n_effective_second"]),
    }


def _passed(rule: str, threshold: float, value: float) -> str:
    if math.isnan(threshold):
        return NOT_ASKED
    kept = value >= threshold if rule in _AT_LEAST else value <= threshold
    return PASSED if kept else FAILED

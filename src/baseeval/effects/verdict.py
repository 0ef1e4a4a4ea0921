"""What may be said of an estimate, and how often it was looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from baseeval.results import Effect

#: Significance of the family-adjusted p-value.
LEVEL = 0.05

#: Flag of the rows of a comparison that failed the plan's gate.
GATE_FAILED = "gate_failed"


def judge(effect: Effect, better: str) -> Effect:
    """Give an effect its verdict, in the order that the design fixes.

    Parameters
    ----------
    effect : Effect
        With its intervals, effect sizes, role and adjusted p-value.
    better : str
        higher, lower or neither.

    Returns
    -------
    Effect
        With `verdict`, and the flag `detectable_but_small` where it holds. A comparison that
        failed the gate has no other verdict than `cannot_tell`, whatever it shows.
    """
    if GATE_FAILED in effect.flags:
        return replace(effect, verdict="cannot_tell")
    bounds = (effect.effect_size_low, effect.effect_size_high, effect.ci90_low, effect.ci90_high)
    if not np.isfinite(bounds).all() or not np.isfinite(effect.effect_size):
        return replace(effect, verdict="cannot_tell")
    excludes_zero = effect.effect_size_low > 0 or effect.effect_size_high < 0
    if _within_smallest(effect):
        flags = (*effect.flags, "detectable_but_small") if excludes_zero else effect.flags
        return replace(effect, verdict="no_meaningful_difference", flags=flags)
    p_value = effect.p_adjusted if effect.role == "primary" else effect.p_value
    if not (excludes_zero and p_value < LEVEL):
        return replace(effect, verdict="cannot_tell")
    if better == "neither":
        return replace(effect, verdict="differs")
    first_is_better = (effect.effect_size > 0) == (better == "higher")
    return replace(effect, verdict="favours_first" if first_is_better else "favours_second")


def _within_smallest(effect: Effect) -> bool:
    """Return whether the 90% interval lies within the smallest effect of interest."""
    if not np.isfinite(effect.smallest_effect):
        return False
    scale = effect.effect_size / effect.estimate if effect.estimate else None
    if scale is None:
        width = effect.ci_high - effect.ci_low
        scale = (effect.effect_size_high - effect.effect_size_low) / width if width else 0.0
    low, high = sorted((effect.ci90_low * scale, effect.ci90_high * scale))
    return low > -effect.smallest_effect and high < effect.smallest_effect


def adjust_families(effects: Sequence[Effect]) -> list[Effect]:
    """Adjust the p-values of primary rows over their families, by Holm's method.

    Parameters
    ----------
    effects : sequence of Effect
        A family is the primary rows of one name in `family`.

    Returns
    -------
    list of Effect
        In the order given, `p_adjusted` filled for primary rows that have a
        p-value. A question that could not be answered was asked all the same
        and counts; so does one whose comparison failed the gate, and whether its
        numbers are shown changes no other answer. Holm (1979) holds whatever the
        dependence between tests.
    """
    members = defaultdict(list)
    for position, effect in enumerate(effects):
        if effect.role == "primary":
            members[effect.family].append(position)
    adjusted = list(effects)
    for positions in members.values():
        known = [
            position
            for position in positions
            if np.isfinite(effects[position].p_value) and GATE_FAILED not in effects[position].flags
        ]
        ranked = sorted(known, key=lambda position: effects[position].p_value)
        running = 0.0
        for rank, position in enumerate(ranked):
            raw = (len(positions) - rank) * effects[position].p_value
            running = min(1.0, max(running, raw))
            adjusted[position] = replace(effects[position], p_adjusted=running)
    return adjusted

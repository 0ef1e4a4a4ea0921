"""The true effects, from the potential outcomes of these pupils.

Every effect is the difference of two weighted means over one target, so contrasts that share
a target add up, and a world without effects has a truth of exactly zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.placement import ARMS, Placed
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.responses import Responses, expected
from baseeval.worlds.scales import OUTCOMES, WAVES

Floats = NDArray[np.float64]
CONTRASTS = {"base_vs_host": (0, 1), "base_vs_non_host": (0, 2), "host_vs_non_host": (1, 2)}
FORM, EVERYONE = "level", "all"


def true_effects(
    recipe: WorldRecipe,
    placed: Placed,
    responses: dict[str, Responses],
    standardisers: dict[str, dict[str, float | None]],
) -> dict[str, Any]:
    """Compute the sample effects of every contrast, outcome and wave.

    Parameters
    ----------
    recipe : WorldRecipe
    placed : Placed
        Arms and true probabilities of the eligible pupils.
    responses : dict of str to Responses
        Potential outcomes of the same pupils, by outcome.
    standardisers : dict
        ``[outcome][wave]`` to a standard deviation, None where it cannot be had.

    Returns
    -------
    dict
        ``effects.sample.{contrast}.{outcome}.level.{wave}.all`` holds ATT, ATC, ATE and ATO
        in the outcome's unit; ``effects_sd`` the same in SD; ``effects_by_target`` one number
        for each target: the pupils of one arm, or all three (``common``).
    """
    pair = {name: _pair_targets(placed, *arms) for name, arms in CONTRASTS.items()}
    single = {arm: np.asarray(placed.arm == at, float) for at, arm in enumerate(ARMS)}
    single["common"] = np.ones(len(placed.arm))
    raw: dict[str, Any] = {}
    scaled: dict[str, Any] = {}
    by_target: dict[str, Any] = {target: {} for target in single}
    for outcome in OUTCOMES:
        response = responses[outcome]
        latent = response.untreated[:, :, None] + response.gain
        potential = expected(recipe, outcome, latent)
        for at, wave in enumerate(WAVES):
            sd = standardisers[outcome][str(wave)]
            for name, (first, second) in CONTRASTS.items():
                place = (name, outcome, FORM, str(wave))
                y = potential[:, at, :]
                effect = {e: _mean_gap(y, first, second, w) for e, w in pair[name].items()}
                _put(raw, place, effect)
                _put(scaled, place, {e: _divide(v, sd) for e, v in effect.items()})
                for target, weight in single.items():
                    _put(by_target[target], place, _mean_gap(y, first, second, weight))
    return {
        "effects": {"sample": raw},
        "effects_sd": {"sample": scaled},
        "effects_by_target": {"sample": by_target},
    }


def _pair_targets(placed: Placed, first: int, second: int) -> dict[str, Floats]:
    """Weights of the pupils for each estimand of a contrast, shape (pupils,) each."""
    in_first = np.asarray(placed.arm == first, dtype=np.float64)
    in_second = np.asarray(placed.arm == second, dtype=np.float64)
    chance = placed.probability
    p = chance[:, first] / (chance[:, first] + chance[:, second])
    union = in_first + in_second
    return {"ATT": in_first, "ATC": in_second, "ATE": union, "ATO": union * p * (1 - p)}


def _mean_gap(y: Floats, first: int, second: int, weight: Floats) -> float | None:
    """Weighted mean of one arm's potential outcomes less the other's; None for no pupil."""
    total = float(weight.sum())
    if total == 0:
        return None
    return float(weight @ y[:, first]) / total - float(weight @ y[:, second]) / total


def _divide(value: float | None, sd: float | None) -> float | None:
    return None if value is None or sd is None else value / sd


def pooled_sd(value: Floats, arm: NDArray[np.intp]) -> float | None:
    """Unweighted pooled within-arm total SD: sqrt(sum (n_a - 1) s_a^2 / sum (n_a - 1)).

    Parameters
    ----------
    value : ndarray, shape (pupils,)
        Observed values; NaN is left out.
    arm : ndarray of int, shape (pupils,)

    Returns
    -------
    float or None
        None where no arm has two pupils, or nothing varies.
    """
    squares, df = 0.0, 0
    for which in range(len(ARMS)):
        seen = value[(arm == which) & ~np.isnan(value)]
        if len(seen) > 1:
            squares += float(((seen - seen.mean()) ** 2).sum())
            df += len(seen) - 1
    return math.sqrt(squares / df) if squares > 0 else None


def _put(tree: dict[str, Any], place: tuple[str, ...], value: object) -> None:
    for key in place:
        tree = tree.setdefault(key, {})
    tree[EVERYONE] = value

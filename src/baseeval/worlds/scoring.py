"""The observed outcomes of the eligible pupils, and the SD that standardises an effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.missing import SURVEY
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES
from baseeval.worlds.truth import pooled_sd

Floats = NDArray[np.float64]
MIN_ANSWERED = 0.75


def standardisers(
    recipe: WorldRecipe,
    columns: dict[str, Floats],
    stays: NDArray[np.bool_],
    arm: NDArray[np.intp],
) -> dict[str, dict[str, float | None]]:
    """One SD for each outcome and wave, over the three arms' observed values.

    Parameters
    ----------
    recipe : WorldRecipe
    columns : dict of str to ndarray, shape (pupils, waves)
        Eligible pupils come first.
    stays : ndarray of bool, shape (pupils, waves)
    arm : ndarray of int, shape (eligible,)

    Returns
    -------
    dict
        ``[outcome][wave]`` to an SD in the outcome's unit.
    """
    observed = {
        "attainment": columns["attainment"],
        "attendance": columns["present"] / columns["possible"],
        "belonging": _scores(recipe, columns),
    }
    return {
        name: {
            str(wave): pooled_sd(np.where(stays, value, np.nan)[: len(arm), at], arm)
            for at, wave in enumerate(WAVES)
        }
        for name, value in observed.items()
    }


def _scores(recipe: WorldRecipe, columns: dict[str, Floats]) -> Floats:
    """Mean of the answered items, reversed items turned round; NaN under three in four."""
    answers = np.stack(
        [
            6 - columns[name] if at + 1 in recipe.belonging.reverse else columns[name]
            for at, name in enumerate(SURVEY)
        ]
    )
    answered = (~np.isnan(answers)).sum(axis=0)
    total = np.nansum(answers, axis=0)
    enough = answered >= MIN_ANSWERED * len(SURVEY)
    return np.where(enough, total / np.maximum(answered, 1), np.nan)

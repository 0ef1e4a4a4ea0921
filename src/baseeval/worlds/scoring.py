"""The observed outcomes of the eligible pupils, whose spread standardises an effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.missing import SURVEY
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.recording import SUBSCALES
from baseeval.worlds.scales import WAVES
from baseeval.worlds.truth import Spread, spread_of

Floats = NDArray[np.float64]
MIN_ANSWERED = 0.75


def observed_spreads(
    recipe: WorldRecipe,
    columns: dict[str, Floats],
    stays: NDArray[np.bool_],
    arm: NDArray[np.intp],
) -> dict[tuple[str, str], Spread]:
    """Summarise each outcome and wave, over the three arms' observed values.

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
        (outcome, wave) -> Spread, in the outcome's unit.
    """
    own = {name: value[: len(arm)] for name, value in columns.items()}
    seen = stays[: len(arm)]
    return {
        (name, str(wave)): spread_of(np.where(seen[:, at], value[:, at], np.nan), arm)
        for name, value in _observed(recipe, own).items()
        for at, wave in enumerate(WAVES)
    }


def _observed(recipe: WorldRecipe, columns: dict[str, Floats]) -> dict[str, Floats]:
    observed = {
        "attainment": columns["attainment"],
        "attendance": columns["present"] / columns["possible"],
        "belonging": belonging_score(recipe, columns),
    }
    if recipe.difficulties is not None:
        observed["difficulties"] = np.sum([columns[name] for name in SUBSCALES], axis=0)
    further = ("suspensions", "teacher_support", "peer_support")
    return observed | {name: columns[name] for name in further if name in columns}


def belonging_score(recipe: WorldRecipe, columns: dict[str, Floats]) -> Floats:
    """Average the answered items of each pupil, reversed items turned round.

    Parameters
    ----------
    recipe : WorldRecipe
    columns : dict of str to ndarray
        The items among them, of one shape.

    Returns
    -------
    ndarray, same shape
        NaN where under three items in four are answered.
    """
    answers = np.stack(
        [
            6 - columns[name] if at + 1 in recipe.belonging.reverse else columns[name]
            for at, name in enumerate(SURVEY)
        ]
    )
    there = ~np.isnan(answers)
    answered, total = there.sum(axis=0), np.where(there, answers, 0.0).sum(axis=0)
    enough = answered >= MIN_ANSWERED * len(SURVEY)
    return np.where(enough, total / np.maximum(answered, 1), np.nan)

"""What a school would record: scores to one decimal, sessions in whole numbers, item answers.

Nothing is missing yet; :mod:`baseeval.worlds.missing` takes things away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.responses import passing
from baseeval.worlds.scales import ITEMS, WAVES
from baseeval.worlds.streams import stream

Floats = NDArray[np.float64]


def record(
    recipe: WorldRecipe, latent: dict[str, Floats], school: NDArray[np.intp], seed: int
) -> dict[str, Floats]:
    """Draw the recorded values of every pupil and wave.

    Parameters
    ----------
    recipe : WorldRecipe
    latent : dict of str to ndarray, shape (pupils, waves)
        Each outcome's own scale under the arm that the pupil is in.
    school : ndarray of int, shape (pupils,)
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (pupils, waves)
        Column name to values: attainment, present, possible, b01 to b10.
    """
    columns = {"attainment": np.round(latent["attainment"], 1)}
    columns |= _sessions(recipe, latent["attendance"], school, seed)
    columns |= _items(recipe, latent["belonging"], seed)
    return columns


def _sessions(
    recipe: WorldRecipe, latent: Floats, school: NDArray[np.intp], seed: int
) -> dict[str, Floats]:
    """Beta-binomial sessions: absence comes in spells, so it varies more than coins would."""
    scale = recipe.attendance
    schools = int(school.max()) + 1
    shift = stream(seed, "sessions/possible").standard_normal((schools, len(WAVES)))
    # A school's timetable is its own, and does not follow the arm. Two sessions make a day.
    days = np.round((np.array(scale.possible) + scale.possible_sd * shift) / 2)
    possible = 2 * np.maximum(days, 1)[school]
    mean = np.clip(expit(latent), 1e-9, 1 - 1e-9)
    size = 1 / scale.overdispersion - 1
    chance = stream(seed, "sessions/chance").beta(mean * size, (1 - mean) * size)
    present = stream(seed, "sessions/present").binomial(possible.astype(np.int64), chance)
    return {"present": present.astype(np.float64), "possible": possible}


def _items(recipe: WorldRecipe, latent: Floats, seed: int) -> dict[str, Floats]:
    """Graded responses: one uniform draw an answer, compared with each step's chance."""
    items, columns = recipe.belonging, {}
    for item in range(ITEMS):
        draw = stream(seed, f"item/{item + 1}").random(latent.shape)
        answer = np.ones(latent.shape)
        for step in range(len(items.steps)):
            answer += draw < passing(items, latent, item, step)
        columns[f"b{item + 1:02d}"] = 6 - answer if item + 1 in items.reverse else answer
    return columns

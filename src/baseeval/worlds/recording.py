"""What a school would record: scores to one decimal, sessions in whole numbers, item answers.

Nothing is missing yet; :mod:`baseeval.worlds.missing` takes things away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from baseeval.worlds.expecting import POINTS, STEPS, Traits, leaning, threshold
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS, SUPPORTS, WAVES
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]

#: Columns of the four subscales of difficulties.
SUBSCALES = ("emotional", "conduct", "hyperactivity", "peer_problems")


def record(
    recipe: WorldRecipe,
    latent: dict[str, Floats],
    traits: Traits,
    school: NDArray[np.intp],
    in_base: NDArray[np.bool_],
    streams: Streams,
) -> dict[str, Floats]:
    """Draw the recorded values of every pupil and wave.

    Parameters
    ----------
    recipe : WorldRecipe
    latent : dict of str to ndarray, shape (pupils, waves)
        Each outcome's own scale under the arm that the pupil is in.
    traits : Traits
    school : ndarray of int, shape (pupils,)
    in_base : ndarray of bool, shape (pupils, waves)
    streams : Streams

    Returns
    -------
    dict of str to ndarray, shape (pupils, waves)
        Column name to values: attainment, present, possible, b01 to b10, and those of the
        world's further outcomes.
    """
    columns = {"attainment": _reports(recipe, latent["attainment"], in_base, streams)}
    columns |= _sessions(recipe, latent["attendance"], traits, school, streams)
    columns |= _items(recipe, latent["belonging"], traits, streams)
    if recipe.difficulties is not None:
        for name, shift in zip(SUBSCALES, recipe.difficulties.subscales, strict=True):
            chance = expit(latent["difficulties"] + shift)
            columns[name] = _whole(streams(f"difficulties/{name}").binomial(POINTS, chance))
    if recipe.suspensions is not None:
        columns["suspensions"] = _suspensions(recipe, latent["suspensions"], streams)
    for name in SUPPORTS:
        if name in latent:
            steps = streams(f"{name}/steps").binomial(STEPS, expit(latent[name]))
            columns[name] = 1 + _whole(steps) / 2
    return columns


def _whole(values: NDArray[np.int64]) -> Floats:
    return values.astype(np.float64)


def _reports(
    recipe: WorldRecipe, latent: Floats, in_base: NDArray[np.bool_], streams: Streams
) -> Floats:
    """Let a teacher report: with noise, with a bias that no effect is, within the scale's ends."""
    scale, told = recipe.attainment, latent
    if scale.report_noise:
        noise = streams("attainment/report").standard_normal(latent.shape)
        told = told + scale.sd * scale.report_noise * noise
    if scale.report_bias:
        told = told + scale.sd * scale.report_bias * in_base
    if scale.floor is not None or scale.ceiling is not None:
        told = np.clip(told, scale.floor, scale.ceiling)
    return np.round(told, 1)


def _sessions(
    recipe: WorldRecipe,
    latent: Floats,
    traits: Traits,
    school: NDArray[np.intp],
    streams: Streams,
) -> dict[str, Floats]:
    """Beta-binomial sessions: absence comes in spells, so it varies more than coins would."""
    scale = recipe.attendance
    schools = int(school.max()) + 1
    shift = streams("sessions/possible").standard_normal((schools, len(WAVES)))
    # A school's timetable is its own, and does not follow the arm. Two sessions make a day.
    days = np.round((np.array(scale.possible) + scale.possible_sd * shift) / 2)
    possible = 2 * np.maximum(days, 1)[school]
    missed = scale.part_time_missed * traits.part_time[:, None]
    mean = np.clip(expit(latent) * (1 - missed), 1e-9, 1 - 1e-9)
    size = 1 / scale.overdispersion - 1
    chance = streams("sessions/chance").beta(mean * size, (1 - mean) * size)
    present = _whole(streams("sessions/present").binomial(possible.astype(np.int64), chance))
    columns = {"present": present, "possible": possible}
    if scale.part_time:
        # Of the sessions missed by pupils with such a timetable, about this share is due to it.
        share = missed / np.maximum(1 - mean, 1e-9)
        columns["part_time"] = np.round(np.minimum(share, 1) * (possible - present))
    return columns


def _items(
    recipe: WorldRecipe, latent: Floats, traits: Traits, streams: Streams
) -> dict[str, Floats]:
    """Graded responses: one draw an answer, compared with each step's threshold."""
    items, columns = recipe.belonging, {}
    for item in range(ITEMS):
        with np.errstate(divide="ignore"):
            draw = logit(streams(f"item/{item + 1}").random(latent.shape))
        place = latent + leaning(recipe, item, traits)[:, None]
        # A logistic draw under discrimination * (place - threshold) passes the step.
        reached = place - draw / items.discrimination[item]
        answer = np.ones(latent.shape, dtype=np.int8)
        for step in range(len(items.steps)):
            answer += reached > threshold(recipe, item, step)
        if item + 1 in items.reverse:
            answer = 6 - answer
        columns[f"b{item + 1:02d}"] = answer.astype(np.float64)
    return columns


def _suspensions(recipe: WorldRecipe, latent: Floats, streams: Streams) -> Floats:
    assert recipe.suspensions is not None
    mean, spread = np.exp(latent), recipe.suspensions.clustering
    if spread:
        mean = mean * streams("suspensions/pupil_year").gamma(1 / spread, spread, latent.shape)
    return _whole(streams("suspensions/count").poisson(mean))

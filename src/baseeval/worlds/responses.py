"""Potential outcomes: what each pupil's outcome would be under each arm.

Everything but the arm is common to a pupil's three outcomes: the school, the covariates, the
pupil's own level and each wave's noise. An individual effect is therefore free of noise. The
item and session draws are not made here: :func:`expected` gives their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES, Belonging, Latent
from baseeval.worlds.schools import Schools, own_or_mean
from baseeval.worlds.streams import stream

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Responses:
    """One outcome of one kind of pupil, on the outcome's own (latent) scale.

    Attributes
    ----------
    untreated : ndarray, shape (pupils, waves)
        The outcome of a mainstream place in a school without a base.
    gain : ndarray, shape (pupils, waves, 3)
        What each arm adds to it, in the order of ``ARMS``; zero for ``non_host``.
    """

    untreated: Floats
    gain: Floats

    def under(self, arm: NDArray[np.intp]) -> Floats:
        """Pick the outcome of the arm that each pupil is in, shape (pupils, waves)."""
        chosen = np.take_along_axis(self.gain, arm[:, None, None], axis=2)
        return np.asarray(self.untreated + chosen[:, :, 0], dtype=np.float64)


def respond(
    recipe: WorldRecipe, name: str, schools: Schools, pupils: Pupils, kind: str, seed: int
) -> Responses:
    """Draw the potential outcomes of one outcome.

    Parameters
    ----------
    recipe : WorldRecipe
    name : str
        One of ``OUTCOMES``.
    schools : Schools
    pupils : Pupils
    kind : {"eligible", "peers"}
        Peers are in no arm: hosting adds nothing to their outcomes.
    seed : int

    Returns
    -------
    Responses
    """
    scale, count = recipe.outcome(name), len(pupils.school)
    level = scale.pupil_sd * stream(seed, f"{name}/{kind}/level").standard_normal(count)
    noise = stream(seed, f"{name}/{kind}/noise").standard_normal((len(WAVES), count)).T
    fixed = _covariates(recipe, scale, pupils) + (scale.peer if kind == "peers" else 0.0)
    school = _school_effect(scale, name, schools, seed)[pupils.school]
    trend = scale.trend * np.arange(len(WAVES))
    total = (fixed + school + level)[:, None] + trend + scale.wave_sd * noise
    gain = np.zeros((count, len(WAVES), 3))
    if kind == "eligible":
        arms = _arm_effects(recipe, scale, name, schools, pupils, seed)
        gain[:, :, :2] = scale.sd * np.array(recipe.growth)[:, None] * arms[:, None, :]
    return Responses(untreated=scale.centre + scale.sd * total, gain=gain)


def expected(recipe: WorldRecipe, name: str, latent: Floats) -> Floats:
    """Give the expected outcome in its own unit for a place on the latent scale.

    Parameters
    ----------
    recipe : WorldRecipe
    name : str
    latent : ndarray, any shape

    Returns
    -------
    ndarray, same shape
        Points of attainment, proportion of sessions attended, or mean item score (1 to 5,
        reversed items turned round).
    """
    if name == "attainment":
        return latent
    if name == "attendance":
        return np.asarray(expit(latent), dtype=np.float64)
    score = np.ones_like(latent)
    items = recipe.belonging
    for item in range(len(items.discrimination)):
        for step in range(len(items.steps)):
            score += passing(items, latent, item, step) / len(items.discrimination)
    return score


def passing(items: Belonging, latent: Floats, item: int, step: int) -> Floats:
    """Give the chance that an item's answer, reversed ones turned round, passes a step."""
    threshold = items.location[item] + items.steps[step]
    return np.asarray(expit(items.discrimination[item] * (latent - threshold)), dtype=np.float64)


def _covariates(recipe: WorldRecipe, scale: Latent, pupils: Pupils) -> Floats:
    by_need = np.array([0.0, scale.adhd, scale.language, scale.learning])
    score = (pupils.prior - recipe.prior.mean) / recipe.prior.sd
    return np.asarray(
        scale.female * pupils.female
        + scale.fsm * pupils.fsm
        + scale.ehcp * pupils.ehcp
        + by_need[pupils.need]
        + scale.prior * score
        + scale.severity * pupils.severity,
        dtype=np.float64,
    )


def _school_effect(scale: Latent, name: str, schools: Schools, seed: int) -> Floats:
    """Draw the school's own effect, part of which is the quality that also drives hosting."""
    own = stream(seed, f"{name}/school").standard_normal(len(schools.quality))
    share = scale.school_quality
    mixed = share * schools.quality + np.sqrt(1 - share**2) * own
    return np.asarray(scale.school_sd * mixed, dtype=np.float64)


def _arm_effects(
    recipe: WorldRecipe, scale: Latent, name: str, schools: Schools, pupils: Pupils, seed: int
) -> Floats:
    """Draw the effects of `base` and `host_mainstream` in SD at full growth, shape (pupils, 2)."""
    effect, home = scale.effect, pupils.school
    draws = stream(seed, f"{name}/school_by_arm").standard_normal((2, len(schools.hosts)))
    base_shock, host_shock = (
        effect.school_by_arm * own_or_mean(draw, schools.hosts)[home] for draw in draws
    )
    score = (pupils.prior - recipe.prior.mean) / recipe.prior.sd
    quality = effect.base * effect.base_quality_spread * schools.base_quality[home]
    base = effect.base + quality + effect.base_by_prior * score + base_shock
    return np.column_stack([base, effect.host + host_shock])

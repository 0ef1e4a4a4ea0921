"""The expected outcome in its own unit, given a place on the latent scale and a pupil's traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from baseeval.worlds.chances import moved_rate
from baseeval.worlds.curves import steps_passed
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS, Attainment
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]

#: Items of a subscale of difficulties, two points each; steps of a support score.
POINTS, STEPS = 10, 8


@dataclass(frozen=True)
class Traits:
    """What is a pupil's own in answering and attending; no arm changes it.

    Attributes
    ----------
    agrees : ndarray, shape (pupils,)
        Leaning to agree, whatever is asked.
    turned : ndarray, shape (pupils,)
        What the answers to reversed items share.
    part_time : ndarray of bool, shape (pupils,)
        Has a part-time timetable.
    """

    agrees: Floats
    turned: Floats
    part_time: NDArray[np.bool_]

    def of(self, pupils: NDArray[np.intp]) -> Traits:
        """Give the traits of some pupils."""
        return Traits(self.agrees[pupils], self.turned[pupils], self.part_time[pupils])


def draw_traits(recipe: WorldRecipe, severity: Floats, kind: str, streams: Streams) -> Traits:
    """Draw the traits of pupils of one kind, ``eligible`` or ``peers``."""
    count, items, sessions = len(severity), recipe.belonging, recipe.attendance
    chance = moved_rate(sessions.part_time, sessions.part_time_severity * severity)
    return Traits(
        agrees=items.acquiescence * streams(f"{kind}/agrees").standard_normal(count),
        turned=items.method * streams(f"{kind}/turned").standard_normal(count),
        part_time=streams(f"{kind}/part_time").random(count) < chance,
    )


def expected(recipe: WorldRecipe, name: str, latent: Floats, traits: Traits) -> Floats:
    """Give the expected outcome in its own unit.

    Parameters
    ----------
    recipe : WorldRecipe
    name : str
    latent : ndarray, shape (pupils, ...)
    traits : Traits

    Returns
    -------
    ndarray, same shape
        Points of attainment, proportion of sessions attended, mean item score (1 to 5, reversed
        items turned round), score of difficulties (0 to 40), suspensions, or support (1 to 5).
    """
    if name == "attainment":
        return _within_ends(recipe.attainment, latent)
    if name == "attendance":
        kept = np.where(traits.part_time, 1 - recipe.attendance.part_time_missed, 1.0)
        return np.asarray(expit(latent) * _beside(kept, latent), dtype=np.float64)
    if name == "belonging":
        return _mean_item(recipe, latent, traits)
    if name == "difficulties":
        assert recipe.difficulties is not None
        shifts = recipe.difficulties.subscales
        return np.asarray(sum(POINTS * expit(latent + shift) for shift in shifts))
    if name == "suspensions":
        return np.exp(latent)
    return np.asarray(1 + 4 * expit(latent), dtype=np.float64)


def threshold(recipe: WorldRecipe, item: int, step: int) -> float:
    """Give the place on the trait at which half pass a step of an item, reversed ones turned."""
    return recipe.belonging.location[item] + recipe.belonging.steps[step]


def leaning(recipe: WorldRecipe, item: int, traits: Traits) -> Floats:
    """Give what a pupil's own traits add to the trait for an item, reversed ones turned round."""
    if item + 1 in recipe.belonging.reverse:
        return traits.turned - traits.agrees
    return traits.agrees


def _mean_item(recipe: WorldRecipe, latent: Floats, traits: Traits) -> Floats:
    turned = tuple(item for item in range(ITEMS) if item + 1 in recipe.belonging.reverse)
    asked = tuple(item for item in range(ITEMS) if item not in turned)
    score = np.ones_like(latent)
    for items in (asked, turned):
        if items:
            place = latent + _beside(leaning(recipe, items[0], traits), latent)
            score += steps_passed(recipe.belonging, items)(place) / ITEMS
    return score


def _within_ends(scale: Attainment, latent: Floats) -> Floats:
    """Give the mean of a report about y that stops at the ends of the scale: a censored normal."""
    spread = scale.report_noise * scale.sd
    mean = latent
    if scale.ceiling is not None:
        mean = mean - _overshoot(latent - scale.ceiling, spread)
    if scale.floor is not None:
        mean = mean + _overshoot(scale.floor - latent, spread)
    return mean


def _overshoot(over: Floats, spread: float) -> Floats:
    """Give E[max(over + spread * Z, 0)] of a standard normal Z."""
    if spread == 0:
        return np.maximum(over, 0.0)
    z = over / spread
    return np.asarray(over * norm.cdf(z) + spread * norm.pdf(z), dtype=np.float64)


def _beside(values: Floats, latent: Floats) -> Floats:
    """Lay pupils' values out so that they meet every wave and arm of `latent`."""
    return values.reshape(len(values), *([1] * (latent.ndim - 1)))

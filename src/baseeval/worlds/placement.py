"""Who is placed in which arm, how likely each arm was, and which arm the records give.

Placement has two levels: the school hosts or does not; in a host, a pupil takes a place in
the base with a chance that follows what the tables show, and latent severity only where the
recipe's `hidden` is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.schools import Schools
from baseeval.worlds.streams import Streams

ARMS = ("base", "host_mainstream", "non_host")

Whole = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Arms of the eligible pupils.

    Attributes
    ----------
    arm : ndarray of int, shape (pupils,)
        A position in ``ARMS``.
    probability : ndarray, shape (pupils, 3)
        Chance of each arm, over the draws of hosts, of the family's choice and of the place;
        rows sum to 1.
    chance : ndarray, shape (pupils,)
        Of a place in the base, were the school to host one.
    recorded : ndarray of int, shape (pupils,)
        The arm that the records give.
    """

    arm: Whole
    probability: Floats
    chance: Floats
    recorded: Whole


def place(recipe: WorldRecipe, schools: Schools, pupils: Pupils, streams: Streams) -> Placed:
    """Place the eligible pupils.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    pupils : Pupils
        Eligible pupils only.
    streams : Streams

    Returns
    -------
    Placed
    """
    chance = _chance(recipe, pupils)
    host = _chance_of_host(recipe, schools, pupils)
    probability = np.column_stack([host * chance, host * (1 - chance), 1 - host])
    takes = streams("placement").random(len(chance)) < chance
    arm = np.where(schools.hosts[pupils.school], np.where(takes, 0, 1), 2)
    return Placed(arm, probability, chance, _recorded(recipe, schools, pupils, arm, streams))


def _chance(recipe: WorldRecipe, pupils: Pupils) -> Floats:
    weight = recipe.placement
    by_need = np.array([0.0, weight.adhd, weight.language, weight.learning])
    score = (pupils.prior - recipe.prior.mean) / recipe.prior.sd
    chance = expit(
        weight.intercept
        + weight.prior * score
        + weight.ehcp * pupils.ehcp
        + by_need[pupils.need]
        + weight.hidden * pupils.severity
        + weight.distance * pupils.journey
        + weight.named * pupils.named
        + weight.push * pupils.push
    )
    return np.asarray(np.clip(chance, weight.least, 1 - weight.least), dtype=np.float64)


def _chance_of_host(recipe: WorldRecipe, schools: Schools, pupils: Pupils) -> Floats:
    """Give the chance to be at a host: the local school, or the other where the family moves."""
    here, there = schools.probability[pupils.local], schools.probability[pupils.other]
    if not recipe.choice.moves:
        return here
    elsewhere = pupils.other != pupils.local
    moves = recipe.choice.moves * (pupils.push & elsewhere)
    return np.asarray(here + (1 - here) * there * moves, dtype=np.float64)


def _recorded(
    recipe: WorldRecipe, schools: Schools, pupils: Pupils, arm: Whole, streams: Streams
) -> Whole:
    """Give the arm that the records show: flags are missed or false, hosts are on no register."""
    wrong = recipe.recording
    draw = streams("recording/flag").random(len(arm))
    flagged = np.where(arm == 0, draw >= wrong.flag_missed, draw < wrong.flag_false)
    beside = np.where(flagged, 0, 1)
    return np.where(schools.recognised[pupils.school], beside, 2)

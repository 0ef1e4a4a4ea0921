"""Who is placed in which arm, and how likely each arm was.

Placement has two levels: the school hosts or does not; in a host, a pupil takes a place in
the base with a chance that follows the prior score, EHCP and co-occurring need, all in the
tables. Latent severity has a part in it only where the recipe's `hidden` is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.schools import Schools
from baseeval.worlds.streams import stream

ARMS = ("base", "host_mainstream", "non_host")


@dataclass(frozen=True)
class Placed:
    """Arms of the eligible pupils.

    Attributes
    ----------
    arm : ndarray of int, shape (pupils,)
        A position in ``ARMS``.
    probability : ndarray, shape (pupils, 3)
        Chance of each arm given the pupil and the home school; rows sum to 1.
    """

    arm: NDArray[np.intp]
    probability: NDArray[np.float64]


def place(recipe: WorldRecipe, schools: Schools, pupils: Pupils, seed: int) -> Placed:
    """Place the eligible pupils.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    pupils : Pupils
        Eligible pupils only.
    seed : int

    Returns
    -------
    Placed
    """
    weight = recipe.placement
    by_need = np.array([0.0, weight.adhd, weight.language, weight.learning])
    score = (pupils.prior - recipe.prior.mean) / recipe.prior.sd
    base = expit(
        weight.intercept
        + weight.prior * score
        + weight.ehcp * pupils.ehcp
        + by_need[pupils.need]
        + weight.hidden * pupils.severity
    )
    host = schools.probability[pupils.school]
    probability = np.column_stack([host * base, host * (1 - base), 1 - host])
    takes = stream(seed, "placement").random(len(base)) < base
    arm = np.where(schools.hosts[pupils.school], np.where(takes, 0, 1), 2)
    return Placed(arm=arm, probability=probability)

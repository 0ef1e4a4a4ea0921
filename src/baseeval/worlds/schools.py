"""The schools of a world: quality, intake, who hosts, and how good each base is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.hosting import draw_hosts, host_probability
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.streams import stream

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schools:
    """Schools, one position each; every array has shape (schools,).

    Attributes
    ----------
    quality : ndarray
        Standard normal; no table shows it. It drives hosting and the school's effects.
    intake : ndarray
        Standard normal; higher is more disadvantaged. Tables show it through pupils' FSM.
    size : ndarray
        Relative number of eligible pupils, positive.
    hosts : ndarray of bool
        Whether the school hosts a base.
    probability : ndarray
        Probability of hosting, given quality, intake and the number of hosts.
    base_quality : ndarray
        Standard normal quality of the school's base; where it has none, the bases' mean.
    """

    quality: Floats
    intake: Floats
    size: Floats
    hosts: NDArray[np.bool_]
    probability: Floats
    base_quality: Floats


def draw_schools(recipe: WorldRecipe, seed: int) -> Schools:
    """Draw the schools of a world.

    Parameters
    ----------
    recipe : WorldRecipe
    seed : int

    Returns
    -------
    Schools
        In an order that carries no information on hosting.
    """
    count = recipe.schools.host + recipe.schools.non_host
    quality = stream(seed, "school/quality").standard_normal(count)
    intake = stream(seed, "school/intake").standard_normal(count)
    spread = recipe.schools.size_spread
    size = np.exp(spread * stream(seed, "school/size").standard_normal(count))
    logit = recipe.hosting.quality * quality + recipe.hosting.intake * intake
    hosts = draw_hosts(logit, recipe.schools.host, stream(seed, "school/hosting"))
    own = stream(seed, "school/base_quality").standard_normal(count)
    return Schools(
        quality=quality,
        intake=intake,
        size=size,
        hosts=hosts,
        probability=host_probability(logit, recipe.schools.host),
        base_quality=own_or_mean(own, hosts),
    )


def own_or_mean(value: Floats, hosts: NDArray[np.bool_]) -> Floats:
    """Give what a base brings to each school: its own at a host, the hosts' mean elsewhere.

    A school without a base has none of its own to speak of; were it to host, its base is
    taken to be the average of those that the world has.
    """
    return np.asarray(np.where(hosts, value, value[hosts].mean()), dtype=np.float64)


def places(size: Floats, pupils: int) -> NDArray[np.intp]:
    """Eligible pupils in each school: one at least, else in proportion to size.

    Parameters
    ----------
    size : ndarray, shape (schools,)
    pupils : int
        At least the number of schools.

    Returns
    -------
    ndarray of int, shape (schools,)
        Sums to `pupils`; what rounding leaves over goes to the largest remainders.
    """
    ideal = (pupils - len(size)) * size / size.sum()
    whole: NDArray[np.intp] = np.floor(ideal).astype(np.intp)
    over = pupils - len(size) - int(whole.sum())
    whole[np.argsort(whole - ideal, kind="stable")[:over]] += 1
    whole += 1
    return whole

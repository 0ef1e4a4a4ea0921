"""The schools of a world: quality, intake, who hosts, and how good each base is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from baseeval.worlds.hosting import draw_hosts, host_probability
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.streams import Streams

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
    parts : ndarray, shape (schools, 3)
        What it is made of: staff, therapy, integration; standard normal.
    primary : ndarray of bool
        Primary school; the others are secondary.
    recognised : ndarray of bool
        Whether the base of a host is on any register.
    """

    quality: Floats
    intake: Floats
    size: Floats
    hosts: NDArray[np.bool_]
    probability: Floats
    base_quality: Floats
    parts: Floats
    primary: NDArray[np.bool_]
    recognised: NDArray[np.bool_]


def draw_schools(recipe: WorldRecipe, streams: Streams) -> Schools:
    """Draw the schools of an area.

    Parameters
    ----------
    recipe : WorldRecipe
    streams : Streams

    Returns
    -------
    Schools
        In an order that carries no information on hosting.
    """
    count = recipe.schools.host + recipe.schools.non_host
    quality = streams("school/quality").standard_normal(count)
    intake = streams("school/intake").standard_normal(count)
    spread = recipe.schools.size_spread
    size = np.exp(spread * streams("school/size").standard_normal(count))
    primary = streams("school/primary").random(count) < recipe.schools.primary
    lean = recipe.hosting
    odds = lean.quality * quality + lean.intake * intake + lean.primary * primary
    odds = odds + recipe.areas.hosting_sd * streams("area/hosting").standard_normal()
    hosts, probability = _draw_hosting(recipe, odds, streams("school/hosting"))
    parts = np.column_stack(
        [
            streams(stage).standard_normal(count)
            for stage in ("school/base_quality", "school/base_therapy", "school/base_integration")
        ]
    )
    weights = np.array([recipe.quality.staff, recipe.quality.therapy, recipe.quality.integration])
    own = parts @ (weights / np.linalg.norm(weights)) if weights.any() else np.zeros(count)
    unknown = streams("school/recognised").random(count) < recipe.recording.unrecognised
    return Schools(
        quality=quality,
        intake=intake,
        size=size,
        hosts=hosts,
        probability=probability,
        base_quality=own_or_mean(own, hosts),
        parts=parts,
        primary=primary,
        recognised=hosts & ~unknown,
    )


def _draw_hosting(
    recipe: WorldRecipe, odds: Floats, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Floats]:
    """Draw who hosts, and give each school's exact chance of it."""
    hosts = recipe.schools.host
    if recipe.hosting.drawn == "fixed":
        return draw_hosts(odds, hosts, rng), host_probability(odds, hosts)
    probability = expit(logit(hosts / len(odds)) + odds)
    return rng.random(len(odds)) < probability, probability


def own_or_mean(value: Floats, hosts: NDArray[np.bool_]) -> Floats:
    """Give what a base brings to each school: its own at a host, the hosts' mean elsewhere.

    A school without a base has none of its own to speak of; were it to host, its base is
    taken to be the average of those that its area has, or an average one where it has none.
    """
    mean = value[hosts].mean() if hosts.any() else 0.0
    return np.asarray(np.where(hosts, value, mean), dtype=np.float64)


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

"""Potential outcomes: what each pupil's outcome would be under each arm.

Everything but the arm is common to a pupil's three outcomes: the school, the covariates, the
pupil's own level and each wave's noise. An individual effect is therefore free of noise. The
item and session draws are not made here: :mod:`baseeval.worlds.expecting` gives their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.circumstances import Circumstances
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import SUPPORTS, WAVES, Latent
from baseeval.worlds.schools import Schools, own_or_mean
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Responses:
    """One outcome of one kind of pupil, on the outcome's own (latent) scale.

    Attributes
    ----------
    untreated : ndarray, shape (pupils, waves)
        The outcome of a mainstream place in a school without a base.
    gain : ndarray, shape (pupils, waves, 3)
        What each arm at entry adds to it, whatever the pupil does later, in the order of
        ``ARMS``; zero for ``non_host``.
    sustained : ndarray, shape (pupils, waves, 3)
        What each arm would add if it were kept to the last wave.
    """

    untreated: Floats
    gain: Floats
    sustained: Floats

    def under(self, arm: NDArray[np.intp]) -> Floats:
        """Pick the outcome of the arm that each pupil is in, shape (pupils, waves)."""
        own = arm[:, None]
        base, host, none = (self.gain[:, :, at] for at in range(3))
        chosen = np.where(own == 0, base, np.where(own == 1, host, none))
        # Rows of the table follow: pupil by pupil.
        return np.ascontiguousarray(self.untreated + chosen)


def respond_all(
    recipe: WorldRecipe,
    schools: Schools,
    pupils: Pupils,
    around: Circumstances | None,
    streams: Streams,
) -> dict[str, Responses]:
    """Draw the potential outcomes of every outcome.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    pupils : Pupils
    around : Circumstances or None
        None for peers, who are in no arm: hosting adds nothing to their outcomes.
    streams : Streams

    Returns
    -------
    dict of str to Responses
        In the order of the world's outcomes.
    """
    drawn = {
        name: _respond(recipe, name, schools, pupils, around, streams) for name in recipe.outcomes()
    }
    for name in SUPPORTS:
        weight = getattr(recipe.belonging, name)
        if weight:
            drawn["belonging"] = _by_way_of(recipe, drawn, name, weight)
    return drawn


def _respond(
    recipe: WorldRecipe,
    name: str,
    schools: Schools,
    pupils: Pupils,
    around: Circumstances | None,
    streams: Streams,
) -> Responses:
    scale, count = recipe.outcome(name), len(pupils.school)
    kind = "peers" if around is None else "eligible"
    level = scale.pupil_sd * streams(f"{name}/{kind}/level").standard_normal(count)
    noise = streams(f"{name}/{kind}/noise").standard_normal((len(WAVES), count))
    fixed = _covariates(recipe, scale, pupils) + (scale.peer if around is None else 0.0)
    school = _school_effect(scale, name, schools, streams)[pupils.school]
    trend = scale.trend * np.arange(len(WAVES))
    # In memory pupils lie next to each other, here and in what follows: sums over them are quick.
    total = (fixed + school + level) + trend[:, None] + scale.wave_sd * noise
    untreated = (scale.centre + scale.sd * total).T
    if around is None:
        none = np.zeros((count, len(WAVES), 3))
        return Responses(untreated, none, none)
    kept = _kept(recipe, scale, name, schools, pupils, around, streams)
    return Responses(untreated, _as_moved(recipe, kept, around), kept)


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


def _school_effect(scale: Latent, name: str, schools: Schools, streams: Streams) -> Floats:
    """Draw the school's own effect, part of which is the quality that also drives hosting."""
    own = streams(f"{name}/school").standard_normal(len(schools.quality))
    share = scale.school_quality
    mixed = share * schools.quality + np.sqrt(1 - share**2) * own
    return np.asarray(scale.school_sd * mixed, dtype=np.float64)


def _kept(
    recipe: WorldRecipe,
    scale: Latent,
    name: str,
    schools: Schools,
    pupils: Pupils,
    around: Circumstances,
    streams: Streams,
) -> Floats:
    """Draw what each arm adds if it is kept, shape (pupils, waves, 3)."""
    effect, home = scale.effect, pupils.school
    draws = streams(f"{name}/school_by_arm").standard_normal((2, len(schools.hosts)))
    base_shock, host_shock = (
        effect.school_by_arm * own_or_mean(draw, schools.hosts)[home] for draw in draws
    )
    score = (pupils.prior - recipe.prior.mean) / recipe.prior.sd
    quality = effect.base * effect.base_quality_spread * schools.base_quality[home]
    base = effect.base + quality + effect.base_by_prior * score + base_shock
    host = effect.host + effect.crowding * around.crowding[home] + host_shock
    added = np.zeros((3, len(WAVES), len(home))).T
    added[:, :, 0] = base[:, None]
    if effect.dose:
        added[:, :, 0] += effect.base * effect.dose * (around.dose - np.array(recipe.dose.mean))
    added[:, :, 1] = host[:, None]
    added *= scale.sd * np.array(recipe.growth)[:, None]
    return added


def _as_moved(recipe: WorldRecipe, kept: Floats, around: Circumstances) -> Floats:
    """Let those who would move before the last wave have what that leaves them."""
    moves = recipe.movers
    if not (moves.leave or moves.enter):
        return kept
    gain = kept.copy()
    base, host = kept[:, -1, 0], kept[:, -1, 1]
    gain[:, -1, 0] = np.where(around.leaves, host + moves.kept * (base - host), base)
    gain[:, -1, 1] = np.where(around.enters, host + moves.late * (base - host), host)
    return gain


def _by_way_of(
    recipe: WorldRecipe, drawn: dict[str, Responses], name: str, weight: float
) -> Responses:
    """Let a support count for belonging, in each arm as much of it as there is there."""
    own, via = drawn["belonging"], drawn[name]
    scale = recipe.outcome(name)
    unit = weight * recipe.belonging.sd / scale.sd
    return Responses(
        own.untreated + unit * (via.untreated - scale.centre),
        own.gain + unit * via.gain,
        own.sustained + unit * via.sustained,
    )

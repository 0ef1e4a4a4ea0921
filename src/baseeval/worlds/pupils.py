"""The pupils of an area, as they stand at entry: before anyone is placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from baseeval.worlds.chances import moved_rate
from baseeval.worlds.recipe import Profile, WorldRecipe
from baseeval.worlds.scales import NEEDS
from baseeval.worlds.schools import Schools, places
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Pupils:
    """Pupils of one kind, one position each; every array has shape (pupils,).

    Attributes
    ----------
    school : ndarray of int
        Position of the home school.
    year : ndarray of int
        Year group at entry, 7 to 9 (ages 11 to 14).
    female, fsm, ehcp : ndarray of bool
    need : ndarray of int
        Co-occurring need, a position in ``NEEDS``; 0 is none.
    severity : ndarray
        Standard normal and latent: no table shows it. Zero for peers.
    prior : ndarray
        Entry score in whole scaled points, before any goes missing.
    local, other : ndarray of int
        Positions of the school nearby and of the one other that the family knows.
    push : ndarray of bool
        Whether the family looks for a school with a base.
    journey : ndarray
        Log of the journey to the base, standardised.
    named : ndarray of bool
        Whether an EHC plan names a base.
    """

    school: Whole
    year: Whole
    female: Flags
    fsm: Flags
    ehcp: Flags
    need: Whole
    severity: Floats
    prior: Floats
    local: Whole
    other: Whole
    push: Flags
    journey: Floats
    named: Flags


def draw_eligible(recipe: WorldRecipe, schools: Schools, count: int, streams: Streams) -> Pupils:
    """Draw the eligible (autistic) pupils.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    count : int
        Number of eligible pupils in all schools together.
    streams : Streams

    Returns
    -------
    Pupils
    """
    rates = recipe.eligible
    local = np.repeat(np.arange(len(schools.size)), places(schools.size, count))
    severity = streams("eligible/severity").standard_normal(count)
    female = streams("eligible/female").random(count) < rates.female
    year = np.where(
        schools.primary[local],
        streams("eligible/primary_year").integers(1, 5, count),
        streams("eligible/year").integers(7, 10, count),
    )
    share = np.array([rates.adhd, rates.language, rates.learning])
    with np.errstate(divide="ignore"):  # a rate of 0 is a need that nobody has
        base = np.log(np.concatenate([[1 - share.sum()], share]))
    lean = rates.need_severity * np.array([0.0, 1.0, 1.0, 1.0])
    chance = softmax(base + lean * severity[:, None], axis=1)
    draw = streams("eligible/need").random(count)
    need = np.minimum((draw[:, None] > chance.cumsum(axis=1)).sum(axis=1), len(NEEDS) - 1)
    ehcp_chance = moved_rate(rates.ehcp, rates.ehcp_severity * severity)
    ehcp = streams("eligible/ehcp").random(count) < ehcp_chance
    fsm, prior = _entry(recipe, schools, "eligible", streams, local, need, severity)
    naming = moved_rate(recipe.placement.naming, recipe.placement.naming_severity * severity)
    push, other, school = _choose(recipe, schools, local, fsm, streams)
    return Pupils(
        school=school,
        year=year,
        female=female,
        fsm=fsm,
        ehcp=ehcp,
        need=need,
        severity=severity,
        prior=prior,
        local=local,
        other=other,
        push=push,
        journey=streams("eligible/journey").standard_normal(count),
        named=ehcp & (streams("eligible/named").random(count) < naming),
    )


def _choose(
    recipe: WorldRecipe, schools: Schools, local: Whole, fsm: Flags, streams: Streams
) -> tuple[Flags, Whole, Whole]:
    """Let families who look for a base move to the other school that they know, if it has one."""
    count, total = len(local), len(schools.hosts)
    # Of the same phase: the schools of a phase follow one another in `ranked`.
    ranked = np.argsort(schools.primary, kind="stable")
    first = np.where(schools.primary, total - schools.primary.sum(), 0)[local]
    size = np.where(schools.primary, schools.primary.sum(), (~schools.primary).sum())[local]
    place = np.argsort(ranked, kind="stable")[local] - first
    step = 1 + streams("choice/other").random(count) * np.maximum(size - 1, 0)
    other = ranked[first + (place + np.minimum(step.astype(np.intp), size - 1)) % size]
    push_chance = moved_rate(recipe.choice.push, recipe.choice.push_fsm * fsm)
    push = streams("choice/push").random(count) < push_chance
    willing = streams("choice/moves").random(count) < recipe.choice.moves
    moves = push & willing & ~schools.hosts[local] & schools.hosts[other]
    return push, other, np.where(moves, other, local)


def draw_peers(recipe: WorldRecipe, schools: Schools, eligible: Pupils, streams: Streams) -> Pupils:
    """Draw one peer for each eligible pupil, in the same school and the same order.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    eligible : Pupils
    streams : Streams

    Returns
    -------
    Pupils
        Position i is the peer of eligible pupil i; of the same year and sex where the match
        could be made, at the recipe's rate.
    """
    rates, count = recipe.peers, len(eligible.school)
    close = streams("peers/match").random(count) < rates.same_year_and_sex
    sex = streams("peers/female").random(count) < rates.female
    any_year = streams("peers/year").integers(7, 10, count)
    young = streams("peers/primary_year").integers(1, 5, count)
    need, severity = np.zeros(count, dtype=np.intp), np.zeros(count)
    fsm, prior = _entry(recipe, schools, "peers", streams, eligible.school, need, severity)
    return Pupils(
        school=eligible.school,
        year=np.where(close, eligible.year, np.where(eligible.year < 7, young, any_year)),
        female=np.where(close, eligible.female, sex),
        fsm=fsm,
        ehcp=streams("peers/ehcp").random(count) < rates.ehcp,
        need=need,
        severity=severity,
        prior=prior,
        local=eligible.local,
        other=eligible.other,
        push=np.zeros(count, dtype=np.bool_),
        journey=np.zeros(count),
        named=np.zeros(count, dtype=np.bool_),
    )


def _entry(
    recipe: WorldRecipe,
    schools: Schools,
    kind: str,
    streams: Streams,
    school: Whole,
    need: Whole,
    severity: Floats,
) -> tuple[Flags, Floats]:
    """Disadvantage, which follows the school's intake, and the entry score."""
    rates: Profile = recipe.eligible if kind == "eligible" else recipe.peers
    scale, intake, count = recipe.prior, schools.intake[school], len(school)
    fsm_chance = moved_rate(rates.fsm, rates.fsm_intake * intake)
    fsm = streams(f"{kind}/fsm").random(count) < fsm_chance
    shift = (
        scale.fsm * fsm
        + scale.learning * (need == NEEDS.index("learning"))
        + scale.severity * severity
        + scale.intake * intake
    )
    noise = streams(f"{kind}/prior").standard_normal(count)
    prior = np.round(rates.prior_mean + scale.sd * (shift + scale.noise_sd * noise))
    # Scaled scores have ends; placement and outcomes follow the score as it is written.
    return fsm, np.clip(prior, scale.mean - 3 * scale.sd, scale.mean + 3 * scale.sd)

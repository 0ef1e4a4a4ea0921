"""The pupils of a world, as they stand at entry: before anyone is placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax

from baseeval.worlds.recipe import Profile, WorldRecipe
from baseeval.worlds.scales import NEEDS
from baseeval.worlds.schools import Schools, places
from baseeval.worlds.streams import stream

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
    """

    school: Whole
    year: Whole
    female: Flags
    fsm: Flags
    ehcp: Flags
    need: Whole
    severity: Floats
    prior: Floats


def draw_eligible(recipe: WorldRecipe, schools: Schools, count: int, seed: int) -> Pupils:
    """Draw the eligible (autistic) pupils.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    count : int
        Number of eligible pupils in all schools together.
    seed : int

    Returns
    -------
    Pupils
    """
    rates = recipe.eligible
    school = np.repeat(np.arange(len(schools.size)), places(schools.size, count))
    severity = stream(seed, "eligible/severity").standard_normal(count)
    female = stream(seed, "eligible/female").random(count) < rates.female
    year = stream(seed, "eligible/year").integers(7, 10, count)
    share = np.array([rates.adhd, rates.language, rates.learning])
    with np.errstate(divide="ignore"):  # a rate of 0 is a need that nobody has
        base = np.log(np.concatenate([[1 - share.sum()], share]))
    lean = rates.need_severity * np.array([0.0, 1.0, 1.0, 1.0])
    chance = softmax(base + lean * severity[:, None], axis=1)
    draw = stream(seed, "eligible/need").random(count)
    need = np.minimum((draw[:, None] > chance.cumsum(axis=1)).sum(axis=1), len(NEEDS) - 1)
    ehcp_chance = expit(logit(rates.ehcp) + rates.ehcp_severity * severity)
    ehcp = stream(seed, "eligible/ehcp").random(count) < ehcp_chance
    fsm, prior = _entry(recipe, schools, "eligible", seed, school, need, severity)
    return Pupils(school, year, female, fsm, ehcp, need, severity, prior)


def draw_peers(recipe: WorldRecipe, schools: Schools, eligible: Pupils, seed: int) -> Pupils:
    """Draw one peer for each eligible pupil, in the same school and the same order.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    eligible : Pupils
    seed : int

    Returns
    -------
    Pupils
        Position i is the peer of eligible pupil i; of the same year and sex where the match
        could be made, at the recipe's rate.
    """
    rates, count = recipe.peers, len(eligible.school)
    close = stream(seed, "peers/match").random(count) < rates.same_year_and_sex
    sex = stream(seed, "peers/female").random(count) < rates.female
    any_year = stream(seed, "peers/year").integers(7, 10, count)
    need, severity = np.zeros(count, dtype=np.intp), np.zeros(count)
    fsm, prior = _entry(recipe, schools, "peers", seed, eligible.school, need, severity)
    return Pupils(
        school=eligible.school,
        year=np.where(close, eligible.year, any_year),
        female=np.where(close, eligible.female, sex),
        fsm=fsm,
        ehcp=stream(seed, "peers/ehcp").random(count) < rates.ehcp,
        need=need,
        severity=severity,
        prior=prior,
    )


def _entry(
    recipe: WorldRecipe,
    schools: Schools,
    kind: str,
    seed: int,
    school: Whole,
    need: Whole,
    severity: Floats,
) -> tuple[Flags, Floats]:
    """Disadvantage, which follows the school's intake, and the entry score."""
    rates: Profile = recipe.eligible if kind == "eligible" else recipe.peers
    scale, intake, count = recipe.prior, schools.intake[school], len(school)
    fsm_chance = expit(logit(rates.fsm) + rates.fsm_intake * intake)
    fsm = stream(seed, f"{kind}/fsm").random(count) < fsm_chance
    shift = (
        scale.fsm * fsm
        + scale.learning * (need == NEEDS.index("learning"))
        + scale.severity * severity
        + scale.intake * intake
    )
    noise = stream(seed, f"{kind}/prior").standard_normal(count)
    prior = np.round(rates.prior_mean + scale.sd * (shift + scale.noise_sd * noise))
    # Scaled scores have ends; placement and outcomes follow the score as it is written.
    return fsm, np.clip(prior, scale.mean - 3 * scale.sd, scale.mean + 3 * scale.sd)

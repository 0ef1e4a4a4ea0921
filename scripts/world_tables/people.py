"""Measures of schools, pupils and their peers, as they stand at entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from world_tables.kinds import (
    NEEDS,
    Measure,
    log_odds,
    mean_of,
    rate_of,
    slope,
    spread_of,
)

from baseeval.worlds.areas import Area
from baseeval.worlds.recipe import WorldRecipe


def of_schools(recipe: WorldRecipe, area: Area) -> Iterator[Measure]:
    own, lean = area.schools, recipe.hosting
    yield from spread_of("school quality", 1.0, own.quality)
    yield from spread_of("school intake", 1.0, own.intake)
    yield from spread_of("schools.size_spread", recipe.schools.size_spread, np.log(own.size))
    yield from rate_of(
        "schools.primary", recipe.schools.primary, own.primary, recipe.schools.primary
    )
    resid, weight = own.hosts - own.probability, own.probability * (1 - own.probability)
    if lean.drawn == "independent":
        odds = lean.quality * own.quality + lean.intake * own.intake + lean.primary * own.primary
        least = logit(recipe.schools.host / len(own.hosts))
        shift = np.mean(logit(own.probability) - odds - least)
        yield from spread_of("areas.hosting_sd", recipe.areas.hosting_sd, [shift])
        share = recipe.schools.host / len(own.hosts)
        yield (
            "schools.host",
            "mean",
            recipe.schools.host,
            resid.sum(),
            weight.sum() / (share * (1 - share) * len(own.hosts)),
        )
    else:
        yield mean_of("schools.host", recipe.schools.host, own.hosts.sum() - recipe.schools.host)
    for key, x in (("quality", own.quality), ("intake", own.intake), ("primary", own.primary)):
        if getattr(lean, key):
            yield slope(f"hosting.{key}", getattr(lean, key), x, resid, weight)
    for at, part in enumerate(("staff", "therapy", "integration")):
        yield from spread_of(f"base {part}", 1.0, own.parts[:, at])
    if own.hosts.any():
        yield from spread_of("base quality", 1.0, own.base_quality[own.hosts])
        unknown = ~own.recognised[own.hosts]
        rate = recipe.recording.unrecognised
        yield from rate_of("recording.unrecognised", rate, unknown, rate)


def _fsm(key: str, rates: Any, fsm: Any, intake: Any) -> Iterator[Measure]:
    chance = expit(logit(rates.fsm) + rates.fsm_intake * intake)
    yield from rate_of(f"{key}.fsm", rates.fsm, fsm, chance)
    weight = chance * (1 - chance)
    yield slope(f"{key}.fsm_intake", rates.fsm_intake, intake, fsm - chance, weight)


def of_pupils(recipe: WorldRecipe, area: Area) -> Iterator[Measure]:
    rates, own, choice = recipe.eligible, area.eligible, recipe.choice
    intake, severity = area.schools.intake[own.local], own.severity
    yield from spread_of("severity", 1.0, severity)
    yield from spread_of("journey", 1.0, own.journey)
    yield from rate_of("eligible.female", rates.female, own.female, rates.female)
    young = area.schools.primary[own.local]
    if young.any():
        yield mean_of("year group, primary", 2.5, own.year[young] - 2.5)
    if not young.all():
        yield mean_of("year group, secondary", 8.0, own.year[~young] - 8.0)
    yield from _fsm("eligible", rates, own.fsm, intake)
    chance = expit(logit(rates.ehcp) + rates.ehcp_severity * severity)
    yield from rate_of("eligible.ehcp", rates.ehcp, own.ehcp, chance)
    weight = chance * (1 - chance)
    key = "eligible.ehcp_severity"
    yield slope(key, rates.ehcp_severity, severity, own.ehcp - chance, weight)
    share = np.array([1 - rates.adhd - rates.language - rates.learning, *_of(rates, NEEDS)])
    odds = share * np.exp(rates.need_severity * np.outer(severity, [0, 1, 1, 1]))
    likely = odds / odds.sum(axis=1, keepdims=True)
    for at, need in enumerate(NEEDS):
        resid = (own.need == at + 1) - likely[:, at + 1]
        yield mean_of(f"eligible.{need}", share[at + 1], resid, likely[:, at + 1] / share[at + 1])
    any_need = 1 - likely[:, 0]
    resid, weight = (own.need > 0) - any_need, any_need * (1 - any_need)
    yield slope("eligible.need_severity", rates.need_severity, severity, resid, weight)
    yield from _prior(recipe, area, "eligible", own.need == 3, severity)
    chance = expit(log_odds(choice.push) + choice.push_fsm * own.fsm)
    yield from rate_of("choice.push", choice.push, own.push, chance)
    if choice.push and choice.push_fsm:
        weight = chance * (1 - chance)
        yield slope("choice.push_fsm", choice.push_fsm, own.fsm, own.push - chance, weight)
    hosts = area.schools.hosts
    may = own.push & ~hosts[own.local] & hosts[own.other]
    moved = own.school[may] != own.local[may]
    yield from rate_of("choice.moves", choice.moves, moved, choice.moves)
    place = recipe.placement
    chance = expit(log_odds(place.naming) + place.naming_severity * severity)[own.ehcp]
    yield from rate_of("placement.naming", place.naming, own.named[own.ehcp], chance)
    if place.naming and place.naming_severity:
        resid, weight = own.named[own.ehcp] - chance, chance * (1 - chance)
        key = "placement.naming_severity"
        yield slope(key, place.naming_severity, severity[own.ehcp], resid, weight)


def _prior(
    recipe: WorldRecipe, area: Area, kind: str, learning: Any, severity: Any
) -> Iterator[Measure]:
    """The entry score: a normal, rounded to whole points, within three SD of the centre."""
    scale, pupils = recipe.prior, area.eligible if kind == "eligible" else area.peers
    assert pupils is not None
    intake = area.schools.intake[pupils.local if kind == "eligible" else pupils.school]
    centre = getattr(recipe, kind).prior_mean
    causes = {"fsm": pupils.fsm, "learning": learning, "severity": severity, "intake": intake}
    shift = sum(getattr(scale, name) * np.asarray(x, float) for name, x in causes.items())
    low, high = scale.mean - 3 * scale.sd, scale.mean + 3 * scale.sd
    steps = np.arange(np.floor(low) + 1, np.ceil(high) + 1)
    # E[y] and E[y^2] of a whole number from the chances that it reaches each step.
    first = np.full(len(shift), low)
    second = np.full(len(shift), low**2)
    for step in steps:
        reached = norm.sf((step - 0.5 - centre - scale.sd * shift) / (scale.sd * scale.noise_sd))
        before, after = max(step - 1, low), min(step, high)
        first += reached * (after - before)
        second += reached * (after**2 - before**2)
    resid = (pupils.prior - first) / scale.sd
    yield f"{kind}.prior_mean", "mean", centre, resid.sum() * scale.sd, float(len(resid))
    if kind == "eligible":
        for name, x in causes.items():
            if getattr(scale, name):
                yield slope(f"prior.{name}", getattr(scale, name), x, resid)
        spare = (pupils.prior - first) ** 2 - (second - first**2)
        yield "prior.noise_sd", "sd", scale.noise_sd, spare.sum() / scale.sd**2, float(len(spare))


def of_peers(recipe: WorldRecipe, area: Area) -> Iterator[Measure]:
    rates, peers, own = recipe.peers, area.peers, area.eligible
    if peers is None:
        return
    sex = np.where(own.female, rates.female, 1 - rates.female)
    luck = sex * np.where(own.year < 7, 1 / 4, 1 / 3)
    match = (peers.year == own.year) & (peers.female == own.female)
    close = rates.same_year_and_sex
    resid = match - close - (1 - close) * luck
    yield mean_of("peers.same_year_and_sex", close, resid, 1 - luck)
    resid = peers.female - close * own.female - (1 - close) * rates.female
    yield mean_of("peers.female", rates.female, resid, 1 - close)
    yield from _fsm("peers", rates, peers.fsm, area.schools.intake[peers.school])
    yield from rate_of("peers.ehcp", rates.ehcp, peers.ehcp, rates.ehcp)
    yield from _prior(recipe, area, "peers", 0.0 * peers.prior, peers.severity)


def _of(part: Any, names: tuple[str, ...]) -> list[float]:
    return [getattr(part, name) for name in names]

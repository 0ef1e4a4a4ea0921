"""Measures of potential outcomes: covariates, variances, effects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from world_tables.kinds import (
    NEEDS,
    Measure,
    mean_of,
    slope,
    spread_from,
    spread_of,
)

from baseeval.worlds.areas import Area
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import SUPPORTS


def of_scale(recipe: WorldRecipe, area: Area, name: str) -> Iterator[Measure]:
    """The outcome without a base: covariates, then school, pupil and wave variances."""
    scale, own = recipe.outcome(name), area.eligible
    y = (area.responses[name].untreated - scale.centre) / scale.sd
    if name == "belonging":
        for via in SUPPORTS:
            weight = getattr(recipe.belonging, via)
            if weight:
                other = recipe.outcome(via)
                y = y - weight * (area.responses[via].untreated - other.centre) / other.sd
    causes: dict[str, Any] = {
        "female": own.female,
        "fsm": own.fsm,
        "ehcp": own.ehcp,
        **{need: own.need == at + 1 for at, need in enumerate(NEEDS)},
        "prior": (own.prior - recipe.prior.mean) / recipe.prior.sd,
        "severity": own.severity,
    }
    fixed = sum(getattr(scale, key) * np.asarray(x, float) for key, x in causes.items())
    resid = y - np.asarray(fixed)[:, None] - scale.trend * np.arange(3)
    mean = resid.mean(axis=1)
    yield f"{name}.centre", "mean", scale.centre, mean.sum() * scale.sd, float(len(mean))
    steps = np.arange(3) - 1.0
    yield slope(f"{name}.trend", scale.trend, np.broadcast_to(steps, resid.shape), resid)
    for key, x in causes.items():
        if getattr(scale, key):
            yield slope(f"{name}.{key}", getattr(scale, key), x, mean)
    count = len(mean)
    within = (resid[:, :2] - resid[:, 1:]) ** 2 / 2
    yield from spread_from(f"{name}.wave_sd", scale.wave_sd, within.sum(), within.size)
    sums = np.bincount(own.school, mean)
    sizes, squares = np.bincount(own.school), np.bincount(own.school, mean**2)
    several = sizes > 1
    pairs = sizes[several] * (sizes[several] - 1.0)
    school = (sums[several] ** 2 - squares[several]) / pairs
    yield from spread_from(f"{name}.school_sd", scale.school_sd, school.sum(), several.sum())
    between = resid[:, 0] * resid[:, 1]
    total = scale.pupil_sd, scale.school_sd
    wide = float(np.hypot(*total))
    yield from spread_from(f"{name}.pupil_sd (with the school's)", wide, between.sum(), count)
    if scale.school_sd and scale.school_quality:
        there = sizes > 0
        quality = area.schools.quality[: len(sizes)][there]
        apart = sums[there] / sizes[there] - scale.school_sd * scale.school_quality * quality
        key, norm_by = f"{name}.school_quality", scale.school_sd
        yield (
            key,
            "mean",
            scale.school_quality,
            (quality * apart).sum() / norm_by,
            (quality**2).sum(),
        )


def of_effects(recipe: WorldRecipe, area: Area, name: str) -> Iterator[Measure]:
    """What each arm adds at the last wave: exact but for a school's own effect of its arms."""
    scale, own, around = recipe.outcome(name), area.eligible, area.around
    effect, last = scale.effect, area.responses[name].sustained[:, -1] / scale.sd
    if name == "belonging":
        for via in SUPPORTS:
            if getattr(recipe.belonging, via):
                unit = getattr(recipe.belonging, via) / recipe.outcome(via).sd
                last = last - unit * area.responses[via].sustained[:, -1]
    z = (own.prior - recipe.prior.mean) / recipe.prior.sd
    quality, crowding = area.schools.base_quality[own.school], around.crowding[own.school]
    dose = around.dose[:, -1] - recipe.dose.mean[-1]
    spread = effect.base * effect.base_quality_spread
    known = effect.base + spread * quality + effect.base_by_prior * z
    apart = last[:, 0] - known - effect.base * effect.dose * dose
    beside = last[:, 1] - effect.host - effect.crowding * crowding
    home = np.unique(own.school, return_index=True)[1]
    home = home[area.schools.hosts[own.school[home]]]
    if len(home) == 0:
        home = np.array([0])
    yield mean_of(f"{name}.effect.base", effect.base, apart[home])
    yield mean_of(f"{name}.effect.host", effect.host, beside[home])
    if spread:
        x = effect.base * quality[home]
        key = f"{name}.effect.base_quality_spread"
        yield slope(key, effect.base_quality_spread, x, apart[home])
    for key, x, resid in (
        ("base_by_prior", z, apart),
        ("dose", effect.base * dose, apart),
        ("crowding", crowding, beside),
    ):
        if getattr(effect, key):
            yield slope(f"{name}.effect.{key}", getattr(effect, key), x, resid)
    shocks = np.concatenate([apart[home], beside[home]])
    yield from spread_of(f"{name}.effect.school_by_arm", effect.school_by_arm, shocks)
    early = area.responses[name].sustained[:, 1, 0].sum() / scale.sd
    if name != "belonging" and early and not effect.dose:
        late = area.responses[name].sustained[:, 2, 0].sum() / scale.sd
        growth = recipe.growth
        yield (
            f"growth, wave 2, {name}",
            "mean",
            growth[1],
            early - growth[1] * late / growth[2],
            late,
        )

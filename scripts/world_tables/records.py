"""Measures of what is written, given each outcome's own scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit
from world_tables.kinds import (
    Measure,
    mean_of,
    slope,
    spread_from,
)

from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS, SUPPORTS

SUBSCALES = ("emotional", "conduct", "hyperactivity", "peer_problems")


def of_records(recipe: WorldRecipe, area: Area, recorded: Recorded) -> Iterator[Measure]:
    """What is written, given the outcome's own scale."""
    count, columns, arm = len(area.eligible.school), recorded.columns, area.placed.arm
    latent = {name: own.under(arm) for name, own in area.responses.items()}
    got = {name: values[:count] for name, values in columns.items()}
    yield from _reports(recipe, area, latent["attainment"], got["attainment"])
    yield from _sessions(recipe, area, latent["attendance"], got)
    yield from _answers(recipe, area, latent["belonging"], got)
    if recipe.difficulties is not None:
        for name, shift in zip(SUBSCALES, recipe.difficulties.subscales, strict=True):
            mean = 10 * expit(latent["difficulties"] + shift)
            yield written(f"difficulties.subscales, {name}", got[name], mean)
    if recipe.suspensions is not None:
        mean, y = np.exp(latent["suspensions"]), got["suspensions"]
        yield written("suspensions a year", y, mean)
        spread, seen = recipe.suspensions.clustering, ~np.isnan(y)
        if spread:
            extra = ((y - mean) ** 2 - mean - spread * mean**2)[seen]
            yield mean_of("suspensions.clustering", spread, extra, (mean**2)[seen])
    for name in SUPPORTS:
        if name in latent:
            yield written(f"{name}, mean score", got[name], 1 + 4 * expit(latent[name]))


def written(key: str, y: Any, mean: Any) -> Measure:
    """A recorded mean; stated is the mean of what is expected, which differs from draw to draw."""
    seen = ~np.isnan(y)
    return key, "given", float(mean[seen].mean()), float((y - mean)[seen].sum()), float(seen.sum())


def _reports(recipe: WorldRecipe, area: Area, latent: Any, y: Any) -> Iterator[Measure]:
    scale = recipe.attainment
    noise = scale.sd * scale.report_noise
    room = 6 * noise + abs(scale.report_bias * scale.sd) + 1
    inside = ~np.isnan(y)
    # Near the ends of the scale a report is cut off: away from them it is plain.
    inside &= latent < (np.inf if scale.ceiling is None else scale.ceiling - room)
    inside &= latent > (-np.inf if scale.floor is None else scale.floor + room)
    arms = np.repeat((area.placed.arm == 0)[:, None], 3, axis=1)
    arms[area.around.leaves, -1] = False
    arms[(area.placed.arm == 1) & area.around.enters, -1] = True
    resid = (y - latent - scale.report_bias * scale.sd * arms)[inside]
    yield mean_of("attainment, recorded less true", 0.0, resid)
    if scale.report_bias:
        yield slope("attainment.report_bias", scale.report_bias, arms[inside] * scale.sd, resid)
    if noise:
        rounding = 0.1**2 / 12
        total = float((resid**2 - rounding).sum()) / scale.sd**2
        yield from spread_from("attainment.report_noise", scale.report_noise, total, resid.size)


def _sessions(recipe: WorldRecipe, area: Area, latent: Any, got: Any) -> Iterator[Measure]:
    scale = recipe.attendance
    kept = np.where(area.traits.part_time, 1 - scale.part_time_missed, 1.0)[:, None]
    chance, n, y = expit(latent) * kept, got["possible"], got["present"]
    seen = ~np.isnan(y)
    p, n, y = chance[seen], n[seen], y[seen]
    # One share of sessions, whatever is expected of each pupil.
    stated = float((n * p).sum() / n.sum())
    yield "attendance, share of sessions", "given", stated, float((y - n * p).sum()), float(n.sum())
    rho = scale.overdispersion
    extra = (y - n * p) ** 2 - n * p * (1 - p) * (1 + (n - 1) * rho)
    yield mean_of("attendance.overdispersion", rho, extra, n * (n - 1) * p * (1 - p))
    schools = np.unique(area.eligible.school)
    for at in range(3):
        own = got["possible"][:, at]
        heard = ~np.isnan(own)
        found = {int(s): v for s, v in zip(area.eligible.school[heard], own[heard], strict=True)}
        values = np.array([found[int(s)] for s in schools if int(s) in found])
        stated = float(scale.possible[at])
        yield mean_of(f"attendance.possible, wave {at + 1}", stated, values - stated)
        if at == 0:
            # Days are whole: rounding two sessions at a time adds a third to the variance.
            total = ((values - stated) ** 2 - 1 / 3).sum()
            yield from spread_from("attendance.possible_sd", scale.possible_sd, total, values.size)


def _answers(recipe: WorldRecipe, area: Area, latent: Any, got: Any) -> Iterator[Measure]:
    scale = recipe.belonging
    for item in range(ITEMS):
        turned = item + 1 in scale.reverse
        lean = area.traits.turned - area.traits.agrees if turned else area.traits.agrees
        y = got[f"b{item + 1:02d}"]
        y = 6 - y if turned else y
        seen = ~np.isnan(y)
        place = (latent + lean[:, None])[seen]
        steep = scale.discrimination[item]
        apart = place[:, None] - scale.location[item] - np.array(scale.steps)
        chance = expit(steep * apart)
        resid = (y[seen][:, None] > np.arange(1, 5)) - chance
        weight = chance * (1 - chance)
        at = f"item {item + 1}"
        yield mean_of(
            f"belonging.location, {at}",
            scale.location[item],
            -resid.sum(axis=1),
            steep * weight.sum(axis=1),
        )
        yield slope(f"belonging.discrimination, {at}", steep, apart, resid, weight)
        if item == 0:
            for step in range(4):
                yield mean_of(
                    f"belonging.steps, {step + 1}",
                    scale.steps[step],
                    -resid[:, step],
                    steep * weight[:, step],
                )

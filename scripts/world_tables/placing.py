"""Measures of who is placed where, and what becomes of a place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, logit
from world_tables.kinds import (
    NEEDS,
    Measure,
    rate_of,
    slope,
    spread_of,
    with_severity,
)

from baseeval.worlds.areas import Area
from baseeval.worlds.recipe import WorldRecipe


def of_placement(recipe: WorldRecipe, area: Area) -> Iterator[Measure]:
    place, own, arm = recipe.placement, area.eligible, area.placed.arm
    z = (own.prior - recipe.prior.mean) / recipe.prior.sd
    causes: dict[str, Any] = {
        "intercept": np.ones(len(z)),
        "prior": z,
        "ehcp": own.ehcp,
        **{need: own.need == at + 1 for at, need in enumerate(NEEDS)},
        "hidden": own.severity,
        "distance": own.journey,
        "named": own.named,
        "push": own.push,
    }
    odds = sum(getattr(place, name) * np.asarray(x, float) for name, x in causes.items())
    chance = np.clip(expit(odds), place.least, 1 - place.least)
    here = arm != 2
    resid, weight = ((arm == 0) - chance)[here], (chance * (1 - chance))[here]
    for name, x in causes.items():
        if getattr(place, name):
            x = np.asarray(x, float)[here]
            yield slope(f"placement.{name}", getattr(place, name), x, resid, weight)
    known = area.schools.recognised[own.school]
    wrong, recorded = recipe.recording, area.placed.recorded
    missed = recorded[known & (arm == 0)] == 1
    yield from rate_of("recording.flag_missed", wrong.flag_missed, missed, wrong.flag_missed)
    false = recorded[known & (arm == 1)] == 0
    yield from rate_of("recording.flag_false", wrong.flag_false, false, wrong.flag_false)


def of_circumstances(recipe: WorldRecipe, area: Area) -> Iterator[Measure]:
    around, moves, traits = area.around, recipe.movers, area.traits
    severity = area.eligible.severity
    apart = logit(around.dose) - logit(np.array(recipe.dose.mean))
    yield from spread_of("dose.spread", recipe.dose.spread, apart[:, 0])
    for at, mean in enumerate(recipe.dose.mean):
        # The mean of the logit is that of the stated share: on the scale of a rate.
        yield f"dose.mean, wave {at + 1}", "rate", mean, apart[:, at].sum(), float(len(apart))
    yield from with_severity(
        "movers.leave", moves.leave, moves.leave_severity, around.leaves, severity
    )
    yield from rate_of("movers.enter", moves.enter, around.enters, moves.enter)
    part = recipe.attendance
    args = (part.part_time, part.part_time_severity, traits.part_time, severity)
    yield from with_severity("attendance.part_time", *args)
    yield from spread_of("belonging.acquiescence", recipe.belonging.acquiescence, traits.agrees)
    yield from spread_of("belonging.method", recipe.belonging.method, traits.turned)

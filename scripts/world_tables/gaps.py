"""Measures of what goes missing, comes late or stands there twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, logit
from world_tables.kinds import (
    Measure,
    rate_of,
    slope,
)

from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS


def of_missing(recipe: WorldRecipe, area: Area, recorded: Recorded) -> Iterator[Measure]:
    rates, everyone, columns = recipe.missing, recorded.everyone, recorded.columns
    count, total = len(area.eligible.school), len(everyone.fsm)
    odds = (rates.fsm * everyone.fsm + rates.ehcp * everyone.ehcp)[:, None]
    in_base = np.zeros((total, 3), dtype=bool)
    in_base[:count] = (area.placed.arm == 0)[:, None]
    in_base[:count][area.around.leaves, -1] = False
    in_base[:count][(area.placed.arm == 1) & area.around.enters, -1] = True
    stays, severity = recorded.stays, everyone.severity[:, None]
    survey = np.all([np.isnan(columns[f"b{at + 1:02d}"]) for at in range(ITEMS)], axis=0)
    item = np.isnan(columns["b01"])
    prior = np.isnan(columns["prior"][:, :1])
    tested = np.array([not prior[everyone.year == year].all() for year in everyone.year])
    low = {}
    for name in ("attainment", "attendance", "belonging"):
        scale = recipe.outcome(name)
        # Only the eligible pupils' own scale is kept: what follows it is measured on them.
        y = area.responses[name].under(area.placed.arm)
        low[name] = (scale.centre - y) / scale.sd
    pupils = slice(0, count if rates.own_value else total)
    more = {
        name: rates.own_value * values if rates.own_value else 0.0 for name, values in low.items()
    }
    asked = rates.survey_base * in_base[pupils] if rates.survey_base else 0.0
    # Once gone, always gone: only those still there can leave.
    risk = np.ones((total, 2), dtype=bool)
    risk[:, 1] = stays[:, 1]
    parts: list[tuple[str, Any, Any, Any]] = [
        (
            "attrition",
            ~stays[:, 1:],
            np.broadcast_to(odds + rates.attrition_severity * severity, (total, 2)),
            risk,
        ),
        ("prior", prior, odds, tested[:, None]),
        (
            "attainment",
            np.isnan(columns["attainment"])[pupils],
            odds[pupils] + more["attainment"],
            True,
        ),
        (
            "attendance",
            np.isnan(columns["present"])[pupils],
            odds[pupils] + more["attendance"],
            True,
        ),
        ("survey", survey[pupils], odds[pupils] + asked + more["belonging"], True),
        ("item", item[pupils], odds[pupils] + asked, ~survey[pupils]),
    ]
    shared: dict[str, list[tuple[float, float]]] = {"fsm": [], "ehcp": []}
    for name, gone, shift, among in parts:
        rate = getattr(rates, name)
        if not 0 < rate < 1:
            continue
        among = np.broadcast_to(among, gone.shape)
        chance = np.broadcast_to(expit(logit(rate) + shift), gone.shape)
        yield from rate_of(f"missing.{name}", rate, gone[among], chance[among])
        resid, weight = (gone - chance) * among, chance * (1 - chance) * among
        rows = len(gone)
        for cause in shared:
            x = getattr(everyone, cause)[:rows, None]
            shared[cause].append((float((x * resid).sum()), float((x * weight).sum())))
        if name == "attrition" and rates.attrition_severity:
            x = np.broadcast_to(severity, gone.shape)
            yield slope("missing.attrition_severity", rates.attrition_severity, x, resid, weight)
        if name == "survey" and rates.survey_base:
            x = in_base[pupils]
            yield slope("missing.survey_base", rates.survey_base, x, resid, weight)
        if name in low and rates.own_value:
            key = f"missing.own_value, {name}"
            yield slope(key, rates.own_value, low[name], resid, weight)
    for cause, sums in shared.items():
        if sums and getattr(rates, cause):
            num, den = np.sum(sums, axis=0)
            yield f"missing.{cause}", "mean", getattr(rates, cause), float(num), float(den)
    wrong = recipe.disorder
    yield from rate_of("disorder.late_entry", wrong.late_entry, ~stays[:, 0], wrong.late_entry)
    yield from rate_of("disorder.twice", wrong.twice, recorded.twice, wrong.twice)

"""Truths that only schools give away: what their pupils are like, and what nobody measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

import baseeval
from baseeval.results import Weights

EFFECT = 0.3


def difference(table: pd.DataFrame, treated: str, made: Weights) -> float:
    first = table[treated].to_numpy() == 1
    y = table["y"].to_numpy()
    means = [np.average(y[arm], weights=made.weights[arm]) for arm in (first, ~first)]
    return float(means[0] - means[1])


def schools_that_differ(seed: int, schools: int = 120) -> pd.DataFrame:
    """Schools with able pupils host more often, and able schoolmates help: a context effect."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 0.5, schools)
    hosts = rng.random(schools) < 1 / (1 + np.exp(1.2 - level))
    school = np.repeat(np.arange(schools), rng.integers(6, 20, schools))
    prior = level[school] + rng.normal(size=len(school))
    context = (np.bincount(school, prior) / np.bincount(school))[school]
    y = prior + 0.8 * context + EFFECT * hosts[school] + rng.normal(0, 0.5, len(school))
    return pd.DataFrame(
        {"school": school.astype(str), "hosts": hosts[school].astype(int), "prior": prior, "y": y}
    )


def test_schools_first_takes_most_of_a_context_effect_away() -> None:
    errors: dict[str, list[float]] = {"nearest": [], "schools": []}
    for seed in range(10):
        table = schools_that_differ(seed)
        for method, found in errors.items():
            made = baseeval.match(
                table, treated="hosts", covariates=["prior"], school="school", method=method
            )
            found.append(difference(table, "hosts", made) - EFFECT)
    bias = {method: abs(float(np.mean(found))) for method, found in errors.items()}
    assert bias["nearest"] > 0.1
    assert bias["schools"] < 0.5 * bias["nearest"]


def test_the_own_school_first_takes_most_of_what_nobody_measured_away() -> None:
    """A school's own effect, higher where more pupils are placed."""
    errors: dict[str, list[float]] = {"": [], "school": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        school = np.repeat(np.arange(30), 40)
        unseen = rng.normal(0, 0.6, 30)[school]
        prior = rng.normal(size=len(school))
        base = rng.random(len(school)) < 1 / (1 + np.exp(1.8 - 0.7 * prior - unseen))
        y = prior + unseen + EFFECT * base + rng.normal(0, 0.5, len(school))
        table = pd.DataFrame(
            {"school": school.astype(str), "base": base.astype(int), "prior": prior, "y": y}
        )
        for prefer, found in errors.items():
            made = baseeval.match(
                table,
                treated="base",
                covariates=["prior"],
                school="school",
                caliper=0.2,
                prefer=prefer,
            )
            found.append(difference(table, "base", made) - EFFECT)
    bias = {prefer: abs(float(np.mean(found))) for prefer, found in errors.items()}
    assert bias[""] > 0.1
    assert bias["school"] < 0.35 * bias[""]

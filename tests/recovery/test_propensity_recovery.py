"""Weights by each model of the arms, tried where the truth is known: why `auto` is what it is.

Two worlds of 200 schools: hosting follows the intake more than in `many_schools`; and in the
second schools pull besides, some placing far more of their pupils than others, and those that do
so have other outcomes. Outcomes are those expected under the pupil's arm, so that what an estimate
misses by is the weights' own error. `docs/methods/propensity.md` has what `-s` shows.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from baseeval.design.sample import DesignSample
from baseeval.design.scoring import score
from baseeval.design.settings import Settings
from baseeval.design.tilts import tilt_weights
from baseeval.results import ARMS, CONTRASTS
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.simulation import plots
from baseeval.worlds.telling import Ledger

DRAWS = 40
ESTIMANDS = ("ATT", "ATE", "ATO")
NAMES = ("prior", "ehcp", "fsm", "female", "adhd", "language", "learning")
Drawn = tuple[DesignSample, np.ndarray, np.ndarray]


def draw(seed: int, pull: float) -> Drawn:
    """Give the pupils of a world, their expected outcomes in SD and their chances, by arm."""
    recipe = read_recipe("many_schools")
    recipe = recipe.model_copy(
        update={
            "schools": recipe.schools.model_copy(update={"host": 100, "non_host": 100}),
            "eligible": recipe.eligible.model_copy(update={"count": 10_000}),
            "hosting": recipe.hosting.model_copy(update={"intake": 0.6}),
        }
    )
    (plot,) = plots(recipe, None, None, seed)
    area, _ = Ledger(recipe, seed).draw(plot)
    pupils, rng = area.eligible, np.random.default_rng(seed)
    outcome = area.potential(recipe)["attainment"][:, -1] / recipe.attainment.sd
    hosts, quality = area.schools.hosts[pupils.school], area.schools.quality
    own = pull * (0.7 * quality + np.sqrt(0.51) * rng.normal(size=len(quality)))
    rho = expit(logit(area.placed.chance) + own[pupils.school])
    arm = np.where(hosts, np.where(rng.random(len(rho)) < rho, 0, 1), 2)
    pi = area.schools.probability[pupils.school]
    needs = [pupils.need == position for position in (1, 2, 3)]
    columns = [pupils.prior, pupils.ehcp, pupils.fsm, pupils.female, *needs]
    order = np.argsort(pupils.school, kind="stable")
    sample = DesignSample(
        arm=arm[order].astype(np.intp),
        arms=ARMS,
        columns=np.column_stack(columns).astype(float)[order],
        names=tuple((name, "") for name in NAMES),
        strata=np.zeros(len(order), dtype=np.intp),
        base=np.ones(len(order)),
        pupil=np.array([f"{place:06d}" for place in range(len(order))]),
        school=np.array([f"{place:04d}" for place in pupils.school[order]]),
        hosts=hosts[order],
    )
    return sample, outcome[order], np.column_stack([pi * rho, pi * (1 - rho), 1 - pi])[order]


def pairwise(whole: DesignSample, at: tuple[int, int]) -> DesignSample:
    two = whole.select(np.isin(whole.arm, at))
    arm = np.where(two.arm == at[0], 0, 1)
    arms = (ARMS[at[0]], ARMS[at[1]])
    return replace(two, arm=arm, arms=arms, whole=None if 2 not in at else lambda: whole)


def misses(drawn: Drawn, model: str) -> dict[tuple[str, str, str], float]:
    """Estimate less truth by contrast, estimand and target."""
    whole, outcome, chance = drawn
    common, found = score(whole, Settings(propensity=model)).chances, {}
    for contrast, arms in CONTRASTS.items():
        at = (ARMS.index(arms[0]), ARMS.index(arms[1]))
        effect, rows = outcome[:, at[0]] - outcome[:, at[1]], np.isin(whole.arm, at)
        own = score(pairwise(whole, at), Settings(propensity=model)).chances
        two, p = np.where(whole.arm[rows] == at[0], 0, 1), chance[:, at[0]] / chance[:, at].sum(1)
        overlap = chance[:, at].sum(axis=1) * p * (1 - p)
        held = {"ATT": whole.arm == at[0], "ATE": rows, "ATO": overlap}
        for estimand in ESTIMANDS:
            weights = np.zeros(len(rows))
            weights[rows] = tilt_weights(own, two, estimand)
            truth = np.average(effect, weights=held[estimand])
            means = [
                np.average(outcome[whole.arm == a, a], weights=weights[whole.arm == a]) for a in at
            ]
            found[contrast, estimand, "pairwise"] = means[0] - means[1] - truth
        held = {
            "ATT": whole.arm == 0,
            "ATE": np.ones(len(rows)),
            "ATO": 1 / np.sum(1 / chance, axis=1),
        }
        for estimand in ESTIMANDS:
            weights = tilt_weights(common, whole.arm, estimand)
            truth = np.average(effect, weights=held[estimand])
            means = [
                np.average(outcome[whole.arm == a, a], weights=weights[whole.arm == a]) for a in at
            ]
            found[contrast, estimand, "common"] = means[0] - means[1] - truth
    return found


@pytest.fixture(scope="module")
def table() -> Callable[[str, float], dict[tuple[str, str, str], np.ndarray]]:
    def collect(model: str, pull: float) -> dict[tuple[str, str, str], np.ndarray]:
        missed = defaultdict(list)
        for seed in range(1, DRAWS + 1):
            for key, miss in misses(draw(seed, pull), model).items():
                missed[key].append(miss)
        found = {key: np.array(values) for key, values in missed.items()}
        lines = [f"{model}, pull {pull}"]
        for key, values in found.items():
            error = values.std(ddof=1) / np.sqrt(DRAWS)
            shown = f"{values.mean():+.3f} ({error:.3f}), root mean square {rms(values):.3f}"
            lines.append(" ".join([*key, shown]))
        sys.stdout.write("\n".join(["", *lines, ""]))
        return found

    return collect


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def beyond(values: np.ndarray) -> float:
    """By how much the mean passes 0.02 SD and two Monte Carlo errors."""
    return float(abs(values.mean()) - 0.02 - 2 * values.std(ddof=1) / np.sqrt(DRAWS))


@pytest.mark.slow
def test_nested_scores_recover_every_contrast_and_target(table) -> None:
    nested, logits = table("nested", 0.0), table("logit", 0.0)
    assert max(map(beyond, nested.values())) <= 0
    # One multinomial logit over three arms is wrong where placement is nested.
    assert beyond(logits["base_vs_host", "ATT", "common"]) > 0
    assert beyond(logits["host_vs_non_host", "ATT", "common"]) > 0
    assert sum(map(rms, nested.values())) < sum(map(rms, logits.values()))


@pytest.mark.slow
def test_schools_pulls_are_adjusted_for(table) -> None:
    nested, logits = table("nested", 0.7), table("logit", 0.7)
    assert max(map(beyond, nested.values())) <= 0
    assert beyond(logits["base_vs_host", "ATT", "pairwise"]) > 0
    assert sum(map(rms, nested.values())) < sum(map(rms, logits.values()))

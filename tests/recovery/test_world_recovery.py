"""A world with every dial off: the stored chances of the arms recover the truth from what is seen.

Horvitz and Thompson's estimator (1952) needs nothing but the chances, and Hajek's (1971) ratio the
same: if either misses, the generator's chances, its potential outcomes or its truth are wrong.
"""

import math

import numpy as np
import pytest
from scipy.stats import t as student_t

from baseeval.worlds.knowing import pupil_truth
from baseeval.worlds.placement import ARMS
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.simulation import plots
from baseeval.worlds.telling import Ledger
from baseeval.worlds.truth import CONTRASTS

#: What is taken off each outcome first: neither estimator may lean on where a scale begins.
CENTRES = {"attainment": 50.0, "attendance": 0.9, "belonging": 3.0}
ESTIMANDS = ("ATT", "ATC", "ATE", "ATO")


def clean_world(schools, pupils):
    """The world `clean`, of so many schools and pupils: every dial is off."""
    recipe = read_recipe("clean")
    counts = {"host": schools // 2, "non_host": schools - schools // 2}
    return recipe.model_copy(
        update={
            "schools": recipe.schools.model_copy(update=counts),
            "eligible": recipe.eligible.model_copy(update={"count": pupils}),
        }
    )


def seen(recorded):
    """What the table holds at the last wave, in the order of pupils."""
    table = recorded.table.to_pandas()
    last = table[table["wave"] == 3]
    items = np.array(last[[f"b{n:02d}" for n in range(1, 11)]], dtype=float)
    items[:, [2, 5, 8]] = 6 - items[:, [2, 5, 8]]
    return {
        "attainment": last["attainment"].to_numpy(float),
        "attendance": (last["present"] / last["possible"]).to_numpy(float),
        "belonging": items.mean(axis=1),
    }


def tilt(estimand, chance, first, second):
    """The weight of a pupil in the target, given the chances (Li, Morgan and Zaslavsky 2018)."""
    a, b = chance[:, first], chance[:, second]
    p = a / (a + b)
    return {"ATT": a, "ATC": b, "ATE": a + b, "ATO": (a + b) * p * (1 - p)}[estimand]


def errors(recipe, draws, kind, believed=(0, 1, 2)):
    """Estimate less truth of every outcome, contrast and estimand, a row a draw."""
    rows = []
    for seed in range(1, draws + 1):
        ledger, (plot,) = Ledger(recipe, seed), plots(recipe, None, None, seed)
        area, recorded = ledger.draw(plot)
        truth = ledger.truth(population=False)["effects"]["sample"]
        known = pupil_truth(recipe, area, plot.streams).to_pandas()
        chance = known[[f"probability_{arm}" for arm in ARMS]].to_numpy()
        assert chance.min() >= 0.05
        chance = chance[:, believed]
        found = {}
        for outcome, y in seen(recorded).items():
            centred = y - CENTRES[outcome]
            for contrast, (first, second) in CONTRASTS.items():
                right = truth[contrast][outcome]["level"]["3"]["all"]
                for estimand in ("ATE",) if kind == "ht" else ESTIMANDS:
                    h = tilt(estimand, chance, first, second)
                    means = []
                    for at in (first, second):
                        in_arm = (known["arm"] == ARMS[at]).to_numpy()
                        weight = np.where(in_arm, h / chance[:, at], 0.0)
                        whole = h.sum() if kind == "ht" else weight.sum()
                        means.append((weight * centred).sum() / whole)
                    found[outcome, contrast, estimand] = means[0] - means[1] - right[estimand]
        rows.append(list(found.values()))
    return list(found), np.array(rows)


def assert_recovered(names, found):
    """Every mean error is within Bonferroni-adjusted Monte Carlo limits, and some would be seen."""
    draws = len(found)
    limit = student_t.ppf(1 - 0.01 / (2 * len(names)), draws - 1)
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / math.sqrt(draws))
    far = np.abs(z) > limit
    assert not far.any(), [name for name, missed in zip(names, far, strict=True) if missed]


@pytest.mark.parametrize("kind", ["ht", "hajek"])
def test_the_chances_recover_the_truth(kind):
    schools = 100 if kind == "ht" else 300
    names, found = errors(clean_world(schools, 10 * schools), 50, kind)
    assert_recovered(names, found)


@pytest.mark.slow
def test_horvitz_and_thompson_recover_the_ate_at_200_schools():
    names, found = errors(clean_world(200, 4000), 500, "ht")
    assert_recovered(names, found)


@pytest.mark.slow
def test_hajek_recovers_every_estimand_at_2000_schools():
    names, found = errors(clean_world(2000, 20000), 500, "hajek")
    assert_recovered(names, found)


def test_wrong_chances_would_be_seen():
    """With the chances of base and host taken for each other, the same check fails."""
    names, found = errors(clean_world(100, 1000), 30, "hajek", believed=(1, 0, 2))
    with pytest.raises(AssertionError):
        assert_recovered(names, found)

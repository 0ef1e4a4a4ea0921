"""What holds of every synthetic world, whatever its numbers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.worlds import simulate_recipe
from baseeval.worlds.hosting import draw_hosts, host_probability
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.schools import places

size = st.floats(-2, 2)
seeds = st.integers(0, 2**32)
few = settings(max_examples=25, deadline=None)


def world(seed, pupils=40, **effect):
    recipe = read_recipe("src_replication")
    parts = {}
    for name in ("attainment", "attendance", "belonging"):
        scale = getattr(recipe, name)
        parts[name] = scale.model_copy(update={"effect": scale.effect.model_copy(update=effect)})
    return simulate_recipe(recipe.model_copy(update=parts), pupils=pupils, seed=seed)


@few
@given(seed=seeds, base=size, host=size, base_by_prior=size)
def test_contrasts_of_one_target_add_up(seed, base, host, base_by_prior):
    made = world(seed, base=base, host=host, base_by_prior=base_by_prior)
    for target in made.truth["effects_by_target"]["sample"].values():
        for outcome in ("attainment", "attendance", "belonging"):
            for wave in ("1", "2", "3"):
                first, whole, second = (
                    target[contrast][outcome]["level"][wave]["all"]
                    for contrast in ("base_vs_host", "base_vs_non_host", "host_vs_non_host")
                )
                if whole is None:  # nobody was placed in the target's arm
                    assert first is second is None
                else:
                    assert first + second == pytest.approx(whole, rel=0, abs=1e-10)


@few
@given(seed=seeds, base=size, host=size)
def test_estimands_and_targets_agree(seed, base, host):
    truth = world(seed, base=base, host=host).truth
    pairs = truth["effects"]["sample"]
    arms = {"base_vs_host": ("base", "host_mainstream"), "base_vs_non_host": ("base", "non_host")}
    for contrast, (first, second) in arms.items():
        made = pairs[contrast]["belonging"]["level"]["3"]["all"]
        n1, n2 = (truth["counts"]["arms"][arm] for arm in (first, second))
        if n1 and n2:
            mixed = (n1 * made["ATT"] + n2 * made["ATC"]) / (n1 + n2)
            assert made["ATE"] == pytest.approx(mixed, abs=1e-10)


@few
@given(seed=seeds, pupils=st.integers(7, 60))
def test_tables_keep_their_promises(seed, pupils):
    made = world(seed, pupils=pupils)
    table = made.tables["pupils"]
    assert (table["present"] <= table["possible"]).dropna().all()
    assert table["wave"].isin([1, 2, 3]).all()
    assert not table.duplicated(["pupil_id", "wave"]).any()
    assert table.groupby("pupil_id")["school_id"].nunique().max() == 1
    assert (table["placement"].isna() == (table["autistic"] == "no")).all()
    assert table.query("wave == 1")["pupil_id"].nunique() == 2 * pupils
    for gone in set(table["pupil_id"]) - set(table.query("wave == 2")["pupil_id"]):
        assert not ((table["pupil_id"] == gone) & (table["wave"] == 3)).any()
    json.dumps(made.truth, allow_nan=False)


@given(logit=st.lists(st.floats(-5, 5), min_size=1, max_size=12), share=st.floats(0, 1), seed=seeds)
def test_hosting_probabilities_add_up_to_the_hosts(logit, share, seed):
    odds, hosts = np.array(logit), round(share * len(logit))
    chance = host_probability(odds, hosts)
    assert chance.sum() == pytest.approx(hosts, abs=1e-9)
    assert ((chance >= 0) & (chance <= 1)).all()
    assert draw_hosts(odds, hosts, np.random.default_rng(seed)).sum() == hosts


@given(sizes=st.lists(st.floats(0.01, 10), min_size=1, max_size=20), extra=st.integers(0, 500))
def test_every_pupil_has_a_school_and_every_school_a_pupil(sizes, extra):
    count = places(np.array(sizes), len(sizes) + extra)
    assert count.sum() == len(sizes) + extra
    assert count.min() >= 1

"""What holds of balancing weights whatever the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import baseeval
from baseeval.errors import EstimationError
from baseeval.numerics.hull import nearest_means
from baseeval.numerics.stable_weights import balance_stably

PROFILE = settings(max_examples=8, deadline=None, derandomize=True)
KERNEL = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
estimands = st.sampled_from(["ATT", "ATE"])
METHODS = ["entropy", "tilting", "cbps", "energy", "stable"]
TILTED = ["entropy", "tilting", "cbps"]
COVARIATES = ["age", "prior", "need"]


def pupils(seed: int, arms: int = 2, n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(10, 2, size=n).round(2),
            "prior": rng.normal(size=n).round(3),
            "need": rng.choice(["autism", "speech", "other"], size=n),
            "weight": rng.integers(1, 4, size=n).astype(float),
            "points": rng.normal(50, 10, size=n),
        }
    )
    pull = rng.normal(size=(2, arms)) * 0.3
    scores = np.column_stack([frame.age - 10, frame.prior]) @ pull
    chosen = (scores + rng.gumbel(size=(n, arms))).argmax(axis=1)
    assume(np.bincount(chosen, minlength=arms).min() > 20)
    # Two arms are told by ones, which are the first.
    return frame.assign(arm=1 - chosen if arms == 2 else chosen)


def made(frame: pd.DataFrame, **options: Any) -> baseeval.Weights:
    asked = {"treated": "arm", "covariates": COVARIATES, "sampling_weights": "weight"} | options
    try:
        return baseeval.weight(frame, **asked)
    except EstimationError:
        assume(False)
        raise


def means(found: baseeval.Weights, frame: pd.DataFrame) -> np.ndarray:
    points = frame.points.to_numpy()
    arms = [found.arm == arm for arm in range(len(found.arms))]
    return np.array([np.average(points[rows], weights=found.weights[rows]) for rows in arms])


@pytest.mark.parametrize("method", METHODS)
@PROFILE
@given(seed=seeds, arms=st.sampled_from([2, 3]))
def test_the_target_of_an_att_keeps_its_weights(method: str, seed: int, arms: int) -> None:
    frame = pupils(seed, arms)
    bare = made(frame, method=method, sampling_weights=None)
    assert (bare.weights[bare.arm == 0] == 1).all()
    found = made(frame, method=method)
    focal = found.arm == 0
    assert (found.weights[focal] == frame.weight[focal]).all()
    assert (found.weights >= 0).all()


@pytest.mark.parametrize("method", TILTED)
@PROFILE
@given(seed=seeds, estimand=estimands, arms=st.sampled_from([2, 3]))
def test_means_become_equal(method: str, seed: int, estimand: str, arms: int) -> None:
    frame = pupils(seed, arms)
    found = made(frame, method=method, estimand=estimand)
    x, spread = found.covariates, found.covariates.std(axis=0)
    by_arm = [found.arm == arm for arm in range(arms)]
    balanced = [np.average(x[rows], axis=0, weights=found.weights[rows]) for rows in by_arm]
    target = by_arm[0] if estimand == "ATT" else np.ones(len(frame), dtype=bool)
    goal = np.average(x[target], axis=0, weights=frame.weight[target])
    # One logit balances the arms with one another, not with the pupils as they are.
    goal = balanced[0] if method == "cbps" else goal
    assert max(np.abs((mean - goal) / spread).max() for mean in balanced) < 1e-9


@pytest.mark.parametrize("method", TILTED)
@PROFILE
@given(seed=seeds, estimand=estimands)
def test_redundant_columns_and_recoded_factors_change_nothing(
    method: str, seed: int, estimand: str
) -> None:
    frame = pupils(seed)
    found = made(frame, method=method, estimand=estimand)
    again = frame.assign(
        need=frame.need.map({"autism": "z", "speech": "y", "other": "x"}),
        same=frame.age * 7 - 3,
        mix=frame.age + 2 * frame.prior,
        one=4.0,
    )
    more = ["need", "same", "mix", "age", "one", "prior"]
    other = made(again, method=method, estimand=estimand, covariates=more)
    assert_allclose(other.weights, found.weights, rtol=1e-7)
    assert any("left out" in note for note in other.notes)


@pytest.mark.parametrize("method", METHODS)
@PROFILE
@given(seed=seeds, estimand=estimands, arms=st.sampled_from([2, 3]))
def test_a_doubled_base_weight_is_a_row_twice(
    method: str, seed: int, estimand: str, arms: int
) -> None:
    frame = pupils(seed, arms)
    row = int(np.random.default_rng(seed).integers(len(frame)))
    doubled = frame.assign(weight=frame.weight * np.where(np.arange(len(frame)) == row, 2, 1))
    twice = pd.concat([frame, frame.iloc[[row]]], ignore_index=True)
    one = made(doubled, method=method, estimand=estimand)
    two = made(twice, method=method, estimand=estimand)
    # Standard deviations of a sample divide by n - 1, and n is not the same.
    close = {"rtol": 1e-2, "atol": 0.05} if method == "stable" else {"rtol": 1e-6, "atol": 1e-7}
    joined = two.weights[:-1].copy()
    joined[row] += two.weights[-1]
    assert_allclose(joined, one.weights, **close)
    assert_allclose(two.weights[row], two.weights[-1], rtol=1e-9, atol=1e-12)
    assert_allclose(
        means(two, twice), means(one, doubled), rtol=1e-2 if method == "stable" else 1e-7
    )


@pytest.mark.parametrize("method", METHODS)
@PROFILE
@given(seed=seeds, estimand=estimands, arms=st.sampled_from([2, 3]))
def test_the_order_of_rows_changes_nothing(
    method: str, seed: int, estimand: str, arms: int
) -> None:
    frame = pupils(seed, arms)
    order = np.random.default_rng(seed).permutation(len(frame))
    found = made(frame, method=method, estimand=estimand)
    other = made(frame.iloc[order].reset_index(drop=True), method=method, estimand=estimand)
    assert_allclose(other.weights, found.weights[order], rtol=1e-6, atol=1e-8)


@PROFILE
@given(seed=seeds, tolerance=st.sampled_from([0.0, 0.02, 0.1, 0.5]), estimand=estimands)
def test_stable_weights_keep_to_the_tolerance(seed: int, tolerance: float, estimand: str) -> None:
    frame = pupils(seed)
    options = {"method": "stable", "estimand": estimand, "sampling_weights": None}
    found = made(frame, tolerance=tolerance, **options)
    table = baseeval.check_balance(found).table
    assert np.abs(table.smd_after).max() <= tolerance + 1e-9
    closer = made(frame, tolerance=tolerance / 2, **options)
    moved = found.arm == 1
    # Asking for less balance can only make weights more even.
    assert np.sum(found.weights[moved] ** 2) <= np.sum(closer.weights[moved] ** 2) * (1 + 1e-9)


@PROFILE
@given(seed=seeds, arms=st.sampled_from([2, 3]))
def test_second_moments_and_products(seed: int, arms: int) -> None:
    frame = pupils(seed, arms, n=200)
    found = made(frame, method="entropy", moments=2, interactions=True, estimand="ATE")
    both = np.column_stack([frame.age, frame.prior])
    level = (frame.need == "speech").to_numpy(dtype=float)
    checked = np.column_stack([both, both**2, both.prod(axis=1), both * level[:, None]])
    goal = np.average(checked, axis=0, weights=frame.weight)
    for arm in range(arms):
        rows = found.arm == arm
        mean = np.average(checked[rows], axis=0, weights=found.weights[rows])
        assert np.abs((mean - goal) / checked.std(axis=0)).max() < 1e-8


# ---- kernels ------------------------------------------------------------------------------------
@KERNEL
@given(n=st.integers(2, 30), p=st.integers(1, 4), seed=seeds, slack=st.sampled_from([0.0, 0.2]))
def test_the_nearest_means_are_proven_by_a_plane(n: int, p: int, seed: int, slack: float) -> None:
    """No row lies farther towards the target than the nearest point does: nothing is nearer."""
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=(n, p)), rng.normal(size=p) * 1.5
    found = nearest_means(x, target, np.ones(p), np.ones(n), slack)
    if found.distance == 0:
        inside = balance_stably(x, target, np.ones(n), slack + 1e-6, np.ones(p))
        assert inside.converged
        return
    reach = (x - target) @ found.gap - slack * np.abs(found.gap).sum()
    assert reach.min() >= found.distance**2 * (1 - 1e-6) - 1e-9
    assert not balance_stably(x, target, np.ones(n), slack, np.ones(p)).converged


@KERNEL
@given(
    n=st.integers(3, 40), p=st.integers(1, 5), seed=seeds, slack=st.sampled_from([0.0, 0.1, 0.4])
)
def test_stable_weights_meet_every_condition(n: int, p: int, seed: int, slack: float) -> None:
    """Feasible by construction, dummies of every level among the columns: an optimum exists."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    if seed % 2:
        x = np.column_stack([x, np.eye(3)[rng.integers(0, 3, size=n)]])
    base = rng.integers(1, 4, size=n).astype(float)
    target = rng.dirichlet(np.ones(n)) @ x
    scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    found = balance_stably(x, target, base, slack, scale)
    assert found.converged
    assert found.conditions.largest < 1e-9
    gap = np.average(x, axis=0, weights=found.weights) - target
    assert np.abs(gap / scale).max() <= slack + 1e-9
    assert (found.weights >= 0).all()
    # The conditions again, by hand: over the base, weights are linear in the columns or zero, and
    # a multiplier that is not zero stands on the side where its constraint binds.
    ratio = found.weights / base
    linear = (x - target) / scale @ found.multipliers
    above = ratio > 1e-9
    share = ratio / np.sum(found.weights) * np.sum(base)
    level = np.median(share[above] - linear[above])
    assert_allclose(share[above], level + linear[above], atol=1e-7)
    assert (level + linear[~above] <= 1e-7).all()
    bound = np.abs(found.multipliers) > 1e-7
    assert_allclose((gap / scale)[bound], -slack * np.sign(found.multipliers[bound]), atol=1e-8)

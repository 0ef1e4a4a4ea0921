"""Balancing weights by hand, their estimating functions, and what they refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.registry import DESIGNS
from baseeval.errors import EstimationError, UsageError
from baseeval.numerics.covariate_balancing import fit_balancing_scores
from baseeval.numerics.entropy import balance_entropy
from baseeval.numerics.hull import nearest_means
from baseeval.numerics.row_blocks import measure_spread, row_blocks
from baseeval.numerics.tilting import tilt_probability

TILTED = ["entropy", "tilting", "cbps"]


def pupils(seed: int, arms: int = 2, n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, prior = rng.normal(10, 2, size=n), rng.normal(size=n)
    pull = np.column_stack([0.3 * (age - 10), -0.4 * prior, 0.2 * prior])[:, :arms]
    arm = (pull + rng.gumbel(size=(n, arms))).argmax(axis=1)
    return pd.DataFrame(
        {
            "arm": 1 - arm if arms == 2 else arm,
            "age": age,
            "prior": prior,
            "weight": rng.uniform(0.5, 2, size=n),
            "points": 50 + 3 * prior + age + rng.normal(size=n),
        }
    )


def made(frame: pd.DataFrame, **options: Any) -> baseeval.Weights:
    asked = {"treated": "arm", "covariates": ["age", "prior"], "sampling_weights": "weight"}
    return baseeval.weight(frame, **(asked | options))


def arm_means(found: baseeval.Weights, points: np.ndarray) -> np.ndarray:
    rows = [found.arm == arm for arm in range(len(found.arms))]
    return np.array([np.average(points[r], weights=found.weights[r]) for r in rows])


def influences(found: baseeval.Weights, points: np.ndarray) -> np.ndarray:
    """Return how each arm's weighted mean moves with a row's share of itself, shape (n, k)."""
    assert found.estimation is not None
    moves = found.estimation.scores @ found.estimation.bread.T  # theta, by row
    columns = []
    for arm, mean in enumerate(arm_means(found, points)):
        own = np.where(found.arm == arm, 1.0, 0.0) * (points - mean)
        total = found.weights[found.arm == arm].sum()
        columns.append((found.weights * own + moves @ (found.estimation.d_weights.T @ own)) / total)
    return np.column_stack(columns)


# ---- estimating functions -----------------------------------------------------------------------
@pytest.mark.parametrize("method", TILTED)
@pytest.mark.parametrize(
    ("estimand", "arms"), [("ATT", 2), ("ATC", 2), ("ATE", 2), ("ATT", 3), ("ATE", 3)]
)
def test_influences_are_what_a_little_more_weight_does(
    method: str, estimand: str, arms: int
) -> None:
    """The infinitesimal jackknife, by differences: a row's survey weight a little more and less."""
    frame = pupils(4, arms)
    points = frame.points.to_numpy()
    options = {"method": method, "estimand": estimand, "estimating_functions": True}
    found = made(frame, **options)
    assert found.estimation is not None
    assert_allclose(found.estimation.scores.sum(axis=0), 0, atol=1e-7)
    influence = influences(found, points)
    step = 1e-4
    for row in (0, 7, 31, 64, 90):
        sides = []
        for sign in (1, -1):
            nudged = frame.weight * np.where(np.arange(len(frame)) == row, 1 + sign * step, 1.0)
            again = made(frame.assign(weight=nudged), **(options | {"estimating_functions": False}))
            sides.append(arm_means(again, points))
        assert_allclose((sides[0] - sides[1]) / (2 * step), influence[row], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("method", ["tilting", "cbps"])
@pytest.mark.parametrize("shape", [{"normalise": True}, {"stabilise": True}])
def test_influences_survive_scaling(method: str, shape: dict[str, bool]) -> None:
    """A scale of an arm's weights moves no mean, and so no influence."""
    frame = pupils(5)
    points = frame.points.to_numpy()
    options = {"method": method, "estimand": "ATE", "estimating_functions": True}
    plain, scaled = made(frame, **options), made(frame, **options, **shape)
    assert not np.allclose(plain.weights, scaled.weights)
    assert_allclose(influences(scaled, points), influences(plain, points), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", TILTED)
def test_derivatives_of_weights_by_differences(method: str) -> None:
    """Along the parameters, a weight's logarithm (less what it stands for itself) is linear."""
    frame = pupils(6)
    found = made(frame, method=method, estimand="ATE", estimating_functions=True)
    assert found.estimation is not None
    base = frame.weight.to_numpy()
    moving = found.weights - (0 if method == "entropy" else base)
    d = found.estimation.d_weights
    regressors = np.column_stack([np.ones(len(frame)), frame.age, frame.prior])
    slopes = d / moving[:, None]
    for arm in (0, 1):
        rows = found.arm == arm
        fitted = regressors[rows] @ np.linalg.lstsq(regressors[rows], slopes[rows], rcond=None)[0]
        assert_allclose(slopes[rows], fitted, atol=1e-9)
    # Bread is the inverse of minus the derivative of the summed scores: by a step in theta.
    q = d.shape[1]
    step = 1e-6
    slope = np.empty((q, q))
    scores = found.estimation.scores
    ratio = scores / found.weights[:, None]
    for k in range(q):
        change = moving * np.expm1(step * slopes[:, k])
        if method == "cbps":
            slope[:, k] = (ratio * change[:, None]).sum(axis=0) / step
            continue
        moved = np.where(d.reshape(len(frame), 2, -1).any(axis=2), change[:, None], 0.0)
        own = regressors_of(d, moving)
        slope[:, k] = np.concatenate([own[a].T @ moved[:, a] for a in (0, 1)]) / step
    assert_allclose(found.estimation.bread @ -slope, np.eye(q), atol=1e-4)


def regressors_of(d: np.ndarray, moving: np.ndarray) -> list[np.ndarray]:
    """Take the regressors of each arm out of the derivatives of its weights; 0 elsewhere."""
    return [block / moving[:, None] for block in np.split(d, 2, axis=1)]


def test_standard_errors_that_know_of_the_weights_cover() -> None:
    """Over repeated samples the spread of an estimate is what its influences say."""
    effects, said = [], []
    for seed in range(150):
        frame = pupils(1000 + seed)
        points = frame.points.to_numpy()
        found = made(frame, sampling_weights=None, estimating_functions=True)
        means, influence = arm_means(found, points), influences(found, points)
        effects.append(means[0] - means[1])
        said.append(np.sqrt(np.sum((influence[:, 0] - influence[:, 1]) ** 2)))
    assert_allclose(np.mean(said), np.std(effects), rtol=0.15)
    assert abs(np.mean(effects)) < 3 * np.std(effects) / np.sqrt(150)


# ---- kernels by hand ----------------------------------------------------------------------------
def test_blocks_cover_every_row_once() -> None:
    rows = np.concatenate([np.arange(100_000)[block] for block in row_blocks(100_000, 22)])
    assert_allclose(rows, np.arange(100_000))
    assert list(row_blocks(0, 3)) == []


def test_spread_far_from_zero_keeps_its_digits() -> None:
    """Years and other numbers with a small spread: centred before they are multiplied."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5000, 2)) * [1.0, 1e-4] + [2015.0, 7e5]
    x = np.column_stack([x, x @ [1.0, 3.0], np.full(5000, 2.0)])
    found = measure_spread(x, x.mean(axis=0), np.ones(5000))
    assert found.kept.tolist() == [0, 1]
    assert found.constant.tolist() == [False, False, False, True]
    assert_allclose(found.scale[:2], x.std(axis=0)[:2], rtol=1e-5)
    moved = (x - x.mean(axis=0)) @ found.basis
    assert_allclose(np.cov(moved.T, bias=True), np.eye(2), atol=1e-4)


def test_many_rows_start_from_some() -> None:
    """The first multipliers come from a sixteenth of the rows; the answer does not depend on it."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(120_000, 3))
    x[:, 2] = x[:, 2] > 1
    target = np.array([0.3, -0.2, 0.3])
    found = balance_entropy(x, target)
    assert found.converged
    assert found.reads < 9
    assert found.imbalance < 1e-12
    # Sorted so that the rows of the start say nothing of the target.
    worst = np.argsort(np.arange(120_000) % 16 == 0, kind="stable")
    x[np.arange(0, 120_000, 16), 0] = -5.0
    assert balance_entropy(x, target).converged
    assert balance_entropy(x[worst], target).converged


def test_a_target_at_the_end_of_a_range_leaves_others_without_weight() -> None:
    x = np.array([[0.0, 1.0], [0.0, 3.0], [1.0, 2.0], [1.0, 9.0]])
    found = balance_entropy(x, np.array([0.0, 2.0]))
    assert found.converged
    assert_allclose(found.weights, [2, 2, 0, 0])
    # What is left after that may be too little for the other column.
    beyond = balance_entropy(x, np.array([0.0, 4.0]))
    assert not beyond.converged
    near = nearest_means(x, np.array([0.0, 4.0]), np.ones(2), np.ones(4))
    assert near.distance > 0
    assert nearest_means(x, np.array([0.0, 2.0]), np.ones(2), np.ones(4)).distance == 0


def test_tilting_by_hand() -> None:
    """Two of an arm in each half of a column: weights are the halves' sizes over the arm's."""
    arm = np.array([[0.0], [0.0], [1.0]])
    found = tilt_probability(arm, np.ones(3), np.array([0.75]), 8.0)
    assert_allclose(found.weights, [2.0, 2.0, 7.0])  # halves of 4 and 7 in all


def test_three_arms_with_hardly_any_overlap_are_found_or_said_not_to_be() -> None:
    rng = np.random.default_rng(3)
    for shift in (0.5, 4.0):
        x = rng.normal(size=(120, 1))
        arm = np.repeat([0, 1, 2], 40)
        x[:, 0] += shift * arm
        found = fit_balancing_scores(x, arm, 3, np.ones(120))
        assert found.converged == (found.imbalance <= 1e-10)
        assert found.converged == (shift < 1)
        assert np.isfinite(found.probability).all()


# ---- refusals -----------------------------------------------------------------------------------
def fails(error: type[Exception], words: str, frame: pd.DataFrame, **options: Any) -> str:
    with pytest.raises(error, match=re.escape(words)) as caught:
        made(frame, **options)
    return str(caught.value)


@pytest.mark.parametrize("method", ["entropy", "tilting", "stable"])
def test_targets_out_of_reach_are_named(method: str) -> None:
    frame = pupils(7).assign(fsm=0.0, need=lambda d: np.where(d.arm == 1, "autism", "other"))
    frame.loc[frame.arm == 1, "age"] += 12
    counted = f"no weights of the {int((frame.arm == 0).sum())} pupils of second"
    said = fails(EstimationError, counted, frame, method=method)
    assert re.search(r"`age` \d\.\d SD too low", said)
    assert "`prior`" not in said
    levels = fails(EstimationError, "`need`", frame, method=method, covariates=["need", "prior"])
    assert "`need` (autism)" in levels
    both = fails(EstimationError, counted, frame, method=method, estimand="ATE")
    assert f"{int((frame.arm == 1).sum())} pupils of first" in both


def test_a_pupils_values_are_in_no_message() -> None:
    frame = pupils(8)
    frame.loc[frame.arm == 1, "age"] = 987.654
    said = fails(EstimationError, "`age`", frame, method="entropy")
    assert "987" not in said


def test_covariates_that_settle_the_arm_are_named_for_one_logit() -> None:
    frame = pupils(9)
    frame.loc[frame.arm == 1, "age"] += 50
    fails(EstimationError, "`age`", frame, method="cbps", estimand="ATE")


def test_energy_of_too_many_pupils_is_refused() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"arm": np.arange(11_000) % 2, "age": rng.normal(size=11_000)})
    asked = {"method": "energy", "covariates": ["age"], "sampling_weights": None}
    said = fails(EstimationError, "5,000", frame, **asked)
    assert "5,500" in said
    # Pupils who are alike count as one.
    alike = frame.assign(age=frame.age.round(1))
    assert made(alike, **asked).weights.shape == (11_000,)


def test_wrong_settings_are_refused() -> None:
    fails(UsageError, "moments", pupils(1), method="entropy", moments=3)
    fails(UsageError, "tolerance", pupils(1), method="stable", tolerance=-0.1)


def test_notes_say_what_was_left_out() -> None:
    frame = pupils(10).assign(need="other", twice=lambda d: 2 * d.age + 1)
    frame.loc[(frame.arm == 0) & (frame.index % 5 == 0), "need"] = "speech"
    found = made(frame, covariates=["age", "twice", "need"], method="entropy")
    few = int(((frame.arm == 0) & (frame.need == "speech")).sum())
    assert any(f"{few} pupils stand for nobody" in note for note in found.notes)
    assert any("`twice`" in note for note in found.notes)
    assert (found.weights[(frame.arm == 0) & (frame.need == "speech")] == 0).all()


def test_every_method_says_what_it_serves() -> None:
    for name in ("entropy", "tilting", "cbps", "energy", "stable"):
        spec = DESIGNS[name]
        assert spec.kind == "weight"
        assert spec.source
        assert set(spec.estimands) == {"ATT", "ATC", "ATE"}
        assert set(spec.estimands_of_several) == {"ATT", "ATE"}

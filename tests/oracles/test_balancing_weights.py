"""Balancing weights against R's general solvers, WeightIt's numbers and the quadratic programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

import baseeval
from baseeval.numerics.balance import effective_size
from baseeval.numerics.quadratic import solve_quadratic

LALONDE = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
ARMS = ("first", "second", "third")
COLUMNS = ["age", "prior", "sen"]


@pytest.fixture(scope="module")
def lalonde(reference: Any) -> pd.DataFrame:
    return reference("lalonde.csv")


@pytest.fixture(scope="module")
def pupils(r_data: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    return r_data("balancing_weights.csv")


def made(pupils: pd.DataFrame, **options: Any) -> baseeval.Weights:
    return baseeval.weight(
        pupils,
        **({"treated": "arm", "covariates": COLUMNS, "sampling_weights": "base"} | options),
    )


def test_entropy_on_lalonde(lalonde: pd.DataFrame) -> None:
    """WeightIt 0.13.1 gave 1273.2146; at the optimum, told by its conditions, it is 1273.2618."""
    found = baseeval.weight(lalonde, treated="treat", covariates=LALONDE, method="entropy")
    treated = lalonde.treat.to_numpy() == 1
    assert (found.weights[treated] == 1).all()
    controls = found.weights[~treated]
    table = pd.get_dummies(lalonde[LALONDE]).astype(float)
    gap = np.average(table[~treated], axis=0, weights=controls) - table[treated].mean()
    assert np.abs(gap / table[treated].std()).max() < 1e-10
    outcome = lalonde.re78.to_numpy()
    effect = outcome[treated].mean() - np.average(outcome[~treated], weights=controls)
    assert_allclose(effect, 1273.2146, rtol=5e-5)
    # The optimum itself, by its first-order conditions: log weights are linear in the columns.
    regressors = np.column_stack([np.ones((~treated).sum()), table[~treated] / table.std()])
    logs = np.log(controls)
    linear = regressors @ np.linalg.lstsq(regressors, logs, rcond=None)[0]
    assert_allclose(logs, linear, atol=1e-10)
    assert_allclose(effective_size(controls), 98.457834, rtol=1e-7)


@pytest.mark.parametrize("method", ["tilting", "cbps"])
@pytest.mark.parametrize("estimand", ["ATT", "ATC"])
def test_towards_one_arm_all_three_tilt_alike(
    lalonde: pd.DataFrame, method: str, estimand: str
) -> None:
    """With a logit, the odds that tilt one arm to the other are entropy balancing's weights."""
    options = {"treated": "treat", "covariates": LALONDE, "estimand": estimand}
    entropy = baseeval.weight(lalonde, method="entropy", **options)
    other = baseeval.weight(lalonde, method=method, **options)
    for arm in (0, 1):
        rows = entropy.arm == arm
        shares = [w.weights[rows] / w.weights[rows].sum() for w in (entropy, other)]
        assert_allclose(shares[1], shares[0], rtol=1e-9)
    assert other.propensity is not None
    target, moved = (0, 1) if estimand == "ATT" else (1, 0)
    chance = [other.propensity, 1 - other.propensity]
    rows = other.arm == moved
    assert_allclose(other.weights[rows], (chance[target] / chance[moved])[rows], rtol=1e-9)


@pytest.mark.parametrize(
    ("method", "estimand", "stored", "options"),
    [
        ("entropy", "ATT", "entropy_to_first", {}),
        ("entropy", "ATE", "entropy_to_all", {}),
        ("tilting", "ATE", "tilting_to_all", {}),
        ("stable", "ATT", "stable_to_first_05", {}),
        ("stable", "ATT", "stable_to_first_0", {"tolerance": 0.0}),
        ("stable", "ATE", "stable_to_all_1", {"tolerance": 0.1}),
    ],
)
def test_three_arms_by_general_solvers(
    pupils: pd.DataFrame,
    r_values: Callable[[str], dict[str, Any]],
    method: str,
    estimand: str,
    stored: str,
    options: dict[str, Any],
) -> None:
    found = made(pupils, method=method, estimand=estimand, **options)
    base = pupils.base.to_numpy()
    for arm, expected in r_values("balancing_weights")[stored].items():
        rows = found.arm == ARMS.index(arm)
        scale = base[rows].sum() if method == "stable" else 1.0
        assert_allclose(found.weights[rows], np.array(expected) * scale, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("estimand", "stored"), [("ATT", "to_first"), ("ATE", "to_all")])
def test_energy_by_quadprog(
    pupils: pd.DataFrame, r_values: Callable[[str], dict[str, Any]], estimand: str, stored: str
) -> None:
    found = made(pupils, method="energy", estimand=estimand)
    expected = np.array(r_values("balancing_weights")[f"energy_{stored}"])
    for arm in range(1 if estimand == "ATT" else 0, 3):
        rows = found.arm == arm
        share = found.weights[rows] / found.weights[rows].sum()
        assert_allclose(share, expected[rows], rtol=0, atol=1e-8)


def test_covariate_balancing_by_its_convex_loss(
    pupils: pd.DataFrame, r_values: Callable[[str], dict[str, Any]]
) -> None:
    two = pupils[pupils.arm < 2].assign(arm=lambda d: 1 - d.arm)
    found = made(two, method="cbps", estimand="ATE")
    assert_allclose(found.weights, r_values("balancing_weights")["cbps_first_two"], rtol=1e-9)


def test_covariate_balancing_of_three_arms_is_a_logit_that_balances(pupils: pd.DataFrame) -> None:
    found = made(pupils, method="cbps", estimand="ATE")
    chances = found.propensity
    assert chances is not None
    x, base = pupils[COLUMNS].to_numpy(), pupils.base.to_numpy()
    own = chances[np.arange(len(x)), found.arm]
    assert_allclose(found.weights, base / own, rtol=1e-12)
    regressors = np.column_stack([np.ones(len(x)), x])
    for arm in (0, 1):
        odds = np.log(chances[:, arm] / chances[:, 2])
        linear = regressors @ np.linalg.lstsq(regressors, odds, rcond=None)[0]
        assert_allclose(odds, linear, atol=1e-10)
    totals = [found.weights[found.arm == a] @ regressors[found.arm == a] for a in range(3)]
    assert_allclose(totals[0], totals[2], rtol=1e-9, atol=1e-8)
    assert_allclose(totals[1], totals[2], rtol=1e-9, atol=1e-8)


def test_energy_distance_is_the_papers(lalonde: pd.DataFrame) -> None:
    """What is minimised is the energy distance by its definition, and no small step lowers it."""
    few = lalonde.iloc[::12]
    found = baseeval.weight(
        few, treated="treat", covariates=["age", "educ", "re75"], method="energy", estimand="ATT"
    )
    x = few[["age", "educ", "re75"]].to_numpy(dtype=float)
    x = x / x.std(axis=0)
    moved, target = found.arm == 1, found.arm == 0
    across, within = cdist(x[moved], x[target]).mean(axis=1), cdist(x[moved], x[moved])

    def distance(share: np.ndarray) -> float:
        return float(2 * share @ across - share @ within @ share)

    share = found.weights[moved] / found.weights[moved].sum()
    again = minimize(
        distance,
        np.full(len(share), 1 / len(share)),
        bounds=[(0, 1)] * len(share),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-15},
    )
    assert distance(share) <= again.fun + 1e-10
    assert_allclose(distance(share), again.fun, atol=1e-5)


def test_quadratic_programs_by_their_conditions() -> None:
    """Random programs, degenerate ones among them: the conditions hold, so nothing is lower."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        n, m = int(rng.integers(3, 14)), int(rng.integers(1, 3))
        root = rng.normal(size=(n, n))
        q, c = root @ root.T + 0.01 * np.eye(n), rng.normal(size=n) * 10.0 ** rng.integers(-2, 3)
        a = np.vstack([np.ones(n), rng.normal(size=(m - 1, n))])
        b = a @ rng.dirichlet(np.ones(n))
        found = solve_quadratic(q, c, a, b)
        assert found.conditions.largest < 1e-9
        assert (found.x >= 0).all()
        other = minimize(
            lambda x, q=q, c=c: 0.5 * x @ q @ x + c @ x,
            np.full(n, 1 / n),
            jac=lambda x, q=q, c=c: q @ x + c,
            bounds=[(0, None)] * n,
            constraints={"type": "eq", "fun": lambda x, a=a, b=b: a @ x - b},
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-12},
        )
        value = 0.5 * found.x @ q @ found.x + c @ found.x
        if other.success:
            assert value <= other.fun + 1e-7 * (1 + abs(other.fun))

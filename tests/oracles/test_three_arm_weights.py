"""Weights of three arms against PSweight and WeightIt on Lalonde's data, race being the arm.

PSweight's chances are nnet's, whose search stops when the likelihood gains less than 1e-8 of
itself: its means are up to 1e-5 of themselves off those of the maximum. So its printed digits are
met from nnet's own coefficients, and ours from the maximum are held to fits run to their end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.tilts import tilt_weights

COVARIATES = ["age", "educ", "married", "nodegree", "re74", "re75"]
#: Printed means of re78 for black, hispan, white (shared/reference/peers.md, section 3.2).
MEANS = {
    "ATE": (7069.530, 6783.688, 6850.291),
    "ATM": (5598.965, 6904.275, 6372.269),
    "ATEN": (6241.293, 6892.773, 6489.367),
    "ATT": (5677.015, 7170.668, 6025.884),
}
#: Printed differences of the overlap weights.
OVERLAP = (1057.5824, 581.9241, -475.6584)
WEIGHTIT_SIZES = (177.4817, 66.7885, 209.5388)


@pytest.fixture(scope="module")
def lalonde(reference: Any) -> pd.DataFrame:
    return reference("lalonde.csv")


def means(frame: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    arms = [frame.race == arm for arm in ("black", "hispan", "white")]
    return np.array([np.average(frame.re78[arm], weights=weights[arm]) for arm in arms])


def made(frame: pd.DataFrame, estimand: str, **options: Any) -> np.ndarray:
    focal = {"focal": "black"} if estimand == "ATT" else {}
    return baseeval.weight(
        frame,
        treated="race",
        covariates=COVARIATES,
        method="propensity",
        estimand=estimand,
        **focal,
        **options,
    ).weights


def nnet_chances(frame: pd.DataFrame, stored: dict[str, Any]) -> np.ndarray:
    beta = np.array([[float(b) for b in stored["beta17"][arm]] for arm in ("hispan", "white")])
    assert stored["coef_names"] == ["(Intercept)", *COVARIATES]
    x = np.column_stack([np.ones(len(frame)), frame[COVARIATES]])
    odds = np.column_stack([np.ones(len(frame)), np.exp(x @ beta.T)])
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("estimand", MEANS)
def test_the_printed_means_of_psweight(estimand: str, lalonde: pd.DataFrame, r_values: Any) -> None:
    """From nnet's coefficients to the printed digits, and from the maximum nearly so."""
    chances = nnet_chances(lalonde, r_values("three_arm_weights")["as_psweight"])
    arm = lalonde.race.map({"black": 0, "hispan": 1, "white": 2}).to_numpy()
    theirs = means(lalonde, tilt_weights(chances, arm, estimand))
    assert_allclose(theirs, MEANS[estimand], atol=0.0005)
    assert_allclose(means(lalonde, made(lalonde, estimand)), MEANS[estimand], rtol=1e-5)


def test_the_printed_contrasts_of_psweight(lalonde: pd.DataFrame, r_values: Any) -> None:
    chances = nnet_chances(lalonde, r_values("three_arm_weights")["as_psweight"])
    arm = lalonde.race.map({"black": 0, "hispan": 1, "white": 2}).to_numpy()
    found = [
        means(lalonde, tilt_weights(chances, arm, "ATO")),
        means(lalonde, made(lalonde, "ATO")),
    ]
    for values, close in zip(found, ({"atol": 0.00005}, {"rtol": 2e-5}), strict=True):
        black, hispan, white = values
        assert_allclose((hispan - black, white - black, white - hispan), OVERLAP, **close)


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "ATO", "ATM", "ATEN"])
def test_the_maximum(estimand: str, lalonde: pd.DataFrame, r_values: Any) -> None:
    """Ours is the maximum: statsmodels' and, run to its end, nnet's, above where PSweight stops."""
    arm = lalonde.race.map({"black": 0, "hispan": 1, "white": 2}).to_numpy()
    x = np.column_stack([np.ones(len(lalonde)), lalonde[COVARIATES]])
    fit = sm.MNLogit(arm, x).fit(method="newton", maxiter=100, tol=1e-14, disp=0)
    stored = r_values("three_arm_weights")
    assert fit.llf > stored["as_psweight"]["logLik"] + 1e-8
    assert_allclose(fit.llf, stored["to_the_end"]["logLik"], rtol=1e-12)
    ours = made(lalonde, estimand)
    assert_allclose(ours, tilt_weights(np.asarray(fit.predict()), arm, estimand), rtol=1e-8)
    ended = nnet_chances(lalonde, stored["to_the_end"])
    assert_allclose(ours, tilt_weights(ended, arm, estimand), rtol=2e-5)


def test_the_printed_sizes_of_weightit(lalonde: pd.DataFrame) -> None:
    """Its `multi.method = "glm"`: a logit of each arm against the rest."""
    weights = made(lalonde, "ATO", propensity="one_vs_rest")
    sizes = [
        weights[lalonde.race == arm].sum() ** 2 / (weights[lalonde.race == arm] ** 2).sum()
        for arm in ("black", "hispan", "white")
    ]
    assert_allclose(sizes, WEIGHTIT_SIZES, atol=0.00005)


def test_the_printed_effect_on_the_treated(lalonde: pd.DataFrame) -> None:
    found = baseeval.weight(
        lalonde,
        treated="treat",
        covariates=["age", "educ", "race", "married", "nodegree", "re74", "re75"],
        method="propensity",
    )
    treated, y = found.treated, lalonde.re78.to_numpy()
    other = found.weights[~treated]
    effect = y[treated].mean() - np.average(y[~treated], weights=other)
    assert_allclose(effect, 1214.0712, atol=0.00005)
    assert_allclose(other.sum() ** 2 / (other**2).sum(), 99.815386, atol=5e-7)

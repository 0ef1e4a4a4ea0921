"""What holds of weights from chances of the arms, whatever the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import baseeval
from baseeval.errors import EstimationError
from baseeval.results import Weights

PROFILE = settings(max_examples=25, deadline=None, derandomize=True)
ESTIMANDS = ("ATT", "ATE", "ATO", "ATM", "ATEN")
COVARIATES = ["age", "flag", "need"]


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    """Two arms or three, told apart a little by a number, a flag and a category, some rare."""
    n, arms = draw(st.integers(30, 80)), draw(st.sampled_from([2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    age = rng.normal(size=n) * draw(st.sampled_from([0.01, 1.0, 1000.0]))
    arm = rng.choice(arms, n, p=rng.dirichlet(np.full(arms, 8.0)))
    assume(len(set(arm)) == arms)
    frame = pd.DataFrame(
        {
            "age": age + 0.4 * arm * age.std(),
            "flag": (rng.random(n) < 0.3).astype(int),
            "need": rng.choice(["autism", "speech", "other"], n, p=[0.6, 0.3, 0.1]),
            "size": rng.integers(1, 4, n).astype(float),
        }
    )
    return frame.assign(arm=1 - arm if arms == 2 else np.array(["a", "b", "c"])[arm])


def weigh(frame: pd.DataFrame, **options: Any) -> Weights:
    asked = {"treated": "arm", "covariates": COVARIATES, "propensity": "logit"} | options
    try:
        return baseeval.weight(frame, method="propensity", **asked)
    except EstimationError as error:
        assume(error.flag != "separation")
        raise


@PROFILE
@given(tables(), st.sampled_from(ESTIMANDS))
def test_a_column_that_follows_from_others_changes_nothing(
    frame: pd.DataFrame, estimand: str
) -> None:
    """Nor does another name of a category's levels, nor another unit and zero of a number."""
    made = weigh(frame, estimand=estimand)
    names = {"autism": "z", "speech": "m", "other": "a"}
    # The reference level is another, and a column follows from two others.
    wide = frame.assign(
        both=3 * frame.age - 2 * frame.flag + 1,
        twin=frame.flag,
        need=frame.need.map(names),
        age=5 - frame.age / 7,
    )
    again = weigh(wide, estimand=estimand, covariates=["age", "flag", "both", "twin", "need"])
    assert_allclose(again.weights, made.weights, rtol=1e-6)


@PROFILE
@given(tables(), st.sampled_from(ESTIMANDS), st.sampled_from(["crump", None]), st.booleans())
def test_a_survey_weight_of_two_is_a_row_twice(
    frame: pd.DataFrame, estimand: str, trim: str | None, normalise: bool
) -> None:
    options: dict[str, Any] = {"estimand": estimand, "trim": trim, "normalise": normalise}
    made = weigh(frame, sampling_weights="size", truncate=0.9, **options)
    copies = np.repeat(np.arange(len(frame)), frame["size"].astype(int))
    again = weigh(frame.iloc[copies], truncate=0.9, **options)
    held = np.bincount(copies, again.weights)
    assert_allclose(held, made.weights, rtol=1e-6, atol=1e-9)


@PROFILE
@given(tables(), st.sampled_from(ESTIMANDS), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(frame: pd.DataFrame, estimand: str, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(frame))
    made, again = weigh(frame, estimand=estimand), weigh(frame.iloc[order], estimand=estimand)
    assert_allclose(again.weights, made.weights[order], rtol=1e-8)


@PROFILE
@given(tables(), st.integers(0, 2))
def test_the_focal_arm_weighs_what_it_did(frame: pd.DataFrame, place: int) -> None:
    two = frame.arm.nunique() == 2
    focal = {"focal": None if two else "abc"[place]}
    made = weigh(frame, estimand="ATT", sampling_weights="size", **focal)
    mine = made.arm == (0 if two else place)
    assert (made.weights[mine] == frame["size"][mine]).all()


def means(made: Weights) -> np.ndarray:
    """Weighted means of each arm, each column in its largest value."""
    scale = np.abs(made.covariates).max(axis=0) + 1e-300
    rows = [made.arm == position for position in range(len(made.arms))]
    return np.array(
        [np.average(made.covariates[r], axis=0, weights=made.weights[r]) / scale for r in rows]
    )


@PROFILE
@given(tables(), st.booleans())
def test_overlap_weights_of_two_arms_balance_every_mean(
    frame: pd.DataFrame, weighted: bool
) -> None:
    """Li, Morgan and Zaslavsky (2018), theorem 3. Of three arms no such thing holds."""
    first = frame.arm.isin([1, "a"]).astype(int)
    options = {"sampling_weights": "size"} if weighted else {}
    found = means(weigh(frame.assign(arm=first), estimand="ATO", **options))
    assert_allclose(found[0], found[1], atol=1e-9)


@PROFILE
@given(tables(), st.sampled_from(ESTIMANDS))
def test_a_model_that_says_all_balances_all(frame: pd.DataFrame, estimand: str) -> None:
    """One category: chances are shares of its levels, and every arm then has the target's."""
    made = weigh(frame, covariates=["need"], estimand=estimand, sampling_weights="size")
    found = means(made)
    assert_allclose(found, np.tile(found[0], (len(found), 1)), atol=1e-9)
    if estimand == "ATE":
        right = np.average(made.covariates, axis=0, weights=frame["size"])
        assert_allclose(found[0], right, atol=1e-9)

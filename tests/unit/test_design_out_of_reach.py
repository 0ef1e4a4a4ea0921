"""Arms that lie far apart, columns far from zero, and messages that stay short: no raw error."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.column_words import column_words
from baseeval.design.score_columns import named_columns
from baseeval.design.table_samples import table_sample
from baseeval.errors import EstimationError
from baseeval.numerics.hull import nearest_means
from baseeval.numerics.stable_weights import balance_stably


def refused(frame: pd.DataFrame, covariates: list[str], **options: Any) -> str:
    with pytest.raises(EstimationError) as error:
        baseeval.weight(frame, treated="t", covariates=covariates, **options)
    return str(error.value)


def drawn(n: int = 120) -> pd.DataFrame:
    """Draw pupils whose x is a multiple of 1/1024: adding a power of two to it is exact."""
    rng = np.random.default_rng(4)
    x = np.round(rng.normal(size=n) * 1024) / 1024
    return pd.DataFrame(
        {
            "t": (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int),
            "x": x,
            "z": rng.normal(size=n),
            "w": rng.integers(1, 4, n).astype(float),
            "t3": rng.choice(list("ABC"), n),
        }
    )


@pytest.mark.parametrize("method", ["entropy", "tilting", "cbps"])
@pytest.mark.parametrize("estimand", ["ATT", "ATC"])
def test_nobody_on_the_targets_face(method: str, estimand: str) -> None:
    apart = pd.DataFrame({"t": [1, 1, 1, 0, 0, 0], "f": list("aabccd")})
    corner = pd.DataFrame({"t": [1, 1, 1, 0, 0, 0], "x": [0, 0, 0, 1, 0, 3], "z": [0] * 4 + [1, 0]})
    choices = {"method": method, "estimand": estimand}
    assert re.search(r"`f` \d\.\d SD too", refused(apart, ["f"], **choices))
    said = refused(corner, ["x", "z"], **choices)
    assert re.search(r"`x` \d\.\d SD too", said)
    assert "`z`" in said


@pytest.mark.parametrize("away", [1e5, 1e9])
def test_arms_far_apart_are_refused_at_once(away: float) -> None:
    rng = np.random.default_rng(1)
    arms = np.repeat([1, 0], 20)
    frame = pd.DataFrame(
        {"t": arms, "x": rng.normal(size=40) + away * arms, "z": rng.normal(size=40)}
    )
    tiny = pd.DataFrame({"t": [1, 1, 0, 0], "x": [0, 1 / away, 1.0, 2.0]})
    began = time.process_time()
    for table, covariates in ((frame, ["x"]), (frame, ["x", "z"]), (tiny, ["x"])):
        said = refused(table, covariates, method="stable")
        assert "`x` over 100 SD too" in said
        assert not re.search(r"\d{4}", said)
    assert time.process_time() - began < 3


def test_the_nearest_means_far_away_by_hand() -> None:
    # Far below a triangle its edge of least sum is nearest, half way along.
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    found = nearest_means(rows, np.full(2, -1e5), np.ones(2), np.ones(3))
    assert_allclose(found.gap, [1e5 + 0.5, 1e5 + 0.5], rtol=1e-12)


def test_a_dual_without_an_end_is_no_raw_error() -> None:
    # Draws whose dual falls without end until no row has weight: a singular matrix.
    for seed in (82, 140, 150, 248):
        rng = np.random.default_rng(seed)
        x = np.round(rng.normal(size=(3, 2)))
        target = np.round(rng.normal(size=2) * 10.0 ** rng.integers(1, 7))
        allowed, scale = float(rng.choice([0.01, 0.1])), 10.0 ** rng.integers(-3, 2, 2)
        found = balance_stably(x, target, np.ones(3), allowed, scale)
        assert not found.converged
        assert found.beyond is not None
        assert found.beyond.distance > 0


@pytest.mark.parametrize("method", ["entropy", "tilting", "cbps", "stable", "propensity"])
@pytest.mark.parametrize("size", [2.0**600, 2.0**-600])
def test_the_unit_of_a_column_changes_nothing(method: str, size: float) -> None:
    frame = drawn()
    other = frame.assign(x=frame["x"] * size)
    one, two = (
        baseeval.weight(table, treated="t", covariates=["x", "z"], method=method).weights
        for table in (frame, other)
    )
    assert_allclose(two, one, rtol=1e-9)


@pytest.mark.parametrize("model", ["logit", "firth", "ridge"])
def test_a_column_far_from_zero_is_kept(model: str) -> None:
    frame = drawn()
    options: dict[str, Any] = {
        "treated": "t",
        "covariates": ["x"],
        "method": "propensity",
        "propensity": model,
    }
    near = baseeval.weight(frame, **options).weights
    far = baseeval.weight(frame.assign(x=frame["x"] + 2.0**40), **options).weights
    assert_allclose(far, near, rtol=1e-9)
    assert np.ptp(near[frame["t"] == 0]) > 0.1


def test_rounding_of_a_constant_is_no_covariate() -> None:
    frame = drawn()
    frame["k"] = np.where(np.arange(len(frame)) % 2, 0.3, 0.1 + 0.2)
    sample = table_sample(frame, "t", ["x", "k"])
    assert [covariate for covariate, _ in named_columns(sample)[1]] == ["", "x"]


@pytest.mark.parametrize("model", ["logit", "firth", "ridge"])
def test_doubling_survey_weights_doubles_weights_and_no_more(model: str) -> None:
    frame = drawn()
    once, twice = (
        baseeval.weight(
            table,
            treated="t",
            covariates=["x", "z"],
            method="propensity",
            propensity=model,
            sampling_weights="w",
            estimating_functions=True,
        )
        for table in (frame, frame.assign(w=2 * frame["w"]))
    )
    assert_allclose(twice.weights, 2 * once.weights, rtol=1e-9)
    assert once.estimation is not None
    assert twice.estimation is not None
    moves = [
        each.estimation.scores @ each.estimation.bread.T @ each.estimation.d_weights.sum(axis=0)
        for each in (once, twice)
    ]
    assert_allclose(moves[1], 2 * moves[0], rtol=1e-6, atol=1e-9)


def test_cardinality_holds_each_pair_of_arms_within_the_tolerance() -> None:
    frame, tolerance = drawn(60), 0.2
    kept = baseeval.match(
        frame,
        treated="t",
        covariates=["x", "z"],
        method="cardinality",
        estimand="ATE",
        tolerance=tolerance,
    )
    first, chosen = (frame["t"] == 1).to_numpy(), kept.weights > 0
    points = frame[["x", "z"]].to_numpy()
    spread = np.sqrt((points[first].var(axis=0, ddof=1) + points[~first].var(axis=0, ddof=1)) / 2)
    means = [points[chosen & arm].mean(axis=0) for arm in (first, ~first)]
    centre = points.mean(axis=0)
    assert np.all(np.abs(np.subtract(*means)) <= tolerance * spread + 1e-9)
    assert all(np.all(np.abs(each - centre) <= tolerance / 2 * spread + 1e-9) for each in means)


def test_triplets_read_a_negative_caliper_as_at_least() -> None:
    frame = drawn()
    found = baseeval.match(
        frame, treated="t3", covariates=["x", "z"], method="triplets", caliper=-0.5
    )
    assert found.propensity is not None
    assert found.pairs is not None
    logits = np.log(found.propensity[:, 0]) - np.log1p(-found.propensity[:, 0])
    least = 0.5 * np.nanstd(logits, ddof=1)
    own = logits[found.pairs[["first_row", "second_row", "third_row"]].to_numpy()]
    assert len(own) > 10
    assert np.all(np.abs(own[:, 1:] - own[:, :1]) > least)


def test_a_message_names_no_level_of_few_pupils() -> None:
    arms = np.tile([1, 0], 40)
    frame = pd.DataFrame({"t": arms, "f": [f"zq{row}" for row in range(80)]})
    for method in ("propensity", "entropy"):
        said = refused(frame, ["f"], method=method)
        assert "rare levels of `f`" in said
        assert said.count("`f`") == 1
        assert "zq" not in said


def test_a_message_names_five_at_most() -> None:
    arms = np.tile([1, 0], 60)
    need = np.where(arms == 1, "in base", [f"kind {row % 7}" for row in range(120)])
    frame = pd.DataFrame({"t": arms} | {f"f{k}": np.roll(need, 2 * k) for k in range(2)})
    said = refused(frame, ["f0"], method="propensity")
    assert len(re.findall(r"`f0`", said)) <= 5
    sample = table_sample(frame, "t", ["f0"])
    words = column_words(sample, sample.names)
    assert "`f0` (in base)" in words
    assert "rare levels of `f0`" in words

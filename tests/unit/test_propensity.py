"""Weights from chances of the arms: by hand, by brute force, and what is said where they fail."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.scores import Scores
from baseeval.design.scoring import fit_chances
from baseeval.design.settings import Settings
from baseeval.design.shaping import quantile
from baseeval.design.tilts import tilt_weights
from baseeval.design.trimming import crump_limit, rows_kept
from baseeval.errors import EstimationError, UsageError

ESTIMANDS = ("ATT", "ATC", "ATE", "ATO", "ATM", "ATEN")


def table(n: int = 90, arms: int = 3, seed: int = 1, pull: float = 1.0) -> pd.DataFrame:
    """Rows of uneven survey weights in schools of uneven size, some of one pupil."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    odds = pull * np.column_stack([np.zeros(n), 0.8 * age, -0.5 * age])[:, :arms]
    arm = (odds + rng.gumbel(size=(n, arms))).argmax(axis=1)
    return pd.DataFrame(
        {
            "arm": np.array(["base", "host_mainstream", "non_host"])[arm],
            "treated": (arm == 0).astype(int),
            "age": age,
            "need": rng.choice(["autism", "speech", "other"], n),
            "size": rng.uniform(0.3, 3.0, n),
            "school": np.minimum(rng.geometric(0.15, n), 12).astype(str),
        }
    )


def weigh(frame: pd.DataFrame, **options: Any) -> Any:
    asked = {"treated": "arm", "covariates": ["age", "need"], "method": "propensity"} | options
    return baseeval.weight(frame, **asked)


def by_hand(p: np.ndarray, first: np.ndarray, estimand: str) -> np.ndarray:
    """Li, Morgan and Zaslavsky (2018, table 1), and the entropy of Zhou and others (2020)."""
    q = 1 - p
    h = {
        "ATT": p,
        "ATC": q,
        "ATE": np.ones_like(p),
        "ATO": p * q,
        "ATM": np.minimum(p, q),
        "ATEN": -p * np.log(p) - q * np.log(q),
    }[estimand]
    return np.where(first, h / p, h / q)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_two_arms(estimand: str) -> None:
    frame = table(arms=2)
    made = weigh(frame, treated="treated", estimand=estimand)
    assert made.propensity is not None
    assert_allclose(made.weights, by_hand(made.propensity, made.treated, estimand), rtol=1e-12)


@pytest.mark.parametrize("estimand", ["ATT", "ATE", "ATO", "ATM", "ATEN"])
def test_three_arms_of_even_chances_weigh_alike(estimand: str) -> None:
    """Every tilt of even chances is the same for everyone, and a pupil counts for k of it."""
    chances, arm = np.full((6, 3), 1 / 3), np.array([0, 0, 1, 1, 2, 2])
    h = {"ATT": 1 / 3, "ATE": 1.0, "ATO": 1 / 9, "ATM": 1 / 3, "ATEN": np.log(3)}[estimand]
    assert_allclose(tilt_weights(chances, arm, estimand), 3 * h)


def test_a_focal_arm_keeps_its_weights() -> None:
    frame = table()
    made = weigh(frame, estimand="ATT", focal="non_host", sampling_weights="size")
    mine = (frame.arm == "non_host").to_numpy()
    assert made.target == "non_host"
    assert (made.weights[mine] == frame["size"][mine]).all()


@pytest.mark.parametrize(
    ("arms", "model", "estimand"),
    [
        *((2, "logit", estimand) for estimand in ESTIMANDS),
        *((3, "logit", estimand) for estimand in ("ATT", "ATE", "ATO", "ATM", "ATEN")),
        *(
            (3, model, estimand)
            for model in ("one_vs_rest", "nested")
            for estimand in ("ATT", "ATM")
        ),
    ],
)
def test_estimating_functions(arms: int, model: str, estimand: str) -> None:
    """What a little more of row i does to the weight of row j, found by asking again."""
    frame = table(60, arms)
    options: dict[str, Any] = {"estimand": estimand, "propensity": model}
    options |= {"sampling_weights": "size"} | ({"treated": "treated"} if arms == 2 else {})
    found = weigh(frame, estimating_functions=True, **options).estimation
    size = frame["size"].to_numpy()
    assert_allclose(found.scores.sum(axis=0), 0, atol=1e-8)
    for i in (7, 30):
        step = 1e-4 * (np.arange(len(frame)) == i)
        more, less = (weigh(frame.assign(size=size + s), **options).weights for s in (step, -step))
        others = np.arange(len(frame)) != i
        seen = ((more - less) / 2e-4)[others]
        told = (found.d_weights @ found.bread @ found.scores[i] / size[i])[others]
        assert_allclose(told, seen, atol=2e-6, rtol=1e-5)


def test_estimating_functions_of_weights_that_are_shaped() -> None:
    """Scaled weights move as they should; those drawn down to a limit stay where they are."""
    frame = table(60)
    plain = weigh(frame, estimand="ATE", estimating_functions=True)
    scaled = weigh(frame, estimand="ATE", normalise=True, estimating_functions=True)
    for position in range(3):
        rows = plain.arm == position
        w, d = plain.weights[rows], plain.estimation.d_weights[rows]
        mean = w.mean()
        right = d / mean - np.outer(w, d.mean(axis=0)) / mean**2
        assert_allclose(scaled.estimation.d_weights[rows], right, atol=1e-12)
    drawn = weigh(frame, estimand="ATE", truncate=0.8, estimating_functions=True)
    lower = drawn.weights < plain.weights
    assert 0 < lower.sum() < len(frame)
    assert (drawn.estimation.d_weights[lower] == 0).all()
    assert_allclose(drawn.estimation.d_weights[~lower], plain.estimation.d_weights[~lower])


def test_a_learner_says_that_it_has_no_estimating_functions() -> None:
    pytest.importorskip("sklearn")
    made = weigh(table(), estimand="ATO", propensity="trees", estimating_functions=True)
    assert made.estimation is None
    assert any("no estimating functions" in note for note in made.notes)


def test_shaping() -> None:
    frame = table()
    size = frame["size"].to_numpy()
    plain = weigh(frame, estimand="ATE", sampling_weights="size")
    scaled = weigh(frame, estimand="ATE", sampling_weights="size", normalise=True)
    shared = weigh(frame, estimand="ATE", sampling_weights="size", stabilise=True)
    drawn = weigh(frame, estimand="ATE", sampling_weights="size", truncate=0.9)
    for position in range(3):
        rows = plain.arm == position
        assert_allclose(scaled.weights[rows].sum(), size[rows].sum())
        share = size[rows].sum() / size.sum()
        assert_allclose(shared.weights[rows], plain.weights[rows] * share)
        each = (plain.weights / size)[rows]
        limit = quantile(each, size[rows], 0.9)
        assert size[rows][each <= limit].sum() >= 0.9 * size[rows].sum()
        assert size[rows][each < limit].sum() < 0.9 * size[rows].sum()
        assert_allclose((drawn.weights / size)[rows], np.minimum(each, limit))
    assert any("were drawn down" in note for note in drawn.notes)


@pytest.mark.parametrize("arms", [2, 3])
def test_crump_keeps_those_whom_it_pays_to_keep(arms: int) -> None:
    """The limit has the least sum / size^2 of all limits, and is twice the mean of those kept."""
    rng = np.random.default_rng(arms)
    chances = rng.dirichlet(np.full(arms, 0.7), 400).clip(1e-4)
    cost = np.sum(1 / chances, axis=1)
    limit = crump_limit(cost, np.ones(400))
    tried = [cost[cost <= at].sum() / (cost <= at).sum() ** 2 for at in cost]
    assert limit == cost[int(np.argmin(tried))]
    mean = cost[cost <= limit].mean()
    assert limit <= 2 * mean <= cost[cost > limit].min() * (1 + 2 / 400)
    if arms == 2:
        # Their rule of thumb comes from this: 1 / (a (1 - a)) is the limit of 1 / (e (1 - e)).
        assert_allclose(cost, 1 / (chances[:, 0] * chances[:, 1]) / chances.sum(axis=1) ** -1)


def test_trimming_fits_the_rest_anew() -> None:
    frame = table(120, pull=3.0)
    whole = weigh(frame, estimand="ATO")
    for rule in ("crump", "common_support", 0.12):
        made = weigh(frame, estimand="ATO", trim=rule)
        kept = rows_kept(whole.propensity, whole.arm, np.ones(len(frame)), rule)
        assert 0 < kept.sum() < len(frame)
        assert (made.weights[~kept] == 0).all()
        assert np.isnan(made.propensity[~kept]).all()
        again = weigh(frame[kept], estimand="ATO")
        assert_allclose(made.weights[kept], again.weights)
        left = [int(np.sum(~kept & (whole.arm == position))) for position in range(3)]
        counted = ", ".join(
            f"{n} of {np.sum(whole.arm == a)} pupils of {whole.arms[a]}" for a, n in enumerate(left)
        )
        assert counted in made.notes[0]


def test_nested_chances_are_products() -> None:
    """With nothing to tell pupils apart, shares: of pupils in hosts, and of those in a base."""
    frame = table().assign(flat=np.tile([0.0, 1.0], 45))
    frame = pd.concat([frame, frame.assign(flat=1 - frame.flat)])
    made = weigh(frame, covariates=["flat"], propensity="nested", estimand="ATE")
    shares = frame.arm.value_counts(normalize=True).sort_index().to_numpy()
    assert_allclose(made.propensity, np.tile(shares, (len(frame), 1)), rtol=1e-9)


def test_nested_is_what_auto_takes_of_placements() -> None:
    frame = table()
    auto, nested = (weigh(frame, estimand="ATE", propensity=m) for m in ("auto", "nested"))
    logit = weigh(frame, estimand="ATE", propensity="logit")
    assert (auto.weights == nested.weights).all()
    assert not np.allclose(auto.weights, logit.weights)
    other = frame.assign(arm=frame.arm.map({"base": "a", "host_mainstream": "b", "non_host": "c"}))
    assert_allclose(weigh(other, estimand="ATE").weights, logit.weights, rtol=1e-9)


def test_schools_pull() -> None:
    """A school that places nearly all is known by it; where schools are alike nothing changes."""
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(30), 40)
    pull = rng.normal(0, 1.0, 30)
    x = rng.normal(size=1200)
    chance = 1 / (1 + np.exp(-(0.5 * x + pull[school])))
    frame = pd.DataFrame(
        {"treated": (rng.random(1200) < chance).astype(int), "x": x, "school": school.astype(str)}
    )
    options: dict[str, Any] = {"treated": "treated", "covariates": ["x"], "school": "school"}
    made = weigh(frame, propensity="random_intercept", **options)
    assert np.corrcoef(made.propensity, chance)[0, 1] > 0.95
    assert "differ in whom they place by" in made.notes[0]
    alike = frame.assign(school=np.tile(np.arange(40), 30).astype(str))
    made = weigh(alike, propensity="random_intercept", **options)
    plain = weigh(alike, propensity="logit", **options)
    assert_allclose(made.weights, plain.weights, rtol=1e-6)


def test_school_means_stand_beside_pupils() -> None:
    frame = table(200, 2)
    made = weigh(frame, treated="treated", school="school", propensity="within_between")
    wide = frame.assign(
        mean_age=frame.groupby("school").age.transform("mean"),
        speech=frame.groupby("school").need.transform(lambda s: np.mean(s == "speech")),
        autism=frame.groupby("school").need.transform(lambda s: np.mean(s == "autism")),
    )
    right = weigh(
        wide, treated="treated", covariates=["age", "need", "mean_age", "speech", "autism"]
    )
    assert_allclose(made.weights, right.weights, rtol=1e-8)


@pytest.mark.parametrize("model", ["forest", "trees"])
def test_learners_never_see_the_school(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is placed in a school does not move the chances there: a forest grows elsewhere."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr("baseeval.design.learners._FOREST_TREES", 40)
    frame = table(120, 2).assign(school=np.repeat(np.arange(12), 10).astype(str))
    options: dict[str, Any] = {
        "treated": "treated",
        "school": "school",
        "propensity": model,
        "estimand": "ATE",
    }
    made = weigh(frame, **options)
    assert (made.propensity > 0).all()
    if model == "forest":
        here = (frame.school == "3").to_numpy()
        turned = frame.assign(treated=frame.treated.where(~here, 1 - frame.treated))
        again = weigh(turned, **options)
        assert_allclose(again.propensity[here], made.propensity[here])
        assert not np.allclose(again.propensity[~here], made.propensity[~here])
    few = frame.assign(school=np.tile(np.arange(3), 40).astype(str))
    with pytest.raises(EstimationError, match="too few schools: 3 of first and 3 of second"):
        weigh(few, **options)


def test_firth_and_ridge_serve_where_the_logit_cannot() -> None:
    frame = table().assign(alone=lambda d: (d.arm == "base") & (d.age > 0.5)).astype({"alone": int})
    with pytest.raises(EstimationError, match="`alone`") as error:
        weigh(frame, covariates=["age", "alone"], estimand="ATO")
    certain = int(frame.alone.sum())
    assert f"settle the arm of {certain} pupils" in str(error.value)
    assert 'propensity "firth"' in str(error.value)
    assert error.value.flag == "separation"
    for model in ("firth", "ridge"):
        made = weigh(frame, covariates=["age", "alone"], estimand="ATO", propensity=model)
        assert np.isfinite(made.weights).all()


def test_rare_arms_are_named() -> None:
    frame = table(60)
    rare = frame[(frame.arm != "base") | (frame.index < 20)]
    made = weigh(rare, covariates=["age"], estimand="ATO")
    assert any(note.startswith("base has fewer than ten pupils") for note in made.notes)


def test_overlap_without_a_design() -> None:
    frame = table()
    columns = np.column_stack([frame.age, *(frame.need == n for n in sorted(set(frame.need)))])
    codes = frame.arm.map({"base": 0, "host_mainstream": 1, "non_host": 2}).to_numpy()
    made = weigh(frame, propensity="logit", estimand="ATE")
    assert_allclose(fit_chances(columns, codes, 3), made.propensity, rtol=1e-9)


def test_a_choice_that_is_not_there() -> None:
    for options, words in (
        ({"propensity": "logitt"}, "Did you mean"),
        ({"trim": "crumpp"}, "Did you mean"),
        ({"trim": 0.7}, "smallest chance"),
        ({"truncate": 0.2}, "between a half and one"),
        ({"propensity": "random_intercept"}, "it serves two arms"),
        ({"propensity": "within_between"}, "no schools are named"),
    ):
        with pytest.raises(UsageError, match=re.escape(words)):
            weigh(table(), estimand="ATE", **options)
    with pytest.raises(UsageError, match="not both here"):
        weigh(table(arms=2), treated="treated", propensity="nested")
    with pytest.raises(EstimationError, match="trimming leaves nobody") as error:
        weigh(table(), estimand="ATE", trim=0.45)
    assert error.value.flag == "no_common_support"


def test_defaults_hold_no_certainty() -> None:
    scores = Scores(chances=np.array([[0.4, 0.6]]), model="logit")
    assert not scores.separated
    assert scores.first.tolist() == [0.4]
    assert Settings().propensity == "auto"

"""Generalised models by formula: predictions, and what is refused or said of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

import baseeval as be

NAMES = ["low", "middle", "high"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Pupils of twenty schools of uneven size, two values missing."""
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(20), rng.integers(3, 25, 20))
    n, own = len(school), rng.normal(size=20)[school]
    x, long = rng.normal(size=n), rng.choice([0.5, 1.0, 2.0], n)
    trials = rng.integers(3, 12, n)
    made = pd.DataFrame({"school": school, "x": x, "trials": trials, "time": np.log(long)})
    made["made"] = rng.binomial(trials, rng.beta(3 * expit(x + own), 3 * expit(-x - own)))
    made["count"] = rng.negative_binomial(3, 3 / (3 + long * np.exp(0.4 * x + 0.5 * own)))
    made["place"] = np.digitize(x + own + rng.logistic(size=n), [-1, 1])
    made.loc[[4, 9], "x"] = np.nan
    return made


def thresholds_loglik(
    place: np.ndarray, thresholds: np.ndarray, sd: float, school: np.ndarray
) -> float:
    """The likelihood of thresholds and one variance, on a grid far finer than quadrature's."""
    u = np.linspace(-9, 9, 4001)
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    chances = np.diff(expit(edges[:, None] - sd * u), axis=0)
    density = np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi) * (u[1] - u[0])
    logs = np.log(chances)[place]
    return sum(
        float(np.log(np.exp(logs[school == one].sum(axis=0)) @ density))
        for one in np.unique(school)
    )


def test_ordered_categories_by_thresholds_alone(frame: pd.DataFrame) -> None:
    fit: Any = be.fit_mixed("place ~ 1 + (1 | school)", frame, family="ordinal", quadrature=25)
    place, school = frame["place"].to_numpy(), frame["school"].to_numpy()
    sd = float(fit.variance["sd_or_correlation"][0])
    at = np.append(fit.thresholds["estimate"].to_numpy(), sd)
    top = thresholds_loglik(place, at[:2], at[2], school)
    assert fit.loglik == pytest.approx(top, abs=1e-6)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-2:
        moved = at + step
        assert thresholds_loglik(place, moved[:2], moved[2], school) < top
    laplace: Any = be.fit_mixed("place ~ 1 + (1 | school)", frame, family="ordinal")
    assert_allclose(laplace.thresholds["estimate"], at[:2], atol=0.05)
    assert "Fixed effects" not in laplace.summary()
    assert_allclose(laplace.predict().sum(axis=1), 1)


@pytest.mark.parametrize(
    ("outcome", "family", "more"),
    [
        ("made", "binomial", {"trials": "trials"}),
        ("made", "beta_binomial", {"trials": "trials"}),
        ("count", "poisson", {"offset": "time"}),
        ("count", "negative_binomial", {"offset": "time"}),
    ],
)
def test_predictions_by_hand(
    frame: pd.DataFrame, outcome: str, family: str, more: dict[str, str]
) -> None:
    fit: Any = be.fit_mixed(f"{outcome} ~ x + (1 + x | school)", frame, family=family, **more)
    kept = frame.dropna()
    b = fit.fixed.set_index("term")["estimate"]
    eta = b["Intercept"] + b["x"] * kept["x"]
    modes = fit.random_effects("school").loc[kept["school"].astype(str)].to_numpy()
    with_modes = eta + modes[:, 0] + modes[:, 1] * kept["x"]
    shift = kept["time"] if "offset" in more else 0.0
    inverse = np.exp if "offset" in more else expit
    assert_allclose(fit.predict(), inverse(with_modes + shift), rtol=1e-8)
    assert_allclose(fit.predict(conditional=False), inverse(eta + shift), rtol=1e-8)
    response = kept[outcome] / kept["trials"] if "trials" in more else kept[outcome]
    assert_allclose(fit.residuals() + fit.predict(), response, rtol=1e-10)
    assert list(fit.predict().index) == list(kept.index)
    pd.testing.assert_series_equal(fit.predict(pl.from_pandas(frame)), fit.predict())
    # A school that the model has not seen is the middle one.
    other = frame.assign(school=99)
    pd.testing.assert_series_equal(fit.predict(other), fit.predict(conditional=False))
    if "offset" in more:
        with pytest.raises(be.UsageError, match="offset"):
            fit.predict(frame.drop(columns="time"))


def test_chances_of_categories(frame: pd.DataFrame) -> None:
    answers = pd.Categorical.from_codes(frame["place"], NAMES, ordered=True)
    fit: Any = be.fit_mixed(
        "answer ~ x + (1 | school)", frame.assign(answer=answers), family="ordinal"
    )
    kept = frame.dropna()
    eta = fit.fixed["estimate"][0] * kept["x"].to_numpy()
    eta = eta + fit.random_effects("school").loc[kept["school"].astype(str), "Intercept"].to_numpy()
    below = expit(fit.thresholds["estimate"].to_numpy() - eta[:, None])
    found = fit.predict()
    assert list(found.columns) == NAMES
    assert_allclose(found["low"], below[:, 0], rtol=1e-10)
    assert_allclose(found["high"], 1 - below[:, 1], rtol=1e-10)
    pd.testing.assert_frame_equal(fit.predict(frame), found)
    left = fit.residuals()
    assert_allclose(left.sum(axis=1), 0, atol=1e-12)
    assert_allclose((left + found).to_numpy().argmax(axis=1), kept["place"])


def test_an_order_must_be_declared(frame: pd.DataFrame) -> None:
    kept = frame.dropna().reset_index(drop=True)
    words = [NAMES[k] for k in kept["place"]]
    codes = pa.array(kept["place"].astype("int8"))
    arrow = pa.Table.from_pandas(kept)

    def coded(ordered: bool) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(codes, pa.array(NAMES), ordered=ordered)

    table = pl.from_pandas(kept)
    refused = [
        kept.assign(answer=words),
        kept.assign(answer=pd.Categorical(words)),
        table.with_columns(answer=pl.Series(words)),
        table.with_columns(answer=pl.Series(words, dtype=pl.Categorical)),
        arrow.append_column("answer", coded(False)),
    ]
    formula = "answer ~ x + (1 | school)"
    for data in refused:
        with pytest.raises(be.DataError, match=r"`answer`.*declared order.*ordered=True"):
            be.fit_mixed(formula, data, family="ordinal")
    declared = [
        kept.assign(answer=kept["place"]),
        kept.assign(answer=pd.Categorical(words, NAMES, ordered=True)),
        table.with_columns(answer=pl.Series(words, dtype=pl.Enum(NAMES))),
        arrow.append_column("answer", coded(True)),
    ]
    fits: list[Any] = [be.fit_mixed(formula, data, family="ordinal") for data in declared]
    assert [fit.thresholds["threshold"][0] for fit in fits] == ["0|1", *["low|middle"] * 3]
    for fit in fits[1:]:
        assert_allclose(fit.thresholds["estimate"], fits[0].thresholds["estimate"], rtol=1e-8)


def test_a_number_is_no_scale_of_categories(frame: pd.DataFrame) -> None:
    with pytest.raises(be.DataError, match="ordered categories, more than 50"):
        be.fit_mixed("x ~ time + (1 | school)", frame, family="ordinal")


def test_what_separates_is_named_and_the_numbers_are_warned_of(frame: pd.DataFrame) -> None:
    certain = (np.arange(len(frame)) % 9 == 0).astype(float)
    data = frame.assign(sure=certain, yes=np.where(certain > 0, 1.0, frame["place"] > 1))
    fit: Any = be.fit_mixed("yes ~ x + sure + (1 | school)", data, family="binomial")
    assert fit.flags == ("separated",)
    text = fit.summary()
    for said in ("Separated by `sure`:", "Do not use the numbers", "random part was not fitted"):
        assert said in text
    assert fit.variance["sd_or_correlation"].isna().all()
    alone = data.assign(base=np.arange(len(data)) // 2)
    alone["yes"] = (alone["base"] % 2).astype(float)
    with pytest.raises(be.EstimationError, match="grouping factor `base`: no group"):
        be.fit_mixed("yes ~ x + (1 | base)", alone, family="binomial")


@pytest.mark.parametrize("points", [1.5, 0, True, "9"])
def test_points_are_whole(frame: pd.DataFrame, points: Any) -> None:
    with pytest.raises(be.UsageError, match="whole number of points"):
        be.fit_mixed("place ~ x + (1 | school)", frame, family="ordinal", quadrature=points)

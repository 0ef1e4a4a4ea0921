"""Nearest-neighbour matching and balance against MatchIt 4.7.2, on Lalonde's data.

Given the distance as R computed it (17 digits), pairs and weights must be the very same; many
men are tied in it, so the rules of order and ties are tried too. Settings of which no pairs are
stored are held to what the examples of MatchIt's reference manual print (its pages `matchit` and
`method_nearest`, 4.7 and 4.8 alike).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from statsmodels.formula.api import probit

import baseeval
from baseeval.design.calipers import read_calipers
from baseeval.design.settings import Settings
from baseeval.design.table_samples import table_sample
from baseeval.results import Weights

COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
CASES: dict[str, dict[str, Any]] = {
    "nearest_1to1": {},
    "nearest_1to1_data": {"order": "data"},
    "nearest_replace": {"replace": True},
    "nearest_1to3": {"ratio": 3},
    "nearest_caliper02": {"caliper": 0.2},
    "nearest_caliper_raw": {"caliper": 0.05, "caliper_unit": "raw"},
    "nearest_exact_race": {"exact": ["race"]},
    "nearest_exact_race_caliper": {"exact": ["race"], "caliper": 0.2},
}
EXACT = {"rtol": 1e-12, "atol": 1e-12}  # sums of ones and of thirds
BALANCE = {"rtol": 1e-10, "atol": 1e-12}  # sums over 614 rows


@pytest.fixture(scope="session")
def lalonde(reference: Any) -> pd.DataFrame:
    frame = reference("lalonde.csv")
    return frame.set_index("id")


def stored_pairs(r: dict[str, Any]) -> set[tuple[str, str]]:
    matrix = r["match_matrix"]
    return {
        (treated, control)
        for treated, controls in zip(matrix["rows"], matrix["values"], strict=True)
        for control in controls
        if control is not None
    }


@pytest.mark.parametrize("case", CASES)
def test_pairs_and_weights(case: str, lalonde: pd.DataFrame, reference: Any) -> None:
    r = reference("matching.json")[case]
    assert r["ids"] == lalonde.index.tolist()
    distance = np.array([float(value) for value in r["distance17"]])
    found = baseeval.match(
        lalonde, treated="treat", covariates=COVARIATES, distance=distance, **CASES[case]
    )
    assert found.pairs is not None
    pairs = set(zip(found.pairs["first_id"], found.pairs["second_id"], strict=True))
    assert len(pairs) == len(found.pairs)
    assert pairs == stored_pairs(r)
    assert_allclose(found.weights, r["weights"], **EXACT)


@pytest.mark.parametrize("case", CASES)
def test_our_own_propensity(case: str, lalonde: pd.DataFrame, reference: Any) -> None:
    """R stopped its iterations 1e-9 or so from the maximum; the pairs come out the same."""
    r = reference("matching.json")[case]
    found = baseeval.match(lalonde, treated="treat", covariates=COVARIATES, **CASES[case])
    assert found.propensity is not None
    distance = np.array([float(value) for value in r["distance17"]])
    assert_allclose(found.propensity, distance, rtol=0, atol=1e-8)
    assert_allclose(found.weights, r["weights"], **EXACT)
    assert found.pairs is not None
    pairs = set(zip(found.pairs["first_id"], found.pairs["second_id"], strict=True))
    assert pairs == stored_pairs(r)


def test_mahalanobis_distance(lalonde: pd.DataFrame, reference: Any) -> None:
    r = reference("matching.json")["nearest_mahal"]
    found = baseeval.match(lalonde, treated="treat", covariates=COVARIATES, distance="mahalanobis")
    assert found.pairs is not None
    pairs = set(zip(found.pairs["first_id"], found.pairs["second_id"], strict=True))
    assert pairs == stored_pairs(r)
    assert_allclose(found.weights, r["weights"], **EXACT)


def test_calipers_in_standard_deviations(lalonde: pd.DataFrame, reference: Any) -> None:
    """That of the score is stored; the manual prints those of two columns, to three decimals."""
    r = reference("matching.json")["nearest_caliper02"]
    distance = np.array([float(value) for value in r["distance17"]])
    sample = table_sample(lalonde, "treat", ["age"], variables=["re74", "re75"])
    limits = read_calipers(sample, Settings(caliper={"re74": 0.2, "": 0.2, "re75": 0.15}), distance)
    assert_allclose(limits[0].width, float(r["caliper17"]), rtol=1e-15)
    assert [round(limit.width, 3) for limit in limits[1:]] == [1295.593, 494.352]


MAHALANOBIS = ["age", "educ", "re74", "re75"]
PRINTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Mahalanobis, within calipers on two columns and exact strata of two more": (
        {
            "covariates": MAHALANOBIS,
            "distance": "mahalanobis",
            "exact": ["married", "race"],
            "caliper": {"re74": 0.2, "re75": 0.15},
        },
        {
            "sizes": (83, 83),
            "ess": 83,
            "first": {"age": 24.7711, "educ": 10.3976, "re74": 705.7326, "re75": 592.6384},
            "second": {"age": 24.6024, "educ": 10.0482, "re74": 864.0131, "re75": 640.9355},
        },
    ),
    "1:2, Mahalanobis within a caliper on a probit score": (
        {
            "covariates": COVARIATES,
            "distance": "probit",
            "mahalanobis": MAHALANOBIS,
            "ratio": 2,
            "caliper": 0.1,
        },
        {
            "sizes": (111, 146),
            "ess": 131.78,
            "first": {"age": 26.0721, "educ": 10.4144, "re74": 3016.7936, "nodegree": 0.6667},
            "second": {
                "age": 24.9459,
                "educ": 10.3514,
                "married": 0.2297,
                "nodegree": 0.6396,
                "re74": 2280.7013,
                "re75": 1525.9838,
            },
        },
    ),
    "1:3 with replacement, Mahalanobis within a caliper on the propensity": (
        {
            "covariates": COVARIATES,
            "replace": True,
            "mahalanobis": MAHALANOBIS,
            "ratio": 3,
            "caliper": 0.02,
        },
        # The effective size printed is 64.23: among men alike in all four, others are taken.
        {
            "sizes": (162, 138),
            "first": {"age": 25.5, "educ": 10.3086, "re74": 1831.9348, "re75": 1400.4354},
            "second": {"age": 24.001, "educ": 10.393, "re74": 2119.9268, "re75": 1386.7669},
        },
    ),
    "with replacement, Mahalanobis in exact strata": (
        {
            "covariates": COVARIATES,
            "distance": "mahalanobis",
            "replace": True,
            "exact": ["married", "race"],
        },
        # Age is printed as 25.6162, and 80 controls: one man is as near to a man two years younger
        # as to one two years older, and rounding sends MatchIt to the other.
        {
            "first": {"age": 25.8162, "educ": 10.3459, "re74": 2095.5737, "re75": 1532.0553},
            "second": {"educ": 10.3946, "re74": 1861.6424, "re75": 1091.6516, "nodegree": 0.7135},
        },
    ),
    "two for each on average, from one to twelve": (
        {"covariates": COVARIATES, "ratio": 2, "min_controls": 1, "max_controls": 12},
        {
            "sizes": (185, 370),
            "ess": 202,
            "partners": {1: 168, 10: 1, 12: 16},
            "second": {"age": 25.4459, "educ": 10.4887, "re74": 2614.807, "re75": 1714.9169},
        },
    ),
}


def probit_scores(lalonde: pd.DataFrame) -> np.ndarray:
    formula = "treat ~ " + " + ".join(COVARIATES)
    fit = probit(formula, lalonde.assign(re74=lalonde.re74 / 1e4, re75=lalonde.re75 / 1e4))
    scores = np.asarray(fit.fit(disp=0, tol=1e-12).predict())
    return scores.round(12)


@pytest.mark.parametrize("name", PRINTED)
def test_what_the_manual_prints(name: str, lalonde: pd.DataFrame) -> None:
    options, printed = PRINTED[name]
    if options.get("distance") == "probit":
        options = options | {"distance": probit_scores(lalonde)}
    found = baseeval.match(lalonde, treated="treat", **options)
    assert found.pairs is not None
    w, treated = found.weights, lalonde.treat.to_numpy() == 1
    if "sizes" in printed:
        assert tuple(int((w[arm] > 0).sum()) for arm in (treated, ~treated)) == printed["sizes"]
    if "ess" in printed:
        second = w[~treated]
        assert_allclose(second.sum() ** 2 / (second**2).sum(), printed["ess"], atol=0.005)
    if "partners" in printed:
        counts = found.pairs.first_row.value_counts().value_counts()
        assert counts.to_dict() == printed["partners"]
    for key, arm in (("first", treated), ("second", ~treated)):
        for covariate, mean in printed.get(key, {}).items():
            ours = np.average(lalonde[covariate].to_numpy(dtype=float)[arm], weights=w[arm])
            assert_allclose(ours, mean, atol=5.1e-5, err_msg=covariate)


JUDGED = ["full", "optimal", "subclass6", "cem", "nearest_mahal", *CASES]
THEIR_NAMES = {
    "Means Treated": "mean_first",
    "Means Control": "mean_second",
    "Std. Mean Diff.": "smd",
    "Var. Ratio": "variance_ratio",
    "eCDF Mean": "ecdf_mean",
    "eCDF Max": "ks",
}


def design_of(r: dict[str, Any], lalonde: pd.DataFrame) -> Weights:
    """Return R's weights, with its pairs or sets: balance is judged apart from matching."""
    columns = pd.get_dummies(lalonde[COVARIATES], columns=["race"], prefix_sep="").astype(float)
    sets = r["subclass"] if isinstance(r["subclass"], list) else None
    place = {name: row for row, name in enumerate(r["ids"])}
    pairs = None
    if sets is None:
        rows = [(place[one], place[two]) for one, two in sorted(stored_pairs(r))]
        pairs = pd.DataFrame(rows, columns=["first_row", "second_row"])
    return Weights(
        weights=np.array(r["weights"], dtype=float),
        arm=np.where(lalonde["treat"] == 1, 0, 1),
        covariates=columns.to_numpy(),
        names=tuple((name, "") for name in columns),
        method="matched",
        estimand="ATT",
        target="first",
        pairs=pairs,
        subclass=None if sets is None else pd.factorize(pd.Series(sets))[0],
    )


@pytest.mark.parametrize("case", JUDGED)
def test_balance_tables(case: str, lalonde: pd.DataFrame, reference: Any) -> None:
    """Every number of R's tables before and after, that of the score among them."""
    r = reference("matching.json")[case]
    scored = isinstance(r["distance17"], list)
    score = np.array([float(value) for value in r["distance17"]]) if scored else False
    table = baseeval.check_balance(design_of(r, lalonde), distance=score).table
    table = table.set_index("covariate")
    for when, key in (("before", "sum_all"), ("after", "sum_matched")):
        if not r[key]:  # R has no table across subclasses
            continue
        stored = pd.DataFrame(r[key]["values"], r[key]["rows"], r[key]["cols"]).astype(float)
        assert set(stored.index) == set(table.index)
        mine = table.loc[stored.index]
        for theirs, ours in THEIR_NAMES.items():
            found = mine[f"{ours}_{when}"].to_numpy(dtype=float)
            assert_allclose(found, stored[theirs], err_msg=f"{theirs} {when}", **BALANCE)
        if when == "after":
            # Where means are equal to the last digit, R does not standardise the distance.
            same = stored["Std. Mean Diff."].to_numpy() == 0
            apart, theirs = mine["pair_distance"], stored["Std. Pair Dist."]
            assert_allclose(apart[~same], theirs[~same], err_msg="pairs", **BALANCE)
            assert not same.any() or (apart[same] >= theirs[same]).all()

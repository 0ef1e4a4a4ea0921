"""Nearest-neighbour matching and balance against MatchIt 4.7.2, on Lalonde's data.

Given the distance as R computed it (17 digits), pairs and weights must be the very same; many
men are tied in it, so the rules of order and ties are tried too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval

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


@pytest.mark.parametrize("case", CASES)
def test_balance_tables(case: str, lalonde: pd.DataFrame, reference: Any) -> None:
    """Mean differences, variance ratios and the largest gap between distributions, both times."""
    r = reference("matching.json")[case]
    distance = np.array([float(value) for value in r["distance17"]])
    found = baseeval.match(
        lalonde, treated="treat", covariates=COVARIATES, distance=distance, **CASES[case]
    )
    table = baseeval.check_balance(found).table
    table.index = pd.Index(
        [c + level for c, level in zip(table.covariate, table.level, strict=True)]
    )
    columns = {
        "Means Treated": "mean_first",
        "Means Control": "mean_second",
        "Std. Mean Diff.": "smd",
        "Var. Ratio": "variance_ratio",
        "eCDF Max": "ks",
    }
    for when, key in (("before", "sum_all"), ("after", "sum_matched")):
        stored = pd.DataFrame(r[key]["values"], r[key]["rows"], r[key]["cols"]).astype(float)
        stored = stored.drop(index="distance")
        assert set(stored.index) == set(table.index)
        for theirs, ours in columns.items():
            mine = table.loc[stored.index, f"{ours}_{when}"].to_numpy(dtype=float)
            assert_allclose(mine, stored[theirs], err_msg=f"{theirs} {when}", **BALANCE)

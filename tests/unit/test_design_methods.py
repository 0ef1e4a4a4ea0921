"""Designs on small tables whose answer is plain, and the errors that teach."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.methods.nearest_matching import choosing_order, pairs_to_weights
from baseeval.errors import DataError, EstimationError, UsageError


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "base": [1, 1, 0, 0, 0, 1, 0],
            "age": [11.0, 12.0, 11.5, 14.0, 12.0, 13.0, 10.0],
            "need": ["autism", "speech", "autism", "speech", "speech", "autism", "other"],
        },
        index=[f"p{i}" for i in range(7)],
    )


def test_order_of_choice() -> None:
    score, focal = np.array([0.5, 0.9, 0.5, 0.1]), np.array([True, True, True, False])
    assert choosing_order(score, focal, "largest").tolist() == [1, 0, 2]
    assert choosing_order(score, focal, "smallest").tolist() == [0, 2, 1]
    assert choosing_order(score, focal, "data").tolist() == [0, 1, 2]


def test_weights_of_pairs() -> None:
    """Row 0 has two partners, row 1 shares one of them: shares 1/2 and 3/2, scaled to two."""
    pairs = np.array([[0, 3], [0, 4], [1, 4]])
    weights = pairs_to_weights(pairs, np.array([True, True, True, False, False, False]))
    assert_allclose(weights, [1, 1, 0, 0.5, 1.5, 0])


def test_matching_for_either_arm() -> None:
    frame = table()
    score = frame.age.to_numpy()
    att = baseeval.match(frame, treated="base", covariates=["age"], distance=score)
    assert att.pairs is not None
    pairs = dict(zip(att.pairs.first_id, att.pairs.second_id, strict=True))
    # p5 (13) chooses first: p4 (12) and p3 (14) are equally near, and the lower goes first.
    assert pairs == {"p5": "p4", "p1": "p2", "p0": "p6"}
    atc = baseeval.match(
        frame,
        treated="base",
        covariates=["age"],
        distance=score,
        estimand="ATC",
        caliper=0.6,
        caliper_unit="raw",
    )
    assert atc.pairs is not None
    assert set(atc.pairs.first_id) <= {"p0", "p1", "p5"}
    assert atc.pairs[["first_id", "second_id"]].to_numpy().tolist() == [["p0", "p2"], ["p1", "p4"]]
    assert (atc.weights[[2, 4]] == 1).all()
    assert atc.weights[[3, 6]].tolist() == [0, 0]


def test_a_caliper_in_sd_is_that_of_all_rows() -> None:
    frame = table()
    score = frame.age.to_numpy()
    width = 0.5 / score.std(ddof=1)
    both = [
        baseeval.match(frame, treated="base", covariates=["age"], distance=score, **caliper)
        for caliper in ({"caliper": width * 1.0001}, {"caliper": 0.50005, "caliper_unit": "raw"})
    ]
    assert_allclose(both[0].weights, both[1].weights)


def test_exact_strata_without_both_arms_have_weight_zero() -> None:
    frame = table()
    made = baseeval.weight(
        frame, treated="base", covariates=["age"], exact=["need"], method="propensity"
    )
    assert made.weights[6] == 0
    assert made.propensity is not None
    assert np.isnan(made.propensity[6])
    assert (made.weights[:6] > 0).all()


def test_balance_is_judged_before_and_after() -> None:
    frame = table()
    made = baseeval.weight(frame, treated="base", covariates=["age", "need"], method="none")
    balance = baseeval.check_balance(made)
    rows = balance.table.set_index(["covariate", "level"])
    assert rows.loc[("age", ""), "smd_before"] == rows.loc[("age", ""), "smd_after"]
    assert_allclose(rows.loc[("age", ""), "smd_before"], (12.0 - 11.875) / 1.0)
    assert rows.loc[("need", "autism"), "count_first"] == 2
    assert rows.loc[("need", "other"), "count_second"] == 1
    assert balance.overlap.loc[0, "n_first"] == 3


def fails(error: type[Exception], words: str, function: Any, **options: Any) -> None:
    with pytest.raises(error, match=re.escape(words)):
        function(**({"data": table(), "treated": "base", "covariates": ["age"]} | options))


def test_errors_say_what_is_wrong() -> None:
    apart = table().assign(age=lambda d: d.base * 10.0 + np.arange(7) / 10)
    fails(EstimationError, "tell the two arms apart", baseeval.match, data=apart)
    fails(
        EstimationError,
        "tell the two arms apart",
        baseeval.weight,
        data=apart,
        method="propensity",
    )
    fails(EstimationError, "no weights of the", baseeval.weight, data=apart)
    fails(
        EstimationError,
        "no pupil has a match",
        baseeval.match,
        distance=apart.age.to_numpy(),
        caliper=0.1,
        caliper_unit="raw",
    )
    lonely = table().assign(need=lambda d: np.where(d.base == 1, "autism", "other"))
    fails(EstimationError, "no exact stratum", baseeval.weight, data=lonely, exact=["need"])
    fails(UsageError, "one finite number", baseeval.match, distance=np.ones(3))
    fails(UsageError, "nearby", baseeval.match, method="nearby")
    fails(UsageError, "both 0 and 1", baseeval.match, data=table().assign(base=1))
    fails(UsageError, "no column `agee`", baseeval.weight, covariates=["agee"])
    holes = table().assign(age=[np.nan, 1, 2, 3, 4, 5, np.nan])
    fails(DataError, "2 of 7 rows", baseeval.weight, data=holes)

"""Requests for a design that cannot be, and odd ways of asking for one that can."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import baseeval
from baseeval.errors import DataError, UsageError


def small() -> pd.DataFrame:
    return pd.DataFrame({"t": [1, 1, 1, 0, 0, 0, 0], "f": list("aababbb")})


def drawn(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    return pd.DataFrame({"t": (rng.random(n) < 0.4).astype(int), "x": x.round(2), "k": "same"})


@pytest.mark.parametrize("method", ["exact", "cem", "nearest", "full"])
def test_an_att_of_the_second_arm_is_an_atc(method: str) -> None:
    asked: dict[str, Any] = {"treated": "t", "covariates": ["f"], "method": method}
    if method in ("nearest", "full"):
        asked["distance"] = np.array([0.1, 0.2, 0.9, 0.15, 0.8, 0.7, 0.95])
    focal = baseeval.match(small(), **asked, focal="second")
    named = baseeval.match(small(), **asked, estimand="ATC")
    np.testing.assert_array_equal(focal.weights, named.weights)
    assert focal.target == named.target == "second"


def test_a_focal_arm_needs_an_att() -> None:
    with pytest.raises(UsageError, match="focal: an ATE is about no one arm"):
        baseeval.weight(small(), treated="t", covariates=["f"], estimand="ATE", focal="first")


def test_decimals_are_numbers_and_days_are_neither() -> None:
    table = drawn()
    decimals = table.assign(x=[Decimal(str(value)) for value in table["x"]])
    for method in ("propensity", "entropy"):
        plain = baseeval.weight(table, treated="t", covariates=["x"], method=method)
        same = baseeval.weight(decimals, treated="t", covariates=["x"], method=method)
        np.testing.assert_array_equal(plain.weights, same.weights)
    days = table.assign(x=pd.date_range("2024-01-01", periods=len(table)))
    with pytest.raises(DataError, match="a day is neither a number nor a category"):
        baseeval.weight(days, treated="t", covariates=["x"])


def test_infinite_covariates_are_refused_by_count() -> None:
    table = drawn()
    table.loc[[0, 5], "x"] = np.inf
    with pytest.raises(DataError, match=r"column `x`: 2 of 80 rows have an infinite value"):
        baseeval.weight(table, treated="t", covariates=["x"])


@pytest.mark.parametrize("method", ["subclass", "exact", "cem", "cardinality"])
def test_anti_exact_is_refused_where_nothing_heeds_it(method: str) -> None:
    with pytest.raises(UsageError, match=f"anti_exact: the method `{method}` does not read this"):
        baseeval.match(drawn(), treated="t", covariates=["x"], method=method, anti_exact=["k"])


def test_scores_and_deviations_are_over_all_rows_for_every_pairing() -> None:
    """A stratum without both arms takes part in the caliper's unit, for every method alike."""
    table = pd.DataFrame(
        {"t": [1, 1, 0, 0, 0, 1], "x": [0, 1, 0.3, 1.2, 2, 50.0], "e": list("aaaaac")}
    )
    asked: dict[str, Any] = {"treated": "t", "covariates": ["x"], "exact": ["e"], "caliper": 0.25}
    found = [
        baseeval.match(table, method=method, distance=table["x"], **asked)
        for method in ("nearest", "optimal")
    ]
    assert found[0].pairs is not None
    assert found[1].pairs is not None
    assert len(found[0].pairs) == len(found[1].pairs) == 2


def test_scores_may_come_in_any_shape() -> None:
    table = drawn()
    ways = [table["x"], table["x"].tolist(), table["x"].to_numpy()]
    found = [baseeval.match(table, treated="t", covariates=["x"], distance=w) for w in ways]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].weights, other.weights)
    with pytest.raises(UsageError, match="must be numbers"):
        baseeval.match(table, treated="t", covariates=["x"], distance=table["k"])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("subclasses", 0),
        ("subclasses", 2.5),
        ("min_per_arm", -1),
        ("ratio", "a"),
        ("ratio", 0),
        ("reuse", 1.5),
        ("caliper", [1]),
        ("caliper_unit", "yards"),
        ("tolerance", float("nan")),
        ("max_controls", 0),
        ("largest_share", 2),
        ("grouping", {"f": ["a", "b"]}),
        ("replace", "yes"),
    ],
)
def test_a_choice_that_cannot_be_is_named(setting: str, value: object) -> None:
    method = {"subclasses": "subclass", "min_per_arm": "subclass", "grouping": "cem"}
    asked: dict[str, Any] = {setting: value, "method": method.get(setting, "nearest")}
    with pytest.raises(UsageError, match=f"{setting}: it must be"):
        baseeval.match(drawn(), treated="t", covariates=["x"], **asked)


def test_all_choices_that_cannot_be_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"(?s)ratio: it must be.*tolerance: it must be"):
        baseeval.match(drawn(), treated="t", covariates=["x"], ratio=0, tolerance=-1)
    with pytest.raises(UsageError, match=r"(?s)ridge: it must be.*truncate: it must be"):
        baseeval.weight(drawn(), treated="t", covariates=["x"], ridge=np.nan, truncate=2.0)

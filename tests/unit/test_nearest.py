"""Nearest-neighbour matching worked by hand: orders, calipers, reuse, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.calipers import read_calipers
from baseeval.design.pairing import choosing_order, pairs_to_weights
from baseeval.design.settings import Settings
from baseeval.design.table_samples import table_sample
from baseeval.errors import EstimationError, UsageError
from baseeval.numerics.extremal import extremal_counts
from baseeval.numerics.mahalanobis import whiten
from baseeval.numerics.nearest import match_nearest

ALL = np.zeros(6, dtype=np.intp)


def pairs(score: list[float], treated: int, **options: Any) -> list[list[int]]:
    """Match the first rows, in their order, with the others."""
    at = np.array(score)
    first = np.arange(len(at)) < treated
    return match_nearest(at, first, np.arange(treated), ALL[: len(at)], **options).tolist()


def test_who_chooses_first() -> None:
    """0.5 is nearest to 0.55 and so is 0.6; whoever comes first has it."""
    score = [0.5, 0.6, 0.55, 0.58, 0.9]
    assert pairs(score, 2) == [[0, 2], [1, 3]]
    # 0.6 is 0.02 from 0.58, and goes first; 0.5 then takes what it would have taken anyway.
    assert pairs(score, 2, priority="closest") == [[1, 3], [0, 2]]
    score = [0.5, 0.57, 0.56, 0.9]
    assert pairs(score, 2, priority="given") == [[0, 2], [1, 3]]
    # 0.57 is nearer to 0.56: it goes first, and 0.5 has to look further.
    assert pairs(score, 2, priority="closest") == [[1, 2], [0, 3]]
    assert pairs(score, 2, priority="farthest") == [[0, 2], [1, 3]]


def test_a_control_serves_as_often_as_it_may() -> None:
    score = [0.5, 0.5, 0.5, 0.45, 0.3]
    assert pairs(score, 3) == [[0, 3], [1, 4]]
    assert pairs(score, 3, replace=True, reuse=2) == [[0, 3], [1, 3], [2, 4]]
    assert pairs(score, 3, replace=True) == [[0, 3], [1, 3], [2, 3]]
    assert pairs(score, 2, ratio=2, replace=True) == [[0, 2], [1, 2], [0, 3], [1, 3]]


def test_everybody_chooses_once_before_anybody_chooses_again() -> None:
    assert pairs([0.5, 0.52, 0.51, 0.6, 0.7], 2, ratio=2) == [[0, 2], [1, 3], [0, 4]]
    assert pairs([0.5, 0.52, 0.51, 0.6, 0.7], 2, ratio=np.array([0, 2])) == [[1, 2], [1, 3]]


def test_the_score_has_no_part_where_nobody_chooses() -> None:
    assert pairs([0.5, 0.6], 0) == []
    assert pairs([0.5, 0.6], 2) == []
    assert pairs([0.5, 0.6], 1, ratio=np.array([0])) == []


def test_choosing_in_random_order() -> None:
    focal = np.array([True, False, True, True, True, True])
    orders = {tuple(choosing_order(None, focal, "random", seed)) for seed in range(20)}
    assert len(orders) > 5
    assert all(sorted(order) == [0, 2, 3, 4, 5] for order in orders)


def test_weights_with_replacement() -> None:
    """Row 4 serves a third of row 0 and half of row 1, as in MatchIt's manual: 5/6."""
    found = np.array([[0, 2], [0, 3], [0, 4], [1, 4], [1, 5]])
    weights = pairs_to_weights(found, np.array([True, True, False, False, False, False]))
    assert_allclose(weights[2:], np.array([2, 2, 5, 3]) / 6 * 4 / 2)
    assert (weights[:2] == 1).all()


def test_numbers_of_partners() -> None:
    assert extremal_counts(4, 2, 1, 3).tolist() == [3, 3, 1, 1]
    assert extremal_counts(3, 2, 1, 6).tolist() == [4, 1, 1]
    assert extremal_counts(5, 1.5, 1, 2).tolist() == [2, 2, 1, 1, 1]


def test_whitened_points_lie_apart_as_mahalanobis_says() -> None:
    rng = np.random.default_rng(3)
    columns, first = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)), np.arange(40) < 15
    spread = (14 * np.cov(columns[first].T) + 24 * np.cov(columns[~first].T)) / 39
    apart = columns[3] - columns[20]
    points = whiten(columns, first).points
    expected = np.sqrt(apart @ np.linalg.inv(spread) @ apart)
    assert_allclose(np.linalg.norm(points[3] - points[20]), expected)
    # A constant column, a sum of others and a scale change nothing.
    more = np.column_stack([columns * [1, 100, 1e-6], np.full(40, 0.1), columns @ [1, 2, 3]])
    points = whiten(more, first).points
    assert points.shape == (40, 3)
    assert_allclose(np.linalg.norm(points[3] - points[20]), expected)


# ---- requests -----------------------------------------------------------------------------------
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "base": [1, 1, 1, 0, 0, 0, 0, 0],
            "age": [11.0, 12.0, 13.0, 11.5, 14.0, 12.0, 10.0, 13.5],
            "prior": [3.0, 5.0, 4.0, 4.0, 1.0, 5.0, 2.0, 6.0],
            "school": ["a", "b", "c", "a", "b", "b", "c", "a"],
        },
        index=[f"p{i}" for i in range(8)],
    )


def matched(**options: Any) -> list[list[int]]:
    made = baseeval.match(table(), treated="base", **({"covariates": ["age", "prior"]} | options))
    assert made.pairs is not None
    return made.pairs[["first_row", "second_row"]].to_numpy().tolist()


AGE = table().age.to_numpy()


def test_calipers_by_name_and_unit() -> None:
    assert matched(distance=AGE) == [[2, 7], [1, 5], [0, 3]]
    assert matched(distance=AGE, caliper={"prior": 1}, caliper_unit="raw") == [
        [2, 5],
        [1, 3],
        [0, 6],
    ]
    assert matched(distance=AGE, caliper={"": 0.5, "prior": 1}, caliper_unit="raw") == [
        [1, 5],
        [0, 3],
    ]
    by_name = {"caliper": {"": 0.5 / AGE.std(ddof=1), "prior": 1}, "caliper_unit": {"prior": "raw"}}
    assert matched(distance=AGE, **by_name) == [[1, 5], [0, 3]]


def test_a_negative_caliper_keeps_partners_apart() -> None:
    """No partner within half a year, not even at half a year."""
    assert matched(distance=AGE, caliper=-0.5, caliper_unit="raw") == [
        [2, 5],
        [1, 7],
        [0, 6],
    ]
    assert matched(distance=AGE, caliper={"prior": -1.5}, caliper_unit="raw") == [
        [2, 7],
        [1, 6],
        [0, 5],
    ]


def test_partners_from_other_schools() -> None:
    assert matched(distance=AGE, anti_exact=["school"]) == [[2, 7], [1, 3], [0, 6]]


def test_scores_and_deviations_are_those_of_all_rows() -> None:
    """A stratum of one arm only has no pairs, and its rows count for the score all the same."""
    frame = table().assign(need=list("xxxxxxzx"))
    whole = baseeval.match(table(), treated="base", covariates=["age"], caliper=0.9)
    exact = baseeval.match(frame, treated="base", covariates=["age"], caliper=0.9, exact=["need"])
    assert whole.propensity is not None
    assert exact.propensity is not None
    assert_allclose(exact.propensity, whole.propensity)
    assert exact.weights[6] == 0
    assert any("exact stratum" in note for note in exact.notes)


def test_covariates_of_exact_strata_alone_are_no_part_of_the_distance() -> None:
    frame = table().assign(need=list("xyxxyyyx"))
    one, other = (
        baseeval.match(frame, treated="base", covariates=c, exact=["need"], **distance)
        for c, distance in (
            (["age"], {"distance": AGE}),
            (["age"], {"distance": "mahalanobis", "order": "closest"}),
        )
    )
    assert one.names == other.names
    assert ("need", "x") in other.names
    assert_allclose(one.weights, other.weights)


def test_columns_keep_their_places_without_those_of_exact_strata() -> None:
    frame = table().assign(need=list("xyxxyyyx"), size=AGE)
    sample = table_sample(frame, "base", ["age", "size"], exact=["need", "age"])
    assert sample.exact_only == ("need",)
    turned = replace(
        sample,
        names=(*sample.names[2:], *sample.names[:2]),
        columns=sample.columns[:, [2, 3, 0, 1]],
        school_level=np.array([1, 3]),
    )
    less = turned.without_exact_only()
    assert less.names == (("age", ""), ("size", ""))
    assert_allclose(less.columns, sample.columns[:, :2])
    assert less.school_level.tolist() == [1]
    bare = replace(sample, exact_only=("age", "size", "need"))
    assert bare.without_exact_only() is bare


def test_pupils_without_a_partner_are_counted() -> None:
    made = baseeval.match(
        table(), treated="base", covariates=["age"], distance=AGE, caliper=0.4, caliper_unit="raw"
    )
    assert made.notes[-1] == "2 of 3 pupils of first found no partner."


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("takes no caliper", {"distance": "mahalanobis", "caliper": 0.2}),
    ("caliper_unit: it must be sd or raw", {"distance": AGE, "caliper": 0.2, "caliper_unit": "SD"}),
    ("no such caliper", {"distance": AGE, "caliper": 0.2, "caliper_unit": {"age": "raw"}}),
    ("caliper: it must be a number", {"distance": AGE, "caliper": float("nan")}),
    ("no column `agee`", {"distance": AGE, "caliper": {"agee": 1}}),
    ("`agee` is not a covariate", {"distance": AGE, "mahalanobis": ["agee"]}),
    ("`distance` is none", {"distance": "mahalanobis", "mahalanobis": ["age"]}),
    ("order = 'largest'", {"distance": "mahalanobis", "order": "largest"}),
    ("order = 'nearest'", {"distance": AGE, "order": "nearest"}),
    ("ratio: it must be a number from one", {"distance": AGE, "ratio": 0}),
    ("not a whole number", {"distance": AGE, "ratio": 1.5}),
    ("below and above `ratio`", {"distance": AGE, "ratio": 2, "max_controls": 2}),
    ("5 pupils of the other arm", {"distance": AGE, "ratio": 2, "max_controls": 3}),
    ("who should have more", {"distance": "mahalanobis", "ratio": 1.5, "max_controls": 3}),
]


@pytest.mark.parametrize(("words", "options"), REFUSED)
def test_what_does_not_go_together_is_refused(words: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        matched(**options)


def test_every_problem_with_calipers_at_once() -> None:
    sample = table_sample(table(), "base", ["age"], variables=["prior"])
    settings = Settings(caliper={"": 1, "prior": 1}, caliper_unit={"prior": "sd", "x": "sd"})
    with pytest.raises(UsageError) as caught:
        read_calipers(sample, settings, None)
    for words in ("`x`", "takes no caliper"):
        assert words in str(caught.value)


def test_nobody_in_reach_is_said_with_counts() -> None:
    with pytest.raises(EstimationError, match="of 3 of first"):
        matched(distance=AGE, caliper=0.0, covariates=["age"], anti_exact=["school"])
    flat = table().assign(age=lambda d: d.base * 1.0)
    with pytest.raises(EstimationError, match="varies within the arms"):
        baseeval.match(flat, treated="base", covariates=["age"], distance="mahalanobis")

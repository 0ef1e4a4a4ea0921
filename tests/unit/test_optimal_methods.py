"""Optimal, full and cardinality matching on small tables, and the errors that teach."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

import baseeval
from baseeval.errors import BaseevalError, EstimationError, UsageError
from baseeval.numerics.cardinality import choose_balanced
from baseeval.numerics.line_matching import fill_line
from baseeval.numerics.optimal_pairs import pair_optimally
from baseeval.numerics.pair_costs import PairCosts


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "base": [1, 1, 1, 0, 0, 0, 0],
            "age": [11.0, 12.0, 13.0, 11.5, 12.0, 14.0, 10.0],
            "need": ["autism", "speech", "autism", "autism", "speech", "speech", "other"],
            "town": ["x", "x", "y", "x", "x", "y", "y"],
        },
        index=list("abcdefg"),
    )


def pairs_of(found: baseeval.Weights) -> dict[str, str]:
    assert found.pairs is not None
    return dict(zip(found.pairs.first_id, found.pairs.second_id, strict=True))


def asked(method: str, **more: Any) -> baseeval.Weights:
    frame = table()
    choices = {"treated": "base", "covariates": ["age"], "distance": frame.age.to_numpy(), **more}
    return baseeval.match(frame, method=method, **choices)


def test_optimal_pairs_where_greed_pays_more() -> None:
    """The oldest choosing first takes 12 (1.0 away) and leaves 12 with 11.5: 0.5 more in all."""
    found = asked("optimal")
    assert pairs_of(found) == {"a": "d", "b": "e", "c": "f"}
    assert found.weights.tolist() == [1, 1, 1, 1, 1, 1, 0]
    assert found.subclass is not None
    assert found.subclass.tolist() == [0, 1, 2, 0, 1, 2, -1]


def test_optimal_pairs_of_the_second_arm() -> None:
    """ATC: four against three; three find a partner, and the dearest of the four does not."""
    found = asked("optimal", estimand="ATC")
    assert pairs_of(found) == {"a": "d", "b": "e", "c": "f"}
    assert "1, of 4 of second, found no partner." in found.notes
    assert any("fewer than 1 for each:" in note for note in found.notes)


def test_partners_differ_where_they_must() -> None:
    """`c` is from the town of `f` and `g`, `a` and `b` from that of `d` and `e`."""
    found = asked("optimal", anti_exact=["town"])
    assert pairs_of(found) == {"a": "g", "b": "f", "c": "e"}


def test_whom_a_caliper_leaves_alone_is_counted() -> None:
    found = asked("optimal", caliper=0.5, caliper_unit="raw")
    assert pairs_of(found) == {"a": "d", "b": "e"}
    assert found.weights.tolist() == [1, 1, 0, 1, 1, 0, 0]
    assert "1, of 3 of first, found no partner." in found.notes
    full = asked("full", caliper=0.5, caliper_unit="raw")
    assert full.weights.tolist() == [1, 1, 0, 1, 1, 0, 0]
    assert "Left out, with nobody within the calipers: 1 of first, 2 of second." in full.notes


def test_full_sets_by_hand() -> None:
    """Every row joins its nearest: {a, d, g}, {b, e}, {c, f}, or c with e and b: as far."""
    found = asked("full")
    assert found.pairs is not None
    age = table().age.to_numpy()
    assert np.abs(age[found.pairs.first_row] - age[found.pairs.second_row]).sum() == 2.5
    att = dict(zip(table().index, found.weights, strict=True))
    assert [att[each] for each in "abc"] == [1, 1, 1]
    # d and g share one; with a mean of one over four rows each whole one counts 4/3.
    assert att["d"] == att["g"] == pytest.approx(2 / 3)
    assert att["e"] == att["f"] == pytest.approx(4 / 3)


def test_pairing_goes_before_distance() -> None:
    """A lone neighbour is given up so that both have a partner within the caliper."""
    score = np.array([0.0, 1.0, 1.0, 1.9])
    points, limits = score[:, None], np.array([0, 1])
    near = pair_optimally(PairCosts(points, limits, np.array([2, 3])))
    assert near.second.tolist() == [0, 1]
    swapped = fill_line(score[[1, 0]], score[[2, 3]], np.full((2, 1), 9.0), np.zeros(2))
    assert sorted(swapped.first.tolist()) == [0, 1]
    assert swapped.cost.sum() == pytest.approx(1.9)


def test_the_largest_balanced_sample_by_trying_all() -> None:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(11, 2)) + np.repeat([[0.7, 0.3], [0.0, 0.0]], [5, 6], axis=0)
    first = np.arange(11) < 5
    width = np.array([0.15, 0.15])
    best = 0
    for size in range(1, 6):
        for mine in combinations(range(5), size):
            for theirs in combinations(range(5, 11), size):
                apart = columns[list(mine)].mean(axis=0) - columns[list(theirs)].mean(axis=0)
                if (np.abs(apart) <= width).all():
                    best = max(best, size)
    found = choose_balanced(columns, first, width)
    assert found.certified
    assert found.rows.sum() == found.bound == 2 * best > 0
    apart = columns[found.rows & first].mean(axis=0) - columns[found.rows & ~first].mean(axis=0)
    assert (np.abs(apart) <= width).all()


def test_those_kept_are_paired_on_request() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"base": np.arange(40) < 12, "age": rng.normal(size=40)})
    frame["fsm"] = rng.integers(0, 2, 40)
    found = baseeval.match(
        frame,
        treated="base",
        covariates=["age", "fsm"],
        method="cardinality",
        mahalanobis=["age"],
        tolerance=0.1,
    )
    assert found.pairs is not None
    kept = np.flatnonzero(found.weights)
    assert sorted([*found.pairs.first_row, *found.pairs.second_row]) == kept.tolist()
    assert "Proven: no larger sample is in balance." in found.notes


def test_time_that_runs_out_is_told() -> None:
    """Equal means of many continuous columns: no time suffices, and the message says so."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 12)), columns=[f"x{i}" for i in range(12)])
    frame["base"] = (np.arange(300) < 100).astype(int)
    covariates = [f"x{i}" for i in range(12)]
    with pytest.raises(EstimationError, match=r"found within 0\.2 seconds .* Raise `time_limit`"):
        baseeval.match(
            frame,
            treated="base",
            covariates=covariates,
            method="cardinality",
            tolerance=1e-6,
            time_limit=0.2,
        )


WRONG: list[tuple[str, dict[str, Any], type[BaseevalError], str]] = [
    ("optimal", {"ratio": 0}, UsageError, "number from one"),
    ("optimal", {"caliper": 0.1, "caliper_unit": "raw", "exact": ["town"]}, EstimationError, ""),
    ("optimal", {"replace": True}, UsageError, "does not read this"),
    ("optimal", {"distance": "mahalanobis", "mahalanobis": ["age"]}, UsageError, "is none"),
    ("optimal", {"mahalanobis": ["agee"]}, UsageError, "not a covariate"),
    ("full", {"min_controls": 0.4}, UsageError, "one over a whole number"),
    ("full", {"max_controls": 1.5}, UsageError, "whole number from one"),
    ("full", {"max_controls": 1, "min_controls": 2}, UsageError, "Widen"),
    ("full", {"max_controls": 1}, EstimationError, "leave no room .* 1 of second"),
    ("full", {"min_controls": 2}, EstimationError, "leave no room"),
    ("full", {"caliper": 1e-3, "caliper_unit": "raw", "exact": ["town"]}, EstimationError, ""),
]


@pytest.mark.parametrize(("method", "choices", "kind", "words"), WRONG)
def test_refusals(
    method: str, choices: dict[str, Any], kind: type[BaseevalError], words: str
) -> None:
    if "exact" in choices:  # nobody of a town is as near as that
        frame = table().assign(age=lambda t: t.age + 0.3 * t.base)
        choices = {**choices, "distance": frame.age.to_numpy()}
        words = "no pupil has a match"
    with pytest.raises(kind) as caught:
        asked(method, **choices)
    assert re.search(words, str(caught.value))


WRONG_CARDINALITY: list[tuple[dict[str, Any], str]] = [
    ({"profile": True, "ratio": 2}, "a profile leaves it free"),
    ({"profile": True, "mahalanobis": ["age"]}, "no ratio to pair by"),
    ({"tolerance": -1.0}, "a number from zero"),
    ({"time_limit": 0.0}, "seconds above zero"),
    ({"ratio": 0}, "number from one"),
]


@pytest.mark.parametrize(("choices", "words"), WRONG_CARDINALITY)
def test_refusals_of_cardinality(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        baseeval.match(table(), treated="base", covariates=["age"], method="cardinality", **choices)


def test_no_balance_at_all_is_told() -> None:
    frame = pd.DataFrame({"base": [1, 1, 0, 0], "age": [1.0, 2.0, 8.0, 9.0]})
    with pytest.raises(
        EstimationError, match=r"no sample is in balance: .*2 of first, 2 of second"
    ):
        baseeval.match(frame, treated="base", covariates=["age"], method="cardinality")


def test_a_profile_counts_each_stratum_as_the_target_does() -> None:
    """Three towns; however many are kept in each, the weights of an arm follow the target's."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"town": np.repeat(["x", "y", "z"], 40), "age": rng.normal(size=120)})
    frame["base"] = np.r_[np.arange(40) < 5, np.arange(40) < 15, np.arange(40) < 10].astype(int)
    choices = {"treated": "base", "covariates": ["age"], "method": "cardinality", "exact": ["town"]}
    found = baseeval.match(frame, profile=True, **choices)
    held = frame.assign(w=found.weights).groupby(["base", "town"]).w.sum().unstack()
    assert held.loc[1].tolist() == [5, 15, 10]
    assert (held.loc[0] / held.loc[0].sum()).tolist() == pytest.approx([1 / 6, 1 / 2, 1 / 3])
    with pytest.raises(EstimationError, match="would undo the balance"):
        baseeval.match(frame.assign(w=frame.age + 5), sampling_weights="w", **choices)


@pytest.mark.parametrize("method", ["optimal", "full", "cardinality"])
def test_an_att_of_the_second_arm_is_an_atc(method: str) -> None:
    choices = {"treated": "base", "covariates": ["age"], "method": method}
    choices |= {"tolerance": 0.5} if method == "cardinality" else {}
    atc = baseeval.match(table(), estimand="ATC", **choices)
    att = baseeval.match(table(), focal="second", **choices)
    assert att.weights.tolist() == atc.weights.tolist()

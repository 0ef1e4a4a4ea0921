"""Optimal pair and full matching on Lalonde's data: against MatchIt 4.7.2 and linear programs.

MatchIt's solver stops at a tolerance, so its total distance may lie above the least; ours may not.
The linear programs are written out here afresh, over every pair of each third man (HiGHS would
take a minute over all), and on all men the proof itself is checked over every pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

import baseeval
from baseeval.numerics.full_matching import match_fully
from baseeval.numerics.optimal_pairs import pair_optimally
from baseeval.numerics.pair_costs import PairCosts
from baseeval.numerics.strata_weights import weigh_strata
from baseeval.results import Weights

COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]


@pytest.fixture(scope="session")
def lalonde(reference: Any) -> pd.DataFrame:
    return reference("lalonde.csv").set_index("id")


@pytest.fixture(scope="session")
def score(reference: Any) -> np.ndarray:
    return np.array([float(value) for value in reference("matching.json")["optimal"]["distance17"]])


@pytest.fixture(scope="session")
def third(lalonde: pd.DataFrame, score: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    return lalonde.iloc[::3], score[::3]


def least_total(
    cost: np.ndarray,
    first: tuple[float, float],
    second: tuple[float, float],
    pairs: int | None = None,
) -> float:
    """Solve the linear program over all pairs, each row having from so many partners to so many."""
    row, column = np.nonzero(np.isfinite(cost))
    entries, place = np.ones(len(row)), np.arange(len(row))
    rules, limits = [], []
    for (low, high), ends, size in ((first, row, cost.shape[0]), (second, column, cost.shape[1])):
        degree = coo_array((entries, (ends, place)), shape=(size, len(row))).tocsr()
        degree = degree[np.unique(ends)]
        for sign, bound in ((-1, low), (1, high)):
            if np.isfinite(bound):
                rules.append(sign * degree)
                limits.append(np.full(degree.shape[0], sign * bound))
    found = linprog(
        cost[row, column],
        A_ub=vstack(rules),
        b_ub=np.concatenate(limits),
        A_eq=None if pairs is None else entries[None],
        b_eq=None if pairs is None else [pairs],
        bounds=(0, 1),
        method="highs",
    )
    assert found.status == 0
    return float(found.fun)


def total(found: Weights, points: np.ndarray) -> float:
    assert found.pairs is not None
    apart = points[found.pairs.first_row] - points[found.pairs.second_row]
    return float(np.linalg.norm(apart.reshape(len(apart), -1), axis=1).sum())


def whitened(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Points whose distance is Mahalanobis's within the arms, by R's recipe rather than ours."""
    x = pd.get_dummies(frame[names], columns=[n for n in names if n == "race"]).astype(float)
    within = x - x.groupby(frame.treat.to_numpy()).transform("mean")
    inverse = np.linalg.pinv(within.cov().to_numpy(), rcond=1e-10, hermitian=True)
    values, vectors = np.linalg.eigh(inverse)
    return np.asarray(x @ (vectors * np.sqrt(np.maximum(values, 0))))


def table_of(points: np.ndarray, frame: pd.DataFrame) -> np.ndarray:
    first, second = (points.reshape(len(points), -1)[frame.treat == arm] for arm in (1, 0))
    return np.linalg.norm(first[:, None] - second[None], axis=2)


@pytest.mark.parametrize("case", ["optimal", "full"])
def test_no_worse_than_matchit(
    case: str, lalonde: pd.DataFrame, score: np.ndarray, reference: Any
) -> None:
    r = reference("matching.json")[case]
    sets = pd.Series(r["subclass"], lalonde.index)
    theirs = sum(
        np.abs(
            np.subtract.outer(*[score[(sets == s) & (lalonde.treat == a)] for a in (1, 0)])
        ).sum()
        for s in sets.dropna().unique()
    )
    found = baseeval.match(
        lalonde, treated="treat", covariates=COVARIATES, method=case, distance=score
    )
    assert total(found, score) <= theirs + 1e-8
    assert any(note.startswith("Proven") for note in found.notes)
    # Their weights follow from their sets by the rule that ours follow from ours.
    codes = pd.factorize(sets)[0].astype(np.intp)
    treated = lalonde.treat.to_numpy() == 1
    assert_allclose(weigh_strata(codes, treated, "ATT"), r["weights"], rtol=1e-10)
    assert found.subclass is not None
    assert_allclose(found.weights, weigh_strata(found.subclass, treated, "ATT"), rtol=1e-12)


@pytest.mark.parametrize("points", ["score", "mahalanobis"])
def test_the_proof_over_every_pair(points: str, lalonde: pd.DataFrame, score: np.ndarray) -> None:
    """Dual prices that no pair of all 79,365 undercuts, and whose sum is the total distance."""
    place = (score if points == "score" else whitened(lalonde, COVARIATES)).reshape(len(score), -1)
    table = table_of(place, lalonde)
    sides = [np.flatnonzero(lalonde.treat == arm) for arm in (1, 0)]
    costs = PairCosts(place, *sides)
    pairs, sets = pair_optimally(costs), match_fully(costs)
    assert (table - pairs.values[:, None] + pairs.prices >= -1e-12).all()
    assert (pairs.prices >= 0).all()
    assert_allclose(pairs.values.sum() - pairs.prices.sum(), pairs.cost.sum(), rtol=0, atol=1e-8)
    assert (table - sets.value_first[:, None] - sets.value_second >= -1e-12).all()
    assert min(sets.value_first.min(), sets.value_second.min()) >= -1e-12
    bound = sets.value_first.sum() + sets.value_second.sum()
    assert_allclose(bound, sets.distance, rtol=0, atol=1e-8)


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("distance", ["score", "mahalanobis"])
def test_pairs_are_the_linear_programs(
    ratio: int, distance: str, third: tuple[pd.DataFrame, np.ndarray]
) -> None:
    lalonde, score = third
    points = score if distance == "score" else whitened(lalonde, COVARIATES)
    found = baseeval.match(
        lalonde,
        treated="treat",
        covariates=COVARIATES,
        method="optimal",
        distance=score if distance == "score" else distance,
        ratio=ratio,
    )
    assert found.pairs is not None
    assert (found.pairs.first_row.value_counts() == ratio).all()
    assert found.pairs.second_row.is_unique
    best = least_total(table_of(points, lalonde), (ratio, ratio), (0, 1))
    assert_allclose(total(found, points), best, rtol=0, atol=1e-8)


def test_strata_with_too_few_are_filled_as_far_as_can_be(
    third: tuple[pd.DataFrame, np.ndarray],
) -> None:
    """Of black men fewer are controls: all of them are used, each for another man, the best."""
    lalonde, score = third
    found = baseeval.match(
        lalonde,
        treated="treat",
        covariates=COVARIATES,
        method="optimal",
        distance=score,
        exact=["race"],
    )
    best, pairs = 0.0, 0
    for _, part in lalonde.assign(score=score).groupby("race"):
        cost = table_of(part.score.to_numpy(), part)
        best += least_total(cost, (0, 1), (0, 1), pairs=min(cost.shape))
        pairs += min(cost.shape)
    assert found.pairs is not None
    assert len(found.pairs) == pairs < lalonde.treat.sum()
    assert (
        lalonde.race.iloc[found.pairs.first_row].to_numpy()
        == lalonde.race.iloc[found.pairs.second_row].to_numpy()
    ).all()
    assert_allclose(total(found, score), best, rtol=0, atol=1e-8)
    alone = lalonde.treat.sum() - pairs
    assert f"{alone}, of {lalonde.treat.sum()} of first, found no partner." in found.notes


def test_calipers_first_pairs_then_distance(third: tuple[pd.DataFrame, np.ndarray]) -> None:
    lalonde, score = third
    width = 0.2 * score.std(ddof=1)
    cost = table_of(score, lalonde)
    cost[cost > width] = np.inf
    row, column = np.nonzero(np.isfinite(cost))
    edges = coo_array((-np.ones(len(row)), (row, column)), shape=cost.shape).toarray()
    most = -round(least_total(np.where(edges < 0, edges, np.inf), (0, 1), (0, 1)))
    found = baseeval.match(
        lalonde,
        treated="treat",
        covariates=COVARIATES,
        method="optimal",
        distance=score,
        caliper=0.2,
    )
    assert found.pairs is not None
    assert len(found.pairs) == most
    best = least_total(cost, (0, 1), (0, 1), pairs=most)
    assert_allclose(total(found, score), best, rtol=0, atol=1e-8)


FULL: dict[str, dict[str, Any]] = {
    "score": {},
    "mahalanobis": {"distance": "mahalanobis"},
    "caliper": {"caliper": 0.05},
    "at most five": {"max_controls": 5},
    "bounded both ways": {"max_controls": 12, "min_controls": 0.25},
}


@pytest.mark.parametrize("case", FULL)
def test_full_sets_are_the_linear_programs(
    case: str, third: tuple[pd.DataFrame, np.ndarray]
) -> None:
    lalonde, score = third
    asked = {"distance": score, **FULL[case]}
    points = whitened(lalonde, COVARIATES) if case == "mahalanobis" else score
    found = baseeval.match(lalonde, treated="treat", covariates=COVARIATES, method="full", **asked)
    cost = table_of(points, lalonde)
    if "caliper" in asked:
        cost[cost > asked["caliper"] * score.std(ddof=1)] = np.inf
    high = asked.get("max_controls", np.inf), 1 / asked.get("min_controls", np.nan)
    second = (1, high[1] if np.isfinite(high[1]) else np.inf)
    assert_allclose(
        total(found, points), least_total(cost, (1, high[0]), second), rtol=0, atol=1e-8
    )
    pairs, subclass = found.pairs, found.subclass
    assert pairs is not None
    assert subclass is not None
    # Sets are stars that hold every row who may have a partner, and no one else.
    sizes = np.array([np.bincount(subclass[(subclass >= 0) & (found.arm == a)]) for a in (0, 1)])
    assert (sizes.min(axis=0) == 1).all()
    assert len(pairs) == (sizes.sum(axis=0) - 1).sum()
    assert sizes[1].max() <= high[0]
    assert not sizes[0].max() > second[1]
    reachable = np.append(np.isfinite(cost).any(axis=1), np.isfinite(cost).any(axis=0))
    order = np.append(np.flatnonzero(found.arm == 0), np.flatnonzero(found.arm == 1))
    assert_allclose((subclass >= 0)[order], reachable)
    assert_allclose(found.weights > 0, subclass >= 0)


def test_weights_of_full_matching_by_estimand(lalonde: pd.DataFrame, score: np.ndarray) -> None:
    """By hand from the sets: n_s / n_1s and n_s / n_0s, then a mean of one in each arm."""
    found = {
        estimand: baseeval.match(
            lalonde,
            treated="treat",
            covariates=COVARIATES,
            method="full",
            distance=score,
            estimand=estimand,
        )
        for estimand in ("ATT", "ATC", "ATE")
    }
    table = pd.DataFrame({"set": found["ATE"].subclass, "one": lalonde.treat.to_numpy() == 1})
    ones = table.groupby("set").one.transform("sum")
    size = table.groupby("set").one.transform("size")
    both = np.where(table.one, size / ones, size / (size - ones))
    other = np.where(table.one, 1.0, ones / (size - ones))
    control = np.where(table.one, (size - ones) / ones, 1.0)
    for estimand, weights in (("ATE", both), ("ATT", other), ("ATC", control)):
        for arm in (True, False):
            mine = weights[table.one == arm]
            assert_allclose(
                found[estimand].weights[table.one == arm], mine / mine.mean(), rtol=1e-10
            )


def test_the_only_optimum_is_found_pair_for_pair() -> None:
    """Both want `c`. That `b` has it costs 0.08 + 0.18; that `a` has, 0.02 + 0.3."""
    frame = pd.DataFrame(
        {"base": [1, 1, 0, 0, 0], "score": [0.5, 0.6, 0.52, 0.32, 0.9]}, index=list("abcde")
    )
    found = baseeval.match(
        frame,
        treated="base",
        covariates=["score"],
        method="optimal",
        distance=frame.score.to_numpy(),
    )
    assert found.pairs is not None
    pairs = dict(zip(found.pairs.first_id, found.pairs.second_id, strict=True))
    assert pairs == {"a": "d", "b": "c"}

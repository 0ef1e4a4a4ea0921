"""Matching against a naive search over every pair, and what holds of every design."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import baseeval
from baseeval.errors import EstimationError
from baseeval.numerics.nearest import match_nearest

PROFILE = settings(max_examples=40, deadline=None, derandomize=True)
FEWER = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
# Six scores, all exact in binary: ties within and between the arms are the rule here.
tied = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.625, 1.0])


@st.composite
def problems(draw: Any) -> dict[str, Any]:
    n = draw(st.integers(2, 24))
    score = np.array(draw(st.lists(tied, min_size=n, max_size=n)))
    if draw(st.booleans()):
        score = score + np.random.default_rng(draw(seeds)).normal(size=n)
    treated = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    order = np.array(draw(st.permutations(np.flatnonzero(treated).tolist())), dtype=np.intp)
    strata = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), dtype=np.intp)
    return {
        "score": score,
        "treated": treated,
        "order": order,
        "strata": strata * draw(st.integers(0, 1)),
        "ratio": draw(st.integers(1, 3)),
        "replace": draw(st.booleans()),
        "caliper": draw(st.sampled_from([np.inf, 0.125, 0.2, 0.0])),
    }


def naive(
    score: np.ndarray,
    treated: np.ndarray,
    order: np.ndarray,
    strata: np.ndarray,
    ratio: int,
    replace: bool,
    caliper: float,
) -> list[list[int]]:
    """Search every control for every treated row, by MatchIt's rules of nearness.

    Of equally near controls the one earlier in the order of (score, row) is on the left and goes
    first; of those of one score, the nearest in that order.
    """
    place = np.empty(len(score), dtype=int)
    place[np.lexsort([np.arange(len(score)), score])] = np.arange(len(score))
    taken: set[int] = set()
    own: dict[int, set[int]] = {int(row): set() for row in order}
    pairs, choosing = [], [int(row) for row in order]
    for _ in range(ratio):
        lucky = []
        for row in choosing:
            best = min(
                (
                    (
                        abs(score[c] - score[row]),
                        place[c] > place[row],
                        abs(place[c] - place[row]),
                        c,
                    )
                    for c in map(int, np.flatnonzero(~treated))
                    if strata[c] == strata[row]
                    and c not in (own[row] if replace else taken)
                    and abs(score[c] - score[row]) <= caliper
                ),
                default=None,
            )
            if best is not None:
                pairs.append([row, best[-1]])
                lucky.append(row)
                own[row].add(best[-1])
                taken.add(best[-1])
        choosing = lucky
    return pairs


@PROFILE
@given(problem=problems())
def test_nearest_is_the_naive_search(problem: dict[str, Any]) -> None:
    positional = [problem.pop(key) for key in ("score", "treated", "order", "strata")]
    found = match_nearest(*positional, **problem)
    assert found.tolist() == naive(*positional, **problem)


@PROFILE
@given(problem=problems())
def test_what_holds_of_every_match(problem: dict[str, Any]) -> None:
    score, treated, strata = problem["score"], problem["treated"], problem["strata"]
    positional = [problem.pop(key) for key in ("score", "treated", "order", "strata")]
    pairs = match_nearest(*positional, **problem)
    one, two = pairs[:, 0], pairs[:, 1]
    assert treated[one].all()
    assert not treated[two].any()
    assert (strata[one] == strata[two]).all()
    assert (np.abs(score[one] - score[two]) <= problem["caliper"]).all()
    assert np.bincount(one, minlength=1).max(initial=0) <= problem["ratio"]
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    if not problem["replace"]:
        assert len(np.unique(two)) == len(two)


# ---- designs on tables --------------------------------------------------------------------------
def pupils(seed: int, n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(11, 2, size=n),
            "prior": rng.integers(0, 8, size=n).astype(float),
            "need": rng.choice(["autism", "speech", "other"], size=n),
        }
    )
    logit = 0.25 * (frame.age - 11) + 0.1 * (frame.prior - 4) + 0.3 * (frame.need == "autism") - 0.5
    frame["base"] = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    frame["outcome"] = frame.prior + frame.base + rng.normal(size=n)
    frame["school"] = rng.integers(0, 12, size=n)
    return frame


COVARIATES = ["age", "prior", "need"]
METHODS = [
    (method, estimand)
    for method, estimands in {
        "entropy": ["ATT", "ATC", "ATE"],
        "propensity": ["ATT", "ATC", "ATE", "ATO"],
    }.items()
    for estimand in estimands
]


def hajek(frame: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    fit = baseeval.fit_linear("outcome ~ base", frame, weights=weights, cluster="school")
    return fit.fixed.loc[1, ["estimate", "std_error", "df"]].to_numpy(dtype=float)


@pytest.mark.parametrize(("method", "estimand"), METHODS)
@settings(FEWER, max_examples=4)
@given(seed=seeds)
def test_what_holds_of_every_weighting(method: str, estimand: str, seed: int) -> None:
    frame = pupils(seed)
    try:
        made = baseeval.weight(
            frame, treated="base", covariates=COVARIATES, method=method, estimand=estimand
        )
    except EstimationError:  # no such weights exist for these pupils
        assume(False)
    w, treated = made.weights, frame.base.to_numpy() == 1
    assert (w > 0).all()
    if estimand == "ATT":
        assert (w[treated] == 1).all()
    if estimand == "ATC":
        assert (w[~treated] == 1).all()
    columns = made.covariates
    means = [np.average(columns[g], axis=0, weights=w[g]) for g in (treated, ~treated)]
    if method == "entropy":
        target = {"ATT": treated, "ATC": ~treated}.get(estimand, np.ones(len(w), dtype=bool))
        whole = columns[target].mean(axis=0)
        assert_allclose(means, [whole, whole], atol=1e-8)
    if estimand == "ATO":
        # Li, Morgan and Zaslavsky (2018), theorem 3: overlap weights balance means exactly.
        assert_allclose(means[0], means[1], atol=1e-8)
    order = np.random.default_rng(seed).permutation(len(frame))
    moved = baseeval.weight(
        frame.iloc[order], treated="base", covariates=COVARIATES, method=method, estimand=estimand
    )
    assert_allclose(moved.weights, w[order], rtol=1e-6)
    wide = frame.assign(again=3 * frame.age - 2)
    more = baseeval.weight(
        wide, treated="base", covariates=[*COVARIATES, "again"], method=method, estimand=estimand
    )
    assert_allclose(more.weights, w, rtol=1e-6)
    assert_allclose(hajek(frame, 2 * w), hajek(frame, w), rtol=1e-9)
    mean = [np.average(frame.outcome[g], weights=w[g]) for g in (treated, ~treated)]
    assert_allclose(hajek(frame, w)[0], mean[0] - mean[1], rtol=1e-9, atol=1e-12)
    higher = frame.assign(outcome=frame.outcome + 100)
    assert_allclose(hajek(higher, w), hajek(frame, w), rtol=1e-7)


@FEWER
@given(seed=seeds, ratio=st.integers(1, 3), replace=st.booleans(), strict=st.booleans())
def test_what_holds_of_every_matched_table(
    seed: int, ratio: int, replace: bool, strict: bool
) -> None:
    frame = pupils(seed)
    options: dict[str, Any] = {
        "treated": "base",
        "covariates": COVARIATES,
        "ratio": ratio,
        "replace": replace,
        "caliper": 0.3,
        "exact": ["need"] if strict else None,
    }
    try:
        made = baseeval.match(frame, **options)
    except EstimationError:
        assume(False)
    assert made.pairs is not None
    assert made.propensity is not None
    one, two = made.pairs.first_row.to_numpy(), made.pairs.second_row.to_numpy()
    treated = frame.base.to_numpy() == 1
    width = 0.3 * made.propensity.std(ddof=1)
    assert (np.abs(made.propensity[one] - made.propensity[two]) <= width).all()
    if strict:
        assert (frame.need.to_numpy()[one] == frame.need.to_numpy()[two]).all()
    if not replace:
        assert len(set(two)) == len(two)
    assert set(np.flatnonzero(made.weights[treated])) == set(
        np.searchsorted(np.flatnonzero(treated), np.unique(one))
    )
    assert (made.weights[np.unique(one)] == 1).all()
    assert_allclose(made.weights[~treated].sum(), len(set(two)))
    shares = np.zeros(len(frame))
    partners = np.bincount(one, minlength=len(frame))
    np.add.at(shares, two, 1 / partners[one])
    used = ~treated & (shares > 0)
    assert_allclose(np.ptp(made.weights[used] / shares[used]), 0, atol=1e-9)
    # Every matched pupil's partners share one pupil's weight, so the mean of the partners' means
    # is the weighted mean of the comparison arm.
    mean = np.mean([frame.age.to_numpy()[two[one == row]].mean() for row in np.unique(one)])
    assert_allclose(np.average(frame.age[~treated], weights=made.weights[~treated]), mean)


@FEWER
@given(seed=seeds)
def test_row_order_never_changes_a_match_without_ties(seed: int) -> None:
    frame = pupils(seed)
    frame["score"] = np.random.default_rng(seed).normal(size=len(frame))
    order = np.random.default_rng(seed + 1).permutation(len(frame))
    pairs = []
    for table in (frame, frame.iloc[order]):
        made = baseeval.match(
            table, treated="base", covariates=["age"], distance=table.score.to_numpy(), ratio=2
        )
        assert made.pairs is not None
        pairs.append(set(zip(made.pairs.first_id, made.pairs.second_id, strict=True)))
    assert pairs[0] == pairs[1]


def fails_to_balance(frame: pd.DataFrame) -> bool:
    try:
        baseeval.weight(frame, treated="base", covariates=COVARIATES, estimand="ATC")
    except EstimationError:
        return True
    return False


@FEWER
@given(seed=seeds)
def test_atc_is_att_of_the_other_arm(seed: int) -> None:
    frame = pupils(seed)
    frame["host"] = 1 - frame.base
    assume(not fails_to_balance(frame))
    for call, method in ((baseeval.weight, "entropy"), (baseeval.weight, "propensity")):
        atc = call(frame, treated="base", covariates=COVARIATES, method=method, estimand="ATC")
        att = call(frame, treated="host", covariates=COVARIATES, method=method, estimand="ATT")
        assert_allclose(atc.weights, att.weights, rtol=1e-8)
    score = frame.age.to_numpy()
    atc = baseeval.match(frame, treated="base", covariates=["age"], distance=score, estimand="ATC")
    att = baseeval.match(
        frame, treated="host", covariates=["age"], distance=score, order="smallest"
    )
    assert_allclose(atc.weights, att.weights)

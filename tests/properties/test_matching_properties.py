"""Nearest-neighbour matching against a naive search over every pair, whatever is asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import baseeval
from baseeval.errors import EstimationError
from baseeval.numerics.mahalanobis import match_mahalanobis, whiten
from baseeval.numerics.nearest import match_nearest
from baseeval.numerics.restrictions import Limit, Restrictions

PROFILE = settings(max_examples=150, deadline=None, derandomize=True)
FEWER = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
# Exact in binary, and few: ties within and between the arms are the rule here.
tied = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.625, 1.0])
PRIORITIES = ["given", "closest", "farthest"]

Ranking = Callable[[int, int], tuple[Any, ...]]


@st.composite
def problems(draw: Any) -> dict[str, Any]:
    n = draw(st.integers(2, 22))

    def rows(values: Any) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)))

    treated = rows(st.booleans())
    order = np.array(draw(st.permutations(np.flatnonzero(treated).tolist())), dtype=np.intp)
    wanted = st.lists(st.integers(0, 4), min_size=len(order), max_size=len(order))
    limits = [
        Limit(rows(tied), draw(st.sampled_from([0.25, 0.5, -0.125])))
        for _ in range(draw(st.integers(0, 2)))
    ]
    apart = [rows(st.integers(0, 2)) for _ in range(draw(st.integers(0, 1)))]
    return {
        "treated": treated,
        "order": order,
        "strata": rows(st.integers(0, 2)) * draw(st.integers(0, 1)),
        "ratio": np.array(draw(st.one_of(st.integers(1, 3), wanted)), dtype=np.intp),
        "replace": draw(st.booleans()),
        "reuse": draw(st.sampled_from([None, 1, 2])),
        "priority": draw(st.sampled_from(PRIORITIES)),
        "restrictions": Restrictions(tuple(limits), tuple(apart)),
    }


def naive(problem: dict[str, Any], rank: Ranking) -> list[list[int]]:
    """Search every control for everybody who chooses, at every choice."""
    order, strata = problem["order"].tolist(), problem["strata"]
    most = (problem["reuse"] or np.inf) if problem["replace"] else 1
    wanted = np.broadcast_to(problem["ratio"], len(order)).tolist()
    rules = problem["restrictions"]
    uses: Counter[int] = Counter()
    own = defaultdict[int, set[int]](set)

    def best(k: int) -> tuple[Any, ...] | None:
        row = order[k]
        return min(
            (
                (*rank(row, c), c)
                for c in np.flatnonzero(~problem["treated"]).tolist()
                if strata[c] == strata[row]
                and uses[c] < most
                and c not in own[row]
                and np.isfinite(rank(row, c)[0])
                and all(
                    (abs(x.values[c] - x.values[row]) <= x.width)
                    if x.width >= 0
                    else abs(x.values[c] - x.values[row]) > -x.width
                    for x in rules.limits
                )
                and all(codes[c] != codes[row] for codes in rules.apart)
            ),
            default=None,
        )

    pairs: list[list[int]] = []

    def give(k: int, found: tuple[Any, ...]) -> None:
        pairs.append([order[k], found[-1]])
        own[order[k]].add(found[-1])
        uses[found[-1]] += 1

    turn, asked = 0, [k for k in range(len(order)) if wanted[k] > 0]
    while asked:
        lucky = []
        if problem["priority"] == "given":
            for k in asked:
                if found := best(k):
                    give(k, found)
                    lucky.append(k)
        else:
            sign = 1 if problem["priority"] == "closest" else -1
            waiting = {k: found for k in asked if (found := best(k))}
            while waiting:
                k = min(waiting, key=lambda k: (sign * waiting[k][0], k))
                found = best(k)
                if found is None:
                    del waiting[k]
                elif found == waiting[k]:
                    give(k, waiting.pop(k))
                    lucky.append(k)
                else:
                    waiting[k] = found
        turn += 1
        asked = [k for k in sorted(lucky) if wanted[k] > turn]
    return pairs


def places(along: np.ndarray) -> np.ndarray:
    place = np.empty(len(along), dtype=int)
    place[np.lexsort([np.arange(len(along)), along])] = np.arange(len(along))
    return place


@PROFILE
@given(problem=problems(), data=st.data())
def test_matching_on_a_score_is_the_naive_search(problem: dict[str, Any], data: Any) -> None:
    n = len(problem["treated"])
    score = np.array(data.draw(st.lists(tied, min_size=n, max_size=n)))
    if data.draw(st.booleans()):
        score = score + np.random.default_rng(data.draw(seeds)).normal(size=n)
    caliper = data.draw(st.sampled_from([np.inf, 0.125, 0.2, 0.0]))
    place = places(score)

    def rank(row: int, c: int) -> tuple[Any, ...]:
        distance = abs(score[c] - score[row])
        out = np.inf if distance > caliper else distance
        return out, place[c] > place[row], abs(place[c] - place[row])

    assert match_nearest(score, caliper=caliper, **problem).tolist() == naive(problem, rank)


@PROFILE
@given(problem=problems(), data=st.data())
def test_matching_on_mahalanobis_distance_is_the_naive_search(
    problem: dict[str, Any], data: Any
) -> None:
    n, p = len(problem["treated"]), data.draw(st.integers(1, 3))
    row = st.lists(st.integers(0, 3), min_size=p, max_size=p)
    columns = np.array(data.draw(st.lists(row, min_size=n, max_size=n)), dtype=float)
    first = problem["treated"]
    assume(0 < first.sum() < n)
    within = columns.copy()
    for arm in (first, ~first):
        within[arm] -= within[arm].mean(axis=0)
    assume(np.ptp(within) > 1e-9)
    inverse = np.linalg.pinv(within.T @ within / (n - 1), rcond=1e-10, hermitian=True)
    whitened = whiten(columns, first)
    place = places(whitened.along)

    def rank(row: int, c: int) -> tuple[Any, ...]:
        apart = columns[c] - columns[row]
        distance = round(float(np.sqrt(max(0.0, apart @ inverse @ apart))), 7)
        return distance, place[c] > place[row], -abs(place[c] - place[row])

    assert match_mahalanobis(whitened, **problem).tolist() == naive(problem, rank)


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("replace", [False, True])
def test_long_searches_are_the_naive_search(priority: str, replace: bool) -> None:
    """A second variable that few are alike in, so that a search passes thousands of slots."""
    rng = np.random.default_rng(5)
    n = 9000
    treated = np.arange(n) % 900 == 0
    score, age = rng.random(n), rng.integers(0, 3000, n).astype(float)
    problem = {
        "treated": treated,
        "order": np.flatnonzero(treated),
        "strata": np.zeros(n, dtype=np.intp),
        "ratio": 2,
        "replace": replace,
        "reuse": None,
        "priority": priority,
        "restrictions": Restrictions((Limit(age, 0.0),)),
    }
    place = places(score)
    found = match_nearest(score, **problem)
    assert len(found) > 10
    controls = np.flatnonzero(~treated)
    apart = np.abs(place[found[:, 0]] - place[found[:, 1]])
    assert apart.max() > 4200, "no search was long"

    def rank(row: int, c: int) -> tuple[Any, ...]:
        return abs(score[c] - score[row]), place[c] > place[row]

    alike = {int(r): controls[age[controls] == age[r]] for r in problem["order"]}
    few = np.zeros(n, dtype=bool)
    few[np.concatenate(list(alike.values()))] = True
    short = {**problem, "treated": ~few}
    assert found.tolist() == naive(short, rank)


def test_the_loop_of_the_nation_is_the_general_one() -> None:
    """Crowded, tied, in many strata; a limit that never binds sends it the other way."""
    rng = np.random.default_rng(11)
    n = 6000
    treated = rng.random(n) < 0.4
    score = np.round(rng.normal(size=n) + treated, 3)
    strata = rng.integers(0, 40, n)
    rows = np.flatnonzero(treated)
    order = rows[np.argsort(-score[rows], kind="stable")]
    never = Restrictions((Limit(score, 1e9),))
    for ratio in (1, 3):
        fast, general = (
            match_nearest(score, treated, order, strata, ratio=ratio, caliper=0.5, restrictions=r)
            for r in (Restrictions(), never)
        )
        assert len(fast) > 1000
        assert (fast == general).all()


# ---- whole tables -------------------------------------------------------------------------------
def pupils(seed: int, n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(11, 2, size=n),
            "prior": rng.normal(100, 15, size=n),
            "need": rng.choice(["autism", "speech", "other"], size=n),
            "area": rng.choice(["north", "south"], size=n),
        }
    )
    logit = 0.3 * (frame.age - 11) + 0.03 * (frame.prior - 100) - 0.5
    frame["base"] = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    return frame


REQUESTS: list[dict[str, Any]] = [
    {"order": "largest", "ratio": 2},
    {"order": "smallest", "replace": True, "ratio": 2},
    {"order": "closest", "exact": ["need"]},
    {"order": "farthest", "reuse": 2, "anti_exact": ["area"]},
    {"distance": "linear_logit", "estimand": "ATC", "min_controls": 1, "max_controls": 4},
    {"distance": "mahalanobis", "order": "closest", "exact": ["need"]},
    {"mahalanobis": ["age", "prior"], "anti_exact": ["area"]},
]


@pytest.mark.parametrize("request_", REQUESTS)
@FEWER
@given(seed=seeds)
def test_what_holds_of_every_request(request_: dict[str, Any], seed: int) -> None:
    """No pair crosses a stratum, a caliper or what it must not share; row order has no part."""
    frame = pupils(seed)
    caliper = {"age": 2.0, "prior": 1.5} | ({} if "distance" in request_ else {"": 0.5})
    options: dict[str, Any] = {
        "treated": "base",
        "covariates": ["age", "prior", "need"],
        "caliper": caliper,
        "caliper_unit": {"age": "raw"},
    } | request_
    options["ratio"] = 1.5 if "min_controls" in request_ else request_.get("ratio", 1)
    if "min_controls" in request_:
        few = frame.base.mean()
        options["estimand"] = "ATC" if few > 0.5 else "ATT"
        assume(max(few, 1 - few) > 0.61)
    order = np.random.default_rng(seed).permutation(len(frame))
    made = []
    for table in (frame, frame.iloc[order]):
        try:
            made.append(baseeval.match(table, **options))
        except EstimationError:
            assume(False)
    pairs = made[0].pairs
    assert pairs is not None
    assert made[1].pairs is not None
    one, two = frame.iloc[pairs.first_row], frame.iloc[pairs.second_row]
    assert (one.base == 1).all()
    assert (two.base == 0).all()
    assert (np.abs(one.age.to_numpy() - two.age.to_numpy()) <= 2).all()
    width = 1.5 * frame.prior.std()
    assert (np.abs(one.prior.to_numpy() - two.prior.to_numpy()) <= width).all()
    if "exact" in options:
        assert (one.need.to_numpy() == two.need.to_numpy()).all()
    if "anti_exact" in options:
        assert (one.area.to_numpy() != two.area.to_numpy()).all()
    if "" in caliper:
        p = made[0].propensity
        assert p is not None
        apart = np.abs(p[pairs.first_row] - p[pairs.second_row])
        assert (apart <= 0.5 * p.std(ddof=1) + 1e-11).all()
    focal, other = (
        (pairs.second_row, pairs.first_row)
        if options.get("estimand") == "ATC"
        else (pairs.first_row, pairs.second_row)
    )
    assert focal.value_counts().max() <= options.get("max_controls", options["ratio"])
    most = options.get("reuse") or (len(frame) if options.get("replace") else 1)
    assert other.value_counts().max() <= most
    found = [set(zip(m.pairs.first_id, m.pairs.second_id, strict=True)) for m in made]
    assert found[0] == found[1]


@FEWER
@given(seed=seeds)
def test_a_random_order_is_the_seed_s(seed: int) -> None:
    frame = pupils(seed)
    options: dict[str, Any] = {"treated": "base", "covariates": ["age"], "order": "random"}
    one, same, other = (
        baseeval.match(frame, distance=frame.prior.to_numpy(), seed=s, **options).pairs
        for s in (1, 1, 2)
    )
    assert one is not None
    assert other is not None
    assert one.equals(same)
    assert not one.equals(other)

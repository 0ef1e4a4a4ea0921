"""What holds of every optimal matching: its bound, the linear program, one answer by two ways."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog

import baseeval
import baseeval.numerics.optimal as optimal
from baseeval.errors import EstimationError
from baseeval.numerics.full_matching import match_fully
from baseeval.numerics.optimal import fill_slots
from baseeval.numerics.optimal_pairs import empty_slots, pair_optimally
from baseeval.numerics.pair_costs import PairCosts
from baseeval.numerics.restrictions import Limit, Restrictions

PROFILE = settings(max_examples=30, deadline=None, derandomize=True)
FEWER = settings(max_examples=20, deadline=None, derandomize=True)
# Scores that are exact in binary, so that ties and rows at no distance are common.
tied = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.625, 1.0])


@st.composite
def problems(draw: Any, most: int = 7) -> PairCosts:
    f, s = draw(st.integers(1, most)), draw(st.integers(1, most))
    across = draw(st.integers(1, 2))
    values = draw(st.lists(tied, min_size=(f + s) * across, max_size=(f + s) * across))
    points = np.array(values).reshape(f + s, across)
    if draw(st.booleans()):
        points = points + np.random.default_rng(draw(st.integers(0, 999))).normal(size=points.shape)
    limits = (Limit(points[:, 0], draw(st.sampled_from([0.0, 0.2, 0.5]))),)
    codes = np.array(draw(st.lists(st.integers(0, 3), min_size=f + s, max_size=f + s)))
    restrictions = draw(
        st.sampled_from(
            [
                Restrictions(),
                Restrictions(limits),
                Restrictions(apart=(codes,)),
                Restrictions(limits, (codes,)),
            ]
        )
    )
    return PairCosts(points, np.arange(f), f + np.arange(s), restrictions)


def all_costs(costs: PairCosts) -> np.ndarray:
    return costs.block(slice(0, costs.shape[0]))


@PROFILE
@given(costs=problems(), ratio=st.integers(1, 3))
def test_the_bound_holds_of_all_pairs(costs: PairCosts, ratio: int) -> None:
    """Prices are not negative, values are within reach of no pair, and the sums meet."""
    found = pair_optimally(costs, ratio)
    table = all_costs(costs)
    assert found.certified
    assert (found.prices >= 0).all()
    reached = (table + found.prices).min(axis=1)
    assert_allclose(found.values, reached, rtol=1e-12, atol=1e-12)
    penalties = empty_slots(costs, ratio)
    degree = np.bincount(found.first, minlength=costs.shape[0])
    spent = found.cost.sum() + penalties[np.arange(ratio) >= degree[:, None]].sum()
    bound = np.minimum(reached[:, None], penalties).sum() - found.prices.sum()
    assert_allclose(spent, bound, rtol=1e-9, atol=1e-9)
    assert_allclose(found.cost, table[found.first, found.second])
    assert np.isfinite(found.cost).all()
    assert degree.max() <= ratio
    assert len(np.unique(found.second)) == len(found.second)


@PROFILE
@given(costs=problems(most=4))
def test_pairs_are_the_best_of_all_that_there_are(costs: PairCosts) -> None:
    """Every assignment tried: the most pairs, and of these the least distance."""
    table = all_costs(costs)
    if table.shape[0] > table.shape[1]:
        table = table.T
    tried = []
    for columns in permutations(range(table.shape[1]), table.shape[0]):
        chosen = table[np.arange(len(columns)), columns]
        made = np.isfinite(chosen)
        tried.append((-int(made.sum()), float(chosen[made].sum())))
    found = pair_optimally(costs)
    best = min(tried)
    assert len(found.cost) == -best[0]
    assert_allclose(found.cost.sum(), min(c for m, c in tried if m == best[0]), atol=1e-12)


@PROFILE
@given(costs=problems(), ratio=st.integers(1, 3))
def test_a_line_by_heaps_and_by_arcs(costs: PairCosts, ratio: int) -> None:
    line = PairCosts(costs.points[:, :1], costs.first, costs.second)
    by_heaps = pair_optimally(line, ratio)
    by_arcs = fill_slots(line, empty_slots(line, ratio))
    assert by_heaps.certified
    assert by_arcs.certified
    degrees = [np.bincount(each.first, minlength=line.shape[0]) for each in (by_heaps, by_arcs)]
    assert sorted(degrees[0]) == sorted(degrees[1])
    assert_allclose(by_heaps.cost.sum(), by_arcs.cost.sum(), atol=1e-12)


@FEWER
@given(seed=st.integers(0, 9999), ratio=st.integers(1, 2))
def test_a_short_list_finds_what_all_arcs_find(seed: int, ratio: int) -> None:
    """With a list so short that it must grow, the answer is that of all arcs at once."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 2)) + np.repeat([[2.0, 1.0], [0.0, 0.0]], [25, 35], axis=0)
    limit = Restrictions((Limit(points[:, 1], float(rng.uniform(0.5, 3))),))
    costs = PairCosts(points, np.arange(25), np.arange(25, 60), limit)
    whole = pair_optimally(costs, ratio)
    kept = optimal._SMALL, optimal._FEW
    optimal._SMALL, optimal._FEW = 0, 2
    try:
        grown = pair_optimally(costs, ratio)
    finally:
        optimal._SMALL, optimal._FEW = kept
    assert grown.certified
    assert len(grown.cost) == len(whole.cost)
    assert_allclose(grown.cost.sum(), whole.cost.sum(), rtol=1e-12)


@PROFILE
@given(
    costs=problems(),
    least=st.sampled_from([None, 1.0, 0.5, 1 / 3, 2.0]),
    most=st.sampled_from([None, 1, 2, 3]),
)
def test_full_sets_are_the_linear_program(
    costs: PairCosts, least: float | None, most: int | None
) -> None:
    assume(most is None or least is None or least <= most)
    table = all_costs(costs)
    row, column = np.nonzero(np.isfinite(table))
    assume(len(row) > 0)
    found = match_fully(costs, least, most)
    low = 1 if least is None else max(1, int(least))
    high = np.inf if least is None else max(1, round(1 / least))
    rules, limits = [], []
    for ends, floor, ceiling in ((row, low, most or np.inf), (column, 1, high)):
        degree = (np.unique(ends)[:, None] == ends).astype(float)
        rules += [-degree, degree]
        limits += [np.full(len(degree), -floor), np.full(len(degree), min(ceiling, len(row)))]
    best = linprog(
        table[row, column], np.vstack(rules), np.concatenate(limits), bounds=(0, 1), method="highs"
    )
    assert found.certified
    assert (found.short == (0, 0)) == (best.status == 0)
    if best.status:
        return
    assert_allclose(found.distance, best.fun, atol=1e-9)
    # Stars only: no pair both of whose ends have another partner.
    one, two = np.bincount(found.first)[found.first], np.bincount(found.second)[found.second]
    assert ((one == 1) | (two == 1)).all()
    assert (found.set_first[found.first] == found.set_second[found.second]).all()
    assert ((found.set_first >= 0) == np.isfinite(table).any(axis=1)).all()
    assert ((found.set_second >= 0) == np.isfinite(table).any(axis=0)).all()
    if least is None and most is None:
        together = found.value_first[:, None] + found.value_second
        assert (together <= table + 1e-12).all()
        assert min(found.value_first.min(), found.value_second.min()) >= -1e-12
        assert_allclose(found.value_first.sum() + found.value_second.sum(), best.fun, atol=1e-9)


# ---- designs on tables --------------------------------------------------------------------------
@FEWER
@given(
    seed=st.integers(0, 9999),
    method=st.sampled_from(["optimal", "full"]),
    estimand=st.sampled_from(["ATT", "ATC"]),
)
def test_strata_calipers_and_the_order_of_rows(seed: int, method: str, estimand: str) -> None:
    """Partners share a stratum and a caliper; rows in another order have the same distance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "base": rng.integers(0, 2, 40),
            "need": rng.choice(["autism", "speech", "other"], 40),
            "prior": rng.normal(size=40),
        }
    )
    frame.loc[:1, "base"] = [0, 1]
    frame.loc[:1, ["need", "prior"]] = ["autism", 0.0]
    asked: dict[str, Any] = {
        "treated": "base",
        "covariates": ["prior"],
        "method": method,
        "estimand": estimand,
        "exact": ["need"],
        "caliper": 0.4,
    }
    totals = []
    for order in (np.arange(40), rng.permutation(40)):
        rows = frame.iloc[order].reset_index(drop=True)
        found = baseeval.match(rows, distance=rows.prior.to_numpy(), **asked)
        assert found.pairs is not None
        first, second = (rows.iloc[found.pairs[end]] for end in ("first_row", "second_row"))
        assert (first.base == 1).all()
        assert (second.base == 0).all()
        assert (first.need.to_numpy() == second.need.to_numpy()).all()
        apart = np.abs(first.prior.to_numpy() - second.prior.to_numpy())
        assert (apart <= 0.4 * frame.prior.std()).all()
        assert found.subclass is not None
        assert_allclose(found.weights > 0, found.subclass >= 0)
        for arm in (0, 1):
            held = found.weights[(found.arm == arm) & (found.weights > 0)]
            assert_allclose(held.mean(), 1.0)
        totals.append((len(apart), apart.sum()))
    assert totals[0][0] == totals[1][0]
    assert_allclose(totals[0][1], totals[1][1], rtol=1e-10)


@FEWER
@given(
    seed=st.integers(0, 9999),
    tolerance=st.sampled_from([0.05, 0.2]),
    asked=st.sampled_from(
        [
            {},
            {"ratio": 2},
            {"estimand": "ATC"},
            {"profile": True},
            {"estimand": "ATE", "profile": True},
        ]
    ),
)
def test_cardinality_keeps_its_word(seed: int, tolerance: float, asked: dict[str, Any]) -> None:
    """Means are as near as was promised, and the ratio is what was asked for."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(size=60), "fsm": rng.integers(0, 2, 60)})
    frame["base"] = (rng.random(60) < 1 / (1 + np.exp(1 - frame.age))).astype(int)
    assume(8 <= frame.base.sum() <= 30)
    try:
        found = baseeval.match(
            frame,
            treated="base",
            covariates=["age", "fsm"],
            method="cardinality",
            tolerance=tolerance,
            time_limit=5.0,
            **asked,
        )
    except EstimationError:
        assume(False)
    assert set(np.unique(found.weights)) <= {0.0, 1.0}
    kept = found.weights > 0
    sizes = [int(np.sum(kept & (found.arm == arm))) for arm in (0, 1)]
    table = baseeval.check_balance(found).table
    estimand, profile = asked.get("estimand", "ATT"), asked.get("profile", False)
    if estimand == "ATE":
        for arm in (0, 1):
            mine = frame[kept & (found.arm == arm)]
            apart = np.abs(mine[["age", "fsm"]].mean() - frame[["age", "fsm"]].mean())
            sd = (table.mean_first_before - table.mean_second_before) / table.smd_before
            assert (apart.to_numpy() <= tolerance * sd.to_numpy() + 1e-9).all()
        return
    assert (table.smd_after.abs() <= tolerance + 1e-9).all()
    if profile:
        assert sizes[0] == frame.base.sum()
    else:
        more, fewer = (sizes[0], sizes[1]) if estimand == "ATC" else (sizes[1], sizes[0])
        assert more == asked.get("ratio", 1) * fewer

"""The likelihood of any random terms against whole matrices, and what must not change it."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.crossed import CrossedLikelihood, crossed_likelihood
from baseeval.numerics.mixed_models.crossed_building import own_pattern, square_of
from baseeval.numerics.mixed_models.crossed_coupling import DenseCoupling, list_pairs
from baseeval.numerics.mixed_models.crossed_fronts import front_rest
from baseeval.numerics.mixed_models.crossed_ordering import plan_elimination
from baseeval.numerics.mixed_models.crossed_rest import DenseRest
from baseeval.numerics.mixed_models.fitting import fit_likelihood
from baseeval.numerics.mixed_models.likelihood import deviance, free_rows, gradient
from baseeval.numerics.mixed_models.templates import Layout, diagonal_template, full_template

HELPER: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "dense_likelihood.py"))
DenseLikelihood = HELPER["DenseLikelihood"]
WAYS = ["dense", "listed", "fronts"]


def draw_rows(seed: int, levels: list[int], weighted: bool) -> Block:
    """Rows in several factors; the last term is a second one over the first factor's levels."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 70))
    x = np.column_stack([np.ones(n), rng.normal(50, 3, n), rng.normal(size=n), np.full(n, 2.0)])
    groups = [np.unique(rng.integers(0, g, n), return_inverse=True)[1] for g in levels]
    groups.append(groups[0])
    z = [
        np.ones((n, 1)),
        np.column_stack([np.ones(n), x[:, 2]]),
        (rng.random((n, 1)) < 0.3).astype(float),
    ]
    chosen = [z[place % len(z)] for place in range(len(levels))]
    weights = rng.uniform(0.3, 3.0, n) if weighted else None
    y = x[:, :3] @ [1.0, 2.0, 3.0] + rng.normal(size=n)
    return Block(x, y, (*chosen, x[:, [2]]), tuple(groups), weights)


def layout_of(rows: Block) -> Layout:
    widths = [z.shape[1] for z in rows.z]
    return Layout((*(full_template(q) for q in widths[:-1]), diagonal_template([0])))


def by_way(rows: Block, layout: Layout, way: str) -> CrossedLikelihood:
    """The likelihood with its remaining effects dealt with in a given way."""
    found = crossed_likelihood(rows, layout, 0)
    first, *others = found.factors
    if not others:
        return found
    z = sparse.csr_matrix(sparse.hstack([factor.incidence() for factor in others]))
    table = sparse.csr_matrix(first.incidence(rows.weights).T @ z)
    square = square_of(z, rows.weights)
    levels = tuple(factor.levels for factor in others)
    widths = tuple(factor.width for factor in others)
    if way == "dense":
        coupling = DenseCoupling(table.toarray(), first.width)
        return replace(found, rest=DenseRest(levels, widths, square.toarray(), coupling))
    listed = list_pairs(table, first.width, abs(square) + own_pattern(levels, widths))
    if way == "listed":
        return replace(found, rest=DenseRest(levels, widths, square.toarray(), listed))
    return replace(found, rest=front_rest(levels, widths, square, listed))


def assert_same(
    found: CrossedLikelihood, dense: Any, theta: np.ndarray, loose: bool = False
) -> None:
    """To 1e-9; where a small variance stands for zero, derivatives to the digits left."""
    exact, derived = (1e-7, 1e-5) if loose else (1e-9, 1e-9)
    ours, theirs = found.profile(theta), dense.profile(theta)
    for name in ("log_det", "rss", "beta", "information"):
        assert_close(getattr(ours, name), getattr(theirs, name), exact)
    for name in ("shapes", "spreads", "fades"):
        for mine, expected in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_close(mine, expected, derived)
    for mine, expected in zip(found.effects(theta), dense.effects(theta), strict=True):
        for name in ("modes", "variance", "loadings"):
            assert_close(getattr(mine, name), getattr(expected, name), derived)


def assert_close(found: object, expected: object, tolerance: float) -> None:
    size = max(1.0, np.abs(np.asarray(expected)).max())
    assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    levels=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    weighted=st.booleans(),
    zeros=st.booleans(),
)
def test_equals_whole_matrices(
    way: str, seed: int, levels: list[int], weighted: bool, zeros: bool
) -> None:
    rows = draw_rows(seed, levels, weighted)
    layout = layout_of(rows)
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.8, layout.count)
    if zeros:
        theta[rng.random(len(theta)) < 0.4] = 0.0
    found, dense = by_way(rows, layout, way), DenseLikelihood(rows, layout, 0)
    assert_same(found, dense, theta, loose=zeros and way == "fronts")
    # Differences about a variance of zero need covariances that are not positive definite.
    covariances = [c - 1e-3 * np.eye(len(c)) for c in layout.covariances(theta)]
    log_det, information = found.moments(covariances)
    expected_log_det, expected = dense.moments(covariances)
    assert_close(log_det, expected_log_det, 1e-9)
    assert_close(information, expected, 1e-9)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reml", [True, False])
def test_gradient_is_that_of_differences(way: str, reml: bool) -> None:
    rows = draw_rows(5, [25, 9, 4], weighted=True)
    layout = layout_of(rows)
    likelihood = by_way(rows, layout, way)
    free = free_rows(likelihood, reml)
    theta = np.random.default_rng(5).normal(0, 0.6, layout.count)

    def value(at: np.ndarray) -> float:
        return deviance(likelihood.profile(at), free, reml)

    step = 1e-5
    slopes = [(value(theta + e) - value(theta - e)) / (2 * step) for e in step * np.eye(len(theta))]
    at = likelihood.profile(theta)
    assert_allclose(
        gradient(likelihood, theta, at, at.rss / free, reml), slopes, rtol=1e-5, atol=1e-5
    )


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_and_labels_change_nothing(seed: int) -> None:
    rows = draw_rows(seed, [20, 8], weighted=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows.y))
    names = [rng.permutation(int(codes.max()) + 1) for codes in rows.groups[:2]]
    names.append(names[0])
    other = Block(
        rows.x[order],
        rows.y[order],
        tuple(z[order] for z in rows.z),
        tuple(name[codes[order]] for name, codes in zip(names, rows.groups, strict=True)),
        rows.weights[order],
    )
    layout = layout_of(rows)
    theta = rng.normal(0, 0.8, layout.count)
    one = crossed_likelihood(rows, layout, 0).profile(theta)
    two = crossed_likelihood(other, layout, 0).profile(theta)
    # Orthonormal columns depend on the provisional mean by rounding only.
    assert_allclose(two.log_det, one.log_det, rtol=1e-10)
    assert_allclose(two.rss, one.rss, rtol=1e-9)
    for mine, expected in zip(two.shapes, one.shapes, strict=True):
        assert_allclose(mine, expected, rtol=1e-8, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(nodes=st.integers(1, 40), links=st.integers(0, 120), seed=st.integers(0, 2**32 - 1))
def test_elimination_holds_every_entry_that_fills_in(nodes: int, links: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = np.unique(np.sort(rng.integers(0, nodes, (links, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    plan = plan_elimination(nodes, pairs[:, 1], pairs[:, 0])
    assert sorted(plan.order.tolist()) == list(range(nodes))
    place = np.argsort(plan.order)
    # Weights that no cancellation can bring to zero: what fills in is what is not zero.
    matrix = np.zeros((nodes, nodes))
    weights = rng.uniform(0.5, 1.0, len(pairs))
    matrix[place[pairs[:, 0]], place[pairs[:, 1]]] = -weights
    matrix += matrix.T
    matrix += np.diag(1.0 - matrix.sum(axis=1))
    lower = np.linalg.cholesky(matrix)
    held = np.zeros((nodes, nodes), dtype=bool)
    for start, end, later in zip(plan.starts[:-1], plan.starts[1:], plan.later, strict=True):
        own = np.arange(start, end)
        held[np.ix_(own, own)] = True
        held[np.ix_(later, own)] = True
        assert np.all(later >= end)
    assert not np.any((np.abs(lower) > 1e-14) & ~held)


def test_many_schools_by_sparse_elimination_fit_as_by_whole_matrices() -> None:
    rng = np.random.default_rng(11)
    n, schools = 6000, 700
    school = rng.integers(0, schools, n)
    primary = (school + rng.integers(0, 3, n)) % schools
    primary[:20] = rng.integers(0, schools, 20)
    school, primary = (np.unique(c, return_inverse=True)[1] for c in (school, primary))
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = x @ [1.0, 0.5, 0.2] + rng.normal(0, 0.4, schools)[school] + rng.normal(size=n)
    y += rng.normal(0, 0.3, schools)[primary]
    ones = np.ones((n, 1))
    rows = Block(x, y, (ones, ones), (primary, school))
    layout = Layout((full_template(1), full_template(1)))
    chosen = crossed_likelihood(rows, layout, 0)
    assert type(chosen.rest).__name__ == "FrontRest"
    one, two = fit_likelihood(chosen), fit_likelihood(by_way(rows, layout, "listed"))
    assert_allclose(one.loglik, two.loglik, rtol=1e-12)
    assert_allclose(one.theta, two.theta, rtol=1e-6)
    assert_allclose(one.beta, two.beta, rtol=1e-8, atol=1e-9)


def test_a_random_column_of_zeros_has_no_say() -> None:
    rows = draw_rows(3, [12, 6], weighted=False)
    rows = replace(rows, z=(rows.z[0], np.zeros_like(rows.z[1]), rows.z[2]))
    layout = layout_of(rows)
    theta = np.full(layout.count, 0.7)
    for way in WAYS:
        assert_same(by_way(rows, layout, way), DenseLikelihood(rows, layout, 0), theta)


def test_cross_products_of_minus_one_do_not_fall_out_of_the_pattern() -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(6), 4)
    pupil = rng.permutation(24) // 2
    x = np.column_stack([np.ones(24), np.tile([1.0, -1.0, -1.0, 0.0], 6)])
    rows = Block(x, rng.normal(size=24), (x[:, :1], x), (pupil, school))
    layout = Layout((full_template(1), full_template(2)))
    theta = np.array([0.5, 0.8, 0.3, 0.6])
    for way in WAYS:
        assert_same(by_way(rows, layout, way), DenseLikelihood(rows, layout, 0), theta)

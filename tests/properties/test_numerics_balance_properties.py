"""Entropy balance, logistic regression and measures of balance: what the mathematics says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.balance import compare, effective_size, standardiser
from baseeval.numerics.entropy import balance_entropy
from baseeval.numerics.least_squares import fit_least_squares, independent_columns
from baseeval.numerics.logit import fit_logit

PROFILE = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


# ---- entropy balance ----------------------------------------------------------------------------
@PROFILE
@given(n=st.integers(4, 40), p=st.integers(1, 4), seed=seeds, based=st.booleans())
def test_entropy_balance_is_exact_where_it_exists(n: int, p: int, seed: int, based: bool) -> None:
    """A target inside the rows' hull can be met by positive weights, so it must be."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-3, 4, size=p)
    mixture = rng.dirichlet(np.ones(n))
    base = np.exp(rng.normal(size=n)) if based else None
    found = balance_entropy(x, mixture @ x, base)
    assert found.converged
    assert (found.weights > 0).all()
    assert_allclose(found.weights.mean(), 1.0, rtol=1e-12)
    gaps = (np.average(x, axis=0, weights=found.weights) - mixture @ x) / x.std(axis=0)
    assert np.abs(gaps).max() < 1e-8
    # First-order conditions: the logarithm of the weights over the base is linear in x.
    start = np.ones(n) if base is None else base
    columns = np.column_stack([np.ones(n), x / x.std(axis=0)])
    tilt = np.log(found.weights / start)
    left = tilt - columns @ np.linalg.lstsq(columns, tilt, rcond=None)[0]
    assert np.abs(left).max() < 1e-6 * (1 + np.abs(tilt).max())


@PROFILE
@given(n=st.integers(4, 40), p=st.integers(1, 4), seed=seeds)
def test_entropy_weights_ignore_units_and_repeated_columns(n: int, p: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    target = rng.dirichlet(np.full(n, 5.0)) @ x
    weights = balance_entropy(x, target).weights
    turn = rng.normal(size=(p, p)) + 3 * np.eye(p)
    other = balance_entropy(x @ turn + 7.0, target @ turn + 7.0)
    assert_allclose(other.weights, weights, rtol=1e-5, atol=1e-8)
    twice = np.column_stack([x, 2 * x[:, 0] + 1, np.full(n, 4.0)])
    again = balance_entropy(twice, np.append(target, [2 * target[0] + 1, 4.0]))
    assert again.converged
    assert_allclose(again.weights, weights, rtol=1e-5, atol=1e-8)


@PROFILE
@given(n=st.integers(3, 30), p=st.integers(1, 3), seed=seeds, beyond=st.floats(0.01, 50))
def test_entropy_balance_says_where_it_does_not_exist(
    n: int, p: int, seed: int, beyond: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    target = x.mean(axis=0)
    target[0] = x[:, 0].max() + beyond
    found = balance_entropy(x, target)
    assert not found.converged
    assert found.imbalance > 0
    assert np.isfinite(found.weights).all()


# ---- logistic regression ------------------------------------------------------------------------
@PROFILE
@given(n=st.integers(30, 80), seed=seeds, weighted=st.booleans())
def test_logit_solves_its_score_equations(n: int, seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = rng.random(n) < 1 / (1 + np.exp(-x @ np.array([-0.3, 0.5, -0.4])))
    weights = rng.integers(0, 4, size=n).astype(float) if weighted else np.ones(n)
    fit = fit_logit(x, y, weights)
    if fit.separated:
        return
    assert fit.converged
    assert_allclose(x.T @ (weights * (y - fit.probability)), 0, atol=1e-8 * n)
    information = x.T @ (x * (weights * fit.probability * (1 - fit.probability))[:, None])
    assert_allclose(fit.vcov @ information, np.eye(3), atol=1e-6)
    rows = np.repeat(np.arange(n), weights.astype(int))
    repeated = fit_logit(x[rows], y[rows])
    assert_allclose(repeated.beta, fit.beta, rtol=1e-7, atol=1e-9)
    doubled = fit_logit(x, y, 2 * weights)
    assert_allclose(doubled.beta, fit.beta, rtol=1e-7, atol=1e-9)


@PROFILE
@given(n=st.integers(8, 60), seed=seeds, whole=st.booleans())
def test_logit_flags_separation(n: int, seed: int, whole: bool) -> None:
    """A column that tells every one from every zero, or a category where all are ones."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=n)
    if whole:
        y = number > np.median(number)
        column = number
    else:
        y = rng.permutation(np.arange(n) % 2 == 0)
        column = np.zeros(n)
        column[np.flatnonzero(y)[:2]] = 1.0
    fit = fit_logit(np.column_stack([np.ones(n), column]), y)
    assert fit.separated
    assert np.isfinite(fit.probability).all()


# ---- measures of balance ------------------------------------------------------------------------
values = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=20)


@PROFILE
@given(column=values, seed=seeds)
def test_ks_and_smd_are_those_of_their_definitions(column: list[float], seed: int) -> None:
    """Ties and weights of zero included."""
    rng = np.random.default_rng(seed)
    x = np.array(column)
    first = rng.permutation(np.arange(len(x)) % 2 == 0)
    w = np.exp(rng.normal(size=len(x))) * (rng.random(len(x)) < 0.8)
    w[np.flatnonzero(first)[0]] = w[np.flatnonzero(~first)[0]] = 1.0
    gaps = []
    for value in np.unique(x):
        below = [np.sum(w[g & (x <= value)]) / np.sum(w[g]) for g in (first, ~first)]
        gaps.append(abs(below[0] - below[1]))
    sd = standardiser(x, first, "ATE")
    binary = set(column) <= {0.0, 1.0}
    variances = [np.var(x[g], ddof=0 if binary else 1) for g in (first, ~first)]
    assert_allclose(sd, np.sqrt(np.mean(variances)), atol=1e-12)
    found = compare(x, first, w, sd)
    means = [np.sum(w[g] * x[g]) / np.sum(w[g]) for g in (first, ~first)]
    assert_allclose([found.mean_first, found.mean_second], means, atol=1e-12)
    assert_allclose(found.ks, max(gaps), atol=1e-12)
    if sd > 0:
        assert_allclose(found.smd, (means[0] - means[1]) / sd, atol=1e-10)
    doubled = compare(x, first, 2 * w, sd)
    assert_allclose(
        [doubled.smd, doubled.ks, doubled.variance_ratio],
        [found.smd, found.ks, found.variance_ratio],
        atol=1e-10,
    )
    assert 0 <= found.ks <= 1 + 1e-12


@PROFILE
@given(weights=st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_effective_size_is_at_most_the_number_of_rows_used(weights: list[float]) -> None:
    w = np.array(weights)
    size = effective_size(w)
    assert 0 <= size <= np.count_nonzero(w) * (1 + 1e-12)
    if (w**2).sum() > 1e-200:
        assert_allclose(effective_size(3 * w), size, rtol=1e-9)


# ---- least squares ------------------------------------------------------------------------------
@PROFILE
@given(n=st.integers(5, 30), p=st.integers(1, 4), seed=seeds)
def test_independent_columns_keep_the_first_of_each_dependent_set(
    n: int, p: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-4, 5, size=p)
    made = x @ rng.normal(size=(p, 2))
    wide = np.column_stack([x, made, np.zeros(n)])
    assert independent_columns(wide).tolist() == list(range(p))
    y = rng.normal(size=n)
    weights = np.exp(rng.normal(size=n))
    fit = fit_least_squares(x, y, weights)
    units = np.abs(x).max(axis=0)
    assert_allclose(x.T @ (weights * fit.residuals) / units, 0, atol=1e-9 * n)

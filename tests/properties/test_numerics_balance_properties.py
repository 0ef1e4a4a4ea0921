"""Entropy balance, logistic regression and measures of balance: what the mathematics says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.balance import compare, effective_size, standardiser
from baseeval.numerics.chance import holm
from baseeval.numerics.entropy import balance_entropy
from baseeval.numerics.least_squares import fit_least_squares, independent_columns
from baseeval.numerics.logit import fit_logit
from baseeval.numerics.school_parts import between_means, school_means, school_shares
from baseeval.numerics.set_distance import set_distance

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


@PROFILE
@given(column=values, seed=seeds)
def test_gaps_and_shared_area_are_those_of_their_definitions(
    column: list[float], seed: int
) -> None:
    """Over every value of the column, also one that no row with weight has."""
    rng = np.random.default_rng(seed)
    x = np.array(column)
    first = rng.permutation(np.arange(len(x)) % 2 == 0)
    w = rng.integers(0, 3, size=len(x)).astype(float)
    w[np.flatnonzero(first)[0]] = w[np.flatnonzero(~first)[0]] = 1.0
    gaps, shared = [], 0.0
    for value in np.unique(x):
        below = [np.sum(w[g & (x <= value)]) / np.sum(w[g]) for g in (first, ~first)]
        here = [np.sum(w[g & (x == value)]) / np.sum(w[g]) for g in (first, ~first)]
        gaps.append(abs(below[0] - below[1]))
        shared += min(here)
    found = compare(x, first, w, 1.0)
    binary = set(column) <= {0.0, 1.0}
    assert_allclose(found.ecdf_mean, max(gaps) if binary else np.mean(gaps), atol=1e-12)
    assert_allclose(found.ovl, shared, atol=1e-12)


@PROFILE
@given(column=values, seed=seeds)
def test_partners_lie_as_far_apart_as_every_pair_says(column: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, sets = np.array(column), rng.integers(0, 4, size=len(column))
    first = rng.random(len(x)) < 0.5
    apart = [
        abs(x[i] - x[j])
        for i in np.flatnonzero(first)
        for j in np.flatnonzero(~first)
        if sets[i] == sets[j]
    ]
    assert_allclose(set_distance(x, sets, first), np.mean(apart) if apart else np.nan, atol=1e-12)


@PROFILE
@given(n=st.integers(4, 40), schools=st.integers(1, 6), seed=seeds)
def test_means_are_that_of_schools_and_that_within_them(n: int, schools: int, seed: int) -> None:
    """One-pupil schools and arms that share none, some or all of them included."""
    rng = np.random.default_rng(seed)
    school = np.unique(rng.integers(0, schools, size=n), return_inverse=True)[1]
    arm, x = rng.integers(0, 2, size=n), rng.normal(size=n)
    base, w = np.exp(rng.normal(size=n)), np.exp(rng.normal(size=n))
    means = school_means(x, school, base)
    between = between_means(means, school_shares(arm, 2, school, w))
    for group in (0, 1):
        if not (arm == group).any():
            assert np.isnan(between[group])
            continue
        own = arm == group
        within = np.average((x - means[school])[own], weights=w[own])
        assert_allclose(between[group] + within, np.average(x[own], weights=w[own]), atol=1e-12)
    # Before the design, and with schools of one arm each, all of it lies between them.
    alone = school_means(x, school, np.ones(n))
    both = between_means(alone, school_shares(school % 2, 2, school, np.ones(n)))
    whole = [x[school % 2 == g].mean() if (school % 2 == g).any() else np.nan for g in (0, 1)]
    assert_allclose(both, whole, atol=1e-12)


@PROFILE
@given(p=st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=8))
def test_holm_raises_no_less_than_each_and_no_more_than_all(p: list[float]) -> None:
    raw = np.array(p)
    raised, known = holm(raw), ~np.isnan(raw)
    assert (np.isnan(raised) == ~known).all()
    assert (raised[known] >= raw[known]).all()
    assert (raised[known] <= np.minimum(1, known.sum() * raw[known]) + 1e-15).all()
    order = np.argsort(raw[known], kind="stable")
    assert (np.diff(raised[known][order]) >= 0).all()
    if known.any():
        assert raised[known].min() == min(1.0, known.sum() * raw[known].min())


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

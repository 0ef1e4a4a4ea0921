"""What must never change a fitted chance, and separation against a linear program of every row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog

from baseeval.numerics.firth import fit_firth
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.multinomial import fit_multinomial
from baseeval.numerics.random_logit import fit_random_logit
from baseeval.numerics.separation import find_separation

PROFILE = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
arms = st.integers(2, 4)

Fit = Callable[..., np.ndarray]
FITS: dict[str, Fit] = {
    "likelihood": lambda x, arm, weights: fit_multinomial(x, arm, weights).probability,
    "ridge": lambda x, arm, weights: fit_multinomial(x, arm, weights, penalty=2.0).probability,
    "firth": lambda x, arm, weights: fit_firth(x, arm, weights).probability,
}


def draw(seed: int, k: int, n: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give a constant and two numbers, a factor of three levels, arms, and whole weights."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.integers(0, 4, n)])
    level = np.concatenate([[0, 1, 2], rng.integers(0, 3, n - 3)])
    eta = np.column_stack([np.zeros(n), x[:, 1:2] * rng.normal(0, 0.7, k - 1)])
    eta[:, 1:] += rng.normal(0, 0.4, (3, k - 1))[level]
    arm = np.argmax(eta + rng.gumbel(size=eta.shape), axis=1)
    return x, level, arm, rng.integers(0, 4, n).astype(float)


def coded(x: np.ndarray, level: np.ndarray, reference: int) -> np.ndarray:
    return np.column_stack([x, *(level == other for other in range(3) if other != reference)])


@pytest.mark.parametrize("name", FITS)
@given(seed=seeds, k=arms)
@PROFILE
def test_a_weight_is_a_row_so_many_times(name: str, seed: int, k: int) -> None:
    x, level, arm, weights = draw(seed, k)
    columns = coded(x, level, 0)
    assume(not fit_multinomial(columns, arm, weights, arms=k).separated)
    rows = np.repeat(np.arange(len(x)), weights.astype(int))
    assume(len(np.unique(arm[rows])) == k)
    weighted = FITS[name](columns, arm, weights)
    repeated = FITS[name](columns[rows], arm[rows], np.ones(len(rows)))
    assert_allclose(weighted[rows], repeated, rtol=1e-7)


@pytest.mark.parametrize("name", FITS)
@given(seed=seeds, k=arms)
@PROFILE
def test_the_order_of_rows_and_of_arms_changes_nothing(name: str, seed: int, k: int) -> None:
    x, level, arm, weights = draw(seed, k)
    columns = coded(x, level, 0)
    assume(not fit_multinomial(columns, arm, weights, arms=k).separated)
    rng = np.random.default_rng(seed)
    rows, turned = rng.permutation(len(x)), rng.permutation(k)
    plain = FITS[name](columns, arm, weights)
    moved = FITS[name](columns[rows], turned[arm[rows]], weights[rows])
    assert_allclose(moved[:, turned], plain[rows], rtol=1e-7)


@pytest.mark.parametrize("name", ["likelihood", "firth"])
@given(seed=seeds, k=arms)
@PROFILE
def test_a_recoded_factor_and_a_redundant_column_change_nothing(
    name: str, seed: int, k: int
) -> None:
    """For Firth too: Jeffreys' prior knows no parameterisation."""
    x, level, arm, weights = draw(seed, k)
    columns = coded(x, level, 0)
    assume(not fit_multinomial(columns, arm, weights, arms=k).separated)
    plain = FITS[name](columns, arm, weights)
    other = np.column_stack([x[:, 1], level == 2, x[:, 1] - 3 * x[:, 2], coded(x, level, 1)])
    kept = independent_columns(other)
    assert len(kept) == columns.shape[1]
    assert_allclose(FITS[name](other[:, kept], arm, weights), plain, rtol=1e-6, atol=1e-12)


@given(seed=seeds)
@settings(PROFILE, max_examples=10)
def test_with_schools_a_weight_is_a_row_and_the_order_of_rows_is_nothing(seed: int) -> None:
    x, level, arm, weights = draw(seed, 2)
    rng = np.random.default_rng(seed)
    columns = coded(x, level, 0)
    group = np.concatenate([np.arange(8), rng.integers(0, 6, len(x) - 8)])
    weights[:8] = 1
    assume(not fit_multinomial(columns, arm, weights, arms=2).separated)
    plain = fit_random_logit(columns, arm == 1, group, weights)
    rows = rng.permutation(np.repeat(np.arange(len(x)), weights.astype(int)))
    repeated = fit_random_logit(columns[rows], arm[rows] == 1, group[rows])
    assert plain.converged
    assert_allclose(repeated.sd, plain.sd, atol=1e-6)
    assert_allclose(repeated.probability, plain.probability[rows], atol=1e-6)
    assert_allclose(repeated.log_likelihood, plain.log_likelihood, rtol=1e-9)


@given(
    seed=seeds,
    k=st.integers(2, 3),
    n=st.integers(4, 14),
    p=st.integers(1, 3),
    top=st.integers(1, 3),
)
@settings(PROFILE, max_examples=60)
def test_separation_is_found_just_where_a_linear_program_finds_it(
    seed: int, k: int, n: int, p: int, top: int
) -> None:
    """Konis's program on every comparison: the sum of margins, each at least zero, in a box."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.integers(0, top + 1, (n, p))]).astype(float)
    x = x[:, independent_columns(x)]
    arm = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    comparisons = []
    for row, own in zip(x, arm, strict=True):
        for other in range(k):
            if other != own:
                claim = np.zeros((k, x.shape[1]))
                claim[own] += row
                claim[other] -= row
                comparisons.append(claim[1:].ravel())
    claims = np.array(comparisons)
    best = linprog(-claims.sum(axis=0), A_ub=-claims, b_ub=np.zeros(len(claims)), bounds=(-1, 1))
    found = find_separation(x, arm, np.ones(n), k)
    assert (found is not None) == (-best.fun > 1e-7)
    fit = fit_multinomial(x, arm)
    assert fit.separated == (found is not None)
    if found is not None:
        assert fit.separation == found
        assert found.complete == told(claims)
    else:
        assert fit.converged


def told(claims: np.ndarray) -> bool:
    """Say whether one direction puts every comparison beyond zero."""
    spare = np.ones((len(claims), 1))
    q = claims.shape[1]
    best = linprog(
        np.append(np.zeros(q), -1.0),
        A_ub=np.hstack([-claims, spare]),
        b_ub=np.zeros(len(claims)),
        bounds=[(-1, 1)] * q + [(None, 1)],
    )
    return bool(-best.fun > 1e-7)

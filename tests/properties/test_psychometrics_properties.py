"""What must hold of alpha, omega and the ladder whatever the data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.factor_model import Moments, moments_of
from baseeval.numerics.invariance import Step, climb
from baseeval.numerics.reliability import cronbach_alpha
from baseeval.numerics.reliability_omega import mcdonald_omega

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(3, 7)
FEW = settings(max_examples=20, deadline=None, derandomize=True)


def draw(seed: int, items: int, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loading = rng.uniform(0.5, 1.0, items)
    return rng.normal(size=(n, 1)) * loading + rng.uniform(0.4, 0.9, items) * rng.normal(
        size=(n, items)
    )


def rows_with(covariance: np.ndarray, n: int = 200) -> np.ndarray:
    """Make rows of exactly this covariance (divisor n)."""
    raw = np.random.default_rng(1).normal(size=(n, len(covariance)))
    white, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return np.sqrt(n) * white @ np.linalg.cholesky(covariance).T


@given(r=st.floats(-0.1, 0.95), items=st.integers(2, 9))
def test_parallel_items_follow_spearman_and_brown(r: float, items: int) -> None:
    covariance = np.full((items, items), r) + (1 - r) * np.eye(items)
    found = cronbach_alpha(rows_with(covariance)).estimate
    assert_allclose(found, items * r / (1 + (items - 1) * r), atol=1e-9)


@FEW
@given(r=st.floats(0.1, 0.9), items=counts)
def test_parallel_items_have_one_reliability(r: float, items: int) -> None:
    rows = rows_with(np.full((items, items), r) + (1 - r) * np.eye(items))
    alpha, omega = cronbach_alpha(rows).estimate, mcdonald_omega(rows)
    assert_allclose(omega.sum_score.estimate, alpha, atol=1e-6)
    assert_allclose(omega.standardised.estimate, alpha, atol=1e-6)


@FEW
@given(seed=seeds, items=counts)
def test_omega_is_at_least_alpha_where_one_factor_holds(seed: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    loading, unique = rng.uniform(0.2, 1.0, items), rng.uniform(0.2, 1.0, items)
    rows = rows_with(np.outer(loading, loading) + np.diag(unique))
    omega = mcdonald_omega(rows)
    truth = loading.sum() ** 2 / (loading.sum() ** 2 + unique.sum())
    assert_allclose(omega.sum_score.estimate, truth, atol=1e-5)
    assert omega.sum_score.estimate >= cronbach_alpha(rows).estimate - 1e-6


@FEW
@given(seed=seeds, items=counts, scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_order_and_units_change_nothing(seed: int, items: int, scale: float, shift: float) -> None:
    rows = draw(seed, items)
    order = np.random.default_rng(seed).permutation(items)
    other = scale * rows[:, order] + shift
    one, two = cronbach_alpha(rows), cronbach_alpha(other)
    assert_allclose([two.estimate, two.low, two.high], [one.estimate, one.low, one.high], atol=1e-7)
    omega, again = mcdonald_omega(rows), mcdonald_omega(other)
    for name in ("sum_score", "standardised"):
        first, second = getattr(omega, name), getattr(again, name)
        assert_allclose(second.estimate, first.estimate, atol=1e-5)
        assert_allclose(second.std_error, first.std_error, rtol=1e-3, atol=1e-6)


@given(seed=seeds, items=counts)
def test_intervals_hold_their_estimate_and_stay_below_one(seed: int, items: int) -> None:
    rows = draw(seed, items)
    found = [cronbach_alpha(rows, interval=kind) for kind in ("adf", "normal", "feldt")]
    for one in found:
        assert one.low < one.estimate < one.high
    assert found[0].high < 1
    assert found[2].high < 1


@given(seed=seeds)
def test_a_negative_covariance_gives_a_negative_alpha(seed: int) -> None:
    rows = draw(seed, 2) * [1, -1]
    found = cronbach_alpha(rows)
    assert found.estimate < 0
    assert found.low < found.estimate < found.high


def two_groups(seed: int) -> list[Moments]:
    rng = np.random.default_rng(seed)
    return [
        moments_of(draw(seed, 5, 200)),
        moments_of(0.3 + draw(int(rng.integers(2**31)), 5, 150)),
    ]


def fits(steps: tuple[Step, ...]) -> np.ndarray:
    return np.array([[s.indices.chi2, s.indices.cfi, s.indices.srmr] for s in steps])


PATTERN = np.ones((5, 1), dtype=bool)


@FEW
@given(seed=seeds, scale=st.floats(1e-2, 1e2))
def test_the_ladder_heeds_neither_order_nor_unit_nor_marker(seed: int, scale: float) -> None:
    data = two_groups(seed)
    steps = climb(data, PATTERN)
    expected = fits(steps)
    assert_allclose(fits(climb(data, PATTERN, identification="marker")), expected, rtol=1e-5)
    order = np.random.default_rng(seed).permutation(5)
    moved = [Moments(own.n, own.mean[order], own.covariance[np.ix_(order, order)]) for own in data]
    assert_allclose(fits(climb(moved, PATTERN)), expected, rtol=1e-5)
    scaled = [Moments(own.n, scale * own.mean, scale**2 * own.covariance) for own in data]
    assert_allclose(fits(climb(scaled, PATTERN)), expected, rtol=1e-5)


@FEW
@given(seed=seeds)
def test_groups_swapped_turn_the_difference_of_means_round(seed: int) -> None:
    data = two_groups(seed)
    steps, swapped = climb(data, PATTERN), climb(data[::-1], PATTERN)
    assert_allclose(fits(swapped), fits(steps), rtol=1e-5)
    ours, other = steps[2].fit.matrices, swapped[2].fit.matrices
    unit = np.sqrt(ours.factor_covariance[1, 0, 0])
    assert_allclose(other.factor_mean[1, 0], -ours.factor_mean[1, 0] / unit, atol=1e-4)


@FEW
@given(seed=seeds)
def test_each_step_fits_no_better_than_the_one_below(seed: int) -> None:
    steps = climb(two_groups(seed), PATTERN)
    assert all(step.d_chi2 > -1e-6 for step in steps[1:])
    assert [step.d_df for step in steps[1:]] == [4, 4]


@FEW
@given(seed=seeds)
def test_groups_alike_are_invariant(seed: int) -> None:
    own = two_groups(seed)[0]
    steps = climb([own, own], PATTERN)
    assert_allclose([steps[1].d_chi2, steps[2].d_chi2], 0, atol=1e-6)

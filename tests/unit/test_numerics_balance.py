"""Entropy balance, logit and measures of balance at their edges."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import norm
from scipy.stats import t as student

from baseeval.numerics.balance import (
    compare,
    design_effect,
    effective_size,
    is_binary,
    standardiser,
)
from baseeval.numerics.chance import Wobble, chance_of, clustered_wobble, row_wobble
from baseeval.numerics.column_shares import shares_of, values_of
from baseeval.numerics.entropy import balance_entropy
from baseeval.numerics.least_squares import fit_least_squares, independent_columns
from baseeval.numerics.logit import fit_logit

FIRST = np.array([True, True, True, False, False, False])


def test_standardiser_follows_the_estimand() -> None:
    column = np.array([1.0, 2.0, 6.0, 0.0, 4.0, 8.0])
    assert_allclose(standardiser(column, FIRST, "ATT"), np.sqrt(7.0))
    assert_allclose(standardiser(column, FIRST, "ATC"), 4.0)
    for estimand in ("ATE", "ATO"):
        assert_allclose(standardiser(column, FIRST, estimand), np.sqrt(11.5))


def test_zeros_and_ones_have_the_variance_of_a_proportion() -> None:
    column = np.array([1.0, 0, 0, 1, 1, 0])
    assert is_binary(column)
    assert_allclose(standardiser(column, FIRST, "ATT"), np.sqrt(2 / 9))
    assert np.isnan(compare(column, FIRST, np.ones(6), 1.0).variance_ratio)


def test_a_constant_column_is_balanced_or_beyond_measure() -> None:
    same = compare(np.full(6, 3.0), FIRST, np.ones(6), 0.0)
    assert same.smd == 0
    assert same.ks < 1e-12
    apart = np.where(FIRST, 1.0, 0.0)
    other = compare(apart, FIRST, np.ones(6), standardiser(apart, FIRST, "ATT"))
    assert np.isnan(other.smd)
    assert other.ks == 1


def test_a_group_without_weight_has_no_balance() -> None:
    found = compare(np.arange(6.0), FIRST, FIRST.astype(float), 1.0)
    assert np.isnan([found.smd, found.ks, found.variance_ratio, found.mean_second]).all()


def test_weighted_variance_of_equal_weights_is_the_sample_variance() -> None:
    column = np.array([1.0, 2.0, 6.0, 0.0, 4.0, 8.0])
    found = compare(column, FIRST, np.full(6, 0.3), 1.0)
    assert_allclose(found.variance_ratio, 7 / 16)


def test_effective_size_of_no_weight_is_none() -> None:
    assert effective_size(np.zeros(3)) == 0
    assert_allclose(effective_size(np.full(5, 0.2)), 5)


def test_entropy_balance_by_hand() -> None:
    """One column of zeros and ones: the weights are the ratio of the shares."""
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    found = balance_entropy(x, np.array([0.4]))
    assert_allclose(found.weights, [0.8, 0.8, 0.8, 1.6], rtol=1e-12)
    assert found.converged


def test_entropy_balance_beyond_the_rows_has_not_converged() -> None:
    """On either side, in one column or in a corner that two columns leave empty."""
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for target in ([1.5, 0.0], [-0.5, 0.0], [0.9, 0.9], [-1.0, -1.0]):
        assert not balance_entropy(x, np.array(target)).converged
    assert balance_entropy(x, np.array([0.3, 0.3])).converged


def test_entropy_balance_of_the_edge_itself_needs_weights_of_zero() -> None:
    """A mean of one from zeros and ones: no positive weights give it, only their limit."""
    found = balance_entropy(np.array([[0.0], [1.0], [1.0]]), np.array([1.0]))
    assert found.imbalance < 1e-6 or not found.converged
    assert_allclose(found.weights[1], found.weights[2])


def test_entropy_balance_of_a_constant_column() -> None:
    ones = np.ones((3, 1))
    assert balance_entropy(ones, np.array([1.0])).converged
    off = balance_entropy(ones, np.array([2.0]))
    assert not off.converged
    assert off.imbalance == np.inf


def test_logit_separation_is_flagged_and_its_like_is_not() -> None:
    x = np.column_stack([np.ones(8), np.arange(8.0)])
    assert fit_logit(x, np.arange(8) > 3).separated
    near = fit_logit(x, np.array([0, 0, 1, 0, 1, 0, 1, 1], dtype=bool))
    assert near.converged
    assert not near.separated
    everyone = fit_logit(np.ones((5, 1)), np.ones(5, dtype=bool))
    assert everyone.separated
    # The one row that overlaps has no weight, so what counts is separated.
    overlap = np.array([0, 0, 1, 0, 1, 1, 1, 1], dtype=bool)
    weights = np.array([1.0, 1, 0, 1, 1, 1, 1, 1])
    assert not fit_logit(x, overlap).separated
    assert fit_logit(x, overlap, weights).separated


def test_least_squares_counts_weighted_rows_only() -> None:
    x, y = np.ones((5, 1)), np.array([1.0, 2.0, 3.0, 50.0, 60.0])
    fit = fit_least_squares(x, y, np.array([1.0, 1, 1, 0, 0]))
    assert_allclose(fit.beta, [2.0])
    assert_allclose(fit.sigma, 1.0)
    assert np.isnan(fit_least_squares(x[:1], y[:1]).sigma)


def test_no_more_columns_are_kept_than_there_are_rows() -> None:
    assert independent_columns(np.eye(2, 4) + np.eye(2, 4, 2)).tolist() == [0, 1]


def test_a_group_of_noughts_and_ones_does_not_make_a_number_binary() -> None:
    """A group's variance is that of the column's kind, whatever values the group holds."""
    column = np.array([0.0, 1.0, -2.0, -2.0])
    first = np.array([True, True, False, False])
    assert_allclose(standardiser(column, first, "ATT"), np.sqrt(0.5))


def test_distributions_share_all_or_nothing_or_the_part_that_is_known() -> None:
    """Two normal curves of one SD share 2 Phi(-d / 2), whatever their numbers."""
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], [40_000, 10_000])
    column = rng.normal(size=50_000)
    first = group == 0
    assert_allclose(compare(column, first, np.ones(50_000), 1.0).ovl, 1, atol=0.03)
    moved = compare(column + group, first, np.ones(50_000), 1.0)
    assert_allclose(moved.ovl, 2 * norm.cdf(-0.5), atol=0.02)
    assert compare(column + 60 * group, first, np.ones(50_000), 1.0).ovl < 1e-6
    fewer = compare(np.array([0.0, 0, 2, 0, 1, 1]), FIRST, np.ones(6), 1.0)
    assert_allclose(fewer.ovl, 1 / 3)


def test_whole_numbers_are_counted_as_others_are_sorted() -> None:
    column = np.array([7.0, -2, 7, 3, 3, 100_000, -2])
    counted, other = values_of(column), values_of(column + 0.5)
    assert_allclose(counted.values + 0.5, other.values)
    assert counted.codes.tolist() == other.codes.tolist()
    assert_allclose(counted.values[counted.codes], column)
    assert_allclose(values_of(column[:5]).values, [-2, 3, 7])


def test_a_design_effect_by_hand() -> None:
    weights = np.array([2.0, 1, 1, 0])
    assert_allclose(design_effect(weights), 3 * 6 / 16)
    school = np.array([0, 0, 1, 1])
    # Schools weigh 3 and 1: 3 (0.1 * 10 + 0.9 * 6) / 16.
    assert_allclose(design_effect(weights, school, 0.1), 3 * (0.1 * 10 + 0.9 * 6) / 16)
    assert_allclose(design_effect(weights, school, 0.0), design_effect(weights))
    # Equal weights, n pupils a school: 1 + (n - 1) icc.
    assert_allclose(design_effect(np.ones(20), np.repeat(np.arange(4), 5), 0.3), 1 + 4 * 0.3)
    assert np.isnan(design_effect(np.zeros(3)))


def test_chance_between_rows_is_that_of_welch_where_means_are_equal() -> None:
    """With equal means the middle of both is each one's mean."""
    one, two = np.array([1.0, 2, 6, 7]), np.array([3.0, 4, 5])
    column, arm = np.concatenate([one, two]), np.repeat([0, 1], [4, 3])
    found = values_of(column)
    shares = shares_of(found, arm, 2, np.ones(7))
    squares = np.zeros((2, len(found.values)))
    np.add.at(squares, (arm, found.codes), np.repeat([1 / 16, 1 / 9], [4, 3]))
    wobble = row_wobble(found.values, squares, shares.share, 1 / shares.squares, 0, 1)
    parts = [one.var(ddof=1) / 4, two.var(ddof=1) / 3]
    assert_allclose(wobble.std_error, np.sqrt(sum(parts)))
    assert_allclose(wobble.df, sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2))


def test_chance_between_schools_by_hand() -> None:
    """Arms that share schools move together; a school by itself tells nothing of chance."""
    weight = np.ones((2, 3)) * 10
    held = np.array([[10.0, 20, 30], [10, 20, 30]])
    assert_allclose(clustered_wobble(held, weight, 0, 1).std_error, 0, atol=1e-15)
    apart = np.array([[10.0, 20, 30], [30, 20, 10]])
    # Off the mean by (-1, 0, 1) and (1, 0, -1), times sqrt(3 / 2) / 3, in opposite ways.
    assert_allclose(clustered_wobble(apart, weight, 0, 1).std_error, np.sqrt(3 / 2 / 9 * 8))
    alone = np.array([[10.0, 0, 0], [0, 10, 10]])
    assert np.isnan(clustered_wobble(alone * 2, alone, 0, 1).std_error)


def test_schools_that_are_all_alike_are_not_taken_for_certain() -> None:
    """Three schools of ones against four of zeros: chance does it in one of 35 ways."""
    weight = np.array([[1.0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1]])
    held = np.vstack([weight[0], np.zeros(7)])
    wobble = clustered_wobble(held, weight, 0, 1)
    assert 0.03 < chance_of(1.0, wobble) < 0.2
    assert chance_of(1.0, Wobble(0.0, 3.0)) == 0
    assert chance_of(1.0, Wobble(0.0, 3.0), limit=1.0) == 1
    assert np.isnan(chance_of(1.0, Wobble(np.nan, np.nan)))


def test_a_limit_has_to_be_passed_beyond_chance() -> None:
    wobble = Wobble(0.1, 50.0)
    assert chance_of(0.3, wobble) < 0.01 < 0.05 < chance_of(0.3, wobble, 0.2)
    assert chance_of(0.3, wobble, 0.4) > 0.5
    assert_allclose(chance_of(0.3, wobble), ttest_from_t(3.0, 50.0))


def ttest_from_t(t: float, df: float) -> float:
    return 2 * float(student.sf(t, df))

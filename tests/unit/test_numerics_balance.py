"""Entropy balance, logit and measures of balance at their edges."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from baseeval.numerics.balance import compare, effective_size, is_binary, standardiser
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

"""Chances of arms: separation named, rare arms, penalties, effects of schools, and their scores."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from baseeval.numerics import multinomial
from baseeval.numerics.arm_likelihood import evaluate_arms
from baseeval.numerics.firth import fit_firth, fit_firth_logit
from baseeval.numerics.laplace import Grouped, approximate
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.logit import fit_logit
from baseeval.numerics.multinomial import fit_multinomial
from baseeval.numerics.random_logit import fit_random_logit
from baseeval.numerics.row_scores import pull_back, score_firth, score_likelihood, score_random
from baseeval.numerics.separation import find_separation

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def draw(seed: int, n: int = 90, p: int = 4, k: int = 3) -> Drawn:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, p - 2)), rng.random(n) < 0.3])
    eta = np.column_stack([np.zeros(n), x @ rng.normal(0, 0.5, (p, k - 1))])
    arm = np.argmax(eta + rng.gumbel(size=eta.shape), axis=1)
    weights = np.where(rng.random(n) < 0.1, 0.0, rng.uniform(0.3, 2.5, n))
    return x, arm, weights


def dense(x: np.ndarray, arm: np.ndarray, weights: np.ndarray, beta: np.ndarray) -> float:
    """Add up the log-likelihood one row at a time."""
    eta = np.column_stack([np.zeros(len(x)), x @ beta.T])
    chances = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    return float(sum(w * np.log(c[a]) for w, c, a in zip(weights, chances, arm, strict=True)))


def slopes(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Differentiate by central differences: row j holds the derivative by element j."""
    step = 1e-5
    moves = step * np.eye(len(at))
    return np.array([(function(at + m) - function(at - m)) / (2 * step) for m in moves])


# ---- the likelihood ------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_blocks_of_rows_add_up_to_the_definition(k: int) -> None:
    """More rows than a block, so that seams would show."""
    x, arm, weights = draw(k, n=1000, p=50, k=k)
    x[:, 5:] *= 0.1
    beta = np.random.default_rng(1).normal(0, 0.1, (k - 1, 50))
    found = evaluate_arms(x, arm, beta, weights)
    assert_allclose(found.value, dense(x, arm, weights, beta), rtol=1e-12)
    eta = np.column_stack([np.zeros(len(x)), x @ beta.T])
    chance = (np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True))[:, 1:]
    information = sum(
        w * np.kron(np.diag(c) - np.outer(c, c), np.outer(row, row))
        for w, c, row in zip(weights, chance, x, strict=True)
    )
    assert_allclose(found.information, information, rtol=1e-10, atol=1e-12)
    own = arm[:, None] == np.arange(1, k)
    assert_allclose(found.score, ((own - chance) * weights[:, None]).T.dot(x).ravel(), atol=1e-10)


def test_linear_predictors_of_any_size_give_chances() -> None:
    found = evaluate_arms(np.ones((2, 1)), np.array([0, 1]), np.array([[-900.0]]), np.ones(2))
    assert found.value == -900.0


def test_a_large_table_starts_from_a_sample_and_ends_where_it_would_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, arm, weights = draw(5, n=4000)
    arm[np.flatnonzero(arm == 1)[30:]] = 2
    slow = fit_multinomial(x, arm, weights)
    monkeypatch.setattr(multinomial, "_MANY", 1000)
    quick = fit_multinomial(x, arm, weights)
    assert_allclose(quick.beta, slow.beta, rtol=1e-10, atol=1e-12)
    assert_allclose(quick.log_likelihood, slow.log_likelihood, rtol=1e-13)


def test_the_columns_are_read_and_not_copied() -> None:
    x, arm, weights = draw(25, n=120_000, p=12)
    tracemalloc.start()
    fit_multinomial(x, arm, weights)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 0.75 * x.nbytes


def test_columns_of_any_scale_and_far_from_zero() -> None:
    x, arm, weights = draw(6)
    other = x.copy()
    other[:, 1] = 2e3 + 1e-3 * other[:, 1]
    other[:, 2] *= 1e8
    assert_allclose(
        fit_multinomial(other, arm, weights).probability,
        fit_multinomial(x, arm, weights).probability,
        rtol=1e-6,
    )


def test_a_year_is_as_good_as_years_since() -> None:
    """Estimates and covariances are of the columns given, whatever was moved in between."""
    x, y, group, weights = schools(23)
    x = np.column_stack([x, np.random.default_rng(23).integers(0, 5, len(x))])
    year = x + np.array([0, 0, 0, 0, 2019.0])
    shift = np.eye(5)
    shift[0, 4] = -2019.0  # log odds now, at year 0
    arm = y.astype(np.intp)
    for fit in (fit_multinomial, fit_firth):
        near, far = fit(x, arm, weights), fit(year, arm, weights)
        assert_allclose(far.beta[0], shift @ near.beta[0], rtol=1e-7)
        assert_allclose(far.vcov, shift @ near.vcov @ shift.T, rtol=1e-6)
        assert_allclose(far.probability, near.probability, rtol=1e-8)
    near, far = (fit_random_logit(columns, y, group, weights) for columns in (x, year))
    assert_allclose(far.beta, shift @ near.beta, rtol=1e-5)
    assert_allclose(far.vcov[-1, -1], near.vcov[-1, -1], rtol=1e-5)
    none = fit_random_logit(year, np.resize([True, False], len(y)), np.repeat(np.arange(75), 2))
    assert none.singular
    assert np.isnan(none.vcov[-1]).all()
    assert np.isfinite(none.vcov[:-1, :-1]).all()


def test_columns_that_depend_on_one_another_are_refused() -> None:
    x, arm, _ = draw(7)
    for fit in (fit_multinomial, fit_firth):
        with pytest.raises(ValueError, match="depend on one another"):
            fit(np.column_stack([x, x[:, 1] - x[:, 2]]), arm)


def test_dependence_is_found_over_more_rows_than_a_block() -> None:
    x, _, _ = draw(24, n=5000, p=6)
    x[:4500, 3] = 0.0
    wide = np.column_stack([x[:, :4], x[:, 1] + x[:, 3], x[:, 4:], np.zeros(5000), x[:, 3] ** 2])
    assert independent_columns(wide).tolist() == [0, 1, 2, 3, 5, 6, 8]


# ---- separation and rare arms --------------------------------------------------------------


def test_complete_separation_names_the_column() -> None:
    x, _, _ = draw(8)
    fit = fit_logit(x, x[:, 2] > 0.4)
    assert fit.separated
    assert fit.separation is not None
    assert fit.separation.columns == (2,)
    assert fit.separation.complete
    assert fit.separation.rows == len(x)


def test_two_levels_that_each_lack_an_arm_are_both_named() -> None:
    """Quasi-complete separation: one level without arm 1, another in arm 0 only."""
    x, arm, _ = draw(9, n=300)
    first, second = np.zeros(300), np.zeros(300)
    first[np.flatnonzero(arm != 1)[:12]] = 1
    second[np.flatnonzero(arm == 0)[-7:]] = 1
    fit = fit_multinomial(np.column_stack([x, first, second]), arm)
    assert fit.separation is not None
    assert fit.separation.columns == (4, 5)
    assert not fit.separation.complete
    assert fit.separation.rows == 19


def test_the_row_that_overlaps_counts_only_where_it_has_a_weight() -> None:
    x = np.column_stack([np.ones(6), [1.0, 2, 3, 4, 5, 6]])
    arm, weights = np.array([0, 0, 0, 1, 1, 0]), np.ones(6)
    assert find_separation(x, arm, weights, 2) is None
    weights[5] = 0
    found = find_separation(x, arm, weights, 2)
    assert found is not None
    assert (found.columns, found.rows, found.complete) == ((1,), 5, True)


def test_rows_that_the_first_program_leaves_out_are_looked_at() -> None:
    """One row of twenty thousand overlaps; without it the number tells the arms apart."""
    place = np.linspace(-1, 1, 20_001)
    arm = (place > 0).astype(np.intp)
    arm[3] = 1
    x = np.column_stack([np.ones(20_001), place, np.sin(90 * place)])
    weights = np.ones(20_001)
    assert find_separation(x, arm, weights, 2) is None
    weights[3] = 0
    found = find_separation(x, arm, weights, 2)
    assert found is not None
    assert (found.columns, found.rows, found.complete) == ((1,), 20_000, True)


def test_strong_selection_is_no_separation() -> None:
    """Chances of one in a hundred million, and yet one row that overlaps."""
    place = np.append(np.linspace(-2, 2, 60), [0.1, -0.1])
    place *= 9
    y = place > 0
    y[-2:] = ~y[-2:]
    fit = fit_logit(np.column_stack([np.ones(62), place]), y)
    assert fit.converged
    assert fit.probability.min() < 1e-7
    assert not fit.separated


def test_an_arm_without_rows_is_a_separation_by_the_constant() -> None:
    x, arm, _ = draw(10)
    fit = fit_multinomial(x, np.minimum(arm, 1), arms=3)
    assert fit.separation is not None
    assert fit.separation.columns == (0,)
    assert fit.counts.tolist() == [np.sum(arm == 0), np.sum(arm > 0), 0]
    assert 2 in fit.rare


def test_a_rare_arm_is_told() -> None:
    x, arm, _ = draw(11, n=400)
    arm[np.flatnonzero(arm == 2)[29:]] = 0
    assert fit_multinomial(x, arm).rare == (2,)
    assert fit_logit(x, arm == 2).rare
    assert fit_multinomial(x[:, :3], arm).rare == ()


# ---- penalties -----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
def test_firth_maximises_the_likelihood_with_jeffreys_prior(k: int) -> None:
    """An independent maximisation, of the whole information of each row."""
    x, arm, weights = draw(12, n=40, p=3, k=k)

    def fall(flat: np.ndarray) -> float:
        beta = flat.reshape(k - 1, 3)
        eta = np.column_stack([np.zeros(len(x)), x @ beta.T])
        chance = (np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True))[:, 1:]
        information = sum(
            w * np.kron(np.diag(c) - np.outer(c, c), np.outer(row, row))
            for w, c, row in zip(weights, chance, x, strict=True)
        )
        return -dense(x, arm, weights, beta) - np.linalg.slogdet(information)[1] / 2

    fit = fit_firth(x, arm, weights)
    best = minimize(fall, np.zeros((k - 1) * 3), method="BFGS", options={"gtol": 1e-7})
    assert_allclose(fit.beta.ravel(), best.x, atol=1e-5)
    assert_allclose(fit.log_likelihood, dense(x, arm, weights, fit.beta), rtol=1e-9)
    assert np.abs(slopes(lambda b: np.array(fall(b)), fit.beta.ravel())).max() < 1e-6


def test_firth_on_a_two_by_two_table_adds_half_a_pupil_to_each_cell() -> None:
    """Also where a cell is empty (Heinze and Schemper, section 3)."""
    x = np.column_stack([np.ones(20), np.arange(20) < 8]).astype(float)
    y = np.concatenate([np.ones(8), np.ones(5), np.zeros(7)]) == 1
    fit = fit_firth_logit(x, y)
    assert_allclose(fit.beta[1], np.log((8.5 / 0.5) / (5.5 / 7.5)), rtol=1e-8)


def test_the_ridge_is_what_it_says() -> None:
    """Against a general optimiser; the constant column is free, the reference makes no matter."""
    x, arm, weights = draw(13)
    mean = weights @ x / weights.sum()
    sd = np.sqrt(weights @ (x - mean) ** 2 / weights.sum())

    def fall(flat: np.ndarray) -> float:
        beta = np.vstack([np.zeros(4), flat.reshape(2, 4)])
        pairs = [(beta[a] - beta[b]) * sd for a, b in ((0, 1), (0, 2), (1, 2))]
        return -dense(x, arm, weights, beta[1:]) + 3.0 / 3 * float(np.sum(np.square(pairs)))

    fit = fit_multinomial(x, arm, weights, penalty=3.0)
    best = minimize(fall, np.zeros(8), method="BFGS", options={"gtol": 1e-7})
    assert_allclose(fit.beta.ravel(), best.x, atol=1e-5)
    assert_allclose(fit.log_likelihood, dense(x, arm, weights, fit.beta), rtol=1e-12)
    turned = fit_multinomial(x, 2 - arm, weights, penalty=3.0)
    assert_allclose(turned.probability[:, ::-1], fit.probability, rtol=1e-9)
    two = fit_logit(x, arm == 1, weights, penalty=3.0)
    assert_allclose(np.diag(two.penalty), 3.0 * sd**2, atol=1e-12)


def test_a_ridge_serves_where_arms_are_separated() -> None:
    x, _, _ = draw(14)
    fit = fit_logit(x, x[:, 1] > 0, penalty=0.5)
    assert fit.converged
    assert not fit.separated
    assert 0 < fit.probability.min() < fit.probability.max() < 1


# ---- schools -------------------------------------------------------------------------------


def schools(seed: int, groups: int = 9, sd: float = 1.0) -> tuple[np.ndarray, ...]:
    x, _, weights = draw(seed, n=150)
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.arange(groups), rng.integers(0, groups - 2, 150 - groups)])
    y = rng.random(150) < expit(x @ [-0.5, 0.5, 0.0, 0.6] + sd * rng.normal(size=groups)[group])
    return x, y, group, weights


def test_the_laplace_approximation_is_that_of_each_school() -> None:
    """One school at a time by a general optimiser; two schools have one pupil."""
    x, y, group, weights = schools(15)
    beta, sd = np.array([-0.4, 0.3, 0.1, 0.5]), 0.8
    total = 0.0
    for number in range(9):
        here = group == number

        def fall(u: float, here: np.ndarray = here) -> float:
            eta = x[here] @ beta + sd * u
            each = np.where(y[here], np.log(expit(eta)), np.log(expit(-eta)))
            return float(u**2 / 2 - weights[here] @ each)

        found = minimize_scalar(fall, options={"xtol": 1e-12})
        p = expit(x[here] @ beta + sd * found.x)
        total -= found.fun + np.log(1 + sd**2 * weights[here] @ (p * (1 - p))) / 2
    data = Grouped(x, y.astype(float), weights, group, 9)
    assert_allclose(approximate(data, beta, sd, np.zeros(9)).value, total, rtol=1e-9)


def test_schools_whose_pupils_are_all_in_one_arm() -> None:
    x, y, group, weights = schools(16)
    y[group == 3], y[group == 4] = True, False
    fit = fit_random_logit(x, y, group, weights)
    assert fit.converged
    assert fit.effects[3] > 0 > fit.effects[4]
    with pytest.raises(ValueError, match="no group holds both"):
        fit_random_logit(x, group % 2 == 0, group, weights)


def test_separation_by_a_pupils_column_is_found_through_the_schools() -> None:
    x, _, group, weights = schools(17)
    fit = fit_random_logit(x, x[:, 1] > 0, group, weights)
    assert fit.separation is not None
    assert fit.separation.columns == (1,)
    assert not fit.singular


# ---- scores --------------------------------------------------------------------------------


def test_scores_and_bread_of_the_likelihood_and_the_ridge() -> None:
    x, arm, weights = draw(18)
    for penalty in (0.0, 2.0):
        fit = fit_multinomial(x, arm, weights, penalty=penalty)
        found = score_likelihood(fit, x, arm, weights)
        assert_allclose(found.scores.sum(axis=0), 0, atol=1e-9)

        def total(flat: np.ndarray, ridge: np.ndarray = fit.penalty) -> np.ndarray:
            return evaluate_arms(x, arm, flat.reshape(2, 4), weights).score - ridge @ flat

        assert_allclose(found.bread, np.linalg.inv(-slopes(total, fit.beta.ravel())), rtol=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_scores_and_bread_of_firth(k: int) -> None:
    """The bread holds the derivative of the bias reduction: what moves when a row's weight does."""
    x, arm, weights = draw(19, n=50, p=3, k=k)
    fit = fit_firth(x, arm, weights)
    found = score_firth(fit, x, arm, weights)
    assert_allclose(found.scores.sum(axis=0), 0, atol=1e-7)

    def total(flat: np.ndarray) -> np.ndarray:
        moved = type(fit)(
            flat.reshape(k - 1, 3), fit.vcov, chances(x, flat, k), 0.0, True, None, fit.counts,
            fit.penalty,
        )  # fmt: skip
        return score_firth(moved, x, arm, weights).scores.sum(axis=0)

    assert_allclose(found.bread, np.linalg.inv(-slopes(total, fit.beta.ravel())), rtol=1e-6)


def chances(x: np.ndarray, flat: np.ndarray, k: int) -> np.ndarray:
    eta = np.column_stack([np.zeros(len(x)), x @ flat.reshape(k - 1, x.shape[1]).T])
    return np.asarray(np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True))


def test_scores_and_bread_with_an_intercept_for_each_school() -> None:
    x, y, group, weights = schools(20)
    fit = fit_random_logit(x, y, group, weights)
    assert not fit.singular
    found = score_random(fit, x, y, group, weights)
    assert_allclose(found.scores.sum(axis=0), 0, atol=1e-6)
    data = Grouped(x, y.astype(float), weights, group, 9)
    at = np.append(fit.beta, fit.sd)

    def by_school(place: np.ndarray) -> np.ndarray:
        """Give each school's log-likelihood: that of all less that of all others."""
        values = []
        for number in range(9):
            alone = Grouped(
                x[group == number], data.y[group == number], weights[group == number],
                np.zeros(int(np.sum(group == number)), dtype=np.intp), 1,
            )  # fmt: skip
            values.append(approximate(alone, place[:-1], place[-1], np.zeros(1)).value)
        return np.array(values)

    sums = np.array([data.add_up(column) for column in found.scores.T])
    assert_allclose(sums, slopes(by_school, at), atol=1e-6)

    def log_odds(place: np.ndarray) -> np.ndarray:
        there = approximate(data, place[:-1], place[-1], np.zeros(9))
        return np.log(there.probability / (1 - there.probability))

    assert_allclose(found.by_parameters.T, slopes(log_odds, at), atol=1e-7)

    def total(place: np.ndarray) -> np.ndarray:
        there = approximate(data, place[:-1], place[-1], np.zeros(9))
        return np.append(there.by_eta @ x, there.by_sd.sum())

    assert_allclose(found.bread, np.linalg.inv(-slopes(total, at)), rtol=1e-4, atol=1e-6)


def test_without_effects_the_scores_are_those_of_the_plain_fit() -> None:
    x, y, group, _ = schools(21, sd=0.0)
    y = np.resize([True, False], 150)
    group = np.repeat(np.arange(75), 2)
    fit = fit_random_logit(x, y, group)
    assert fit.singular
    found, plain = score_random(fit, x, y, group), fit_multinomial(x, y.astype(np.intp))
    assert_allclose(found.scores, score_likelihood(plain, x, y.astype(np.intp)).scores, atol=1e-12)
    assert_allclose(found.bread, plain.vcov)


def test_the_chain_rule_from_chances_to_coefficients() -> None:
    x, arm, weights = draw(22)
    fit = fit_multinomial(x, arm, weights)

    def ratio(flat: np.ndarray) -> np.ndarray:
        c = chances(x, flat, 3)
        return np.asarray(c[:, 0] * c[:, 2] / c[:, 1])

    p = fit.probability
    by = np.column_stack([p[:, 2] / p[:, 1], -p[:, 0] * p[:, 2] / p[:, 1] ** 2, p[:, 0] / p[:, 1]])
    assert_allclose(pull_back(x, p, by).T, slopes(ratio, fit.beta.ravel()), rtol=1e-6, atol=1e-8)

"""What inference in mixed models must satisfy whatever the data."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, norm, ttest_ind

from baseeval.errors import UsageError
from baseeval.numerics.cr2 import cr2, mixed_parts
from baseeval.numerics.cr2_mixed import nested_mixed_parts
from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.bootstrap import (
    bootstrap_interval,
    bootstrap_ratio,
    outcome_simulator,
    parametric_bootstrap,
)
from baseeval.numerics.mixed_models.boundary_penalty import boundary_penalty
from baseeval.numerics.mixed_models.covariance_derivatives import (
    covariance_derivatives,
    covariance_directions,
)
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_at, fit_likelihood
from baseeval.numerics.mixed_models.kenward_roger import kenward_roger
from baseeval.numerics.mixed_models.likelihood import Likelihood
from baseeval.numerics.mixed_models.likelihood_ratio import variance_ratio
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.nested_simulation import nested_simulator
from baseeval.numerics.mixed_models.profile_intervals import profile_intervals
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df, satterthwaite_test
from baseeval.numerics.mixed_models.shrunken_estimates import shrunken
from baseeval.numerics.mixed_models.templates import (
    Layout,
    Template,
    diagonal_template,
    full_template,
)

DenseLikelihood = runpy.run_path(str(Path(__file__).parents[1] / "dense_likelihood.py"))[
    "DenseLikelihood"
]

FEW = settings(max_examples=8, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def random_rows(seed: int, templates: tuple[Template, ...], weighted: bool = False) -> Block:
    """Rows of some terms: groups of uneven sizes, one row among them; columns far from zero."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(18, 40))
    x = np.column_stack([np.ones(n), rng.normal(50, 3, n), rng.integers(0, 2, n)])
    z, groups = [], []
    y = x @ [1.0, 0.2, -0.5] + rng.normal(size=n)
    for template in templates:
        codes = np.unique(rng.integers(0, 6, n) * (rng.random(n) < 0.9), return_inverse=True)[1]
        codes[-1] = codes.max() + 1
        codes = np.unique(codes, return_inverse=True)[1]
        columns = np.column_stack([np.ones(n), rng.normal(size=(n, template.size - 1))])
        y += np.einsum(
            "nq,nq->n", columns, rng.normal(size=(codes.max() + 1, template.size))[codes]
        )
        z.append(columns)
        groups.append(codes)
    weights = rng.uniform(0.5, 3, n) if weighted else None
    return Block(x, y, tuple(z), tuple(groups), weights)


def one_factor(rows: Block, layout: Layout) -> NestedLikelihood:
    order = np.argsort(rows.groups[0], kind="stable")
    return nested_likelihood(cut_blocks(rows, order), layout, (0,) * len(rows.z), 0)


LAYOUTS = {
    "crossed": (full_template(1), full_template(1)),
    "slope": (full_template(2),),
    "independent": (diagonal_template([0, 1]),),
    "shared": (diagonal_template([0, 1, 1]), full_template(1)),
}


@pytest.mark.parametrize("kind", LAYOUTS)
@given(seed=SEEDS, weighted=st.booleans(), zero=st.booleans())
@FEW
def test_derivatives_are_those_of_whole_matrices(
    kind: str, seed: int, weighted: bool, zero: bool
) -> None:
    layout = Layout(LAYOUTS[kind])
    dense = DenseLikelihood(random_rows(seed, layout.templates, weighted), layout, 0)
    theta = np.random.default_rng(seed).uniform(0.1, 1.5, layout.count)
    if zero:
        theta[-1] = 0.0
    found = covariance_derivatives(fit_at(dense, theta))
    inverse = np.linalg.inv(dense.covariance(layout.covariances(theta)))
    residual = dense.covariance([np.zeros((t.size, t.size)) for t in layout.templates])
    parts = [dense.covariance(move) - residual for move in covariance_directions(layout)]
    swept = [inverse @ part for part in [*parts, residual]]
    x = dense.columns[0]
    # One unit throughout: each derivative over the size of its parameter's effect.
    size = np.sqrt([np.trace(one @ one) for one in swept])
    for r, one in enumerate(swept):
        expected = -x.T @ one @ inverse @ x
        assert_allclose(found.information[r] / size[r], expected / size[r], atol=1e-7)
        for s, other in enumerate(swept):
            unit = size[r] * size[s]
            half = x.T @ one @ other @ inverse @ x
            assert_allclose(found.information_twice[r, s] / unit, (half + half.T) / unit, atol=1e-6)
            assert_allclose(
                found.log_det_twice[r, s] / unit, -np.trace(one @ other) / unit, atol=1e-6
            )


def school_arms(seed: int, spread: float = 1.0, pupils: int = 6) -> tuple[Block, np.ndarray]:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(9), pupils)
    arm = (school < 4).astype(float)
    y = rng.normal(size=school.size) + spread * rng.normal(size=9)[school]
    x = np.column_stack([np.ones(school.size), arm])
    return Block(x, y, (np.ones((school.size, 1)),), (school,)), school


@given(seed=SEEDS)
@FEW
def test_equal_schools_give_the_t_test_of_their_means(seed: int) -> None:
    """One arm a school, equal sizes: both approximations are exact, with schools less arms df."""
    rows, school = school_arms(seed, spread=2.0)
    fit = fit_likelihood(one_factor(rows, Layout((full_template(1),))))
    if fit.singular:
        return
    means = np.bincount(school, rows.y) / 6
    expected = ttest_ind(means[:4], means[4:])
    arm = np.array([0.0, 1.0])
    adjusted = kenward_roger(fit)
    assert_allclose(adjusted.df(arm), 7, rtol=1e-6)
    assert_allclose(satterthwaite_df(fit, arm[None]), 7, rtol=1e-4)
    assert_allclose(fit.beta[1] / np.sqrt(adjusted.vcov[1, 1]), expected.statistic, rtol=1e-6)
    for test in (adjusted.test(arm[None]), satterthwaite_test(fit, arm[None])):
        assert_allclose(test.statistic, expected.statistic**2, rtol=1e-5)
        assert_allclose(test.p_value, expected.pvalue, rtol=1e-3)


@given(seed=SEEDS)
@FEW
def test_units_change_nothing(seed: int) -> None:
    layout = Layout((full_template(2),))
    rows = random_rows(seed, layout.templates)
    turned = Block(
        rows.x @ np.diag([1.0, 100.0, 1.0]) + np.outer(np.ones(len(rows.y)), [0.0, 7.0, 0.0]),
        1000 * rows.y,
        (rows.z[0] * [1.0, 50.0],),
        rows.groups,
    )
    first, other = (fit_likelihood(one_factor(block, layout)) for block in (rows, turned))
    if first.singular or other.singular:
        return
    contrasts = np.eye(3)[1:]
    ours, theirs = kenward_roger(first), kenward_roger(other)
    for row in contrasts:
        assert_allclose(theirs.df(row), ours.df(row), rtol=1e-4)
    size = np.array([10.0, 1000.0])
    assert_allclose(np.sqrt(np.diag(theirs.vcov)[1:] / np.diag(ours.vcov)[1:]), size, rtol=1e-5)
    joint = [fit.test(contrasts) for fit in (ours, theirs)]
    assert_allclose(joint[1].statistic, joint[0].statistic, rtol=1e-4)
    assert_allclose(
        satterthwaite_df(other, contrasts), satterthwaite_df(first, contrasts), rtol=1e-3
    )
    # The same hypothesis in other contrasts, one of them twice.
    again = ours.test(np.array([[1.0, 1.0], [1.0, -2.0], [2.0, 2.0]]) @ contrasts)
    assert again.df_num == 2
    assert_allclose(again.statistic, joint[0].statistic, rtol=1e-8)
    assert_allclose(again.df, joint[0].df, rtol=1e-8)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_profile_ends_are_where_the_likelihood_says(seed: int, spread: float) -> None:
    """At an end the best fit with that value given lies half a chi-square quantile below."""
    rows, _ = school_arms(seed, spread)
    layout = Layout((full_template(1),))
    best = fit_likelihood(one_factor(rows, layout), reml=False)
    found, drop = profile_intervals(best), chi2.ppf(0.95, 1) / 2
    for end in found.beta[1]:
        given_arm = Block(rows.x[:, :1], rows.y - rows.x[:, 1] * end, rows.z, rows.groups)
        held = fit_likelihood(one_factor(given_arm, layout), reml=False)
        assert_allclose(best.loglik - held.loglik, drop, atol=1e-4)
    n, unit = len(rows.y), best.likelihood.coordinates.scale
    least = best.at.log_det + n * np.log(2 * np.pi * best.at.rss / n) + n

    def below(deviation: float) -> float:
        """Log-likelihood that is lost where the schools' standard deviation is given."""

        def value(log_theta: float) -> float:
            at = best.likelihood.profile(np.array([np.exp(log_theta)]))
            sigma2 = (deviation / unit / np.exp(log_theta)) ** 2
            return float(at.log_det + n * np.log(2 * np.pi * sigma2) + at.rss / sigma2)

        return float(minimize_scalar(value, bounds=(-5, 3)).fun - least) / 2

    low, high = found.effects[0][0, 0]
    assert_allclose(below(high), drop, atol=1e-4)
    if low > 0:
        assert_allclose(below(low), drop, atol=1e-4)
    else:
        zero = fit_at(best.likelihood, np.zeros(1), reml=False)
        assert best.loglik - zero.loglik <= drop


@given(seed=SEEDS, power=st.floats(0.5, 3))
@FEW
def test_penalty_gradient(seed: int, power: float) -> None:
    layout = Layout((full_template(2), diagonal_template([0, 0, 1])))
    penalty = boundary_penalty(layout, power)
    theta = np.random.default_rng(seed).uniform(0.2, 2, layout.count)
    for place in range(layout.count):
        step = 1e-6 * np.eye(layout.count)[place]
        rise = (penalty(theta + step)[0] - penalty(theta - step)[0]) / 2e-6
        assert_allclose(penalty(theta)[1][place], rise, atol=1e-6)


def fit_of(rows: Block, template: Template) -> MixedFit:
    return fit_likelihood(one_factor(rows, Layout((template,))))


def test_a_variance_is_tested_on_its_own_boundary() -> None:
    rows = random_rows(3, (full_template(3),))
    of = [Block(rows.x, rows.y, (rows.z[0][:, :q],), rows.groups) for q in range(1, 4)]
    intercept, slope, both = (fit_of(of[q - 1], full_template(q)) for q in (1, 2, 3))
    apart = fit_of(of[1], diagonal_template([0, 1]))
    assert variance_ratio(intercept, slope).df == (1, 2)
    assert variance_ratio(slope, both).df == (2, 3)
    assert variance_ratio(intercept, apart).df == (0, 1)
    with pytest.raises(UsageError, match="one effect"):
        variance_ratio(intercept, both)


# ---- bootstrap ----------------------------------------------------------------------------------
def test_simulated_outcomes_have_the_model_s_covariance() -> None:
    layout = Layout((full_template(2), diagonal_template([0])))
    rows = random_rows(5, layout.templates, weighted=True)
    dense = DenseLikelihood(rows, layout, 0)
    fit = fit_at(dense, np.array([0.8, -0.4, 0.5, 0.7]))
    draw, rng = outcome_simulator(fit, rows), np.random.default_rng(1)
    seen = [draw(rng) for _ in range(4000)]
    y, expected = np.array(seen), fit.sigma**2 * dense.covariance(layout.covariances(fit.theta))
    size = np.sqrt(np.diag(expected))
    assert np.abs((y.mean(axis=0) - rows.x @ fit.beta) / size).max() < 4.5 / np.sqrt(4000)
    error = (np.cov(y.T) - expected) / np.outer(size, size)
    assert np.abs(error).max() < 5 * np.sqrt(2 / 4000)


def test_drawn_sums_have_the_law_of_those_of_drawn_rows() -> None:
    """Mean and covariance of Z'y, X'y and y'y, with a school of one pupil and weights."""
    layout = Layout((full_template(2),))
    rows = random_rows(5, layout.templates, weighted=True)
    likelihood = one_factor(rows, layout)
    fit = fit_at(likelihood, np.array([0.8, -0.4, 0.5]))
    at, data = likelihood.coordinates, likelihood.data
    order = [np.flatnonzero(rows.groups[0] == code) for code in data.codes]
    x = at.columns(rows.x - at.sums.shift)
    draw, rng = outcome_simulator(fit, rows), np.random.default_rng(1)

    def sums_of(y: np.ndarray) -> np.ndarray:
        wy = rows.weights * y
        own = [rows.z[0][place].T @ wy[place] for place in order]
        return np.concatenate([np.ravel(np.transpose(own)), x.T @ wy, [y @ wy]])

    expected = np.array([sums_of(at.outcome(draw(rng) - at.sums.centre, x)) for _ in range(4000)])
    simulate, found = nested_simulator(fit, likelihood), []
    for _ in range(4000):
        drawn = simulate(rng).data
        found.append(np.append(drawn.outer[:, :, -1].ravel(), drawn.total[:, -1]))
    size = expected.std(axis=0)
    error = np.abs(np.mean(found, axis=0) - expected.mean(axis=0)) / size
    assert error.max() < 5 * np.sqrt(2 / 4000)
    gap = (np.cov(np.transpose(found)) - np.cov(expected.T)) / np.outer(size, size)
    assert np.abs(gap).max() < 0.17
    # Third moments tell that what is left of y'y is a chi-square, and not a normal.
    skew = [
        np.mean(((own - own.mean()) / own.std()) ** 3)
        for own in (np.array(found)[:, -1], expected[:, -1])
    ]
    assert_allclose(*skew, atol=0.3)


def test_sums_of_two_factors_are_not_drawn() -> None:
    rows, _ = school_arms(1)
    both = Block(rows.x, rows.y, rows.z * 2, (rows.groups[0], np.arange(len(rows.y)) // 2))
    layout = Layout((full_template(1), full_template(1)))
    likelihood = nested_likelihood(cut_blocks(both), layout, (0, 1), 0)
    with pytest.raises(ValueError, match="one factor only"):
        nested_simulator(fit_likelihood(likelihood), likelihood)


def test_bootstrap_agrees_with_the_model_where_both_are_right() -> None:
    rows, _ = school_arms(4)
    layout = Layout((full_template(1),))
    fit = fit_likelihood(one_factor(rows, layout))
    simulate = nested_simulator(fit, fit.likelihood)
    draws = parametric_bootstrap(fit, simulate, 150, seed=2)
    assert draws.failed == 0
    assert_allclose(draws.beta.std(axis=0), np.sqrt(np.diag(fit.vcov)), rtol=0.2)
    again = parametric_bootstrap(fit, simulate, 5, seed=2)
    assert_allclose(again.theta, draws.theta[:5], rtol=0)
    found = bootstrap_interval(draws.beta[:, 1], float(fit.beta[1]))
    assert found.percentile[0] < fit.beta[1] < found.percentile[1]
    middle = (np.mean(found.percentile) + np.mean(found.basic)) / 2
    assert_allclose(middle, fit.beta[1], rtol=1e-12)


def test_monte_carlo_error_of_an_end() -> None:
    """Of normal draws it is the root of p (1 - p) / R over the density at the quantile."""
    draws = np.random.default_rng(1).normal(size=(300, 400))
    found = [bootstrap_interval(own, 0.0) for own in draws]
    ends = np.array([one.percentile for one in found])
    assert_allclose(ends.mean(axis=0), norm.ppf([0.025, 0.975]), atol=0.05)
    stated = np.mean([one.monte_carlo_error for one in found], axis=0)
    assert_allclose(stated, ends.std(axis=0), rtol=0.2)
    assert_allclose(stated, np.sqrt(0.025 * 0.975 / 400) / norm.pdf(1.96), rtol=0.2)


@pytest.mark.parametrize(("strength", "least", "most"), [(0.0, 0.05, 1.0), (2.0, 0.0, 0.05)])
def test_bootstrap_ratio_of_nothing_and_of_something(
    strength: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(10)
    rows, school = school_arms(1)
    x = rng.normal(size=len(school))
    y = rows.y + strength * rng.normal(size=9)[school] * x
    z = np.column_stack([rows.z[0], x])
    small, large = Layout((diagonal_template([0]),)), Layout((diagonal_template([0, 1]),))

    def both(y: np.ndarray) -> tuple[Likelihood, Likelihood]:
        return (
            one_factor(Block(rows.x, y, rows.z, rows.groups), small),
            one_factor(Block(rows.x, y, (z,), rows.groups), large),
        )

    one, other = (fit_likelihood(made) for made in both(y))
    draw = outcome_simulator(one, rows)
    test = bootstrap_ratio(one, other, lambda rng: both(draw(rng)), 59, seed=1)
    assert least <= test.p_value <= most
    assert test.draws == 59


# ---- CR2 above nested groups --------------------------------------------------------------------
@given(seed=SEEDS)
@FEW
def test_cr2_of_one_term_is_that_of_cr2(seed: int) -> None:
    rows = random_rows(seed, (full_template(2),))
    e, clusters = rows.y - rows.y.mean(), rows.groups[0]
    covariance = np.array([[0.7, 0.2], [0.2, 0.4]])
    first = cr2(mixed_parts(rows.x, rows.z[0], e, covariance, clusters))
    other = cr2(nested_mixed_parts(rows.x, rows.z, rows.groups, [covariance], e, clusters))
    assert_allclose(other.vcov, first.vcov, rtol=1e-6, atol=1e-9 * np.abs(first.vcov).max())
    assert_allclose(other.df(np.eye(3)[1]), first.df(np.eye(3)[1]), rtol=1e-6)


@given(seed=SEEDS)
@FEW
def test_cr2_above_classes_by_whole_matrices(seed: int) -> None:
    """Classes within schools: the definition of `docs/methods/cr2.md` on n by n matrices."""
    rng = np.random.default_rng(seed)
    rows = random_rows(seed, (full_template(1),))
    clusters = rows.groups[0]
    classes = np.unique(clusters * 3 + rng.integers(0, 3, len(clusters)), return_inverse=True)[1]
    x, e = rows.x - rows.x.mean(axis=0) * [0, 1, 0], rng.normal(size=len(clusters))
    covariances = [np.array([[0.6]]), np.array([[0.3]])]
    parts = nested_mixed_parts(
        x, (rows.z[0], rows.z[0]), (clusters, classes), covariances, e, clusters
    )
    same = [codes[:, None] == codes for codes in (clusters, classes)]
    phi = np.eye(len(e)) + 0.6 * same[0] + 0.3 * same[1]
    weight = np.linalg.inv(phi)
    bread = np.linalg.inv(x.T @ weight @ x)
    var_e = phi - x @ bread @ x.T
    meat = np.zeros((3, 3))
    for cluster in np.unique(clusters):
        own = np.flatnonzero(clusters == cluster)
        block = np.ix_(own, own)
        values, vectors = np.linalg.eigh(phi[block])
        root = vectors * np.sqrt(values) @ vectors.T
        inner, turned = np.linalg.eigh(root @ var_e[block] @ root)
        power = np.where(inner > 1e-12, np.abs(inner) ** -0.5, 0.0)
        score = x[own].T @ weight[block] @ root @ (turned * power @ turned.T) @ root @ e[own]
        meat += np.outer(score, score)
    expected = bread @ meat @ bread
    assert_allclose(cr2(parts).vcov, expected, rtol=1e-5, atol=1e-8 * np.abs(expected).max())


# ---- shrunken estimates -------------------------------------------------------------------------
def test_shrunken_estimates_are_those_known_by_hand() -> None:
    """b + n theta^2 / (1 + n theta^2) (mean - b); a wider level gives a wider interval."""
    rng = np.random.default_rng(7)
    school = np.repeat(np.arange(5), [3, 9, 1, 6, 12])
    y = 10 + rng.normal(size=5)[school] + rng.normal(size=31)
    one = np.ones((31, 1))
    fit = fit_of(Block(one, y, (one,), (school,)), full_template(1))
    found = shrunken(fit, 0, fixed=np.ones((1, 1)), log2_points=6)
    means = np.bincount(school, y) / np.bincount(school)
    pull = np.bincount(school) * fit.theta[0] ** 2
    assert_allclose(found.modes[:, 0], fit.beta + pull / (1 + pull) * (means - fit.beta))
    assert np.all((found.low < found.mean) & (found.mean < found.high))
    wide = shrunken(fit, 0, fixed=np.ones((1, 1)), level=0.99, log2_points=6)
    assert np.all((wide.low < found.low) & (wide.high > found.high))


def test_intervals_of_four_schools_cover() -> None:
    """With the variance taken as known they do not: it is estimated at zero half the time."""
    rng = np.random.default_rng(0)
    school, one = np.repeat(np.arange(4), 12), np.ones((48, 1))
    known, own, integrated = [], [], []
    for _ in range(60):
        effects = 0.2 * rng.normal(size=4)
        y = 1 + effects[school] + rng.normal(size=48)
        fit = fit_of(Block(one, y, (one,), (school,)), full_template(1))
        apart = fit.likelihood.effects(fit.theta)[0]
        modes = fit.likelihood.coordinates.scale * apart.modes[:, 0]
        error = fit.sigma * np.sqrt(apart.variance[:, 0, 0])
        known.append(np.abs(modes - effects) <= 1.96 * error)
        found = shrunken(fit, 0, fixed=np.ones((1, 1)), log2_points=5)
        own.append(np.abs(found.modes - 1 - effects[:, None]) <= 1.96 * found.given)
        integrated.append((found.low[:, 0] <= 1 + effects) & (1 + effects <= found.high[:, 0]))
    assert np.mean(known) < 0.7
    assert np.mean(own) < 0.92
    assert 0.93 < np.mean(integrated) < 0.99

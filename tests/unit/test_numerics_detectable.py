"""The smallest effect that could be shown: published numbers, simulated tests, what must hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nct
from scipy.stats import t as student

from baseeval.numerics.cr2 import cr2, weighted_parts
from baseeval.numerics.detectable import (
    Assumed,
    Between,
    Within,
    compared_between,
    compared_within,
    detectable_effect,
)
from baseeval.numerics.least_squares import fit_least_squares, independent_columns


def equal_schools(pupils: int, schools: int, between: bool):
    """Return weights, arm and school of a design with every school alike."""
    school = np.repeat(np.arange(schools), pupils)
    first = school % 2 == 0 if between else np.arange(len(school)) % 2 == 0
    return np.ones(len(school)), first, school


# PowerUpR 1.0's printed answers for schools of 15 pupils, 20 of them, power 0.8, two-sided 0.05:
# mdes.cra2r2(rho2=.17, n=15, J=20), mdes.bira2r1(rho2=.17, omega2=.50, n=15, J=20),
# mdes.bira2f1(n=15, J=20). They are quoted in the tests of pyPowerUp (tests/test_mde.py).
# Its omega is the effect's variance over that between schools: 0.5 x 0.17 of the total.
PRINTED = [
    ("between", Assumed(icc=0.17), False, 0.629, 18, 0.212),
    ("within", Assumed(icc=0.17, effect_variance=0.085), False, 0.366, 19, 0.124),
    ("within", Assumed(icc=0.0), True, 0.325, 260, 0.115),
]


@pytest.mark.parametrize(("placed", "assumed", "fixed", "effect", "df", "error"), PRINTED)
def test_the_printed_answers_of_powerupr(placed, assumed, fixed, effect, df, error):
    # Fifteen is odd: the printed formula takes half of each school, so the numbers are given.
    compared = (
        compared_between(*equal_schools(15, 20, between=True))
        if placed == "between"
        else Within(schools=20.0, pupils=(150.0, 150.0), rows=300)
    )
    found = detectable_effect(compared, assumed, fixed=fixed)
    assert round(found.effect, 3) == effect
    assert found.df == pytest.approx(df)
    assert round(found.std_error, 3) == error
    # The interval that it prints is effect -/+ t(0.975) standard errors.
    printed = {0.629: (0.183, 1.075), 0.366: (0.107, 0.625), 0.325: (0.097, 0.552)}[effect]
    half = student.ppf(0.975, found.df) * found.std_error
    assert (found.effect - half, found.effect + half) == pytest.approx(printed, abs=0.001)


def test_covariates_enter_as_in_models_3_1_and_2_3():
    """Dong and Maynard's formulae, written out with P = 1/2."""
    n, schools, rho, r1, r2, g = 16, 24, 0.2, 0.4, 0.6, 3
    variance = rho * (1 - r2) / (schools / 4) + (1 - rho) * (1 - r1) / (schools * n / 4)
    df = schools - 2 - g
    by_hand = (student.ppf(0.975, df) + student.ppf(0.8, df)) * math.sqrt(variance)
    compared = compared_between(*equal_schools(n, schools, between=True))
    assumed = Assumed(icc=rho, r2_pupil=r1, r2_school=r2)
    assert detectable_effect(compared, assumed, fitted=g).effect == pytest.approx(by_hand)
    varies = 0.05
    variance = varies / schools + (1 - rho) * (1 - r1) / (schools * n / 4)
    df = schools - 1 - g
    by_hand = (student.ppf(0.975, df) + student.ppf(0.8, df)) * math.sqrt(variance)
    inside = compared_within(*equal_schools(n, schools, between=False))
    assumed = replace(assumed, effect_variance=varies)
    assert detectable_effect(inside, assumed, fitted=g).effect == pytest.approx(by_hand)


def test_unequal_schools_and_weights_have_the_exact_variance_of_the_weighted_difference():
    """Against the variance worked out from every pupil's share, with a full covariance matrix."""
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(9), [1, 2, 4, 9, 3, 30, 1, 5, 12])
    first = school < 4
    weights = rng.uniform(0, 3, len(school))
    weights[[3, 20]] = 0.0
    shares = np.where(first, weights / weights[first].sum(), -weights / weights[~first].sum())
    icc = 0.3
    covariance = icc * (school[:, None] == school) + (1 - icc) * np.eye(len(school))
    compared = compared_between(weights, first, school)
    error = detectable_effect(compared, Assumed(icc=icc)).std_error
    assert error == pytest.approx(math.sqrt(shares @ covariance @ shares), rel=1e-12)


def test_within_schools_the_variance_is_that_of_least_squares_with_school_intercepts():
    rng = np.random.default_rng(12)
    school = np.repeat(np.arange(7), [1, 2, 4, 9, 3, 30, 5])
    first = rng.random(len(school)) < 0.4
    first[:3] = [True, True, False]
    weights = rng.uniform(0.2, 3, len(school))
    x = np.column_stack([first, school[:, None] == np.arange(7)]).astype(float)
    bread = np.linalg.inv(x.T @ (weights[:, None] * x))
    row = (bread @ (x * weights[:, None]).T)[0]
    effect = 0.04 * np.outer(first, first) * (school[:, None] == school)
    covariance = effect + 0.8 * np.eye(len(school))
    compared = compared_within(weights, first, school)
    found = detectable_effect(compared, Assumed(icc=0.2, effect_variance=0.04))
    assert found.std_error == pytest.approx(math.sqrt(row @ covariance @ row), rel=1e-10)
    assert compared.rows == sum(
        int(np.sum(school == s))
        for s in range(7)
        if first[school == s].any() and not first[school == s].all()
    )


@pytest.mark.parametrize(
    "compared",
    [
        compared_between(np.ones(4), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 2])),
        compared_between(np.zeros(4), np.array([1, 1, 0, 0], bool), np.array([0, 1, 2, 3])),
        compared_within(np.ones(4), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1])),
        compared_within(np.ones(4), np.array([1, 0, 1, 1], bool), np.array([0, 0, 1, 1])),
        compared_within(np.array([]), np.array([], bool), np.array([], dtype=int)),
    ],
    ids=["one school in an arm", "nobody counts", "no shared school", "one shared", "nobody"],
)
def test_where_no_interval_exists_nothing_can_be_detected(compared):
    assert detectable_effect(compared, Assumed(icc=0.1)).effect == math.inf


@pytest.mark.parametrize("wrong", [{"icc": 1.0}, {"r2_pupil": -0.1}, {"power": 1.0}, {"alpha": 0}])
def test_impossible_assumptions_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Assumed(**{"icc": 0.1, **wrong})


sizes = st.floats(2.5, 500.0)
shares = st.floats(0.0, 0.95)


@given(sizes, sizes, sizes, sizes, shares, shares, shares)
def test_more_of_anything_detects_smaller_effects(j1, j2, n1, n2, icc, r2_pupil, r2_school):
    assumed = Assumed(icc=icc, r2_pupil=r2_pupil, r2_school=r2_school)
    base = detectable_effect(Between((j1, j2), (j1 * n1, j2 * n2)), assumed)
    assert base.effect > 0
    pupils = detectable_effect(Between((j1, j2), (2 * j1 * n1, 2 * j2 * n2)), assumed)
    schools = detectable_effect(Between((2 * j1, 2 * j2), (2 * j1 * n1, 2 * j2 * n2)), assumed)
    assert schools.effect < base.effect
    assert pupils.std_error < base.std_error
    surer = detectable_effect(Between((j1, j2), (j1 * n1, j2 * n2)), replace(assumed, power=0.9))
    assert surer.effect > base.effect
    swapped = detectable_effect(Between((j2, j1), (j2 * n2, j1 * n1)), assumed)
    assert swapped.effect == pytest.approx(base.effect)
    assert base.df <= j1 + j2 - 2 + 1e-9
    assert base.df >= min(j1, j2) - 1 - 1e-9


@given(sizes, sizes, shares, shares, st.floats(0.0, 0.5))
def test_between_schools_the_icc_costs_and_within_them_it_helps(schools, n, low, high, varies):
    low, high = sorted((low, high))
    pupils = schools * n
    between = [
        detectable_effect(Between((schools, schools), (pupils, pupils)), Assumed(icc=icc)).std_error
        for icc in (low, high)
    ]
    inside = [
        detectable_effect(
            Within(schools, (pupils / 2, pupils / 2), int(pupils)),
            Assumed(icc=icc, effect_variance=varies),
        ).std_error
        for icc in (low, high)
    ]
    assert between[1] >= between[0] * (1 - 1e-9)
    assert inside[1] <= inside[0] * (1 + 1e-9)


@given(
    st.lists(st.floats(0.01, 5.0), min_size=4, max_size=30), st.integers(2, 6), st.floats(0.1, 9)
)
def test_weights_count_only_as_ratios_within_an_arm(weights, schools, times):
    given_weights = np.array(weights)
    school = np.arange(len(weights)) % schools
    first = np.arange(len(weights)) % 4 < 2
    scaled = given_weights * np.where(first, times, 1.0)
    one, two = (compared_between(each, first, school) for each in (given_weights, scaled))
    assert one.schools == pytest.approx(two.schools)
    assert one.pupils == pytest.approx(two.pupils)
    assert one.pupils[0] <= first.sum() * (1 + 1e-12)
    assert one.schools[0] <= min(schools, first.sum()) * (1 + 1e-12)


def test_the_sum_of_two_quantiles_is_close_to_the_noncentral_t():
    """Where errors are normal the power at the formula's effect is just below what was asked."""
    for df, power in ((1, 0.731), (2, 0.766), (4, 0.791), (10, 0.799), (30, 0.800)):
        multiplier = student.ppf(0.975, df) + student.ppf(0.8, df)
        assert round(nct.sf(student.ppf(0.975, df), df, multiplier), 3) == power


def rejections(draws: int, weights, first, school, tau2: float, varies: float, effect: float, seed):
    """Return how often a CR2 t-test of weighted least squares rejects at 0.05."""
    rng = np.random.default_rng(seed)
    within = len(set(school[first]) & set(school[~first])) > 0
    schools = school.max() + 1
    x = np.column_stack([np.ones(len(school)), first])
    if within:
        x = np.column_stack([first, school[:, None] == np.arange(schools)])
    x = x.astype(float)
    x = x[:, independent_columns(x)]
    position = 0 if within else 1
    hits = 0
    for _ in range(draws):
        noise = rng.normal(0, math.sqrt(1 - tau2), len(school))
        own = rng.normal(effect, math.sqrt(varies), schools)[school]
        outcome = rng.normal(0, math.sqrt(tau2), schools)[school] + noise + own * first
        fit = fit_least_squares(x, outcome, weights)
        robust = cr2(weighted_parts(x, fit.residuals, weights, school, fit.bread))
        contrast = np.eye(x.shape[1])[position]
        error = math.sqrt(robust.vcov[position, position])
        hits += abs(fit.beta[position]) > student.ppf(0.975, robust.df(contrast)) * error
    return hits / draws


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first_schools", "second_schools", "sizes", "spread"),
    [(10, 10, (15, 15), 0.0), (8, 30, (12, 20), 0.5), (6, 6, (5, 40), 0.8)],
)
def test_between_schools_a_cr2_test_shows_the_effect_as_often_as_promised(
    first_schools, second_schools, sizes, spread
):
    rng = np.random.default_rng(5)
    schools = first_schools + second_schools
    school = np.repeat(np.arange(schools), rng.integers(sizes[0], sizes[1] + 1, schools))
    first = school < first_schools
    weights = np.exp(rng.normal(0, spread, len(school)))
    found = detectable_effect(compared_between(weights, first, school), Assumed(icc=0.15))
    power = rejections(1500, weights, first, school, 0.15, 0.0, found.effect, 6)
    assert power == pytest.approx(0.8, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "varies"), [((15, 15), 0.0), ((6, 40), 0.05)])
def test_within_schools_a_cr2_test_shows_the_effect_as_often_as_promised(sizes, varies):
    rng = np.random.default_rng(7)
    school = np.repeat(np.arange(16), rng.integers(sizes[0], sizes[1] + 1, 16))
    first = rng.random(len(school)) < 0.35
    weights = np.exp(rng.normal(0, 0.4, len(school)))
    assumed = Assumed(icc=0.2, effect_variance=varies)
    found = detectable_effect(compared_within(weights, first, school), assumed)
    power = rejections(1500, weights, first, school, 0.2, varies, found.effect, 8)
    assert power == pytest.approx(0.8, abs=0.05)

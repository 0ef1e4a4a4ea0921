"""School means, permutation and the ladder, against hand-worked cases and other software."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, ttest_1samp, ttest_ind
from scipy.stats import t as student

from baseeval.effects.multilevel import MULTILEVEL
from baseeval.effects.spec import EffectSample
from baseeval.errors import EstimationError
from baseeval.numerics.few_schools.arm_cells import arm_cells
from baseeval.numerics.few_schools.cluster_permutation import permute_arms
from baseeval.numerics.few_schools.ratio_tail import ratio_tail
from baseeval.numerics.few_schools.rungs import ladder, ladder_step
from baseeval.numerics.few_schools.school_means import compare_school_means


def make_sample(
    cells: list[tuple[int, bool, int]], seed: int = 0, covariates: int = 0, **kept: np.ndarray
) -> EffectSample:
    """Draw pupils for (school, first arm, pupils)."""
    rng = np.random.default_rng(seed)
    school = np.repeat([each[0] for each in cells], [each[2] for each in cells])
    first = np.repeat([each[1] for each in cells], [each[2] for each in cells])
    parts = {
        "outcome": rng.standard_normal(len(school)) + rng.standard_normal(201)[school],
        "weights": np.ones(len(school)),
        "covariates": rng.standard_normal((len(school), covariates)),
    }
    return EffectSample(first=first, school=school.astype(np.intp), **(parts | kept))


def apart(first: int, second: int, pupils: int = 6, **more: object) -> EffectSample:
    cells = [(school, school < first, pupils) for school in range(first + second)]
    return make_sample(cells, **more)


def inside(schools: int, pupils: int = 5, **more: object) -> EffectSample:
    cells = [(school, arm, pupils) for school in range(schools) for arm in (True, False)]
    return make_sample(cells, **more)


def test_within_schools_of_a_size_it_is_the_paired_t_test() -> None:
    sample = inside(5)
    found = compare_school_means(sample)
    means = sample.outcome.reshape(5, 2, 5).mean(axis=2)
    known = ttest_1samp(means[:, 0] - means[:, 1], 0)
    assert found.estimate == pytest.approx((means[:, 0] - means[:, 1]).mean(), abs=1e-12)
    assert found.interval.statistic == pytest.approx(known.statistic, rel=1e-9)
    assert found.interval.p_value == pytest.approx(known.pvalue, rel=1e-8)
    assert found.interval.df == pytest.approx(4, rel=1e-7)
    low, high = known.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-7)
    low, high = known.confidence_interval(0.90)
    assert (found.interval.low90, found.interval.high90) == pytest.approx((low, high), rel=1e-7)
    assert found.least == pytest.approx(0.05, abs=1e-8)


def test_between_schools_of_a_size_the_statistic_is_welchs() -> None:
    sample = apart(3, 4)
    found = compare_school_means(sample)
    means = sample.outcome.reshape(7, 6).mean(axis=1)
    known = ttest_ind(means[:3], means[3:], equal_var=False)
    assert found.interval.statistic == pytest.approx(known.statistic, rel=1e-9)
    # The reference is the worst of what is assumed, so df lie below those of equal variances.
    assert 2 < found.interval.df < 5
    assert 0.02 < found.least < 0.04


def behrens_fisher(t: float, first: int, second: int, ratio: float) -> float:
    """P(|T| > t) of two means of known ratio of variances, after Mickey and Brown (1966)."""
    a, b = (first - 1) / 2, (second - 1) / 2
    one, two = ratio / first, 1 / second
    total = 2 * (a + b)

    def inner(share: float) -> float:
        weight = one / (one + two) * share / (2 * a) + two / (one + two) * (1 - share) / (2 * b)
        return 2 * student.sf(t * np.sqrt(total * weight), total) * beta.pdf(share, a, b)

    return quad(inner, 0, 1, epsabs=1e-11)[0]


@pytest.mark.parametrize(("first", "second", "ratio"), [(3, 4, 1.0), (5, 3, 2.25), (3, 9, 0.3)])
def test_tail_is_that_of_behrens_and_fisher(first: int, second: int, ratio: float) -> None:
    b = np.r_[np.full(first, 1 / first), np.full(second, -1 / second)]
    a = np.zeros((first + second,) * 2)
    a[:first, :first] = (np.eye(first) - 1 / first) / (first * (first - 1))
    a[first:, first:] = (np.eye(second) - 1 / second) / (second * (second - 1))
    covariance = np.diag(np.r_[np.full(first, ratio), np.ones(second)])
    tail = ratio_tail(b, a, covariance[None])
    for t in (0.7, 2.5, 6.0):
        assert tail.worst(t) == pytest.approx(behrens_fisher(t, first, second, ratio), rel=1e-6)


def test_an_estimated_part_brings_its_degrees_of_freedom() -> None:
    """A single normal over s alone is Student's t on the df of s."""
    tail = ratio_tail(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)), extra=1.0, df=3)
    assert tail.worst(2.5) == pytest.approx(2 * student.sf(2.5, 3), rel=1e-8)
    assert tail.critical(np.array([0.05]))[0] == pytest.approx(student.ppf(0.975, 3), rel=1e-8)


def test_critical_values_hold_under_the_worst_covariance() -> None:
    a = (np.eye(4) - 0.25) / 12
    covariances = np.array([np.eye(4), np.diag([1.0, 2.0, 3.0, 9.0]), np.diag([1, 1, 1, 50.0])])
    levels = np.array([0.05, 0.10])
    tail = ratio_tail(np.full(4, 0.25), a, covariances)
    critical = tail.critical(levels)
    for level, t in zip(levels, critical, strict=True):
        assert tail.worst(t) == pytest.approx(level, rel=1e-7)
    # Bakirov and Szekely (2005): unequal variances never make the one-sample test reject more.
    assert critical[0] == pytest.approx(student.ppf(0.975, 3), rel=1e-7)


def test_covariates_are_adjusted_for_within_cells() -> None:
    cells = [(0, True, 9), (0, False, 4), (1, True, 1), (1, False, 12), (2, False, 7), (3, True, 5)]
    sample = make_sample(cells, covariates=2)
    weights = np.random.default_rng(4).uniform(0.5, 2.0, len(sample.outcome))
    sample = replace(sample, weights=weights)
    found = arm_cells(sample)
    codes = 2 * sample.school + ~sample.first
    dummies = (codes[:, None] == np.unique(codes)).astype(float)
    root = np.sqrt(weights)[:, None]
    x = np.hstack([dummies, sample.covariates])
    beta_hat = np.linalg.lstsq(x * root, sample.outcome * root[:, 0], rcond=None)[0]
    # A model with a mean for each cell: its coefficients are the means at covariates of zero.
    assert found.means == pytest.approx(beta_hat[:6], rel=1e-9)
    assert found.layout.df == 38 - 6 - 2
    bread = np.linalg.inv((x * root).T @ (x * root))
    gamma = bread[6:] @ (x * weights[:, None]).T
    means = dummies.T @ (sample.covariates * weights[:, None]) / found.layout.totals[:, None]
    assert found.layout.noise == pytest.approx(means @ gamma @ gamma.T @ means.T, rel=1e-8)


def test_a_schools_own_covariate_is_left_out_of_its_means() -> None:
    sample = apart(3, 3, covariates=1)
    own = np.column_stack([sample.covariates, np.array([5.1, 7, 7.3, 8, 1, 2])[sample.school]])
    with_own = compare_school_means(replace(sample, covariates=own))
    assert with_own.estimate == pytest.approx(compare_school_means(sample).estimate, rel=1e-9)
    assert with_own.parameters == 3
    # With schools enough for one it has a say, in a model that can hold it.
    larger = apart(12, 13)
    level = np.arange(25.0)[larger.school, None]
    assert ladder_step(larger) == "school_means"
    assert ladder_step(replace(larger, covariates=level)) == "cr2_satterthwaite"


def test_more_covariates_than_pupils_can_tell_are_refused() -> None:
    with pytest.raises(EstimationError, match="covariates"):
        compare_school_means(apart(2, 2, pupils=2, covariates=4))


def test_schools_of_one_pupil_have_their_small_say() -> None:
    cells = [(0, True, 1), (1, True, 20), (2, True, 25), (3, False, 30), (4, False, 1)]
    sample = make_sample([*cells, (5, False, 18)])
    found = compare_school_means(sample)
    assert np.isfinite(found.interval.p_value)
    moved = sample.outcome + 10 * (sample.school == 0)
    shift = compare_school_means(replace(sample, outcome=moved)).estimate - found.estimate
    assert 0 < shift < 10 / 6


def test_means_that_do_not_differ_give_no_interval() -> None:
    sample = inside(4)
    flat = replace(sample, outcome=sample.first.astype(float))
    answer = ladder(flat)
    assert answer.estimate == pytest.approx(1)
    assert np.isnan([answer.interval.p_value, answer.interval.low]).all()


def test_permutation_lists_all_arrangements_of_schools() -> None:
    sample = make_sample([(0, True, 1), (1, True, 1), (2, False, 1), (3, False, 1)])
    sample = replace(sample, outcome=np.array([5.0, 4.0, 1.0, 2.0]))
    found = permute_arms(sample)
    # {5, 4} against {1, 2}: only it and its mirror image are as far apart.
    assert found.estimate == 3
    assert (found.interval.p_value, found.smallest) == (1 / 3, 1 / 3)
    assert (found.arrangements, found.exact) == (6, True)
    assert np.isinf([found.interval.low, found.interval.high]).all()


def test_permutation_interval_holds_what_the_test_does_not_reject() -> None:
    sample = apart(3, 6, seed=3)
    found = permute_arms(sample)
    means = sample.outcome.reshape(9, 6).mean(axis=1)

    def p_value(shift: float) -> float:
        y = means - shift * (np.arange(9) < 3)
        far = [
            abs(y[list(c)].mean() - np.delete(y, list(c)).mean())
            for c in itertools.combinations(range(9), 3)
        ]
        return float(np.mean(np.array(far) >= far[0] - 1e-12))

    interval = found.interval
    assert interval.p_value == pytest.approx(p_value(0.0))
    ends = [(interval.low, 0.05), (interval.high, 0.05)]
    for end, level in [*ends, (interval.low90, 0.10), (interval.high90, 0.10)]:
        inward = 1e-6 * np.sign(found.estimate - end)
        assert p_value(end + inward) > level >= p_value(end - inward)


def test_signs_and_pupils_are_exchanged_within_schools() -> None:
    sample = inside(6)
    signs = permute_arms(sample, "signs")
    assert (signs.arrangements, signs.smallest) == (64, 2 / 64)
    means = sample.outcome.reshape(6, 2, 5).mean(axis=2)
    differences = means[:, 0] - means[:, 1]
    far = [abs(np.mean(differences * s)) for s in itertools.product((1, -1), repeat=6)]
    known = np.mean(np.array(far) >= abs(differences.mean()) - 1e-12)
    assert signs.interval.p_value == pytest.approx(known)
    pupils = permute_arms(sample, "pupils", seed=5)
    assert pupils.estimate == pytest.approx(signs.estimate)  # schools of a size
    assert not pupils.exact
    again = permute_arms(sample, "pupils", seed=5).interval
    assert (pupils.interval.p_value, pupils.interval.low) == (again.p_value, again.low)
    assert pupils.interval.p_value >= 1 / 10_000


def test_drawn_arrangements_never_give_a_p_value_of_zero() -> None:
    sample = apart(12, 12, pupils=3)
    lifted = replace(sample, outcome=sample.outcome + 100 * sample.first)
    found = permute_arms(lifted)
    assert not found.exact
    assert found.interval.p_value == pytest.approx(1 / 10_000)


@pytest.mark.parametrize(
    ("sample", "unit", "told"),
    [
        (inside(4), "schools", "holds both arms"),
        (apart(3, 3), "signs", "no school holds both"),
        (apart(3, 3), "pupils", "no school holds both"),
        (inside(4, covariates=1), "pupils", "covariates"),
        (replace(inside(2), weights=np.r_[np.full(10, 0.5), np.full(10, 1.5)]), "pupils", "weigh"),
    ],
)
def test_an_exchange_that_the_layout_does_not_allow_is_refused(
    sample: EffectSample, unit: str, told: str
) -> None:
    with pytest.raises(EstimationError, match=told):
        permute_arms(sample, unit)


@pytest.mark.parametrize(
    ("sample", "step"),
    [
        (apart(1, 20), "permutation"),
        (apart(2, 3), "school_means"),
        (inside(3), "school_means"),
        (apart(19, 30), "school_means"),
        (inside(19), "school_means"),
        (apart(20, 20), "cr2_satterthwaite"),
        (inside(20), "cr2_satterthwaite"),
        (apart(3, 198), "cr2_satterthwaite"),
    ],
)
def test_the_step_follows_from_the_schools(sample: EffectSample, step: str) -> None:
    answer = ladder(sample)
    assert ladder_step(sample) == answer.step == step
    few = min(len(set(sample.school[arm])) for arm in (sample.first, ~sample.first)) < 10
    assert ("few_schools" in answer.flags) == few
    row = MULTILEVEL.fit(sample)
    assert row.inference == step
    assert (row.estimate, row.interval.p_value) == (answer.estimate, answer.interval.p_value)
    assert not {"few_schools", "one_school"} & set(row.flags)


def test_the_flag_conservative_follows_from_the_schools() -> None:
    assert "conservative" in ladder(apart(5, 2)).flags
    assert "conservative" in ladder(apart(1, 5)).flags  # no p-value below 1 / 6
    assert "conservative" not in ladder(inside(5)).flags
    assert "conservative" not in ladder(apart(8, 8)).flags


def test_a_step_can_be_asked_for() -> None:
    sample = apart(4, 5)
    steps = ("kenward_roger", "cr2_satterthwaite", "school_means", "permutation")
    answers = {step: ladder(sample, step) for step in steps}
    assert {answer.step for answer in answers.values()} == set(answers)
    # Schools of a size: all compare the plain means of schools.
    estimates = [answer.estimate for answer in answers.values()]
    assert estimates == pytest.approx([estimates[0]] * 4, rel=1e-6)
    weighted = replace(sample, weights=np.linspace(0.5, 1.5, len(sample.outcome)))
    with pytest.raises(EstimationError, match="not precisions"):
        ladder(weighted, "kenward_roger")


def test_kenward_roger_of_schools_of_a_size_is_the_pooled_t_test() -> None:
    """Balanced, with a variance above zero, it is Student's t over school means."""
    sample = apart(4, 5)
    means = sample.outcome.reshape(9, 6).mean(axis=1)
    known = ttest_ind(means[:4], means[4:])
    answer = ladder(sample, "kenward_roger")
    assert "singular_fit" not in answer.flags
    assert answer.interval.df == pytest.approx(7, rel=1e-4)
    assert answer.interval.p_value == pytest.approx(known.pvalue, rel=1e-4)

"""Weighted models by hand: definitions on whole matrices, scaling, sandwiches, refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import expit

from baseeval.design.making import make_design
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.weight_levels import estimated_levels, levels_words
from baseeval.errors import UsageError
from baseeval.numerics.cr2 import cr2, weighted_parts
from baseeval.numerics.mixed_models.templates import full_template
from baseeval.numerics.weighted_models.estimated_weights import Estimated, carry_estimation
from baseeval.numerics.weighted_models.estimating_equations import (
    EquationsFit,
    fit_weighted_equations,
)
from baseeval.numerics.weighted_models.level_rows import Inner
from baseeval.numerics.weighted_models.weight_scaling import scale_pupil_weights
from baseeval.numerics.weighted_models.weighted_fit import (
    WeightedFit,
    fit_each_scaling,
    fit_weighted_mixed,
)
from baseeval.numerics.weighted_models.weighted_refusals import refuse_with_weights
from baseeval.results import ARMS, Estimation, Weights


@dataclass(frozen=True)
class Study:
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    school: np.ndarray
    pupil: np.ndarray
    pupil_weights: np.ndarray
    school_weights: np.ndarray

    def fit(self, scaling: str = "none", waves: bool = False) -> WeightedFit:
        inner = None
        if waves:
            inner = Inner(self.x[:, :2], self.pupil, full_template(2))
        return fit_weighted_mixed(
            self.x,
            self.y,
            self.z,
            self.school,
            full_template(self.z.shape[1]),
            self.pupil_weights,
            self.school_weights,
            scaling,
            inner,
        )


def draw(seed: int = 1, slopes: bool = False, waves: bool = False, schools: int = 14) -> Study:
    """Uneven schools, one of a single pupil; a column far from zero; weights at both levels."""
    rng = np.random.default_rng(seed)
    sizes = np.append(1, rng.integers(2, 9, schools - 1))
    home = np.repeat(np.arange(schools), sizes)
    occasions = rng.integers(1, 4, len(home)) if waves else np.ones(len(home), dtype=int)
    pupil = np.repeat(np.arange(len(home)), occasions)
    school, n = home[pupil], len(pupil)
    wave = np.concatenate([np.arange(count) for count in occasions]).astype(float)
    x = np.column_stack([np.ones(n), wave if waves else rng.normal(size=n), rng.normal(size=n)])
    x[:, 2] += 300
    effects, own = rng.normal(size=(schools, 2)), rng.normal(size=(len(home), 2))
    z = x[:, : 1 + slopes]
    y = x @ np.array([5, 0.5, -1.0]) + 1.5 * np.sum(z * effects[school, : 1 + slopes], axis=1)
    y += rng.normal(size=n) + (2 * own[pupil, 0] + wave * own[pupil, 1] if waves else 0)
    pupil_weights = rng.uniform(0.3, 3, len(home))[pupil]
    return Study(x, y, z, school, pupil, pupil_weights, rng.uniform(0.5, 4, schools)[school])


def school_loglik(study: Study, parameters: np.ndarray, q: int, r: int) -> np.ndarray:
    """Each school's weighted log-likelihood: integrals over u by completing the square."""
    beta, sigma, count = parameters[:3], parameters[-1], q * (q + 1) // 2
    factors = full_template(q).factor(parameters[3 : 3 + count])
    inner = full_template(r).factor(parameters[3 + count : -1]) if r else np.zeros((0, 0))
    e = study.y - study.x @ beta
    found = []
    for place in np.unique(study.school):
        own = study.school == place
        matrix, lean, square, constant = np.eye(q), np.zeros(q), 0.0, 0.0
        for pupil in np.unique(study.pupil[own]):
            rows, w = study.pupil == pupil, study.pupil_weights[study.pupil == pupil][0]
            zi = study.x[rows, :r] @ inner
            v = sigma**2 * (np.eye(rows.sum()) + zi @ zi.T)
            a, inverse = sigma * study.z[rows] @ factors, np.linalg.inv(v)
            matrix += w * a.T @ inverse @ a
            lean += w * a.T @ inverse @ e[rows]
            square += w * e[rows] @ inverse @ e[rows]
            constant += w * (rows.sum() * np.log(2 * np.pi) + np.linalg.slogdet(v)[1])
        square -= lean @ np.linalg.solve(matrix, lean)
        value = constant + np.linalg.slogdet(matrix)[1] + square
        found.append(-study.school_weights[own][0] * value / 2)
    return np.array(found)


def differences(function, at: np.ndarray, step: float) -> np.ndarray:
    """Central differences by each parameter, along the last axis."""
    slopes = []
    for place, value in enumerate(at):
        move = step * max(abs(value), 0.1) * (np.arange(len(at)) == place)
        slopes.append((function(at + move) - function(at - move)) / (2 * move[place]))
    return np.stack(slopes, axis=-1)


@pytest.mark.parametrize(("slopes", "waves"), [(False, False), (True, False), (False, True)])
def test_the_fit_its_scores_and_its_curvature_are_the_definitions(
    slopes: bool, waves: bool
) -> None:
    study = draw(6, slopes, waves)
    fit = study.fit(waves=waves)
    at = np.concatenate([fit.beta, fit.theta, [fit.sigma]])
    q, r = study.z.shape[1], 2 if waves else 0

    def each(parameters: np.ndarray) -> np.ndarray:
        return school_loglik(study, parameters, q, r)

    def scores(parameters: np.ndarray) -> np.ndarray:
        return differences(each, parameters, 1e-5)

    assert fit.converged
    assert not fit.singular
    assert fit.loglik == pytest.approx(each(at).sum(), rel=1e-12)
    found = scores(at)
    size = np.abs(found).max(axis=0)
    assert np.abs(found.sum(axis=0) / size).max() < 1e-6
    assert np.abs((found - fit.scores.scores) / size).max() < 1e-6
    # the second derivative in some directions, each as long as the parameters are sure
    unit = np.sqrt(np.diag(np.linalg.inv(fit.scores.curvatures.sum(axis=0))))
    for own in np.random.default_rng(1).normal(size=(3, 2, len(at))):
        one, other = own * unit * 0.02
        corners = [each(at + i * one + j * other) for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
        found = -(corners[0] - corners[1] - corners[2] + corners[3]) / 4
        theirs = np.einsum("a,gab,b->g", one, fit.scores.curvatures, other)
        assert found == pytest.approx(theirs, abs=2e-3 * np.abs(theirs).max())


def test_effects_given_the_data_are_the_definitions() -> None:
    """The modes maximise the school's own integrand; here with pupils' effects too."""
    study = draw(5, waves=True)
    fit = study.fit(waves=True)
    schools, pupils = fit.likelihood.effects(fit.theta)
    scale = fit.likelihood.coordinates.scale
    outer, inner = (own.modes * scale for own in (schools, pupils))
    left = study.y - study.x @ fit.beta
    left -= np.sum(study.z * outer[study.school], axis=1)
    left -= np.sum(study.x[:, :2] * inner[study.pupil], axis=1)
    # d/dv of each pupil's integrand: Z'e / sigma^2 = Sigma^-1 v
    slope = np.zeros_like(inner)
    np.add.at(slope, study.pupil, study.x[:, :2] * left[:, None])
    again = slope / fit.sigma**2 @ fit.covariances[1]
    assert again == pytest.approx(inner, abs=1e-7)
    weighted = np.bincount(study.school, study.pupil_weights * left) / fit.sigma**2
    assert weighted * fit.covariances[0][0, 0] == pytest.approx(outer[:, 0], abs=1e-7)


def test_scaled_weights_add_up_to_what_they_should() -> None:
    study = draw()
    sums = {
        name: np.bincount(
            study.school, scale_pupil_weights(study.pupil_weights, study.school, name)
        )
        for name in ("size", "effective")
    }
    total = np.bincount(study.school, study.pupil_weights)
    assert sums["size"] == pytest.approx(np.bincount(study.school))
    kish = total**2 / np.bincount(study.school, study.pupil_weights**2)
    assert sums["effective"] == pytest.approx(kish)


def test_scalings_stand_side_by_side_and_agree_where_weights_are_equal_within_schools() -> None:
    study = draw(12)
    level = study.school_weights
    by_school = np.random.default_rng(12).uniform(1, 5, 14)[study.school]
    rows = (study.x, study.y, study.z, study.school, full_template(1))
    fits = fit_each_scaling(*rows, by_school, level)
    assert list(fits) == ["size", "effective", "none"]
    assert fits["size"].beta == pytest.approx(fits["effective"].beta, rel=1e-9)
    assert not np.allclose(fits["size"].beta, fits["none"].beta, rtol=1e-4)
    fits = fit_each_scaling(*rows, study.pupil_weights, level)
    assert not np.allclose(fits["size"].beta, fits["effective"].beta, rtol=1e-4)


def test_weights_that_cannot_be_are_refused_all_at_once() -> None:
    study = draw(1)
    pupil, level = study.pupil_weights.copy(), study.school_weights.copy()
    pupil[3], level[-1] = 0, level[-1] + 1
    with pytest.raises(UsageError) as caught:
        fit_weighted_equations(study.x, study.y, study.school, pupil, level, "sum")
    words = [str(problem) for problem in caught.value.problems]
    assert len(words) == 3
    assert "size, effective, none" in words[0]
    assert f"1 of {len(pupil)} rows" in words[1]
    assert "within 1 of 14 schools" in words[2]


def test_a_pupil_has_one_weight_on_all_occasions() -> None:
    study = draw(2, waves=True)
    waves = np.flatnonzero(np.bincount(study.pupil) > 1)
    study.pupil_weights[np.flatnonzero(study.pupil == waves[0])[0]] += 1
    with pytest.raises(UsageError, match="within 1 of"):
        study.fit(waves=True)


def test_a_variance_at_zero_is_held_and_the_rest_has_its_sandwich() -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(12), 6)
    x = np.column_stack([np.ones(72), rng.normal(size=72)])
    y = x @ np.array([1.0, 2.0]) + rng.normal(size=72)
    y -= np.bincount(school, y - x @ np.array([1.0, 2.0]))[school] / 6
    w, one = rng.uniform(0.9, 1.1, 72), np.ones(72)
    fit = fit_weighted_mixed(x, y, one[:, None], school, full_template(1), w, one, "none")
    assert fit.singular
    assert fit.scores.scores.shape == (12, 3)
    plain = fit_weighted_equations(x, y, school, w, one)
    assert fit.beta == pytest.approx(plain.beta, rel=1e-9)
    # The coefficients' sandwich is least squares' up to what sigma shares with them: nothing.
    assert fit.vcov == pytest.approx(plain.vcov, rel=1e-6)


def test_cr2_of_design_weights_is_that_of_least_squares_without_a_school_effect() -> None:
    study = draw(4)
    fit = fit_weighted_equations(
        study.x, study.y, study.school, study.pupil_weights, study.school_weights
    )
    w = study.pupil_weights * study.school_weights
    bread = np.linalg.inv(study.x.T @ (w[:, None] * study.x))
    residuals = study.y - study.x @ fit.beta
    theirs = cr2(weighted_parts(study.x, residuals, w, study.school, bread))
    ours = cr2(fit.robust_parts())
    assert ours.vcov == pytest.approx(theirs.vcov, rel=1e-8)
    for contrast in np.eye(3):
        assert ours.df(contrast) == pytest.approx(theirs.df(contrast), rel=1e-8)


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > 1e-12
    return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T


@pytest.mark.parametrize("model", ["mixed", "equations"])
def test_cr2_of_correlated_rows_is_the_formula_on_whole_matrices(model: str) -> None:
    study = draw(6, slopes=model == "mixed")
    fit: WeightedFit | EquationsFit
    if model == "mixed":
        fit = study.fit("size")
        spread = study.z @ fit.likelihood.layout.covariances(fit.theta)[0] @ study.z.T
    else:
        fit = fit_weighted_equations(
            study.x,
            study.y,
            study.school,
            study.pupil_weights,
            study.school_weights,
            "size",
            correlation=0.3,
        )
        spread = np.full((len(study.y),) * 2, 0.3 / 0.7)
    own = study.school[:, None] == study.school
    spread = spread * own
    w = scale_pupil_weights(study.pupil_weights, study.school, "size")
    weight = np.linalg.inv(np.diag(1 / w) + spread) * study.school_weights
    phi = np.eye(len(w)) + spread
    bread = np.linalg.inv(study.x.T @ weight @ study.x)
    keep = np.eye(len(w)) - study.x @ bread @ study.x.T @ weight
    variance, e = keep @ phi @ keep.T, study.y - study.x @ fit.beta
    meat, lifted = np.zeros((3, 3)), np.zeros((14, len(w), 3))
    for place in range(14):
        rows = np.ix_(study.school == place, study.school == place)
        root = power(phi[rows], 0.5)
        adjust = root @ power(root @ variance[rows] @ root, -0.5) @ root
        part = study.x[rows[0][:, 0]].T @ weight[rows] @ adjust
        score = part @ e[rows[0][:, 0]]
        meat += np.outer(score, score)
        lifted[place] = keep[rows[0][:, 0]].T @ part.T @ bread
    robust = cr2(fit.robust_parts())
    assert robust.vcov == pytest.approx(bread @ meat @ bread, rel=1e-6)
    g = lifted[:, :, 1]
    p = g @ phi @ g.T
    assert robust.df(np.array([0, 1.0, 0])) == pytest.approx(
        np.trace(p) ** 2 / np.sum(p * p), rel=1e-6
    )


def test_the_jackknife_of_a_linear_estimator_leaves_each_school_out() -> None:
    study = draw(7)
    fit = fit_weighted_equations(
        study.x,
        study.y,
        study.school,
        study.pupil_weights,
        study.school_weights,
        correlation=0.4,
    )
    left = []
    for place in range(14):
        kept = study.school != place
        again = fit_weighted_equations(
            study.x[kept],
            study.y[kept],
            study.school[kept],
            study.pupil_weights[kept],
            study.school_weights[kept],
            correlation=0.4,
        )
        left.append(again.beta - fit.beta)
    moved = np.array(left)
    assert fit.scores.jackknife() == pytest.approx(13 / 14 * moved.T @ moved, rel=1e-7)


def test_the_jackknife_of_a_mixed_model_holds_its_variances() -> None:
    study = draw(13)
    fit = study.fit("size")
    w = scale_pupil_weights(study.pupil_weights, study.school, "size")
    variance = np.diag(1 / w) + fit.likelihood.layout.covariances(fit.theta)[0] * (
        study.school[:, None] == study.school
    )
    weight = np.linalg.inv(variance) * study.school_weights
    left = []
    for place in range(14):
        x, y = study.x[study.school != place], study.y[study.school != place]
        own = weight[np.ix_(study.school != place, study.school != place)]
        left.append(np.linalg.solve(x.T @ own @ x, x.T @ own @ y) - fit.beta)
    moved = np.array(left)
    assert fit.scores.jackknife() == pytest.approx(13 / 14 * moved.T @ moved, rel=1e-5)


def test_the_jackknife_says_where_an_estimate_needs_one_school() -> None:
    school, one = np.repeat(np.arange(5), 3), np.ones(15)
    x = np.column_stack([one, school == 4]).astype(float)
    y = np.random.default_rng(1).normal(size=15)
    fit = fit_weighted_equations(x, y, school, one, one)
    assert np.isnan(fit.scores.jackknife()).all()


@pytest.mark.parametrize("scaling", ["size", "effective", "none"])
@pytest.mark.parametrize("model", ["mixed", "equations"])
def test_estimated_weights_are_stacked_as_brute_force_does(model: str, scaling: str) -> None:
    """The sandwich of a logit and a weighted model at once, its bread by differences.

    The school's weight follows one coefficient and the pupil's another, so that both ways
    into the outcome's scores are there.
    """
    study = draw(8)
    rng = np.random.default_rng(8)
    covariates = np.column_stack([np.ones(len(study.y)), study.x[:, 1]])
    level = rng.normal(size=14)[study.school]
    taken = rng.random(len(study.y)) < expit(0.3 + 0.5 * study.x[:, 1])
    fit_logit = fit_weighted_equations(
        covariates,
        taken.astype(float),
        study.school,
        np.ones(len(taken)),
        np.ones(len(taken)),
        link="logit",
    )
    alpha = fit_logit.beta

    def given(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1 / expit(covariates @ alpha), np.exp(0.4 * level * alpha[1])

    def solve(pupil: np.ndarray, school: np.ndarray) -> WeightedFit | EquationsFit:
        if model == "mixed":
            template = full_template(1)
            return fit_weighted_mixed(
                study.x, study.y, study.z, study.school, template, pupil, school, scaling
            )
        return fit_weighted_equations(
            study.x, study.y, study.school, pupil, school, scaling, correlation=0.2
        )

    pupil, school = given(alpha)
    fit = solve(pupil, school)
    chance = 1 / pupil
    residual = (taken - chance)[:, None] * covariates
    bread = np.linalg.inv((covariates * (chance * (1 - chance))[:, None]).T @ covariates)
    by_school = np.zeros((14, 2))
    np.add.at(by_school, study.school, residual)
    d_pupil = -((1 - chance) / chance)[:, None] * covariates
    d_school = school[:, None] * np.column_stack([np.zeros(len(level)), 0.4 * level])
    carried = carry_estimation(fit, pupil, school, Estimated(d_pupil, d_school, by_school, bread))

    # brute force: how the estimate moves with alpha, by solving anew
    def estimate(alpha: np.ndarray) -> np.ndarray:
        moved = solve(*given(alpha))
        return moved.beta

    lean = differences(estimate, alpha, 1e-4)
    k = len(fit.beta)
    influence = (fit.scores.scores @ fit.scores.bread.T)[:, :k] + by_school @ bread @ lean.T
    assert carried.sandwich("CR0")[:k, :k] == pytest.approx(influence.T @ influence, rel=1e-4)
    plain = fit.scores.sandwich("CR0")[:k, :k]
    assert not np.allclose(carried.sandwich("CR0")[:k, :k], plain, rtol=1e-2)


def test_schools_without_an_outcome_still_bear_on_estimated_weights() -> None:
    study = draw(9)
    fit = fit_weighted_equations(
        study.x, study.y, study.school, study.pupil_weights, study.school_weights
    )
    slopes = study.pupil_weights[:, None] * study.x[:, 1:2]
    none = np.zeros_like(slopes)
    rng = np.random.default_rng(9)
    here = rng.normal(size=(14, 1))
    estimated = Estimated(slopes, none, here, np.eye(1) / 50)
    more = Estimated(slopes, none, np.vstack([here, [[5.0]]]), np.eye(1) / 50)
    given = (study.pupil_weights, study.school_weights)
    few, all_ = (carry_estimation(fit, *given, each) for each in (estimated, more))
    assert len(all_.scores) == 15
    gap = all_.sandwich("CR0") - few.sandwich("CR0")
    assert np.linalg.eigvalsh(gap)[-1] > 0
    assert np.linalg.matrix_rank(gap, tol=1e-12) == 1


@pytest.mark.parametrize(
    "asked", ["kenward_roger", "satterthwaite", "likelihood_ratio", "profile", "reml"]
)
def test_what_needs_a_likelihood_is_refused_with_the_reason(asked: str) -> None:
    with pytest.raises(UsageError, match=r"sampling_weights") as caught:
        refuse_with_weights(asked)
    (problem,) = caught.value.problems
    assert "`weights`" in problem.remedy


def test_separated_outcomes_do_not_converge() -> None:
    school, one = np.repeat(np.arange(4), 5), np.ones(20)
    x = np.column_stack([one, np.arange(20.0) > 9])
    fit = fit_weighted_equations(x, x[:, 1], school, one, one, link="logit")
    assert not fit.converged


# ---- a design's weights, in two parts -----------------------------------------------------------


def three_arms(seed: int = 1, schools: int = 40) -> tuple[DesignSample, np.ndarray]:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), rng.integers(8, 20, schools))
    mean = rng.normal(size=schools) / 2
    x = mean[school] + rng.normal(size=len(school))
    hosts = rng.random(schools) < expit(mean)
    placed = hosts[school] & (rng.random(len(x)) < expit(-0.5 + 0.5 * x))
    arm = np.where(placed, 0, np.where(hosts[school], 1, 2))
    sample = DesignSample(
        arm=arm.astype(np.intp),
        arms=ARMS,
        columns=x[:, None],
        names=(("x", ""),),
        strata=np.zeros(len(x), dtype=np.intp),
        base=np.ones(len(x)),
        pupil=np.array([f"{place:05d}" for place in range(len(x))]),
        school=np.array([f"{place:03d}" for place in school]),
        hosts=hosts[school],
    )
    return sample, 0.5 * x + rng.normal(size=len(x))


def pair(whole: DesignSample, first: int, second: int) -> DesignSample:
    kept = np.isin(whole.arm, (first, second))
    two = whole.select(kept)
    arm = np.where(two.arm == first, 0, 1).astype(np.intp)
    third = (lambda: whole) if second == 2 else None
    return replace(two, arm=arm, arms=(ARMS[first], ARMS[second]), whole=third)


def nested(sample: DesignSample, **settings: object) -> Weights:
    asked = Settings(propensity="nested", estimating_functions=True, **settings)
    return make_design(sample, "propensity", "weight", asked)


@pytest.mark.parametrize(
    ("arms", "estimand", "factored"),
    [
        ((0, 1), "ATT", False),
        ((0, 1), "ATE", False),
        ((0, 2), "ATT", True),
        ((0, 2), "ATC", True),
        ((1, 2), "ATT", True),
        ((0, 2), "ATE", False),
        ((0, 2), "ATO", False),
    ],
)
def test_weights_are_a_schools_times_a_pupils(
    arms: tuple[int, int], estimand: str, factored: bool
) -> None:
    sample = pair(three_arms()[0], *arms)
    design = nested(sample, estimand=estimand)
    assert design.school_factor * design.pupil_factor == pytest.approx(design.weights, rel=1e-12)
    school = np.unique(sample.school, return_inverse=True)[1]
    spread = [np.ptp(design.school_factor[school == place]) for place in range(school.max() + 1)]
    assert max(spread) == 0
    assert (np.ptp(design.school_factor) > 0) == factored
    words = levels_words(design)
    assert ("times" in words) == factored
    assert ("no product" in words) == (not factored and arms[1] == 2)
    # Who is the target has both parts one.
    if estimand == "ATT":
        assert design.school_factor[design.arm == 0] == pytest.approx(1, abs=1e-12)


def test_the_schools_part_is_the_mean_odds_of_hosting() -> None:
    """Of all arms about base pupils: e_base / e_non_host = odds(pi) rho, with rho in (0, 1)."""
    sample, _ = three_arms(2)
    design = nested(sample, estimand="ATT", focal=0)
    e = design.propensity
    assert e is not None
    odds = (e[:, 0] + e[:, 1]) / e[:, 2]
    outside = sample.arm == 2
    for label in np.unique(sample.school[outside]):
        rows = sample.school == label
        assert design.school_factor[rows] == pytest.approx(odds[rows].mean(), rel=1e-9)
    assert design.school_factor[~outside] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
def test_how_a_schools_part_moves_is_its_derivative(estimand: str) -> None:
    """Along the model of hosting: a plain logit whose coefficients are the last of theta."""
    sample, _ = three_arms(3)
    design = nested(sample, estimand=estimand)
    assert design.estimation is not None
    slopes = design.estimation.d_school_factor
    assert slopes is not None
    e = design.propensity
    assert e is not None
    pi = e[:, 0] + e[:, 1]
    x = np.column_stack([np.ones(len(pi)), sample.columns[:, 0]])
    logit = np.log(pi / (1 - pi))
    hosted = sample.arm < 2
    school = np.unique(sample.school, return_inverse=True)[1]

    def factor(shift: np.ndarray) -> np.ndarray:
        moved = expit(logit + x @ shift)
        if estimand == "ATT":
            tilt = np.where(hosted, 1.0, moved / (1 - moved))
        else:
            tilt = 1 / np.where(hosted, moved, 1 - moved)
        return (np.bincount(school, tilt) / np.bincount(school))[school]

    assert factor(np.zeros(2)) == pytest.approx(design.school_factor, rel=1e-9)
    theirs = differences(factor, np.zeros(2), 1e-4)
    assert slopes[:, -2:] == pytest.approx(theirs, abs=1e-6)
    assert not slopes[:, :-2].any()


def test_estimated_levels_lay_a_design_out_for_rows_of_an_outcome() -> None:
    """Rows in any order and some lost; schools without an outcome keep their scores."""
    sample, outcome = three_arms(4)
    two = pair(sample, 0, 2)
    design = nested(two, estimand="ATT")
    rng = np.random.default_rng(4)
    labels = np.unique(two.school)
    rows = rng.permutation(np.flatnonzero(two.school != labels[3]))[:-5]
    group = np.unique(two.school[rows], return_inverse=True)[1]
    estimated = estimated_levels(design, rows, group)
    estimation = design.estimation
    assert estimation is not None
    assert estimated.scores.sum(axis=0) == pytest.approx(estimation.scores.sum(axis=0), abs=1e-8)
    assert len(estimated.scores) == len(labels)
    lost = estimation.scores[two.school == labels[3]].sum(axis=0)
    assert estimated.scores[-1] == pytest.approx(lost, abs=1e-12)
    total = (
        estimated.d_pupil * design.school_factor[rows, None]
        + estimated.d_school * design.pupil_factor[rows, None]
    )
    assert total == pytest.approx(estimation.d_weights[rows], abs=1e-10)
    y = outcome[np.isin(sample.arm, (0, 2))][rows]
    x = np.column_stack([np.ones(len(rows)), design.arm[rows] == 0]).astype(float)
    weights = design.pupil_factor[rows], design.school_factor[rows]
    fit = fit_weighted_equations(x, y, group, *weights)
    carried = carry_estimation(fit, *weights, estimated)
    assert np.all(np.linalg.eigvalsh(carried.sandwich()) > 0)


def test_a_design_that_does_not_say_how_it_was_estimated_is_refused() -> None:
    design = Weights(
        weights=np.ones(4), arm=np.zeros(4, dtype=np.intp), covariates=np.zeros((4, 0)), names=(),
        method="entropy", estimand="ATT", target="first",
    )  # fmt: skip
    assert design.school_factor.tolist() == [1, 1, 1, 1]
    with pytest.raises(UsageError, match="estimating_functions"):
        estimated_levels(design, np.arange(4), np.arange(4))


def test_trimmed_rows_and_pairs_of_arms_keep_their_factors() -> None:
    sample, _ = three_arms(5)
    design = nested(pair(sample, 0, 2), estimand="ATT", trim=0.2)
    assert (design.weights == 0).any()
    assert len(design.school_factor) == len(design.weights)
    assert isinstance(design.estimation, Estimation)
    assert design.estimation.d_school_factor is not None
    assert design.estimation.d_school_factor.shape == design.estimation.d_weights.shape
    whole = nested(sample, estimand="ATT", focal=0)
    both = whole.between("base", "non_host")
    kept = np.isin(sample.arm, (0, 2))
    assert np.array_equal(both.school_factor, whole.school_factor[kept])

"""Scores that follow how pupils are placed: what two arms owe to the third."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from baseeval.design.making import make_design
from baseeval.design.placement_factors import chance_elsewhere
from baseeval.design.sample import DesignSample
from baseeval.design.score_columns import means_allowed, school_means
from baseeval.design.scoring import score, usable_score
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, UsageError
from baseeval.results import ARMS, Weights

NESTED = Settings(propensity="nested")


def three_arms(schools: int = 24, seed: int = 5) -> DesignSample:
    """Half of the schools host; a school-level covariate, a pupil's number and a category."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 40, schools)
    school = np.repeat(np.arange(schools), size)
    hosts = (np.arange(schools) % 2 == 0)[school]
    poor, prior = rng.normal(size=schools)[school], rng.normal(size=len(school))
    pull = rng.normal(0, 0.8, schools)[school]
    placed = rng.random(len(school)) < 1 / (1 + np.exp(-(0.9 * prior + pull)))
    need = rng.integers(0, 3, len(school))
    return DesignSample(
        arm=np.where(hosts, np.where(placed, 0, 1), 2),
        arms=ARMS,
        columns=np.column_stack([poor, prior, *(need == n for n in range(3))]).astype(float),
        names=(("poor", ""), ("prior", ""), *(("need", level) for level in "abc")),
        strata=np.zeros(len(school), dtype=np.intp),
        base=rng.uniform(0.5, 2, len(school)),
        pupil=np.array([f"p{n:04d}" for n in range(len(school))]),
        school=np.array([f"s{n:02d}" for n in school]),
        school_level=np.array([0]),
        hosts=hosts,
    )


def pair(whole: DesignSample, first: int, second: int) -> DesignSample:
    two = whole.select(np.isin(whole.arm, (first, second)))
    return replace(
        two,
        arm=np.where(two.arm == first, 0, 1),
        arms=(whole.arms[first], whole.arms[second]),
        contrast="base_vs_non_host",
        whole=lambda: whole,
    )


def test_factors() -> None:
    """Rows add up to one; pi and rho are what their own fits give."""
    sample = three_arms()
    found = score(sample, NESTED).chances
    assert_allclose(found.sum(axis=1), 1)
    host = score(replace(sample, arm=np.where(sample.arm == 2, 1, 0), arms=("h", "n")), Settings())
    assert_allclose(1 - found[:, 2], host.first, rtol=1e-9)
    hosted = sample.select(sample.arm < 2)
    pupils = replace(hosted, columns=hosted.columns[:, 1:], names=hosted.names[1:], arms=("b", "h"))
    own = score(pupils, Settings(propensity="random_intercept"))
    inside = found[sample.arm < 2]
    assert_allclose(inside[:, 0] / inside[:, :2].sum(axis=1), own.first, rtol=1e-9)
    assert score(sample, NESTED).notes == own.notes


def test_base_and_host_alone_need_the_second_factor_only() -> None:
    sample = three_arms()
    whole, two = score(sample, NESTED), score(pair(sample, 0, 1), NESTED)
    inside = whole.chances[sample.arm < 2][:, :2]
    assert_allclose(two.chances, inside / inside.sum(axis=1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize(("first", "second"), [(0, 2), (1, 2)])
def test_two_arms_of_different_schools_take_their_chances_from_all_three(
    first: int, second: int
) -> None:
    whole = three_arms()
    two = pair(whole, first, second)
    chances = score(whole, NESTED).chances[np.isin(whole.arm, (first, second))]
    right = chances[:, first] / (chances[:, first] + chances[:, second])
    assert_allclose(score(two, Settings()).first, right, rtol=1e-9)
    # Pupils of the two arms who are left out are left out of the fit, those of the third stay.
    kept = np.arange(len(two.arm)) % 3 > 0
    fewer = whole.select(~np.isin(whole.pupil, two.pupil[~kept]))
    chances = score(fewer, NESTED).chances[np.isin(fewer.arm, (first, second))]
    right = chances[:, first] / (chances[:, first] + chances[:, second])
    assert_allclose(score(two.select(kept), NESTED).first, right, rtol=1e-9)


def test_a_pair_without_the_third_arm_is_refused() -> None:
    alone = replace(pair(three_arms(), 0, 2), whole=None)
    with pytest.raises(UsageError, match="not both here"):
        score(alone, NESTED)
    assert score(alone, Settings()).model == "logit"


@pytest.mark.parametrize("arms", [(0, 1, 2), (0, 1), (0, 2), (1, 2)])
def test_the_functions_foretell_what_a_school_less_would_do(arms: tuple[int, ...]) -> None:
    """To first order: each school's scores together, carried to the weights of the others."""
    every = three_arms(schools=40)
    # A school with nobody compared has no functions: the next test is about that.
    size = np.unique(every.school, return_counts=True)
    every = every.select(np.isin(every.school, size[0][size[1] > 5]))
    asked = replace(NESTED, estimand="ATE", estimating_functions=True)

    def made(rows: np.ndarray) -> tuple[DesignSample, Weights]:
        held = every.select(rows)
        sample = held if len(arms) == 3 else pair(held, *arms)
        return sample, make_design(sample, "propensity", "weight", asked)

    sample, whole = made(np.ones(len(every.arm), dtype=bool))
    found = whole.estimation
    assert found is not None
    # Of hosting an intercept, a school's covariate and three of pupils; of placing a spread too.
    assert found.bread.shape == ((5, 5) if arms == (0, 1) else (10, 10))
    assert_allclose(found.scores.sum(axis=0), 0, atol=1e-6)
    seen, told = [], []
    for name in np.unique(every.school)[:8]:
        others = sample.school != name
        fewer = made(every.school != name)[1]
        seen.append(fewer.weights / whole.weights[others] - 1)
        moved = found.d_weights[others] @ found.bread @ found.scores[~others].sum(axis=0)
        told.append(-moved / whole.weights[others])
    assert np.corrcoef(np.concatenate(seen), np.concatenate(told))[0, 1] > 0.95
    assert 0.8 < np.std(np.concatenate(seen)) / np.std(np.concatenate(told)) < 1.25


def test_a_school_with_nobody_compared_leaves_no_functions() -> None:
    whole = three_arms()
    first = (whole.school == "s00") & (whole.arm == 0)
    two = pair(whole.select(~first), 0, 2)
    found = make_design(
        two, "propensity", "weight", replace(NESTED, estimand="ATE", estimating_functions=True)
    )
    assert found.estimation is None
    assert any("no estimating functions" in note for note in found.notes)


def test_a_level_that_no_host_holds_is_not_extrapolated_from() -> None:
    """It says nothing of a place in a base; of hosting it says too much."""
    sample = three_arms()
    columns = sample.columns.copy()
    alone = np.flatnonzero(sample.arm == 2)[:5]
    columns[alone, 2:] = [0, 0, 1]
    columns[sample.arm < 2, 4], columns[sample.arm < 2, 3] = 0, 1 - columns[sample.arm < 2, 2]
    changed, held = replace(sample, columns=columns), int(columns[:, 4].sum())
    for asked in (changed, pair(changed, 0, 2)):
        with pytest.raises(EstimationError, match=rf"`need` \(c\) settle the arm of {held} pupils"):
            usable_score(asked, NESTED, "propensity")


def test_schools_elsewhere_are_averaged_over() -> None:
    rng = np.random.default_rng(1)
    drawn = 1 / (1 + np.exp(-(0.7 + 1.3 * rng.normal(size=400_000))))
    found = chance_elsewhere(np.ones((1, 1)), np.array([0.7]), 1.3)[0][0]
    assert abs(found - drawn.mean()) < 4 * drawn.std() / np.sqrt(400_000)


def test_school_means_are_rationed_between_schools_and_taken_over_all_pupils() -> None:
    whole = three_arms(schools=48)
    assert means_allowed(whole) == 1  # 24 // 10, less the one held already
    two = pair(whole, 0, 2)
    means, names, left_out = school_means(two)
    assert names == (("school mean of prior", ""),)
    assert left_out == 1
    for row in (0, len(two.arm) - 1):
        mine = whole.school == two.school[row]
        right = np.average(whole.columns[mine, 1], weights=whole.base[mine])
        assert_allclose(means[row, 0], right)
    found = score(two, Settings(propensity="within_between"))
    assert found.flags == ("school_confounding_unadjustable",)
    assert means_allowed(pair(whole, 0, 1)) is None


def test_a_random_intercept_needs_schools_of_both_arms() -> None:
    asked = Settings(propensity="random_intercept")
    with pytest.raises(EstimationError, match="no school holds pupils of both arms"):
        score(pair(three_arms(), 0, 2), asked)
    two = pair(three_arms(), 0, 1)
    nameless = replace(two, school=np.full(len(two.arm), ""))
    with pytest.raises(UsageError, match="no schools are named"):
        score(nameless, asked)

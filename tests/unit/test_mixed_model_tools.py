"""What hangs on a fitted mixed model: predictions, residuals, influence, means, tests, text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval as be

ARMS = ["base", "host_mainstream", "non_host"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Pupils of three waves in schools of uneven size, one school of one pupil."""
    rng = np.random.default_rng(20261)
    sizes = [1, 3, 4, 5, 6, 6, 7, 9]
    school = np.repeat([f"s{k}" for k in range(8)], sizes)
    pupil = np.arange(len(school))
    wide = pd.DataFrame({"school": school, "pupil": pupil, "prior": rng.normal(size=len(school))})
    wide["arm"] = [ARMS[(k // 2) % 3] for k in pupil]
    wide["sex"] = np.where(rng.random(len(wide)) < 0.4, "girl", "boy")
    wide["own"] = rng.normal(size=len(wide)) + rng.normal(size=8)[np.repeat(range(8), sizes)]
    long = wide.loc[wide.index.repeat(3)].reset_index(drop=True)
    long["wave"] = np.tile([1, 2, 3], len(wide))
    long["maths"] = long.prior + 0.4 * long.wave + long.own + rng.normal(size=len(long))
    long.loc[rng.random(len(long)) < 0.1, "maths"] = np.nan
    return long


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> Any:
    formula = "maths ~ arm * sex + prior + wave + (1 + wave | pupil) + (1 | school)"
    return be.fit_mixed(formula, frame, df=None)


def test_outcome_is_prediction_and_residual(model: Any, frame: pd.DataFrame) -> None:
    predicted, left = model.predict(), model.residuals()
    kept = frame.maths.dropna()
    assert list(predicted.index) == list(kept.index)
    assert_allclose(predicted + left, kept, atol=1e-12)
    assert_allclose(
        model.residuals("marginal") + model.predict(conditional=False), kept, atol=1e-12
    )


def test_predictions_add_each_level(model: Any, frame: pd.DataFrame) -> None:
    pupils, schools = model.random_effects("pupil"), model.random_effects("school")
    kept = frame.dropna(subset="maths")
    own = pupils.set_axis(pupils.index.astype(int)).loc[kept.pupil]
    effects = own["Intercept"].to_numpy() + own["wave"].to_numpy() * kept.wave.to_numpy()
    effects += schools.loc[kept.school, "Intercept"].to_numpy()
    assert_allclose(model.predict() - model.predict(conditional=False), effects, atol=1e-10)


def test_new_groups_get_the_average_group(model: Any, frame: pd.DataFrame) -> None:
    new = frame.head(4).assign(school="elsewhere", pupil=999).drop(columns="maths")
    assert_allclose(model.predict(new), model.predict(new, conditional=False), atol=1e-12)
    same = frame.dropna(subset="maths").head(4)
    assert_allclose(model.predict(same), model.predict().head(4), atol=1e-10)


def test_group_residuals_are_means_of_rows(model: Any, frame: pd.DataFrame) -> None:
    rows = model.residuals("marginal")
    by_school = rows.groupby(frame.school.loc[rows.index]).mean()
    found = model.residuals("school")
    assert_allclose(found, by_school.loc[found.index], atol=1e-12)


@pytest.mark.parametrize("refit", [False, True])
def test_influence_is_the_model_without_the_school(frame: pd.DataFrame, refit: bool) -> None:
    formula = "maths ~ prior + wave + (1 | pupil) + (1 | school)"
    model = be.fit_mixed(formula, frame, df=None)
    moved = model.influence(refit=refit)
    assert moved.index.tolist() == sorted(frame.school.unique())
    without = be.fit_mixed(formula, frame[frame.school != "s7"], df=None)
    if refit:
        expected = without.fixed.estimate - model.fixed.estimate
        assert_allclose(moved.loc["s7", model.vcov.columns], expected, atol=1e-6)
    else:
        kept = frame[frame.school != "s7"].dropna(subset="maths")
        x = np.column_stack([np.ones(len(kept)), kept.prior, kept.wave])
        (pupil, school), sigma = (lower[0, 0] for lower in model.fit.factors), 1.0
        same = [
            kept[name].to_numpy()[:, None] == kept[name].to_numpy() for name in ("pupil", "school")
        ]
        v = sigma * np.eye(len(kept)) + pupil**2 * same[0] + school**2 * same[1]
        solved = np.linalg.solve(v, x)
        beta = np.linalg.solve(x.T @ solved, solved.T @ kept.maths)
        expected = beta - model.fixed.estimate
        assert_allclose(moved.loc["s7", model.vcov.columns], expected, atol=1e-8)
    distance = moved.loc["s7", model.vcov.columns].to_numpy(dtype=float)
    cooks = distance @ np.linalg.solve(model.fit.vcov, distance) / 3
    assert_allclose(moved.loc["s7", "cooks_distance"], cooks, rtol=1e-8)


def test_marginal_means_are_averages_of_predictions(model: Any, frame: pd.DataFrame) -> None:
    """Over both sexes equally, or as common as they are; the rest of the row at its mean."""
    kept = frame.dropna(subset="maths")
    means, differences = model.marginal_means("arm")
    common, _ = model.marginal_means("arm", proportional=True)
    girls = (kept.sex == "girl").mean()
    for place, arm in enumerate(ARMS):
        row = kept.head(2).assign(arm=arm, prior=kept.prior.mean(), wave=kept.wave.mean())
        boy, girl = model.predict(row.assign(sex=["boy", "girl"]), conditional=False)
        assert_allclose(means.estimate[place], (boy + girl) / 2, atol=1e-10)
        assert_allclose(common.estimate[place], (1 - girls) * boy + girls * girl, atol=1e-10)
    first = differences.iloc[0]
    assert (first["first"], first["second"]) == ("host_mainstream", "base")
    assert_allclose(first["estimate"], means.estimate[1] - means.estimate[0], atol=1e-12)
    with pytest.raises(be.UsageError, match="no such column of categories"):
        model.marginal_means("prior")


def test_contrasts_take_the_models_inference(frame: pd.DataFrame) -> None:
    model = be.fit_mixed("maths ~ arm + prior + (1 | school)", frame, df="kenward_roger")
    line = {"host": {"arm[T.host_mainstream]": 1.0}}
    found = model.contrasts(line).drop(columns="contrast").iloc[0]
    own = model.fixed.set_index("term").loc["arm[T.host_mainstream]"]
    assert_allclose(found.to_numpy(float), own.to_numpy(float), rtol=1e-9)
    with pytest.raises(be.UsageError, match=r"term `arm\[T.hots\]`"):
        model.contrasts({"x": {"arm[T.hots]": 1.0}})


def test_intervals_by_profile_and_bootstrap_hold_the_estimates(frame: pd.DataFrame) -> None:
    model = be.fit_mixed("maths ~ prior + (1 | school)", frame)
    profile = model.profile_intervals().set_index(["group", "term_1"])
    boot = model.bootstrap(draws=60, seed=3).set_index("term")
    again = model.bootstrap(draws=60, seed=3).set_index("term")
    pd.testing.assert_frame_equal(boot, again)
    for term, estimate in zip(model.fixed.term, model.fixed.estimate, strict=True):
        assert profile.loc[("", term), "ci_low"] < estimate < profile.loc[("", term), "ci_high"]
        assert boot.loc[term, "ci_low"] < estimate < boot.loc[term, "ci_high"]
    assert (boot[["monte_carlo_low", "monte_carlo_high"]] > 0).all(axis=None)


def test_larger_models_are_compared_with_smaller(frame: pd.DataFrame) -> None:
    small = be.fit_mixed("maths ~ prior + (1 | school)", frame, reml=False)
    terms = be.fit_mixed("maths ~ prior + wave + (1 | school)", frame, reml=False)
    effects = be.fit_mixed("maths ~ prior + (1 | school) + (1 | pupil)", frame, reml=False)
    assert small.compare(terms).df == (1,)
    found = small.compare(effects)
    assert found.df == (0, 1)
    assert_allclose(found.statistic, 2 * (effects.loglik - small.loglik), rtol=1e-9)


def test_models_that_are_not_nested_are_not_compared(frame: pd.DataFrame) -> None:
    by_prior = be.fit_mixed("maths ~ prior + (1 | school)", frame, reml=False)
    others = {
        "terms that": be.fit_mixed("maths ~ wave + sex + (1 | school)", frame, reml=False),
        "random terms": be.fit_mixed("maths ~ prior + wave + (1 | pupil)", frame, reml=False),
        "outcomes": be.fit_mixed("wave ~ prior + sex + (1 | school)", frame, reml=False),
    }
    for why, other in others.items():
        with pytest.raises(be.UsageError, match=why):
            by_prior.compare(other)
    with pytest.raises(be.UsageError, match="between 0 and 1"):
        by_prior.profile_intervals(level=95)
    with pytest.raises(be.UsageError, match="one at least"):
        by_prior.bootstrap(draws=0)


def test_outcomes_that_a_model_reproduces_are_refused(frame: pd.DataFrame) -> None:
    own = pd.factorize(frame.school)[0]
    for exact in (own, 3 * frame.prior + own, 2 * frame.prior):
        for random in ("(1 | school)", "(1 + wave | pupil) + (1 | school)"):
            with pytest.raises(be.EstimationError, match="no maximum"):
                be.fit_mixed(f"y ~ prior + {random}", frame.assign(y=exact.astype(float)))


def test_an_offset_is_read_again_for_new_rows(frame: pd.DataFrame) -> None:
    with_it = frame.assign(o=2.0 * frame.wave)
    model = be.fit_mixed("maths ~ prior + (1 | school)", with_it, offset="o")
    kept = with_it.dropna(subset="maths")
    assert_allclose(model.predict(kept), model.predict(), atol=1e-12)
    with pytest.raises(be.UsageError, match="new rows do not have it"):
        model.predict(frame)


def test_levels_that_read_alike_stay_apart(frame: pd.DataFrame) -> None:
    labels = [5, "5", 6, 7, 8, 9, 1, 2]
    mixed = frame.school.map(dict(zip(sorted(frame.school.unique()), labels, strict=True)))
    table = frame.assign(school=mixed.astype(object)).dropna(subset="maths")
    model = be.fit_mixed("maths ~ prior + (1 | school)", table)
    assert_allclose(model.predict(table), model.predict(), atol=1e-12)
    hashed = pd.factorize(frame.school)[0].astype(np.uint64) + np.uint64(2**63 + 11)
    same = be.fit_mixed("maths ~ prior + (1 | school)", frame.assign(school=hashed))
    assert_allclose(same.loglik, be.fit_mixed("maths ~ prior + (1 | school)", frame).loglik)


def test_marginal_means_beside_numbers_made_categories(frame: pd.DataFrame) -> None:
    model = be.fit_mixed("maths ~ arm + C(wave) + prior + (1 | school)", frame, df=None)
    means, _ = model.marginal_means("arm")
    kept = frame.dropna(subset="maths")
    rows = kept.head(3).assign(arm="base", prior=kept.prior.mean(), wave=[1, 2, 3])
    assert_allclose(means.estimate[0], model.predict(rows, conditional=False).mean(), atol=1e-10)
    by_wave, _ = model.marginal_means("wave")
    assert len(by_wave) == 3


def test_a_penalty_keeps_a_variance_off_zero(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(3)
    flat = frame.assign(y=rng.normal(size=len(frame)))
    held = be.fit_mixed("y ~ 1 + (1 | school)", flat, penalty=True)
    assert held.variance.variance_or_covariance[0] > 0
    assert held.inference == "kenward_roger"
    assert 0 < held.fixed.df[0] < len(frame)
    with pytest.raises(be.DataError, match="four groups"):
        be.fit_mixed("y ~ 1 + (1 | arm)", flat, penalty=True)


def test_normal_quantiles_name_no_group(model: Any) -> None:
    table = model.normal_quantiles("school")
    assert table.columns.tolist() == ["term", "quantile", "effect"]
    assert table.index.tolist() == list(range(8))
    assert (np.diff(table.effect) >= 0).all()
    assert_allclose(table["quantile"], -table["quantile"][::-1])


def test_the_summary_reads_as_a_table(model: Any) -> None:
    text = model.summary()
    assert text.splitlines()[0] == "Linear mixed model, fitted by REML"
    assert "Groups: pupil 41, school 8" in text
    assert f"({model.rows.left_out.missing} left out)" in text
    for term in model.fixed.term:
        assert term in text


def test_choices_that_nothing_heeds_are_refused_together(frame: pd.DataFrame) -> None:
    with pytest.raises(be.UsageError) as caught:
        be.fit_mixed("maths ~ prior + (1 | school)", frame, quadrature=5, trials="wave")
    assert {problem.where for problem in caught.value.problems} == {"`quadrature`", "`trials`"}
    with pytest.raises(be.UsageError, match="restricted likelihood"):
        be.fit_mixed(
            "maths ~ prior + (1 | school)", frame, sampling_weights="wave", df="kenward_roger"
        )


def test_equal_sampling_weights_change_nothing(frame: pd.DataFrame) -> None:
    formula = "maths ~ prior + (1 | school) + (1 | pupil)"
    plain = be.fit_mixed(formula, frame, reml=False)
    weighted = be.fit_mixed(formula, frame.assign(w=2.0), sampling_weights="w", df="sandwich")
    assert_allclose(weighted.fixed.estimate, plain.fixed.estimate, rtol=1e-6)
    stated = "variance_or_covariance"
    assert_allclose(weighted.variance[stated], plain.variance[stated], rtol=1e-5)
    assert weighted.variance.group.tolist() == plain.variance.group.tolist()
    assert "no likelihood ratio" in weighted.summary()


def test_a_share_is_told_in_its_own_units(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    pupils = frame.drop_duplicates("pupil").assign(possible=190)
    chance = 1 / (1 + np.exp(-(2 + 0.5 * (pupils.arm == "base") + 0.3 * pupils.own)))
    pupils["attended"] = rng.binomial(190, chance)
    fit = be.fit_mixed(
        "attended ~ arm + (1 | school)", pupils, family="binomial", trials="possible"
    )
    found = fit.marginal_effect("arm", "base", "non_host", among="base").iloc[0]
    assert 0 < found.estimate < 0.2
    assert found.ci_low < found.estimate < found.ci_high
    back = fit.marginal_effect("arm", "non_host", "base", among="base").iloc[0]
    assert_allclose(back.estimate, -found.estimate, rtol=1e-12)
    assert fit.random_effects("school").index.tolist() == sorted(pupils.school.unique())
    assert np.isinf(fit.fixed.df).all()
    with pytest.raises(be.UsageError, match="no row has this value"):
        fit.marginal_effect("arm", "base", "non_host", among="elsewhere")


def test_ordered_answers_have_thresholds_and_no_intercept(frame: pd.DataFrame) -> None:
    answers = pd.cut(frame.maths, [-np.inf, 0, 1, np.inf], labels=["no", "some", "yes"])
    answers = answers.cat.as_ordered()
    fit = be.fit_mixed(
        "answer ~ prior + (1 | school)", frame.assign(answer=answers), family="ordinal"
    )
    assert fit.fixed.term.tolist() == ["prior"]
    assert fit.thresholds.threshold.tolist() == ["no|some", "some|yes"]
    assert fit.thresholds.estimate.is_monotonic_increasing
    found = fit.marginal_effect("prior", 1.0, 0.0)
    assert found.category.tolist() == ["no", "some", "yes"]
    assert_allclose(found.estimate.sum(), 0, atol=1e-9)

"""The mixed model where its answer can be written down, and on the edge of its parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.numerics.mixed_models.fitting import SINGULAR, MixedFit, fit_at
from baseeval.numerics.mixed_models.likelihood import covariance_slopes, gradient
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df
from baseeval.numerics.mixed_models.templates import diagonal_template, full_template
from baseeval.numerics.mixed_models.two_level import fit_two_level, two_level_likelihood


def modes(fit: MixedFit) -> np.ndarray:
    likelihood = fit.likelihood
    return likelihood.coordinates.scale * likelihood.effects(fit.theta)[0].modes


def one_way(groups: int, size: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), size)
    return rng.normal(size=groups)[group] * spread + rng.normal(size=groups * size), group


def test_balanced_one_way_reml_is_the_analysis_of_variance() -> None:
    """sigma^2 = MSW, tau^2 = (MSB - MSW) / m, Var(mean) = MSB / n, on G - 1 df."""
    g, m = 12, 5
    y, group = one_way(g, m, 0.8, 1)
    fit = fit_two_level(np.ones((g * m, 1)), np.ones((g * m, 1)), y, group, full_template(1))
    means = y.reshape(g, m).mean(axis=1)
    within = np.sum((y - means[group]) ** 2) / (g * (m - 1))
    between = m * means.var(ddof=1)
    assert between > within
    assert_allclose(fit.sigma**2, within, rtol=1e-8)
    assert_allclose((fit.sigma * fit.theta[0]) ** 2, (between - within) / m, rtol=1e-7)
    assert_allclose(fit.beta[0], y.mean(), rtol=1e-12)
    assert_allclose(fit.vcov[0, 0], between / (g * m), rtol=1e-8)
    # The Hessian is by differences, extrapolated: ten digits were seen, eight are asked.
    assert_allclose(satterthwaite_df(fit, np.ones((1, 1))), [g - 1], rtol=1e-8)
    shrunk = (between - within) / between * (means - y.mean())
    assert_allclose(modes(fit)[:, 0], shrunk, rtol=1e-7, atol=1e-9)


def test_groups_alike_by_less_than_chance_have_no_variance() -> None:
    y, group = one_way(10, 6, 0.0, 2)
    y -= 0.9 * (y.reshape(10, 6).mean(axis=1) - y.mean())[group]
    x = np.ones((60, 1))
    fit = fit_two_level(x, x, y, group, full_template(1))
    assert fit.theta[0] == 0
    assert fit.singular
    assert fit.converged
    assert_allclose(fit.sigma, y.std(ddof=1), rtol=1e-12)
    assert np.isnan(satterthwaite_df(fit, np.ones((1, 1)))).all()
    assert_allclose(modes(fit), 0, atol=1e-15)


def test_zero_is_left_when_the_deviance_falls_inwards() -> None:
    """Started at the bound, where the gradient is zero, a fit must still find the inside."""
    y, group = one_way(8, 4, 1.5, 3)
    x = np.ones((32, 1))
    template, zero = full_template(1), np.zeros(1)
    likelihood = two_level_likelihood(x, x, y, group, template)
    at = likelihood.profile(zero)
    assert gradient(likelihood, zero, at, at.rss / 31, reml=True)[0] == 0
    assert covariance_slopes(at, at.rss / 31, reml=True)[0][0, 0] < 0
    assert fit_two_level(x, x, y, group, template).theta[0] > SINGULAR


def test_a_column_pressed_against_the_bound_is_turned() -> None:
    """Steep slopes, intercepts nearly alike, and the two of opposite sign.

    Where L11 = 0 the sign of L21 is free, and the gradient at L11 changes sign with it: a
    gradient that presses against the bound says that the other sign leads inside.
    """
    rng = np.random.default_rng(54)
    group, number, slope = np.repeat(np.arange(6), 5), rng.normal(size=30), rng.normal(size=6)
    y = (0.6 * number - 0.15) * slope[group] + rng.normal(size=30)
    x = np.column_stack([np.ones(30), number])
    fit = fit_two_level(x, x, y, group, full_template(2))
    turned = np.array([0.01, -fit.theta[1], fit.theta[2]])
    assert fit_at(fit.likelihood, turned).loglik < fit.loglik + 1e-9


def test_offset_and_unit_of_the_outcome_cost_no_digits() -> None:
    y, group = one_way(9, 5, 1.0, 4)
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(45), rng.normal(size=45)])
    near = fit_two_level(x, x[:, :1], y, group, full_template(1))
    far = fit_two_level(x, x[:, :1], 1e6 + 1e-3 * y, group, full_template(1))
    assert_allclose(far.theta, near.theta, rtol=1e-5)
    assert_allclose(far.beta[1], 1e-3 * near.beta[1], rtol=1e-5)
    assert_allclose(far.loglik, near.loglik - 43 * np.log(1e-3), rtol=1e-8)


def test_groups_of_one_row_count_and_do_no_harm() -> None:
    y, group = one_way(8, 6, 1.0, 5)
    keep = (group > 2) | (np.arange(48) % 6 == 0)  # three groups of one row
    x = np.column_stack([np.ones(48), np.arange(48) % 2]).astype(float)
    fit = fit_two_level(x[keep], x[keep, :1], y[keep], group[keep], full_template(1))
    assert fit.converged
    assert np.isfinite(satterthwaite_df(fit, np.eye(2))).all()


def test_shared_variance_is_one_parameter() -> None:
    template = diagonal_template(np.array([0, 1, 1]))
    assert template.diagonal.tolist() == [True, True]
    assert template.factor(np.array([2.0, 3.0])).tolist() == np.diag([2.0, 3.0, 3.0]).tolist()
    assert template.collect(np.arange(9.0).reshape(3, 3)).tolist() == [0.0, 12.0]


def school_table() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    school = np.repeat(np.arange(10), [1, 1, 2, 3, 5, 8, 9, 12, 15, 20])
    frame = pd.DataFrame({"school": school, "x": rng.normal(size=len(school)), "k": 2.0})
    frame["y"] = frame.x + rng.normal(size=10)[school] + rng.normal(size=len(school))
    return frame


@pytest.mark.parametrize("df", ["satterthwaite", "cr2_satterthwaite", None])
def test_a_constant_column_is_left_out_and_said_so(df: str | None) -> None:
    frame = school_table()
    plain = baseeval.fit_mixed("y ~ x + (1 | school)", frame, df=df).fixed
    wide = baseeval.fit_mixed("y ~ x + k + (1 | school)", frame, df=df).fixed
    assert wide["term"].tolist() == ["Intercept", "x", "k"]
    assert wide.iloc[2, 1:].isna().all()
    assert_allclose(wide.iloc[:2, 1:].to_numpy(float), plain.iloc[:, 1:].to_numpy(float), rtol=1e-6)
    assert plain["p_value"].isna().all() == (df is None)


def test_rows_of_weight_zero_count_for_nothing() -> None:
    frame = school_table()
    weights = np.random.default_rng(1).integers(0, 3, size=len(frame)).astype(float)
    all_rows = baseeval.fit_mixed("y ~ x + (1 | school)", frame, weights=weights)
    used = frame[weights > 0].assign(w=weights[weights > 0])
    some = baseeval.fit_mixed("y ~ x + (1 | school)", used, weights="w")
    assert_allclose(all_rows.loglik, some.loglik, rtol=1e-12)
    pd.testing.assert_frame_equal(all_rows.fixed, some.fixed)


def test_what_is_not_a_mixed_model_is_refused() -> None:
    frame = school_table().assign(row=range(76))
    with pytest.raises(baseeval.DataError, match="all of one group"):
        baseeval.fit_mixed("y ~ x + (1 | school) + (1 | k)", frame)
    with pytest.raises(baseeval.UsageError, match="no random term"):
        baseeval.fit_mixed("y ~ x", frame)
    with pytest.raises(baseeval.DataError, match="76 groups for 76 rows"):
        baseeval.fit_mixed("y ~ x + (1 | row)", frame)

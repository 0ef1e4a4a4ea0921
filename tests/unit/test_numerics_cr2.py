"""CR2 where its answer can be written down."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.numerics.cr2 import RobustVariance, cr2, mixed_parts, t_interval, weighted_parts
from baseeval.numerics.least_squares import fit_least_squares


def robust(
    x: np.ndarray, y: np.ndarray, clusters: np.ndarray, weights: np.ndarray | None = None
) -> RobustVariance:
    w = np.ones(len(y)) if weights is None else weights
    fit = fit_least_squares(x, y, w)
    return cr2(weighted_parts(x, fit.residuals, w, clusters, fit.bread))


def test_balanced_schools_give_the_variance_of_their_means() -> None:
    """Arms by school, schools of one size: the two-sample t test of school means, by Welch.

    Var = s1^2 / G1 + s0^2 / G0, and under equal variances
    df = (1/G1 + 1/G0)^2 / (1 / (G1^2 (G1 - 1)) + 1 / (G0^2 (G0 - 1))).
    """
    rng = np.random.default_rng(1)
    g1, g0, size = 4, 7, 5
    clusters = np.repeat(np.arange(g1 + g0), size)
    arm = (clusters < g1).astype(float)
    y = rng.normal(size=g1 + g0)[clusters] + rng.normal(size=len(clusters))
    found = robust(np.column_stack([np.ones(len(y)), arm]), y, clusters)
    means = y.reshape(-1, size).mean(axis=1)
    variance = means[:g1].var(ddof=1) / g1 + means[g1:].var(ddof=1) / g0
    assert_allclose(found.vcov[1, 1], variance, rtol=1e-11)
    welch = (1 / g1 + 1 / g0) ** 2 / (1 / (g1**2 * (g1 - 1)) + 1 / (g0**2 * (g0 - 1)))
    assert_allclose(found.df(np.array([0.0, 1.0])), welch, rtol=1e-10)
    assert_allclose(found.vcov[0, 0], means[g1:].var(ddof=1) / g0, rtol=1e-11)
    assert_allclose(found.df(np.array([1.0, 0.0])), g0 - 1, rtol=1e-10)


def test_balanced_schools_give_the_same_from_a_mixed_model() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(9), 4)
    x = np.column_stack([np.ones(36), clusters < 3]).astype(float)
    y = rng.normal(size=9)[clusters] + rng.normal(size=36)
    fit = fit_least_squares(x, y)
    parts = mixed_parts(x, np.ones((36, 1)), fit.residuals, np.array([[0.7]]), clusters)
    plain = robust(x, y, clusters)
    assert_allclose(cr2(parts).vcov, plain.vcov, rtol=1e-10)
    line = np.array([0.0, 1.0])
    assert_allclose(cr2(parts).df(line), plain.df(line), rtol=1e-9)


def test_both_arms_in_every_school_give_the_paired_t_test() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(8), 2)
    arm = np.tile([1.0, 0.0], 8)
    y = rng.normal(size=8)[clusters] + 0.3 * arm + rng.normal(size=16)
    found = robust(np.column_stack([np.ones(16), arm]), y, clusters)
    differences = y[::2] - y[1::2]
    assert_allclose(found.vcov[1, 1], differences.var(ddof=1) / 8, rtol=1e-11)
    assert_allclose(found.df(np.array([0.0, 1.0])), 7, rtol=1e-10)


def test_schools_of_one_pupil_give_hc2() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(15), rng.normal(size=(15, 2))])
    y = rng.normal(size=15)
    fit = fit_least_squares(x, y)
    leverage = np.einsum("np,pq,nq->n", x, fit.bread, x)
    meat = x.T @ (x * (fit.residuals**2 / (1 - leverage))[:, None])
    assert_allclose(robust(x, y, np.arange(15)).vcov, fit.bread @ meat @ fit.bread, rtol=1e-10)


def test_one_large_school_leaves_few_degrees_of_freedom() -> None:
    """A school of 200 among seven of four weighs as much as they do: df says how few count."""
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(8), [200, 4, 4, 4, 4, 4, 4, 4])
    x = np.ones((228, 1))
    found = robust(x, rng.normal(size=228), clusters)
    # trace(P)^2 / trace(P P) of the mean, by the sizes n_i alone.
    share = np.array([200, *[4] * 7]) / 228
    p = np.diag(share) - np.outer(share, share)
    p /= np.sqrt(np.outer(1 - share, 1 - share))
    assert_allclose(found.df(np.ones(1)), np.trace(p) ** 2 / np.sum(p * p), rtol=1e-9)
    assert found.df(np.ones(1)) < 1.5


def test_df_is_missing_where_the_variance_is_not_identified() -> None:
    """A mean for each school: within schools its score is zero, whatever the data."""
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(4), 5)
    x = (clusters[:, None] == np.arange(4)).astype(float)
    found = robust(x, rng.normal(size=20), clusters)
    assert np.isnan([found.df(line) for line in np.eye(4)]).all()
    frame = pd.DataFrame({"y": rng.normal(size=20), "school": list("abcd") * 5})
    fit = baseeval.fit_linear("y ~ C(school)", frame, cluster="school")
    assert fit.fixed[["df", "p_value", "ci_low", "ci_high"]].isna().all(axis=None)
    one = baseeval.fit_linear("y ~ 1", frame.assign(school="a"), cluster="school")
    assert one.fixed[["df", "p_value", "ci_low", "ci_high"]].isna().all(axis=None)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_of_one_school_is_left_to_that_school(weighted: bool) -> None:
    """Its own variance is not identified, yet the others' stays finite and is theirs alone."""
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(6), [1, 3, 9, 4, 12, 2])
    n = len(clusters)
    x = np.column_stack([np.ones(n), rng.normal(size=n), clusters == 0]).astype(float)
    y, w = rng.normal(size=n), np.exp(rng.normal(size=n)) if weighted else np.ones(n)
    found = robust(x, y, clusters, w)
    rest = clusters > 0
    alone = robust(x[rest, :2], y[rest], clusters[rest] - 1, w[rest])
    assert_allclose(found.vcov[:2, :2], alone.vcov, rtol=1e-8)
    assert_allclose(found.df(np.array([0.0, 1, 0])), alone.df(np.array([0.0, 1])), rtol=1e-8)


def test_t_interval_of_what_is_known_and_of_what_is_not() -> None:
    known = t_interval(2.0, 1.0, 4.0)
    assert_allclose([known.low, known.high], 2 + np.array([-1, 1]) * 2.7764451, rtol=1e-6)
    assert_allclose([known.low90, known.high90], 2 + np.array([-1, 1]) * 2.1318468, rtol=1e-6)
    assert_allclose(known.p_value, 0.1161165, rtol=1e-6)
    for error, df in ((0.0, 4.0), (np.nan, 4.0), (1.0, np.nan), (1.0, 0.0), (np.inf, 4.0)):
        unknown = t_interval(2.0, error, df)
        numbers = [unknown.statistic, unknown.p_value, unknown.low, unknown.high, unknown.low90]
        assert np.isnan(numbers).all()

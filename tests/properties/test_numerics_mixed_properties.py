"""The mixed model's kernel against dense normal densities, and what must never change a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from baseeval.numerics.mixed_models.fitting import MixedFit, fit_at
from baseeval.numerics.mixed_models.templates import Template, diagonal_template, full_template
from baseeval.numerics.mixed_models.two_level import fit_two_level

PROFILE = settings(max_examples=25, deadline=None, derandomize=True)
TEMPLATES = {
    "intercept": full_template(1),
    "slope": full_template(2),
    "uncorrelated": diagonal_template(np.arange(2)),
    "shared": diagonal_template(np.array([0, 1, 1])),
}
sizes = st.lists(st.integers(1, 6), min_size=3, max_size=6).filter(lambda s: sum(s) >= 8)
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(sorted(TEMPLATES))


@dataclass(frozen=True)
class Data:
    x: np.ndarray
    z: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    template: Template
    theta: np.ndarray


def draw(size: list[int], seed: int, kind: str, weighted: bool) -> Data:
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(size)), size))
    n = len(groups)
    arm = rng.permutation(np.arange(n) % 2).astype(float)
    number = rng.normal(size=n)
    x = np.column_stack([np.ones(n), arm, number])
    ones = np.ones(n)
    columns = {"intercept": [ones], "shared": [ones, arm, 1 - arm]}.get(kind, [ones, number])
    y = x @ rng.normal(size=3) + rng.normal(size=len(size))[groups] + rng.normal(size=n)
    weights = np.exp(rng.normal(size=n) * 0.7) if weighted else np.ones(n)
    template = TEMPLATES[kind]
    theta = rng.normal(size=template.parameter.max() + 1)
    theta = np.where(template.diagonal, np.abs(theta), theta)
    return Data(x, np.column_stack(columns), y, weights, groups, template, theta)


def relative_covariance(d: Data) -> np.ndarray:
    """Var(y) over sigma squared, whole."""
    factor = d.template.factor(d.theta)
    same = d.groups[:, None] == d.groups
    return np.diag(1 / d.weights) + (d.z @ factor @ factor.T @ d.z.T) * same


def dense(d: Data, reml: bool) -> tuple[float, np.ndarray, float]:
    """Minus twice the log-likelihood, beta and sigma squared, from an n by n density."""
    v = relative_covariance(d)
    solved = np.linalg.solve(v, d.x)
    information = d.x.T @ solved
    beta = np.linalg.solve(information, solved.T @ d.y)
    e = d.y - d.x @ beta
    n, p = d.x.shape
    sigma2 = float(e @ np.linalg.solve(v, e)) / (n - p if reml else n)
    deviance = -2 * multivariate_normal(d.x @ beta, sigma2 * v).logpdf(d.y)
    if reml:  # Harville (1974): integrate beta out under a flat prior
        deviance += np.linalg.slogdet(information / sigma2)[1] - p * np.log(2 * np.pi)
    return deviance, beta, sigma2


def modes(fit: MixedFit) -> np.ndarray:
    likelihood = fit.likelihood
    return likelihood.coordinates.scale * likelihood.effects(fit.theta)[0].modes


@PROFILE
@given(size=sizes, seed=seeds, weighted=st.booleans(), reml=st.booleans())
def test_the_minimum_is_the_lowest_point_of_a_grid_beside_it(
    size: list[int], seed: int, weighted: bool, reml: bool
) -> None:
    """No variance is left at zero where a larger one near it fits better: the boundary is left."""
    d = draw(size, seed, "intercept", weighted)
    fit = fit_two_level(d.x, d.z, d.y, d.groups, d.template, d.weights if weighted else None, reml)
    assert fit.converged
    beside = [factor * fit.theta for factor in (0.95, 0.99, 1.01, 1.05)]
    if fit.theta[0] == 0:
        beside = [np.array([small]) for small in (1e-4, 1e-3, 1e-2)]
    for theta in beside:
        assert fit.loglik >= fit_at(fit.likelihood, theta, reml).loglik - 1e-9


@PROFILE
@given(size=sizes, seed=seeds, kind=kinds, weighted=st.booleans(), reml=st.booleans())
def test_a_fit_is_the_dense_model_at_its_theta(
    size: list[int], seed: int, kind: str, weighted: bool, reml: bool
) -> None:
    """Log-likelihood, coefficients, their covariance and the conditional modes."""
    d = draw(size, seed, kind, weighted)
    fit = fit_two_level(d.x, d.z, d.y, d.groups, d.template, d.weights if weighted else None, reml)
    assume(np.abs(fit.theta).max() < 100)  # beyond, the dense inverse has no digits left
    here = Data(d.x, d.z, d.y, d.weights, d.groups, d.template, fit.theta)
    deviance, beta, sigma2 = dense(here, reml)
    assert_allclose(-2 * fit.loglik, deviance, rtol=1e-8, atol=1e-7)
    assert_allclose(fit.beta, beta, rtol=1e-6, atol=1e-8)
    assert_allclose(fit.sigma**2, sigma2, rtol=1e-7)
    v = relative_covariance(here)
    information = d.x.T @ np.linalg.solve(v, d.x)
    assert_allclose(fit.vcov, sigma2 * np.linalg.inv(information), rtol=1e-6, atol=1e-9)
    solved = np.linalg.solve(v, d.y - d.x @ beta)
    for group in range(len(size)):
        rows = d.groups == group
        found = fit.factors[0] @ fit.factors[0].T @ d.z[rows].T @ solved[rows]
        assert_allclose(modes(fit)[group], found, rtol=1e-5, atol=1e-7)


@settings(PROFILE, max_examples=10)
@given(size=sizes, seed=seeds, kind=st.sampled_from(["intercept", "uncorrelated"]))
def test_what_never_changes_a_mixed_fit(size: list[int], seed: int, kind: str) -> None:
    d = draw(size, seed, kind, weighted=True)
    fit = fit_two_level(d.x, d.z, d.y, d.groups, d.template, d.weights)
    assume(
        np.abs(fit.theta).max() < 10
    )  # a handful of rows can leave the deviance flat towards infinity
    order = np.random.default_rng(seed).permutation(len(d.y))
    others = {
        "row order": fit_two_level(
            d.x[order], d.z[order], d.y[order], d.groups[order], d.template, d.weights[order]
        ),
        "labels of groups": fit_two_level(
            d.x, d.z, d.y, len(size) - 1 - d.groups, d.template, d.weights
        ),
        "a constant added": fit_two_level(d.x, d.z, d.y + 500.0, d.groups, d.template, d.weights),
        "unit of the outcome": fit_two_level(
            d.x, d.z, 1000.0 * d.y, d.groups, d.template, d.weights
        ),
        "unit of the weights": fit_two_level(
            d.x, d.z / np.sqrt(3.0), d.y, d.groups, d.template, 3.0 * d.weights
        ),
    }
    scale = np.abs(fit.beta[1:]).max() + 1
    for name, other in others.items():
        unit = 1000.0 if name == "unit of the outcome" else 1.0
        assert_allclose(other.beta[1:] / unit, fit.beta[1:], atol=1e-6 * scale, err_msg=name)
        assert_allclose(other.theta, fit.theta, atol=2e-5, err_msg=name)
        errors = np.sqrt(np.diag(other.vcov))[1:] / unit
        assert_allclose(errors, np.sqrt(np.diag(fit.vcov))[1:], rtol=1e-4, err_msg=name)

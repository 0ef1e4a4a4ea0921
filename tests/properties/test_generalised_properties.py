"""Generalised mixed models: dense references, brute-force integrals, and what must not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, polygamma
from scipy.stats import betabinom, binom, nbinom, norm, poisson
from statsmodels.discrete.discrete_model import NegativeBinomial
from statsmodels.miscmodels.ordinal_model import OrderedModel

from baseeval.numerics.generalised.approximation import Approximation, approximate
from baseeval.numerics.generalised.family_choice import LINKS, make_outcome
from baseeval.numerics.generalised.fitting_generalised import fit_generalised
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.generalised.nodes import Nodes, normal_nodes
from baseeval.numerics.generalised.plain import fit_plain
from baseeval.numerics.generalised.polygammas import trigamma_tetragamma
from baseeval.numerics.generalised.refitting import (
    bootstrap_parameters,
    percentile_interval,
    robust_vcov,
)
from baseeval.numerics.generalised.response_scale import Design, average_difference
from baseeval.numerics.generalised.slopes import Outcome
from baseeval.numerics.generalised.systems import OneFactor, System
from baseeval.numerics.generalised.two_factors import TwoFactors, pair_factors
from baseeval.numerics.mixed_models.templates import (
    Layout,
    Template,
    diagonal_template,
    full_template,
)

PROFILE = settings(max_examples=12, deadline=None, derandomize=True)
FITS = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from([(family, link) for family, links in LINKS.items() for link in links])
shapes = st.sampled_from(["one", "nested", "crossed"])
#: Linear predictors are drawn about these, with this much spread, so that every link allows them.
PLACES = {"log": (-0.9, 0.1), "identity": (0.5, 0.05)}


def draw_outcome(rng: np.random.Generator, kind: tuple[str, str], n: int) -> Outcome:
    family, link = kind
    trials = rng.integers(1, 9, n).astype(float)
    counts = rng.poisson(2.0, n).astype(float)
    if "binomial" in family and family != "negative_binomial":
        return make_outcome(rng.binomial(trials.astype(int), 0.45), family, link, trials)
    if family == "ordinal":
        counts = np.minimum(counts, 3)
        counts[:4] = range(4)
    return make_outcome(counts, family, link)


def codes(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    """Give every level a row; the first has one alone."""
    rest = rng.integers(1, levels, n - levels)
    return rng.permutation(np.concatenate([np.arange(levels), rest]))


def draw_model(
    rng: np.random.Generator, kind: tuple[str, str], shape: str, n: int = 60
) -> tuple[GroupedRows, System, np.ndarray]:
    level, size = PLACES.get(kind[1], (0.3, 0.5))
    inner = codes(rng, n, 14)
    x = np.column_stack([np.ones(n), rng.uniform(-1, 1, n)])
    z = np.vstack([np.ones(n), x[:, 1]])
    template = full_template(2) if rng.random() < 0.5 else diagonal_template([0, 1])
    if shape == "one":
        groups, zs, templates = (inner,), (z,), (template,)
    else:
        other = codes(rng, 14, 4)[inner] if shape == "nested" else codes(rng, n, 5)
        groups, zs, templates = (other, inner), (z[:1], z), (full_template(1), template)
    layout = Layout(templates)
    rows = GroupedRows(
        x,
        draw_outcome(rng, kind, n),
        zs,
        groups,
        tuple(int(code.max()) + 1 for code in groups),
        layout,
        rng.uniform(0.5, 2, n) if rng.random() < 0.5 else None,
    )
    system: System = OneFactor(rows) if shape == "one" else pair_factors(rows)
    theta = size * rng.uniform(0.3, 1, layout.count)
    place = np.concatenate([[level, size * 0.3], theta, rows.outcome.phi])
    return rows, system, place


def look(
    rows: GroupedRows, system: System, place: np.ndarray, nodes: Nodes | None = None
) -> Approximation:
    start = tuple(
        np.zeros((t.size, g)) for t, g in zip(rows.layout.templates, rows.levels, strict=True)
    )
    found = approximate(rows, system, place, start, nodes)
    assert found is not None
    return found


def slope_by_differences(value: Callable[[np.ndarray], Any], at: np.ndarray) -> np.ndarray:
    h = 1e-5
    return np.array([(value(at + h * e) - value(at - h * e)) / (2 * h) for e in np.eye(len(at))])


def dense_value(rows: GroupedRows, place: np.ndarray) -> float:
    """Laplace's approximation from its definition, every effect in one dense system."""
    beta, theta, phi = rows.parts(place)
    blocks = []
    for lower, z, code, size in zip(
        rows.layout.factors(theta), rows.z, rows.groups, rows.levels, strict=True
    ):
        v = lower.T @ z
        blocks += [np.where(code == g, line, 0.0) for g in range(size) for line in v]
    v = np.array(blocks).T
    u = np.zeros(v.shape[1])
    for _ in range(100):
        at = rows.slopes(rows.fixed(beta) + v @ u, phi)
        d = np.eye(len(u)) - v.T @ (v * at.second[:, None])
        step = np.linalg.solve(d, v.T @ at.first - u)
        u = u + step / max(1.0, float(np.abs(step).max()))
    at = rows.slopes(rows.fixed(beta) + v @ u, phi)
    d = np.eye(len(u)) - v.T @ (v * at.second[:, None])
    return float(at.value.sum() - u @ u / 2 - np.linalg.slogdet(d)[1] / 2)


# ---- the approximation --------------------------------------------------------------------------
@PROFILE
@given(seeds, kinds)
def test_families_against_scipy_and_differences(seed: int, kind: tuple[str, str]) -> None:
    rng = np.random.default_rng(seed)
    outcome = draw_outcome(rng, kind, 40)
    level, size = PLACES.get(kind[1], (0.3, 1.0))
    eta, phi = level + size * rng.uniform(-1, 1, 40), outcome.phi
    at = outcome.slopes(eta, phi)
    mean = outcome.means(eta, phi)
    y = np.asarray(outcome.y)  # type: ignore[attr-defined]
    if kind[0] == "ordinal":
        assert_allclose(at.value, np.log(mean[y, range(40)]))
    else:
        mu, dispersion = mean[0], np.exp(phi[0]) if len(phi) else None
        size_ = getattr(outcome, "trials", None)
        expected = {
            "binomial": lambda: binom.logpmf(y, size_, mu),
            "beta_binomial": lambda: betabinom.logpmf(
                y, size_, mu * dispersion, (1 - mu) * dispersion
            ),
            "poisson": lambda: poisson.logpmf(y, mu),
            "negative_binomial": lambda: nbinom.logpmf(
                y, dispersion, dispersion / (dispersion + mu)
            ),
        }[kind[0]]()
        assert_allclose(at.value, expected, atol=1e-10)
    short = outcome.curve(eta, phi)
    assert_allclose([short.value, short.first, short.second], [at.value, at.first, at.second])
    h = 1e-5
    up, down = outcome.slopes(eta + h, phi), outcome.slopes(eta - h, phi)
    for name, slope in (("value", at.first), ("first", at.second), ("second", at.third)):
        rise = (getattr(up, name) - getattr(down, name)) / (2 * h)
        assert_allclose(rise, slope, atol=1e-5, rtol=1e-6)
    for k in range(len(phi)):
        move = h * np.eye(len(phi))[k]
        up, down = outcome.slopes(eta, phi + move), outcome.slopes(eta, phi - move)
        for name, slope in (
            ("value", at.by_phi[k]),
            ("first", at.first_by_phi[k]),
            ("second", at.second_by_phi[k]),
        ):
            rise = (getattr(up, name) - getattr(down, name)) / (2 * h)
            assert_allclose(rise, slope, atol=1e-6, rtol=1e-6)


def test_derivatives_of_log_gamma() -> None:
    x = np.geomspace(1e-6, 1e8, 20_001)
    second, third = trigamma_tetragamma(x)
    assert_allclose(second, polygamma(1, x), rtol=3e-15)
    assert_allclose(third, polygamma(2, x), rtol=3e-15)


@PROFILE
@given(seeds, kinds, shapes)
def test_laplace_equals_the_dense_one_and_its_gradient_is_right(
    seed: int, kind: tuple[str, str], shape: str
) -> None:
    rows, system, place = draw_model(np.random.default_rng(seed), kind, shape)
    if shape != "one":
        assert isinstance(system, TwoFactors)
        assert system.nested == (shape == "nested")
    at = look(rows, system, place)
    assert_allclose(at.value, dense_value(rows, place), rtol=1e-9)
    slope = slope_by_differences(lambda there: look(rows, system, there).value, place)
    assert_allclose(at.gradient(rows), slope, atol=1e-6 * np.abs(slope).max())


@PROFILE
@given(seeds, st.sampled_from(["logit", "probit", "bb", "poisson", "nb", "ordinal"]))
def test_gradient_of_quadrature(seed: int, name: str) -> None:
    kind = {
        "bb": ("beta_binomial", "logit"),
        "poisson": ("poisson", "log"),
        "nb": ("negative_binomial", "log"),
        "ordinal": ("ordinal", "logit"),
    }.get(name, ("binomial", name))
    rows, system, place = draw_model(np.random.default_rng(seed), kind, "one")
    nodes = normal_nodes(4, 2)
    at = look(rows, system, place, nodes)
    slope = slope_by_differences(lambda there: look(rows, system, there, nodes).value, place)
    assert_allclose(at.gradient(rows), slope, atol=1e-6 * np.abs(slope).max())
    one = look(rows, system, place, normal_nodes(1, 2))
    assert_allclose(one.values, look(rows, system, place).values, rtol=1e-12)


@PROFILE
@given(seeds, kinds)
def test_many_points_equal_a_brute_force_integral(seed: int, kind: tuple[str, str]) -> None:
    rng = np.random.default_rng(seed)
    level, size = PLACES.get(kind[1], (0.3, 0.8))
    n, groups = 14, np.repeat([0, 1, 2, 3], [1, 3, 4, 6])
    outcome = draw_outcome(rng, kind, n)
    rows = GroupedRows(
        np.ones((n, 1)), outcome, (np.ones((1, n)),), (groups,), (4,), Layout((full_template(1),))
    )
    place = np.concatenate([[level], [size], outcome.phi])
    found = look(rows, OneFactor(rows), place, normal_nodes(45))
    # The trapezium rule is as good as exact for a smooth density that ends in nothing.
    line = np.linspace(-9, 9, 1201)
    heights = np.array(
        [outcome.curve(np.full(n, level + size * u), outcome.phi).value for u in line]
    )
    for g in range(4):
        density = np.exp(heights[:, groups == g].sum(axis=1)) * norm.pdf(line)
        assert_allclose(found.values[g], np.log(density.sum() * (line[1] - line[0])), atol=1e-8)


# ---- fits ---------------------------------------------------------------------------------------
def pupils(rng: np.random.Generator, n: int = 300, schools: int = 20) -> dict[str, np.ndarray]:
    school = codes(rng, n, schools)
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.random(n) < 0.4]).astype(float)
    trials = rng.integers(3, 12, n).astype(float)
    eta = x @ [0.4, 0.5, 0.4] + rng.normal(0, 0.7, schools)[school]
    y = rng.binomial(trials.astype(int), expit(eta)).astype(float)
    return {"x": x, "y": y, "trials": trials, "school": school}


def fit_pupils(d: dict[str, np.ndarray], **options: Any) -> GeneralisedFit:
    return fit_generalised(d["x"], d["y"], [d["school"]], trials=d["trials"], **options)


@FITS
@given(seeds)
def test_order_and_labels_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = pupils(rng, 150, 12)
    z = np.column_stack([np.ones(150), d["x"][:, 1]])
    first = fit_pupils(d, z=[z])
    order, labels = rng.permutation(150), rng.permutation(12)
    moved = {name: column[order] for name, column in d.items()}
    moved["school"] = labels[moved["school"]]
    second = fit_pupils(moved, z=[z[order]])
    assert_allclose(second.loglik, first.loglik, rtol=1e-11)
    se = np.sqrt(np.diag(first.vcov))
    assert_allclose(second.beta / se, first.beta / se, atol=1e-5)
    assert_allclose(second.vcov, first.vcov, rtol=1e-4, atol=1e-6)
    assert_allclose(second.effects[0].modes[labels], first.effects[0].modes, atol=1e-5)


@FITS
@given(seeds)
def test_a_weight_of_two_is_a_row_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = pupils(rng, 120, 10)
    weights = rng.integers(1, 3, 120).astype(float)
    once = fit_pupils(d, weights=weights)
    twice = fit_pupils({k: np.repeat(v, weights.astype(int), axis=0) for k, v in d.items()})
    assert_allclose(once.loglik, twice.loglik, rtol=1e-11)
    assert_allclose(once.beta, twice.beta, atol=1e-6)
    assert_allclose(once.vcov, twice.vcov, rtol=1e-4, atol=1e-6)


@FITS
@given(seeds, shapes)
def test_scores_add_up_to_nothing_and_nothing_is_better_near_by(seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    d = pupils(rng)
    other = codes(rng, 20, 5)[d["school"]] if shape == "nested" else codes(rng, 300, 6)
    groups = [d["school"]] if shape == "one" else [other, d["school"]]
    fit = fit_generalised(d["x"], d["y"], groups, trials=d["trials"])
    assert fit.converged
    assert (fit.scores is None) == (shape == "crossed")
    free = np.isfinite(np.diag(fit.parameters_vcov))
    if fit.scores is not None:
        sizes = np.sqrt(np.diag(fit.parameters_vcov))[free]
        assert np.abs(fit.scores.sum(axis=0)[free] * sizes).max() < 1e-5
        assert len(fit.scores) == (20 if shape == "one" else 5)
    system: System = OneFactor(fit.rows) if shape == "one" else pair_factors(fit.rows)
    place = np.where(free, fit.parameters, 0.0)
    assert_allclose(look(fit.rows, system, place).value, fit.loglik, rtol=1e-12)
    for move in rng.normal(size=(5, len(place))):
        near = place + 0.1 * move * np.sqrt(np.where(free, np.diag(fit.parameters_vcov), 1e-2))
        assert look(fit.rows, system, near).value < fit.loglik


def test_effects_of_two_factors_where_one_has_no_variance() -> None:
    d = pupils(np.random.default_rng(4))
    halves = np.arange(300) % 2
    one = fit_pupils(d)
    two = fit_generalised(d["x"], d["y"], [halves, d["school"]], trials=d["trials"])
    assert two.singular
    assert two.flags == ("variance_at_zero",)
    assert_allclose(two.theta, [0.0, one.theta[0]], atol=1e-6)
    assert_allclose(two.loglik, one.loglik, rtol=1e-12)
    assert_allclose(two.vcov, one.vcov, rtol=1e-4, atol=1e-6)
    assert np.isnan(two.parameters_vcov[3]).all()
    assert_allclose(two.effects[1].variance, one.effects[0].variance, rtol=1e-5)


def test_columns_far_from_zero_or_dependent() -> None:
    d = pupils(np.random.default_rng(5))
    base = fit_pupils(d)
    moved = {**d, "x": d["x"] + [0, 2024, 0]}
    far = fit_pupils(moved)
    assert_allclose(far.beta[1:], base.beta[1:], atol=1e-7)
    assert_allclose(far.vcov[1:, 1:], base.vcov[1:, 1:], rtol=1e-4)
    assert_allclose(far.beta[0] + 2024 * far.beta[1], base.beta[0], atol=1e-5)
    assert far.scores is not None
    assert base.scores is not None
    assert_allclose(far.scores[:, 1] - 2024 * far.scores[:, 0], base.scores[:, 1], atol=1e-4)
    extra = fit_pupils({**d, "x": np.column_stack([d["x"][:, :2], d["x"][:, 1] * 3, d["x"][:, 2]])})
    assert extra.kept.tolist() == [0, 1, 3]
    assert_allclose(extra.beta, base.beta, atol=1e-7)


# ---- without effects ----------------------------------------------------------------------------
def alike(kind: tuple[str, str]) -> tuple[np.ndarray, Outcome, np.ndarray]:
    """Draw rows of pairs of opposite residuals, so that groups vary less than chance."""
    rng = np.random.default_rng(8)
    n = 200
    x = np.column_stack([np.ones(n), np.repeat(rng.uniform(-1, 1, n // 2), 2)])
    family, link = kind
    trials = np.full(n, 6.0)
    level, size = PLACES.get(link, (0.3, 0.6))
    mu = make_outcome(np.ones(n), "binomial", link if family == "binomial" else "logit", trials * 2)
    p = mu.means(level + 1.5 * size * x[:, 1], np.empty(0))[0]
    if family == "ordinal":
        y = 1.0 + (rng.random(n) < p) - 1.0 * (rng.random(n) < 0.3)
    elif family in ("poisson", "negative_binomial"):
        y = rng.negative_binomial(2, 1 / (1 + np.exp(0.5 + x[:, 1]) / 2)).astype(float)
        y = y if family == "negative_binomial" else rng.poisson(np.exp(0.5 + x[:, 1])) + 0.0
    elif family == "beta_binomial":
        y = rng.binomial(6, rng.beta(3 * p, 3 * (1 - p))).astype(float)
    else:
        y = rng.binomial(6, p).astype(float)
    tried = trials if "binomial" in family and family != "negative_binomial" else None
    return x, make_outcome(y, family, link, tried), y


def statsmodels_fit(
    kind: tuple[str, str], x: np.ndarray, y: np.ndarray
) -> tuple[float, np.ndarray]:
    family, link = kind
    if family == "binomial":
        names = {"logit": "Logit", "probit": "Probit", "log": "Log", "identity": "Identity"}
        chosen = sm.families.Binomial(getattr(sm.families.links, names[link])())
        start = {"log": [-0.8, 0.0], "identity": [0.4, 0.0]}.get(link)
        found = sm.GLM(np.column_stack([y, 6 - y]), x, chosen).fit(tol=1e-14, start_params=start)
        return float(found.llf), np.asarray(found.params)
    if family == "poisson":
        found = sm.GLM(y, x, sm.families.Poisson()).fit(tol=1e-14)
        return float(found.llf), np.asarray(found.params)
    if family == "negative_binomial":
        found = NegativeBinomial(y, x).fit(disp=0, method="newton", maxiter=200, gtol=1e-10)
        return float(found.llf), np.asarray(found.params)[:-1]
    found = OrderedModel(y, x[:, 1:], distr="logit").fit(disp=0, method="bfgs", gtol=1e-9)
    return float(found.llf), np.asarray(found.params)[:1]


@pytest.mark.parametrize("kind", [(f, link) for f in LINKS for link in LINKS[f]])
def test_without_effects_it_is_the_plain_model(kind: tuple[str, str]) -> None:
    x, outcome, y = alike(kind)
    columns = x[:, 1:] if kind[0] == "ordinal" else x
    n = len(y)
    rows = GroupedRows(
        columns, outcome, (np.ones((1, n)),), (np.arange(n) % 2,), (2,), Layout((full_template(1),))
    )
    plain = fit_plain(rows)
    assert plain.converged
    if kind[0] != "beta_binomial":
        loglik, beta = statsmodels_fit(kind, x, y)
        assert_allclose(plain.value, loglik, rtol=1e-9)
        assert_allclose(plain.beta, beta, atol=2e-5)
    at_zero = np.concatenate([plain.beta, [0.0], plain.phi])
    found = look(rows, OneFactor(rows), at_zero)
    assert_allclose(found.value, plain.value, rtol=1e-12)
    assert np.abs(found.gradient(rows)).max() < 1e-4
    # Two groups of every other row vary less than chance allows for here.
    trials = getattr(outcome, "trials", None)
    fit = fit_generalised(x, y, [np.arange(n) % 2], family=kind[0], link=kind[1], trials=trials)
    assert_allclose(fit.loglik, max(fit.loglik, plain.value), rtol=1e-12)
    if fit.singular:
        assert_allclose(fit.beta, plain.beta, atol=1e-8)
        p = len(fit.beta)
        assert_allclose(fit.vcov, plain.covariance[:p, :p], rtol=1e-4)


# ---- boundaries ---------------------------------------------------------------------------------
def test_no_overdispersion_is_told_and_is_the_simpler_family() -> None:
    rng = np.random.default_rng(2)
    d = pupils(rng)
    # Rows that repeat their school's share: they vary less than binomially.
    d["trials"][:] = 10.0
    d["y"] = np.round(10 * expit(d["x"][:, 1] + 0.3 * np.sin(d["school"])))
    fit, simple = fit_pupils(d, family="beta_binomial"), fit_pupils(d)
    assert fit.dispersion == float("inf")
    assert "no_overdispersion" in fit.flags
    assert_allclose(fit.loglik, simple.loglik, rtol=1e-12)
    assert_allclose(fit.vcov, simple.vcov, rtol=1e-8)
    events = np.round(2 + np.sin(d["school"]))
    fit = fit_generalised(d["x"], events, [d["school"]], family="negative_binomial")
    simple = fit_generalised(d["x"], events, [d["school"]], family="poisson")
    assert fit.dispersion == float("inf")
    assert_allclose(fit.loglik, simple.loglik, rtol=1e-12)


@pytest.mark.parametrize("family", ["binomial", "poisson", "ordinal"])
def test_separation_is_told(family: str) -> None:
    rng = np.random.default_rng(3)
    n = 200
    school = codes(rng, n, 10)
    y = rng.integers(0, 2 if family == "binomial" else 4, n).astype(float)
    told = (y == 0) & (rng.random(n) < 0.5)
    x = np.column_stack([np.ones(n), rng.normal(size=n), told]).astype(float)
    fit = fit_generalised(x, y, [school], family=family)
    assert fit.separation is not None
    assert fit.separation.columns == (2,)
    assert "separated" in fit.flags
    assert not fit.converged
    assert np.isnan(fit.vcov).all()


def test_groups_all_of_one_kind_beside_mixed_ones() -> None:
    rng = np.random.default_rng(6)
    school = np.repeat(np.arange(12), [1, 1, 1, 5, 6, 7, 20, 20, 20, 20, 20, 20])
    n = len(school)
    y = (rng.random(n) < 0.5).astype(float)
    y[(school == 3) | (school == 0)] = 1
    y[(school == 4) | (school == 1)] = 0
    fit = fit_generalised(np.ones((n, 1)), y, [school], quadrature=11)
    assert fit.converged
    modes = fit.effects[0].modes[:, 0]
    assert np.isfinite(modes).all()
    if not fit.singular:
        assert modes[3] > 0 > modes[4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": [np.zeros(6, dtype=int)]}, "one level"),
        ({"groups": [np.array([0, 0, 1, 1, 3, 3])]}, "have rows"),
        ({"groups": [np.arange(6)], "y": np.array([0, 1, 0, 1, 1, 0.0])}, "no group holds both"),
        ({"y": np.zeros(6)}, "does not vary"),
        ({"y": np.array([0, 1, 2, 0, 1, 0.0])}, "1 rows have more successes"),
        ({"y": np.array([0, 0.5, 1, 0, 1, 0.0])}, "1 outcomes are not whole"),
        ({"family": "gamma"}, "is not one of"),
        ({"link": "cloglog"}, "has the links"),
        ({"family": "poisson", "trials": np.ones(6)}, "has no trials"),
        ({"family": "beta_binomial"}, "more than one trial"),
        ({"weights": np.zeros(6)}, "weights must be positive"),
        ({"quadrature": 0}, "1 or more"),
        ({"quadrature": 3, "groups": [np.arange(6) % 2, np.arange(6) // 2]}, "one grouping factor"),
        ({"groups": []}, "0 grouping factors"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict[str, Any], message: str) -> None:
    given_ = {"y": np.array([0, 1, 0, 1, 1, 0.0]), "groups": [np.arange(6) // 3], **change}
    with pytest.raises(ValueError, match=message):
        fit_generalised(np.ones((6, 1)), given_.pop("y"), given_.pop("groups"), **given_)


def test_a_log_link_at_its_bound_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(300), rng.normal(size=300)])
    y = rng.binomial(3, expit(3 + 0.6 * x[:, 1])).astype(float)
    with pytest.raises(ValueError, match="take the logit link"):
        fit_generalised(x, y, [codes(rng, 300, 10)], link="log", trials=np.full(300, 3.0))


@pytest.mark.parametrize("link", ["log", "identity"])
def test_no_variance_under_links_that_bound_the_search(link: str) -> None:
    """Starts from inside lie beyond these links' bounds and are brought nearer."""
    rng = np.random.default_rng(21)
    school, x = codes(rng, 300, 15), np.ones((300, 1))
    y = np.full(300, 24.0) + rng.integers(-1, 2, 300)
    fit = fit_generalised(x, y, [school], link=link, trials=np.full(300, 40.0))
    assert fit.flags == ("variance_at_zero",)
    share = y.mean() / 40
    assert_allclose(fit.beta, np.log(share) if link == "log" else share, rtol=1e-9)
    variance = share * (1 - share) / (300 * 40)
    assert_allclose(fit.vcov, variance / share**2 if link == "log" else variance, rtol=1e-6)


# ---- the response scale -------------------------------------------------------------------------
def designs(x: np.ndarray) -> tuple[Design, Design]:
    one, zero = x.copy(), x.copy()
    one[:, 2], zero[:, 2] = 1.0, 0.0
    ones = np.ones(len(x))
    return (
        Design(one, [np.column_stack([ones, ones])]),
        Design(zero, [np.column_stack([ones, 0 * ones])]),
    )


def test_differences_in_percentage_points() -> None:
    d = pupils(np.random.default_rng(9))
    z = np.column_stack([np.ones(300), d["x"][:, 2]])
    fit = fit_pupils(d, z=[z])
    one, zero = designs(d["x"])
    found = average_difference(fit, one, zero)
    drawn = np.random.default_rng(0).standard_normal((200_000, 2)) @ fit.factors[0].T
    base, rise = d["x"][:, :2] @ fit.beta[:2], fit.beta[2]
    chances = [
        expit(eta + rise + drawn.sum(axis=1)).mean() - expit(eta + drawn[:, 0]).mean()
        for eta in base[:60]
    ]
    part = np.zeros(300)
    part[:60] = 1
    some = average_difference(fit, one, zero, weights=part)
    assert_allclose(some.estimate, np.mean(chances), atol=2e-4)
    at_zero = average_difference(fit, one, zero, integrated=False)
    assert_allclose(at_zero.estimate, (expit(base + rise) - expit(base)).mean(), rtol=1e-12)
    for integrated in (True, False):

        def difference(there: np.ndarray, how: bool = integrated) -> np.ndarray:
            own = average_difference(fit, one, zero, integrated=how, parameters=there)
            return own.estimate

        slope = slope_by_differences(difference, fit.parameters)
        own = average_difference(fit, one, zero, integrated=integrated)
        assert_allclose(own.gradient, slope.T, atol=1e-8)
        vcov = np.nan_to_num(fit.parameters_vcov)
        assert_allclose(own.se**2, own.gradient @ vcov @ own.gradient.T.ravel())
    assert found.se[0] > 0


def test_ordered_chances_add_up_to_one() -> None:
    d = pupils(np.random.default_rng(10))
    fit = fit_generalised(d["x"], np.minimum(d["y"] // 2, 3), [d["school"]], family="ordinal")
    one, zero = (Design(design.x) for design in designs(d["x"]))
    found = average_difference(fit, one, zero)
    assert found.estimate.shape == (4,)
    assert_allclose(found.estimate.sum(), 0, atol=1e-12)
    slope = slope_by_differences(
        lambda there: average_difference(fit, one, zero, parameters=there).estimate, fit.parameters
    )
    assert_allclose(found.gradient, slope.T, atol=1e-8)


def test_bootstrap_and_robust_variances_agree_with_the_model_where_it_holds() -> None:
    rng = np.random.default_rng(11)
    d = pupils(rng, 600, 60)
    fit = fit_pupils(d)
    drawn = bootstrap_parameters(fit, 60, seed=3)
    assert drawn.failed == 0
    assert drawn.converged.all()
    again = bootstrap_parameters(fit, 2, seed=3)
    assert_allclose(again.parameters, drawn.parameters[:2], rtol=0, atol=0)
    se = np.sqrt(np.diag(fit.parameters_vcov))
    # Standard deviations of sixty draws lie within about a quarter of the truth.
    assert_allclose(drawn.parameters.std(axis=0), se, rtol=0.35)
    assert_allclose(np.sqrt(np.diag(robust_vcov(fit))), se, rtol=0.45)
    one, zero = (Design(design.x) for design in designs(d["x"]))
    point = average_difference(fit, one, zero)
    low, high = percentile_interval(
        drawn, lambda there: average_difference(fit, one, zero, parameters=there).estimate
    )
    assert low < point.estimate < high
    assert_allclose(high - low, 2 * 1.96 * point.se, rtol=0.4)


def test_crossed_factors_have_no_robust_variance() -> None:
    d = pupils(np.random.default_rng(12))
    other = codes(np.random.default_rng(1), 300, 6)
    fit = fit_generalised(d["x"], d["y"], [other, d["school"]], trials=d["trials"])
    with pytest.raises(ValueError, match="crossed"):
        robust_vcov(fit)


def test_templates_may_share_a_variance() -> None:
    """`(1 | school) + (1 | school:arm)`: columns 1, arm, 1 - arm, the last two alike."""
    rng = np.random.default_rng(13)
    d = pupils(rng, 800, 40)
    arm = d["x"][:, 2]
    cell = np.unique(d["school"] * 2 + arm.astype(int), return_inverse=True)[1]
    template: Template = diagonal_template([0, 1, 1])
    d["y"] = rng.binomial(
        d["trials"].astype(int), expit(d["x"] @ [0, 0.5, 0.3] + rng.normal(0, 0.8, 80)[cell])
    ).astype(float)
    z = np.column_stack([np.ones(800), arm, 1 - arm])
    shared = fit_pupils(d, z=[z], templates=[template])
    nested = fit_generalised(d["x"], d["y"], [d["school"], cell], trials=d["trials"])
    assert_allclose(shared.loglik, nested.loglik, rtol=1e-10)
    assert_allclose(shared.theta, nested.theta, atol=1e-5)
    assert_allclose(shared.vcov, nested.vcov, rtol=1e-4, atol=1e-6)

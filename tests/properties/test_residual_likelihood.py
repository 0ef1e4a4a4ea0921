"""The likelihood with a structure of residuals against whole matrices, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.mixed_models.residual_forms import Correlation
from baseeval.numerics.mixed_models.residual_likelihood import ResidualLikelihood
from baseeval.numerics.mixed_models.residual_robust import residual_parts
from baseeval.numerics.mixed_models.residual_rows import (
    ResidualStructure,
    WaveRows,
    wave_likelihood,
)
from baseeval.numerics.mixed_models.residual_search import (
    free_count,
    residual_deviance,
    residual_gradient,
)
from baseeval.numerics.mixed_models.residual_structures import fit_residual_structure
from baseeval.numerics.mixed_models.templates import Template, full_template

TIMES = np.array([0, 1, 2, 5])
FORMS: list[Correlation] = ["independent", "ar1", "exchangeable", "unstructured"]


def draw_waves(seed: int, pupils: int = 18, schools: int = 4) -> WaveRows:
    """Pupils at some of four times with a gap, some once only; some change stratum."""
    rng = np.random.default_rng(seed)
    seen = rng.random((pupils, 4)) < 0.7
    seen[:3] = True  # every pair of occasions at least once
    seen[~seen.any(axis=1), 0] = True
    pupil, occasion = np.nonzero(seen)
    order = rng.permutation(len(pupil))
    pupil, times = pupil[order], TIMES[occasion[order]]
    stratum = (pupil % 2 + (times > 1) * (pupil % 3 == 0)) % 2
    school = np.unique(rng.integers(0, schools, pupils), return_inverse=True)[1][pupil]
    x = np.column_stack([np.ones(len(pupil)), times, rng.normal(size=len(pupil))])
    y = 50 + x @ [0.0, 0.3, 0.5] + rng.normal(size=pupils)[pupil] + rng.normal(size=len(pupil))
    return WaveRows(x, y, pupil, times, stratum, school, x[:, :2], x[:, :1])


def whole_deviance(
    likelihood: ResidualLikelihood, rows: WaveRows, psi: np.ndarray, reml: bool
) -> float:
    """Minus twice the log-likelihood from V, beta and sigma at their best."""
    model = likelihood.model
    places = list(zip(model.form.times[model.form.occasion], model.form.stratum, strict=True))
    cells = np.array([places.index(pair) for pair in zip(rows.times, rows.strata, strict=True)])
    v = model.omega(psi)[np.ix_(cells, cells)] * (rows.pupils[:, None] == rows.pupils)
    lower = likelihood.lower(psi)
    if len(lower):
        loads = rows.school_z[:, : len(lower)] @ lower
        v += loads @ loads.T * (rows.schools[:, None] == rows.schools)
    inverse, (n, p) = np.linalg.inv(v), rows.x.shape
    information = rows.x.T @ inverse @ rows.x
    e = rows.y - rows.x @ np.linalg.solve(information, rows.x.T @ inverse @ rows.y)
    free = n - p if reml else n
    value = np.linalg.slogdet(v)[1] + free * (1 + np.log(2 * np.pi * (e @ inverse @ e) / free))
    return float(value + (np.linalg.slogdet(information)[1] if reml else 0.0))


def deviance_at(likelihood: ResidualLikelihood, psi: np.ndarray, reml: bool) -> float:
    at, inside = likelihood.profile(psi), likelihood.coordinates
    free = free_count(likelihood, reml)
    lift = 2 * free * np.log(inside.scale) - (2 * inside.log_det if reml else 0.0)
    return residual_deviance(at, free, reml) + lift


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    correlation=st.sampled_from(FORMS),
    by_occasion=st.booleans(),
    by_stratum=st.booleans(),
    size=st.integers(0, 2),
    reml=st.booleans(),
)
def test_equals_whole_matrices(
    seed: int, correlation: Correlation, by_occasion: bool, by_stratum: bool, size: int, reml: bool
) -> None:
    rows = draw_waves(seed)
    school = full_template(size) if size else None
    pupil = full_template(1) if correlation in {"independent", "ar1"} and size else None
    if size:
        rows = replace(rows, school_z=rows.x[:, :size])
    structure = ResidualStructure(correlation, by_occasion, by_stratum)
    likelihood = wave_likelihood(rows, structure, school, pupil, 0)
    psi = np.random.default_rng(seed).normal(0, 0.5, len(likelihood.model.diagonal))
    expected = whole_deviance(likelihood, rows, psi, reml)
    assert_allclose(deviance_at(likelihood, psi, reml), expected, rtol=1e-9, atol=1e-9)
    step = 1e-5
    slopes = [
        (deviance_at(likelihood, psi + e, reml) - deviance_at(likelihood, psi - e, reml))
        / (2 * step)
        for e in step * np.eye(len(psi))
    ]
    at = likelihood.profile(psi)
    sigma2 = at.rss / free_count(likelihood, reml)
    assert_allclose(
        residual_gradient(likelihood, psi, at, sigma2, reml), slopes, rtol=1e-5, atol=1e-4
    )


def test_order_and_labels_change_nothing() -> None:
    rows, rng = draw_waves(4), np.random.default_rng(4)
    order = rng.permutation(len(rows.y))
    names = rng.permutation(int(rows.pupils.max()) + 1)
    other = WaveRows(
        rows.x[order],
        rows.y[order],
        names[rows.pupils[order]],
        rows.times[order] + 2000,
        rows.strata[order],
        rows.schools[order],
        rows.school_z[order],
        rows.pupil_z[order],
    )
    structure = ResidualStructure("ar1", by_stratum=True)
    one = fit_residual_structure(rows, structure, full_template(2), None, 0)
    two = fit_residual_structure(other, structure, full_template(2), None, 0)
    assert_allclose(two.loglik, one.loglik, rtol=1e-11)
    assert_allclose(two.beta, one.beta, rtol=1e-6, atol=1e-7)
    assert_allclose(two.values, one.values, rtol=1e-5, atol=1e-6)


def test_a_known_correlation_and_ratio_are_found_again() -> None:
    rng = np.random.default_rng(8)
    pupils, waves = 4000, 4
    shocks = rng.normal(size=(pupils, waves))
    for wave in range(1, waves):
        shocks[:, wave] = 0.6 * shocks[:, wave - 1] + 0.8 * shocks[:, wave]
    arm = np.repeat(np.arange(pupils) % 2, waves)
    y = 10 + shocks.ravel() * np.where(arm == 1, 1.5, 1.0)
    rows = WaveRows(
        np.ones((len(y), 1)), y, np.repeat(np.arange(pupils), waves),
        np.tile(np.arange(waves), pupils), arm,
    )  # fmt: skip
    fit = fit_residual_structure(rows, ResidualStructure("ar1", by_stratum=True), intercept=0)
    errors = np.sqrt(np.diagonal(fit.values_vcov))
    assert np.all(errors < 0.02)
    assert np.all(np.abs(fit.values - [0.6, 1.5]) < 4 * errors)
    assert abs(fit.sigma - 1) < 0.03


def spoil(rows: WaveRows, what: str) -> tuple[WaveRows, ResidualStructure, Template | None]:
    if what == "repeat an occasion":
        return replace(rows, times=np.where(rows.times == 1, 0, rows.times)), AR1, None
    if what == "more than one school":
        schools = np.where(rows.times == 5, (rows.schools + 1) % 4, rows.schools)
        return replace(rows, schools=schools), AR1, None
    if what == "function of the occasion":
        return replace(rows, pupil_z=rows.x[:, [2]]), AR1, full_template(1)
    if what == "no pupil was seen at both":
        early = (rows.pupils % 2 == 0) == (rows.times < 2)
        kept = {
            name: getattr(rows, name)[early]
            for name in ("x", "y", "times", "strata", "schools", "school_z", "pupil_z")
        }
        pupils = np.unique(rows.pupils[early], return_inverse=True)[1]
        return WaveRows(pupils=pupils, **kept), ResidualStructure("unstructured"), None
    return rows, ResidualStructure("exchangeable"), full_template(1)


AR1 = ResidualStructure("ar1")


@pytest.mark.parametrize(
    "what",
    [
        "repeat an occasion",
        "more than one school",
        "function of the occasion",
        "no pupil was seen at both",
        "cannot be told apart",
    ],
)
def test_refuses_rows_that_do_not_suit(what: str) -> None:
    rows, structure, pupil = spoil(draw_waves(6), what)
    with pytest.raises(ValueError, match=what):
        wave_likelihood(rows, structure, full_template(2), pupil, 0)


def test_refuses_satterthwaite_at_a_singular_fit_and_cr2_across_pupils() -> None:
    rows = draw_waves(9, pupils=30)
    rows = replace(rows, y=rows.y - np.bincount(rows.schools, rows.y)[rows.schools] / np.bincount(
        rows.schools)[rows.schools], school_z=rows.x[:, :1])  # fmt: skip
    fit = fit_residual_structure(rows, ResidualStructure("ar1"), full_template(1), None, 0)
    assert fit.singular
    with pytest.raises(ValueError, match="singular fit"):
        fit.satterthwaite(np.array([0.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match="pupils are in more than one cluster"):
        residual_parts(fit, rows, np.arange(len(rows.y)))

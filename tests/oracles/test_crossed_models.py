"""Crossed random effects against lme4, and structures of residuals against nlme.

Coefficients are compared in units of their standard errors, to 1e-5; log-likelihoods must not be
lower than the reference's by more than 1e-8 of it. nlme stops somewhat before its maximum: there
the likelihood is ours to lose, and coefficients may differ by as much as its own slack allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from baseeval.numerics.cr2 import cr2
from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.crossed import crossed_likelihood
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.residual_robust import residual_parts
from baseeval.numerics.mixed_models.residual_rows import ResidualStructure, WaveRows
from baseeval.numerics.mixed_models.residual_structures import ResidualFit, fit_residual_structure
from baseeval.numerics.mixed_models.templates import (
    Layout,
    Template,
    diagonal_template,
    full_template,
)

ONE = full_template(1)
SLOPE = full_template(2)


def codes(column: pd.Series) -> np.ndarray:
    return pd.factorize(column, sort=True)[0]


def assert_as_lme4(fit: MixedFit, r: dict[str, Any]) -> None:
    se = np.asarray(r["se"])
    assert fit.converged
    assert fit.loglik >= r["logLik"] - 1e-8 * abs(r["logLik"])
    assert_allclose(fit.loglik, r["logLik"], rtol=1e-9)
    assert np.abs((fit.beta - r["beta"]) / se).max() < 1e-5
    assert_allclose(np.sqrt(np.diagonal(fit.vcov)), se, rtol=1e-5)
    assert_allclose(fit.theta, r["theta"], rtol=1e-5, atol=1e-5)
    assert_allclose(fit.sigma, r["sigma"], rtol=1e-5)


# ---- crossed random effects ---------------------------------------------------------------------
#: Columns of Z over each factor, in the order of lme4's theta (most levels first).
CROSSED: dict[str, list[tuple[str, list[str], Template]]] = {
    "intercepts": [("primary", ["one"], ONE), ("school", ["one"], ONE)],
    "slope": [("primary", ["one"], ONE), ("school", ["one", "x"], SLOPE)],
    "independent_slope": [
        ("primary", ["one"], ONE),
        ("school", ["one"], ONE),
        ("school", ["x"], ONE),
    ],
    "movers": [("pupil", ["one"], ONE), ("school", ["one"], ONE)],
    "growth": [
        ("pupil", ["one", "wave"], SLOPE),
        ("primary", ["one"], ONE),
        ("school", ["one", "x"], SLOPE),
    ],
    "four": [(name, ["one"], ONE) for name in ("pupil", "primary", "school", "district")],
}


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", CROSSED)
def test_crossed(
    case: str, weighted: bool, reml: bool, r_values: Callable[..., Any], r_data: Callable[..., Any]
) -> None:
    frame = r_data("crossed.csv").assign(one=1.0)
    r = r_values("crossed")[case + "_weighted" * weighted]["REML" if reml else "ML"]
    frame["wave:base"] = frame.wave * frame.base
    x = frame[["one", "x", "wave", "base", "wave:base"]].to_numpy(dtype=float)
    rows = Block(
        x,
        frame.y.to_numpy(),
        tuple(frame[names].to_numpy(dtype=float) for _, names, _ in CROSSED[case]),
        tuple(codes(frame[group]) for group, _, _ in CROSSED[case]),
        frame.w.to_numpy() if weighted else None,
    )
    layout = Layout(tuple(template for _, _, template in CROSSED[case]))
    assert_as_lme4(fit_likelihood(crossed_likelihood(rows, layout, 0), reml), r)


@pytest.mark.parametrize("case", ["penicillin", "pastes3"])
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_classic_crossed_and_nested(case: str, reml: bool, reference: Callable[[str], Any]) -> None:
    r = reference("mixed.json")[case]
    frame = reference("Penicillin.csv" if case == "penicillin" else "Pastes.csv")
    names = ["plate", "sample"] if case == "penicillin" else ["sample", "batch"]
    ones = np.ones((len(frame), 1))
    outcome = frame["diameter" if case == "penicillin" else "strength"].to_numpy(dtype=float)
    rows = Block(ones, outcome, (ones, ones), tuple(codes(frame[name]) for name in names))
    fit = fit_likelihood(crossed_likelihood(rows, Layout((ONE, ONE)), 0), reml)
    kind, tail = ("reml", "") if reml else ("ml", "_ml")
    assert fit.loglik >= r[f"logLik_{kind}"] * (1 + 1e-12)
    assert_allclose(fit.loglik, r[f"logLik_{kind}"], rtol=1e-9)
    se = np.atleast_1d(r[f"se{tail}"])
    assert np.abs((fit.beta - np.atleast_1d(r[f"beta{tail}"])) / se).max() < 1e-5
    assert_allclose(np.sqrt(np.diagonal(fit.vcov)), se, rtol=1e-5)
    expected = [component["vcov"] for component in r[f"varcorr_{kind}"][:2]]
    assert_allclose([float(c[0, 0]) for c in fit.covariances], expected, rtol=1e-5)


# ---- structures of residuals --------------------------------------------------------------------
Case = tuple[ResidualStructure, Template | None, Template | None]
BOTH = diagonal_template([0, 1])
RESIDUAL: dict[str, Case] = {
    "gls_ar1": (ResidualStructure("ar1"), None, None),
    "gls_exchangeable": (ResidualStructure("exchangeable"), None, None),
    "gls_unstructured": (ResidualStructure("unstructured", by_occasion=True), None, None),
    "gls_by_arm": (ResidualStructure(by_stratum=True), None, None),
    "gls_ar1_by_arm": (ResidualStructure("ar1", by_stratum=True), None, None),
    "gls_ar1_by_both": (ResidualStructure("ar1", True, True), None, None),
    "school_ar1": (ResidualStructure("ar1"), ONE, None),
    "school_slope_exchangeable": (ResidualStructure("exchangeable"), BOTH, None),
    "school_unstructured": (ResidualStructure("unstructured", True), ONE, None),
    "school_pupil_ar1": (ResidualStructure("ar1"), ONE, ONE),
    "school_pupil_by_arm": (ResidualStructure(by_stratum=True), ONE, ONE),
    "pupil_slope": (ResidualStructure(), None, SLOPE),
}


@pytest.fixture(scope="module")
def waves(r_data: Callable[..., Any]) -> pd.DataFrame:
    frame = r_data("residual.csv").assign(one=1.0)
    for arm in ("base", "host"):
        frame[arm] = (frame.arm == arm).astype(float)
        frame[f"wave:{arm}"] = frame.wave * frame[arm]
    return frame


def wave_rows(frame: pd.DataFrame, case: Case) -> WaveRows:
    _, school, pupil = case
    x = frame[["one", "wave", "base", "host", "prior", "wave:base", "wave:host"]].to_numpy()
    return WaveRows(
        x,
        frame.y.to_numpy(),
        codes(frame.pupil),
        frame.wave.to_numpy(),
        (frame.base + 2 * frame.host).to_numpy().astype(int),
        codes(frame.school),
        None if school is None else x[:, : school.size],
        None if pupil is None else x[:, : pupil.size],
    )


def fit_waves(frame: pd.DataFrame, case: Case, reml: bool = True) -> ResidualFit:
    structure, school, pupil = case
    return fit_residual_structure(wave_rows(frame, case), structure, school, pupil, 0, reml)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("case", RESIDUAL)
def test_residual_structures(
    case: str, reml: bool, waves: pd.DataFrame, r_values: Callable[..., Any]
) -> None:
    r = r_values("residual")[case]["REML" if reml else "ML"]
    fit, se = fit_waves(waves, RESIDUAL[case], reml), np.asarray(r["se"])
    n, p = len(waves), len(se)
    # gls divides by n - p rows in its covariance under ML as well.
    se = se * (np.sqrt((n - p) / n) if case.startswith("gls") and not reml else 1.0)
    assert fit.converged
    assert fit.loglik >= r["logLik"] - 1e-10 * abs(r["logLik"])
    assert_allclose(fit.loglik, r["logLik"], rtol=1e-9)
    ahead = (fit.loglik - r["logLik"]) / abs(r["logLik"]) > 1e-13
    assert np.abs((fit.beta - r["beta"]) / se).max() < (3e-5 if ahead else 1e-5)
    assert_allclose(np.sqrt(np.diagonal(fit.vcov)), se, rtol=3e-5 if ahead else 1e-5)
    if "correlation" in r:
        correlations = fit.values[: len(r["correlation"])]
        # corSymm lists pairs by the first of the two occasions: by columns of the lower triangle.
        order = np.argsort(fit.names[: len(correlations)])
        assert_allclose(correlations[order], r["correlation"], atol=2e-5)


def test_ratios_of_standard_deviations_are_between_the_levels_that_are_named(
    waves: pd.DataFrame, r_values: Callable[..., Any]
) -> None:
    r = r_values("residual")["gls_by_arm"]["REML"]["sd_ratio"]
    fit = fit_waves(waves, RESIDUAL["gls_by_arm"])
    assert fit.names == ["sd ratio stratum 1", "sd ratio stratum 2"]
    # nlme takes the first arm that it meets, here base, as 1.
    assert_allclose(1 / fit.values[0], r["usual"], rtol=1e-5)
    assert_allclose(fit.values[1] / fit.values[0], r["host"], rtol=1e-5)


def test_curvature_of_a_correlation(waves: pd.DataFrame, r_values: Callable[..., Any]) -> None:
    fit = fit_waves(waves, RESIDUAL["gls_ar1"])
    r = r_values("residual")["gls_ar1"]["REML"]["ap_var"]
    # nlme gives the variance of log((1 + rho) / (1 - rho)), from differences of the likelihood.
    found = 4 * fit.values_vcov[0, 0] / (1 - fit.values[0] ** 2) ** 2
    assert_allclose(found, r["var"][r["names"].index("corStruct")], rtol=1e-3)


@pytest.mark.parametrize("structure", ["exchangeable", "pupil effects"])
def test_satterthwaite_of_what_nested_intercepts_are(
    structure: str, waves: pd.DataFrame, r_values: Callable[..., Any]
) -> None:
    r = r_values("residual")["nested_lmer"]
    case: Case = (ResidualStructure("exchangeable"), ONE, None)
    if structure == "pupil effects":
        case = (ResidualStructure(), ONE, ONE)
    fit = fit_waves(waves, case)
    assert_allclose(fit.loglik, r["logLik"], rtol=1e-10)
    assert_allclose(fit.beta, r["beta"], rtol=1e-6, atol=1e-7)
    df = [fit.satterthwaite(contrast) for contrast in np.eye(len(fit.beta))]
    assert_allclose(df, r["satterthwaite"]["df"], rtol=1e-4)


@pytest.mark.parametrize("case", ["gls_ar1", "gls_by_arm", "school_ar1"])
def test_cr2_by_school(case: str, waves: pd.DataFrame, r_values: Callable[..., Any]) -> None:
    r = r_values("residual")[case]["CR2"]
    fit = fit_waves(waves, RESIDUAL[case])
    parts = residual_parts(fit, wave_rows(waves, RESIDUAL[case]), codes(waves.school))
    robust = cr2(parts)
    assert_allclose(np.sqrt(np.diagonal(robust.vcov)), r["se"], rtol=1e-5)
    assert_allclose([robust.df(contrast) for contrast in np.eye(len(fit.beta))], r["df"], rtol=1e-5)

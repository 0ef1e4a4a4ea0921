"""Correlated residuals by formula: the kernel's answer, names, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval as be


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    pupils = 60
    shocks = rng.normal(size=(pupils, 3))
    for wave in (1, 2):
        shocks[:, wave] = 0.6 * shocks[:, wave - 1] + 0.8 * shocks[:, wave]
    table = pd.DataFrame({"pupil": np.repeat(np.arange(pupils), 3), "wave": [1, 2, 3] * pupils})
    table["school"] = table.pupil // 6
    table["arm"] = np.where(table.pupil % 2, "base", "host")
    table["y"] = shocks.ravel() * np.where(table.arm == "base", 1.6, 1.0) + 0.3 * table.wave
    table.loc[rng.random(len(table)) < 0.1, "y"] = np.nan
    table.loc[5, "wave"] = None
    return table.sample(frac=1, random_state=1)


def dense_loglik(fit: Any, kept: pd.DataFrame) -> float:
    """The REML log-likelihood at the fit's own covariance, from whole matrices."""
    places = {wave: k for k, wave in enumerate([1, 2, 3])}
    cells = kept.wave.map(places).to_numpy() * 2 + (kept.arm == "host").to_numpy()
    same_pupil = kept.pupil.to_numpy()[:, None] == kept.pupil.to_numpy()
    same_school = kept.school.to_numpy()[:, None] == kept.school.to_numpy()
    v = fit.residual_covariance[np.ix_(cells, cells)] * same_pupil
    v = v + fit.variance.variance_or_covariance[0] * same_school
    x = np.column_stack([np.ones(len(kept)), kept.wave])
    solved = np.linalg.solve(v, x)
    information = x.T @ solved
    left = kept.y - x @ np.linalg.solve(information, solved.T @ kept.y)
    free = len(kept) - 2
    log_det = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    return -(free * np.log(2 * np.pi) + log_det + left @ np.linalg.solve(v, left)) / 2


def test_the_likelihood_is_that_of_its_covariance(frame: pd.DataFrame) -> None:
    fit = be.fit_waves("y ~ wave + (1 | school)", frame, pupil="pupil", wave="wave", by="arm")
    kept = frame.dropna(subset=["y", "wave"])
    assert fit.rows.n == len(kept)
    assert_allclose(fit.loglik, dense_loglik(fit, kept), rtol=1e-9)
    assert fit.residual.parameter.tolist() == ["correlation", "sd ratio host"]
    assert 0.35 < fit.residual.estimate[0] < 0.8
    assert 0.4 < fit.residual.estimate[1] < 0.9
    assert "residuals ar1" in fit.summary()


def test_more_freedom_fits_no_worse(frame: pd.DataFrame) -> None:
    settings = [
        ("independent", False),
        ("exchangeable", False),
        ("ar1", False),
        ("ar1", True),
        ("unstructured", True),
    ]
    found = [
        be.fit_waves("y ~ wave", frame, pupil="pupil", wave="wave", correlation=kind, by_wave=each)
        for kind, each in settings
    ]
    alone, alike, near, near_by_wave, free = (fit.loglik for fit in found)
    assert alone < alike < free
    assert alone < near <= near_by_wave <= free
    exchangeable = be.fit_mixed("y ~ wave + (1 | pupil)", frame, df=None)
    assert_allclose(alike, exchangeable.loglik, rtol=1e-8)


def test_robust_errors_are_by_the_widest_groups(frame: pd.DataFrame) -> None:
    formula, names = "y ~ wave + arm", {"pupil": "pupil", "wave": "wave"}
    plain = be.fit_waves(formula, frame, **names)
    robust = be.fit_waves(formula, frame, **names, df="cr2_satterthwaite")
    by_school = be.fit_waves(f"{formula} + (1 | school)", frame, **names, df="cr2_satterthwaite")
    assert_allclose(robust.fixed.estimate, plain.fixed.estimate, rtol=1e-12)
    assert_allclose(robust.fixed.std_error, plain.fixed.std_error, rtol=0.4)
    assert (robust.fixed.df > 20).all()  # of some sixty pupils
    assert (by_school.fixed.df < 10).all()  # of ten schools


def test_the_unit_of_the_wave_is_nothing_to_the_fit(frame: pd.DataFrame) -> None:
    apart = frame.assign(y=frame.y + np.sin(2.0 * frame.school))

    def fitted(times: list[int]) -> Any:
        moved = apart.assign(wave=frame.wave.map(dict(zip([1, 2, 3], times, strict=True))))
        return be.fit_waves("y ~ arm + (1 | school)", moved, pupil="pupil", wave="wave", by="arm")

    years, *others = [fitted([k, 2 * k, 3 * k]) for k in (1, 12, 20, 365)]
    assert years.variance.variance_or_covariance[0] > 0.1
    for fit in [*others, fitted([365 * 40, 365 * 41, 365 * 42])]:
        assert_allclose(fit.loglik, years.loglik, atol=1e-8)
        assert_allclose(fit.fixed.estimate, years.fixed.estimate, atol=1e-8)
        assert_allclose(fit.fixed.std_error, years.fixed.std_error, atol=1e-8)
        assert_allclose(fit.residual.estimate, years.residual.estimate, atol=1e-7)
    # Days of months are almost evenly spaced, but have no common divisor.
    days = fitted([31, 61, 92])
    assert_allclose(days.loglik, years.loglik, atol=0.05)
    assert_allclose(days.residual.estimate[0] ** 30.5, years.residual.estimate[0], rtol=0.02)
    assert np.isfinite(days.residual.std_error).all()


@pytest.mark.parametrize(
    ("formula", "correlation"),
    [("made ~ wave", "ar1"), ("made ~ wave", "independent"), ("made ~ 1", "unstructured")],
)
def test_an_outcome_with_nothing_left_is_refused(
    frame: pd.DataFrame, formula: str, correlation: str
) -> None:
    exact = frame.assign(made=2 * frame.wave if "wave" in formula else 4.0)
    with pytest.raises(be.EstimationError, match="reproduces the outcome") as refused:
        be.fit_waves(formula, exact, pupil="pupil", wave="wave", correlation=correlation)
    assert ".." not in str(refused.value)


@pytest.mark.parametrize(("group", "term"), [("pupil", ""), ("school", " + (1 | school)")])
@pytest.mark.parametrize("correlation", ["ar1", "exchangeable", "unstructured"])
def test_an_outcome_that_a_group_makes_is_no_fit(
    frame: pd.DataFrame, group: str, term: str, correlation: str
) -> None:
    exact = frame.assign(made=2 * frame.wave + np.sin(frame[group]))
    with pytest.raises(be.EstimationError) as refused:
        be.fit_waves(
            f"made ~ wave{term}", exact, pupil="pupil", wave="wave", correlation=correlation
        )
    assert ".." not in str(refused.value)
    assert "atrix" not in str(refused.value)


def test_too_many_parameters_of_residuals_are_refused(frame: pd.DataFrame) -> None:
    strata = frame.assign(arm=frame.pupil % 21)
    with pytest.raises(be.UsageError, match="21 categories"):
        be.fit_waves("y ~ wave", strata, pupil="pupil", wave="wave", by="arm")
    # A category whose rows are all left out is none.
    rare = strata.assign(y=strata.y.where(strata.arm < 2))
    assert len(be.fit_waves("y ~ 1", rare, pupil="pupil", wave="wave", by="arm").residual) == 2
    moved = frame.assign(wave=frame.wave + 3 * (frame.pupil % 14))
    with pytest.raises(be.UsageError, match="861 pairs"):
        be.fit_waves("y ~ 1", moved, pupil="pupil", wave="wave", correlation="unstructured")


def test_what_cannot_be_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(be.DataError, match="not whole numbers"):
        be.fit_waves("y ~ 1", frame.assign(wave=frame.wave / 2), pupil="pupil", wave="wave")
    with pytest.raises(be.UsageError, match="one term of the school"):
        be.fit_waves("y ~ wave + (1 | school) + (1 | arm)", frame, pupil="pupil", wave="wave")
    endless = frame.assign(wave=frame.wave.replace(3, np.inf))
    with pytest.raises(be.DataError, match="not whole numbers"):
        be.fit_waves("y ~ 1", endless, pupil="pupil", wave="wave")
    twice = pd.concat([frame, frame])
    with pytest.raises(be.EstimationError, match="one row for each pupil") as refused:
        be.fit_waves("y ~ 1", twice, pupil="pupil", wave="wave")
    assert ".." not in str(refused.value)

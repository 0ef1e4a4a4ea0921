"""Chances of arms against R: nnet and brglm2 for several arms, brglm2 for Firth's bias reduction,
lme4 for an intercept of each school."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from baseeval.numerics.firth import fit_firth, fit_firth_logit
from baseeval.numerics.multinomial import fit_multinomial
from baseeval.numerics.random_logit import fit_random_logit

CASES = {"unweighted": None, "weighted": "w", "integer_weights": "k"}
COLUMNS = ["(Intercept)", "x1", "x2yes", "x3b", "x3c"]


def digits(values: Any) -> np.ndarray:
    return np.array(values, dtype=float)


@pytest.fixture(scope="module")
def frame(r_data: Any) -> pd.DataFrame:
    found: pd.DataFrame = r_data("propensity.csv")
    return found


def design(frame: pd.DataFrame, *more: str) -> np.ndarray:
    dummies = [frame.x2 == "yes", frame.x3 == "b", frame.x3 == "c", *(frame[c] for c in more)]
    return np.column_stack([np.ones(len(frame)), frame.x1, *dummies]).astype(float)


def weights(frame: pd.DataFrame, case: str) -> np.ndarray | None:
    name = CASES[case]
    return None if name is None else frame[name].to_numpy(dtype=float)


@pytest.mark.parametrize("case", CASES)
def test_likelihood(case: str, frame: pd.DataFrame, r_values: Any) -> None:
    """brglm2 stops within rounding of the maximum; nnet's optimiser earlier."""
    r = r_values("propensity")["likelihood"][case]
    assert r["coef_names"] == COLUMNS
    fit = fit_multinomial(design(frame), frame.arm.to_numpy(), weights(frame, case))
    assert fit.converged
    assert fit.separation is None
    assert_allclose(fit.beta, digits(r["beta17"]), rtol=1e-10, atol=1e-12)
    assert_allclose(fit.vcov, r["vcov"], rtol=1e-7, atol=1e-10)
    assert_allclose(fit.log_likelihood, r["weighted_logLik"], rtol=1e-12)
    assert_allclose(fit.beta, r["nnet"]["beta"], rtol=1e-5, atol=1e-7)
    assert_allclose(fit.vcov, r["nnet"]["vcov"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", ["unweighted", "weighted", "separated"])
def test_firth(case: str, frame: pd.DataFrame, r_values: Any) -> None:
    """A level that only one arm has gives finite coefficients all the same."""
    separated = case == "separated"
    x = design(frame, "only2") if separated else design(frame)
    size = None if separated else weights(frame, case)
    values = r_values("propensity")
    several = fit_firth(x, frame.arm.to_numpy(), size)
    assert several.converged
    assert_allclose(several.beta, digits(values["firth"][case]["beta17"]), rtol=1e-8)
    assert_allclose(several.vcov, values["firth"][case]["vcov"], rtol=1e-7, atol=1e-9)
    two = fit_firth_logit(x, frame.y.to_numpy() == 1, size)
    r = values["firth_two"][case]
    assert_allclose(two.beta, digits(r["beta17"]), rtol=1e-8, atol=1e-9)
    assert_allclose(two.vcov, r["vcov"], rtol=1e-7, atol=2e-8)
    used = slice(None) if size is None else size > 0
    assert_allclose(two.probability[used], digits(r["fitted17"]), rtol=1e-8)


def test_what_firth_mends_is_found_and_named(frame: pd.DataFrame) -> None:
    found = fit_multinomial(design(frame, "only2"), frame.arm.to_numpy())
    assert found.separated
    assert found.separation is not None
    assert found.separation.columns == (5,)
    assert not found.separation.complete
    assert found.separation.rows == int(frame.only2.sum())


@pytest.mark.parametrize("case", ["unweighted", "integer_weights", "zero_variance"])
def test_random_intercept(case: str, frame: pd.DataFrame, r_values: Any) -> None:
    """glmer with one quadrature point is the Laplace approximation; its optimiser gives 1e-5."""
    r = r_values("propensity")["random"][case]
    assert r["coef_names"] == COLUMNS
    zero = case == "zero_variance"
    y = (frame.flat if zero else frame.y).to_numpy() == 1
    school = frame.school.astype("category")
    assert r["schools"] == list(school.cat.categories)
    size = None if zero else weights(frame, case)
    fit = fit_random_logit(design(frame), y, school.cat.codes.to_numpy(dtype=np.intp), size)
    assert fit.converged
    assert fit.singular == r["singular"] == zero
    assert_allclose(fit.beta, digits(r["beta17"]), atol=1e-5)
    assert_allclose(fit.sd, digits(r["sd17"]), atol=1e-5)
    assert_allclose(fit.effects, digits(r["effects17"]), atol=2e-5)
    assert_allclose(fit.log_likelihood, r["logLik"], atol=1e-5)
    assert fit.log_likelihood > r["logLik"] - 1e-9
    used = slice(None) if size is None else size > 0
    assert_allclose(fit.probability[used], digits(r["fitted17"]), atol=1e-5)
    # glmer differentiates numerically.
    assert_allclose(np.sqrt(np.diag(fit.vcov)[:-1]), r["se"], rtol=2e-4)

"""The nested engine, maximised, against lme4: two levels and three.

Held to what the issue asks: coefficients within 1e-5 of a standard error, standard errors within
1e-5, log-likelihoods at least R's less 1e-8 of it, variances within 1e-5 or the higher likelihood.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix
from numpy.testing import assert_allclose

from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.nested import nested_likelihood
from baseeval.numerics.mixed_models.templates import (
    Layout,
    Template,
    diagonal_template,
    full_template,
)

#: A random term: factor, column of the slope or "", correlated with the intercept or not.
Term = tuple[str, str, bool]


def template(slope: str, correlated: bool) -> Template:
    if not slope:
        return full_template(1)
    return full_template(2) if correlated else diagonal_template([0, 1])


def fit_nested(
    formula: str,
    frame: pd.DataFrame,
    terms: list[Term],
    reml: bool,
    weights: str | None = None,
) -> tuple[list[str], MixedFit]:
    """Fit by the kernel; the first term's factor is the outer one."""
    outer = terms[0][0]
    factors = list(dict.fromkeys([outer, *(factor for factor, _, _ in terms)]))
    codes = {factor: pd.factorize(frame[factor])[0] for factor in factors}
    order = np.lexsort([codes[factor] for factor in reversed(factors)])
    outcome, fixed = formula.split(" + (")[0].split("~")
    x = model_matrix(fixed.strip(), frame)
    ones = np.ones(len(frame))
    z = [
        np.column_stack([ones, frame[slope]] if slope else [ones]).astype(float)
        for _, slope, _ in terms
    ]
    whole = Block(
        x.to_numpy(dtype=float),
        frame[outcome.strip()].to_numpy(dtype=float),
        tuple(z),
        tuple(codes[factor] for factor, _, _ in terms),
        None if weights is None else frame[weights].to_numpy(dtype=float),
    )
    layout = Layout(tuple(template(slope, correlated) for _, slope, correlated in terms))
    owners = tuple(int(factor != outer) for factor, _, _ in terms)
    likelihood = nested_likelihood(cut_blocks(whole, order), layout, owners, 0)
    return list(x.columns), fit_likelihood(likelihood, reml=reml)


def check(
    names: list[str], fit: MixedFit, terms: list[Term], r: dict[str, Any], by_r_name: Any
) -> None:
    """Compare a fit with R's, given as fields of common shape."""
    table = pd.DataFrame(
        {"term": names, "estimate": fit.beta, "std_error": np.sqrt(np.diag(fit.vcov))}
    )
    wanted = list(np.atleast_1d(r["coef_names"]))
    beta, se = (by_r_name(table, column, wanted) for column in ("estimate", "std_error"))
    assert fit.converged
    assert fit.loglik >= r["logLik"] - 1e-8 * abs(r["logLik"])
    assert_allclose(fit.loglik, r["logLik"], rtol=1e-8)
    assert np.abs((beta - np.atleast_1d(r["beta"])) / se).max() < 1e-5
    assert_allclose(se, np.atleast_1d(r["se"]), rtol=1e-5)
    for (factor, slope, _), covariance in zip(terms, fit.covariances, strict=True):
        theirs = stored_covariance(r["varcorr"], factor, slope)
        assert_allclose(covariance, theirs, rtol=1e-5, atol=1e-5 * fit.sigma**2)
    residual = next(part["vcov"] for part in r["varcorr"] if part["grp"] == "Residual")
    assert_allclose(fit.sigma**2, residual, rtol=1e-5)


def stored_covariance(parts: list[dict[str, Any]], factor: str, slope: str) -> np.ndarray:
    """Put R's table of variances and covariances in a matrix."""
    columns = ["(Intercept)", slope] if slope else ["(Intercept)"]
    found = np.zeros((len(columns), len(columns)))
    for part in parts:
        if re.sub(r"\.\d+$", "", part["grp"]) == factor:
            row = columns.index(part["var1"])
            column = columns.index(part.get("var2") or part["var1"])
            found[row, column] = found[column, row] = part["vcov"]
    return found


CLASSIC: dict[str, list[Term]] = {
    "sleepstudy": [("Subject", "Days", True)],
    "exam_ri": [("school", "", True)],
    "exam_rs": [("school", "standLRT", True)],
    "hsb_null": [("School", "", True)],
    "hsb_ri": [("School", "", True)],
    "hsb_rs": [("School", "cses", True)],
    "pastes3": [("batch", "", True), ("cask:batch", "", True)],
}
FILES = {"sleepstudy": "sleepstudy", "exam": "Exam", "hsb": "MathAchieve", "pastes3": "Pastes"}


@pytest.mark.parametrize("case", sorted(CLASSIC))
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_classic_models(case: str, reml: bool, reference: Any, by_r_name: Any) -> None:
    kind = case.split("_", maxsplit=1)[0]
    frame = reference(f"{FILES[kind]}.csv")
    if kind == "hsb":
        frame["cses"] = frame.SES - frame.groupby("School").SES.transform("mean")
    if kind == "pastes3":
        frame = frame.rename(columns={"sample": "cask:batch"})
    if kind == "exam":
        levels = {"sex": ["F", "M"], "schgend": ["mixed", "boys", "girls"]}
        frame = frame.assign(
            **{name: pd.Categorical(frame[name], order) for name, order in levels.items()}
        )
    stored = reference("mixed.json")[case]
    tail, method = ("", "reml") if reml else ("_ml", "ml")
    r = {
        "coef_names": stored["coef_names"],
        "beta": stored[f"beta{tail}"],
        "se": stored[f"se{tail}"],
        "logLik": stored[f"logLik_{method}"],
        "varcorr": stored[f"varcorr_{method}"],
    }
    names, fit = fit_nested(stored["formula"], frame, CLASSIC[case], reml)
    check(names, fit, CLASSIC[case], r, by_r_name)


THREE_LEVEL: dict[str, list[Term]] = {
    "intercepts": [("school", "", True), ("pupil", "", True)],
    "growth": [("school", "wave", True), ("pupil", "wave", True)],
    "uncorrelated": [("school", "", True), ("pupil", "wave", False)],
    "slope_between": [("school", "prior", True), ("pupil", "", True)],
    "uneven_times": [("school", "", True), ("pupil", "age", True)],
}


@pytest.mark.parametrize("case", sorted(THREE_LEVEL))
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_three_levels(
    case: str, weighted: bool, method: str, r_values: Any, r_data: Any, by_r_name: Any
) -> None:
    r = r_values("nested_models")[case + ("_weighted" if weighted else "")][method]
    terms = THREE_LEVEL[case]
    names, fit = fit_nested(
        r["formula"],
        r_data("nested_models.csv"),
        terms,
        method == "REML",
        "w" if weighted else None,
    )
    check(names, fit, terms, r, by_r_name)
    assert fit.singular == r["singular"]

"""Second opinions that run everywhere: statsmodels, SciPy, linearmodels, a published example."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from causaldata import nhefs_complete
from linearmodels.panel import PanelOLS
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import ks_2samp

import baseeval
from baseeval.numerics.balance import compare
from baseeval.numerics.cr2 import cr2, weighted_parts
from baseeval.numerics.entropy import balance_entropy
from baseeval.numerics.least_squares import fit_least_squares
from baseeval.numerics.logit import fit_logit


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    n = 120
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 3))])
    y = x @ np.array([1.0, 0.5, -0.2, 0.0]) + rng.normal(size=n) * np.exp(0.3 * x[:, 1])
    return {"x": x, "y": y, "w": np.exp(rng.normal(size=n)), "b": (y > 1).astype(float)}


def test_weighted_least_squares_is_statsmodels(rows: dict[str, np.ndarray]) -> None:
    theirs = sm.WLS(rows["y"], rows["x"], rows["w"]).fit()
    ours = fit_least_squares(rows["x"], rows["y"], rows["w"])
    assert_allclose(ours.beta, theirs.params, rtol=1e-11)  # two decompositions, rounding apart
    assert_allclose(ours.bread, theirs.normalized_cov_params, rtol=1e-10, atol=1e-14)
    assert_allclose(ours.sigma, np.sqrt(theirs.scale), rtol=1e-12)


def test_cr2_of_clusters_of_one_is_hc2(rows: dict[str, np.ndarray]) -> None:
    """With a cluster a row and no weights, CR2 divides each square by 1 - h: HC2."""
    theirs = sm.OLS(rows["y"], rows["x"]).fit(cov_type="HC2")
    ours = fit_least_squares(rows["x"], rows["y"])
    n = len(rows["y"])
    parts = weighted_parts(rows["x"], ours.residuals, np.ones(n), np.arange(n), ours.bread)
    assert_allclose(cr2(parts).vcov, theirs.cov_params(), rtol=1e-9, atol=1e-14)


def test_logit_is_statsmodels(rows: dict[str, np.ndarray]) -> None:
    family = sm.families.Binomial()
    for weights in (None, rows["w"]):
        theirs = sm.GLM(rows["b"], rows["x"], family, freq_weights=weights).fit(tol=1e-14)
        ours = fit_logit(rows["x"], rows["b"] == 1, weights)
        assert_allclose(ours.beta, theirs.params, rtol=1e-8, atol=1e-10)  # their last step is 1e-9
        assert_allclose(np.sqrt(np.diag(ours.vcov)), theirs.bse, rtol=1e-7)
        assert_allclose(ours.probability, theirs.fittedvalues, rtol=1e-7)


def test_a_mean_for_each_school_is_the_within_estimator() -> None:
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(12), rng.integers(4, 15, size=12))
    frame = pd.DataFrame({"school": school, "pupil": np.arange(len(school))})
    frame["x"] = rng.normal(size=len(frame))
    frame["y"] = 0.4 * frame.x + rng.normal(size=12)[school] + rng.normal(size=len(frame))
    ours = baseeval.fit_linear("y ~ x + C(school)", frame, cluster="school").fixed
    panel = frame.set_index(["school", "pupil"])
    theirs = PanelOLS(panel.y, panel[["x"]], entity_effects=True).fit()
    assert_allclose(ours.set_index("term").loc["x", "estimate"], theirs.params["x"], rtol=1e-10)


def test_entropy_balance_is_the_constrained_optimum() -> None:
    """The primal problem, solved without its dual: least Kullback-Leibler distance to uniform."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(12, 2))
    target = np.array([0.2, -0.3])
    found = balance_entropy(x, target)
    constraints = [
        {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(12)},
        {"type": "eq", "fun": lambda w: x.T @ w - target, "jac": lambda w: x.T},
    ]
    primal = minimize(
        lambda w: np.sum(w * np.log(12 * w)),
        np.full(12, 1 / 12),
        jac=lambda w: np.log(12 * w) + 1,
        bounds=[(1e-9, 1)] * 12,
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert_allclose(found.weights / 12, primal.x, atol=1e-6)  # SLSQP stops about there


def test_ks_is_scipys() -> None:
    rng = np.random.default_rng(11)
    x, first = rng.integers(0, 9, size=60).astype(float), rng.random(60) < 0.4
    found = compare(x, first, np.ones(60), 1.0)
    assert_allclose(found.ks, ks_2samp(x[first], x[~first]).statistic, atol=1e-14)


def test_what_if_chapter_12() -> None:
    """Smoking cessation and weight gain: 3.4 kg (Hernan and Robins, What If, section 12.2)."""
    frame = nhefs_complete.load_pandas().data
    names = ["sex", "race", "education", "exercise", "active"]
    frame[names] = frame[names].astype("Int64").astype(str)
    for column in ("age", "smokeintensity", "smokeyrs", "wt71"):
        frame[f"{column}2"] = frame[column].astype(float) ** 2
        names += [column, f"{column}2"]
    made = baseeval.weight(
        frame, treated="qsmk", covariates=names, method="propensity", estimand="ATE"
    )
    fit = baseeval.fit_linear("wt82_71 ~ qsmk", frame, weights=made.weights, cluster="seqn")
    estimate = fit.fixed.loc[1, "estimate"]
    assert round(estimate, 1) == 3.4

    model = "qsmk ~ " + " + ".join(names)
    score = smf.glm(model, frame, family=sm.families.Binomial()).fit(tol=1e-14).fittedvalues
    weights = np.where(frame.qsmk == 1, 1 / score, 1 / (1 - score))
    assert_allclose(made.weights, weights, rtol=1e-6)  # columns of length 1e4 beside dummies
    design = np.column_stack([np.ones(len(frame)), frame.qsmk])
    theirs = sm.WLS(frame.wt82_71.to_numpy(dtype=float), design.astype(float), weights).fit()
    assert_allclose(estimate, theirs.params[1], rtol=1e-7)
    assert_allclose(estimate, 3.4405, atol=1e-3)  # the book's program prints 3.4405
    # A pupil a cluster: their HC2 of a weighted fit has the other working model, so only near.
    assert_allclose(fit.fixed.loc[1, "std_error"], theirs.get_robustcov_results("HC2").bse[1], 2e-3)

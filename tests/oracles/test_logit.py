"""Logistic regression against R's glm, run to its last digit (`largest_score` below 1e-9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from baseeval.numerics.logit import fit_logit

CASES = {"unweighted": None, "weighted": "w", "integer_weights": "k"}


@pytest.mark.parametrize("case", CASES)
def test_logit(case: str, r_values: Any, r_data: Any) -> None:
    """Weights of zero count for nothing, yet their rows have a probability."""
    r, frame = r_values("logit")[case], r_data("logit.csv")
    dummies = [frame.x2 == "yes", frame.x3 == "b", frame.x3 == "c"]
    x = np.column_stack([np.ones(len(frame)), frame.x1, *dummies]).astype(float)
    assert r["coef_names"] == ["(Intercept)", "x1", "x2yes", "x3b", "x3c"]
    weights = None if CASES[case] is None else frame[CASES[case]].to_numpy(dtype=float)
    fit = fit_logit(x, frame.y.to_numpy() == 1, weights)
    assert fit.converged
    assert not fit.separated
    # Newton converges quadratically, so both stop within rounding of the maximum; the covariance
    # is taken one step before R takes it, or one after.
    assert_allclose(fit.beta, [float(b) for b in r["beta17"]], rtol=1e-10, atol=1e-12)
    assert_allclose(fit.probability, [float(p) for p in r["fitted17"]], rtol=1e-10)
    assert_allclose(np.sqrt(np.diag(fit.vcov)), [float(s) for s in r["se17"]], rtol=1e-8)
    assert_allclose(fit.vcov, r["vcov"], rtol=1e-8, atol=1e-12)

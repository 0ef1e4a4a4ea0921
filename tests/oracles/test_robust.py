"""CR2 of least squares against clubSandwich 0.5.8.

These are closed forms: only rounding separates two right answers. R wrote 15 digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval

CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # 15 stored digits, less those that small differences lose
P_VALUE = {"rtol": 1e-8, "atol": 1e-14}


def factors(frame: pd.DataFrame) -> pd.DataFrame:
    levels = {
        "arm": ["host_mainstream", "base", "non_host"],
        "x2": ["no", "yes"],
        "x4": ["a", "b", "only_H3"],
    }
    held = {name: order for name, order in levels.items() if name in frame}
    return frame.assign(**{name: pd.Categorical(frame[name], held[name]) for name in held})


def check(fit: Any, r: dict[str, Any], names: list[str], by_r_name: Any) -> None:
    for column, key in [("std_error", "se"), ("df", "df"), ("statistic", "t")]:
        assert_allclose(by_r_name(fit.fixed, column, names), r[key], **CLOSE)
    assert_allclose(by_r_name(fit.fixed, "p_value", names), r["p"], **P_VALUE)
    scale = np.sqrt(np.outer(np.diag(r["V"]), np.diag(r["V"])))
    assert np.abs((fit.vcov.to_numpy() - r["V"]) / scale).max() < 1e-9


@pytest.mark.parametrize("weights", [None, "w"])
def test_three_arms_lm(weights: str | None, r_values: Any, r_data: Any, by_r_name: Any) -> None:
    """With and without weights; eleven of them are zero, and their rows count for nothing."""
    r = r_values("three_arms")["lm"]["weighted" if weights else "unweighted"]
    frame = factors(r_data("three_arms.csv"))
    fit = baseeval.fit_linear("y ~ arm + x1 + x2", frame, weights=weights, cluster="school")
    assert_allclose(by_r_name(fit.fixed, "estimate", r["coef_names"]), r["beta"], **CLOSE)
    assert_allclose(fit.residual_sd, r["sigma"], **CLOSE)
    check(fit, r["robust"]["CR2"], r["coef_names"], by_r_name)

    again = frame.assign(
        arm=frame.arm.cat.reorder_categories(["non_host", "base", "host_mainstream"])
    )
    fit = baseeval.fit_linear("y ~ arm + x1 + x2", again, weights=weights, cluster="school")
    base = fit.fixed.set_index("term").loc["arm[T.base]"]
    stored = r["base_minus_non_host"]
    assert_allclose(base["estimate"], stored["estimate"], **CLOSE)
    found = base[["std_error", "df", "p_value"]].to_numpy(dtype=float)
    assert_allclose(found, [stored["CR2"][key] for key in ("se", "df", "p")], **P_VALUE)


EDGES = {
    "collinear": "y ~ arm + x1 + x3 + x2",
    "collinear_weighted": "y ~ arm + x1 + x3 + x2",
    "rare_level": "y ~ arm + x1 + x4",
    "rare_level_weighted": "y ~ arm + x1 + x4",
    "school_effects": "y ~ arm + x1 + x2 + school",
}


@pytest.mark.parametrize("case", EDGES)
def test_edges(case: str, r_values: Any, r_data: Any, by_r_name: Any) -> None:
    """A column twice, a level of one school, a school of one pupil, a mean for each school."""
    r = r_values("three_arms")["edges"][case]
    frame = factors(r_data("three_arms_edges.csv"))
    weights = "w" if case.endswith("weighted") else None
    fit = baseeval.fit_linear(EDGES[case], frame, weights=weights, cluster="school")
    assert_allclose(
        by_r_name(fit.fixed, "estimate", r["coef_names"]),
        np.array(r["beta"], dtype=float),
        rtol=1e-9,
        atol=1e-11,
    )
    stored, names = r["robust"]["CR2"], r["robust"]["CR2"]["coef_names"]
    assert by_r_name(fit.fixed, "std_error", r["coef_names"]).size == len(r["aliased"])
    assert fit.fixed["std_error"].isna().sum() == sum(r["aliased"])
    if case != "school_effects":
        check(fit, stored, names, by_r_name)
        return
    # Each school's CR2 matrix is singular and theirs is inverted above an eigenvalue of 1e-12.
    # Where the true variance of a term is zero (a school that is a term) rounding decides
    # the rest of it, in R and here: those terms are known by a variance of nothing.
    errors = np.array(stored["se"])
    real = errors > 1e-6
    assert real[:5].all()
    kept = [name for name, is_real in zip(names, real, strict=True) if is_real]
    for column, key in [("std_error", "se"), ("df", "df"), ("p_value", "p")]:
        assert_allclose(
            by_r_name(fit.fixed, column, kept), np.array(stored[key])[real], rtol=1e-7, atol=1e-10
        )


def test_exam7(reference: Any, by_r_name: Any) -> None:
    """A hundred pupils in seven London schools, treated by school."""
    frame = reference("exam7.csv")
    r = reference("generalised_and_robust.json")["exam7_lm"]
    frame["sex"] = pd.Categorical(frame.sex, ["F", "M"])
    fit = baseeval.fit_linear("normexam ~ treat + standLRT + sex", frame, cluster="school")
    test = r["CR2"]["test"]
    stored = {"se": test["SE"], "df": test["df_Satt"], "t": test["tstat"], "p": test["p_Satt"]}
    assert_allclose(by_r_name(fit.fixed, "estimate", r["names"]), r["beta"], **CLOSE)
    check(fit, stored | {"V": r["CR2"]["V"]}, r["names"], by_r_name)


def test_lalonde_matched(reference: Any, by_r_name: Any) -> None:
    """Matched, then regressed with the pairs as clusters: as many clusters as treated men."""
    frame = reference("lalonde.csv")
    r = reference("generalised_and_robust.json")["lalonde_matched_lm"]
    covariates = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
    design = baseeval.match(frame, treated="treat", covariates=covariates)
    assert design.pairs is not None
    frame["pair"], frame["weight"] = -1, design.weights
    for side in ("first_row", "second_row"):
        frame.loc[design.pairs[side], "pair"] = design.pairs.index
    fit = baseeval.fit_linear(
        "re78 ~ treat + age + educ + race + married + nodegree + re74 + re75",
        frame,
        weights="weight",
        cluster="pair",
    )
    stored = r["CR2"]
    # Dollars beside dummies: the columns' lengths differ by 1e4, which costs those digits.
    assert_allclose(by_r_name(fit.fixed, "estimate", r["names"]), r["beta"], rtol=1e-8)
    for column, key in [("std_error", "SE"), ("df", "df_Satt"), ("p_value", "p_Satt")]:
        assert_allclose(by_r_name(fit.fixed, column, r["names"]), stored[key], rtol=1e-8)

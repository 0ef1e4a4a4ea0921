"""Inference in linear mixed models against pbkrtest, lmerTest, lme4, blme, clubSandwich, emmeans.

Two optimisers agree on theta to about 1e-6 (see `test_mixed.py`), and so does what is smooth in it.
lme4 interpolates its profiles: their ends hold three to four digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2

from baseeval.errors import UsageError
from baseeval.numerics.cr2 import cr2
from baseeval.numerics.cr2_mixed import nested_mixed_parts
from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.boundary_penalty import boundary_penalty
from baseeval.numerics.mixed_models.crossed import crossed_likelihood
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_at, fit_likelihood
from baseeval.numerics.mixed_models.kenward_roger import kenward_roger
from baseeval.numerics.mixed_models.likelihood import Likelihood
from baseeval.numerics.mixed_models.likelihood_ratio import (
    fixed_effects_ratio,
    ratio_test,
    variance_ratio,
)
from baseeval.numerics.mixed_models.mixed_contrasts import (
    Denominator,
    grid_weights,
    marginal_contrasts,
    mixed_contrasts,
    pairwise_contrasts,
)
from baseeval.numerics.mixed_models.nested import nested_likelihood
from baseeval.numerics.mixed_models.profile_intervals import ProfileIntervals, profile_intervals
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df, satterthwaite_test
from baseeval.numerics.mixed_models.templates import Layout, diagonal_template, full_template

KR_DF = {"rtol": 1e-6, "atol": 0}
DF = {"rtol": 1e-5, "atol": 0}  # lmerTest takes the Hessian by numerical differences
SE = {"rtol": 1e-6, "atol": 0}
DIAGONAL = diagonal_template([0, 1])


def codes(column: pd.Series) -> np.ndarray:
    return pd.factorize(column)[0]


def columns(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Build the columns that R calls by these names, dummies and products written out."""
    made = []
    for name in names:
        value = np.ones(len(frame))
        for part in name.split(":") if name != "(Intercept)" else []:
            if part in frame:
                value = value * frame[part].to_numpy(dtype=float)
            else:
                base = max((c for c in frame if part.startswith(c)), key=len)
                value = value * (frame[base].astype(str) == part[len(base) :])
        made.append(np.asarray(value, dtype=float))
    return np.column_stack(made)


def nested(rows: Block, layout: Layout, owners: tuple[int, ...]) -> Likelihood:
    outer = rows.groups[owners.index(0)]
    inner = rows.groups[owners.index(1)] if 1 in owners else outer
    return nested_likelihood(cut_blocks(rows, np.lexsort((inner, outer))), layout, owners, 0)


# ---- classic data -------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def classic(reference: Callable[[str], Any]) -> Callable[[str], tuple[MixedFit, dict[str, Any]]]:
    stored = reference("mixed.json")
    files = {"sleepstudy": "sleepstudy", "pastes3": "Pastes", "penicillin": "Penicillin"}

    def fit(case: str) -> tuple[MixedFit, dict[str, Any]]:
        r = stored[case]
        if case == "hsb_rs":
            r = r | {"kr": stored["hsb_rs_kr"]}
        kind = case.split("_", maxsplit=1)[0]
        frame = reference(
            {"exam": "Exam", "hsb": "MathAchieve"}.get(kind, files.get(case)) + ".csv"
        )
        if kind == "hsb":
            frame["cses"] = frame.SES - frame.groupby("School").SES.transform("mean")
        y = frame[r["formula"].split(" ~")[0]].to_numpy(dtype=float)
        x, one = columns(frame, list(np.atleast_1d(r["coef_names"]))), np.ones((len(y), 1))
        one_each = Layout((full_template(1), full_template(1)))
        if case == "pastes3":
            cask = codes(frame.batch.astype(str) + frame.cask.astype(str))
            rows = Block(x, y, (one, one), (cask, codes(frame.batch)))
            return fit_likelihood(nested(rows, one_each, (1, 0))), r
        if case == "penicillin":
            rows = Block(x, y, (one, one), (codes(frame.plate), codes(frame["sample"])))
            return fit_likelihood(crossed_likelihood(rows, one_each, 0)), r
        slope = {"sleepstudy": "Days", "exam_rs": "standLRT", "hsb_rs": "cses"}.get(case)
        z = one if slope is None else np.column_stack([one, frame[slope]])
        rows = Block(x, y, (z,), (codes(frame[next(iter(r["groups"]))]),))
        return fit_likelihood(nested(rows, Layout((full_template(z.shape[1]),)), (0,))), r

    return fit


CLASSIC = ["sleepstudy", "pastes3", "penicillin", "exam_ri", "exam_rs", "hsb_ri", "hsb_rs"]


@pytest.mark.parametrize("case", CLASSIC)
def test_classic_inference(case: str, classic: Any) -> None:
    fit, r = classic(case)
    unit = np.eye(len(fit.beta))
    adjusted = kenward_roger(fit)
    assert_allclose(np.sqrt(np.diag(adjusted.vcov)), r["kr"]["se"], **SE)
    assert_allclose([adjusted.df(row) for row in unit], r["kr"]["df"], **KR_DF)
    if "vcovAdj" in r["kr"]:
        size = np.sqrt(np.outer(np.diag(adjusted.vcov), np.diag(adjusted.vcov)))
        assert_allclose(adjusted.vcov / size, np.array(r["kr"]["vcovAdj"]) / size, atol=1e-6)
    found = satterthwaite_df(fit, unit)
    assert_allclose(found, np.atleast_1d(r["satterthwaite"]["df"]), **DF)


# ---- generated data: singular fits, crossed and nested factors ----------------------------------
FORMS = {
    "classes": ("y", (("class", "1", full_template(1)), ("school", "1", full_template(1)))),
    "slope": ("y", (("school", "x", full_template(2)),)),
    "uncorrelated": ("y", (("school", "x", DIAGONAL),)),
    "slope_and_classes": (
        "y",
        (("school", "x", full_template(2)), ("class", "1", full_template(1))),
    ),
    "singular": ("y_zero", (("school", "1", full_template(1)),)),
    "singular_slope": ("y_zero", (("school", "x", full_template(2)),)),
    "singular_uncorrelated": ("y_zero", (("school", "x", DIAGONAL),)),
    "singular_classes": (
        "y_zero",
        (("class", "1", full_template(1)), ("school", "1", full_template(1))),
    ),
    "crossed": ("y_cross", (("school", "1", full_template(1)), ("primary", "1", full_template(1)))),
    "singular_crossed": (
        "y_zero",
        (("school", "1", full_template(1)), ("primary", "1", full_template(1))),
    ),
}
NAMES = ["(Intercept)", "armbase", "armother", "x", "sexM"]


@pytest.fixture(scope="session")
def stored(r_values: Any) -> dict[str, Any]:
    return r_values("mixed_inference")


@pytest.fixture(scope="session")
def frame(r_data: Any) -> pd.DataFrame:
    return r_data("mixed_inference.csv")


def rows_of(case: str, frame: pd.DataFrame, names: list[str] = NAMES) -> tuple[Block, Layout]:
    outcome, terms = FORMS[case]
    one = np.ones((len(frame), 1))
    z = tuple(one if of == "1" else np.column_stack([one, frame.x]) for _, of, _ in terms)
    groups = tuple(codes(frame[group]) for group, _, _ in terms)
    layout = Layout(tuple(template for *_, template in terms))
    return Block(columns(frame, names), frame[outcome].to_numpy(), z, groups), layout


def likelihood_of(case: str, frame: pd.DataFrame, names: list[str] = NAMES) -> Likelihood:
    rows, layout = rows_of(case, frame, names)
    if "crossed" in case:
        return crossed_likelihood(rows, layout, 0)
    owners = tuple(int(group == "class") for group, _, _ in FORMS[case][1])
    return nested(rows, layout, owners)


@pytest.mark.parametrize("case", FORMS)
def test_inference_where_it_is_hard(case: str, frame: pd.DataFrame, stored: Any) -> None:
    r = stored["fits"][case]
    fit, unit = fit_likelihood(likelihood_of(case, frame)), np.eye(5)
    assert fit.singular == r["singular"]
    assert_allclose(fit.loglik, r["logLik"], rtol=0, atol=1e-8)
    adjusted, kr = kenward_roger(fit), r["kenward_roger"]
    assert_allclose(np.sqrt(np.diag(adjusted.vcov)), kr["se"], **SE)
    assert_allclose([adjusted.df(row) for row in unit], kr["df"], **KR_DF)
    joint, expected = adjusted.test(np.array(r["arm_test"]["L"])), r["arm_test"]["kr"]
    assert joint.df_num == expected["df_num"]
    assert_allclose(
        [joint.statistic, joint.scaling, joint.df, joint.p_value],
        [expected[key] for key in ("F", "scaling", "df", "p")],
        rtol=1e-6,
    )
    found = satterthwaite_df(fit, unit)
    f_test = satterthwaite_test(fit, np.array(r["arm_test"]["L"]))
    if fit.singular:
        assert np.isnan(found).all()
        assert np.isnan([f_test.df, f_test.p_value]).all()
    else:
        assert_allclose(found, r["satterthwaite"]["df"], **DF)
        expected = r["arm_test"]["satterthwaite"]
        assert_allclose(
            [f_test.statistic, f_test.df, f_test.p_value],
            [expected[key] for key in ("F", "df", "p")],
            rtol=1e-5,
        )


def test_kenward_roger_needs_reml(frame: pd.DataFrame) -> None:
    fit = fit_likelihood(likelihood_of("singular", frame), reml=False)
    with pytest.raises(UsageError, match="maximum likelihood"):
        kenward_roger(fit)


@pytest.mark.parametrize("case", ["intercept", "slope"])
def test_kenward_roger_with_precision_weights(case: str, r_values: Any, r_data: Any) -> None:
    r, frame = r_values("weighted_lmm")[f"{case}_weighted"]["REML"], r_data("weighted_lmm.csv")
    x = np.column_stack([np.ones(len(frame)), frame.x, frame.z])
    q = 1 if case == "intercept" else 2
    rows = Block(x, frame.y.to_numpy(), (x[:, :q],), (codes(frame.g),), frame.w.to_numpy())
    adjusted = kenward_roger(fit_likelihood(nested(rows, Layout((full_template(q),)), (0,))))
    key = next(name for name in r if name.startswith("kenward_roger"))
    assert_allclose(np.sqrt(np.diag(adjusted.vcov)), r[key]["se"], **SE)
    assert_allclose([adjusted.df(row) for row in np.eye(3)], r[key]["df"], **KR_DF)


# ---- profile intervals --------------------------------------------------------------------------
def by_r_order(found: ProfileIntervals, names: list[str], terms: list[str]) -> np.ndarray:
    """Take ends in the order of confint's names; a name's tail says which group it belongs to."""
    coefficients = iter(found.beta)
    ends = []
    for name in names:
        kind, _, group = name.partition("|")
        if name == "sigma":
            ends.append(found.sigma)
        elif kind.startswith(("sd_", "cor_")):
            effects = found.effects[terms.index(group.split(":")[0])]
            row = 0 if kind == "sd_(Intercept)" else 1
            ends.append(effects[row, 0 if kind.startswith("cor_") else row])
        else:
            ends.append(next(coefficients))
    return np.array(ends)


@pytest.mark.parametrize("case", ["classes", "uncorrelated", "crossed", "singular", "sleepstudy"])
def test_profile_intervals(case: str, frame: pd.DataFrame, stored: Any, classic: Any) -> None:
    r = stored["profile"][case]
    if case == "sleepstudy":
        fit, terms = classic(case)[0], ["Subject"]
    else:
        fit = fit_likelihood(likelihood_of(case, frame))
        terms = [group for group, _, _ in FORMS[case][1]]
    found = by_r_order(profile_intervals(fit), r["names"], terms)
    expected = np.column_stack([r["low"], r["high"]])
    width = expected[:, 1:] - expected[:, :1]
    assert_allclose(found / width, expected / width, rtol=0, atol=2e-3)


# ---- likelihood ratios --------------------------------------------------------------------------
def test_ratios(frame: pd.DataFrame, stored: Any) -> None:
    r = stored["ratios"]["arm"]
    one = np.ones((len(frame), 1))

    def fit(names: list[str], slope: bool, reml: bool) -> MixedFit:
        z = np.column_stack([one, frame.x]) if slope else one
        rows = Block(columns(frame, names), frame.y.to_numpy(), (z,), (codes(frame.school),))
        return fit_likelihood(nested(rows, Layout((full_template(z.shape[1]),)), (0,)), reml)

    short = ["(Intercept)", "x", "sexM"]
    small, large = fit(short, False, False), fit(NAMES, False, False)
    test = fixed_effects_ratio(small, large)
    assert_allclose([test.statistic, test.p_value], [r["statistic"], r["p"]], rtol=1e-6)
    assert test.df == (2,)

    r = stored["ratios"]["slope"]
    intercept, slope = fit(NAMES, False, True), fit(NAMES, True, True)
    test = variance_ratio(intercept, slope)
    assert_allclose(test.statistic, r["statistic"], rtol=1e-6)
    mixed = (chi2.sf(r["statistic"], 1) + chi2.sf(r["statistic"], 2)) / 2
    assert_allclose(test.p_value, mixed, rtol=1e-6)
    with pytest.raises(UsageError, match="REML"):
        fixed_effects_ratio(intercept, large)
    with pytest.raises(UsageError, match="smaller model first"):
        fixed_effects_ratio(large, small)
    with pytest.raises(UsageError, match="same fixed part"):
        variance_ratio(small, large)


def test_mixture_critical_values() -> None:
    """Stram and Lee (1994), their table of 5% points: 2.71 for one variance, 5.14 for a slope."""
    assert_allclose(ratio_test(2.706, (0, 1), (0.5, 0.5)).p_value, 0.05, atol=1e-4)
    assert_allclose(ratio_test(5.139, (1, 2), (0.5, 0.5)).p_value, 0.05, atol=1e-4)
    assert ratio_test(0.0, (0, 1), (0.5, 0.5)).p_value == 1
    assert ratio_test(-1e-9, (0, 1), (0.5, 0.5)).p_value == 1


# ---- penalties ----------------------------------------------------------------------------------
PENALTIES = {
    "default": ("singular", 1.5),
    "default_slope": ("singular_slope", 1.5),
    "gamma": ("singular", 1.0),
    "gamma_classes": ("singular_classes", 1.0),
    "wishart_slope": ("singular_slope", 1.0),
}


@pytest.mark.parametrize("case", PENALTIES)
def test_penalties(case: str, frame: pd.DataFrame, stored: Any) -> None:
    form, power = PENALTIES[case]
    r, likelihood = stored["penalty"][case], likelihood_of(form, frame)
    penalty = boundary_penalty(likelihood.layout, power)
    fit = fit_likelihood(likelihood, penalty=penalty)
    assert fit.converged
    assert not fit.singular
    theirs = fit_at(likelihood, np.array(r["theta"]))
    criteria = [one.loglik - penalty(one.theta)[0] / 2 for one in (fit, theirs)]
    assert criteria[0] >= criteria[1]
    assert_allclose(*criteria, rtol=0, atol=1e-8)
    assert_allclose(fit.theta, r["theta"], rtol=0, atol=2e-5)
    assert_allclose(fit.sigma, r["sigma"], rtol=1e-6)
    assert_allclose(np.sqrt(np.diag(fit.vcov)), r["se"], rtol=1e-4)


# ---- CR2 above nested groups --------------------------------------------------------------------
@pytest.mark.parametrize("case", ["classes", "slope_and_classes", "singular_classes"])
def test_robust_above_classes(case: str, frame: pd.DataFrame, stored: Any) -> None:
    rows, layout = rows_of(case, frame)
    fit = fit_likelihood(likelihood_of(case, frame))
    parts = nested_mixed_parts(
        rows.x,
        rows.z,
        rows.groups,
        layout.covariances(fit.theta),
        rows.y - rows.x @ fit.beta,
        codes(frame.school),
    )
    robust, r = cr2(parts), stored["robust"][case]["CR2"]
    assert_allclose(np.sqrt(np.diag(robust.vcov)), r["se"], rtol=1e-6)
    assert_allclose([robust.df(row) for row in np.eye(5)], r["df"], rtol=1e-6)
    with pytest.raises(ValueError, match="two clusters"):
        nested_mixed_parts(
            rows.x, rows.z, rows.groups, layout.covariances(fit.theta), rows.y, codes(frame.primary)
        )


# ---- marginal means -----------------------------------------------------------------------------
@pytest.mark.parametrize("weights", ["equal", "proportional", "cells"])
@pytest.mark.parametrize("df", ["kenward_roger", "satterthwaite"])
def test_marginal_means(weights: str, df: Denominator, frame: pd.DataFrame, stored: Any) -> None:
    means = stored["means"]
    rows = Block(
        columns(frame, means["coef_names"]),
        frame.y.to_numpy(),
        (np.ones((len(frame), 1)),),
        (codes(frame.school),),
    )
    fit = fit_likelihood(nested(rows, Layout((full_template(1),)), (0,)))
    arms = [["host", "base", "other"].index(name) for name in means["grid_arm"]]
    sexes = [["F", "M"].index(name) for name in means["grid_sex"]]
    counted = frame.groupby(["arm", "sex"]).size()
    points = zip(means["grid_arm"], means["grid_sex"], strict=True)
    counts = np.array([float(counted.get(point, 0)) for point in points])
    held = {
        "equal": None,
        "proportional": grid_weights(counts, np.array(sexes)),
        "cells": counts,
    }[weights]
    lines = marginal_contrasts(np.array(means["grid"]), np.array(arms), held)
    r = means[weights][df.replace("_", "-")]
    assert_allclose(lines, r["L"], atol=1e-12)
    differences, pairs = pairwise_contrasts(lines)
    named = [f"{means_name(later)} - {means_name(earlier)}" for later, earlier in pairs]
    assert named == r["pairs"]["contrast"]
    pairs_of = {"estimate": "estimate", "std_error": "se", "df": "df", "p_value": "p"}
    compared = [
        (
            lines,
            r,
            {"estimate": "mean", "std_error": "se", "df": "df", "low": "low", "high": "high"},
        ),
        (differences, r["pairs"], pairs_of | {"statistic": "t"}),
    ]
    for contrasts, expected, keys in compared:
        table = mixed_contrasts(fit, contrasts, df)
        for ours, theirs in keys.items():
            assert_allclose(getattr(table, ours), expected[theirs], rtol=1e-5, atol=1e-9)


def means_name(arm: int) -> str:
    return ["host", "base", "other"][arm]


def test_a_level_without_rows_has_no_mean() -> None:
    with pytest.raises(UsageError, match="no weight in the grid"):
        marginal_contrasts(np.eye(2), np.array([0, 1]), np.array([1.0, 0.0]))

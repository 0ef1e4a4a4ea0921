"""Weighted multilevel models against R: lme4 on copied rows, definitions, survey, geepack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from baseeval.numerics.cr2 import cr2
from baseeval.numerics.mixed_models.templates import full_template
from baseeval.numerics.weighted_models.estimating_equations import fit_weighted_equations
from baseeval.numerics.weighted_models.level_rows import Inner
from baseeval.numerics.weighted_models.weighted_fit import WeightedFit, fit_weighted_mixed

Values = Callable[[str], dict[str, Any]]
Data = Callable[[str], pd.DataFrame]


def columns(frame: pd.DataFrame, *names: str) -> np.ndarray:
    return np.column_stack([np.ones(len(frame)), *(frame[name] for name in names)]).astype(float)


def numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(dtype=float)


def fit_pupils(
    frame: pd.DataFrame, slope: bool, weights: tuple[str, str], scaling: str
) -> WeightedFit:
    one = np.ones(len(frame))
    z = columns(frame, "x") if slope else one[:, None]
    given = [numbers(frame, name) if name else one for name in weights]
    y, school = numbers(frame, "y"), frame["school"].to_numpy()
    template = full_template(z.shape[1])
    return fit_weighted_mixed(
        columns(frame, "x", "arm"), y, z, school, template, *given, scaling=scaling
    )


def fit_waves(frame: pd.DataFrame, weights: tuple[str, str]) -> WeightedFit:
    one = np.ones(len(frame))
    given = [numbers(frame, name) if name else one for name in weights]
    return fit_weighted_mixed(
        columns(frame, "x", "wave"),
        numbers(frame, "y"),
        one[:, None],
        frame["school"].to_numpy(),
        full_template(1),
        *given,
        scaling="none",
        inner=Inner(one[:, None], frame["pupil"].to_numpy(), full_template(1)),
    )


def check_ml(fit: WeightedFit, theirs: dict[str, Any], theta: np.ndarray) -> None:
    assert fit.loglik >= theirs["logLik"] - 1e-9 * abs(theirs["logLik"])
    assert fit.loglik == pytest.approx(theirs["logLik"], rel=1e-9)
    assert fit.beta == pytest.approx(theirs["beta"], rel=1e-6)
    assert theta == pytest.approx(theirs["theta"], rel=1e-5, abs=1e-5)
    assert fit.sigma == pytest.approx(theirs["sigma"], rel=1e-6)


@pytest.mark.parametrize("copies", [False, True], ids=["equal", "copied"])
@pytest.mark.parametrize("slope", [False, True], ids=["intercept", "slope"])
def test_whole_weights_are_copies_of_pupils_and_schools(
    r_values: Values, r_data: Data, slope: bool, copies: bool
) -> None:
    """Weights of one are lme4's maximum likelihood; whole weights its fit to the copied rows."""
    weights = ("copies", "school_copies") if copies else ("", "")
    fit = fit_pupils(r_data("weighted_models.csv"), slope, weights, "none")
    name = f"{'copied' if copies else 'equal'}_{'slope' if slope else 'intercept'}"
    check_ml(fit, r_values("weighted_models")["lme4"][name], fit.theta)


@pytest.mark.parametrize("copies", [False, True], ids=["equal", "copied"])
def test_whole_weights_are_copies_where_pupils_have_waves(
    r_values: Values, r_data: Data, copies: bool
) -> None:
    weights = ("copies", "school_copies") if copies else ("", "")
    fit = fit_waves(r_data("weighted_models_waves.csv"), weights)
    theirs = r_values("weighted_models")["lme4"]["copied_waves" if copies else "equal_waves"]
    # lme4 puts the factor with more levels, the pupil, first.
    check_ml(fit, theirs, fit.theta[::-1])


@pytest.mark.parametrize("scaling", ["size", "effective", "none"])
@pytest.mark.parametrize("slope", [False, True], ids=["intercept", "slope"])
def test_any_weights_follow_the_definition(
    r_values: Values, r_data: Data, slope: bool, scaling: str
) -> None:
    """R maximises the definition on whole matrices and differentiates it numerically."""
    fit = fit_pupils(r_data("weighted_models.csv"), slope, ("w", "sw"), scaling)
    name = f"{'slope' if slope else 'intercept'}_{scaling}"
    theirs = r_values("weighted_models")["pseudo"][name]
    check_ml(fit, theirs, fit.theta * np.sign(fit.theta[0]))
    ours = np.sqrt(np.diag(fit.scores.sandwich("CR0")))
    assert ours == pytest.approx(theirs["se"], rel=1e-5)


@pytest.mark.parametrize("link", ["identity", "logit", "log", "sessions"])
def test_estimating_equations_as_svyglm(r_values: Values, r_data: Data, link: str) -> None:
    frame = r_data("weighted_models.csv")
    y, trials = numbers(frame, "y" if link == "identity" else "yes"), None
    if link == "sessions":
        trials = numbers(frame, "possible")
        y, link_name = numbers(frame, "attended") / trials, "logit"
    else:
        link_name = link
    fit = fit_weighted_equations(
        columns(frame, "x", "arm"),
        y,
        frame["school"].to_numpy(),
        numbers(frame, "w"),
        numbers(frame, "sw"),
        link=link_name,
        trials=trials,
    )
    theirs = r_values("weighted_models")["survey"][link]
    assert fit.beta == pytest.approx(theirs["beta"], rel=1e-9)
    assert np.sqrt(np.diag(fit.vcov)) == pytest.approx(theirs["se"], rel=1e-9)


@pytest.mark.parametrize("link", ["identity", "logit"])
def test_correlated_equations_as_geepack(r_values: Values, r_data: Data, link: str) -> None:
    """Weights of schools, whose meaning all software shares; the correlation is geepack's."""
    frame = r_data("weighted_models.csv")
    theirs = r_values("weighted_models")["geepack"][link]
    fit = fit_weighted_equations(
        columns(frame, "x", "arm"),
        numbers(frame, "y" if link == "identity" else "yes"),
        frame["school"].to_numpy(),
        np.ones(len(frame)),
        numbers(frame, "sw"),
        link=link,
        correlation=theirs["alpha"],
    )
    assert fit.beta == pytest.approx(theirs["beta"], rel=1e-6)
    ours = np.sqrt(np.diag(fit.scores.sandwich("CR0")))
    assert ours == pytest.approx(theirs["se"], rel=1e-6)


def test_cr0_to_cr3_of_a_weighted_mean_as_clubsandwich(r_values: Values, r_data: Data) -> None:
    frame = r_data("weighted_models.csv")
    theirs = r_values("weighted_models")["clubSandwich"]
    fit = fit_weighted_equations(
        columns(frame, "x", "arm"),
        numbers(frame, "y"),
        frame["school"].to_numpy(),
        numbers(frame, "w"),
        numbers(frame, "sw"),
    )
    for kind in ("CR0", "CR1"):
        ours = np.sqrt(np.diag(fit.scores.sandwich(kind)))
        assert ours == pytest.approx(theirs["lm"][kind]["se"], rel=1e-9)
    robust = cr2(fit.robust_parts())
    assert np.sqrt(np.diag(robust.vcov)) == pytest.approx(theirs["lm"]["CR2"]["se"], rel=1e-9)
    df = [robust.df(own) for own in np.eye(3)]
    assert df == pytest.approx(theirs["lm"]["CR2"]["df"], rel=1e-9)
    schools = frame["school"].nunique()
    # clubSandwich's CR3 is the jackknife without its factor (G - 1) / G.
    ours = np.sqrt(np.diag(fit.scores.jackknife()) * schools / (schools - 1))
    assert ours == pytest.approx(theirs["CR3"], rel=1e-9)

"""Reliability against psych, and the ladder of invariance against lavaan.

lavaan stops where its gradient is about 1e-6 (`nlminb` reports false convergence when asked for
more), so its parameters are good to about 1e-5 of a standard error times a few; its chi-square,
flat at the optimum, to 1e-8 relative. CFI and RMSEA are smooth functions of chi-squares. psych's
alpha is arithmetic; its one-factor ML stops at 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from baseeval.measures.agreement import check_reliability
from baseeval.measures.comparability import check_invariance
from baseeval.numerics.factor_model import MATRICES, Moments
from baseeval.numerics.invariance import Step, climb
from baseeval.numerics.reliability import cronbach_alpha, item_statistics
from baseeval.numerics.reliability_omega import mcdonald_omega

CHI2 = {"rtol": 1e-7, "atol": 1e-9}
INDEX = {"rtol": 0, "atol": 1e-6}
PARAMETER = {"rtol": 1e-4, "atol": 1e-5}
EXACT = {"rtol": 1e-10, "atol": 0}
MEASURES = {
    "p_value": "pvalue",
    "cfi": "cfi",
    "tli": "tli",
    "rmsea": "rmsea",
    "rmsea_low": "rmsea.ci.lower",
    "rmsea_high": "rmsea.ci.upper",
    "srmr": "srmr",
}
THREE = np.kron(np.eye(3), np.ones((3, 1))).astype(bool)
FACTORS = ("visual", "textual", "speed")

Ladder = tuple[Step, ...]


@pytest.fixture(scope="module")
def r(r_values: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return r_values("psychometrics")


def moments(stored: dict[str, Any]) -> Moments:
    return Moments(stored["n"], np.array(stored["mean"]), np.array(stored["covariance"]))


def rows_with(data: Moments) -> np.ndarray:
    """Make rows of exactly these moments: all that alpha, omega and their classic errors need."""
    raw = np.random.default_rng(1).normal(size=(data.n, len(data.mean)))
    white, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return data.mean + np.sqrt(data.n) * white @ np.linalg.cholesky(data.covariance).T


def check_measures(step: Step, stored: dict[str, Any]) -> None:
    theirs = stored["measures"]
    assert stored["converged"]
    assert step.fit.converged
    assert step.indices.df == theirs["df"]
    assert step.fit.model.size == theirs["npar"]
    assert_allclose(step.indices.chi2, theirs["chisq"], **CHI2)
    if step.indices.df:
        for ours, name in MEASURES.items():
            assert_allclose(getattr(step.indices, ours), theirs[name], **INDEX, err_msg=name)


def check_parameters(
    step: Step, stored: dict[str, Any], items: list[str], factors: tuple[str, ...]
) -> None:
    """Compare every entry and its error with lavaan's of the same name."""
    model, errors = step.fit.model, step.fit.standard_errors
    values = model.entries(step.fit.parameters)
    ours = {}
    for e, kind in enumerate(np.array(MATRICES)[model.matrix]):
        row, column = model.row[e], model.column[e]
        ours[model.group[e] + 1, *lavaan_names(kind, row, column, items, factors)] = e
    p = stored["parameters"]
    seen = 0
    for lhs, op, rhs, group, estimate, error in zip(*p.values(), strict=True):
        if (group, lhs, op, rhs) not in ours:
            assert (estimate, error) == (0, 0), (lhs, op, rhs)  # latent means fixed at zero
            continue
        e = ours[group, lhs, op, rhs]
        assert_allclose(values[e], estimate, **PARAMETER, err_msg=f"{lhs} {op} {rhs}")
        if model.parameter[e] >= 0:
            assert_allclose(errors[e], error, **PARAMETER, err_msg=f"error of {lhs} {op} {rhs}")
        seen += 1
    assert seen == len(ours)


def lavaan_names(
    kind: str, row: int, column: int, items: list[str], factors: tuple[str, ...]
) -> tuple[str, str, str]:
    if kind == "loading":
        return factors[column], "=~", items[row]
    if kind == "intercept":
        return items[row], "~1", ""
    if kind == "factor_mean":
        return factors[row], "~1", ""
    names = items if kind == "residual_covariance" else factors
    return names[min(row, column)], "~~", names[max(row, column)]


def check_differences(steps: Ladder, stored: dict[str, Any]) -> None:
    for step, chi2, df, p in zip(
        steps[1:], stored["chisq"], stored["df"], stored["p"], strict=True
    ):
        assert_allclose(step.d_chi2, chi2, rtol=1e-6, atol=1e-6)
        assert step.d_df == df
        assert_allclose(step.d_p_value, p, rtol=1e-5)


# ---- Holzinger and Swineford --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stored", "identification"), [("marker", "marker"), ("standardised", "variance")]
)
def test_holzinger_swineford(r: dict[str, Any], stored: str, identification: str) -> None:
    data = [moments(own) for own in r["holzinger"]["moments"]]
    steps = climb(data, THREE, identification=identification)
    theirs = r["holzinger"][stored]
    for step in steps:
        check_measures(step, theirs[step.name])
        check_parameters(step, theirs[step.name], r["holzinger"]["items"], FACTORS)
    check_differences(steps, theirs["difference"])
    assert [step.verdict for step in steps] == ["holds", "holds", "fails"]


def test_three_items_leave_the_first_step_nothing_to_test(r: dict[str, Any]) -> None:
    data = [moments(own) for own in r["holzinger"]["moments"]]
    speed = [Moments(own.n, own.mean[6:], own.covariance[6:, 6:]) for own in data]
    steps = climb(speed, np.ones((3, 1), dtype=bool), identification="marker")
    for step in steps:
        check_measures(step, r["holzinger"]["one_factor_speed"][step.name])
    assert [step.verdict for step in steps] == ["not assessable", "holds", "fails"]


def test_the_layer_gives_what_the_kernel_gives(r: dict[str, Any]) -> None:
    items = r["holzinger"]["items"]
    frames = [
        pd.DataFrame(rows_with(moments(own)), columns=items).assign(school=name)
        for own, name in zip(r["holzinger"]["moments"], r["holzinger"]["groups"], strict=True)
    ]
    found = check_invariance(
        pd.concat(frames),
        items,
        group="school",
        factors=dict(zip(FACTORS, (items[:3], items[3:6], items[6:]), strict=True)),
        reference="Pasteur",
        identification="marker",
    )
    theirs = r["holzinger"]["marker"]
    steps = ("configural", "metric", "scalar")
    assert_allclose(found.steps["chi2"], [theirs[s]["measures"]["chisq"] for s in steps], **CHI2)
    assert found.verdict == "metric"
    means = found.parameters.query("step == 'scalar' and kind == 'factor_mean'")
    p = pd.DataFrame(theirs["scalar"]["parameters"]).query("op == '~1' and group == 2")
    stored = p[p.lhs.isin(FACTORS)].set_index("lhs").est
    assert means["group"].tolist() == ["Grant-White"] * 3
    assert_allclose(means["estimate"], stored[means["item"]], **PARAMETER)


# ---- waves --------------------------------------------------------------------------------------
def test_waves(r: dict[str, Any]) -> None:
    data = [moments(own) for own in r["waves"]["moments"]]
    steps = climb(data, np.ones((4, 1), dtype=bool), waves=3)
    items = [f"i{item}_{wave}" for wave in (1, 2, 3) for item in (1, 2, 3, 4)]
    for step in steps:
        check_measures(step, r["waves"][step.name])
        check_parameters(step, r["waves"][step.name], items, ("f1", "f2", "f3"))
    assert [step.verdict for step in steps] == ["holds", "holds", "fails"]


# ---- reliability --------------------------------------------------------------------------------
def check_reliability_values(rows: np.ndarray, theirs: dict[str, Any]) -> None:
    alpha = cronbach_alpha(rows, interval="normal")
    assert alpha.n == theirs["moments"]["n"]
    assert_allclose(alpha.estimate, theirs["alpha"], **EXACT)
    assert_allclose(alpha.std_error, theirs["ase"], **EXACT)
    feldt = cronbach_alpha(rows, interval="feldt")
    assert_allclose([feldt.low, feldt.high], theirs["feldt"], **EXACT)
    items = item_statistics(rows[~np.isnan(rows).any(axis=1)])
    assert_allclose(items.item_rest, theirs["r_drop"], **EXACT)
    assert_allclose(items.mean, theirs["item_mean"], **EXACT)
    assert_allclose(items.sd, theirs["item_sd"], **EXACT)
    omega = mcdonald_omega(rows)
    assert_allclose(omega.sum_score.estimate, theirs["omega_lavaan"], atol=1e-5)
    assert_allclose(omega.standardised.estimate, theirs["omega_psych_ml"], atol=1e-4)
    assert_allclose(omega.loading, theirs["lambda"], atol=1e-4)
    assert_allclose(omega.residual_variance, theirs["theta"], atol=1e-4)


def test_reliability_of_nine_tests(r: dict[str, Any]) -> None:
    check_reliability_values(rows_with(moments(r["nine_tests"]["moments"])), r["nine_tests"])


@pytest.fixture(scope="module")
def star(shared: Any, r: dict[str, Any]) -> pd.DataFrame:
    """STAR's nine belonging items in grade 8, higher = more, with the arm drawn at entry."""
    path = shared / "data" / "star" / "students.csv.gz"
    pupils = pd.read_csv(path, usecols=["gkclasstype", *r["star"]["items"]], dtype=str)
    pupils = pupils[pupils["gkclasstype"].notna()]
    codes = {"STRONGLY DISAGREE": 1, "DISAGREE": 2, "AGREE": 3, "STRONGLY AGREE": 4}
    frame = pupils[r["star"]["items"]].apply(lambda column: column.str.upper().map(codes))
    small = pupils["gkclasstype"].str.contains("SMALL")
    return frame.assign(arm=np.where(small, "small", "other"))


REVERSE = ["g8idattn", "g8idcare", "g8idplac"]


def test_star_reliability(star: pd.DataFrame, r: dict[str, Any]) -> None:
    items = r["star"]["items"]
    rows = star[items].to_numpy(dtype=float)
    turned = np.where(np.isin(items, REVERSE), 5 - rows, rows)
    check_reliability_values(turned, r["star"]["all"])
    found = check_reliability(
        star, items, group="arm", reverse=REVERSE, range=(1, 4), interval="normal"
    ).scales.set_index("group")
    for arm in ("small", "other"):
        theirs = r["star"][arm]
        assert found.loc[arm, "complete"] == theirs["moments"]["n"]
        assert_allclose(found.loc[arm, "alpha"], theirs["alpha"], **EXACT)
        assert_allclose(found.loc[arm, "alpha_std_error"], theirs["ase"], **EXACT)
        assert_allclose(found.loc[arm, "omega"], theirs["omega_lavaan"], atol=1e-5)
        assert_allclose(found.loc[arm, "omega_standardised"], theirs["omega_psych_ml"], atol=1e-4)


def test_star_ladder(star: pd.DataFrame, r: dict[str, Any]) -> None:
    found = check_invariance(star, r["star"]["items"], group="arm", reverse=REVERSE, range=(1, 4))
    steps = found.steps.set_index("step")
    for step in steps.index:
        theirs = r["star"]["ladder"][step]["measures"]
        assert steps.loc[step, "df"] == theirs["df"]
        assert_allclose(steps.loc[step, "chi2"], theirs["chisq"], **CHI2)
        for ours, name in MEASURES.items():
            assert_allclose(steps.loc[step, ours], theirs[name], **INDEX, err_msg=name)
    # One factor does not fit nine items of two wordings: equality of its loadings means little.
    assert found.verdict == "none"
    assert steps["verdict"].tolist() == ["fails", "not assessable", "not assessable"]

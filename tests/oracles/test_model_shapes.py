"""Models asked for by name, and further mixed models, against lme4, lmerTest and pbkrtest."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pyarrow import csv

import baseeval as be
from baseeval.models.growth import Growth, fit_growth
from baseeval.models.school_effects import fit_school_slopes
from baseeval.models.variance_partition import partition_variance
from baseeval.models.within_between import fit_within_between

R_FIT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "r_fit.py"))
check_fit = R_FIT["check_fit"]

ARMS = ["host_mainstream", "base", "non_host"]
NAMES = {"time": "wave", "arm": "arm", "pupil": "pupil", "school": "school"}


@pytest.fixture(scope="module")
def stored(r_values: Callable[[str], Any]) -> Any:
    return r_values("model_shapes")


@pytest.fixture(scope="module")
def waves(r_data: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """Eighteen schools, one of one pupil, at waves -1 to 2."""
    frame = r_data("model_shapes.csv")
    frame["arm"] = pd.Categorical(frame["arm"], ARMS)
    return frame


@pytest.fixture(scope="module")
def one_wave(waves: pd.DataFrame) -> pd.DataFrame:
    return waves[waves["wave"] == 1].reset_index(drop=True)


# ---- growth -------------------------------------------------------------------------------------
GROWTH = "y ~ arm * wave + prior + (1 + wave | pupil) + (1 | school)"


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_growth_by_formula(method: str, weighted: bool, waves: pd.DataFrame, stored: Any) -> None:
    formula = GROWTH.replace("+ prior ", "") if weighted else GROWTH
    model = be.fit_mixed(formula, waves, reml=method == "REML", weights="w" if weighted else None)
    r = stored["growth_weighted" if weighted else "growth"][method]
    check_fit(model, r, "satterthwaite" if method == "REML" else None)


@pytest.fixture(scope="module")
def straight(waves: pd.DataFrame) -> Growth:
    return fit_growth(
        waves, "y", **NAMES, covariates=["prior"], arms=ARMS, df="satterthwaite"
    )  # fmt: skip


def check_lines(table: pd.DataFrame, r: dict[str, Any], sign: Any = 1) -> None:
    """Hold estimated lines to lmerTest's, whose df come of a Hessian by differences."""
    apart = table["estimate"] - np.multiply(sign, r["estimate"])
    assert (apart / np.array(r["se"])).abs().max() < 1e-5
    assert_allclose(table["std_error"], r["se"], rtol=1e-5)
    assert_allclose(table["df"], r["df"], rtol=1e-4)
    assert_allclose(table["p_value"], r["p"], rtol=2e-3)


def test_growth_by_arm(straight: Growth, stored: Any) -> None:
    check_lines(straight.slopes, stored["growth"]["slopes"])
    # R compares with the host arm first: base, non-host, then base with non-host.
    gaps = straight.differences.set_index(["time", "first", "second"])
    host, base, non = ARMS
    wanted = [(host, base), (host, non), (base, non)]
    rows = gaps.loc[[(time, *pair) for time in (-1.0, 0.0, 1.0, 2.0) for pair in wanted]]
    check_lines(rows, stored["growth"]["gaps"], sign=[-1, -1, 1] * 4)


def test_growth_with_a_knot(waves: pd.DataFrame, stored: Any) -> None:
    found = fit_growth(
        waves, "y", **NAMES, covariates=["prior"], arms=ARMS, knot=0, df="satterthwaite"
    )
    r = stored["growth_knot"]
    own = found.slopes[found.slopes["arm"] != "non_host"]
    check_lines(own.sort_values("piece", ascending=False, kind="stable"), r["slopes"])
    bent = found.model.fixed["term"].str.replace("wave_", "")
    theirs = [name.replace("wave_", "") for name in r["REML"]["coef_names"]]
    assert sorted(bent.str.replace("[T.", "").str.replace("]", "")) == sorted(
        name.replace("(Intercept)", "Intercept") for name in theirs
    )
    assert found.model.loglik >= r["REML"]["logLik"] - 1e-8 * abs(r["REML"]["logLik"])


# ---- within and between -------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_within_between(method: str, one_wave: pd.DataFrame, stored: Any) -> None:
    reml = method == "REML"
    df = "kenward_roger" if reml else None
    found = fit_within_between(one_wave, "y", ["prior"], group="school", reml=reml, df=df)
    apart, mundlak, plain = (
        stored[name][method] for name in ("within_between", "mundlak", "plain")
    )
    table = found.effects.set_index("effect")
    assert found.model.loglik == pytest.approx(apart["logLik"], rel=1e-10)
    assert found.mixed.loglik == pytest.approx(plain["logLik"], rel=1e-10)
    places = {"within": (apart, 1), "between": (apart, 2), "context": (mundlak, 2)}
    for effect, (r, place) in (places | {"mixed": (plain, 1)}).items():
        row = table.loc[effect]
        assert abs(row["estimate"] - r["beta"][place]) < 1e-5 * r["se"][place]
        errors = r["kenward_roger"]["se"] if reml else r["se"]
        assert row["std_error"] == pytest.approx(errors[place], rel=1e-5)
        if reml:
            assert row["df"] == pytest.approx(r["kenward_roger"]["df"][place], rel=1e-4)
    assert len(found.warnings) == (1 if reml else 0)  # by ML no p-value was asked for


def test_within_between_takes_weighted_means(one_wave: pd.DataFrame, stored: Any) -> None:
    found = fit_within_between(
        one_wave, "y", ["prior"], group="school", weights="w", df="satterthwaite"
    )
    r = stored["within_between_weighted"]["REML"]
    table = found.effects.set_index("effect").loc[["within", "between"]]
    assert found.model.loglik == pytest.approx(r["logLik"], rel=1e-10)
    assert_allclose(table["estimate"], r["beta"][1:], atol=1e-5 * min(r["se"]))
    assert_allclose(table["df"], r["satterthwaite"]["df"][1:], rtol=1e-4)


def test_mundlak_on_exam(reference: Callable[[str], Any]) -> None:
    """The stored values of London's schools: `peers.md`, 3.2."""
    how = {"group": "school", "reml": False, "df": "satterthwaite"}
    found = fit_within_between(reference("Exam.csv"), "normexam", ["standLRT"], **how)
    table = found.effects.set_index("effect")["estimate"]
    assert table["within"] == pytest.approx(0.559477861, abs=5e-10)
    assert table["between"] == pytest.approx(0.917793609, abs=5e-9)
    assert found.model.loglik == pytest.approx(-4673.8103, abs=5e-5)
    assert len(found.warnings) == 1


# ---- the effect in each school ------------------------------------------------------------------
def test_varying_effect(one_wave: pd.DataFrame, stored: Any) -> None:
    found = fit_school_slopes(
        one_wave, "y", arm="arm", first="base", second="host_mainstream", school="school",
        covariates=["prior"],
    )  # fmt: skip
    r, none = stored["school_slopes"]["REML"], stored["school_slopes_none"]["REML"]
    row = found.effect.iloc[0]
    assert abs(row["estimate"] - r["beta"][1]) < 1e-5 * r["se"][1]
    assert row["std_error"] == pytest.approx(r["kenward_roger"]["se"][1], rel=1e-5)
    assert row["df"] == pytest.approx(r["kenward_roger"]["df"][1], rel=1e-4)
    sd = next(c["sdcor"] for c in r["varcorr"] if c["var1"] == "base" and c["var2"] is None)
    assert found.spread.iloc[0]["sd"] == pytest.approx(sd, rel=1e-5)
    ratio = 2 * (r["logLik"] - none["logLik"])
    assert found.spread.iloc[0]["statistic"] == pytest.approx(ratio, rel=1e-6)


# ---- variances ----------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_shares(method: str, waves: pd.DataFrame, one_wave: pd.DataFrame, stored: Any) -> None:
    reml = method == "REML"
    two = partition_variance(one_wave, "y", levels=["school"], reml=reml).table
    check_shares(two, stored["two_level"][method])
    three = partition_variance(waves, "y", levels=["school", "pupil"], reml=reml).table
    check_shares(three, stored["three_level"][method])
    at = (-1.0, 0.5)
    slope = partition_variance(
        one_wave, "y", levels=["school"], slope="prior", at=at, reml=reml
    ).table
    r = {(c["var1"], c["var2"]): c["vcov"] for c in stored["slope"][method]["varcorr"]}
    for value in at:
        rows = slope[slope["at"] == value]
        between = (
            r["(Intercept)", None]
            + 2 * value * r["(Intercept)", "prior"]
            + value**2 * r["prior", None]
        )
        share = between / (between + r[None, None])
        assert rows["share"].iloc[0] == pytest.approx(share, rel=1e-5)
        assert rows["share"].sum() == pytest.approx(1)


def test_share_of_a_binary_outcome(waves: pd.DataFrame, stored: Any) -> None:
    found = partition_variance(
        waves, "absent", levels=["school"], covariates=["wave"], family="binomial"
    )
    row = found.table.iloc[0]
    assert found.model.loglik == pytest.approx(stored["binary"]["logLik"], abs=1e-5)
    assert row["variance"] == pytest.approx(stored["binary"]["variance"], rel=1e-3)
    assert row["share"] == pytest.approx(stored["binary"]["icc"], rel=1e-3)
    assert found.table["variance"].iloc[1] == pytest.approx(np.pi**2 / 3)
    assert 0 < row["share_low"] < row["share"] < row["share_high"] < 0.2


def check_shares(table: pd.DataFrame, r: dict[str, Any]) -> None:
    theirs = {c["grp"]: c["vcov"] for c in r["varcorr"]}
    level = table.set_index("level")
    expected = np.array([theirs[name] for name in level.index])
    assert_allclose(level["variance"], expected, rtol=1e-5)
    assert_allclose(level["share"], expected / expected.sum(), rtol=1e-5)
    joint = np.cumsum(expected)[:-1] / expected.sum()
    assert_allclose(level["correlation"].iloc[:-1], joint, rtol=1e-5)


# ---- data of mlmRev and lme4, read from R where it is installed ----------------------------------
@pytest.fixture(scope="module")
def from_r(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], pd.DataFrame]:
    """Have R write one of its data sets, none of which is kept here."""
    folder = tmp_path_factory.mktemp("r")

    def read(package: str, name: str) -> pd.DataFrame:
        if shutil.which("Rscript") is None:
            pytest.skip("R is not installed, and its data sets are not kept here")
        path = folder / f"{name}.csv"
        asked = f'data({name}, package = "{package}"); d <- {name}; for (v in names(d)) '
        asked += 'if (is.double(d[[v]])) d[[v]] <- sprintf("%.17g", d[[v]]); '
        asked += f'write.csv(d, "{path}", row.names = FALSE, quote = FALSE)'
        done = subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"R lacks the package {package}")
        return csv.read_csv(path).to_pandas()  # every digit of the numbers

    return read


EGSINGLE = ("mlmRev", "egsingle")
CLASSIC = {
    "hsb82": ("mlmRev", "Hsb82", "mAch ~ meanses * cses + sector * cses + (1 + cses | school)"),
    "egsingle": (*EGSINGLE, "math ~ year + (1 + year | childid) + (1 + year | schoolid)"),
    "egsingle_intercepts": (*EGSINGLE, "math ~ year + (1 | childid) + (1 | schoolid)"),
    "scots": ("mlmRev", "ScotsSec", "attain ~ verbal + sex + (1 | primary) + (1 | second)"),
    "insteval": ("lme4", "InstEval", "y ~ service + (1 | s) + (1 | d)"),
}


SLOW = ("insteval",)


@pytest.mark.parametrize(
    "case", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CLASSIC]
)
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_classic(case: str, method: str, from_r: Any, stored: Any) -> None:
    package, name, formula = CLASSIC[case]
    frame = from_r(package, name)
    if name == "Hsb82":
        frame["sector"] = pd.Categorical(frame["sector"], ["Public", "Catholic"])
    if name == "ScotsSec":
        frame["sex"] = pd.Categorical(frame["sex"], ["M", "F"])
    if name == "InstEval":
        frame["service"] = pd.Categorical(frame["service"].astype(str), ["0", "1"])
    r = stored["classic"][case][method]
    df = "satterthwaite" if method == "REML" and "satterthwaite" in r else None
    model = be.fit_mixed(formula, frame, reml=method == "REML", df=df)
    check_fit(model, r, df)

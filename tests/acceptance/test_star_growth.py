"""Growth in Project STAR, three levels and three arms, against lme4's fits of the same table."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import baseeval as be
from baseeval.models.growth import fit_growth
from baseeval.models.school_effects import fit_school_slopes

R_FIT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "r_fit.py"))
check_fit = R_FIT["check_fit"]

ARMS = {
    "regular": "host_mainstream",
    "regular+aide": "host_mainstream",
    "small": "base",
    "comparison": "non_host",
}
ORDER = ["host_mainstream", "base", "non_host"]
FIXED = "reading ~ arm * grade + male + white"

CASES = {
    "intercepts": FIXED + " + age_months + (1 | pupil_id) + (1 | school_id)",
    # Both variances of pupils are estimated with a correlation of one: lme4 is singular here too.
    "growth": FIXED + " + (1 + grade | pupil_id) + (1 | school_id)",
    "growth_school": FIXED + " + (1 + grade | pupil_id) + (1 + grade | school_id)",
    # Nobody was tested in the comparison schools before grade 1, so one column is left out.
    "piecewise": "reading ~ arm * (first + later) + male + white"
    " + (1 | pupil_id) + (1 + later | school_id)",
}


@pytest.fixture(scope="module")
def stored(root: Path) -> Any:
    path = root / "tests" / "oracles" / "r" / "model_shapes.json"
    return json.loads(path.read_text(encoding="utf-8"))["star"]


@pytest.fixture(scope="module")
def star(root: Path, shared: Path) -> pd.DataFrame:
    """Give the study's own table of waves 1 to 3, arms named as the study names them."""
    if not (shared / "data" / "star" / "students.csv.gz").exists():
        pytest.skip("the Project STAR files are absent")
    prepare = runpy.run_path(str(root / "analyses" / "star" / "prepare.py"))["prepare"]
    table = prepare(shared / "data" / "star")
    table = table[table["placement"].isin(list(ARMS)) & (table["wave"] < 4)].copy()
    table["arm"] = pd.Categorical(table["placement"].map(ARMS), ORDER)
    for column in ("grade", "reading", "maths", "age_months"):
        table[column] = table[column].astype(float)
    for column, yes, source in (("male", "male", "sex"), ("white", "yes", "white")):
        known = table[source].notna()
        table[column] = (table[source] == yes).astype(float).where(known)
    table["first"] = np.minimum(table["grade"], 1)
    table["later"] = np.maximum(table["grade"] - 1, 0)
    return table.reset_index(drop=True)


@pytest.fixture(scope="module")
def readers(star: pd.DataFrame, stored: Any) -> pd.DataFrame:
    rows = star.dropna(subset=["reading", "male", "white", "age_months"])
    assert len(rows) == stored["rows"]
    assert rows["pupil_id"].nunique() == stored["pupils"]
    assert rows["school_id"].nunique() == stored["schools"]
    return rows


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_growth_is_that_of_lme4(case: str, method: str, readers: pd.DataFrame, stored: Any) -> None:
    r = stored[case][method]
    df = "satterthwaite" if "satterthwaite" in r else None
    check_fit(be.fit_mixed(CASES[case], readers, reml=method == "REML", df=df), r, df)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_means_of_cells_weigh_as_their_pupils(method: str, star: pd.DataFrame, stored: Any) -> None:
    cells = (
        star.dropna(subset=["maths"])
        .groupby(["school_id", "arm", "grade"], observed=True)["maths"]
        .agg(["mean", "size"])
        .reset_index()
    )
    formula = "mean ~ arm * grade + (1 | school_id)"
    model = be.fit_mixed(formula, cells, reml=method == "REML", weights="size")
    check_fit(model, stored["cells_weighted"][method], None if method == "ML" else "satterthwaite")


def test_the_shapes_say_what_the_formulas_say(readers: pd.DataFrame, stored: Any) -> None:
    names = {"time": "grade", "arm": "arm", "pupil": "pupil_id", "school": "school_id"}
    found = fit_growth(
        readers, "reading", **names, covariates=["male", "white"], arms=ORDER, df="satterthwaite"
    )
    r = stored["growth"]["REML"]
    assert found.model.loglik == pytest.approx(r["logLik"], rel=1e-9)
    slopes = found.slopes.set_index("arm")["estimate"]
    beta = dict(zip(r["coef_names"], r["beta"], strict=True))
    assert slopes["base"] == pytest.approx(beta["grade"] + beta["armbase:grade"], rel=1e-6)
    # At a singular fit Satterthwaite's df have no ground: no interval rather than a wrong one.
    assert found.model.singular
    assert found.slopes["ci_low"].isna().all()
    bent = fit_growth(
        readers, "reading", **names, covariates=["male", "white"], arms=ORDER, knot=1,
        pupil_slope=False,
    )  # fmt: skip
    table = bent.slopes.set_index(["arm", "piece"])["estimate"]
    assert np.isnan(table["non_host", "before"])  # no comparison pupil was tested before grade 1
    assert table.notna().sum() == 5
    gaps = bent.differences.set_index(["time", "first", "second"])["estimate"]
    assert np.isnan(gaps[0.0, "base", "non_host"])
    assert np.isfinite(gaps[1.0, "base", "non_host"])


def test_the_effect_of_small_classes_varies_between_schools(
    star: pd.DataFrame, stored: Any
) -> None:
    first_year = star[(star["wave"] == 1) & star["maths"].notna()].dropna(subset=["male"])
    found = fit_school_slopes(
        first_year, "maths", arm="arm", first="base", second="host_mainstream",
        school="school_id", covariates=["male"],
    )  # fmt: skip
    r = stored["varying_effect"]["REML"]
    assert found.model.loglik == pytest.approx(r["logLik"], rel=1e-9)
    row, spread = found.effect.iloc[0], found.spread.iloc[0]
    assert row["estimate"] == pytest.approx(r["beta"][1], abs=1e-5 * r["se"][1])
    # 79 schools: an effect of about 0.2 SD on average, which other schools may well not have.
    assert 0.1 < row["estimate"] / first_year["maths"].std() < 0.25
    assert spread["p_value"] < 1e-6
    assert spread["low"] < 0 < row["ci_low"]
    assert found.notes == ()

"""The Project STAR table: what it holds, and the belonging key that its study relies on."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

STUDY = Path(__file__).parents[2] / "analyses" / "star"
CODES = {"STRONGLY AGREE": 1, "AGREE": 2, "DISAGREE": 3, "STRONGLY DISAGREE": 4}


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(STUDY / "prepare.py")))


@pytest.fixture(scope="module")
def plan() -> dict:
    return tomllib.loads((STUDY / "study.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "star"


@pytest.fixture(scope="module")
def table(script: SimpleNamespace, folder: Path) -> pd.DataFrame:
    return script.prepare(folder)


def test_plan_names_only_columns_that_the_script_writes(script, plan):
    named = {plan["data"][key] for key in ("pupil", "school", "wave")}
    named |= {plan["arms"]["column"], *plan["covariates"]["adjust"]}
    for outcome in plan["outcomes"]:
        named |= {outcome[key] for key in ("column", "attended", "possible") if key in outcome}
        named |= set(outcome.get("items", []))
    assert named <= set(script.COLUMNS)


def test_plan_scores_belonging_by_the_key(script, plan):
    (belonging,) = [outcome for outcome in plan["outcomes"] if outcome["kind"] == "scale"]
    assert belonging["items"] == script.BELONGING
    assert belonging["reverse"] == script.BELONGING_REVERSED
    assert belonging["labels"] == {word.lower(): 5 - code for word, code in CODES.items()}


def test_one_row_a_pupil_and_wave_in_one_school_and_placement(table):
    assert not table.duplicated(["pupil_id", "wave"]).any()
    fixed = ["school_id", "placement", "entry_grade", "sex", "white", "age_months"]
    assert (table.groupby("pupil_id")[fixed].nunique(dropna=False) == 1).all(axis=None)
    assert table[["pupil_id", "school_id", "placement"]].notna().all(axis=None)


def test_counts_of_pupils(table):
    pupils = table.drop_duplicates("pupil_id")["placement"].value_counts()
    assert pupils[["small", "regular", "regular+aide"]].tolist() == [1900, 2194, 2231]
    assert pupils["comparison"] == 1315
    assert pupils.filter(like="entered grade").sum() == 5276
    assert pupils.filter(like="first seen grade").sum() == 465
    assert pupils.sum() == 11601 + 1780


def test_counts_of_values_in_kindergarten(table):
    kindergarten = table[table["wave"] == 1]
    assert kindergarten["reading"].count() == 5789
    assert kindergarten["maths"].count() == 5871
    assert kindergarten["possible"].count() == 6250 - 27


def test_arms_share_schools_and_the_comparison_is_elsewhere(table):
    schools = table.groupby("placement")["school_id"].unique().map(set)
    assert schools["small"] == schools["regular"] | schools["regular+aide"]
    experiment = schools.drop(schools.index[schools.index.str.startswith("comparison")])
    assert not schools["comparison"] & set().union(*experiment)
    assert len(schools["comparison"]) == 21


def test_comparison_pupils_have_tests_in_grades_1_and_3_only(table):
    rows = table[table["placement"].str.startswith("comparison")]
    assert set(rows["grade"]) == {1, 3}
    elsewhere = ["present", "possible", "free_lunch", *rows.columns[rows.columns.str.match("g8id")]]
    assert rows[elsewhere].isna().all(axis=None)
    assert rows[["reading", "maths"]].notna().any(axis=None)


def test_no_impossible_sessions(table):
    assert (table["present"].isna() == table["possible"].isna()).all()
    seen = table.dropna(subset=["possible"])
    assert (seen["present"] >= 0).all()
    assert (seen["present"] <= seen["possible"]).all()
    assert (seen["possible"] <= 180).all()


def test_codes_became_blank(table):
    assert set(table["sex"].dropna()) == {"male", "female"}
    assert set(table["white"].dropna()) == {"yes", "no"}
    words = {word.lower() for word in CODES}
    assert set(table.filter(like="g8id").stack().dropna()) == words


def test_key_reproduces_every_published_belonging_subscore(script, folder):
    raw = pd.read_csv(folder / "students.csv.gz").dropna(subset=["g8idblng"])
    codes = raw[script.BELONGING].apply(lambda item: item.map(CODES))
    codes[script.BELONGING_REVERSED] = 6 - codes[script.BELONGING_REVERSED]
    assert len(raw) == 3648
    assert (codes.sum(axis="columns") == raw["g8idblng"]).all()


def test_higher_study_score_is_a_lower_published_subscore(script, table, folder):
    scores = table[table["wave"] == 4].set_index("pupil_id")[script.BELONGING].dropna()
    scores = scores.apply(lambda item: 5 - item.str.upper().map(CODES))
    scores[script.BELONGING_REVERSED] = 5 - scores[script.BELONGING_REVERSED]
    raw = pd.read_csv(folder / "students.csv.gz").dropna(subset=["stdntid"])
    published = raw.set_index("stdntid")["g8idblng"].loc[scores.index]
    assert len(scores) == 3621
    assert scores.sum(axis="columns").tolist() == (48 - published).tolist()

"""The table of England's mainstream secondary schools."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

STUDY = Path(__file__).parents[2] / "analyses" / "england_schools"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(STUDY / "prepare.py")))


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "england"


@pytest.fixture(scope="module")
def table(script: SimpleNamespace, folder: Path) -> pd.DataFrame:
    return script.prepare(folder)


def test_plan_has_no_arms_and_names_only_columns_that_the_script_writes(script):
    plan = tomllib.loads((STUDY / "study.toml").read_text(encoding="utf-8"))
    assert "arms" not in plan
    named = {plan["data"]["pupil"], plan["data"]["school"]}
    named |= {outcome["column"] for outcome in plan["outcomes"]}
    assert named <= set(script.COLUMNS.values())


def test_counts_of_schools(script, folder):
    joined = script.join(folder)
    kinds = joined["SCHOOLTYPE"].value_counts()
    assert len(joined) == 4059
    assert kinds["State-funded secondary"] == 3260
    assert kinds[script.SPECIAL].sum() == 799


def test_one_row_a_mainstream_school(table):
    assert len(table) == 3260
    assert table["urn"].is_unique
    assert table["urn"].str.fullmatch(r"\d{6}").all()


def test_codes_stay_and_percent_signs_go(table):
    codes = table["progress8"].value_counts()
    assert codes[["LOWCOV", "SUPP", ""]].tolist() == [7, 3, 116]
    assert not table.map(lambda value: "%" in value).any(axis=None)
    percent = pd.to_numeric(table["english_maths_5_percent"], errors="coerce")
    assert percent.between(0, 100).sum() == 3142

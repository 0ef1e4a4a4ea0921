"""The table of England's mainstream secondary schools."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from baseeval.contracts.registry import TABLES

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


def test_the_script_reads_columns_of_the_schools_contract(script):
    assert set(script.COLUMNS) <= set(TABLES["schools"].names())


def test_one_row_a_mainstream_school(table):
    assert len(table) == 3260
    assert table["urn"].is_unique
    assert table["urn"].is_monotonic_increasing
    assert table["urn"].str.fullmatch(r"\d{6}").all()


def test_codes_stay_and_percent_signs_go(table):
    codes = table["progress8"].value_counts()
    assert codes[["LOWCOV", "SUPP", ""]].tolist() == [7, 3, 116]
    assert not table.map(lambda value: "%" in value).any(axis=None)
    percent = pd.to_numeric(table["english_maths_5_percent"], errors="coerce")
    assert percent.between(0, 100).sum() == 3142


def test_every_cell_is_what_was_published(table, folder):
    """By another way: the files as text, joined by pandas."""
    files = [
        pd.read_csv(
            folder / f"{name}.csv.gz", dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
        for name in ("census", "abs", "ks4provisional")
    ]
    census, absence, ks4 = (file.set_index("URN").loc[list(table["urn"])] for file in files)
    published = {
        "la": census["LA"],
        "school_type": ks4["NFTYPE"],
        "pupils_on_roll": census["NOR"],
        "pupils_at_end_of_ks4": ks4["TPUP"],
        "attainment8": ks4["ATT8SCR"],
        "progress8": ks4["P8MEA"],
        # A whole percentage is published as 42.0%, and written as 42.
        "english_maths_5_percent": ks4["PTL2BASICS_95"].str.replace(r"(\.0)?%$", "", regex=True),
        "overall_absence_percent": absence["PERCTOT"],
        "persistent_absence_percent": absence["PPERSABS10"],
        "ehcp_percent": census["PSENELSE"],
        "sen_support_percent": census["PSENELK"],
        "fsm_ever_percent": census["PNUMFSMEVER"],
    }
    assert set(published) | {"urn"} == set(table.columns)
    for name, column in published.items():
        assert table[name].tolist() == column.tolist(), name

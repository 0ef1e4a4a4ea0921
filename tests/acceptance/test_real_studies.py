"""The two studies on real data, each from its own preparation script to its folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import baseeval as be


def prepared(name: str, data: str, root: Path, shared: Path, folder: Path) -> Path:
    """Copy a study, run its preparation script beside the copy, and run it."""
    study = root / "analyses" / name
    shutil.copy(study / "study.toml", folder / "study.toml")
    subprocess.run(
        [
            sys.executable,
            str(study / "prepare.py"),
            "--data",
            str(shared / "data" / data),
            "--out",
            str(folder / "data"),
        ],
        check=True,
        capture_output=True,
    )
    return be.run(folder / "study.toml", folder / "output")


@pytest.fixture(scope="module")
def star_folder(root: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = prepared("star", "star", root, shared, tmp_path_factory.mktemp("star"))
    assert be.screen(out) == []
    return out


@pytest.fixture(scope="module")
def star(star_folder: Path) -> pd.DataFrame:
    return pd.read_parquet(star_folder / "results.parquet")


@pytest.mark.parametrize("outcome", ["reading", "maths"])
def test_star_gives_the_published_kindergarten_effect(star: pd.DataFrame, outcome: str) -> None:
    """Small classes helped by about 0.15 to 0.25 SD in kindergarten (Krueger 1999)."""
    row = star.query(
        "headline and contrast == 'base_vs_host' and wave == '1' and outcome == @outcome"
    )
    assert len(row) == 1
    effect = row.iloc[0]
    assert 0.15 <= effect["effect_size"] <= 0.25
    assert effect["effect_size_low"] > 0
    assert effect["schools_first"] == effect["schools_second"] == 79
    assert effect["inference"] == "cr2_satterthwaite"
    assert effect["verdict"] == "favours_first"
    assert 40 < effect["df"] < 79


@pytest.mark.parametrize("contrast", ["host_vs_non_host", "base_vs_non_host"])
def test_star_is_balanced_between_schools(star_folder: Path, contrast: str) -> None:
    """Every covariate that all arms have differs by less than 0.05 SD after weighting."""
    balance = pd.read_csv(star_folder / "balance.csv").query("contrast == @contrast")
    assert set(balance["covariate"]) == {"sex", "white", "age_months"}
    assert balance["smd_before"].abs().max() > 0.05
    assert (balance["smd_after"].abs() < 0.05).all()


def test_star_has_attendance_and_belonging_for_base_vs_host(star: pd.DataFrame) -> None:
    rows = star[star["contrast"] == "base_vs_host"]
    assert set(rows.loc[rows["outcome"] == "attendance", "wave"]) == {"1", "2", "3"}
    assert set(rows.loc[rows["outcome"] == "belonging", "wave"]) == {"4"}


def test_star_compares_non_host_only_where_it_has_data(star: pd.DataFrame) -> None:
    rows = star[star["contrast"] != "base_vs_host"]
    assert set(rows["outcome"]) == {"reading", "maths"}
    assert set(rows["wave"]) == {"2", "3"}
    assert not rows["flags"].str.contains("few_schools").any()


def test_star_says_that_nothing_was_measured_before_placement(star: pd.DataFrame) -> None:
    told = star[~star["flags"].str.contains("suppressed")]
    assert told["flags"].str.contains("no_pre_placement_baseline").all()


def test_england_is_described_and_not_compared(root: Path, shared: Path, tmp_path: Path) -> None:
    out = prepared("england_schools", "england", root, shared, tmp_path)
    assert be.screen(out) == []
    assert pd.read_csv(out / "results.csv").empty
    told = pd.read_csv(out / "descriptions.csv").set_index("outcome")
    # Every mainstream secondary school with results of about 2019: national figures were
    # Attainment 8 of 46.7 and overall absence of 5.5 per cent.
    assert 44 < told.loc["attainment8", "mean"] < 49
    assert 4.5 < told.loc["overall_absence_percent", "mean"] < 6.5
    missing = pd.read_csv(out / "missing.csv")
    assert "blank" in set(missing["reason"].dropna())
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["plan"]["arms"] is None
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "This report describes. It compares no groups" in page

"""A study with two questionnaires, from its tables to the folder that may leave."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baseeval as be

ITEMS = [f"q{number}" for number in range(1, 6)]
STUDY = """
[study]
name = "asked"
title = "Asked in a way that they could answer"

[data]
source = "contracts"

[data.files]
pupils = "pupils.csv"
surveys = "surveys.csv"

[eligibility]
years = ["7"]

[[outcomes]]
name = "belonging"
kind = "scale"
items = ["q1", "q2", "q3", "q4", "q5"]
range = [1, 5]
respondent = "pupil"

[[outcomes]]
name = "belonging_by_parent"
kind = "scale"
items = ["q1", "q2", "q3", "q4", "q5"]
range = [1, 5]
respondent = "parent"

[analysis]
models = ["unadjusted"]
"""


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Twelve schools; a third of base pupils could not be asked, most of them with SLCN."""
    rng = np.random.default_rng(7)
    census, answers = [], []
    for number in range(420):
        school, need = number % 12, "ASD" if rng.random() < 0.6 else "SLCN"
        base = school < 6 and rng.random() < 0.5
        pupil = f"p{number:03d}"
        census += [
            {
                "pupil_id": pupil,
                "year": year,
                "term": "SPR",
                "urn": f"10000{school:02d}"[-6:] if year == 2017 else "200001",
                "year_group": str(year - 2010),
                "primary_need": need,
                "sen_unit": int(base and year == 2017),
            }
            for year in (2016, 2017)
        ]
        trait = rng.normal()
        row = {"pupil_id": pupil, "date": dt.date(2017, 3, 1), "instrument": "own"}
        if base and rng.random() < (0.55 if need == "SLCN" else 0.15):
            answers.append(row | {"respondent": "pupil", "status": "not_accessible"})
        else:
            mode = "symbols" if base and rng.random() < 0.4 else "standard"
            said = {"respondent": "pupil", "status": "answered", "mode": mode}
            answers += [row | said | {"item": i, "answer": reply(rng, trait)} for i in ITEMS]
        if rng.random() < 0.85:
            said = {"respondent": "parent", "status": "answered", "mode": "standard"}
            answers += [row | said | {"item": i, "answer": reply(rng, trait / 2)} for i in ITEMS]
        else:
            answers.append(row | {"respondent": "parent", "status": "declined"})
    return pd.DataFrame(census), pd.DataFrame(answers)


def reply(rng: np.random.Generator, trait: float) -> int:
    return int(np.clip(np.round(3 + 0.7 * trait + 0.7 * rng.normal()), 1, 5))


@pytest.fixture(scope="module")
def written() -> tuple[pd.DataFrame, pd.DataFrame]:
    return tables()


@pytest.fixture(scope="module")
def out(
    written: tuple[pd.DataFrame, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    for name, table in zip(("pupils", "surveys"), written, strict=True):
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return be.run(folder / "study.toml", folder / "output")


def test_the_folder_passes_the_screen_and_holds_the_tables(out: Path) -> None:
    assert be.screen(out) == []
    names = {path.name for path in out.iterdir()}
    assert {"scales.csv", "items.csv", "invariance.csv", "completion.csv", "modes.csv"} <= names


def test_who_could_not_be_asked_stands_in_the_table_and_in_words(
    out: Path, written: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    census, answers = written
    placed = set(census.loc[census["sen_unit"] == 1, "pupil_id"])
    silent = answers[answers["status"] == "not_accessible"]
    exact = len(placed & set(silent["pupil_id"]))
    table = pd.read_csv(out / "completion.csv")
    row = table.query("outcome == 'belonging' and arm == 'base' and need == 'all'").iloc[0]
    assert abs(row["could_not_be_asked"] - exact) <= 2
    assert row["answered"] + row["could_not_be_asked"] == pytest.approx(row["pupils"], abs=5)
    page = (out / "report.html").read_text(encoding="utf-8")
    told = f"{int(row['could_not_be_asked'])} could not be asked in any way that was offered"
    assert told in page
    assert "Answered by a parent or carer about the pupil" in page
    assert "What follows is about those who answered." in page


def test_pupil_and_parent_are_two_outcomes_with_flags_of_their_own(out: Path) -> None:
    rows = pd.read_csv(out / "results.csv").query("headline").set_index(["outcome", "contrast"])
    flags = rows["flags"].str.split(";")
    own = flags["belonging", "base_vs_non_host"]
    assert "low_completion" in own
    assert "low_completion" not in flags["belonging_by_parent", "base_vs_host"]
    # Fewer than a hundred base pupils answered: nothing can be said of invariance.
    assert "invariance_not_assessable" in own
    scales = pd.read_csv(out / "scales.csv").set_index(["outcome", "arm"])["alpha"]
    assert (scales["belonging"] > scales["belonging_by_parent"]).all()


def test_no_answer_and_no_small_count_is_in_any_table(out: Path) -> None:
    for name in ("scales", "items", "completion", "modes"):
        table = pd.read_csv(out / f"{name}.csv")
        for column in table.columns.intersection(
            ["pupils", "missing", "answered", "could_not_be_asked", "declined", "other"]
        ):
            held = table[column].dropna()
            assert held.mod(5).eq(0).all()
            assert held.ge(10).all(), (name, column)

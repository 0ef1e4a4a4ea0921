"""STAR's belonging score, made by the study from the items, against the data's own subscore."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from baseeval.catalogue.loading import known_scales
from baseeval.engine.duckdb_engine import Engine
from baseeval.measures.agreement import check_reliability
from baseeval.measures.scoring import score
from baseeval.plan import OutcomeSection, Plan
from baseeval.sources.table import read_table
from baseeval.study import read_study

CODES = {"STRONGLY DISAGREE": 1, "DISAGREE": 2, "AGREE": 3, "STRONGLY AGREE": 4}

#: Of the same questionnaire, and in no belonging score: what goes with belonging, and what against.
OUTSIDE = {
    "g8idimpt": 1,  # school is important in my life
    "g8idfrnl": 1,  # my friends like school
    "g8idwast": -1,  # school is a waste of time
    "g8idusls": -1,  # what we learn is useless
}


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return read_study(root / "analyses" / "star" / "study.toml")


@pytest.fixture(scope="module")
def outcome(plan: Plan) -> OutcomeSection:
    return next(outcome for outcome in plan.outcomes if outcome.kind == "scale")


@pytest.fixture(scope="module")
def raw(shared: Path) -> pd.DataFrame:
    """Every pupil of the public file who has an identifier, as it was published."""
    path = shared / "data" / "star" / "students.csv.gz"
    if not path.exists():
        pytest.skip("the Project STAR files are absent")
    pupils = pd.read_csv(path).dropna(subset=["stdntid"])
    return pupils.set_index(pupils["stdntid"].astype("int64").astype(str))


@pytest.fixture(scope="module")
def scored(root: Path, shared: Path, plan: Plan, outcome: OutcomeSection, raw: pd.DataFrame) -> Any:
    """Score the study's own table by the study's own path, and lay the public columns beside."""
    prepare = runpy.run_path(str(root / "analyses" / "star" / "prepare.py"))["prepare"]
    table = prepare(shared / "data" / "star")
    table = table[table["wave"] == 4].astype(object)
    with Engine() as engine:
        rows = read_table(plan, engine, {"table": table}).typed.frame
        made = rows.select(nw.col("pupil_id"), score(outcome).value.alias("score"), *outcome.items)
        found = engine.collect(made, ["pupil_id"]).to_pandas().set_index("pupil_id")
    return found.join(raw.drop(columns=outcome.items), how="inner")


def test_the_study_keeps_the_key_of_the_catalogue(outcome: OutcomeSection) -> None:
    key = known_scales()["star_belonging"]
    assert tuple(outcome.items) == tuple(key.columns)
    assert [outcome.items[number - 1] for number in key.reversed] == outcome.reverse
    assert outcome.range == list(key.range)
    assert outcome.min_answered == key.min_answered
    assert outcome.better == "higher"
    assert outcome.labels == {word.lower(): code for word, code in CODES.items()}


def test_every_pupil_with_all_items_has_the_subscore_mapped(
    scored: pd.DataFrame, outcome: OutcomeSection
) -> None:
    whole = scored[scored[outcome.items].notna().all(axis=1)]
    assert len(whole) == 3621
    # Sums of nine whole numbers: exact, but for the last bit of a division by nine.
    assert_allclose(whole["score"], (48 - whole["g8idblng"]) / 9, rtol=1e-15)
    assert (np.round(whole["score"] * 9) == 48 - whole["g8idblng"]).all()


def test_part_answered_questionnaires_have_a_score_from_seven_items(
    scored: pd.DataFrame, outcome: OutcomeSection
) -> None:
    part = scored[scored["g8idblng"].notna() & scored[outcome.items].isna().any(axis=1)]
    answered = part[outcome.items].notna().sum(axis=1)
    assert answered.value_counts().to_dict() == {5: 26, 7: 1}
    assert part["score"].notna().tolist() == (answered >= 7).tolist()


def test_higher_is_more_belonging(scored: pd.DataFrame, outcome: OutcomeSection) -> None:
    """With positive items the score rises, with reversed ones it falls; and outside the scale."""
    with_items = scored[outcome.items].corrwith(scored["score"])
    positive = [item for item in outcome.items if item not in outcome.reverse]
    assert (with_items[positive] > 0.3).all()
    assert (with_items[outcome.reverse] < -0.3).all()
    for item, sign in OUTSIDE.items():
        said = scored[item].str.upper().map(CODES).astype(float)
        assert sign * said.corr(scored["score"]) > 0.2, item
    # Sense as well as sign: the public subscore runs the other way.
    assert scored["g8idblng"].corr(scored["score"]) < -0.9


def test_the_stored_reliability_is_that_of_these_items(
    root: Path, scored: pd.DataFrame, outcome: OutcomeSection, raw: pd.DataFrame
) -> None:
    """What R's psych and lavaan gave is held to the study's table, not to another reading of it."""
    path = root / "tests" / "oracles" / "r" / "psychometrics.json"
    theirs = json.loads(path.read_text(encoding="utf-8"))["star"]
    assert theirs["items"] == outcome.items
    # The stored values are of those who entered in kindergarten.
    entered = scored[scored["gkclasstype"].notna()]
    found = check_reliability(
        entered, outcome.items, reverse=outcome.reverse, range=(1, 4), interval="normal"
    )
    one = found.scales.iloc[0]
    assert one["complete"] == theirs["all"]["moments"]["n"]
    assert_allclose(one["alpha"], theirs["all"]["alpha"], rtol=1e-10)
    assert_allclose(one["omega"], theirs["all"]["omega_lavaan"], atol=1e-5)
    assert_allclose(one["omega_standardised"], theirs["all"]["omega_psych_ml"], atol=1e-4)
    assert_allclose(found.items["item_rest"], theirs["all"]["r_drop"], rtol=1e-10)

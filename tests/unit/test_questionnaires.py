"""Questionnaires from a table of surveys: whose answers, in which mode, and who gave none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.cohort.questionnaires import check_questionnaires
from baseeval.contracts.surveys import MODES, RESPONDENTS, STATUSES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys
from baseeval.plan.outcome_section import Mode, Respondent

#: Pupil -> school, whether in its SEN unit, and need; all enter in September 2016, Year 7.
PUPILS = {
    "a": ("100001", 1, "ASD"),
    "b": ("100001", 1, "ASD"),
    "c": ("100001", 0, "SLCN"),
    "d": ("100002", 0, "ASD"),
    "e": ("100002", 0, "SLCN"),
}
SCALE = {"name": "belonging", "kind": "scale", "items": ["i1", "i2"], "range": [1, 9]}
DAY, LATER = dt.date(2017, 3, 1), dt.date(2017, 5, 1)


def census() -> pd.DataFrame:
    rows = [
        {
            "pupil_id": name,
            "year": year,
            "term": "SPR",
            "urn": school if year >= 2017 else "200001",
            "year_group": str(year - 2010),
            "primary_need": need,
            "sen_unit": flag if year >= 2017 else 0,
        }
        for name, (school, flag, need) in PUPILS.items()
        for year in (2016, 2017)
    ]
    return pd.DataFrame(rows)


def answer(pupil: str, item: str | None, value: object, **more: object) -> dict[str, object]:
    row = {"pupil_id": pupil, "date": DAY, "instrument": "pssm", "item": item, "answer": value}
    return row | more


def both(pupil: str, value: object, **more: object) -> list[dict[str, object]]:
    return [answer(pupil, item, value, **more) for item in ("i1", "i2")]


def build(rows: list[dict[str, object]], *outcomes: dict[str, Any]) -> Cohort:
    keys = {
        "study": {"name": "asked", "title": "Asked"},
        "data": {"source": "contracts", "files": {}},
        "eligibility": {"years": ["7"]},
        "outcomes": list(outcomes or (SCALE,)),
    }
    plan = plan_from_keys(keys, Path("study.toml"))
    return build_cohort(plan, Engine(), {"pupils": census(), "surveys": pd.DataFrame(rows)})


def scores(cohort: Cohort, name: str = "belonging") -> dict[str, float]:
    rows = cohort.engine.collect(cohort.outcomes, ["pupil"]).to_pylist()
    return {row["pupil"]: row["value"] for row in rows if row["outcome"] == name}


def test_the_plan_knows_the_codes_of_the_table() -> None:
    assert set(get_args(Respondent)) == set(RESPONDENTS)
    assert set(get_args(Mode)) == set(MODES)


def test_the_same_items_by_two_respondents_are_two_outcomes() -> None:
    rows = [row for p in PUPILS for row in both(p, 3, respondent="pupil")]
    rows += [row for p in "abc" for row in both(p, 7, respondent="Parent")]
    rows += both("d", 9, respondent=None)
    own = {**SCALE, "respondent": "pupil"}
    proxy = {**SCALE, "name": "by_parent", "respondent": "parent", "reverse": ["i2"]}
    cohort = build(rows, own, proxy)

    assert scores(cohort) == dict.fromkeys(PUPILS, 3)
    assert scores(cohort, "by_parent") == dict.fromkeys("abc", (7 + 3) / 2)
    assert cohort.surveyed.respondents == {"belonging": "pupil", "by_parent": "parent"}
    # Whose the blank ones are, nobody knows: they are read for nobody, and counted.
    assert {f.rule: f.count for f in cohort.faults}["respondent_blank"] == 2


@pytest.mark.parametrize(
    ("who", "asked", "words"),
    [
        (("pupil", "parent"), None, "answers of parent and pupil, which are never put together"),
        (("pupil",), "staff", "takes the answers of staff, and the data hold pupil's"),
        ((None,), "parent", "takes the answers of parent, and the data hold nobody"),
    ],
    ids=str,
)
def test_answers_of_several_are_never_pooled(
    who: tuple[str | None, ...], asked: str | None, words: str
) -> None:
    rows = [row for one in who for p in PUPILS for row in both(p, 3, respondent=one)]
    outcome = SCALE | ({"respondent": asked} if asked else {})
    with pytest.raises(PlanError, match=words):
        build(rows, outcome)


def test_one_respondent_need_not_be_named_and_pupils_need_no_column() -> None:
    rows = [row for p in PUPILS for row in both(p, 3, respondent="staff")]
    assert build(rows).surveyed.respondents == {"belonging": "staff"}
    plain = [row for p in PUPILS for row in both(p, 3)]
    assert scores(build(plain, {**SCALE, "respondent": "pupil"})) == dict.fromkeys(PUPILS, 3)


def test_an_answer_is_given_once_by_each_respondent() -> None:
    rows = [
        row for one in ("pupil", "parent") for p in PUPILS for row in both(p, 3, respondent=one)
    ]
    twice = [*rows, answer("a", "i1", 4, respondent="parent")]
    with pytest.raises(DataError, match="more than one answer to an item on one day"):
        build(twice, {**SCALE, "respondent": "pupil"})


def test_modes_that_are_left_out_are_told_and_those_used_counted() -> None:
    rows = both("a", 2, mode="standard") + both("b", 3, mode="symbols")
    rows += both("c", 4, mode="standard") + both("d", 5, mode="interview") + both("e", 6, mode=None)
    rows += [answer("c", "i2", 4, mode="symbols", date=LATER)]
    rows += [answer("c", "i1", 4, mode="standard", date=LATER)]
    everyone = check_questionnaires(build(rows)).modes
    assert everyone[["arm", "mode", "pupils"]].apply(tuple, axis=1).tolist() == [
        ("base", "standard", 1),
        ("base", "symbols", 1),
        ("host_mainstream", "several", 1),
        ("non_host", "interview", 1),
        ("non_host", "not recorded", 1),
    ]
    some = build(rows, {**SCALE, "modes": ["standard", "interview"]})
    # Of the later survey of `c`, the half in symbols is not read, and half is too little.
    assert set(scores(some)) == set("ad")
    reasons = some.missing.query("missing > 0").set_index("arm")["reason"].to_dict()
    assert set(reasons) == {"base", "non_host"}
    assert set(reasons.values()) == {"answered in a mode that the study leaves out"}


def status(pupil: str, why: str, **more: object) -> dict[str, object]:
    return answer(pupil, None, None, status=why) | more


def test_who_could_not_be_asked_is_counted_by_arm_and_need() -> None:
    rows = both("a", 3, status="answered")
    rows += [status("b", "not_accessible"), status("c", "declined", instrument=None)]
    rows += [answer("d", "i1", 3, status=None), answer("d", "i2", None, status="away")]
    rows += [status("e", "declined"), status("e", "away", date=LATER)]
    # What is said of another instrument, or before an answer in the same wave, is not of this.
    rows += [status("a", "declined", instrument="other"), status("a", "away", date=LATER)]
    cohort = build(rows, {**SCALE, "min_answered": 1.0})
    table = cohort.completion.drop(columns=["outcome", "recorded"]).apply(tuple, axis=1).tolist()
    assert table == [
        ("1", "base", "all", 2, 1, 1, 0, 0),
        ("1", "base", "ASD", 2, 1, 1, 0, 0),
        ("1", "host_mainstream", "all", 1, 0, 0, 1, 0),
        ("1", "host_mainstream", "SLCN", 1, 0, 0, 1, 0),
        ("1", "non_host", "all", 2, 0, 0, 0, 2),
        ("1", "non_host", "ASD", 1, 0, 0, 0, 1),
        ("1", "non_host", "SLCN", 1, 0, 0, 0, 1),
    ]
    assert cohort.completion["recorded"].all()
    # The table of missing values counts an arm only where anybody has the value.
    reasons = cohort.missing[cohort.missing["missing"] > 0]
    assert set(reasons["reason"]) == {"could not be asked in any mode on offer"}


def test_without_a_status_all_others_are_other() -> None:
    cohort = build([row for p in "abd" for row in both(p, 3)])
    table = cohort.completion.query("need == 'all'")
    assert table["answered"].tolist() == [2, 1]
    assert table["other"].tolist() == [0, 1]
    assert table[["could_not_be_asked", "declined"]].isna().all(axis=None)
    assert not table["recorded"].any()


def test_rows_that_contradict_themselves_are_counted_and_not_read() -> None:
    rows = [row for p in "bcde" for row in both(p, 3, status="answered")]
    rows += both("a", 9, status="declined")
    rows += [status("b", "answered"), answer("c", None, 4)]
    cohort = build(rows)
    counts = {fault.rule: fault.count for fault in cohort.faults}
    assert counts["answer_against_status"] == 2
    assert counts["answered_without_item"] == 1
    assert counts["answer_without_item"] == 1
    assert set(scores(cohort)) == set("bcde")
    assert set(STATUSES) == {"answered", "declined", "away", "not_accessible", "not_offered"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"factors": {"one": ["i1", "i2"]}}, "three items or more in `one`"),
        ({"factors": {"one": ["i1", "i9", "i8"]}}, "each item once: `i2`"),
        ({"modes": ["standard", "standard"]}, "names something twice"),
        ({"kind": "continuous", "column": "x", "respondent": "parent"}, "takes no"),
    ],
    ids=str,
)
def test_a_plan_is_refused_that_cannot_be_meant(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        build([], SCALE | keys)


def test_modes_of_a_tidy_table_are_refused() -> None:
    keys = {
        "study": {"name": "tidy", "title": "Tidy"},
        "data": {"table": "pupils.csv"},
        "outcomes": [{**SCALE, "modes": ["standard"]}],
    }
    with pytest.raises(PlanError, match="`modes` needs a source"):
        plan_from_keys(keys, Path("study.toml"))

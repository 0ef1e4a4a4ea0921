"""Tables as they should not be: each is refused with the way out, or read once and counted."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.cohort.building import build_cohort
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys

#: Pupil -> school, and whether in its SEN unit; all enter in September 2016, Year 7.
PUPILS = {
    "a": ("100001", 1),
    "b": ("100001", 1),
    "c": ("100001", 0),
    "d": ("100002", 0),
    "e": ("100002", 0),
}
READING = {"name": "reading", "kind": "continuous", "column": "reading"}
SESSIONS = {
    "name": "attendance",
    "kind": "sessions",
    "attended": "sessions_attended",
    "possible": "sessions_possible",
}
SCALE = {"name": "scale", "kind": "scale", "items": ["i1", "i2"], "range": [1, 9]}
ENTERED = 2017


def census(**columns):
    rows = [
        {
            "pupil_id": name,
            "year": year,
            "term": "SPR",
            "urn": school if year >= ENTERED else "200001",
            "year_group": str(year - 2010),
            "primary_need": "ASD",
            "sen_unit": flag if year >= ENTERED else 0,
            "fsm": 1,
        }
        for name, (school, flag) in PUPILS.items()
        for year in (2016, 2017, 2018)
    ]
    return pd.DataFrame(rows).assign(**columns)


def results(*rows):
    """Give everybody a result of 2017, and these rows besides."""
    own = [(name, ENTERED, "reading", 100.0 + n, None) for n, name in enumerate(PUPILS)]
    columns = ["pupil_id", "year", "measure", "value", "date"]
    return pd.DataFrame([*own, *rows], columns=columns)


def sessions(**columns):
    rows = [
        {"pupil_id": name, "year": year, "sessions_possible": 300.0, "sessions_attended": 290.0 - n}
        for n, name in enumerate(PUPILS)
        for year in (2016, 2017, 2018)
    ]
    return pd.DataFrame(rows).assign(**columns)


def answers(*rows):
    return pd.DataFrame(rows, columns=["pupil_id", "date", "instrument", "item", "answer"])


def build(tables, **changes):
    keys = {
        "study": {"name": "edges", "title": "Edges"},
        "data": {"source": "contracts", "files": {}},
        "eligibility": {"needs": ["ASD"], "years": ["7"]},
        "outcomes": [READING if "attainment" in tables else SESSIONS],
        **changes,
    }
    plan = plan_from_keys(keys, Path("study.toml"))
    own = {} if "table" in tables else {"pupils": census()}
    return build_cohort(plan, Engine(), {**own, **tables})


def covariate(cohort, name):
    found = cohort.engine.collect(cohort.covariates, ["pupil"])
    return dict(zip(found["pupil"].to_pylist(), found[name].to_pylist(), strict=True))


def outcome(cohort, name, wave="1"):
    rows = cohort.engine.collect(cohort.outcomes, ["pupil"]).to_pylist()
    return {r["pupil"]: r["value"] for r in rows if (r["outcome"], r["wave"]) == (name, wave)}


def rules(cohort):
    return {fault.rule: fault.count for fault in cohort.faults}


def test_of_two_rows_in_one_census_the_main_school_s_is_read_and_counted():
    second = census().query("pupil_id == 'c' and year == 2017").assign(urn="100000", enrolment="S")
    rows = pd.concat([second, census(enrolment="C")])
    cohort = build({"pupils": rows, "attendance": sessions()})

    assert covariate(cohort, "school")["c"] == "100001"
    assert rules(cohort)["rows_in_one_census"] == 1


def test_a_row_without_a_school_gives_way_to_one_with_a_school():
    blank = census().query("pupil_id == 'c' and year == 2017").assign(urn=None)
    cohort = build({"pupils": pd.concat([blank, census()]), "attendance": sessions()})

    assert covariate(cohort, "arm")["c"] == "host_mainstream"


@pytest.mark.parametrize("time_zero", ["ehcp_issue", "matched_date"])
def test_two_rows_in_one_census_do_not_make_two_of_a_pupil(time_zero):
    rows = census(ehcp_date=dt.date(2017, 2, 1))
    twice = pd.concat([rows, rows.query("year == 2017 and pupil_id == 'c'").assign(urn="100002")])
    cohort = build(
        {"pupils": twice, "attendance": sessions()},
        eligibility={"needs": ["ASD"], "time_zero": time_zero},
    )

    assert sum(cohort.sizes.values()) == len(PUPILS)


def test_a_refusal_in_a_row_that_is_not_read_is_honoured():
    second = census().query("pupil_id == 'c' and year == 2017").assign(urn="100002", consent=0)
    cohort = build({"pupils": pd.concat([second, census(consent=1)]), "attendance": sessions()})

    assert "c" not in covariate(cohort, "arm")


def test_what_cannot_be_read_of_consent_and_withdrawal_leaves_the_pupil_out():
    text = census(withdrawn=lambda r: np.where(r["pupil_id"] == "c", "in the spring", ""))
    text = text.assign(consent=lambda r: np.where(r["pupil_id"] == "d", "withheld", "yes"))
    cohort = build({"pupils": text, "attendance": sessions()})

    assert set(covariate(cohort, "arm")) == {"a", "b", "e"}


@pytest.mark.parametrize(
    ("table", "rows", "words"),
    [
        ("attendance", sessions().iloc[:4], "Add their sessions up"),
        ("attainment", results().iloc[:2], "Keep one row a pupil, school year and measure"),
    ],
)
def test_two_rows_of_which_one_can_be_so_are_refused(table, rows, words):
    whole = {"attendance": sessions(), "attainment": results()}[table]
    with pytest.raises(DataError, match=words) as error:
        build({table: pd.concat([whole, rows])})

    assert "2 pupils have more than one row" in str(error.value)


def test_of_several_results_within_a_wave_the_last_is_taken():
    again = ("a", ENTERED, "reading", 1.0, dt.date(2017, 7, 1))
    absent = ("b", ENTERED, "reading", None, dt.date(2017, 7, 1))
    found = outcome(build({"attainment": results(again, absent)}), "reading")

    assert found["a"] == 1.0
    assert found["b"] == 101.0


def test_a_date_outside_its_school_year_is_left_out_and_counted():
    stray = ("a", 2016, "reading", 50.0, dt.date(2017, 6, 1))
    cohort = build({"attainment": results(stray)})

    assert outcome(cohort, "reading", "0") == {}
    assert rules(cohort)["date_outside_year"] == 1


def test_a_result_before_time_zero_stands_beside_last_year_s_sessions():
    early = [(name, ENTERED, "reading", 90.0, dt.date(2016, 9, 5)) for name in PUPILS]
    cohort = build(
        {
            "pupils": census(entry_date=dt.date(2016, 9, 20)),
            "attendance": sessions(),
            "attainment": results(*early),
        },
        outcomes=[SESSIONS, {**READING, "standardise": "cohort", "forms": ["change"]}],
    )

    assert set(outcome(cohort, "attendance", "0")) == set(PUPILS)
    # Each from the mean of the school year that it is of, which is that of time zero.
    assert len(set(outcome(cohort, "reading", "0").values())) == 1


def test_sessions_that_cannot_be_are_missing_and_counted():
    ill = sessions(overall=lambda r: np.where(r["pupil_id"] == "a", 400.0, 20.0))
    cohort = build({"attendance": ill.drop(columns="sessions_attended")})

    assert outcome(cohort, "attendance") == dict.fromkeys("bcde", pytest.approx(280 / 300))
    assert rules(cohort)["absence_over_possible"] == 3
    reasons = cohort.missing[cohort.missing["missing"] > 0]
    assert set(reasons["reason"]) == {"more sessions than possible"}


def test_scales_of_different_days_are_both_read():
    second = {**SCALE, "name": "second", "items": ["j1"]}
    rows = [(p, dt.date(2017, 3, 1), "A", item, "3") for p in PUPILS for item in ("i1", "i2")]
    rows += [(p, dt.date(2017, 5, 1), "B", "j1", "4") for p in PUPILS]
    cohort = build({"surveys": answers(*rows)}, outcomes=[SCALE, second])

    assert outcome(cohort, "scale") == dict.fromkeys(PUPILS, 3)
    assert outcome(cohort, "second") == dict.fromkeys(PUPILS, 4)


def test_of_two_surveys_within_a_wave_the_last_is_read_whole():
    rows = [(p, dt.date(2017, 3, 1), "A", item, "3") for p in PUPILS for item in ("i1", "i2")]
    rows += [(p, dt.date(2017, 5, 1), "A", "i1", "9") for p in "ab"]
    shared = {**SCALE, "name": "shared", "items": ["i2"]}
    cohort = build({"surveys": answers(*rows)}, outcomes=[{**SCALE, "min_answered": 1}, shared])

    assert set(outcome(cohort, "scale")) == set("cde")
    assert set(outcome(cohort, "shared")) == set("cde")


def test_one_name_of_items_in_two_instruments_is_refused():
    rows = [(p, dt.date(2017, 3, 1), i, "i1", "3") for p in PUPILS for i in ("A", "B")]
    with pytest.raises(DataError, match="5 answers have another to the same item"):
        build({"surveys": answers(*rows)}, outcomes=[SCALE])


def test_a_census_without_a_row_is_said_to_be_empty():
    with pytest.raises(DataError, match="no row that says of which pupil and school year"):
        build({"pupils": census().iloc[:0], "attendance": sessions()})


def test_reception_has_an_age_and_so_a_date_to_match():
    young = census(year_group=lambda r: r["year"].map({2016: "N2", 2017: "R", 2018: "1"}))
    one = young[(young["pupil_id"] != "d") | (young["year"] < 2018)]
    cohort = build(
        {"pupils": one, "attendance": sessions()},
        eligibility={"needs": ["ASD"], "time_zero": "matched_date"},
    )

    assert set(covariate(cohort, "arm")) == set(PUPILS)


def test_a_leap_day_is_a_time_zero():
    spell = {"pupil_id": ["a"], "urn": ["100001"], "start": [dt.date(2016, 2, 29)]}
    shifted = census(year=lambda r: r["year"] - 1)
    cohort = build(
        {"pupils": shifted, "attendance": sessions(), "placements": pd.DataFrame(spell)},
        eligibility={"needs": ["ASD"], "time_zero": "matched_date"},
        placement={"source": "spells"},
    )

    assert covariate(cohort, "arm") == {
        **dict.fromkeys("abc", "host_mainstream"),
        **dict.fromkeys("de", "non_host"),
        "a": "base",
    }


@pytest.mark.parametrize("name", ["Pupil_ID", "wave", "key:arm", "FSM", "day", "year"])
def test_a_measure_of_a_taken_name_is_refused(name):
    with pytest.raises(PlanError):
        build(
            {"attainment": results().assign(measure=name)}, outcomes=[{**READING, "column": name}]
        )


@pytest.mark.parametrize("name", ["seen", "pupils", "reason", "value", "zero", 'a "b"'])
def test_a_measure_may_have_any_other_name(name):
    before = results().assign(measure=name, year=2016)
    cohort = build(
        {"attendance": sessions(), "attainment": before},
        outcomes=[SESSIONS],
        covariates={"adjust": [name]},
    )

    assert covariate(cohort, name)["b"] == 101


def test_an_item_and_a_measure_of_one_name_are_refused():
    rows = [(p, dt.date(2017, 3, 1), "A", "reading", "3") for p in PUPILS]
    items = {**SCALE, "items": ["reading"]}
    with pytest.raises(PlanError, match="is an item of one outcome and the column of another"):
        build({"attainment": results(), "surveys": answers(*rows)}, outcomes=[READING, items])


@pytest.mark.parametrize("key", [{"school": "pupil_id"}, {"pupil": "arm"}, {"school": "wave"}])
def test_a_key_of_a_taken_name_is_refused(key):
    with pytest.raises(PlanError):
        build({"attendance": sessions()}, data={"source": "contracts", "files": {}, **key})


def test_names_that_differ_by_capitals_alone_are_refused():
    both = pd.concat([results(), results().assign(measure="Reading", year=2016)])
    with pytest.raises(PlanError, match="nothing but its capitals"):
        build({"attainment": both}, covariates={"adjust": ["Reading"]})


def test_an_earlier_result_of_the_outcome_s_own_measure_may_be_adjusted_for():
    older = [(name, 2015, "reading", 7.0, None) for name in PUPILS]
    before = build({"attainment": results(*older)}, covariates={"adjust": ["reading"]})
    after = build(
        {"attainment": results(*older)},
        covariates={"adjust": [{"column": "reading", "after_placement": True}]},
    )

    assert set(covariate(before, "reading").values()) == {7.0}
    assert covariate(after, "reading")["b"] == 101.0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("entry_date", "is a day"),
        ("idaci", "no pupil of an arm has any value of `idaci`"),
        ({"column": "year_group", "kind": "number"}, "is no number in the data dictionary"),
    ],
)
def test_a_covariate_that_is_none_is_refused(entry, words):
    rows = census(entry_date=dt.date(2016, 9, 1), idaci=None)
    with pytest.raises(PlanError, match=words):
        build({"pupils": rows, "attendance": sessions()}, covariates={"adjust": [entry]})


def test_a_flag_is_a_category_where_the_plan_says_so():
    entry = {"column": "fsm", "kind": "category"}
    cohort = build({"attendance": sessions()}, covariates={"adjust": [entry]})

    assert set(covariate(cohort, "fsm").values()) == {"1"}


def test_a_row_of_schools_without_a_year_needs_a_day():
    schools = pd.DataFrame({"urn": ["100001", "100002"], "year": None, "fsm_percent": [5.0, 9.0]})
    tables = {"attendance": sessions(), "schools": schools}
    with pytest.raises(PlanError, match="does not say of which year `fsm_percent` is"):
        build(tables, covariates={"adjust": ["fsm_percent"]})
    day = {"column": "fsm_percent", "date": dt.date(2016, 6, 1)}
    dated = {"adjust": [day], "placement_date": dt.date(2016, 9, 1)}

    assert covariate(build(tables, covariates=dated), "fsm_percent")["e"] == 9.0


@pytest.mark.parametrize(
    ("key", "words"), [("needs", ["ASD", "autism"]), ("years", ["Year 7"]), ("phases", ["sec"])]
)
def test_a_code_of_eligibility_that_nobody_can_have_is_refused(key, words):
    with pytest.raises(PlanError, match="is not a code of the data dictionary"):
        build({"attendance": sessions()}, eligibility={key: words})


def test_an_eligible_peer_is_in_no_arm_and_in_no_count():
    links = pd.DataFrame({"pupil_id": ["b", "nobody"], "peer_of": ["a", "c"]})
    cohort = build(
        {"attendance": sessions(), "peers": links},
        data={"source": "contracts", "files": {"peers": "given"}},
        outcomes=[{**SESSIONS, "forms": ["level", "gap"]}],
    )

    assert cohort.sizes == {"base": 1, "host_mainstream": 1, "non_host": 2}
    assert cohort.need_rules["pupils"].tolist() == [4, 0, 4]
    assert cohort.movements.query("wave == '1'")["pupils"].sum() == 4
    assert rules(cohort)["peer_not_in_census"] == 1


def test_peers_that_the_plan_does_not_name_are_refused():
    links = pd.DataFrame({"pupil_id": ["b"], "peer_of": ["a"]})
    with pytest.raises(PlanError, match="the plan does not name it"):
        build({"attendance": sessions(), "peers": links})


def test_hosts_that_no_census_knows_are_counted():
    cohort = build({"attendance": sessions()}, placement={"hosts": ["100001", "999999"]})

    assert rules(cohort)["host_not_in_census"] == 1


def test_figures_that_are_all_alike_have_no_distance_from_their_mean():
    alike = sessions(sessions_attended=lambda r: np.where(r["year"] == 2018, 290.0, 280.0))
    alike.loc[alike["year"] == 2017, "sessions_attended"] -= np.arange(len(PUPILS))
    cohort = build({"attendance": alike}, outcomes=[{**SESSIONS, "standardise": "cohort"}])

    assert set(outcome(cohort, "attendance", "1")) == set(PUPILS)
    assert outcome(cohort, "attendance", "2") == {}


def test_a_refusal_at_a_later_wave_of_a_tidy_table_is_honoured():
    table = sessions(school_id="100001", arm="base", agreed="yes", gone="")
    table.loc[(table["pupil_id"] == "a") & (table["year"] == 2018), "agreed"] = "no"
    table.loc[(table["pupil_id"] == "b") & (table["year"] == 2017), "gone"] = "left in May"
    cohort = build(
        {"table": table},
        data={"table": "given", "wave": "year"},
        arms={"column": "arm", "base": ["base"]},
        eligibility={"columns": {"consent": "agreed", "withdrawn": "gone"}},
    )

    assert set(covariate(cohort, "arm")) == set("cde")


def test_exclusions_in_contract_form_are_read_by_their_contract(tmp_path):
    given = {
        "pupils": pd.DataFrame(
            {
                "pupil_id": ["a", "b"],
                "year": [2021, 2021],
                "urn": ["100001", "100002"],
                "year_group": ["7", "7"],
                "sen_unit": [1, 0],
            }
        ),
        "exclusions": pd.DataFrame(
            {"pupil_id": ["a", "b"], "year": [2021, 2021], "suspension_sessions": [4, 0]}
        ),
    }
    plan = plan_from_keys(
        {
            "study": {"name": "s", "title": "S"},
            "data": {"source": "contracts"},
            "outcomes": [{"name": "lost", "kind": "continuous", "column": "suspension_sessions"}],
        },
        tmp_path / "study.toml",
    )
    cohort = build_cohort(plan, Engine(), given)
    rows = cohort.engine.collect(cohort.outcomes, ["pupil"]).to_pylist()

    assert [(row["pupil"], row["wave"], row["value"]) for row in rows] == [
        ("a", "1", 4.0),
        ("b", "1", 0.0),
    ]

"""Crosswalks: which heading means which column, in whose year and term."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault
from baseeval.sources.crosswalk import Crosswalk, contract_crosswalk, load_crosswalk, with_headings
from baseeval.sources.gathering import gather_files, gather_frames
from baseeval.sources.headings import full_year, match_headings, renamed
from baseeval.sources.npd import NPD_FILES
from baseeval.sources.npd_absence import read_absence
from baseeval.sources.npd_outcomes import MEASURES
from baseeval.sources.recoding import recoded

CENSUS = load_crosswalk("npd_census")
KEYS = ("PupilMatchingRefAnonymous_SPR22", "URN_SPR22")


def cased(text):
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda ups: "".join(c.upper() if up else c.lower() for c, up in zip(text, ups, strict=True))
    )


@pytest.mark.parametrize("name", NPD_FILES.values())
def test_a_shipped_crosswalk_holds_together(name):
    crosswalk = load_crosswalk(name)
    headings = [heading.lower() for heading in crosswalk.headings()]

    assert crosswalk.meaning
    assert crosswalk.contract in TABLES
    assert len(set(headings)) == len(headings)
    for options in crosswalk.needed:
        assert set(options) <= {*crosswalk.columns, "term", "year"}
    assert set(crosswalk.recode) <= set(crosswalk.columns)


def test_the_census_leads_to_columns_of_its_contract_and_to_its_codes():
    contract = TABLES["pupils"]

    assert set(CENSUS.columns) <= set(contract.names())
    for column, codes in CENSUS.recode.items():
        assert set(codes.values()) <= set(contract.column(column).codes)


@pytest.mark.parametrize("stage", MEASURES)
def test_every_measure_has_a_heading(stage):
    columns = load_crosswalk(f"npd_{stage.lower()}").columns
    for measure in MEASURES[stage]:
        assert measure.name in columns
        assert not measure.outcome or measure.outcome in columns


@given(st.sampled_from(sorted(CENSUS.columns)), st.data())
def test_a_heading_in_any_case_says_its_column_term_and_year(column, data):
    option = data.draw(st.sampled_from(CENSUS.columns[column]))
    term = data.draw(st.sampled_from(["AUT", "SPR", "SUM"]))
    year = data.draw(st.integers(0, 99))
    heading = data.draw(cased(f"{option}_{term}{year:02d}"))

    found, marks = CENSUS.place(heading)

    assert found == column
    assert (marks["term"].upper(), marks["year"]) == (term, f"{year:02d}")


@pytest.mark.parametrize(
    ("crosswalk", "heading", "column", "marks"),
    [
        ("npd_ks2", "KS2_PupilMatchingRefAnonymous", "pupil_id", {}),
        ("npd_ks2", "PupilMatchingRefAnonymous_KS2", "pupil_id", {}),
        ("npd_ks2", "ks2_readmrk", "ks2_reading", {}),
        ("npd_ks4", "KS4_LEVEL2_EM_94", "ks4_english_maths_94", {}),  # 94 is a grade, not a year
        ("npd_ks4", "KS4_HGMATH_91", "ks4_maths_grade", {}),
        ("npd_absence", "ABS_SessionsPossible_3Term", "sessions_possible_annual", {}),
        ("npd_absence", "SessionsPossible_Summer6th_ab22", "sessions_possible_summer6th", "22"),
        ("npd_absence", "UnauthorisedAbsence_Annual_ab07", "unauthorised_annual", "07"),
        ("npd_absence", "NCyearActual_SPR22", "year_group", "22"),
        ("npd_exclusions", "TotalFixedSessions_EX19", "suspension_sessions", "19"),
        ("npd_census", "SENprovisionMajor_SPR22", None, {}),
        ("npd_census", "Title", None, {}),
    ],
)
def test_headings_of_other_extracts(crosswalk, heading, column, marks):
    expected = {"year": marks} if isinstance(marks, str) else marks

    assert load_crosswalk(crosswalk).place(heading) == (column, expected)


@pytest.mark.parametrize(
    ("file", "year"),
    [
        ("ks2_2022.csv", "2022"),
        ("KS2Pupil2016.parquet", "2016"),
        ("2019 ks2.csv", "2019"),
        ("ks2_2015_to_2019.csv", None),
        ("ks2_202122.csv", None),
        ("ks2_2021-22.csv", None),
        ("ks2_2021_22.csv", None),
        ("ks2_20220131.csv", None),
        ("ks2_22.csv", None),
    ],
)
def test_the_year_of_a_key_stage_file_is_its_own_only_where_it_cannot_be_another(file, year):
    headings = ["KS2_PupilMatchingRefAnonymous", "KS2_READMRK"]
    if year:
        assert match_headings(load_crosswalk("npd_ks2"), headings, file).marks == {"year": year}
        return
    with pytest.raises(DataError) as stopped:
        match_headings(load_crosswalk("npd_ks2"), headings, file)
    (problem,) = stopped.value.problems
    assert isinstance(problem, Fault)
    assert (problem.file, problem.column, problem.rule) == (file, "year", "no_column")
    assert "KS2_ACADYR" in str(problem)


def test_of_two_names_for_one_thing_the_first_is_read_and_the_other_is_said():
    headings = [*KEYS, "Gender_SPR22", "Sex_SPR22"]
    matched = match_headings(CENSUS, headings, "spring.csv")

    assert dict(matched.found)["sex"] == "Sex_SPR22"
    assert matched.passed_over == (("Gender_SPR22", "Sex_SPR22"),)
    with Engine() as engine:
        frame = engine.table(pa.table({heading: ["1"] for heading in headings}))
        (fault,) = gather_frames([frame], CENSUS, engine, "spring.csv").faults
    assert str(fault).startswith("spring.csv, column `Gender_SPR22`: `Sex_SPR22` means the same")
    assert (fault.rule, fault.stops) == ("passed_over", False)


def problems(headings, crosswalk=CENSUS, file="census.csv"):
    with pytest.raises(DataError) as stopped:
        match_headings(crosswalk, headings, file)
    return stopped.value.problems


def test_one_heading_twice_is_asked_about():
    (problem,) = problems([*KEYS, "urn_spr22"])

    assert str(problem) == (
        "census.csv, column `URN_SPR22`: 2 columns mean `urn` (URN_SPR22, urn_spr22). "
        "Keep one of them, or name it in [data.columns]."
    )


def test_a_file_is_of_one_census():
    first, second = problems([*KEYS, "NCyearActual_SUM23"])

    assert str(first).startswith("census.csv: its headings are of more than one term (SPR, SUM)")
    assert str(second).startswith("census.csv: its headings are of more than one year (22, 23)")


@pytest.mark.parametrize(
    ("ending", "said"), [("_WIN22", "_WIN22"), ("_SPR2022", "_SPR2022"), ("_SPR", "_SPR")]
)
def test_an_ending_that_nobody_knows_stops_and_names_the_file(ending, said):
    (problem,) = problems([f"PupilMatchingRefAnonymous{ending}", f"URN{ending}"])

    assert isinstance(problem, Fault)
    assert (problem.rule, problem.file, problem.stops) == ("unknown_suffix", "census.csv", True)
    assert str(problem) == (
        f"census.csv: its headings end in {said}, which names no term or year that is known "
        "here. Name the columns as the extract does (URN_SPR22)."
    )


def test_a_whole_file_of_such_endings_is_named_too(tmp_path):
    (tmp_path / "a.csv").write_text("PupilMatchingRefAnonymous_WIN22,URN_WIN22\nP1,100001\n")
    (tmp_path / "b.csv").write_text("PupilMatchingRefAnonymous_SPR22,URN_SPR22\nP1,100001\n")
    with Engine() as engine, pytest.raises(DataError) as stopped:
        gather_files("*.csv", tmp_path, CENSUS, engine, "[data.files] `census`")
    (problem,) = stopped.value.problems
    assert (problem.where, problem.rule) == ("a.csv", "unknown_suffix")


def test_what_every_file_needs_is_named_with_the_headings_that_would_do():
    first, second = problems(["NCyearActual_SPR22"])

    assert str(first).startswith("census.csv: it has no `pupil_id` (headings known here: Pupil")
    assert str(second).startswith("census.csv: it has no `urn` or `laestab` (headings known here")
    assert [problem.rule for problem in (first, second)] == ["no_column", "no_column"]


def test_a_users_own_heading_stands_in_place_of_the_known_ones():
    own = with_headings(CENSUS, {"sex": "GenderAtBirth", "fsm": "fsm now"})
    matched = match_headings(own, [*KEYS, "genderatbirth", "Sex_SPR22", "FSM NOW"], "c.csv")

    assert dict(matched.found) == {
        "pupil_id": KEYS[0],
        "urn": KEYS[1],
        "sex": "genderatbirth",
        "fsm": "FSM NOW",
    }


def test_a_file_that_has_the_contracts_headings_needs_no_crosswalk():
    crosswalk = contract_crosswalk(TABLES["peers"])

    assert match_headings(crosswalk, ["Pupil_ID", "peer_of", "x"], "p.csv").found == (
        ("pupil_id", "Pupil_ID"),
        ("peer_of", "peer_of"),
    )


@pytest.mark.parametrize(
    ("mark", "year"), [("96", 1996), ("00", 2000), ("22", 2022), ("89", 2089), ("1998", 1998)]
)
def test_years_of_two_digits(mark, year):
    assert full_year(mark) == year


def test_columns_of_a_files_own_stand_before_what_its_headings_say():
    crosswalk = Crosswalk(
        "own", "pupils", "", {"pupil_id": ("id",), "year": ("when",)}, suffix="_(?P<year>[0-9]{2})"
    )
    with Engine() as engine:
        frame = engine.table(pa.table({"id_22": ["a"], "when": [2019]}))
        found = renamed(frame, match_headings(crosswalk, ["id_22", "when"], "f.csv"))
        assert engine.collect(found, []).to_pylist() == [{"pupil_id": "a", "year": 2019}]


def test_codes_of_the_origin_are_written_anew_and_counted():
    crosswalk = Crosswalk("c", "pupils", "", {}, recode={"sen": {"A": "K", "P": "K", "S": "E"}})
    with Engine() as engine:
        frame = engine.table(
            pa.table({"sen": ["A", " p", "S", "K", "", None, "AP"], "x": range(7)})
        )
        found, (fault,) = recoded(frame, crosswalk, engine, "c.csv")
        values = engine.collect(found, ["x"]).column("sen").to_pylist()

    assert values == ["K", "K", "E", "K", None, None, "AP"]
    assert (fault.rule, fault.column, fault.count, fault.stops) == ("older_code", "sen", 3, False)
    assert "3 rows hold an older or other code, read as A as K, P as K, S as E" in str(fault)


def test_files_of_one_key_may_differ_in_their_columns_and_types(tmp_path):
    with Engine() as engine:
        text = engine.table(
            pa.table(
                {
                    "PupilMatchingRefAnonymous_ab21": ["P1"],
                    "SessionsPossible_3Term_ab21": ["9"],
                    "OverallAbsence_3Term_ab21": ["1"],
                }
            )
        )
        typed = engine.table(
            pa.table(
                {
                    "PupilMatchingRefAnonymous_ab22": ["P1"],
                    "SessionsPossible_Autumn_ab22": pa.array([8.0]),
                    "SessionsPossible_3Term_ab22": pa.array([8], pa.int16()),
                    "OverallAbsence_Autumn_ab22": pa.array([2], pa.int8()),
                }
            )
        )
        nobody = engine.table(pa.table({"pupil_id": ["P1"]}))
        gathered = gather_frames([text, typed], load_crosswalk("npd_absence"), engine, "frames")
        read = read_absence(gathered, nobody, engine)
        rows = engine.collect(read.frame, ["year"]).select(["year", "sessions_possible", "overall"])

    assert rows.to_pylist() == [
        {"year": 2021, "sessions_possible": 9.0, "overall": 1.0},
        {"year": 2022, "sessions_possible": 8.0, "overall": 2.0},
    ]

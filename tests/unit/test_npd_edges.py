"""Edges of the National Pupil Database's extracts, one small file each."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseeval.contracts.vocabulary import NO_RESULT
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.crosswalk import load_crosswalk, with_headings
from baseeval.sources.gathering import gather_files
from baseeval.sources.npd import read_npd
from baseeval.sources.npd_outcomes import MEASURES, RESULTS, SPECIAL, STATUS_OF_OUTCOME
from baseeval.sources.npd_results import read_results
from baseeval.sources.rows import one_each
from baseeval.sources.tables import ReadOptions

NPD: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "npd_extract.py"))

CENSUS = """
PupilMatchingRefAnonymous_SPR22, URN_SPR22, NCyearActual_SPR22
P1, 100001, 6
P2, 100001, 11
"""


def read(folder, **files):
    """Read a census and one other file; the keys are the files' names without their ending."""
    given = {"census_2022": CENSUS, **files}
    return NPD["read"](NPD["write_text"](folder, {f"{k}.csv": v for k, v in given.items()}))


# ----------------------------------------------------------------------------------------
# What stops
# ----------------------------------------------------------------------------------------


def test_there_is_no_study_without_a_census():
    with Engine() as engine, pytest.raises(DataError, match="names no census"):
        read_npd({}, engine, ReadOptions())


@pytest.mark.parametrize("year", [2020, 2021])
def test_results_of_tests_that_were_cancelled_stop(tmp_path, year):
    found = read(
        tmp_path,
        ks2_results=f"""
KS2_PupilMatchingRefAnonymous, KS2_ACADYR, KS2_READMRK
P1, {year - 1}/{year}, 30
P2, 2021/2022, 30
""",
    )

    (fault,) = (fault for fault in found.faults if fault.stops)
    assert (fault.rule, fault.count) == ("cancelled_tests", 1)
    assert str(fault) == (
        "ks2_results.csv, column `year`: 1 row has results of 2020 or 2021, when the tests of key "
        "stage 2 were cancelled. Check the years: no such results exist."
    )


def test_progress_that_nobody_could_make_is_missing_and_counted(tmp_path):
    found = read(
        tmp_path,
        ks2_results="""
KS2_PupilMatchingRefAnonymous, KS2_ACADYR, KS2_READPROGSCORE
P1, 2023, 1.5
P1, 2024, 1.5
P1, 2025,
""",
    )

    assert found.rows("attainment", "year", "measure", "value", "why:value") == [
        (2023, "ks2_reading_progress", 1.5, None),
        (2024, "ks2_reading_progress", None, "no such measure that year"),
        (2025, "ks2_reading_progress", None, "no such measure that year"),
    ]
    assert found.counts()["ks2", "ks2_reading_progress", "no_such_measure"] == 1


# ----------------------------------------------------------------------------------------
# Schools and years
# ----------------------------------------------------------------------------------------


def test_where_there_is_no_urn_laestab_is_the_school(tmp_path):
    found = read(
        tmp_path,
        census_2021="""
PupilMatchingRefAnonymous_SUM21, LAESTAB_SUM21
P1, 3334444
P2,
""",
    )

    assert found.rows("pupils", "pupil_id", "year", "urn", "laestab") == [
        ("P1", 2021, "3334444", "3334444"),
        ("P1", 2022, "100001", None),
        ("P2", 2021, None, None),
        ("P2", 2022, "100001", None),
    ]
    (fault,) = (fault for fault in found.faults if fault.rule == "laestab_for_urn")
    assert "1 row has no URN, so that LAESTAB serves as the key of the school" in str(fault)


@pytest.mark.parametrize("said", ["2022", "2021/22", "2021/2022", "202122", "2021-22", "20212022"])
def test_a_school_year_is_named_by_its_summer(tmp_path, said):
    found = read(tmp_path, ks4_r=f"KS4_PupilMatchingRefAnonymous,KS4_ACADYR,KS4_ATT8\nP1,{said},5")

    assert found.rows("attainment", "year", "value") == [(2022, 5.0)]


def test_years_that_do_not_follow_one_another_are_no_school_year(tmp_path):
    found = read(tmp_path, ks4_r="KS4_PupilMatchingRefAnonymous,KS4_ACADYR,KS4_ATT8\nP1,2021/24,5")

    assert found.tables["attainment"].num_rows == 0
    assert found.counts()["ks4", "year", "text_in_number"] == 1


# ----------------------------------------------------------------------------------------
# Absence
# ----------------------------------------------------------------------------------------


def absence(folder, *rows, headings="Autumn Spring Summer", extra=""):
    terms = headings.split()
    columns = [f"SessionsPossible_{t}_ab22" for t in terms]
    columns += [f"OverallAbsence_{t}_ab22" for t in terms]
    header = ",".join(["PupilMatchingRefAnonymous_ab22", *columns, *filter(None, [extra])])
    return read(folder, absence_2022="\n".join([header, *rows]))


SESSIONS = ("pupil_id", "sessions_possible", "overall", "sessions_attended", "why:overall")


def test_exactly_420_sessions_are_not_questioned(tmp_path):
    found = absence(tmp_path, "P1,140,140,140,1,1,1", "P2,200,221,0,0,0,0")

    assert found.rows("attendance", *SESSIONS) == [
        ("P1", 420, 3, 417, None),
        ("P2", None, None, None, "over 420 sessions"),
    ]


def test_a_year_11_whose_only_record_is_of_summer_has_no_record(tmp_path):
    found = absence(tmp_path, "P2,,,50,9,,1")

    assert found.rows("attendance", *SESSIONS) == [("P2", None, None, None, "blank")]


def test_absence_in_a_term_without_sessions_is_not_counted(tmp_path):
    found = absence(tmp_path, "P1,100,,50,9,7,1")

    assert found.rows("attendance", *SESSIONS) == [("P1", 150, 10, 140, None)]


def test_the_whole_year_serves_only_where_there_are_no_terms(tmp_path):
    found = absence(
        tmp_path,
        "P1,100,50,200,4,4,20",
        "P1,,,170,,,8",
        "P2,,,390,,,20",
        headings="Autumn Spring Annual",
    )

    assert found.rows("attendance", *SESSIONS) == [
        ("P1", 320, 16, 304, None),
        ("P2", 390, 20, 370, None),
    ]
    assert found.counts()["absence", "sessions_possible", "summer_not_dropped"] == 1


def test_the_year_group_of_the_census_comes_before_that_of_the_absence_table(tmp_path):
    found = absence(
        tmp_path,
        "P1,100,100,100,1,1,1,11",
        "P2,100,100,100,1,1,1,6",
        "X1,100,100,100,1,1,1,11",
        "X2,100,100,100,1,1,1,",
        extra="NCyearActual_ab22",
    )

    assert [row[:2] for row in found.rows("attendance", *SESSIONS)] == [
        ("P1", 300),
        ("P2", 200),
        ("X1", 200),
        ("X2", 300),
    ]
    assert found.counts()["absence", "year_group", "year_group_unknown"] == 1
    assert found.counts()["absence", "pupil_id", "not_in_census"] == 2


def test_codes_and_halves_are_no_sessions(tmp_path):
    found = absence(tmp_path, "P1,100,100,100,c,1,1", "P2,100,100.5,,1,1,")

    assert found.rows("attendance", *SESSIONS) == [
        ("P1", 300, None, None, "blank"),
        ("P2", 100, 1, 99, None),
    ]
    assert found.counts()["absence", "sessions_possible_spring", "not_whole"] == 1


# ----------------------------------------------------------------------------------------
# Results
# ----------------------------------------------------------------------------------------


def test_every_status_is_a_word_of_the_contract():
    assert set(STATUS_OF_OUTCOME.values()) == set(NO_RESULT)
    assert not {*RESULTS, *SPECIAL} & set(STATUS_OF_OUTCOME)
    names = [measure.name for measures in MEASURES.values() for measure in measures]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("code", [*STATUS_OF_OUTCOME, "zz"])
def test_a_zero_beside_a_code_is_never_a_result(tmp_path, code):
    found = read(
        tmp_path,
        ks2_2022=f"""
KS2_PupilMatchingRefAnonymous, KS2_READOUTCOME, KS2_READMRK, KS2_READSCORE, KS2_READEXP
P1, {code}, 0, 0, 0
P2, {code.lower()}, , ,
""",
    )

    status = STATUS_OF_OUTCOME.get(code, "other")
    assert found.rows("attainment", "value", "why:value", "status") == [(None, status, status)] * 6


def test_a_scaled_score_under_80_is_no_score_and_a_mark_of_zero_is_one(tmp_path):
    found = read(
        tmp_path,
        ks2_2022="""
KS2_PupilMatchingRefAnonymous, KS2_READOUTCOME, KS2_READMRK, KS2_READSCORE
P1, NS, 0, 0
P2, , 33, 104
""",
    )

    assert found.rows("attainment", "pupil_id", "measure", "value", "why:value") == [
        ("P1", "ks2_reading", 0.0, None),
        ("P1", "ks2_reading_scaled", None, "no scaled score"),
        ("P2", "ks2_reading", 33.0, None),
        ("P2", "ks2_reading_scaled", 104.0, None),
    ]


def test_a_measure_that_a_years_file_lacks_is_not_there_in_that_year(tmp_path):
    found = read(
        tmp_path,
        ks2_2019="KS2_PupilMatchingRefAnonymous,KS2_MATMRK\nP1,40",
        ks2_2022="KS2_PupilMatchingRefAnonymous,KS2_READMRK\nP1,30\nP2,",
    )

    assert found.rows("attainment", "pupil_id", "year", "measure", "value", "why:value") == [
        ("P1", 2019, "ks2_maths", 40.0, None),
        ("P1", 2022, "ks2_reading", 30.0, None),
        ("P2", 2022, "ks2_reading", None, "blank"),
    ]


def test_the_heading_of_a_score_may_be_the_users_own(tmp_path):
    (tmp_path / "ks2_2022.csv").write_text("KS2_PupilMatchingRefAnonymous,SCALED\nP1,101\n")
    crosswalk = with_headings(load_crosswalk("npd_ks2"), {"ks2_reading_scaled": "Scaled"})
    with Engine() as engine:
        gathered = gather_files("ks2_2022.csv", tmp_path, crosswalk, engine, "")
        read = read_results(gathered, "KS2", engine)
        (row,) = engine.collect(read.frame, []).to_pylist()

    assert (row["measure"], row["value"]) == ("ks2_reading_scaled", 101.0)


# ----------------------------------------------------------------------------------------
# Exclusions
# ----------------------------------------------------------------------------------------


def test_a_count_that_a_years_file_lacks_is_no_zero(tmp_path):
    found = read(
        tmp_path,
        census_2021="PupilMatchingRefAnonymous_SUM21,URN_SUM21\nP1,100001",
        exclusions_2021="PupilMatchingRefAnonymous_ex21,TotalFixedExclusions_ex21\nP9,1",
        exclusions_2022="PupilMatchingRefAnonymous_ex22,PermanentExclusionCount_ex22\nP2,1",
    )

    names = ("pupil_id", "year", "suspensions", "permanent_exclusions")
    assert found.rows("exclusions", *names) == [
        ("P1", 2021, 0, None),
        ("P1", 2022, None, 0),
        ("P2", 2022, None, 1),
        ("P9", 2021, 1, None),
    ]


# ----------------------------------------------------------------------------------------
# One row of several
# ----------------------------------------------------------------------------------------

CELLS = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.integers(0, 2),
    st.sampled_from(["x", "y", None]),
    st.sampled_from([1.5, 2.5, None]),
)


@given(st.lists(CELLS, max_size=12), st.randoms(use_true_random=False))
def test_the_row_that_is_kept_does_not_hang_on_the_order_of_rows(rows, draw):
    shuffled = list(rows)
    draw.shuffle(shuffled)
    kept = []
    with Engine() as engine:
        for order in (rows, shuffled):
            table = pa.table(
                {
                    "key": pa.array([row[0] for row in order], pa.string()),
                    "rank": pa.array([row[1] for row in order], pa.int64()),
                    "word": pa.array([row[2] for row in order], pa.string()),
                    "number": pa.array([row[3] for row in order], pa.float64()),
                }
            )
            found, lost = one_each(engine.table(table), ["key"], [nw.col("rank")], engine)
            kept.append(
                (engine.collect(found, ["key", "rank", "word", "number"]).to_pylist(), lost)
            )

    assert kept[0] == kept[1]
    named = [row for row in rows if row[0] is not None]
    best = {key: min(row[1] for row in named if row[0] == key) for key in {r[0] for r in named}}
    assert {r["key"]: r["rank"] for r in kept[0][0] if r["key"]} == best
    assert kept[0][1] == len(named) - len(best)

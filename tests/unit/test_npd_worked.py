"""A dozen pupils of the National Pupil Database, worked by hand."""

from __future__ import annotations

import random
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from baseeval.contracts import pupils
from baseeval.sources.tables import ReadOptions

NPD: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "npd_extract.py"))
WORKED = NPD["WORKED"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return NPD["read"](NPD["write_text"](tmp_path_factory.mktemp("npd"), WORKED))


def test_one_row_a_pupil_and_census(found):
    assert found.rows("pupils", "pupil_id", "year", "term", "urn", "enrolment", "on_roll") == [
        ("P01", 2021, "SPR", "100001", "C", 1),
        ("P01", 2022, "AUT", "100001", "C", 1),
        ("P01", 2022, "SPR", "100001", "C", 1),
        ("P01", 2022, "SUM", "100001", "C", 1),
        ("P01", 2023, "AUT", "100006", "C", 1),
        ("P01", 2023, "SPR", "100006", "C", 1),
        ("P02", 2022, "AUT", "100002", "C", 1),
        ("P02", 2022, "SPR", "100002", "C", 1),
        ("P03", 2022, "SPR", "100002", "M", 1),  # main, though the subsidiary has the lower URN
        ("P04", 2022, "SPR", "100003", "S", 1),  # subsidiary only: kept
        ("P05", 2022, "SPR", "100004", "C", 1),  # on roll, though with the higher URN
        ("P06", 2022, "SPR", "100003", "C", 1),  # alike: the lowest URN
        ("P07", 2021, "SPR", "100001", "C", 1),
        ("P07", 2022, "AUT", "100001", "C", 1),
        ("P07", 2022, "SPR", "100001", "C", 1),
        ("P07", 2023, "AUT", "100006", "C", 1),
        ("P08", 2022, "SPR", "100006", "C", 1),
        ("P08", 2022, "SUM", "100006", "C", 1),
        ("P09", 2021, "SPR", "100001", "C", 1),
        ("P09", 2022, "AUT", "100001", "C", 1),
        ("P09", 2022, "SPR", "100001", "C", 1),
        ("P10", 2022, "SPR", "100007", "G", 1),  # neither main nor single: on roll decides
        ("P11", 2022, "SPR", "100001", "C", 1),
        ("P11", 2023, "AUT", "100006", "C", 1),
        ("P12", 2022, "SPR", "100006", "C", 1),
        ("P13", 2022, "SUM", "100008", "C", 1),
    ]


def test_year_groups_in_every_spelling(found):
    groups = found.rows("pupils", "pupil_id", "year", "term", "year_group")

    assert [row for row in groups if row[0] in ("P02", "P09", "P12")] == [
        ("P02", 2022, "AUT", "6"),
        ("P02", 2022, "SPR", "6"),  # 06
        ("P09", 2021, "SPR", "N1"),
        ("P09", 2022, "AUT", "R"),
        ("P09", 2022, "SPR", "7"),  # "7 " with its space
        ("P12", 2022, "SPR", "X"),
    ]


def test_sen_provision_with_its_older_codes(found):
    sen = found.rows("pupils", "pupil_id", "year", "term", "sen_provision", "why:sen_provision")

    assert [row for row in sen if row[0] in ("P07", "P08", "P11", "P12")] == [
        ("P07", 2021, "SPR", "K", None),  # A
        ("P07", 2022, "AUT", "K", None),  # P
        ("P07", 2022, "SPR", "E", None),  # S
        ("P07", 2023, "AUT", None, "blank"),
        ("P08", 2022, "SPR", "E", None),  # e
        ("P08", 2022, "SUM", "E", None),
        ("P11", 2022, "SPR", None, "blank"),
        ("P11", 2023, "AUT", "N", None),
        ("P12", 2022, "SPR", None, "unknown code"),  # Q
    ]


def test_an_empty_sen_provision_may_mean_none(tmp_path):
    found = NPD["read"](NPD["write_text"](tmp_path, WORKED), ReadOptions(blank_sen="none"))

    sen = found.rows("pupils", "pupil_id", "year", "term", "sen_provision", "why:sen_provision")
    assert [row for row in sen if row[0] in ("P07", "P11", "P12")][3:] == [
        ("P07", 2023, "AUT", "N", None),
        ("P11", 2022, "SPR", "N", None),
        ("P11", 2023, "AUT", "N", None),
        ("P12", 2022, "SPR", None, "unknown code"),
    ]
    (fault,) = (fault for fault in found.faults if fault.rule == "blank_sen")
    assert "2 rows have no SEN provision recorded, read as no SEN." in str(fault)


def test_what_spring_records_is_carried_forward_and_never_back(found):
    columns = ("primary_need", "why:primary_need", "secondary_need", "fsm6", "why:fsm6")
    rows = found.rows("pupils", "pupil_id", "year", "term", *columns)
    later = "not collected this term"

    assert [row for row in rows if row[0] in ("P01", "P02", "P07", "P08", "P12", "P13")] == [
        ("P01", 2021, "SPR", "ASD", None, "SLCN", 1, None),
        ("P01", 2022, "AUT", "ASD", None, "SLCN", 1, None),
        ("P01", 2022, "SPR", "SEMH", None, "ASD", 1, None),  # BESD
        ("P01", 2022, "SUM", "SEMH", None, "ASD", 1, None),
        ("P01", 2023, "AUT", "SEMH", None, "ASD", 1, None),
        ("P01", 2023, "SPR", "SEMH", None, None, 1, None),
        ("P02", 2022, "AUT", None, later, None, None, later),
        ("P02", 2022, "SPR", "SLCN", None, None, 0, None),
        ("P07", 2021, "SPR", "SEMH", None, None, 0, None),
        ("P07", 2022, "AUT", "SEMH", None, None, 0, None),
        ("P07", 2022, "SPR", None, "blank", None, 0, None),
        ("P07", 2023, "AUT", None, "blank", None, 0, None),  # asked in spring, and not said
        ("P08", 2022, "SPR", "ASD", None, None, 0, None),
        ("P08", 2022, "SUM", "ASD", None, None, 0, None),
        ("P12", 2022, "SPR", None, "unknown code", None, 1, None),
        ("P13", 2022, "SUM", None, later, None, None, later),
    ]


def test_sessions_of_a_year(found):
    columns = ("sessions_possible", "sessions_attended", "authorised", "unauthorised", "overall")
    rows = found.rows("attendance", "pupil_id", "year", "urn", *columns, "why:sessions_attended")
    over, beyond = "over 420 sessions", "absence over possible"

    assert rows == [
        ("P01", 2021, "100001", 300, 285, 10, 5, 15, None),  # the year as a whole
        ("P01", 2022, "100001", 370, 359, 10, 1, 11, None),
        ("P01", 2023, "100006", 370, 310, None, None, 60, None),
        ("P03", 2022, None, 370, 362, 5, 3, 8, None),  # two schools
        ("P04", 2022, "100003", 370, 355, 8, 0, 15, None),  # they do not add up: overall counts
        ("P08", 2021, "100006", 310, 304, 4, 2, 6, None),  # Year 11 with its summer
        ("P08", 2022, "100006", 260, 252, 7, 1, 8, None),  # Year 11 without it
        ("P10", 2022, None, None, None, None, None, None, over),  # 370 and 51
        ("P11", 2022, "100001", None, None, None, None, None, beyond),
        ("P12", 2022, "100006", 370, None, None, None, None, "blank"),  # no word of spring
        ("X01", 2022, "100009", 140, 138, 1, 1, 2, None),  # overall from its parts; not Year 11?
    ]


def test_reasons_and_the_pandemic_years(found):
    rows = found.rows("attendance", "pupil_id", "year", "illness", "medical", "pandemic")

    assert [row for row in rows if row[0] in ("P01", "P03", "P08", "P10")] == [
        ("P01", 2021, None, None, 1),
        ("P01", 2022, 6, 2, 1),
        ("P01", 2023, None, None, 0),
        ("P03", 2022, 1, 1, 1),
        ("P08", 2021, None, None, 1),
        ("P08", 2022, 5, 2, 1),
        ("P10", 2022, None, None, 1),
    ]


def test_key_stage_2(found):
    rows = found.rows("attainment", "pupil_id", "stage", "measure", "value", "why:value", "status")
    mine = [(p, m.removeprefix("ks2_"), v, w, s) for p, g, m, v, w, s in rows if g == "KS2"]

    assert [row for row in mine if row[1] in ("reading", "maths")] == [
        ("P01", "maths", 40, None, None),
        ("P01", "reading", 33, None, None),
        ("P02", "maths", None, "below_standard", "below_standard"),
        ("P02", "reading", None, "below_standard", "below_standard"),  # 0 beside the code
        ("P03", "maths", None, "disapplied", "disapplied"),
        ("P03", "reading", None, "absent", "absent"),
        ("P04", "maths", 25, None, None),  # the national record, though it has fewer results
        ("P04", "reading", None, "not_entered", "not_entered"),
        ("P05", "maths", 50, None, None),  # most results, then the higher mark in reading
        ("P05", "reading", 15, None, None),
        ("P06", "maths", None, "below_standard", "below_standard"),
        ("P06", "reading", 2, None, None),  # sat the test: the mark is real
        ("P07", "maths", None, "other", "other"),  # a code that nobody knows
        ("P07", "reading", None, "annulled", "annulled"),
        ("P11", "maths", None, "other", "other"),  # special consideration without a score
        ("P11", "reading", 20, None, None),
        ("X02", "maths", 99, None, None),
        ("X02", "reading", None, "other", "other"),
    ]
    expected = {(p, m): (v, w) for p, m, v, w, _ in mine if m.endswith("expected")}
    assert expected["P01", "reading_expected"] == (1, None)
    assert expected["P01", "maths_expected"] == (0, None)
    assert expected["P02", "reading_expected"] == (None, "below_standard")
    assert expected["P06", "reading_expected"] == (None, "below_standard")


def test_key_stage_4(found):
    names = ("pupil_id", "year", "measure", "value", "why:value", "basis", "pandemic", "stage")
    rows = [row[:-1] for row in found.rows("attainment", *names) if row[-1] == "KS4"]
    never = "no such measure that year"

    assert [(*row[:2], row[2].removeprefix("ks4_"), *row[3:]) for row in rows] == [
        ("P01", 2026, "attainment8", 44, None, "exam", 0),
        ("P01", 2026, "english_maths_94", 1, None, "exam", 0),
        ("P01", 2026, "maths_grade", 6, None, "exam", 0),
        ("P01", 2026, "progress8", None, never, "exam", 0),
        ("P08", 2022, "attainment8", 41.5, None, "exam", 0),
        ("P08", 2022, "english_maths_94", 1, None, "exam", 0),
        ("P08", 2022, "maths_grade", 5, None, "exam", 0),
        ("P08", 2022, "progress8", -0.25, None, "exam", 0),
        ("P10", 2023, "attainment8", 0, None, "exam", 0),  # a real zero; nobody has Progress 8
        ("P10", 2023, "english_maths_94", 0, None, "exam", 0),
        ("P10", 2023, "maths_grade", 0, None, "exam", 0),  # U: sat, and ungraded
        ("P12", 2020, "attainment8", 38, None, "centre_assessed", 1),
        ("P12", 2020, "english_maths_94", 0, None, "centre_assessed", 1),
        ("P12", 2020, "maths_grade", 3, None, "centre_assessed", 1),
        ("P12", 2020, "progress8", 0.1, None, "centre_assessed", 1),
        ("P12", 2021, "english_maths_94", 1, None, "teacher_assessed", 1),
        ("P12", 2021, "maths_grade", 4, None, "teacher_assessed", 1),
        ("P13", 2025, "attainment8", 50, None, "exam", 0),
        ("P13", 2025, "english_maths_94", 1, None, "exam", 0),
        ("P13", 2025, "maths_grade", 7, None, "exam", 0),
        ("P13", 2025, "progress8", None, never, "exam", 0),
    ]


def test_exclusions_with_the_zeros_of_the_year_that_is_covered(found):
    names = ("suspensions", "suspension_sessions", "permanent_exclusions")
    rows = found.rows("exclusions", "pupil_id", "year", "urn", *names)

    assert rows == [
        *((f"P0{n}", 2022, None, 0, 0, 0) for n in (1, 2, 3)),
        ("P04", 2022, "100003", 0, 2, 0),
        *((f"P0{n}", 2022, None, 0, 0, 0) for n in (5, 6, 7, 8, 9)),
        *((f"P{n}", 2022, None, 0, 0, 0) for n in (10, 11)),
        ("P12", 2022, None, 3, 10, 1),  # two schools
        ("P13", 2022, None, 0, 0, 0),
        ("X01", 2022, "100009", 1, 1, None),
    ]  # and no year but 2022


def test_every_fault_by_its_rule_and_count(found):
    own = {"sex_differs", "birth_year_differs"}
    between = {rule.name for rule in pupils.CONTRACT.rules} - own
    assert {fault: n for fault, n in found.counts().items() if fault[2] not in between} == {
        ("census", "sen_provision", "older_code"): 3,
        ("census", "primary_need", "older_code"): 2,
        ("census", "year_group", "older_code"): 2,
        ("census", "sen_provision", "unknown_code"): 1,
        ("census", "primary_need", "unknown_code"): 1,
        ("census", "sen_provision", "blank_sen"): 2,
        ("census", "pupil_id", "several_rows"): 4,
        ("census", "sex", "sex_differs"): 1,
        ("census", "birth_year", "birth_year_differs"): 1,
        ("absence", "sessions_possible", "over_420_sessions"): 1,
        ("absence", "sessions_possible", "summer_not_dropped"): 1,
        ("absence", "year_group", "year_group_unknown"): 1,
        ("absence", "overall", "absence_over_possible"): 1,
        ("absence", "overall", "absence_does_not_add_up"): 1,
        ("absence", "pupil_id", "not_in_census"): 1,
        ("ks2", "pupil_id", "several_records"): 3,
        ("ks2", "maths_outcome", "unknown_outcome"): 1,
        ("ks2", "ks2_reading", "result_beside_code"): 1,
        ("ks2", "ks2_reading_expected", "result_beside_code"): 1,
        ("ks2", "ks2_maths", "result_beside_code"): 1,
        ("ks2", "pupil_id", "not_in_census"): 1,
        ("ks4", "ks4_progress8", "no_such_measure"): 1,
        ("exclusions", "suspension_sessions", "sessions_without_suspension"): 1,
        ("exclusions", "pupil_id", "not_in_census"): 1,
    }
    assert not any(fault.stops for fault in found.faults)


def test_no_message_holds_a_pupil_or_a_school(found):
    messages = " ".join(map(str, found.faults))

    assert not re.search(r"\b([PX]\d\d|10000\d|ZZZ?|Q)\b", messages)


@pytest.mark.parametrize("seed", range(2))
def test_neither_the_order_of_files_nor_of_rows_matters(found, tmp_path, seed):
    draw = random.Random(seed)
    names = list(WORKED)
    shuffled = {}
    for place, name in enumerate(draw.sample(names, len(names))):
        header, *rows = WORKED[name].strip().splitlines()
        key = name.split("_")[0]
        year = "2022" if key == "ks2" else ""
        shuffled[f"{key}_{chr(97 + place)}{year}.csv"] = "\n".join(
            [header, *draw.sample(rows, len(rows))]
        )
    again = NPD["read"](NPD["write_text"](tmp_path, shuffled))

    for table, rows in found.tables.items():
        assert again.tables[table].select(sorted(rows.column_names)).to_pylist() == (
            rows.select(sorted(rows.column_names)).to_pylist()
        )
    assert again.counts() == found.counts()

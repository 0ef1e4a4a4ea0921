"""A trust's files: headings and words, what is said for a file, wide files, and plain errors."""

from __future__ import annotations

import datetime as dt
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from baseeval.contracts.registry import TABLES
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys
from baseeval.sources.file_keys import check_files
from baseeval.sources.mis import mis_crosswalk

HELP: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("mis_example.py")))
Read, plan_of, problems = HELP["Read"], HELP["plan_of"], HELP["problems"]
PUPILS, DATA = HELP["PUPILS"], HELP["DATA"]
GUESSED = ("pupils", "marks", "placements", "attendance", "attainment", "exclusions", "surveys")


@pytest.mark.parametrize("table", TABLES)
def test_the_contracts_own_headings_are_known_and_no_heading_means_two_things(table):
    crosswalk = mis_crosswalk(table)
    headings = [h.lower() for known in crosswalk.columns.values() for h in known]

    assert len(set(headings)) == len(headings)
    for column in TABLES[table].names():
        assert crosswalk.place(column.upper())[0] == column
    for column, words in crosswalk.values.items():
        assert set(words.values()) <= set(TABLES[table].column(column).codes)


def test_likely_headings_and_words_are_read_and_nothing_else(tmp_path):
    read = Read(tmp_path, DATA, {"pupils.csv": PUPILS})

    assert read.rows(
        "pupils", "pupil_id", "year", "term", "urn", "year_group", "sex", "sen_provision"
    ) == [
        ("A1", 2026, "AUT", "100001", "7", "F", "E"),
        ("A2", 2026, "AUT", "100001", "8", "M", "K"),
        ("A3", 2026, "AUT", "100002", "9", "F", "N"),
    ]
    assert not [name for name in read.columns["pupils"] if "name" in name.lower()]
    assert read.faults == ()


def test_a_day_of_birth_gives_year_and_month_and_is_not_kept(tmp_path):
    text = PUPILS.replace("03/02/2014", "30/02/2014")
    read = Read(tmp_path, DATA, {"pupils.csv": text})

    assert read.rows("pupils", "pupil_id", "birth_year", "birth_month") == [
        ("A1", None, None),
        ("A2", 2012, 12),
        ("A3", None, None),
    ]
    assert not [name for name in read.columns["pupils"] if "date_of_birth" in name]
    wrong = read.fault("not_a_date")
    assert (wrong.column, wrong.count, wrong.stops) == ("date_of_birth", 1, False)


def test_the_users_headings_and_words_stand_before_all_others(tmp_path):
    data = f"""{DATA}
[data.columns.pupils]
sex = "SEN Status"
sen_provision = "Gender"

[data.values.pupils.sex]
"E - EHCP" = "M"
"sen support" = "F"
"No SEN" = ""

[data.values.pupils.sen_provision]
Girl = "K"
Boy = "N"
Female = "E"
"""
    read = Read(tmp_path, data, {"pupils.csv": PUPILS})

    assert read.rows("pupils", "pupil_id", "sex", "sen_provision") == [
        ("A1", "M", "K"),
        ("A2", "F", "N"),
        ("A3", None, "E"),
    ]


def test_a_file_may_have_headings_of_its_own(tmp_path):
    """Two schools export the same table, each in its own way."""
    oak = "Number,Sex,Ours\nA1,F,100001\n"
    ash = "Entry,Gender,School\nB1,M,100002\n"
    data = """
[data]
source = "mis"

[data.files]
pupils = [
    { file = "oak.csv", set = { year = 2026 }, columns = { urn = "Ours" } },
    { file = "ash.csv", set = { year = 2026 }, columns = { pupil_id = "Entry", sex = "Gender" } },
]

[data.columns.pupils]
pupil_id = "Number"
urn = "School"

[data.base]
list = "in_base.txt"
"""
    files = {"oak.csv": oak, "ash.csv": ash, "in_base.txt": "A1,2025-09-03"}
    read = Read(tmp_path, data, files)

    assert read.rows("pupils", "pupil_id", "sex", "urn") == [
        ("A1", "F", "100001"),
        ("B1", "M", "100002"),
    ]
    lost = {**files, "ash.csv": ash.replace("Entry", "Pupil no")}
    with pytest.raises(DataError, match=r"ash.csv, column `Entry`: the file has no such"):
        Read(tmp_path, data, lost)
    with pytest.raises(PlanError, match="there is no column `sexx` in this table"):
        Read(tmp_path, data.replace("sex =", "sexx ="), files)


@pytest.mark.parametrize(("means", "read_as"), [("missing", None), ("none", "N")])
def test_an_empty_sen_status_means_what_the_study_says(tmp_path, means, read_as):
    data = DATA.replace("[data.files]", f"blank_sen = '{means}'\n[data.files]")
    read = Read(tmp_path, data, {"pupils.csv": PUPILS.replace("SEN Support", "")})

    assert read.rows("pupils", "sen_provision") == sorted([("E",), ("N",), (read_as,)], key=repr)
    assert read.fault("blank_sen").count == 1


def test_names_of_schools_may_be_words_for_their_numbers(tmp_path):
    data = f"""{DATA}
[data.values.pupils.urn]
"Oak Academy" = 100001
"Ash Academy" = "100002"
"""
    text = PUPILS.replace("100001", "oak academy").replace("100002", " Ash Academy")
    read = Read(tmp_path, data, {"pupils.csv": text})

    assert read.rows("pupils", "urn") == [("100001",), ("100001",), ("100002",)]
    assert read.faults == ()


def test_school_years_of_both_kinds_are_read(tmp_path):
    text = "UPN,URN,Academic Year\nA1,100001,2025/26\nA2,100001,2026\n"
    read = Read(tmp_path, DATA.replace("year = 2026, ", ""), {"pupils.csv": text})

    assert read.rows("pupils", "pupil_id", "year") == [("A1", 2026), ("A2", 2026)]


def test_each_school_may_have_its_own_file_and_say_its_own_urn(tmp_path):
    data = """
[data]
source = "mis"

[data.files]
pupils = [
    { file = "oak.csv", set = { year = 2026, urn = "100001" } },
    { file = "ash.csv", set = { year = 2026, urn = 100002, recorded = 2025-09-01 } },
]
"""
    files = {"oak.csv": "UPN,Gender\nA1,Girl\n", "ash.csv": "UPN,FSM eligible\nA2,Yes\n"}
    read = Read(tmp_path, data, files)

    day = dt.date(2025, 9, 1)
    assert read.rows("pupils", "pupil_id", "urn", "sex", "fsm", "recorded") == [
        ("A1", "100001", "F", None, None),
        ("A2", "100002", None, 1, day),
    ]
    assert read.labels["pupils"] == "oak.csv, ash.csv"
    assert read.files == ["oak.csv", "ash.csv"]


def test_a_wide_file_of_results_makes_a_row_of_each_cell_that_holds_one(tmp_path):
    data = f"""{DATA}
attainment = {{ file = "tests.csv", stack = [
    {{ column = "T1 Reading", measure = "reading", date = 2025-09-15 }},
    {{ column = "t2 reading", measure = "reading", date = 2026-06-20 }},
    {{ column = "CAT", measure = "cat" }} ], set = {{ date = 2024-10-01 }} }}
"""
    text = "UPN,Surname,T1 reading,T2 Reading,CAT\nA1,Quill,95, 101 ,\u00a0\nA2,Rook,,x,88\n"
    read = Read(tmp_path, data, {"pupils.csv": PUPILS, "tests.csv": text})

    autumn, summer, before = dt.date(2025, 9, 15), dt.date(2026, 6, 20), dt.date(2024, 10, 1)
    assert read.rows("attainment", "pupil_id", "measure", "date", "value", "year") == [
        ("A1", "reading", autumn, 95.0, 2026),
        ("A1", "reading", summer, 101.0, 2026),
        ("A2", "cat", before, 88.0, 2025),
        ("A2", "reading", summer, None, 2026),  # a code for no result is no blank
    ]


def test_a_wide_survey_makes_a_row_of_each_answer(tmp_path):
    data = f"""{DATA}
surveys = {{ file = "forms.csv", stack = [
    {{ column = "Q1", item = "b01" }}, {{ column = "Q2", item = "b02" }} ] }}

[data.values.surveys.answer]
Agree = "3"
"""
    text = "UPN,Survey date,Q1,Q2\nA1,01/03/2026,agree,4\nA2,02/03/2026, ,1\n"
    read = Read(tmp_path, data, {"pupils.csv": PUPILS, "forms.csv": text})

    assert read.rows("surveys", "pupil_id", "date", "item", "answer") == [
        ("A1", dt.date(2026, 3, 1), "b01", "3"),
        ("A1", dt.date(2026, 3, 1), "b02", "4"),
        ("A2", dt.date(2026, 3, 2), "b02", "1"),
    ]


def test_frames_in_place_of_files_are_shaped_alike(tmp_path):
    data = f"""{DATA}
attainment = {{ file = "none.csv", set = {{ year = 2026 }}, stack = [
    {{ column = "T1", measure = "reading" }} ] }}
"""
    given = {"attainment": pd.DataFrame({"UPN": ["A1", "A2"], "T1": [95.0, None]})}
    read = Read(tmp_path, data, {"pupils.csv": PUPILS}, given)

    assert read.rows("attainment", "pupil_id", "measure", "value") == [("A1", "reading", 95.0)]


def test_pupils_whom_the_pupils_file_does_not_know_are_counted(tmp_path):
    data = f'{DATA}\nattainment = {{ file = "t.csv", set = {{ year = 2026, measure = "cat" }} }}'
    files = {"pupils.csv": PUPILS, "t.csv": "UPN,value\nA1,88\nB9,90\nB9,91\n"}
    lost = Read(tmp_path, data, files).fault("not_in_pupils")
    assert (lost.file, lost.count, lost.stops) == ("t.csv", 1, False)

    files["t.csv"] = "UPN,value\n0001,88\n0002,90\n"
    none = Read(tmp_path, data, files).fault("not_in_pupils")
    assert (none.count, none.stops) == (2, True)
    assert "the same kind of number" in none.remedy


def test_results_of_neither_day_nor_year_are_left_out(tmp_path):
    data = f'{DATA}\nattainment = "t.csv"'
    files = {
        "pupils.csv": PUPILS,
        "t.csv": "UPN,measure,value,date\nA1,cat,88,\nA2,cat,9,2026-01-09\n",
    }
    read = Read(tmp_path, data, files)

    assert read.rows("attainment", "pupil_id", "year") == [("A2", 2026)]
    assert read.fault("row_without_day").count == 1


@pytest.mark.parametrize(
    ("data", "text", "asked"),
    [
        (DATA.replace("year = 2026, ", ""), PUPILS, "`set = { year = 2026 }` beside the file"),
        (DATA, PUPILS.replace("URN", "Site"), '`set = { urn = "123456" }` beside the file'),
    ],
)
def test_what_the_file_does_not_say_is_asked_for(tmp_path, data, text, asked):
    [stopping] = Read(tmp_path, data, {"pupils.csv": text}).stopping()

    assert "the file has no such column" in stopping
    assert asked in stopping


def test_what_a_spreadsheet_did_is_found_in_every_table(tmp_path):
    data = f'{DATA}\nattendance = {{ file = "a.csv", set = {{ year = 2026 }} }}'
    files = {"pupils.csv": PUPILS, "a.csv": "UPN,Possible sessions\n1.2E+11,300\n"}

    assert Read(tmp_path, data, files).fault("excel_scientific").file == "a.csv"


def test_the_study_file_of_the_method_page_is_one(tmp_path, root):
    page = (root / "docs" / "methods" / "trust-files.md").read_text(encoding="utf-8")
    written, stacked = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    keys = tomllib.loads(written + stacked + HELP["REST"])

    plan = plan_from_keys(keys, tmp_path / "study.toml")

    assert plan.placement is not None
    assert plan.placement.source == "spells"
    [tests] = plan.data.files["attainment"]
    assert [entry["date"] for entry in tests.stack] == ["2025-09-15", "2026-06-20"]
    check_files(plan, list(plan.data.files))


STACK = 'attainment = { file = "t.csv", set = { year = 2026 }, stack = [ %s ] }'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('pupls = "p.csv"', "Did you mean `pupils`?"),
        ("[data.columns.marks]\ndate = 'Day'", "no file `marks` is named"),
        ("[data.values.marks.session]\nA = 'AM'", "no file `marks` is named"),
        ("[data.columns.pupils]\nsec = 'S'", "no column `sec` in this table. Did you mean `sex`?"),
        (
            "[data.columns.pupils]\nfsm = 'Meals'\nfsm6 = 'MEALS'",
            "the heading `Meals` is named for more than one column",
        ),
        ("[data.values.pupils.sec]\nGirl = 'F'", "no column `sec` in this table"),
        ("[data.values.pupils.sex]\nGirl = 'Female'", "`Female` is not a code of `sex`"),
        ("[data.values.pupils.fsm]\nPP = 'perhaps'", "`perhaps` is not a code of `fsm`"),
        (
            'exclusions = { file = "x.csv", set = { yaer = 2026 } }',
            "no column `yaer` in this table. Did you mean `year`?",
        ),
        (
            'gias = { file = "g.csv", set = { year = 2026 } }',
            "`set` and `stack` are for tables of the data dictionary",
        ),
        (
            'exclusions = { file = "x.csv", stack = [ { column = "A", year = 2026 } ] }',
            "`stack` makes rows of `attainment` and `surveys` alone",
        ),
        (STACK % '{ column = "A", mesure = "cat" }', "Did you mean `measure`?"),
        (STACK % '{ column = "A", date = 2026-01-01 }', "does not say its `measure`"),
        (STACK % '{ column = "A", measure = "cat", value = 3 }', "there is no column `value`"),
        ("[data.base]\ncolumn = 'P'\nstart = 'S'", None),
    ],
)
def test_a_plan_that_asks_for_what_is_not_there_is_told_what_is(tmp_path, lines, told):
    if told is None:
        data = "[data]\nsource = 'mis'\n[data.files]\nmarks = 'm.csv'\n" + lines
        told = "takes places from the pupils' file, and none is named"
    else:
        data = f"{DATA}\n{lines}"
    with pytest.raises(PlanError) as caught:
        Read(tmp_path, data, {"pupils.csv": PUPILS})

    assert told in problems(caught.value)


def test_all_that_is_wrong_with_a_plans_files_is_told_at_once(tmp_path):
    own = "[data.columns.pupils]\nsec = 'S'\n[data.values.pupils.q]\na = 'b'"
    data = f"{DATA}\nmraks = 'm.csv'\n{own}"
    with pytest.raises(PlanError) as caught:
        Read(tmp_path, data, {"pupils.csv": PUPILS})

    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            f"{DATA}\n[data.columns.pupils]\nfsm = 'Gendar'",
            "column `Gendar`: the file has no such heading, which the study file names. Did you "
            "mean `Gender`?",
        ),
        (
            DATA.replace("year = 2026", "year = 2026, urn = 100009"),
            "column `urn`: the file has this column, and `set` in the study file says it too",
        ),
        (
            f"{DATA}\nsurveys = {{ file = 'pupils.csv', "
            "stack = [ { column = 'Q 1', item = 'a' } ] }",
            "column `Q 1`: the file has no such heading, which stack names",
        ),
        (DATA.replace("pupils.csv", "pupil.csv"), "no such file"),
    ],
)
def test_a_plan_and_its_files_that_disagree_are_told_apart(tmp_path, data, told):
    with pytest.raises(DataError) as caught:
        Read(tmp_path, data, {"pupils.csv": PUPILS})

    assert told in problems(caught.value)
    assert "Quill" not in problems(caught.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (DATA.replace("set =", "sets ="), "the key `sets` is not known. Did you mean `set`?"),
        (DATA.replace("2026, ", "2026-01-01T10:00:00, "), "write the day alone"),
        ("[data]\nsource = 'mis'\nfiles.pupils = 3", "give the name of a file, a table"),
        (
            f"{DATA}\nsurveys = {{ file = 's.csv', stack = [ {{ item = 'a' }} ] }}",
            "entry 1 of `stack` names no `column`",
        ),
        (
            f"{DATA}\nsurveys = {{ file = 's.csv', stack = [ {{ column = 'Q', item = 'a' }}, "
            "{ column = 'Q', item = 'b' } ] }",
            "`stack` names `Q` more than once",
        ),
        (
            DATA.replace("'mis'", "mis").replace("[data]", "[data]\nsheet = 'A'"),
            "`sheet` is for one",
        ),
        ("[data]\nsource = 'mis'\nfiles.pupils = 'http://x/y.csv'", "is a web address"),
        (f"{DATA}\n[data.base]\nis = ['SRB']", "give `column`, a heading of the pupils' file, or"),
        (f"{DATA}\n[data.base]\ncolumn = 'P'", "names no `start`"),
        (f"{DATA}\n[data.base]\nlist = 'a.txt'\nis = ['x']", "`is` belongs to `column`"),
        (f"{DATA}\n[data.base]\ncolum = 'P'", "Did you mean `column`?"),
        (f"{DATA}\nplacements = 'p.csv'\n[data.base]\nlist = 'a.txt'", "both say who is in a base"),
        (
            "[data]\ntable = 'a.csv'\n[data.base]\nlist = 'a.txt'",
            "for the sources mis and contracts",
        ),
        (
            "[data]\ntable = 'a.csv'\nvalues.t.sex.g = 'F'",
            "`values` is for the tables of a `source`",
        ),
    ],
)
def test_a_study_file_is_read_strictly(tmp_path, data, told):
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, data)

    assert told in problems(caught.value)

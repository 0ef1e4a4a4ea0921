"""Who is in a base, by a column of the pupils' file or a pasted list; days are asked for."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

import pytest

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys
from baseeval.sources.opening import open_tables

HELP: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("mis_example.py")))
Read, problems = HELP["Read"], HELP["problems"]

SEPTEMBER, MAY = dt.date(2025, 9, 3), dt.date(2026, 5, 1)

DATA = """
[data]
source = "mis"

[data.files]
pupils = { file = "pupils.csv", set = { year = 2026 } }

[data.base]
"""

PUPILS = "\n".join(
    [
        "UPN,URN,Provision,Began,Ended,Kind",
        "A1,100001,ASD base,03/09/2025,,src",
        "A2,100001, asd BASE\u00a0,2025-09-03,01/05/2026,src",
        "A3,100001,,,,",
        "A4,100002,SRB,,,rp",
        "A5,100002,Mainstream,,,",
        "A6,100002,No,,,",
    ]
)

COLUMN = 'column = "Provision"\nstart = "Began"\nend = "Ended"\nbase_type = "Kind"'


def placed(read):
    return read.rows("placements", "pupil_id", "urn", "start", "end", "base_type", "decision")


def test_the_words_of_a_column_make_places(tmp_path):
    read = Read(tmp_path, f'{DATA}{COLUMN}\nis = ["ASD base", "srb"]', {"pupils.csv": PUPILS})

    assert placed(read) == [
        ("A1", "100001", SEPTEMBER, None, "src", "placed"),
        ("A2", "100001", SEPTEMBER, MAY, "src", "placed"),
        ("A4", "100002", None, None, "rp", "placed"),
    ]
    assert read.labels["placements"] == "pupils.csv"
    asked = read.fault("placed_without_start")
    assert (asked.count, asked.column, asked.stops) == (1, "Began", False)


def test_a_word_of_which_nothing_is_said_stops(tmp_path):
    """A word that was forgotten would put a whole base into the mainstream."""
    read = Read(tmp_path, f'{DATA}{COLUMN}\nis = ["ASD base"]', {"pupils.csv": PUPILS})

    unsaid = read.fault("word_unsaid")
    assert (unsaid.count, unsaid.column, unsaid.stops) == (1, "Provision", True)
    assert "SRB" not in str(unsaid)
    said = Read(
        tmp_path, f'{DATA}{COLUMN}\nis = ["ASD base"]\nis_not = [" srb"]', {"pupils.csv": PUPILS}
    )
    assert [row[0] for row in placed(said)] == ["A1", "A2"]


def test_without_words_any_value_but_a_word_for_no_is_a_place(tmp_path):
    read = Read(tmp_path, DATA + COLUMN, {"pupils.csv": PUPILS})

    assert [row[0] for row in placed(read)] == ["A1", "A2", "A4"]


def test_a_column_may_say_the_place_and_something_of_the_pupil_too(tmp_path):
    text = PUPILS.replace("Provision", "Resourced").replace("ASD base", "Yes")
    data = DATA.replace(
        "[data.base]", '[data.columns.pupils]\nresourced_provision = "Resourced"\n[data.base]'
    )
    read = Read(
        tmp_path,
        f'{data}column = "resourced"\nis = ["yes"]\nis_not = ["SRB"]\nstart = "Began"',
        {"pupils.csv": text},
    )

    assert [row[:2] for row in placed(read)] == [("A1", "100001")]
    assert read.rows("pupils", "pupil_id", "resourced_provision")[0] == ("A1", 1)


def test_a_word_that_no_row_holds_is_a_question_and_no_place_at_all_stops(tmp_path):
    read = Read(
        tmp_path,
        f'{DATA}{COLUMN}\nis = ["SRB", "ASD bse"]\nis_not = ["ASD base"]',
        {"pupils.csv": PUPILS},
    )
    lost = read.fault("word_not_there")
    assert ("`ASD bse`" in lost.what, lost.stops) == (True, False)

    none = Read(
        tmp_path,
        f'{DATA}{COLUMN}\nis = ["ASD bse"]\nis_not = ["ASD base", "SRB"]',
        {"pupils.csv": PUPILS},
    )
    assert none.fault("no_places").stops


def test_exports_of_several_days_make_one_place_of_one_start(tmp_path):
    data = DATA.replace(
        '{ file = "pupils.csv", set = { year = 2026 } }',
        '[ { file = "a.csv", set = { year = 2025 } }, { file = "b.csv", set = { year = 2026 } } ]',
    )
    head = "UPN,URN,Provision,Began,Ended\n"
    files = {
        "a.csv": f"{head}A1,100001,SRB,03/09/2025,\nA2,100001,SRB,,\nA3,100001,SRB,,\n",
        "b.csv": f"{head}A1,100001,SRB,03/09/2025,01/05/2026\nA2,100001,SRB,03/09/2025,\n",
    }
    read = Read(tmp_path, f'{data}column = "Provision"\nstart = "Began"\nend = "Ended"', files)

    assert read.rows("placements", "pupil_id", "start", "end") == [
        ("A1", SEPTEMBER, MAY),
        ("A2", SEPTEMBER, None),
        ("A3", None, None),
    ]


def test_a_heading_that_is_not_there_and_days_that_are_none_are_told(tmp_path):
    with pytest.raises(DataError) as caught:
        Read(tmp_path, f'{DATA}column = "Provisoin"\nstart = "Began"', {"pupils.csv": PUPILS})
    assert "no such heading, which the study file names. Did you mean `Provision`?" in problems(
        caught.value
    )

    text = PUPILS.replace("03/09/2025", "3 Sept")
    read = Read(tmp_path, DATA + COLUMN, {"pupils.csv": text})
    assert read.fault("not_a_date").count == 1
    assert read.fault("placed_without_start").count == 2  # A1 and A4

    short = PUPILS.replace("03/09/2025", "03/09/25")
    lost = Read(tmp_path, DATA + COLUMN, {"pupils.csv": short}).fault("short_year")
    assert (lost.column, lost.stops) == ("Began", True)


LISTS = {
    "tabs": "A1\t2025-09-03\nA2\t03/09/2025\t01/05/2026\n",
    "headings and blank lines": "UPN,Start,End\n\n A1 ,03/09/2025,\nA2,03/09/2025,01/05/2026\n\n",
    "headings of one's own": "Student,First day\nA1,03/09/2025\nA2,03/09/2025,01/05/2026\n",
    "semicolons": "A1;03/09/2025;\nA2;03/09/2025;01/05/2026",
    "a mark of order": "\ufeffA1\t2025-09-03\nA2\t2025-09-03\t2026-05-01",
    "a pupil twice": "A1\t2025-09-03\nA1\t2025-09-03\nA2\t2025-09-03\t2026-05-01",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_a_pasted_list_makes_places_at_the_pupils_schools(tmp_path, text):
    files = {"pupils.csv": PUPILS, "in_base.txt": text}
    read = Read(tmp_path, f'{DATA}list = "in_base.txt"', files)

    assert read.rows("placements", "pupil_id", "urn", "start", "end") == [
        ("A1", "100001", SEPTEMBER, None),
        ("A2", "100001", SEPTEMBER, MAY),
    ]
    assert read.files == ["pupils.csv", "in_base.txt"]
    assert read.labels["placements"] == "in_base.txt"


def test_a_listed_pupils_school_is_that_of_the_year_in_which_the_place_began(tmp_path):
    text = "UPN,URN,School Year\nA1,100001,2025\nA1,100002,2026\nA2,100001,2024\nA2,100003,2025\n"
    files = {"pupils.csv": text, "b.txt": "A1,2024-09-03\nA1,2025-09-03\nA2,2025-11-01\nA2\n"}
    data = DATA.replace("set = { year = 2026 }", 'sheet = "x"')
    read = Read(tmp_path, f'{data}list = "b.txt"', files)

    assert read.rows("placements", "pupil_id", "urn", "start") == [
        ("A1", "100001", dt.date(2024, 9, 3)),
        ("A1", "100002", SEPTEMBER),
        ("A2", "100003", None),
        ("A2", "100003", dt.date(2025, 11, 1)),
    ]


def test_listed_pupils_without_a_day_or_without_a_row_are_counted(tmp_path):
    files = {"pupils.csv": PUPILS, "b.txt": "A1,2025-09-03\nA2\nA3\nX7,2025-09-03\n"}
    read = Read(tmp_path, f'{DATA}list = "b.txt"', files)

    asked, unknown = read.fault("placed_without_start"), read.fault("not_in_pupils")
    assert (asked.count, asked.file, asked.stops) == (2, "b.txt", False)
    assert (unknown.count, unknown.file, unknown.stops) == (1, "b.txt", False)
    assert [row[0] for row in placed(read)] == ["A1", "A2", "A3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A1\nA2\n", "no line says the pupil's first day in the base. Add it as a second column"),
        ("\n \n", "the list is empty"),
        ("A1,2025-09-03,,more\nA2,2025-09-03\n", "1 line has more than a pupil, a first day and"),
        (None, "there is no such file"),
        ("A1\t2025-09-03\0", "this is no plain text"),
    ],
)
def test_a_list_that_cannot_be_read_stops(tmp_path, text, told):
    files = {"pupils.csv": PUPILS} | ({} if text is None else {"b.txt": text})
    with pytest.raises(DataError) as caught:
        Read(tmp_path, f'{DATA}list = "b.txt"', files)

    assert told in problems(caught.value)
    assert "A1" not in problems(caught.value)


def test_a_list_or_a_column_without_one_readable_first_day_stops(tmp_path):
    files = {"pupils.csv": PUPILS, "b.txt": "A1,class 7B\nA2,class 8C\n"}
    assert Read(tmp_path, f'{DATA}list = "b.txt"', files).fault("placed_without_start").stops

    read = Read(tmp_path, f'{DATA}{COLUMN}\nis = ["SRB"]\nis_not = ["ASD base"]', files)
    asked = read.fault("placed_without_start")
    assert (asked.count, asked.column, asked.stops) == (1, "Began", True)


def test_what_a_spreadsheet_did_to_a_list_is_found(tmp_path):
    files = {"pupils.csv": PUPILS, "b.txt": "1.2E+11,03/09/2025\nA2,03/09/25\n"}
    read = Read(tmp_path, f'{DATA}list = "b.txt"', files)

    stops = [read.fault(rule) for rule in ("excel_scientific", "short_year")]
    assert {(fault.file, fault.stops) for fault in stops} == {("b.txt", True)}


def test_tables_in_the_contracts_form_may_say_it_by_a_column_too(tmp_path):
    data = DATA.replace('"mis"', '"contracts"')
    text = PUPILS.replace("UPN,URN", "pupil_id,urn")
    read = Read(
        tmp_path, f'{data}{COLUMN}\nis = ["srb"]\nis_not = ["ASD base"]', {"pupils.csv": text}
    )

    assert [row[0] for row in placed(read)] == ["A4"]


STUDY = {"study": {"name": "t", "title": "T"}, "outcomes": [
    {"name": "a", "kind": "continuous", "column": "a", "better": "higher"}
]}  # fmt: skip


def test_a_trusts_places_are_read_from_its_own_files_by_default(tmp_path):
    data = {"source": "mis", "files": {"pupils": "p.csv"}, "base": {"list": "b.txt"}}
    plan = plan_from_keys({**STUDY, "data": data}, tmp_path / "study.toml")
    kept = plan_from_keys(
        {**STUDY, "data": data, "placement": {"grace_days": 5}}, tmp_path / "study.toml"
    )
    assert plan.placement is not None
    assert kept.placement is not None
    assert (plan.placement.source, kept.placement.source) == ("spells", "spells")

    contracts = {**data, "source": "contracts"}
    with pytest.raises(PlanError, match='write `source = "spells"`'):
        plan_from_keys({**STUDY, "data": contracts}, tmp_path / "study.toml")


def test_a_trust_that_says_nothing_of_its_bases_is_asked(tmp_path):
    (tmp_path / "pupils.csv").write_text(PUPILS, encoding="utf-8")
    data = {"source": "mis", "files": {"pupils": "pupils.csv"}}
    plan = plan_from_keys({**STUDY, "data": data}, tmp_path / "study.toml")

    with Engine() as engine, pytest.raises(PlanError, match="nothing says who is in a base"):
        open_tables(plan, engine)

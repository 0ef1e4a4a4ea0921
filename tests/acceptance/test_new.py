"""`baseeval new`: each beginning runs, and the trust's workbook holds what the contracts say."""

import datetime as dt
import subprocess
import sys

import openpyxl
import pytest

import baseeval as be
from baseeval.contracts.registry import TABLES
from baseeval.errors import UsageError
from baseeval.starters.sheets import trust_sheets

YEAR = 2027
DAY = dt.date(2026, 9, 15)


def command(*words, cwd=None):
    """Run the command line as a user does; a traceback or a fault of ours fails the test."""
    done = subprocess.run(
        [sys.executable, "-m", "baseeval", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "fault of ours" not in said
    return done


def fill(path, rows):
    """Write rows into the sheets of the workbook, as somebody would who types."""
    book = openpyxl.load_workbook(path)
    for sheet, own in rows.items():
        page = book[sheet]
        heads = [cell.value for cell in page[1]]
        for row in own:
            assert set(row) <= set(heads)
            page.append([row.get(head) for head in heads])
    book.save(path)


def a_dozen(schools=("900001", "900002", "900003"), placed=4):
    """Twelve autistic pupils of three schools, four of them in the base of the first."""
    pupils = [
        {
            "pupil_id": f"A{n:03d}",
            "urn": schools[0] if n < 8 else schools[1 + n % 2],
            "recorded": DAY,
            "year_group": str(7 + n % 3),
            "sex": "FM"[n % 2],
            "sen_provision": "E" if n < 5 else "K",
            "primary_need": "ASD",
            "fsm": "yes" if n % 3 else "no",
        }
        for n in range(12)
    ]
    ids = [row["pupil_id"] for row in pupils]
    return {
        "Pupils": pupils,
        "Placements": [
            {
                "pupil_id": pupil,
                "urn": schools[0],
                "base_id": "the base",
                "base_type": "resourced_provision",
                "start": dt.date(2026, 9, 2),
                "decision": "placed",
            }
            for pupil in ids[:placed]
        ],
        "Bases": [
            {"base_id": "the base", "urn": schools[0], "base_type": "resourced_provision"},
        ],
        "Results": [
            {"pupil_id": pupil, "measure": "reading", "date": day, "value": 90 + n + gain}
            for day, gain in ((dt.date(2026, 7, 1), 0), (dt.date(2027, 6, 15), 3))
            for n, pupil in enumerate(ids)
        ],
        "Attendance": [
            {
                "pupil_id": pupil,
                "year": YEAR,
                "sessions_possible": 380,
                "sessions_attended": 380 - 7 * n,
            }
            for n, pupil in enumerate(ids)
        ],
        "Survey": [
            {
                "pupil_id": pupil,
                "date": dt.date(2027, 6, 10),
                "respondent": "pupil",
                **(
                    {"status": "not_accessible"}
                    if n == 3
                    else {f"b{item:02d}": 1 + (n + item) % 5 for item in range(1, 7)}
                ),
            }
            for n, pupil in enumerate(ids)
        ],
    }


# The rehearsal is the shipped study, which other tests run.
REHEARSAL = pytest.param("src_replication", marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", ["trust", "npd", REHEARSAL])
def test_each_beginning_runs_as_it_stands(tmp_path, kind):
    folder = tmp_path / "ours"
    assert command("new", folder, "--from", kind).returncode == 0
    study = folder / ("example/study.toml" if kind == "trust" else "study.toml")
    done = command("run", study, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists()
    assert command("screen", tmp_path / "out").returncode == 0


def test_a_workbook_filled_in_by_hand_is_checked_and_run(tmp_path):
    folder = tmp_path / "ours"
    be.new_study(folder, year=YEAR)
    fill(folder / "records.xlsx", a_dozen())
    checked = command("check", folder / "study.toml")
    assert checked.returncode == 0, checked.stderr
    assert "base_vs_host" in checked.stdout
    done = command("run", folder / "study.toml")
    assert done.returncode == 0, done.stderr
    page = (folder / "output" / "report.html").read_text("utf-8")
    assert "A003" not in page
    assert command("screen", folder / "output").returncode == 0


def test_an_empty_workbook_is_told_what_it_lacks(tmp_path):
    folder = tmp_path / "ours"
    be.new_study(folder, year=YEAR)
    for word in ("check", "run"):
        done = command(word, folder / "study.toml")
        assert done.returncode == 4
        assert "records.xlsx" in done.stderr
    assert not (folder / "output").exists()


def test_half_a_workbook_is_told_what_it_lacks(tmp_path):
    folder = tmp_path / "ours"
    be.new_study(folder, year=YEAR)
    rows = a_dozen()
    for row in rows["Placements"][:2]:
        del row["start"]
    rows["Survey"] = []
    fill(folder / "records.xlsx", rows)
    done = command("check", folder / "study.toml")
    assert done.returncode in (3, 4)
    assert "start" in done.stdout + done.stderr
    assert "A000" not in done.stdout + done.stderr


def test_every_heading_is_a_column_of_the_dictionary_and_offers_its_codes(tmp_path):
    be.new_study(tmp_path / "ours", year=YEAR)
    book = openpyxl.load_workbook(tmp_path / "ours" / "records.xlsx")
    for sheet in trust_sheets():
        page, table = book[sheet.name], TABLES[sheet.contract]
        heads = [cell.value for cell in page[1]]
        assert heads == [*sheet.columns, *sheet.items]
        assert set(sheet.needed) <= set(sheet.columns) <= set(table.names())
        offered = {
            str(rule.sqref).split("2:")[0]: _choices(book, rule.formula1)
            for rule in page.data_validations.dataValidation
            if rule.type == "list"
        }
        for position, head in enumerate(heads, start=1):
            letter = openpyxl.utils.get_column_letter(position)
            column = next(c for c in sheet.headings() if c.name == head)
            if column.codes:
                assert offered[letter] == list(column.codes)
            elif column.kind == "flag":
                assert offered[letter] == ["yes", "no"]
    # Identifiers are kept as text, so that no zero is lost.
    assert book["Pupils"].column_dimensions["A"].number_format == "@"


def _choices(book, name):
    sheet, cells = book.defined_names[name].attr_text.split("!")
    return [cell.value for (cell,) in book[sheet][cells.replace("$", "")]]


def test_nothing_of_anybodys_is_overwritten(tmp_path):
    (tmp_path / "ours").mkdir()
    kept = tmp_path / "ours" / "manifest.json"
    kept.write_text('{"plan_hash": "of an output folder"}')
    with pytest.raises(UsageError) as caught:
        be.new_study(tmp_path / "ours", like="trusts", year=27)
    told = "\n".join(map(str, caught.value.problems))
    assert "not an empty folder" in told
    assert "`trust`" in told
    assert "2026/27" in told
    assert kept.read_text() == '{"plan_hash": "of an output folder"}'


def test_the_study_of_a_beginning_is_that_of_the_repository(tmp_path):
    be.new_study(tmp_path / "ours", like="src_replication")
    ours = be.read_study(tmp_path / "ours" / "study.toml")
    theirs = be.read_study("analyses/src_replication/study.toml")
    assert ours.outcomes == theirs.outcomes
    assert ours.data.table == "pupils.csv"

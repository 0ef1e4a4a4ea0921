"""Workbooks as a trust has them: titles, several sheets, day numbers, errors, totals."""

import datetime as dt
import zipfile

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.files import load_file
from baseeval.sources.values import read_values

NAMED = ("pupil_id", "born", "score")
TABLE = [["pupil_id", "born", "score"], ["A1", "2012-03-04", 5], ["A2", "2013-05-06", 7]]
ROWS = [
    {"pupil_id": "A1", "born": "2012-03-04", "score": "5"},
    {"pupil_id": "A2", "born": "2013-05-06", "score": "7"},
]
TITLES = [["Students report 12/10/2025"], [], ["Filter", "score", "> 0"]]


def save(path, epoch=None, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    if epoch is not None:
        book.epoch = epoch
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def load(path, sheet=None, kind_of=None):
    with Engine() as engine:
        loaded = load_file(path, engine, sheet, NAMED, None, kind_of)
        rows = engine.collect(loaded.frame, []).to_pylist()
    assert not any(fault.stops for fault in loaded.faults)
    return rows, {fault.rule: fault for fault in loaded.faults}


def test_title_rows_above_the_headings_are_passed_over_and_told(tmp_path):
    rows, faults = load(save(tmp_path / "p.xlsx", Export=[*TITLES, *TABLE]))

    assert rows == ROWS
    assert set(faults) == {"rows_above_headings"}
    assert faults["rows_above_headings"].count == 3
    assert str(faults["rows_above_headings"]) == (
        "p.xlsx: the headings are in row 4; 3 rows above them were passed over. "
        "Nothing need be done."
    )


def test_a_plain_sheet_has_nothing_to_tell(tmp_path):
    assert load(save(tmp_path / "p.xlsx", Export=TABLE)) == (ROWS, {})


def test_a_merged_title_is_a_title(tmp_path):
    path = save(tmp_path / "p.xlsx", Export=[["All pupils"], *TABLE])
    book = openpyxl.load_workbook(path)
    book["Export"].merge_cells("A1:C1")
    book.save(path)

    rows, faults = load(path)

    assert rows == ROWS
    assert faults["rows_above_headings"].count == 1


def test_the_row_with_the_most_known_headings_is_taken_and_the_first_of_equals(tmp_path):
    """A filter that names a column is no heading, nor are headings printed again on each page."""
    path = save(tmp_path / "p.xlsx", Export=[["pupil_id", "all"], *TABLE, TABLE[0]])

    rows, faults = load(path)

    assert rows[:2] == ROWS
    assert rows[2] == {name: name for name in NAMED}
    assert faults["rows_above_headings"].count == 1


def test_headings_too_far_down_are_not_looked_for(tmp_path):
    near = save(tmp_path / "near.xlsx", Export=[["Note"]] * 29 + TABLE)
    far = save(tmp_path / "far.xlsx", Export=[["ZEBRA"]] * 30 + TABLE)

    assert load(near)[0] == ROWS
    with pytest.raises(DataError, match="holds none of the columns") as caught:
        load(far)
    assert "ZEBRA" not in str(caught.value)


def test_one_known_word_below_the_first_line_makes_no_headings(tmp_path):
    path = save(tmp_path / "p.xlsx", Export=[["ZEBRA", "x"], ["score", "y"]])

    with pytest.raises(DataError, match="holds none of the columns") as caught:
        load(path)
    assert "ZEBRA" not in str(caught.value)


def test_headings_of_two_lines_and_spaces_that_do_not_break(tmp_path):
    path = save(
        tmp_path / "p.xlsx", Export=[["pupil_id\xa0", "born", " score\n"], ["A1\xa0", "", 5]]
    )

    assert load(path)[0] == [{"pupil_id": "A1", "born": None, "score": "5"}]


def test_of_several_sheets_the_only_one_that_is_known_is_read(tmp_path):
    path = save(tmp_path / "p.xlsx", Notes=[["Read me"]], Codes=[["code", "x"]], Export=TABLE)

    rows, faults = load(path)

    assert rows == ROWS
    assert faults["sheets_passed_over"].count == 2
    assert "the sheet `Export` is read" in faults["sheets_passed_over"].what


def test_two_sheets_that_could_be_meant_are_listed(tmp_path):
    path = save(tmp_path / "p.xlsx", Notes=[["x"]], Autumn=TABLE, Spring=TABLE)

    with pytest.raises(DataError, match=r"3 sheets with content \(Notes, Autumn, Spring\)"):
        load(path)
    assert load(path, sheet="Spring")[0] == ROWS


def test_a_hidden_sheet_and_hidden_rows_are_read_as_visible(tmp_path):
    path = save(tmp_path / "p.xlsx", Notes=[["Read me"]], Export=TABLE)
    book = openpyxl.load_workbook(path)
    book["Export"].sheet_state = "hidden"
    book["Export"].row_dimensions[2].hidden = True
    book.save(path)

    assert load(path)[0] == ROWS


def test_a_sheet_that_says_it_is_smaller_than_it_is(tmp_path):
    """Some systems write a size of one cell, which a reader that trusts it would obey."""
    path = save(tmp_path / "p.xlsx", Export=TABLE)
    lying = tmp_path / "lying.xlsx"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(lying, "w") as out:
        for item in whole.namelist():
            data = whole.read(item)
            if item == "xl/worksheets/sheet1.xml":
                assert b'ref="A1:C3"' in data
                data = data.replace(b'ref="A1:C3"', b'ref="A1"')
            out.writestr(item, data)

    assert load(lying)[0] == ROWS


def test_totals_below_the_table_are_passed_over_and_nothing_else_is(tmp_path):
    totals = [[], ["Total", None, 12], ["Count: 2"]]

    rows, faults = load(save(tmp_path / "p.xlsx", Export=[*TABLE, *totals]))

    assert rows == ROWS
    assert set(faults) == {"rows_below_table"}
    assert faults["rows_below_table"].count == 2


@pytest.mark.parametrize(
    "row",
    [
        ["A3"],
        ["Total", "2013-05-06", 7],
        ["Countess", None, 7],
        [None, "2013-05-06", None],
    ],
)
def test_a_last_row_that_may_be_a_pupil_is_kept(tmp_path, row):
    rows, faults = load(save(tmp_path / "p.xlsx", Export=[*TABLE, row]))

    assert len(rows) == 3
    assert "rows_below_table" not in faults
    assert faults.get("lone_cells") is None or faults["lone_cells"].count == 1
    assert ("lone_cells" in faults) == (sum(cell is not None for cell in row) == 1)


def test_a_total_between_pupils_is_kept(tmp_path):
    rows, faults = load(save(tmp_path / "p.xlsx", Export=[*TABLE, ["Total", None, 12], TABLE[1]]))

    assert len(rows) == 4
    assert faults == {}


def test_an_empty_column_without_a_heading_is_no_column(tmp_path):
    spaced = [[row[0], None, *row[1:]] for row in TABLE]

    assert load(save(tmp_path / "p.xlsx", Export=spaced))[0] == ROWS

    spaced[1][1] = "ZEBRA"
    with pytest.raises(DataError, match="1 column has no heading") as caught:
        load(save(tmp_path / "q.xlsx", Export=spaced))
    assert "ZEBRA" not in str(caught.value)


def test_a_note_beside_the_table_is_not_of_it(tmp_path):
    beside = [[*row, None, note] for row, note in zip(TABLE, [None, "ZEBRA", None], strict=True)]

    assert load(save(tmp_path / "p.xlsx", Export=beside)) == (ROWS, {})


def days_of(path, kind_of=None):
    contracts = [
        ColumnContract("pupil_id", "key", "pupil"),
        ColumnContract("born", "date", "birth"),
    ]
    with Engine() as engine:
        loaded = load_file(path, engine, None, NAMED, None, kind_of)
        typed = read_values(loaded.frame, contracts, engine, path.name)
        rows = engine.collect(typed.frame, ["pupil_id"]).to_pylist()
    assert all((row["born"] is None) == (row["why:born"] is not None) for row in rows)
    return (
        [row["born"] for row in rows],
        [(f.rule, f.column, f.count, f.stops) for f in (*loaded.faults, *typed.problems)],
    )


def test_a_day_in_a_general_cell_is_the_day_that_excel_shows(tmp_path):
    """45901 is 1 September 2025: openpyxl's own reckoning of a date cell is the witness."""
    shown = [dt.date(2025, 9, 1), dt.date(2012, 2, 29), dt.date(1990, 1, 1)]
    serials = [45901, 40968, 32874]
    header = ["pupil_id", "born", "score"]
    dates = save(tmp_path / "dates.xlsx", S=[header, *([n, day] for n, day in enumerate(shown))])
    plain = save(tmp_path / "plain.xlsx", S=[header, *([n, day] for n, day in enumerate(serials))])

    wanted = [dt.date(2025, 9, 1), dt.date(2012, 2, 29), dt.date(1990, 1, 1)]
    assert days_of(dates) == (wanted, [])
    assert days_of(plain) == (wanted, [("excel_serial_date", "born", 3, False)])


def test_the_1904_system_is_read_where_the_study_says_which_columns_hold_days(tmp_path):
    header = ["pupil_id", "born", "score"]
    rows = [["1", dt.date(2025, 9, 1), 45000], ["2", 45901 - 1462, 44000]]
    path = save(tmp_path / "p.xlsx", CALENDAR_MAC_1904, S=[header, *rows])
    kinds = {"pupil_id": "key", "born": "date", "score": "number"}

    days, faults = days_of(path, kinds.get)

    assert days == [dt.date(2025, 9, 1)] * 2
    assert faults == [("excel_serial_date", "born", 1, False)]
    with Engine() as engine:
        loaded = load_file(path, engine, None, NAMED, None, kinds.get)
        scores = engine.collect(loaded.frame, ["pupil_id"]).column("score").to_pylist()
    assert scores == ["45000", "44000"]


def test_the_1904_system_is_told_where_nobody_says_which_columns_hold_days(tmp_path):
    rows = [["pupil_id", "born", "score"], ["1", 44439, 5], ["2", 44440, 6]]
    path = save(tmp_path / "p.xlsx", CALENDAR_MAC_1904, S=rows)

    _, faults = load(path)

    assert faults["days_from_1904"].count == 2
    assert "four years too early" in faults["days_from_1904"].what


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("29999", None),
        ("30000", dt.date(1982, 2, 18)),
        ("79999", dt.date(2119, 1, 10)),
        ("80000", None),
        ("45901.0", dt.date(2025, 9, 1)),
        ("45901.5", None),
        ("20332", None),  # R's 1 September 2025
        ("23985", None),  # SAS's
        (" 45901 ", dt.date(2025, 9, 1)),
    ],
)
def test_which_numbers_are_days(tmp_path, text, day):
    path = tmp_path / "p.csv"
    path.write_text(f"pupil_id,born\n1,{text}\n", encoding="utf-8")

    days, faults = days_of(path)

    assert days == [day]
    assert [rule for rule, *_ in faults] == ["not_a_date" if day is None else "excel_serial_date"]


def test_errors_of_a_sheet_are_missing_with_the_reason(tmp_path):
    errors = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?"]
    rows = [[f"A{n}", error, error] for n, error in enumerate(errors)]
    path = save(tmp_path / "p.xlsx", S=[TABLE[0], *rows, ["A9", "2012-03-04", 5]])
    contracts = [
        ColumnContract("pupil_id", "key", "pupil"),
        ColumnContract("born", "category", "anything"),
        ColumnContract("score", "number", "score"),
    ]

    with Engine() as engine:
        loaded = load_file(path, engine, None, NAMED)
        typed = read_values(loaded.frame, contracts, engine, "p.xlsx")
        read = engine.collect(typed.frame, ["pupil_id"]).to_pylist()

    assert typed.problems == ()
    assert typed.coded == {"score": 5}
    assert [row["score"] for row in read] == [None] * 5 + [5.0]
    assert {row["why:score"] for row in read[:5]} == {"spreadsheet error"}
    assert [row["born"] for row in read] == [None] * 5 + ["2012-03-04"]
    assert {row["why:born"] for row in read[:5]} == {"spreadsheet error"}


def test_cells_shown_as_percent_are_told_and_read_as_shares(tmp_path):
    path = save(tmp_path / "p.xlsx", S=[*TABLE, ["A3", None, 0.925], ["A4", None, 1]])
    book = openpyxl.load_workbook(path)
    for cell in ("C4", "C5"):
        book["S"][cell].number_format = "0.0%"
    book.save(path)

    rows, faults = load(path)

    assert [row["score"] for row in rows] == ["5", "7", "0.925", "1"]
    assert (faults["percent_cells"].column, faults["percent_cells"].count) == ("score", 2)


def test_a_heading_that_became_a_day_is_told(tmp_path):
    header = ["pupil_id", "born", "score", dt.date(2025, 1, 5)]
    rows, faults = load(save(tmp_path / "p.xlsx", S=[header, ["A1", None, 5, 1]]))

    assert rows[0]["2025-01-05 00:00:00"] == "1"
    assert faults["heading_is_a_day"].count == 1

"""Files as they come: kinds, encodings, separators, sheets, and damage."""

import gzip
import hashlib

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.files import find_files, fingerprint, load_file

TEXT = "pupil,note\n007,Zoë\n2,\n"
ROWS = [{"pupil": "007", "note": "Zoë"}, {"pupil": "2", "note": None}]


def read(path, sheet=None, named=("pupil",)):
    with Engine() as engine:
        return engine.collect(load_file(path, engine, sheet, named).frame, []).to_pylist()


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        read(path, **options)
    return str(caught.value)


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("name", ["p.csv", "P.CSV", "p.csv.gz"])
def test_a_csv_file_in_any_usual_encoding(tmp_path, name, encoding):
    path = tmp_path / name
    data = TEXT.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)

    assert read(path) == ROWS


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_usual_separators(tmp_path, mark):
    path = tmp_path / "p.csv"
    path.write_text(TEXT.replace(",", mark), encoding="utf-8")

    assert read(path) == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_usual_line_ends(tmp_path, end):
    path = tmp_path / "p.csv"
    path.write_bytes(TEXT.replace("\n", end).encode())

    assert read(path) == ROWS


def test_a_semicolon_file_may_hold_commas(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("pupil;score\n1;2,5\n", encoding="utf-8")

    assert read(path) == [{"pupil": "1", "score": "2,5"}]


def test_quotes_hold_separators_line_breaks_and_quotes(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(b'pupil, "note, long"\r\n1,"a, b\r\nc ""d"""\r\n2,x\r\n')

    rows = read(path)

    assert [row["pupil"] for row in rows] == ["1", "2"]
    assert rows[0]["note, long"] == 'a, b\r\nc "d"'


def test_headings_lose_their_margins_and_empty_lines_are_no_rows(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(" pupil , x\n1,2\n\n3,4\n\n", encoding="utf-8")

    assert read(path) == [{"pupil": "1", "x": "2"}, {"pupil": "3", "x": "4"}]


def test_a_long_file_may_turn_to_windows_1252_late(tmp_path):
    path = tmp_path / "p.csv"
    lines = "".join(f"{number},plain\n" for number in range(150_000))
    path.write_bytes(b"pupil,note\n" + lines.encode() + b"last,Zo\xeb\n")

    with Engine() as engine:
        frame = load_file(path, engine, None, ["pupil"]).frame
        last = engine.collect(frame, [])

    assert last.num_rows == 150_001
    assert last.to_pylist()[-1]["note"] == "Zoë"


def test_the_copy_of_a_windows_1252_file_lies_in_the_spill_folder(tmp_path):
    path = tmp_path / "data" / "p.csv"
    path.parent.mkdir()
    path.write_bytes(TEXT.encode("cp1252"))

    with Engine(tmp_path / "spill") as engine:
        load_file(path, engine, None, ["pupil"])

    assert [file.name for file in path.parent.iterdir()] == ["p.csv"]


def test_parquet_keeps_its_types(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"pupil": ["007"], "score": [1.5], "fsm": [True]}), path)

    assert read(path) == [{"pupil": "007", "score": 1.5, "fsm": True}]


def test_a_workbook_is_read_as_the_text_of_a_csv(tmp_path):
    path = workbook(
        tmp_path / "p.xlsx",
        Pupils=[
            [" pupil ", "score", "fsm", None],
            ["007", 1.0, True],
            [8, 2.5, False],
            [None, None, None],
            ["9"],
        ],
    )

    assert read(path) == [
        {"pupil": "007", "score": "1", "fsm": "true"},
        {"pupil": "8", "score": "2.5", "fsm": "false"},
        {"pupil": "9", "score": None, "fsm": None},
    ]


def test_the_sheet_is_named_where_there_are_several(tmp_path):
    sheets = {"Notes": [["x"]], "Autumn": [["pupil"], ["1"]], "Spring": [["pupil"], ["2"]]}
    path = workbook(tmp_path / "p.xlsx", **sheets, Empty=[])

    assert read(path, sheet="Spring") == [{"pupil": "2"}]
    listed = "p.xlsx: the workbook has 3 sheets with content (Notes, Autumn, Spring). Name one with"
    assert listed in refusal(path)
    absent = "there is no sheet `Pupil`. It has: Notes, Autumn, Spring."
    assert absent in refusal(path, sheet="Pupil")


def test_a_workbook_without_content(tmp_path):
    assert "0 sheets with content" in refusal(workbook(tmp_path / "p.xlsx", Sheet=[]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "p.csv: the file is empty"),
        ("\n\n", "p.csv: the file is empty"),
        ("pupil,x,x\n1,2,3\n", "p.csv, column `x`: 2 columns have this heading"),
        ("pupil,Sex,SEX\n1,2,3\n", "p.csv, column `Sex`: 2 columns have this heading"),
        ("pupil,,\n1,2,3\n", "p.csv: 2 columns have no heading"),
        ("pupil,x\n1\n1,2,3\n1,2\n", "2 lines do not have the 2 fields"),
        ("pupil,x\n1,2\n3,ZEBRA,5\n", "1 line does not have the 2 fields"),
        ('pupil,x\n1,2\n3,"ZEBRA\n', "1 line does not have the 2 fields"),
        ("ZEBRA,ZEBRA\n1,2\n", "the first line holds none of the columns that the study names"),
    ],
)
def test_damage_to_a_csv_is_counted_and_never_quoted(tmp_path, text, words):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")

    message = refusal(path)

    assert words in message
    assert "ZEBRA" not in message


@pytest.mark.parametrize("name", ["p.csv.gz", "p.parquet"])
def test_a_file_that_is_not_what_its_name_says(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"pupil,x\nZEBRA,2\n")

    message = refusal(path)

    assert f"{name}: the file cannot be read (" in message
    assert "ZEBRA" not in message


def test_a_gzip_file_cut_short(tmp_path):
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode() * 1000)[:-20])

    assert "the file cannot be read" in refusal(path)


def test_files_are_found_by_name_and_by_pattern_in_order(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("w10.csv", "w2.csv", "w1.csv"):
        (tmp_path / "data" / name).write_text("x", encoding="utf-8")
    (tmp_path / "data" / "folder.csv").mkdir()

    def found(pattern):
        return [path.name for path in find_files(pattern, tmp_path)]

    assert found("data/w1.csv") == ["w1.csv"]
    assert found("data/*.csv") == ["w1.csv", "w10.csv", "w2.csv"]
    assert found("data/w[12].csv") == ["w1.csv", "w2.csv"]
    assert found(str(tmp_path / "data" / "w?.csv")) == ["w1.csv", "w2.csv"]


@pytest.mark.parametrize("pattern", ["absent.csv", "data/*.csv", "."])
def test_a_pattern_that_finds_nothing(tmp_path, pattern):
    with pytest.raises(DataError, match="no such file"):
        find_files(pattern, tmp_path)


def test_a_kind_of_file_that_is_not_read(tmp_path):
    for name in ("a.dta", "b.xls", "c.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")

    with pytest.raises(DataError) as caught:
        find_files("*", tmp_path)

    assert [problem.where for problem in caught.value.problems] == ["a.dta", "b.xls"]


def test_the_fingerprint_is_the_sha256(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(b"abc" * 1_000_000)

    assert fingerprint(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


@pytest.mark.parametrize(
    ("name", "holds", "what"),
    [
        ("p.csv", b"PK\x03\x04 and more", "a workbook under the name of a CSV file"),
        ("p.xlsx", b"\xd0\xcf\x11\xe0 and more", "not a workbook, or it is protected"),
        ("p.xlsx", b"pupil,school\n1,2\n", "not a workbook, or it is protected"),
    ],
)
def test_a_file_under_the_name_of_another_kind_is_told(tmp_path, name, holds, what):
    (tmp_path / name).write_bytes(holds)
    with Engine(tmp_path / "spill") as engine, pytest.raises(DataError, match=what):
        load_file(tmp_path / name, engine, None, ["pupil"])

"""CSV files with lines above the headings and below the table."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.files import load_file
from baseeval.sources.heading_rows import Wanted, find_headings
from baseeval.sources.table_ends import judge_end

NAMED = ("pupil_id", "school", "score")
ROWS = [
    {"pupil_id": "1", "school": "Zoë", "score": "5"},
    {"pupil_id": "2", "school": None, "score": "7"},
]
TABLE = "pupil_id,school,score\n1,Zoë,5\n2,,7\n"


def load(path):
    with Engine() as engine:
        loaded = load_file(path, engine, None, NAMED)
        rows = engine.collect(loaded.frame, []).to_pylist()
    return rows, {fault.rule: fault.count for fault in loaded.faults}


def write(folder, text, encoding="utf-8", name="p.csv"):
    path = folder / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    return path


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_titles_and_totals_in_any_usual_form(tmp_path, name, encoding, end):
    text = f"Students report, 12/10/2025\n\n,,\n{TABLE},,\nTotal,,12\nCount: 2,,\n\n"

    rows, faults = load(write(tmp_path, text.replace("\n", end), encoding, name))

    assert rows == ROWS
    assert faults == {"rows_above_headings": 3, "rows_below_table": 2}


def test_titles_with_commas_above_a_table_with_semicolons(tmp_path):
    text = 'Report, a, b, c, d\n"Year 7, all"\n' + TABLE.replace(",", ";")

    assert load(write(tmp_path, text)) == (ROWS, {"rows_above_headings": 2})


def test_a_total_line_may_be_shorter_than_the_table(tmp_path):
    assert load(write(tmp_path, TABLE + "Total: 12\n")) == (ROWS, {"rows_below_table": 1})


def test_a_line_that_is_no_total_is_no_row_of_the_table_either(tmp_path):
    path = write(tmp_path, TABLE + "ZEBRA printed this\n")

    with pytest.raises(DataError, match="1 line does not have the 3 fields") as caught:
        load(path)
    assert "ZEBRA" not in str(caught.value)


def test_headings_may_lie_on_two_lines(tmp_path):
    text = 'Title\npupil_id,"school\n",score\n1,Zoë,5\n2,,7\n'

    assert load(write(tmp_path, text)) == (ROWS, {"rows_above_headings": 1})


def test_the_last_line_of_a_long_cell_is_no_note(tmp_path):
    text = TABLE.replace("7", '"7\nand\nmore"')

    rows, faults = load(write(tmp_path, text))

    assert [row["score"] for row in rows] == ["5", "7\nand\nmore"]
    assert faults == {}


def test_a_last_line_of_one_cell_is_told(tmp_path):
    assert load(write(tmp_path, TABLE + "9,,\n"))[1] == {"lone_cells": 1}


def test_titles_and_a_total_around_a_long_table(tmp_path):
    lines = "".join(f"{number},x,{number % 7}\n" for number in range(30_000))

    rows, faults = load(write(tmp_path, f"Title\npupil_id,school,score\n{lines}Total,,90000\n"))

    assert len(rows) == 30_000
    assert rows[-1]["pupil_id"] == "29999"
    assert faults == {"rows_above_headings": 1, "rows_below_table": 1}


def test_an_empty_column_without_a_heading_is_no_column(tmp_path):
    text = "Title,,,\npupil_id,school,score,\n1,Zoë,5,\n2,,7,\n"

    assert load(write(tmp_path, text)) == (ROWS, {"rows_above_headings": 1})


def test_the_copy_without_titles_lies_in_the_private_folder(tmp_path):
    path = write(tmp_path, "Title\n" + TABLE)

    with Engine(tmp_path / "spill") as engine:
        load_file(path, engine, None, NAMED)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["p.csv", "spill"]
    assert path.read_text(encoding="utf-8") == "Title\n" + TABLE


words = st.text(st.characters(codec="ascii", categories=["L", "Nd"]), max_size=4)


@given(
    titles=st.lists(st.lists(words, max_size=4), max_size=29),
    known=st.lists(st.sampled_from(["k1", "k2", "k3"]), min_size=2, max_size=3, unique=True),
)
def test_headings_are_found_below_any_titles_that_know_less(titles, known):
    """Whatever stands above, the row is found, and nothing above it holds as many."""
    wanted = Wanted(["k1", "k2", "k3"], {"k1", "k2", "k3"}.__contains__)

    found = find_headings([*titles, known], wanted)

    assert found is not None
    counts = [len({"k1", "k2", "k3"} & set(row)) for row in [*titles, known]]
    assert counts[found] == max(counts)
    assert found == counts.index(max(counts))


@given(st.lists(st.lists(words, min_size=1, max_size=4), max_size=8))
def test_only_a_row_that_begins_with_a_total_is_left_out(rows):
    held = [row for row in rows if any(row)]
    end = judge_end(held, 4)

    said = ("total", "count", "sum", "mean")
    for row in held[len(held) - end.totals :]:
        assert next(filter(None, row)).lower().startswith(said)
    assert end.lone <= 5

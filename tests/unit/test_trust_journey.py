"""A trust's own workbook gives the cohort of the plain CSV, says what it passed over, or stops."""

import openpyxl
import pandas as pd
import pytest

import baseeval as be
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError

STUDY = """
[study]
name = "s"
title = "A study"
[data]
table = "{table}"
[arms]
column = "arm"
base = ["b"]
host_mainstream = ["h"]
[[outcomes]]
name = "reading"
kind = "continuous"
column = "reading"
[covariates]
adjust = ["sex"]
"""
HEADINGS = ["pupil_id", "school_id", "arm", "sex", "reading"]
ROWS = [
    ["A1", 100001, "b", "F", 90],
    ["A2", 100001, "b", "M", None],
    ["A3", 100001, "h", "F", 85.5],
    ["A4", 100002, "h", None, 70],
]


def cohort(folder, table):
    path = folder / "study.toml"
    path.write_text(STUDY.format(table=table), encoding="utf-8")
    with Engine() as engine:
        made = be.build_cohort(be.read_study(path), engine)
        covariates = engine.collect(made.covariates, ["pupil"]).to_pandas()
        outcomes = engine.collect(made.outcomes, ["outcome", "wave", "pupil"]).to_pandas()
    told = {(fault.rule, fault.column, fault.count) for fault in made.faults}
    return (made.flow.table, covariates, outcomes), told, made.missing


def workbook(folder, rows, name="p.xlsx"):
    book = openpyxl.Workbook()
    book.active.append(["Read me first"])
    sheet = book.create_sheet("Export")
    for row in rows:
        sheet.append(row)
    book.save(folder / name)
    return name


def test_a_workbook_with_all_its_trimmings_is_the_plain_csv(tmp_path):
    plain = "\n".join(
        ",".join("" if cell is None else str(cell) for cell in row) for row in [HEADINGS, *ROWS]
    )
    (tmp_path / "p.csv").write_text(plain + "\n", encoding="utf-8")
    rows = [list(row) for row in ROWS]
    rows[1][4], rows[3][3] = "#N/A", "#REF!"
    trimmed = [
        ["Students report 12/10/2025"],
        [],
        HEADINGS,
        *rows,
        ["Total", None, None, None, 245.5],
    ]

    tables, told, _ = cohort(tmp_path, "p.csv")
    mine, also, missing = cohort(tmp_path, workbook(tmp_path, trimmed))

    for one, other in zip(mine, tables, strict=True):
        whys = [column for column in one if column.startswith("why")]
        pd.testing.assert_frame_equal(one.drop(columns=whys), other.drop(columns=whys))
    assert told == set()
    assert also == {
        ("sheets_passed_over", "", 1),
        ("rows_above_headings", "", 2),
        ("rows_below_table", "", 1),
        ("excel_error", "reading", 1),
        ("excel_error", "sex", 1),
    }
    assert "spreadsheet error" in set(missing["reason"])


def test_ids_whose_digits_are_lost_stop_the_study_and_are_not_quoted(tmp_path):
    rows = [["9.87654E+11", *row[1:]] if n < 2 else row for n, row in enumerate(ROWS)]

    with pytest.raises(DataError) as caught:
        cohort(tmp_path, workbook(tmp_path, [HEADINGS, *rows]))

    assert "column `pupil_id`: 2 rows hold a number written as 1.2E+11" in str(caught.value)
    assert "9.87" not in str(caught.value)

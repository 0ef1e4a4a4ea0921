"""One tidy table: the contract that follows from a plan, and files put together."""

import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baseeval.cohort.laying import lay_rows
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.plan import plan_from_keys
from baseeval.sources.table import read_table, table_contract

PLAN = """
[study]
name = "s"
title = "A study"
[data]
table = "{table}"
wave = "wave"
baseline_wave = 1
[peers]
group = "autistic"
is_peer = ["no"]
year = "year"
sex = "sex"
[arms]
column = "placement"
base = ["b"]
[[outcomes]]
name = "attainment"
kind = "continuous"
column = "maths"
[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "present"
possible = "possible"
[[outcomes]]
name = "belonging"
kind = "scale"
items = ["b01", "b02"]
range = [1, 4]
labels = {{ never = 1 }}
[covariates]
adjust = ["prior", "sex", "maths", {{ column = "year", kind = "category" }}]
"""

SMALL = """
[study]
name = "s"
title = "A study"
[data]
table = "{table}"
[[outcomes]]
name = "y"
kind = "continuous"
column = "y"
"""


def plan_of(text, folder=Path(), table="p.csv"):
    return plan_from_keys(tomllib.loads(text.format(table=table)), folder / "study.toml")


def read(folder, table):
    with Engine() as engine:
        source = read_table(plan_of(SMALL, folder, table), engine)
        rows = engine.collect(source.typed.frame, ["pupil_id"]).to_pylist()
        assert set(rows[0]) == {"pupil_id", "school_id", "y", "why:y"}
        return source, [(row["pupil_id"], row["school_id"], row["y"]) for row in rows]


def test_the_contract_follows_from_the_plan():
    contracts = {c.name: c for c in table_contract(plan_of(PLAN))}

    assert {name: c.kind for name, c in contracts.items()} == {
        "pupil_id": "key",
        "school_id": "key",
        "wave": "key",
        "placement": "key",
        "autistic": "key",
        "year": "category",
        "sex": "either",
        "maths": "number",
        "present": "number",
        "possible": "number",
        "b01": "number",
        "b02": "number",
        "prior": "either",
    }
    assert (contracts["b01"].low, contracts["b01"].high) == (1, 4)
    assert contracts["b01"].labels == {"never": 1}
    assert (contracts["present"].low, contracts["present"].high) == (0, None)
    assert contracts["maths"].low is None


def test_only_the_columns_of_the_plan_are_read(tmp_path):
    text = "pupil_id,name,y,school_id\n1,ZEBRA,5,A\n"
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")

    source, rows = read(tmp_path, "p.csv")

    assert rows == [("1", "A", 5.0)]
    assert source.label == "p.csv"


def test_files_are_put_together_by_the_names_of_their_columns(tmp_path):
    (tmp_path / "w1.csv").write_text("pupil_id,school_id,y\n1,A,5\n", encoding="utf-8")
    (tmp_path / "w2.csv").write_text("y;school_id;pupil_id\n6;B;2\n", encoding="cp1252")

    source, rows = read(tmp_path, "w*.csv")

    assert rows == [("1", "A", 5.0), ("2", "B", 6.0)]
    assert [name for name, _ in source.files] == ["w1.csv", "w2.csv"]
    assert source.label == "w*.csv (2 files)"


def test_a_pupil_keeps_one_name_over_files_of_several_types(tmp_path):
    """An id is text in one file, whole in the next, and has a point (pandas, a gap) in a third."""
    (tmp_path / "w1.csv").write_text("pupil_id,school_id,y\n7,1,5\n", encoding="utf-8")
    whole = {"pupil_id": [7, 8], "school_id": [1, 1], "y": [5.5, 6.5]}
    pq.write_table(pa.table(whole), tmp_path / "w2.parquet")
    pointed = {"pupil_id": [7.0, 9.0], "school_id": [1.0, None], "y": [7, 8]}
    pq.write_table(pa.table(pointed), tmp_path / "w3.parquet")

    _, rows = read(tmp_path, "w*")

    assert sorted(rows, key=lambda row: (row[0], row[2])) == [
        ("7", "1", 5.0),
        ("7", "1", 5.5),
        ("7", "1", 7.0),
        ("8", "1", 6.5),
        ("9", None, 8.0),
    ]


def test_every_column_that_is_not_there_is_named_for_every_file(tmp_path):
    (tmp_path / "w1.csv").write_text("pupil_id,school,y\n1,A,5\n", encoding="utf-8")
    (tmp_path / "w2.csv").write_text("pupil_id,school_id,z\n1,A,5\n", encoding="utf-8")

    with pytest.raises(DataError) as caught:
        read(tmp_path, "w*.csv")

    assert [problem.where for problem in caught.value.problems] == [
        "w1.csv, column `school_id`",
        "w2.csv, column `y`",
    ]
    assert "Did you mean `school`?" in caught.value.problems[0].remedy


def test_the_engine_is_shut_once_the_table_is_read(tmp_path):
    (tmp_path / "p.csv").write_text("pupil_id,school_id,y\n1,A,5\n", encoding="utf-8")

    with Engine() as engine:
        lay_rows(plan_of(SMALL, tmp_path), engine)
        with pytest.raises(Exception, match="disabled by configuration"):
            engine.csv(tmp_path / "p.csv", ["a"], ",")

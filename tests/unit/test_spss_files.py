"""SPSS files: numbers, words, days, user-missing values, and a missing extra."""

import builtins
import datetime as dt

import pandas as pd
import pytest

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.plan import plan_from_keys
from baseeval.sources.files import load_file
from baseeval.sources.table import read_table

pyreadstat = pytest.importorskip("pyreadstat", reason="the extra `spss` is not installed")

NAMED = ("pupil_id", "sex", "agree", "age", "born", "note")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "survey.sav"
    frame = pd.DataFrame(
        {
            "pupil_id": [7.0, 8.0, 9.0, 10.0],
            "sex": [1.0, 2.0, 1.0, None],
            "agree": [4.0, 9.0, 1.0, 8.0],
            "age": [11.5, 12.0, 99.0, 13.0],
            "born": [dt.date(2013, 5, 6), None, dt.date(2012, 1, 2), dt.date(2011, 1, 2)],
            "note": ["Zoë ", "", "x", "y"],
        }
    )
    pyreadstat.write_sav(
        frame,
        str(file),
        variable_value_labels={
            "sex": {1: "Female", 2: "Male", 3: "Other"},
            "agree": {1: "never", 4: "always", 8: "Unsure", 9: "Refused"},
            "age": {99: "Not said"},
            "pupil_id": {7: "ZEBRA", 8: "ZEBRA", 9: "ZEBRA", 10: "ZEBRA"},
        },
        missing_ranges={"agree": [{"lo": 8, "hi": 9}], "age": [99]},
    )
    return file


def load(path, kinds=None):
    with Engine() as engine:
        loaded = load_file(path, engine, None, NAMED, None, None if kinds is None else kinds.get)
        columns = engine.collect(loaded.frame, []).to_pydict()
    return columns, {(f.rule, f.column): (f.count, f.stops) for f in loaded.faults}


def test_words_where_every_value_has_one_and_numbers_where_they_are_wanted(path):
    columns, faults = load(path, {"pupil_id": "key", "agree": "number", "age": "either"})

    assert columns == {
        "pupil_id": [7.0, 8.0, 9.0, 10.0],
        "sex": ["Female", "Male", "Female", None],
        "agree": [4.0, None, 1.0, None],
        "age": [11.5, 12.0, None, 13.0],
        "born": [dt.date(2013, 5, 6), None, dt.date(2012, 1, 2), dt.date(2011, 1, 2)],
        "note": ["Zoë", None, "x", "y"],
    }
    assert faults == {("user_missing", "agree"): (2, False), ("user_missing", "age"): (1, False)}


def test_words_of_an_item_where_the_study_has_words_for_them(path):
    assert load(path, {})[0]["agree"] == ["always", None, "never", None]


def test_the_same_study_from_sav_and_csv(path, tmp_path):
    """A scale read from the file's numbers is the scale read from a CSV of them."""
    (tmp_path / "survey.csv").write_text(
        "pupil_id,sex,agree,age\n7,Female,4,11.5\n8,Male,,12\n9,Female,1,\n10,,,13\n",
        encoding="utf-8",
    )
    read = []
    for name in ("survey.sav", "survey.csv"):
        keys = {
            "study": {"name": "s", "title": "A study"},
            "data": {"table": name, "school": "sex"},
            "outcomes": [{"name": "b", "kind": "scale", "items": ["agree"], "range": [1, 4]}],
            "covariates": {"adjust": ["age"]},
        }
        with Engine() as engine:
            # The school is a key, so its codes stay: name them as the CSV does.
            source = read_table(plan_from_keys(keys, tmp_path / "study.toml"), engine)
            rows = engine.collect(source.typed.frame, ["pupil_id"]).to_pylist()
        schools = {"1": "Female", "2": "Male"}
        read.append([row | {"sex": schools.get(row["sex"], row["sex"])} for row in rows])

    assert read[0] == read[1]
    assert [row["pupil_id"] for row in read[0]] == ["10", "7", "8", "9"]


def test_a_damaged_file_is_not_quoted(tmp_path):
    path = tmp_path / "p.sav"
    path.write_bytes(b"ZEBRA" * 100)

    with pytest.raises(
        DataError, match=r"p\.sav: the file cannot be read as an SPSS file"
    ) as caught:
        load(path)
    assert "ZEBRA" not in str(caught.value)


def test_a_file_without_known_columns(path):
    with Engine() as engine, pytest.raises(DataError, match="holds none of the columns") as caught:
        load_file(path, engine, None, ["urn"])
    assert "ZEBRA" not in str(caught.value)


def test_without_the_extra_the_error_names_it(path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name == "pyreadstat":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(DataError, match=r"pip install baseeval\[spss\]"):
        load(path)

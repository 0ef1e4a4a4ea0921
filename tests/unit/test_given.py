"""What may be given in place of a file, and that it is read as its CSV file would be."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import sqlite3
import types

import duckdb
import narwhals as narwhals_main
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from baseeval.contracts.codes import SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, UsageError
from baseeval.sources.crosswalk import contract_crosswalk
from baseeval.sources.files import load_file
from baseeval.sources.gathering import gather_frames
from baseeval.sources.given import take
from baseeval.sources.values import read_values


@pytest.fixture
def engine():
    with Engine() as engine:
        yield engine


@pytest.fixture
def sqlite():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE schools (urn, la, note)")
    rows = [(100001, "201", None), (None, "SUPP", "x"), (100002, 3, "y")]
    connection.executemany("INSERT INTO schools VALUES (?, ?, ?)", rows)
    connection.commit()
    yield connection
    connection.close()


@pytest.fixture
def duck():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE schools AS SELECT 100001 AS urn, 'a' AS note")
    yield connection
    connection.close()


class Stream:
    """Nothing but an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table({"urn": [1, 2]}).__arrow_c_stream__(requested_schema)


def rows_of(value, engine):
    frames = take(value, engine, "schools")
    return [row for frame in frames for row in engine.collect(frame, []).to_pylist()]


def column_of(values, engine):
    [frame] = take(pd.DataFrame({"v": values}), engine, "t")
    return frame.collect_schema()["v"], engine.collect(frame, []).column("v").to_pylist()


FRAME = pd.DataFrame({"urn": [1, 2]}, index=[7, 7])


@pytest.mark.parametrize(
    "value",
    [
        FRAME,
        pa.table({"urn": [1, 2]}),
        pa.record_batch({"urn": [1, 2]}),
        pa.table({"urn": [1, 2]}).to_reader(),
        Stream(),
        nw.from_native(FRAME),
        nw.from_native(FRAME).lazy(),
        narwhals_main.from_native(pa.table({"urn": [1, 2]})),
        [FRAME.iloc[:1], pa.table({"urn": [2]})],
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_frame_and_any_stream(value, engine):
    assert rows_of(value, engine) == [{"urn": 1}, {"urn": 2}]


def test_a_polars_frame_eager_or_lazy(engine):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"urn": [1, 2]})

    assert rows_of(frame, engine) == rows_of(frame.lazy(), engine) == [{"urn": 1}, {"urn": 2}]


def test_a_duckdb_relation_table_view_and_query(duck, engine):
    duck.register("seen", FRAME)
    row = [{"urn": 100001, "note": "a"}]

    assert rows_of(duck.table("schools"), engine) == row
    assert rows_of(nw.from_native(duck.table("schools")), engine) == row
    assert rows_of((duck, "schools"), engine) == row
    assert rows_of((duck, "-- all\nSELECT * FROM schools;"), engine) == row
    assert rows_of((duck, "WITH a AS (FROM schools) SELECT * FROM a"), engine) == row
    assert rows_of((duck, "FROM seen"), engine) == [{"urn": 1}, {"urn": 2}]
    assert duck.execute("SELECT count(*) FROM schools").fetchall() == [(1,)]


def test_a_query_on_any_driver(sqlite, engine):
    found = rows_of((sqlite, "SELECT * FROM schools"), engine)

    assert found == [
        {"urn": 100001, "la": "201", "note": None},
        {"urn": None, "la": "SUPP", "note": "x"},
        {"urn": 100002, "la": "3", "note": "y"},
    ]
    # Its transaction, rows and settings are as they were, and it is open.
    assert not sqlite.in_transaction
    assert sqlite.execute("SELECT count(*) FROM schools").fetchone() == (3,)


def test_a_query_without_rows(sqlite, engine):
    [frame] = take((sqlite, "SELECT * FROM schools WHERE 1 = 0"), engine, "t")

    assert frame.collect_schema().names() == ["urn", "la", "note"]
    assert engine.collect(frame, []).num_rows == 0


def test_rows_that_are_mappings_or_objects_of_the_driver(sqlite, engine):
    sqlite.row_factory = sqlite3.Row
    one = rows_of((sqlite, "SELECT urn, la FROM schools"), engine)
    sqlite.row_factory = lambda cursor, row: dict(
        zip([column[0] for column in cursor.description], row, strict=True)
    )
    other = rows_of((sqlite, "SELECT urn, la FROM schools"), engine)

    assert one == other
    assert one[0] == {"urn": 100001, "la": "201"}


class Cursor:
    """A cursor of pyodbc's kind: rows in blocks, columns typed anew in each."""

    def __init__(self, blocks):
        self.description = [("n", int), ("mixed", str), ("empty", str)]
        self.blocks, self.closed, self.asked = list(blocks), False, []

    def execute(self, query):
        self.asked.append(query)

    def fetchmany(self, size):
        return self.blocks.pop(0) if self.blocks else []

    def close(self):
        self.closed = True


def test_blocks_whose_types_differ_are_joined(engine):
    day = dt.date(2024, 9, 1)
    cursor = Cursor(
        [
            [(None, None, None), (1, 2, None)],
            [(2**40, "SUPP", None)],
            [(3, 4.0, None), (4, day, None)],
        ]
    )
    connection = types.SimpleNamespace(cursor=lambda: cursor)
    [frame] = take((connection, "SELECT 1"), engine, "t")
    found = engine.collect(frame, [])

    assert found.column("n").to_pylist() == [None, 1, 2**40, 3, 4]
    assert found.column("mixed").to_pylist() == [None, "2", "SUPP", "4", "2024-09-01"]
    assert found.column("empty").to_pylist() == [None] * 5
    assert cursor.closed


def test_decimals_and_numbers_of_several_blocks(engine):
    cursor = Cursor(
        [
            [(1, decimal.Decimal("1.5"), None)],
            [(2.5, decimal.Decimal("10.25"), None)],
        ]
    )
    connection = types.SimpleNamespace(cursor=lambda: cursor)
    found = rows_of((connection, "SELECT 1"), engine)

    assert [row["n"] for row in found] == [1.0, 2.5]
    assert [float(row["mixed"]) for row in found] == [1.5, 10.25]


# ----------------------------------------------------------------------------------------
# Types
# ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pd.array([1, None, 2**60], dtype="Int64"), nw.Int64, [1, None, 2**60]),
        (pd.Series([1, None, 3], dtype=object), nw.Int64, [1, None, 3]),
        ([1, "SUPP", 2.0], nw.String, ["1", "SUPP", "2"]),
        ([1.5, "c", None], nw.String, ["1.5", "c", None]),
        (pd.Series([True, None, False], dtype=object), nw.Boolean, [True, None, False]),
        ([1, True, None], nw.String, ["1", "true", None]),
        (pd.Categorical(["a", None, "b"]), nw.String, ["a", None, "b"]),
        (pd.Categorical([1, 2, None]), nw.String, ["1", "2", None]),
        (pd.Categorical([1.0, 2.5, None]), nw.String, ["1", "2.5", None]),
        (["a", None, float("nan")], nw.String, ["a", None, None]),
        ([None, None, None], nw.String, [None, None, None]),
        (pd.array(["a", None, ""], dtype="string"), nw.String, ["a", None, ""]),
        (pd.Series([2**70, 1, None], dtype=object), nw.String, [str(2**70), "1", None]),
        (
            pd.to_datetime(["2024-09-01", None, "2024-10-01"]),
            nw.Date,
            [dt.date(2024, 9, 1), None, dt.date(2024, 10, 1)],
        ),
        (
            pd.to_datetime(["2024-07-01", None, "2024-12-01"]).tz_localize("Europe/London"),
            nw.Date,
            [dt.date(2024, 7, 1), None, dt.date(2024, 12, 1)],
        ),
        (
            [dt.date(2024, 9, 1), None, dt.datetime(2024, 9, 1, 8, 30)],  # noqa: DTZ001
            nw.String,
            ["2024-09-01", None, "2024-09-01 08:30:00"],
        ),
        (
            pd.PeriodIndex(["2024-09", "2024-10", None], freq="M"),
            nw.String,
            ["2024-09", "2024-10", None],
        ),
        (np.array([1.5, np.nan, 2], dtype="float16"), nw.Float32, [1.5, None, 2.0]),
    ],
)
def test_types(values, kind, expected, engine):
    held, found = column_of(values, engine)

    assert held == kind
    assert found == expected


def test_times_that_are_not_all_midnight_stay_times(engine):
    held, _ = column_of(pd.to_datetime(["2024-09-01 00:00", "2024-09-01 09:15"]), engine)

    assert held == nw.Datetime


def test_an_infinity_among_other_things_stays_for_the_reader_to_refuse(engine):
    _, found = column_of([float("inf"), "x"], engine)

    assert found == ["inf", "x"]


def test_a_dictionary_of_arrow_is_text(engine):
    table = pa.table({"v": pa.array(["a", None, "a"]).dictionary_encode()})

    assert rows_of(table, engine) == [{"v": "a"}, {"v": None}, {"v": "a"}]


def test_the_frame_is_left_as_it_is(engine):
    frame = pd.DataFrame(
        {"n": [1.0, None], "c": pd.Categorical(["a", "b"]), "o": [1, "x"]}, index=[3, 9]
    )
    before = frame.copy(deep=True)
    take(frame, engine, "t")

    pd.testing.assert_frame_equal(frame, before)


# ----------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------


def refusal(value, engine):
    with pytest.raises(UsageError) as caught:
        take(value, engine, "schools")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (100001, "a builtins.int: it is nothing that is read"),
        (None, "a builtins.NoneType: it is nothing that is read"),
        ({"urn": [100001]}, "a builtins.dict: it is nothing that is read"),
        ("100001.csv", "a builtins.str: it is text"),
        ([], "the list is empty"),
        ((1, 2), "a pair is an open connection and the text of a query"),
        ((1, "SELECT 100001"), "the first of the pair is no open connection"),
        (pd.DataFrame(), "it has no columns"),
        (pd.DataFrame([[1, 2]], columns=["urn", "URN"]), "two columns have one name (`urn`)"),
        (pd.DataFrame([[1, 2]], columns=["urn", "urn"]), "two columns have one name (`urn`)"),
    ],
)
def test_what_is_not_read_is_named_by_its_type_alone(value, said, engine):
    message = refusal(value, engine)

    assert message.startswith("tables['schools']")
    assert said in message
    assert "100001" not in message


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM schools",
        "DROP TABLE schools",
        "SELECT 1; DROP TABLE schools",
        "WITH a AS (SELECT 1) DELETE FROM schools",
        "SELECT * INTO other FROM schools",
        "",
    ],
)
def test_a_query_may_only_read(query, sqlite, duck, engine):
    assert "tables['schools']" in refusal((sqlite, query), engine)
    assert "tables['schools']" in refusal((duck, query), engine)
    assert sqlite.execute("SELECT count(*) FROM schools").fetchone() == (3,)
    assert duck.execute("SELECT count(*) FROM schools").fetchall() == [(1,)]


def test_a_word_in_quotes_changes_nothing(sqlite, engine):
    assert len(rows_of((sqlite, "SELECT urn, 'drop; delete' AS a FROM schools"), engine)) == 3


@pytest.mark.parametrize("query", ["SELECT * FROM nobody", "nobody"])
def test_what_a_driver_refuses_is_told_without_its_words(query, sqlite, duck, engine):
    assert "nobody" not in refusal((duck, query), engine)
    assert "nobody" not in refusal((sqlite, query), engine)


def test_two_columns_of_a_query_with_one_name(sqlite, engine):
    assert "two columns have one name (`a`)" in refusal((sqlite, "SELECT 1 AS a, 2 AS A"), engine)


def test_a_frame_without_a_known_column_is_refused(engine):
    frames = take(pd.DataFrame({"zebra": [1]}), engine, "schools")
    known = contract_crosswalk(TABLES["schools"])

    with pytest.raises(DataError, match="none of the columns that are known here"):
        gather_frames(frames, known, engine, "tables['schools']")


# ----------------------------------------------------------------------------------------
# A frame and its CSV file
# ----------------------------------------------------------------------------------------

words = st.sampled_from(["a", "Zoë", "x y", "007", *SUPPRESSION_CODES])
columns = st.one_of(
    st.lists(st.none() | st.integers(-(10**12), 10**12), min_size=4, max_size=4),
    st.lists(
        st.none() | st.integers(-(10**9), 10**9).map(lambda number: number / 8),
        min_size=4,
        max_size=4,
    ),
    st.lists(st.none() | words, min_size=4, max_size=4),
    st.lists(st.none() | words | st.integers(0, 999), min_size=4, max_size=4),
    st.lists(st.none() | st.booleans(), min_size=4, max_size=4),
    st.lists(
        st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2030, 12, 31)), min_size=4, max_size=4
    ),
)
kinds = st.sampled_from(["key", "number", "flag", "date", "category", "code"])


def typed(frame, kind, engine):
    codes = {"A": "a", "X": "x"} if kind == "code" else {}
    contract = ColumnContract("v", kind, "test", codes=codes)
    order = ColumnContract("order", "integer", "order")
    found = read_values(frame, [order, contract], engine, "t")
    rows = engine.collect(found.frame, ["order"]).to_pylist()
    return rows, [(told.rule, told.count) for told in found.problems]


@settings(max_examples=60, deadline=None)
@given(values=columns, kind=kinds, as_objects=st.booleans())
def test_a_frame_is_read_as_its_csv_file(tmp_path_factory, values, kind, as_objects):
    # A typed truth is a number where one is wanted; the word is none.
    assume(kind != "number" or not any(isinstance(value, bool) for value in values))
    column = pd.Series(values, dtype=object) if as_objects else pd.Series(values)
    frame = pd.DataFrame({"order": range(len(values)), "v": column})
    path = tmp_path_factory.mktemp("given") / "t.csv"
    # As everywhere: a whole number without its point, a truth in small letters.
    cells = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    cells = [str(v).lower() if isinstance(v, bool) else v for v in cells]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("order", "v"), *enumerate(cells)])
    with Engine() as engine:
        from_file = typed(load_file(path, engine, None, ["v"]).frame, kind, engine)
        [taken] = take(frame, engine, "t")
        from_frame = typed(taken, kind, engine)

    assert from_frame == from_file

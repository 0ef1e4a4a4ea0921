"""The engine: opened shut, counting exactly, bringing rows home in a stated order."""

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baseeval.engine.duckdb_engine import Engine


@pytest.fixture
def engine(tmp_path):
    with Engine(tmp_path / "spill") as opened:
        yield opened


def settings(engine):
    rows = engine._connection.execute("SELECT name, value FROM duckdb_settings()").fetchall()
    return dict(rows)


def test_it_opens_without_extensions_and_in_utc(engine, tmp_path):
    found = settings(engine)

    assert found["autoinstall_known_extensions"] == "false"
    assert found["autoload_known_extensions"] == "false"
    assert found["TimeZone"] == "UTC"
    assert found["temp_directory"] == str(tmp_path / "spill" / "duckdb")


def test_once_shut_it_reads_writes_and_changes_nothing(engine, tmp_path):
    csv, parquet = tmp_path / "p.csv", tmp_path / "p.parquet"
    csv.write_text("a\n1\n", encoding="utf-8")
    pq.write_table(pa.table({"a": [1]}), parquet)
    before, _ = engine.csv(csv, ["a"], ",")
    engine.shut()
    engine.shut()

    assert settings(engine)["enable_external_access"] == "false"
    assert settings(engine)["lock_configuration"] == "true"
    with pytest.raises(Exception, match="disabled by configuration"):
        engine.csv(csv, ["a"], ",")
    with pytest.raises(Exception, match="disabled by configuration"):
        engine.parquet(parquet)
    for statement in (
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.db'}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET autoload_known_extensions = true",
        "SELECT * FROM 'https://example.org/p.csv'",
    ):
        with pytest.raises(Exception, match=r"(?i)disabled|locked|cannot"):
            engine._connection.execute(statement)
    assert not (tmp_path / "out.csv").exists()
    assert engine.collect(before, ["a"]).to_pylist() == [{"a": "1"}]


def test_once_shut_it_may_still_spill(tmp_path):
    with Engine(tmp_path / "private" / "spill", memory_limit="30MB") as engine:
        words = pa.array([f"{number * 7919 % 400_009:020d}" for number in range(400_000)])
        table = engine.table(pa.table({"word": words, "again": words}))
        engine.shut()

        ordered = engine.keep(table.sort("word"))

        assert engine.counts(ordered, {"all": ~nw.col("word").is_null()}) == {"all": 400_000}
        assert any((tmp_path / "private" / "spill" / "duckdb").iterdir())


def test_its_own_folder_goes_with_it():
    with Engine() as engine:
        folder = engine.spill
        assert folder.is_dir()

    assert not folder.exists()


def test_counts_take_missing_for_false(engine):
    table = engine.table(pa.table({"x": pa.array([1, 2, None, 4])}))

    counts = engine.counts(
        table,
        {"over one": nw.col("x") > 1, "missing": nw.col("x").is_null(), "none": nw.col("x") > 9},
    )

    assert counts == {"over one": 2, "missing": 1, "none": 0}
    assert engine.counts(table, {}) == {}


def test_counts_over_no_rows_are_zero(engine):
    table = engine.table(pa.table({"x": pa.array([], pa.int64())}))

    assert engine.counts(table, {"any": nw.col("x") > 1}) == {"any": 0}


def test_collect_orders_with_nulls_first(engine):
    table = engine.table(pa.table({"a": ["b", "a", None, "b"], "n": [2, 1, 3, 1]}))

    rows = engine.collect(table, ["a", "n"]).to_pylist()

    assert [(row["a"], row["n"]) for row in rows] == [(None, 3), ("a", 1), ("b", 1), ("b", 2)]


def test_text_orders_by_code_point_whatever_the_locale(engine):
    table = engine.table(pa.table({"a": ["é", "z", "Z", "10", "9", "a"]}))

    assert engine.collect(table, ["a"]).column("a").to_pylist() == ["10", "9", "Z", "a", "z", "é"]


def test_csv_reads_text_alone(engine, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,x\n007,1.50\n'8,\n", encoding="utf-8")

    frame, faulty = engine.csv(path, ["it's", "x"], ",")

    assert faulty == 0
    assert engine.collect(frame, []).to_pylist() == [
        {"it's": "007", "x": "1.50"},
        {"it's": "'8", "x": None},
    ]


def test_csv_counts_the_lines_that_do_not_fit(engine, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("a,b\n1,2\n1\n1,2,3\n1,2,3,4\n", encoding="utf-8")

    frame, faulty = engine.csv(path, ["a", "b"], ",")

    assert faulty == 3
    assert engine.counts(frame, {"rows": ~nw.col("a").is_null()}) == {"rows": 1}


def test_keep_computes_once(engine):
    table = engine.table(pa.table({"x": [1, 2]}))

    kept = engine.keep(table.with_columns((nw.col("x") * 2).alias("y")))

    assert engine.collect(kept, ["x"]).to_pylist() == [{"x": 1, "y": 2}, {"x": 2, "y": 4}]

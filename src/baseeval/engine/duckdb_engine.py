"""DuckDB, opened shut: no extension, no network, no file but those it was given."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

_CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}

#: Rewriting the hundreds of small expressions that type a table takes seconds, whatever its size,
#: and saves nothing measurable when it runs.
_SLOW_TO_PLAN = "expression_rewriter"


class Engine:
    """An open DuckDB that holds its tables until it is closed.

    Parameters
    ----------
    spill : pathlib.Path, optional
        Folder for what does not fit in memory; it must not be released. A
        private temporary folder by default.
    memory_limit : str, optional
        As DuckDB writes it, such as ``"4GB"``.

    Examples
    --------
    >>> with Engine() as engine:
    ...     table = engine.table(pa.table({"pupil": ["b", "a"]}))
    ...     engine.collect(table, ["pupil"]).column("pupil").to_pylist()
    ['a', 'b']
    """

    def __init__(self, spill: Path | None = None, memory_limit: str | None = None) -> None:
        self._folder = None
        if spill is None:
            self._folder = tempfile.TemporaryDirectory(prefix="baseeval-")
            spill = Path(self._folder.name)
        # DuckDB makes its own folder in this one, but not the way to it.
        spill.mkdir(parents=True, exist_ok=True)
        self.spill: Path = spill
        config: dict[str, Any] = {
            **_CLOSED,
            "disabled_optimizers": _SLOW_TO_PLAN,
            "temp_directory": str(self.spill / "duckdb"),
        }
        if memory_limit is not None:
            config["memory_limit"] = memory_limit
        self._connection = duckdb.connect(config=config)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._names = (f"t{number}" for number in itertools.count())
        self._shut = False

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop every table and close the engine."""
        self._connection.close()
        if self._folder is not None:
            self._folder.cleanup()

    def shut(self) -> None:
        """Refuse every file and every setting from now on."""
        if not self._shut:
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
            self._shut = True

    def csv(
        self, path: Path, columns: Sequence[str], delimiter: str
    ) -> tuple[nw.LazyFrame[Any], int]:
        """Read a UTF-8 CSV file, every column as text; a line of empty fields is no row.

        Parameters
        ----------
        path : pathlib.Path
            Plain or gzip.
        columns : sequence of str
            Names of the columns; the file's own header line is skipped.
        delimiter : str

        Returns
        -------
        frame : narwhals LazyFrame
        faulty : int
            Lines that have too few or too many fields and were not read.
        """
        name = next(self._names)
        fields = ", ".join(f"{_quote(column)}: 'VARCHAR'" for column in columns)
        held = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        self._connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv({_quote(str(path))}, "
            f"columns = {{{fields}}}, auto_detect = false, header = true, "
            f"delim = {_quote(delimiter)}, quote = '\"', escape = '\"', store_rejects = true, "
            f"rejects_table = '{name}_errors', rejects_scan = '{name}_scan') "
            f"WHERE coalesce({held}) IS NOT NULL"
        )
        faulty = self._connection.execute(
            f"SELECT count(DISTINCT line) FROM {name}_errors"
        ).fetchall()
        return nw.from_native(self._connection.table(name)), int(faulty[0][0])

    def parquet(self, path: Path) -> nw.LazyFrame[Any]:
        """Read a Parquet file, columns as they are.

        Parameters
        ----------
        path : pathlib.Path

        Returns
        -------
        narwhals LazyFrame
        """
        return self.keep(nw.from_native(self._connection.read_parquet(str(path))))

    def table(self, data: pa.Table) -> nw.LazyFrame[Any]:
        """Take an Arrow table in.

        Parameters
        ----------
        data : pyarrow.Table

        Returns
        -------
        narwhals LazyFrame
        """
        return self.keep(nw.from_native(self._connection.from_arrow(data)))

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Compute a frame once and keep it.

        Parameters
        ----------
        frame : narwhals LazyFrame

        Returns
        -------
        narwhals LazyFrame
        """
        name = next(self._names)
        frame.to_native().create(name)
        return nw.from_native(self._connection.table(name))

    def collect(self, frame: nw.LazyFrame[Any], order: Sequence[str]) -> pa.Table:
        """Bring a frame to memory in a stated order, which makes it repeatable.

        Parameters
        ----------
        frame : narwhals LazyFrame
        order : sequence of str
            Columns to sort by, nulls first.

        Returns
        -------
        pyarrow.Table
        """
        ordered = frame.sort(*order) if order else frame
        table: pa.Table = ordered.collect("pyarrow").to_native()
        return table

    def batches(
        self,
        frame: nw.LazyFrame[Any],
        columns: Sequence[str],
        order: Sequence[str],
        rows: int = 65_536,
    ) -> Iterator[pa.RecordBatch]:
        """Bring a frame to memory a part at a time, in a stated order.

        Parameters
        ----------
        frame : narwhals LazyFrame
        columns : sequence of str
            What is brought.
        order : sequence of str
            Columns to sort by. DuckDB sorts on disk what does not fit in memory.
        rows : int
            Most rows of a part.

        Yields
        ------
        pyarrow.RecordBatch
        """
        held = frame.sort(*order) if order else frame
        native = held.select(*columns).to_native()
        # DuckDB 2 calls it so; earlier ones know the other name only.
        read = getattr(native, "to_arrow_reader", None) or native.fetch_record_batch
        yield from read(rows)

    def counts(
        self, frame: nw.LazyFrame[Any], expressions: Mapping[str, nw.Expr]
    ) -> dict[str, int]:
        """Evaluate counts over a frame in one pass.

        Parameters
        ----------
        frame : narwhals LazyFrame
        expressions : mapping of str to narwhals expression
            Each true for the rows to be counted; missing counts as false.

        Returns
        -------
        dict of str to int
        """
        if not expressions:
            return {}
        summed = [
            nw.when(expression).then(1).otherwise(0).sum().cast(nw.Int64).alias(f"c{position}")
            for position, expression in enumerate(expressions.values())
        ]
        row = frame.select(*summed).collect("pyarrow").to_native().to_pylist()[0]
        return {key: int(row[f"c{p}"] or 0) for p, key in enumerate(expressions)}


def _quote(text: str) -> str:
    """Write text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"

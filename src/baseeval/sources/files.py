"""Files as they come: which they are, their encoding, their header, their fingerprint."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
import narwhals.stable.v2 as nw
import openpyxl
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx")
_BLOCK = 1 << 20

#: What the readers raise over a damaged file.
_UNREADABLE = (
    duckdb.Error,
    csv.Error,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
)


def find_files(pattern: str, folder: Path, key: str = "[data] `table`") -> list[Path]:
    """Find the files that a plan's pattern names, in a fixed order.

    Parameters
    ----------
    pattern : str
        A file or a glob, relative to `folder`.
    folder : pathlib.Path
        The folder of the study file.
    key : str
        The key of the study file that names them, for messages.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        Nothing is there, or something that is not read.
    """
    path = Path(pattern)
    if path.is_absolute():
        root, inner = Path(path.anchor), str(path.relative_to(path.anchor))
    else:
        root, inner = folder, pattern
    is_glob = any(mark in pattern for mark in "*?[")
    found = sorted(root.glob(inner)) if is_glob else [root / inner]
    found = [file for file in found if file.is_file()]
    if not found:
        raise DataError(
            Problem(
                pattern,
                "no such file",
                f"Check {key}; a relative path starts at the study file's folder. A README "
                "there may say how the file is made.",
            )
        )
    strange = [file for file in found if not file.name.lower().endswith(_SUFFIXES)]
    if strange:
        raise DataError(
            [
                Problem(file.name, "this kind of file is not read", f"Use {', '.join(_SUFFIXES)}.")
                for file in strange
            ]
        )
    return found


def label_of(pattern: str, paths: Sequence[Path]) -> str:
    """Name the files of a table, as messages do.

    Parameters
    ----------
    pattern : str
        As the study file has it.
    paths : sequence of pathlib.Path
        From `find_files`.

    Returns
    -------
    str
    """
    return paths[0].name if len(paths) == 1 else f"{pattern} ({len(paths)} files)"


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_file(
    path: Path,
    engine: Engine,
    sheet: str | None,
    named: Sequence[str],
    knows: Callable[[str], bool] | None = None,
) -> nw.LazyFrame[Any]:
    """Read one file: text columns from CSV and workbooks, typed ones from Parquet.

    Parameters
    ----------
    path : pathlib.Path
    engine : Engine
    sheet : str, optional
        Sheet of a workbook; the only one by default.
    named : sequence of str
        The columns that the study names, for messages.
    knows : callable, optional
        True of a heading that the study can use; by default one of `named`. A
        first line with none holds no headings, and is not quoted in a message.

    Returns
    -------
    narwhals LazyFrame

    Raises
    ------
    DataError
    """
    name = path.name.lower()
    wanted = _Wanted(named, knows or set(named).__contains__)
    try:
        if name.endswith(".parquet"):
            frame = engine.parquet(path)
            _check_header(path, frame.collect_schema().names(), wanted)
            return frame
        if name.endswith(".xlsx"):
            return engine.table(_workbook(path, sheet, wanted))
        return _csv(path, engine, wanted)
    except _UNREADABLE as error:
        if isinstance(error, DataError):
            raise
        # The engine's own message may quote a pupil's line, so it stays here.
        raise DataError(
            Problem(
                path.name,
                f"the file cannot be read ({type(error).__name__})",
                "Open it, check that it is whole, and save it again.",
            )
        ) from None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The headings that a study can use."""

    named: Sequence[str]
    knows: Callable[[str], bool]


def _csv(path: Path, engine: Engine, wanted: _Wanted) -> nw.LazyFrame[Any]:
    plain = _as_utf8(path, engine.spill)
    with io.TextIOWrapper(_open(plain), encoding="utf-8-sig", newline="") as text:
        line = text.readline()
    delimiter = max(",;\t", key=line.count)
    columns = [
        name.strip()
        for name in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    ]
    _check_header(path, columns, wanted)
    frame, faulty = engine.csv(plain, columns, delimiter)
    if faulty:
        raise DataError(
            Problem(
                path.name,
                f"{_lines(faulty)} not have the {len(columns)} fields that the header names",
                "Look for stray commas, quotes or line breaks in a field, and save the file again.",
            )
        )
    return frame


def _lines(count: int) -> str:
    return "1 line does" if count == 1 else f"{count} lines do"


def _check_header(path: Path, columns: list[str], wanted: _Wanted) -> None:
    problems = []
    if not any(columns):
        raise DataError(Problem(path.name, "the file is empty", "Export it again."))
    if not any(wanted.knows(column) for column in columns):
        names = ", ".join(f"`{name}`" for name in wanted.named)
        raise DataError(
            Problem(
                path.name,
                "the first line holds none of the columns that the study names",
                f"Put the headings there, or mend the study file; it names {names}.",
            )
        )
    blank = sum(not column for column in columns)
    if blank:
        problems.append(
            Problem(
                path.name,
                "1 column has no heading" if blank == 1 else f"{blank} columns have no heading",
                "Give every column a heading.",
            )
        )
    # The engine does not tell capitals from small letters.
    counts = Counter(column.lower() for column in columns)
    first = {column.lower(): column for column in reversed(columns)}
    problems += [
        Problem(
            f"{path.name}, column `{column}`",
            f"{count} columns have this heading",
            "Keep one of them.",
        )
        for column, count in ((first[lower], count) for lower, count in counts.items())
        if count > 1 and column
    ]
    if problems:
        raise DataError(problems)


def _open(path: Path) -> IO[bytes]:
    opener: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    file: IO[bytes] = opener(path, "rb")
    return file


def _as_utf8(path: Path, spill: Path) -> Path:
    """Return the file, or its UTF-8 copy where it is Windows-1252."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with _open(path) as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        return path
    except UnicodeDecodeError:
        spill.mkdir(parents=True, exist_ok=True)
        copy = spill / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.csv"
        with (
            io.TextIOWrapper(_open(path), encoding="cp1252", errors="replace", newline="") as text,
            copy.open("w", encoding="utf-8", newline="") as out,
        ):
            shutil.copyfileobj(text, out, _BLOCK)
        return copy


def _workbook(path: Path, sheet: str | None, wanted: _Wanted) -> pa.Table:
    """Read a sheet of a workbook as text, headings in its first row."""
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        filled = [s for s in book.worksheets if next(s.iter_rows(max_row=1), None)]
        names = [s.title for s in filled]
        if sheet is None and len(filled) != 1:
            raise DataError(
                Problem(
                    path.name,
                    f"the workbook has {len(filled)} sheets with content",
                    "Name one with `sheet` in [data].",
                )
            )
        chosen = sheet if sheet is not None else names[0]
        if chosen not in names:
            raise DataError(
                Problem(path.name, f"there is no sheet `{chosen}`", f"It has: {', '.join(names)}.")
            )
        rows = book[chosen].iter_rows(values_only=True)
        columns = [_cell(value) or "" for value in next(rows)]
        while columns and not columns[-1]:
            columns.pop()
        _check_header(path, columns, wanted)
        cells = [[_cell(value) for value in row[: len(columns)]] for row in rows]
    finally:
        book.close()
    cells = [row for row in cells if any(value is not None for value in row)]
    padded = [row + [None] * (len(columns) - len(row)) for row in cells]
    return pa.table(
        {
            column: pa.array([row[position] for row in padded], pa.string())
            for position, column in enumerate(columns)
        }
    )


def _cell(value: object) -> str | None:
    """Write a workbook cell as the text that a CSV of it would hold."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = str(value).strip()
    return text or None

"""CSV files as they come: encoding, separator, lines above the headings and below the table."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.sources.heading_rows import (
    HEAD,
    Wanted,
    check_headings,
    find_headings,
    heading_faults,
    heading_text,
    no_headings,
)
from baseeval.sources.loaded import Loaded
from baseeval.sources.table_ends import TAIL, TableEnd, end_faults, judge_end

_BLOCK = 1 << 20

#: So much of a file's end is looked at for totals.
_END = 1 << 14

_DELIMITERS = ",;\t"

#: Begins the name that a column without a heading has while it is read.
_UNNAMED = "unnamed:"


def read_delimited(path: Path, engine: Engine, wanted: Wanted) -> Loaded:
    """Read a CSV file, plain or gzip, every column as text.

    Parameters
    ----------
    path : pathlib.Path
        UTF-8 or Windows-1252; separated by commas, semicolons or tabs.
    engine : Engine
        A copy that the engine can read is made in its private folder where the file
        is Windows-1252, or has lines above its headings or totals below.
    wanted : Wanted

    Returns
    -------
    Loaded

    Raises
    ------
    DataError
    """
    text = _examine(path)
    with _lines(path, text.encoding) as lines:
        head = list(islice(lines, 2 * HEAD))
    top = _find_top(head, wanted)
    if top is None:
        rows = [[heading_text(line.strip(_DELIMITERS))] for line in head]
        raise no_headings(path.name, rows, wanted)
    check_headings(path.name, top.columns)
    end, dropped = _find_end(text, top)
    plain = path
    if text.encoding == "cp1252" or top.line or dropped:
        plain = _copied(path, text.encoding, engine.spill, top.line, dropped)
    columns = [name or f"{_UNNAMED}{n}" for n, name in enumerate(top.columns)]
    frame, faulty = engine.csv(plain, columns, top.delimiter)
    if faulty:
        raise DataError(
            Problem(
                path.name,
                f"{'1 line does' if faulty == 1 else f'{faulty} lines do'} not have the "
                f"{len(columns)} fields that the header names",
                "Look for stray commas, quotes or line breaks in a field, and save the file again.",
            )
        )
    frame = _with_headings(path.name, frame, columns, engine)
    faults = [*heading_faults(path.name, top.line, top.columns), *end_faults(path.name, end)]
    return Loaded(frame, tuple(faults))


@dataclass(frozen=True, slots=True)
class _Text:
    """How a file's text is written, its end, and whether that is the whole of it."""

    encoding: str
    end: str
    whole: bool


@dataclass(frozen=True, slots=True)
class _Top:
    """Where the headings are: their first line and that after them, what parts them, themselves."""

    line: int
    below: int
    delimiter: str
    columns: tuple[str, ...]


def _examine(path: Path) -> _Text:
    """Read a file through once: whether it is UTF-8 to its end, and how it ends."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding, end, size = "utf-8-sig", b"", 0
    with _open(path) as file:
        while block := file.read(_BLOCK):
            end, size = (end + block)[-_END:], size + len(block)
            if encoding != "cp1252":
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        encoding = "cp1252"
    return _Text(encoding, end.decode(encoding, errors="replace"), size <= _END)


def _find_top(lines: Sequence[str], wanted: Wanted) -> _Top | None:
    """Find the headings by whichever separator shows the most of them."""
    best: tuple[int, _Top] | None = None
    for delimiter in _DELIMITERS:
        places, rows = [], []
        for place, record in islice(_records(lines, delimiter), HEAD):
            places.append(place)
            rows.append([heading_text(cell) for cell in record])
        row = find_headings(rows, wanted)
        if row is not None:
            known = sum(map(wanted.knows, filter(None, rows[row])))
            if best is None or known > best[0]:
                best = (known, _Top(*places[row], delimiter, tuple(rows[row])))
    return None if best is None else best[1]


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Go through records, each with its first line and the line after it."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    start = 0
    for record in reader:
        yield (start, reader.line_num), record
        start = reader.line_num


def _find_end(text: _Text, top: _Top) -> tuple[TableEnd, int]:
    """Judge the last lines, and say how many of them are to be left out."""
    # What stands above the table is not below it; where the end is not the whole, it begins
    # within a line.
    lines = re.split(r"\r\n|\n|\r", text.end)[top.below if text.whole else 1 :]
    width = len(top.columns)
    rows, places = [], []
    for place, line in enumerate(lines):
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=top.delimiter), [])]
        if any(cells):
            rows.append(cells)
            places.append(place)
    end = judge_end(rows[-TAIL:], width)
    if not end.totals:
        return end, 0
    after_last = lines[places[-end.totals] :]
    return end, len(after_last) - (after_last[-1] == "")


def _with_headings(
    file: str, frame: nw.LazyFrame[Any], columns: Sequence[str], engine: Engine
) -> nw.LazyFrame[Any]:
    """Leave out columns without a heading where nothing is in them; refuse the others."""
    unnamed = [column for column in columns if column.startswith(_UNNAMED)]
    if not unnamed:
        return frame
    counts = engine.counts(frame, {column: ~nw.col(column).is_null() for column in unnamed})
    check_headings(file, [], sum(count > 0 for count in counts.values()))
    return frame.select(*(column for column in columns if column not in unnamed))


def _open(path: Path) -> IO[bytes]:
    opener: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    file: IO[bytes] = opener(path, "rb")
    return file


def _lines(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open(path), encoding=encoding, errors="replace", newline="")


def _copied(path: Path, encoding: str, spill: Path, first: int, dropped: int) -> Path:
    """Copy a file as plain UTF-8, less the lines before `first` and the last `dropped`."""
    spill.mkdir(parents=True, exist_ok=True)
    copy = spill / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.csv"
    with _lines(path, encoding) as lines, copy.open("w", encoding="utf-8", newline="") as out:
        for _ in range(first):
            lines.readline()
        if not dropped:
            shutil.copyfileobj(lines, out, _BLOCK)
        held: deque[str] = deque()
        for line in lines:
            held.append(line)
            if len(held) > dropped:
                out.write(held.popleft())
    return copy

"""Each kind of file read for the screen; a kind without a reader cannot be checked."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

import openpyxl
import pyarrow.parquet as pq

from baseeval.disclosure.contents import Contents, Grid
from baseeval.disclosure.images import read_jpeg, read_png
from baseeval.disclosure.markup import read_markup
from baseeval.disclosure.nested import read_nested

_SOFTWARE = ("", "openpyxl", "baseeval", "gptables", "XlsxWriter")


def read_delimited(data: bytes) -> Contents:
    """Read csv, tsv and the like; the separator is the commonest of the first line."""
    text = _decoded(data)
    heading = text.partition("\n")[0]
    separator = max(",\t;|", key=heading.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    return Contents(grids=[Grid("", rows)], texts=[("", text)])


def read_gzip(data: bytes) -> Contents:
    """Read a compressed csv."""
    return read_delimited(gzip.decompress(data))


def read_parquet(data: bytes) -> Contents:
    """Read a parquet file and the metadata of its schema."""
    # Small files: and a pool of threads may end a process badly that is about to end itself.
    table = pq.ParquetFile(io.BytesIO(data), pre_buffer=False).read(use_threads=False)
    columns = [
        ["" if v is None else str(v) for v in column.to_pylist()] for column in table.columns
    ]
    rows = [list(table.column_names), *map(list, zip(*columns, strict=True))]
    metadata = b"\n".join((table.schema.metadata or {}).values()).decode("utf-8", "replace")
    return Contents(
        grids=[Grid("", rows)],
        texts=[("", "\n".join(map("\t".join, rows))), ("metadata", metadata)],
    )


def read_workbook(data: bytes) -> Contents:
    """Read every sheet of an xlsx workbook, with its comments, hidden sheets and authors."""
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    contents = Contents()
    for sheet in book.worksheets:
        where = f"sheet {sheet.title}"
        cells = [list(row) for row in sheet.iter_rows()]
        rows = [["" if c.value is None else str(c.value) for c in row] for row in cells]
        rows = [row for row in rows if any(row)]
        notes = [c.comment.text for row in cells for c in row if c.comment]
        titled = bool(rows) and sum(map(bool, rows[0])) < 2
        contents.grids.append(Grid(where, rows, laid_out=titled))
        contents.texts.append((where, "\n".join([*map("\t".join, rows), *notes])))
        if sheet.sheet_state != "visible":
            contents.faults.append((where, "is hidden", "Show it or leave it out."))
    people = {book.properties.creator or "", book.properties.lastModifiedBy or ""}
    if people.difference(_SOFTWARE):
        contents.faults.append(("properties", "name a person", "Clear the workbook's properties."))
    return contents


def read_json(data: bytes) -> Contents:
    """Read JSON, or JSON lines."""
    text = _decoded(data)
    try:
        return read_nested(json.loads(text))
    except json.JSONDecodeError:
        return read_nested([json.loads(line) for line in text.splitlines() if line.strip()])


def read_page(data: bytes) -> Contents:
    """Read HTML or SVG."""
    return read_markup(_decoded(data))


def read_words(data: bytes) -> Contents:
    """Read plain text or Markdown, with its tables."""
    text = _decoded(data)
    contents = Contents(texts=[("", text)])
    lines = text.splitlines()
    for separator in ("|", "\t", ","):
        rows = [
            [c.strip() for c in x.strip(" |").split(separator)] for x in lines if separator in x
        ]
        rows = [row for row in rows if not set("".join(row)) <= set("-: ")]
        if len(rows) > 1 and (separator != "," or len(rows) == len([x for x in lines if x])):
            contents.grids.append(Grid("table", rows, laid_out=separator == "|"))
    return contents


def _decoded(data: bytes) -> str:
    """Decode UTF-8, UTF-16 with its mark, else Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


#: How a file's name ends -> what reads it.
READERS: Mapping[str, Callable[[bytes], Contents]] = MappingProxyType(
    {
        ".csv": read_delimited,
        ".tsv": read_delimited,
        ".csv.gz": read_gzip,
        ".parquet": read_parquet,
        ".xlsx": read_workbook,
        ".json": read_json,
        ".jsonl": read_json,
        ".html": read_page,
        ".htm": read_page,
        ".svg": read_page,
        ".txt": read_words,
        ".md": read_words,
        ".png": read_png,
        ".jpg": read_jpeg,
        ".jpeg": read_jpeg,
    }
)

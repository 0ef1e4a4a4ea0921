"""A pasted list of the pupils in a base: one a line, then perhaps first and last day."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.contracts.placements import CONTRACT
from baseeval.engine.days import school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Fault, Problem, fault
from baseeval.sources.damage import find_damage
from baseeval.sources.files import fingerprint
from baseeval.sources.mis import mis_crosswalk

_FIELDS = ("pupil_id", "start", "end")


@dataclass(frozen=True, slots=True)
class BaseList:
    """The pupils in a base, as they were listed.

    Parameters
    ----------
    frame : narwhals LazyFrame
        ``pupil_id, start, end``, as text.
    file : (name, SHA-256)
    faults : tuple of Fault
        What a spreadsheet did to the numbers and days.
    """

    frame: Frame
    file: tuple[str, str]
    faults: tuple[Fault, ...]


def read_base_list(path: Path, engine: Engine) -> BaseList:
    """Read a list of pupils.

    Parameters
    ----------
    path : pathlib.Path
        Text, in UTF-8 or Windows-1252; fields parted by tabs, semicolons or commas. A
        first line of headings is passed over.
    engine : Engine

    Returns
    -------
    BaseList

    Raises
    ------
    DataError
        There is no such file, it is empty, it has lines of more than three fields, or
        no line has a first day.
    """
    where = f"{path.name}, [data.base] `list`"
    try:
        raw = path.read_bytes()
    except OSError:
        remedy = "Check the name; a relative path starts at the study file's folder."
        raise DataError(Problem(where, "there is no such file", remedy)) from None
    rows = [row for row in _rows(raw, where) if any(row)]
    if rows and _heads(rows[0]):
        rows = rows[1:]
    problems: list[Problem] = []
    long = sum(len(row) > len(_FIELDS) for row in rows)
    if not rows:
        problems.append(Problem(where, "the list is empty", "Write one pupil a line."))
    if long:
        problems.append(
            fault(
                path.name,
                "",
                "long_line",
                long,
                "more than a pupil, a first day and a last day",
                "Keep these three, parted by tabs, semicolons or commas.",
                unit="line",
                stops=True,
            )
        )
    if rows and not any(row[1] for row in rows if len(row) > 1):
        problems.append(
            Fault(
                where,
                "no line says the pupil's first day in the base",
                "Add it as a second column (2025-09-03): nothing else tells who was placed by "
                "when, and a day is never made up.",
                path.name,
                "start",
                "no_first_days",
                len(rows),
            )
        )
    if problems:
        raise DataError(problems)
    padded = [[*row, *[""] * (len(_FIELDS) - len(row))] for row in rows]
    table = {
        name: pa.array([row[at] or None for row in padded], pa.string())
        for at, name in enumerate(_FIELDS)
    }
    frame = engine.table(pa.table(table))
    columns = [CONTRACT.column(name) for name in _FIELDS]
    damage = find_damage(frame, columns, engine, path.name)
    return BaseList(frame, (path.name, fingerprint(path)), tuple(damage))


def _rows(raw: bytes, where: str) -> list[list[str]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    delimiter = max("\t;,", key=text.count)
    try:
        if "\0" in text:
            raise csv.Error
        return [_trimmed(row) for row in csv.reader(text.splitlines(), delimiter=delimiter)]
    except csv.Error:
        what = "this is no plain text (a workbook, perhaps)"
        remedy = "Copy the pupils and their days into a text file, one pupil a line."
        raise DataError(Problem(where, what, remedy)) from None


def _heads(row: list[str]) -> bool:
    """Tell whether a line holds headings: a known one, or words where a day would stand."""
    known = {option.lower() for option in mis_crosswalk("pupils").columns["pupil_id"]}
    second = row[1] if len(row) > 1 else ""
    return row[0].lower() in known or (bool(second) and not any(map(str.isdigit, second)))


def _trimmed(row: list[str]) -> list[str]:
    """Take the margins off, and empty fields off the end."""
    fields = [field.strip() for field in row]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def with_schools(listed: Frame, pupils: Frame) -> Frame:
    """Give each pupil of a list the school at which the pupils' file has them.

    Parameters
    ----------
    listed : narwhals LazyFrame
        ``pupil_id``, and ``start`` as a day.
    pupils : narwhals LazyFrame
        ``pupil_id, year, urn``, typed.

    Returns
    -------
    narwhals LazyFrame
        With ``urn``: that of the school year in which the place began, else of the
        nearest one to it; of the last where no first day is given. Null for a pupil
        whom the file does not know.
    """
    schools = pupils.select("pupil_id", "year", "urn").filter(~nw.col("urn").is_null()).unique()
    joined = listed.join(schools, on="pupil_id", how="left")
    year = nw.col("year")
    apart = nw.coalesce((year - school_year(nw.col("start"))).abs(), -year)
    ranked = joined.with_columns(apart.alias("apart"))
    key = ("pupil_id", "start", "end")
    number = nw.col("pupil_id").cum_count().over(*key, order_by=("apart", "year", "urn"))
    first = ranked.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    return first.drop("apart", "number", "year")

"""An area as a school's own system would export it: a workbook, and a register of marks."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from openpyxl import Workbook

from baseeval.worlds.streams import Streams

Rows = Sequence[Sequence[Any]]

#: So many pupils have some 600,000 marks in the register's two years.
MOST_PUPILS = 2000

#: Sheet -> column of the contract -> heading, as schools' systems print them.
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "pupils": {
        "pupil_id": "UPN",
        "year": "School Year",
        "recorded": "Date of export",
        "urn": "School URN",
        "year_group": "Year Group",
        "sex": "Gender",
        "fsm": "FSM eligible",
        "sen_provision": "SEN status",
        "primary_need": "Primary need",
        "secondary_need": "Secondary need",
        "entry_date": "Admission date",
        "ehcp_date": "EHCP date",
    },
    "placements": {
        "pupil_id": "UPN",
        "urn": "School URN",
        "base_id": "Base",
        "base_type": "Type of base",
        "start": "Start date",
        "end": "End date",
    },
    "attainment": {
        "pupil_id": "UPN",
        "date": "Date of assessment",
        "measure": "measure",
        "value": "value",
    },
    "marks": {
        "pupil_id": "UPN",
        "date": "Mark date",
        "session": "AM/PM",
        "mark": "Attendance mark",
    },
    "surveys": {"pupil_id": "UPN", "date": "Date completed"},
}

#: Title above each sheet's headings.
_TITLES = {
    "pupils": "Pupils on roll",
    "placements": "Places in the base",
    "attainment": "Assessments",
    "surveys": "Questionnaire",
}

_SEX = {"F": "Girl", "M": "Boy"}
_SEN = {"E": "E - EHC plan", "K": "K - SEN support", "N": "No SEN"}
_NEED = {
    "ASD": "Autism",
    "SEMH": "SEMH - Social, emotional and mental health",
    "SLCN": "SLCN - Speech, language and communication needs",
    "MLD": "MLD - Moderate learning difficulty",
}
_BASE = {"resourced_provision": "Resourced Provision", "own_unit": "School's own unit"}

#: Codes of the register: there, missed under a part-time timetable, and missed otherwise.
_MORNING, _AFTERNOON, _PART_TIME = "/", "\\", "C2"
_MISSED = ("I", "M", "U")

#: Share of other missed sessions under each of them.
_MISSED_SHARE = (0.6, 0.1, 0.3)

#: A workbook says when it was made: the same for all, so that equal worlds are equal files.
_MADE = dt.datetime(2026, 9, 1)  # noqa: DTZ001 (Excel knows no zones)
_ZIPPED = (1980, 1, 1, 0, 0, 0)


def write_mis(tables: Mapping[str, pa.Table], folder: Path, streams: Streams) -> None:
    """Write ``export.xlsx`` and ``register.csv`` of an area.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        From :func:`baseeval.worlds.contract_tables.contract_tables`.
    folder : pathlib.Path
    streams : Streams
        For the sessions that are missed, and the codes under which.
    """
    census = tables["pupils"]
    entry = pc.max(census["year"]).as_py() - 1
    entered = _rows_of(census, pc.and_(_is(census, "term", "AUT"), _is(census, "year", entry)))
    export = dt.date(entry - 1, 9, 30)
    sheets = {
        "pupils": [_pupil(row, export) for row in entered if row["enrolment"] != "S"],
        "placements": [_place(row) for row in _placed(tables["placements"])],
        "attainment": [_result(row) for row in _results(tables["attainment"])],
    }
    headings = {name: list(HEADINGS[name].values()) for name in sheets}
    items, answers = _answers(tables["surveys"])
    headings["surveys"] = [*HEADINGS["surveys"].values(), *items]
    sheets["surveys"] = answers
    _write_workbook(folder / "export.xlsx", sheets, headings, export)
    years = tables["attendance"].filter(pc.greater_equal(tables["attendance"]["year"], entry))
    with (folder / "register.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(HEADINGS["marks"].values()) + "\n")
        for line in _marks(years.to_pylist(), streams):
            file.write(line)


def _is(table: pa.Table, name: str, value: Any) -> Any:
    return pc.equal(table[name], value)


def _rows_of(table: pa.Table, mask: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.filter(mask).to_pylist()
    return rows


def _pupil(row: Mapping[str, Any], export: dt.date) -> list[Any]:
    words = {
        "year": f"{row['year'] - 1}/{row['year'] % 100:02d}",
        "recorded": export,
        "year_group": "Reception" if row["year_group"] == "R" else f"Year {row['year_group']}",
        "sex": _SEX[row["sex"]],
        "fsm": "Yes" if row["fsm"] else "No",
        "sen_provision": _SEN[row["sen_provision"]],
        "primary_need": _NEED.get(row["primary_need"]),
        "secondary_need": _NEED.get(row["secondary_need"]),
    }
    return [words[name] if name in words else row[name] for name in HEADINGS["pupils"]]


def _placed(table: pa.Table) -> list[dict[str, Any]]:
    return _rows_of(table, _is(table, "decision", "placed"))


def _place(row: Mapping[str, Any]) -> list[Any]:
    return [
        _BASE[row[name]] if name == "base_type" else row[name] for name in HEADINGS["placements"]
    ]


def _results(table: pa.Table) -> list[dict[str, Any]]:
    return _rows_of(table, pc.is_valid(table["value"]))


def _result(row: Mapping[str, Any]) -> list[Any]:
    return [row[name] for name in HEADINGS["attainment"]]


def _answers(table: pa.Table) -> tuple[list[str], list[list[Any]]]:
    """Put answers side by side, a row a pupil and day."""
    items = table["item"].unique().to_pylist()
    found: dict[tuple[str, dt.date], dict[str, float]] = {}
    for row in table.to_pylist():
        mine = found.setdefault((row["pupil_id"], row["date"]), {})
        mine[row["item"]] = float(row["answer"])
    return items, [[*key, *map(held.get, items)] for key, held in found.items()]


def _write_workbook(
    path: Path, sheets: Mapping[str, Rows], headings: Mapping[str, Sequence[str]], day: dt.date
) -> None:
    """Write a sheet a table, a title above its headings, the same bytes every time."""
    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        page = book.create_sheet(name.title())
        page.append([f"{_TITLES[name]} (school year from {day.year})"])
        page.append([])
        page.append(list(headings[name]))
        for row in rows:
            page.append(list(row))
    book.properties.creator = "baseeval"
    book.properties.created = _MADE
    held = io.BytesIO()
    book.save(held)
    _without_clock(held, path, book)


def _without_clock(held: io.BytesIO, path: Path, book: Workbook) -> None:
    """Copy a workbook without the time at which it was saved."""
    saved = book.properties.modified.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    fixed = _MADE.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(held) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = zipfile.ZipInfo(name, _ZIPPED)
            part.compress_type = zipfile.ZIP_DEFLATED
            text = old.read(name)
            new.writestr(part, text.replace(saved, fixed) if name.endswith("core.xml") else text)


def _marks(years: Sequence[Mapping[str, Any]], streams: Streams) -> Iterator[str]:
    """Make marks that add up to the sessions of each pupil and year, two a school day."""
    rng = streams("forms/marks")
    for row in years:
        if row["sessions_possible"] is None:
            continue
        possible, present = int(row["sessions_possible"]), int(row["sessions_attended"])
        away = rng.permutation(possible)[: possible - present]
        codes = np.array(_MISSED, dtype=object)[rng.choice(3, len(away), p=_MISSED_SHARE)]
        codes[: int(row.get("part_time") or 0)] = _PART_TIME
        marks = np.array([_MORNING, _AFTERNOON] * (possible // 2), dtype=object)
        marks[away] = codes
        for at, day in enumerate(_school_days(row["year"], possible // 2)):
            yield f"{row['pupil_id']},{day},AM,{marks[2 * at]}\n"
            yield f"{row['pupil_id']},{day},PM,{marks[2 * at + 1]}\n"


def _school_days(year: int, count: int) -> list[np.datetime64]:
    """List the first so many weekdays of a school year, from 2 September on."""
    first = np.datetime64(f"{year - 1}-09-02", "D")
    days: list[np.datetime64] = list(np.busday_offset(first, np.arange(count), roll="forward"))
    return days

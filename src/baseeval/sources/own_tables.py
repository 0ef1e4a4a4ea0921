"""Tables that have the contract's form, or are brought to it: a trust's, or a study's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw

from baseeval.contracts.registry import TABLES
from baseeval.engine.days import school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault
from baseeval.plan import BaseSection
from baseeval.sources.base_list import BaseList
from baseeval.sources.base_places import places_by_column, places_by_list
from baseeval.sources.blank_sen import with_blank_sen
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.marks import read_marks
from baseeval.sources.mis import plain_pupils, plain_years, strangers
from baseeval.sources.rows import count_fault
from baseeval.sources.tables import ReadOptions, Tables

#: What may be said for a whole file that does not say it: how to write it, and what it means.
_FOR_A_FILE = {
    "year": "`set = { year = 2026 }` beside the file: the school year 2025/26; of pupils, the day "
    "of the export says it too: `set = { recorded = 2025-09-15 }`",
    "urn": '`set = { urn = "123456" }` beside the file, where it is of one school',
    "date": "`set = { date = 2026-03-01 }` beside the file, where it is of one day",
    "measure": '`set = { measure = "reading" }` beside the file, where it is of one measure',
}


#: The day that gives a row its school year, where the table says none.
_DAY = {"attainment": "date", "pupils": "recorded"}


@dataclass(frozen=True, slots=True)
class Places:
    """Where the places in a base stand, if in no table of their own.

    Parameters
    ----------
    section : BaseSection
    listed : BaseList or None
        Where a list says it, and not a column of the pupils' file.
    """

    section: BaseSection
    listed: BaseList | None = None


def read_own_tables(
    gathered: Mapping[str, Gathered],
    engine: Engine,
    options: ReadOptions,
    *,
    is_mis: bool = False,
    places: Places | None = None,
) -> Tables:
    """Read tables by their contracts.

    Parameters
    ----------
    gathered : mapping of str to Gathered
        Key of [data.files] -> its files: names of contracts, `marks` among them.
    engine : Engine
    options : ReadOptions
        They serve a trust's own files.
    is_mis : bool
        Whether they are a trust's own files: school years may be written 2025/26, days
        of birth are brought to year and month, and pupils whom the pupils' file does
        not know are counted.
    places : Places, optional
        From what the table ``placements`` is made.

    Returns
    -------
    Tables
    """
    listed = None if places is None else places.listed
    frames: dict[str, Frame] = {}
    coded: dict[str, Mapping[str, int]] = {}
    labels: dict[str, str] = {}
    faults: list[Fault] = [] if listed is None else [*listed.faults]
    for key, one in gathered.items():
        table = "attendance" if key == "marks" else key
        if is_mis:
            one, found = _plain(key, one, engine)
            faults += found
        read = read_marks(one, engine) if key == "marks" else _by_contract(key, one, engine)
        frames[table], coded[table], labels[table] = read.frame, read.coded, one.label
        faults += [*one.faults, *read.faults]
        if is_mis and key == "pupils":
            frames[key], found = with_blank_sen(read.frame, engine, one.label, options)
            faults += found
    if any(fault.stops for fault in faults):
        return Tables(frames, tuple(faults), coded, labels)
    if places is not None and "pupils" in frames:
        made = _placements(places, gathered["pupils"], frames["pupils"], engine)
        frames["placements"], coded["placements"] = made.frame, made.coded
        labels["placements"] = labels["pupils"] if listed is None else listed.file[0]
        faults += made.faults
    if is_mis and "pupils" in frames:
        for table, frame in frames.items():
            # Whose peers they are is counted with the peers; of a list, with the list.
            if table in ("pupils", "peers", "placements" if places is not None else ""):
                continue
            if "pupil_id" in frame.collect_schema().names():
                faults += strangers(frame, frames["pupils"], engine, labels[table])
    return Tables(frames, tuple(faults), coded, labels)


def _plain(key: str, one: Gathered, engine: Engine) -> tuple[Gathered, list[Fault]]:
    frame, faults = plain_years(one.frame), list[Fault]()
    if key == "pupils":
        frame, faults = plain_pupils(frame, engine, one.label)
    return replace(one, frame=frame), faults


def _by_contract(key: str, one: Gathered, engine: Engine) -> Contracted:
    held = one.frame.collect_schema().names()
    day = _DAY.get(key) if "year" not in held else None
    by_day = day if day in held else None
    optional = frozenset({"year"}) if by_day else frozenset[str]()
    read = read_contract(one.frame, TABLES[key], engine, one.label, optional)
    if by_day is not None:
        return _with_years(read, by_day, engine, one.label)
    asked = [_asked(fault) if fault.rule == "no_column" else fault for fault in read.faults]
    return Contracted(read.frame, tuple(asked), read.coded)


def _asked(fault: Fault) -> Fault:
    """Say how a column that a file lacks may be said for it."""
    if fault.column not in _FOR_A_FILE:
        return fault
    how = f"Or say it for the whole file: {_FOR_A_FILE[fault.column]}."
    return replace(fault, remedy=f"{fault.remedy} {how}")


def _with_years(read: Contracted, day: str, engine: Engine, file: str) -> Contracted:
    """Give rows the school year of their day; those without a day are left out."""
    undated = engine.counts(read.frame, {"n": nw.col(day).is_null()})["n"]
    frame = read.frame.filter(~nw.col(day).is_null())
    frame = frame.with_columns(school_year(nw.col(day)).alias("year"))
    faults = count_fault(
        file,
        day,
        "row_without_day",
        undated,
        "neither a day nor a school year",
        "Give the day; until then the rows are left out.",
    )
    return Contracted(engine.keep(frame), (*read.faults, *faults), read.coded)


def _placements(places: Places, gathered: Gathered, pupils: Frame, engine: Engine) -> Contracted:
    if places.listed is not None:
        return places_by_list(places.listed.frame, pupils, engine, places.listed.file[0])
    return places_by_column(gathered.frame, places.section, engine, gathered.label)

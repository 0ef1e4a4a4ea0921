"""The tables of a study's sources: files or what was given in their place, read by contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError, Problem
from baseeval.plan import Plan, nearest
from baseeval.sources.contracted import read_contract
from baseeval.sources.crosswalk import (
    Crosswalk,
    contract_crosswalk,
    load_crosswalk,
    with_headings,
)
from baseeval.sources.gathering import Gathered, gather_files, gather_frames
from baseeval.sources.given import take
from baseeval.sources.marks import read_marks
from baseeval.sources.npd import NPD_FILES, read_npd
from baseeval.sources.school_files import SCHOOL_FILES, read_school_files
from baseeval.sources.tables import ReadOptions, Tables

#: Keys of [data.files] of which a study has one: each pair makes one table.
_SAME = (
    ("census", "pupils"),
    ("absence", "attendance"),
    ("marks", "attendance"),
    ("marks", "absence"),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a study's sources hold, and of which files.

    Parameters
    ----------
    tables : Tables
    files : tuple of (name, SHA-256)
    """

    tables: Tables
    files: tuple[tuple[str, str], ...]


def known_files(source: str | None) -> list[str]:
    """Return the keys that [data.files] may have.

    Parameters
    ----------
    source : str, optional
        npd or contracts; without one there is a tidy table, and only context beside it.

    Returns
    -------
    list of str
    """
    if source is None:
        return ["benchmarks"]
    own = list(NPD_FILES) if source == "npd" else []
    return list(dict.fromkeys([*own, *TABLES, *SCHOOL_FILES]))


def open_tables(plan: Plan, engine: Engine, given: Mapping[str, Any] | None = None) -> Opened:
    """Read every table that a plan's sources name.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    given : mapping of str to object, optional
        Key of [data.files] -> frames or an open connection in place of files.

    Returns
    -------
    Opened
        With every fault; the caller says which of them stop the study.

    Raises
    ------
    PlanError
        A file of a kind that is not known.
    DataError
        Files that cannot be read, all at once.
    """
    given = {key: value for key, value in (given or {}).items() if key != "table"}
    keys = list(dict.fromkeys([*plan.data.files, *given]))
    _check_keys(plan, keys)
    gathered: dict[str, Gathered] = {}
    problems: list[Problem] = []
    for key in keys:
        crosswalk = with_headings(_crosswalk(key, plan), plan.data.columns.get(key, {}))
        try:
            if key in given:
                frames = take(given[key], engine, key)
                gathered[key] = gather_frames(frames, crosswalk, engine, f"tables[{key!r}]")
            else:
                pattern, folder = plan.data.files[key], plan.path.parent
                where = f"[data.files] `{key}`"
                gathered[key] = gather_files(pattern, folder, crosswalk, engine, where)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    files = tuple(file for one in gathered.values() for file in one.files)
    return Opened(_read(plan, gathered, engine), files)


def _extracts(plan: Plan) -> Mapping[str, str]:
    """Return the keys that stand for extracts, of which `exclusions` is a contract's name too."""
    return NPD_FILES if plan.data.source == "npd" else {}


def _crosswalk(key: str, plan: Plan) -> Crosswalk:
    name = _extracts(plan).get(key) or SCHOOL_FILES.get(key)
    if name is not None and name not in TABLES:
        return load_crosswalk(name)
    return contract_crosswalk(TABLES[key])


def _check_keys(plan: Plan, keys: list[str]) -> None:
    known = known_files(plan.data.source)
    where = f"{plan.path.name}, [data.files]"
    problems = [
        Problem(where, f"`{key}` is not a table that is read here", nearest(key, known))
        for key in keys
        if key not in known
    ]
    problems += [
        Problem(
            f"{plan.path.name}, [data.columns]", f"no file `{key}` is named", nearest(key, keys)
        )
        for key in plan.data.columns
        if key not in keys
    ]
    for one, other in _SAME:
        if one in keys and other in keys:
            problems.append(
                Problem(where, f"`{one}` and `{other}` are the same table", "Name one of them.")
            )
    if problems:
        raise PlanError(problems)


def _read(plan: Plan, gathered: Mapping[str, Gathered], engine: Engine) -> Tables:
    """Read each table by its source, those in contract form as they stand."""
    options = ReadOptions(plan.data.blank_sen)
    extract = {key: one for key, one in gathered.items() if key in _extracts(plan)}
    schools = {key: one for key, one in gathered.items() if key in SCHOOL_FILES}
    parts = []
    if extract:
        parts.append(read_npd(extract, engine, options))
    if schools:
        parts.append(read_school_files(schools, engine))
    frames = {name: frame for part in parts for name, frame in part.frames.items()}
    faults = [fault for part in parts for fault in part.faults]
    coded = {name: counts for part in parts for name, counts in part.coded.items()}
    labels = {name: label for part in parts for name, label in part.labels.items()}
    for key, one in gathered.items():
        if key in extract or key in schools:
            continue
        if key == "marks":
            table, read = "attendance", read_marks(one, engine)
        else:
            table, read = key, read_contract(one.frame, TABLES[key], engine, one.label)
        frames[table], coded[table], labels[table] = read.frame, read.coded, one.label
        faults += [*one.faults, *read.faults]
    return Tables(frames, tuple(faults), coded, labels)

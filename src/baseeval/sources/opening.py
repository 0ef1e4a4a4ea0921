"""The tables of a study's sources: files or what was given in their place, read by contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.plan import Plan
from baseeval.sources.base_list import read_base_list
from baseeval.sources.base_places import base_days, base_headings
from baseeval.sources.crosswalk import Crosswalk
from baseeval.sources.file_keys import check_files, crosswalk_of, extracts_of
from baseeval.sources.gathering import Gathered, gather_files, gather_frames
from baseeval.sources.given import take
from baseeval.sources.mis_damage import with_damage
from baseeval.sources.npd import read_npd
from baseeval.sources.own_tables import Places, read_own_tables
from baseeval.sources.pseudonyms import pseudonymised, read_key
from baseeval.sources.school_files import SCHOOL_FILES, read_school_files
from baseeval.sources.tables import ReadOptions, Tables


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
        With every fault; the caller says which of them stop the study. Pupils have
        pseudonyms where the plan names a key.

    Raises
    ------
    PlanError
        A file of a kind that is not known, a column or a word that its table has not.
    DataError
        Files that cannot be read, all at once.
    """
    given = {key: value for key, value in (given or {}).items() if key != "table"}
    keys = list(dict.fromkeys([*plan.data.files, *given]))
    check_files(plan, keys)
    gathered: dict[str, Gathered] = {}
    problems: list[Problem] = []
    places, secret = None, None
    try:
        secret = read_key(plan)
    except DataError as error:
        problems += error.problems
    try:
        places = _places(plan, engine)
    except DataError as error:
        problems += error.problems
    for key in keys:
        try:
            gathered[key] = _gathered(key, plan, engine, given)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    if plan.data.source == "mis":
        # Before pseudonyms hide what a spreadsheet has done to a number.
        gathered = {key: with_damage(key, one, plan, engine) for key, one in gathered.items()}
    named = {
        key: replace(one, frame=pseudonymised(one.frame, secret, engine))
        for key, one in gathered.items()
    }
    files = [file for one in gathered.values() for file in one.files]
    if places is not None and places.listed is not None:
        listed = places.listed
        hidden = pseudonymised(listed.frame, secret, engine)
        places = replace(places, listed=replace(listed, frame=hidden))
        files.append(listed.file)
    return Opened(_read(plan, named, places, engine), tuple(files))


def _gathered(key: str, plan: Plan, engine: Engine, given: Mapping[str, Any]) -> Gathered:
    crosswalk = _crosswalk(key, plan)
    sections = plan.data.files.get(key, [])
    if key in given:
        # What several files say one by one cannot be said of frames that are one table.
        section = sections[0] if len(sections) == 1 else None
        frames = take(given[key], engine, key)
        return gather_frames(frames, crosswalk, engine, f"tables[{key!r}]", section)
    where = f"[data.files] `{key}`"
    return gather_files(sections, plan.path.parent, crosswalk, engine, where)


def _crosswalk(key: str, plan: Plan) -> Crosswalk:
    known = crosswalk_of(key, plan)
    if key != "pupils":
        return known
    kept, days = base_headings(plan.data.base), base_days(plan.data.base)
    return replace(known, kept=kept, kinds={**known.kinds, **dict.fromkeys(days, "date")})


def _places(plan: Plan, engine: Engine) -> Places | None:
    """Return where the places in a base stand, if in no table of their own."""
    section = plan.data.base
    if section is None or section.list_ is None:
        return None if section is None else Places(section)
    return Places(section, read_base_list(plan.path.parent / section.list_, engine))


def _read(
    plan: Plan, gathered: Mapping[str, Gathered], places: Places | None, engine: Engine
) -> Tables:
    """Read each table by its source, those in contract form as they stand."""
    options = ReadOptions(plan.data.blank_sen)
    extract = {key: one for key, one in gathered.items() if key in extracts_of(plan)}
    schools = {key: one for key, one in gathered.items() if key in SCHOOL_FILES}
    own = {key: one for key, one in gathered.items() if key not in {*extract, *schools}}
    parts = []
    if extract:
        parts.append(read_npd(extract, engine, options))
    if schools:
        parts.append(read_school_files(schools, engine))
    parts.append(
        read_own_tables(own, engine, options, is_mis=plan.data.source == "mis", places=places)
    )
    return Tables(
        {name: frame for part in parts for name, frame in part.frames.items()},
        tuple(fault for part in parts for fault in part.faults),
        {name: counts for part in parts for name, counts in part.coded.items()},
        {name: label for part in parts for name, label in part.labels.items()},
    )

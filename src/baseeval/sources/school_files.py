"""Files of schools: GIAS, the performance tables, the SEN statistics, or a table of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import SUPPRESSION_CODES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault
from baseeval.sources.benchmark_file import read_benchmarks
from baseeval.sources.contracted import Contracted
from baseeval.sources.ees_sen import EES_SEN_CODES, read_ees_sen
from baseeval.sources.gathering import Gathered
from baseeval.sources.gias import read_gias
from baseeval.sources.performance import read_performance
from baseeval.sources.school_joining import join_schools
from baseeval.sources.school_part import read_part, with_numbers
from baseeval.sources.tables import Tables
from baseeval.sources.values import WHY

#: Key in the study file's [data.files] -> crosswalk, or contract whose headings the file has.
SCHOOL_FILES: Mapping[str, str] = MappingProxyType(
    {
        "schools": "schools",
        "gias": "gias",
        "performance_census": "performance_census",
        "performance_absence": "performance_absence",
        "performance_ks4": "performance_ks4",
        "ees_sen": "ees_sen",
        "benchmarks": "benchmarks",
    }
)


def read_school_files(
    gathered: Mapping[str, Gathered],
    engine: Engine,
    *,
    keep: Literal["any", "every"] = "any",
    first: Sequence[str] = (),
    ees_codes: Mapping[str, str] = EES_SEN_CODES,
    base_words: Mapping[str, str] = MappingProxyType({}),
) -> Tables:
    """Read files of schools, and join them on the school's number.

    Parameters
    ----------
    gathered : mapping of str to Gathered
        By the keys of `SCHOOL_FILES`; others are not read.
    engine : Engine
    keep : {"any", "every"}
        Schools of any file, or those that are in every one.
    first : sequence of str
        Files that come before the others where several give a column; by default
        the order of :mod:`baseeval.sources.school_joining`.
    ees_codes : mapping of str to str
        What the guidance of the SEN release says that its codes mean.
    base_words : mapping of str to str
        Words for a base besides the known ones -> type; empty for none.

    Returns
    -------
    Tables
        ``schools`` (a row a school, and year where a file says it; ``held_by`` names
        the files that hold it) and ``benchmarks``, each if a file gave it.
    """
    parts = read_school_parts(gathered, engine, ees_codes, base_words)
    faults: list[Fault] = [told for part in parts.values() for told in part.faults]
    frames, coded, labels = {}, {}, {}
    if parts and all("urn" in part.frame.collect_schema().names() for part in parts.values()):
        own = {key: gathered[key].label for key in parts}
        frame, told = join_schools(parts, own, engine, first, keep)
        frames["schools"] = frame
        faults += told
        coded["schools"] = _coded(frame, engine, ees_codes)
        labels["schools"] = ", ".join(own.values())
    if "benchmarks" in gathered:
        table = read_benchmarks(gathered["benchmarks"], engine)
        frames["benchmarks"], coded["benchmarks"] = table.frame, table.coded
        labels["benchmarks"] = gathered["benchmarks"].label
        faults += table.faults
    return Tables(frames, tuple(faults), coded, labels)


def read_school_parts(
    gathered: Mapping[str, Gathered],
    engine: Engine,
    ees_codes: Mapping[str, str] = EES_SEN_CODES,
    base_words: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Contracted]:
    """Read each file of schools by itself, as a register of bases needs them.

    Parameters
    ----------
    gathered : mapping of str to Gathered
    engine : Engine
    ees_codes, base_words : mapping of str to str
        As `read_school_files` takes them.

    Returns
    -------
    dict of str to Contracted
        In the order of `SCHOOL_FILES`.
    """
    parts: dict[str, Contracted] = {}
    for key in SCHOOL_FILES:
        if key not in gathered or key == "benchmarks":
            continue
        table = gathered[key]
        if key == "gias":
            parts[key] = read_gias(table, engine, base_words)
        elif key == "ees_sen":
            parts[key] = read_ees_sen(table, engine, ees_codes, base_words)
        elif key == "schools":
            parts[key] = read_part(with_numbers(table.frame), table, engine, [], {})
        else:
            parts[key] = read_performance(table, engine)
    return parts


def _coded(
    frame: nw.LazyFrame[Any], engine: Engine, ees_codes: Mapping[str, str]
) -> dict[str, int]:
    """Count, of each measured column, the schools for which a code stands."""
    codes = [*SUPPRESSION_CODES, *ees_codes.values()]
    schema = frame.collect_schema()
    measured = [
        name
        for name in schema.names()
        if WHY + name in schema.names() and schema[name].is_numeric()
    ]
    return engine.counts(frame, {name: nw.col(WHY + name).is_in(codes) for name in measured})

"""The National Pupil Database: its extracts, as they come, into the tables of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Problem
from baseeval.sources.contracted import Contracted
from baseeval.sources.gathering import Gathered
from baseeval.sources.npd_absence import read_absence
from baseeval.sources.npd_census import read_census
from baseeval.sources.npd_exclusions import read_exclusions
from baseeval.sources.npd_results import read_results
from baseeval.sources.npd_rows import not_in_census
from baseeval.sources.tables import ReadOptions, Tables

#: Key of the study file's [data.files] -> the crosswalk that its files are gathered by.
NPD_FILES: Mapping[str, str] = MappingProxyType(
    {
        "census": "npd_census",
        "absence": "npd_absence",
        "ks2": "npd_ks2",
        "ks4": "npd_ks4",
        "exclusions": "npd_exclusions",
    }
)

_Reader = Callable[[Gathered, Frame, Engine], Contracted]

#: Key -> the table that it makes, and its reader.
_READERS: Mapping[str, tuple[str, _Reader]] = MappingProxyType(
    {
        "absence": ("attendance", read_absence),
        "ks2": ("attainment", lambda gathered, _, engine: read_results(gathered, "KS2", engine)),
        "ks4": ("attainment", lambda gathered, _, engine: read_results(gathered, "KS4", engine)),
        "exclusions": ("exclusions", read_exclusions),
    }
)


def read_npd(gathered: Mapping[str, Gathered], engine: Engine, options: ReadOptions) -> Tables:
    """Read the extracts of the National Pupil Database.

    Parameters
    ----------
    gathered : mapping of str to Gathered
        Key of `NPD_FILES` -> its files; the census is always among them.
    engine : Engine
    options : ReadOptions

    Returns
    -------
    Tables
        ``pupils`` and, where their files are given, ``attendance``, ``attainment``
        and ``exclusions``, with the faults of every file.

    Raises
    ------
    DataError
        There is no census.
    """
    if "census" not in gathered:
        raise DataError(
            Problem("[data.files]", "names no census", 'Add `census = "..."`: who the pupils are.')
        )
    census = read_census(gathered["census"], engine, options)
    faults = [*gathered["census"].faults, *census.faults]
    frames: dict[str, list[Frame]] = {"pupils": [census.frame]}
    coded: dict[str, dict[str, int]] = {"pupils": census.coded}
    labels: dict[str, list[str]] = {"pupils": [gathered["census"].label]}
    for key, (table, reader) in _READERS.items():
        if key not in gathered:
            continue
        source = gathered[key]
        read = reader(source, census.frame, engine)
        strangers = not_in_census(read.frame, census.frame, engine, source.label)
        faults += [*source.faults, *read.faults, *strangers]
        frames.setdefault(table, []).append(read.frame)
        labels.setdefault(table, []).append(source.label)
        coded[table] = {**coded.get(table, {}), **read.coded}
    return Tables(
        {
            table: parts[0] if len(parts) == 1 else nw.concat(parts)
            for table, parts in frames.items()
        },
        tuple(faults),
        coded,
        {table: ", ".join(names) for table, names in labels.items()},
    )

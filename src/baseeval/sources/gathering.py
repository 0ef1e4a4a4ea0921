"""The files of one table, or frames given in their place, under the contract's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem
from baseeval.sources.crosswalk import Crosswalk
from baseeval.sources.files import find_files, fingerprint, label_of, read_file
from baseeval.sources.headings import match_headings, renamed
from baseeval.sources.recoding import recoded
from baseeval.sources.stacking import stacked


@dataclass(frozen=True, slots=True)
class Gathered:
    """A table as it came, under the contract's names, not yet typed.

    Parameters
    ----------
    frame : narwhals LazyFrame
    label : str
        The file or files, as messages name them.
    files : tuple of (name, SHA-256)
        None for a frame that was given.
    faults : tuple of Fault
        What was read otherwise than it stands; none stops the study.
    """

    frame: nw.LazyFrame[Any]
    label: str
    files: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]


def gather_files(
    pattern: str, folder: Path, crosswalk: Crosswalk, engine: Engine, key: str
) -> Gathered:
    """Read the files of one table.

    Parameters
    ----------
    pattern : str
        A file or a glob, relative to `folder`.
    folder : pathlib.Path
        The folder of the study file.
    crosswalk : Crosswalk
    engine : Engine
        Not yet shut.
    key : str
        The key of the study file that names them, for messages.

    Returns
    -------
    Gathered

    Raises
    ------
    DataError
        With the faults of every file at once.
    """
    paths = find_files(pattern, folder, key)
    label = label_of(pattern, paths)
    problems: list[Problem] = []
    frames = []
    for path in paths:
        try:
            frame = read_file(
                path,
                engine,
                None,
                crosswalk.headings(),
                lambda heading: bool(
                    crosswalk.split(heading)[0] or crosswalk.strange_ending(heading)
                ),
            )
            frames.append((path.name, frame))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    files = tuple((path.name, fingerprint(path)) for path in paths)
    return _under_contract(frames, label, files, crosswalk, engine)


def gather_frames(
    frames: Sequence[nw.LazyFrame[Any]], crosswalk: Crosswalk, engine: Engine, label: str
) -> Gathered:
    """Take frames that were given in place of files.

    Parameters
    ----------
    frames : sequence of narwhals LazyFrame
        Held by `engine`.
    crosswalk : Crosswalk
    engine : Engine
    label : str

    Returns
    -------
    Gathered

    Raises
    ------
    DataError
    """
    return _under_contract([(label, frame) for frame in frames], label, (), crosswalk, engine)


def _under_contract(
    frames: Sequence[tuple[str, nw.LazyFrame[Any]]],
    label: str,
    files: tuple[tuple[str, str], ...],
    crosswalk: Crosswalk,
    engine: Engine,
) -> Gathered:
    problems: list[Problem] = []
    parts = []
    passed: list[Fault] = []
    for name, frame in frames:
        try:
            matched = match_headings(crosswalk, frame.collect_schema().names(), name)
            if not matched.found:
                raise DataError(_nothing_known(name, crosswalk))
            passed += [_passed_over(name, other, read) for other, read in matched.passed_over]
            parts.append(renamed(frame, matched))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    together, faults = recoded(stacked(parts), crosswalk, engine, label)
    return Gathered(together, label, files, (*passed, *faults))


def _nothing_known(file: str, crosswalk: Crosswalk) -> Problem:
    known = ", ".join(f"`{heading}`" for heading in crosswalk.headings())
    return Problem(
        file,
        "it has none of the columns that are known here",
        f"Name its columns in [data.columns], or rename them; known are {known}.",
    )


def _passed_over(file: str, other: str, read: str) -> Fault:
    return Fault(
        f"{file}, column `{other}`",
        f"`{read}` means the same and is read in its place",
        "Nothing need be done; to read the other, name it in [data.columns].",
        file,
        other,
        "passed_over",
        1,
        False,
    )

"""The files of one table, or frames given in their place, under the contract's names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem
from baseeval.plan import FileSection
from baseeval.sources.crosswalk import Crosswalk, with_headings
from baseeval.sources.files import find_files, fingerprint, label_of, load_file
from baseeval.sources.headings import match_headings, renamed
from baseeval.sources.recoding import recoded
from baseeval.sources.stacked_columns import kept_headings, shaped
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


@dataclass(frozen=True, slots=True)
class _Part:
    """Some files of a table: their columns, their headings, and what was passed over."""

    frame: nw.LazyFrame[Any]
    headings: tuple[str, ...]
    label: str
    files: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]


def gather_files(
    sections: str | Sequence[FileSection],
    folder: Path,
    crosswalk: Crosswalk,
    engine: Engine,
    key: str,
) -> Gathered:
    """Read the files of one table.

    Parameters
    ----------
    sections : str or sequence of FileSection
        A file or a glob, relative to `folder`; or several, each with what must be
        known to read it.
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
    parts = [FileSection(file=sections)] if isinstance(sections, str) else sections
    problems: list[Problem] = []
    made = []
    for part in parts:
        try:
            made.append(_part_of_files(part, folder, _own(crosswalk, part), engine, key))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return _whole(made, crosswalk, engine)


def gather_frames(
    frames: Sequence[nw.LazyFrame[Any]],
    crosswalk: Crosswalk,
    engine: Engine,
    label: str,
    section: FileSection | None = None,
) -> Gathered:
    """Take frames that were given in place of files.

    Parameters
    ----------
    frames : sequence of narwhals LazyFrame
        Held by `engine`.
    crosswalk : Crosswalk
    engine : Engine
    label : str
    section : FileSection, optional
        What must be known to read them, besides.

    Returns
    -------
    Gathered

    Raises
    ------
    DataError
    """
    named = [(label, frame) for frame in frames]
    part = _part(named, label, (), section, _own(crosswalk, section))
    return _whole([part], crosswalk, engine)


def _own(crosswalk: Crosswalk, section: FileSection | None) -> Crosswalk:
    """Put the headings of one file in place of those of its table."""
    if section is None or not section.columns:
        return crosswalk
    return with_headings(crosswalk, section.columns)


def _part_of_files(
    section: FileSection, folder: Path, crosswalk: Crosswalk, engine: Engine, key: str
) -> _Part:
    paths = find_files(section.file, folder, key)
    problems: list[Problem] = []
    faults: list[Fault] = []
    frames = []
    known = replace(crosswalk, kept={**crosswalk.kept, **kept_headings(section)})
    for path in paths:
        try:
            named = known.headings()
            loaded = load_file(path, engine, section.sheet, named, known.knows, known.kind)
            frames.append((path.name, loaded.frame))
            faults += loaded.faults
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    files = tuple((path.name, fingerprint(path)) for path in paths)
    part = _part(frames, label_of(section.file, paths), files, section, crosswalk)
    return replace(part, faults=(*faults, *part.faults))


def _part(
    frames: Sequence[tuple[str, nw.LazyFrame[Any]]],
    label: str,
    files: tuple[tuple[str, str], ...],
    section: FileSection | None,
    crosswalk: Crosswalk,
) -> _Part:
    """Take the columns of some files under the contract's names, and bring them to its shape."""
    own = {} if section is None else kept_headings(section)
    known = replace(crosswalk, kept={**crosswalk.kept, **own})
    problems: list[Problem] = []
    passed: list[Fault] = []
    parts = []
    for name, frame in frames:
        try:
            matched = match_headings(known, frame.collect_schema().names(), name)
            if not matched.found:
                raise DataError(_nothing_known(name, crosswalk))
            passed += [_passed_over(name, other, read) for other, read in matched.passed_over]
            parts.append(renamed(frame, matched))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    headings = tuple(h for _, frame in frames for h in frame.collect_schema().names())
    together = stacked(parts)
    if section is not None:
        _require(section.columns, together, headings, label, "the study file")
        _require(own, together, headings, label, "stack")
        together = shaped(together, section, crosswalk.contract, label)
    return _Part(together, headings, label, files, tuple(passed))


def _whole(parts: Sequence[_Part], crosswalk: Crosswalk, engine: Engine) -> Gathered:
    label = ", ".join(dict.fromkeys(part.label for part in parts))
    frame = stacked([part.frame for part in parts])
    headings = tuple(heading for part in parts for heading in part.headings)
    named = {column: crosswalk.columns[column][0] for column in sorted(crosswalk.own)}
    _require({**named, **crosswalk.kept}, frame, headings, label, "the study file")
    together, faults = recoded(frame, crosswalk, engine, label)
    passed = [fault for part in parts for fault in part.faults]
    files = tuple(file for part in parts for file in part.files)
    return Gathered(together, label, files, (*passed, *faults))


def _require(
    named: Mapping[str, str],
    frame: nw.LazyFrame[Any],
    headings: Sequence[str],
    label: str,
    by: str,
) -> None:
    """Refuse a heading that the user names and no file has: its column would vanish unsaid."""
    held = frame.collect_schema().names()
    lost = dict.fromkeys(heading for column, heading in named.items() if column not in held)
    small = {heading.lower(): heading for heading in headings}
    problems = []
    for heading in lost:
        close = difflib.get_close_matches(heading.lower(), list(small), n=1, cutoff=0.6)
        remedy = f"Did you mean `{small[close[0]]}`?" if close else "Check the file's headings."
        problems.append(
            Fault(
                f"{label}, column `{heading}`",
                f"the file has no such heading, which {by} names",
                remedy,
                label,
                heading,
                "no_heading",
            )
        )
    if problems:
        raise DataError(problems)


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

"""Read a folder as an output checker would, and list what must not leave it."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import pyarrow as pa

from baseeval.disclosure.contents import Contents, Finding
from baseeval.disclosure.profiles import Profile, get_profile
from baseeval.disclosure.prose import suspect_text
from baseeval.disclosure.readers import READERS
from baseeval.disclosure.suspicions import suspect_grid
from baseeval.errors import Problem, UsageError

_UNREADABLE = (OSError, ValueError, EOFError, KeyError, BadZipFile, csv.Error, zlib.error)
_WHOLE = "the file"
_REMEDY_KIND = f"Leave it out, or save it as one of {', '.join(READERS)}."


def screen(directory: str | os.PathLike[str], profile: str = "srs") -> list[Finding]:
    """List what in a folder must not leave, or cannot be checked.

    Every file is opened, in every folder below; links are reported and never
    followed.

    Parameters
    ----------
    directory : path
    profile : str
        srs, ees or trust.

    Returns
    -------
    list of Finding
        In the order of the files' names; empty where nothing was found.

    Raises
    ------
    UsageError
        If there is no such folder or profile.
    """
    rules = get_profile(profile)
    folder = Path(directory)
    if not folder.is_dir():
        raise UsageError(Problem("screen", "there is no such folder", "Name a folder of outputs."))
    findings = [finding for path in _files(folder) for finding in _screened(path, folder, rules)]
    return list(dict.fromkeys(findings))


def _files(folder: Path) -> Iterator[Path]:
    """All that a folder holds but folders, in the order of their names."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _screened(path: Path, folder: Path, profile: Profile) -> Iterator[Finding]:
    name = path.relative_to(folder).as_posix()
    if any(part.startswith(".") for part in Path(name).parts):
        yield Finding(name, _WHOLE, "is hidden", "Leave it out.")
    if path.is_symlink() or not path.is_file():
        yield Finding(name, _WHOLE, "is not a plain file and was not opened", "Leave it out.")
        return
    for where, what, remedy in suspect_text("name", name, profile):
        yield Finding(name, where, what, remedy)
    reader = next((READERS[end] for end in _ends(path) if end in READERS), None)
    if reader is None:
        yield Finding(name, _WHOLE, "is of a kind that the screen cannot read", _REMEDY_KIND)
        return
    try:
        contents = reader(path.read_bytes())
    except (*_UNREADABLE, pa.ArrowException):
        yield Finding(name, _WHOLE, "cannot be read", "Write it again, or leave it out.")
        return
    for where, what, remedy in _suspicions(contents, profile):
        yield Finding(name, where or _WHOLE, what, remedy)


def _ends(path: Path) -> list[str]:
    """How the name ends: `.csv.gz` before `.gz`."""
    ends = [end.lower() for end in path.suffixes]
    return ["".join(ends[-2:]), *ends[-1:]]


def _suspicions(contents: Contents, profile: Profile) -> Iterator[tuple[str, str, str]]:
    yield from contents.faults
    for grid in contents.grids:
        yield from suspect_grid(grid, profile)
    for where, text in contents.texts:
        yield from suspect_text(where, text, profile)

"""Files as they come: which they are, their fingerprint, and the door to each kind's reader."""

from __future__ import annotations

import csv
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.sources.delimited import read_delimited
from baseeval.sources.heading_rows import Wanted, check_headings, find_headings, no_headings
from baseeval.sources.loaded import KindOf, Loaded
from baseeval.sources.spss_files import read_spss
from baseeval.sources.workbooks import read_workbook

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx", ".sav")
_BLOCK = 1 << 20

#: How a workbook begins, whatever its name.
_ZIP = b"PK\x03\x04"

#: What the readers raise over a damaged file.
_UNREADABLE = (
    duckdb.Error,
    csv.Error,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
)


def find_files(pattern: str, folder: Path, key: str = "[data] `table`") -> list[Path]:
    """Find the files that a plan's pattern names, in a fixed order.

    Parameters
    ----------
    pattern : str
        A file or a glob, relative to `folder`.
    folder : pathlib.Path
        The folder of the study file.
    key : str
        The key of the study file that names them, for messages.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        Nothing is there, or something that is not read.
    """
    path = Path(pattern)
    if path.is_absolute():
        root, inner = Path(path.anchor), str(path.relative_to(path.anchor))
    else:
        root, inner = folder, pattern
    is_glob = any(mark in pattern for mark in "*?[")
    found = sorted(root.glob(inner)) if is_glob else [root / inner]
    found = [file for file in found if file.is_file()]
    if not found:
        raise DataError(
            Problem(
                pattern,
                "no such file",
                f"Check {key}; a relative path starts at the study file's folder. A README "
                "there may say how the file is made.",
            )
        )
    strange = [file for file in found if not file.name.lower().endswith(_SUFFIXES)]
    if strange:
        raise DataError(
            [
                Problem(file.name, "this kind of file is not read", f"Use {', '.join(_SUFFIXES)}.")
                for file in strange
            ]
        )
    return found


def label_of(pattern: str, paths: Sequence[Path]) -> str:
    """Name the files of a table, as messages do.

    Parameters
    ----------
    pattern : str
        As the study file has it.
    paths : sequence of pathlib.Path
        From `find_files`.

    Returns
    -------
    str
    """
    return paths[0].name if len(paths) == 1 else f"{pattern} ({len(paths)} files)"


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def load_file(
    path: Path,
    engine: Engine,
    sheet: str | None,
    named: Sequence[str],
    knows: Callable[[str], bool] | None = None,
    kind_of: KindOf | None = None,
) -> Loaded:
    """Load one file: text columns from CSV and workbooks, typed ones from Parquet and SPSS.

    Parameters
    ----------
    path : pathlib.Path
    engine : Engine
    sheet : str, optional
        Sheet of a workbook; by default the only one that the study can use.
    named : sequence of str
        The columns that the study names, for messages.
    knows : callable, optional
        True of a heading that the study can use; by default one of `named`. In CSV
        files and workbooks the row of headings is found by it (`find_headings`);
        what stands above is passed over, and told.
    kind_of : callable, optional
        Heading -> kind of column wanted there, as contracts name kinds, or None. A
        workbook's bare day numbers and an SPSS file's value labels are read by it.

    Returns
    -------
    Loaded

    Raises
    ------
    DataError
    """
    name = path.name.lower()
    wanted = Wanted(named, knows or set(named).__contains__)
    try:
        if name.endswith(".parquet"):
            return Loaded(_parquet(path, engine, wanted))
        if name.endswith(".xlsx"):
            return read_workbook(path, engine, sheet, wanted, kind_of)
        if name.endswith(".sav"):
            return read_spss(path, engine, wanted, kind_of)
        if _begins(path, _ZIP):
            raise DataError(
                Problem(
                    path.name,
                    "it is a workbook under the name of a CSV file",
                    "Name it .xlsx, or save it as CSV.",
                )
            )
        return read_delimited(path, engine, wanted)
    except zipfile.BadZipFile:
        raise DataError(
            Problem(
                path.name,
                "it is not a workbook, or it is protected by a password",
                "Open it, take the password off, and save it as .xlsx; or name a CSV file .csv.",
            )
        ) from None
    except _UNREADABLE as error:
        # The engine's own message may quote a pupil's line, so it stays here.
        raise DataError(
            Problem(
                path.name,
                f"the file cannot be read ({type(error).__name__})",
                "Open it, check that it is whole, and save it again.",
            )
        ) from None


def _begins(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _parquet(path: Path, engine: Engine, wanted: Wanted) -> nw.LazyFrame[Any]:
    frame = engine.parquet(path)
    columns = frame.collect_schema().names()
    if find_headings([columns], wanted) is None:
        raise no_headings(path.name, [columns], wanted)
    check_headings(path.name, columns, columns.count(""))
    return frame

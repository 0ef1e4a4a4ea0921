"""What a file leaves unsaid, said for it; and a wide file turned into the contract's rows."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Problem
from baseeval.plan import FileSection
from baseeval.sources.cell_text import without_margins

#: Tables whose rows may be made of columns: the column of the cell, and the one that tells
#: one column's rows from another's.
STACKED = {"attainment": ("value", "measure"), "surveys": ("answer", "item")}

#: Begins the name of a column that is to be stacked.
_STACK = "stack:"


def kept_headings(section: FileSection) -> dict[str, str]:
    """Name the columns of a file that are to be stacked.

    Parameters
    ----------
    section : FileSection

    Returns
    -------
    dict of str to str
        Another name -> heading.
    """
    return {f"{_STACK}{at}": entry["column"] for at, entry in enumerate(section.stack)}


def shaped(frame: Frame, section: FileSection, table: str, label: str) -> Frame:
    """Say in each row what the file says in none, and make rows of the columns to be stacked.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names, with every column of `kept_headings`.
    section : FileSection
        Its names are columns of the contract.
    table : str
        Name of the contract.
    label : str
        The file or files, for messages.

    Returns
    -------
    narwhals LazyFrame
        A cell without text makes no row; whoever answered nothing has one, where the file
        has a column `status` that says why.

    Raises
    ------
    DataError
        Something is said twice: by the file, and for it.
    """
    held = frame.collect_schema().names()
    said = dict.fromkeys(section.constants, "set")
    said |= {name: "stack" for entry in section.stack for name in entry if name != "column"}
    if section.stack:
        said[STACKED[table][0]] = "stack"
    twice = [name for name in said if name in held]
    if twice:
        raise DataError(
            [
                Problem(
                    f"{label}, column `{name}`",
                    f"the file has this column, and `{said[name]}` in the study file says it too",
                    f"Take it out of `{said[name]}`, or the column out of the file.",
                )
                for name in twice
            ]
        )
    if not section.stack:
        return _saying(frame, section.constants)
    cell, _ = STACKED[table]
    carried = [name for name in held if not name.startswith(_STACK)]
    names = dict.fromkeys(name for entry in section.stack for name in entry if name != "column")
    clean = without_margins(frame, [name for name in held if name.startswith(_STACK)])
    parts = []
    for at, entry in enumerate(section.stack):
        rows = clean.select(*carried, nw.col(f"{_STACK}{at}").alias(cell))
        rows = rows.filter(~nw.col(cell).is_null())
        said_here: dict[str, str | None] = {**dict.fromkeys(names), **section.constants}
        said_here |= {name: value for name, value in entry.items() if name != "column"}
        parts.append(_saying(rows, said_here))
    if "status" in held and table == "surveys":
        parts.append(_unanswered(clean, carried, parts[0]))
    return nw.concat(parts, how="vertical")


def _unanswered(frame: Frame, carried: list[str], like: Frame) -> Frame:
    """Keep a row of whoever answered nothing, where the file says why."""
    cells = [name for name in frame.collect_schema().names() if name.startswith(_STACK)]
    blank = nw.all_horizontal(*(nw.col(name).is_null() for name in cells), ignore_nulls=True)
    rows = frame.filter(blank & ~nw.col("status").is_null()).select(*carried)
    names = like.collect_schema().names()
    return _saying(rows, {n: None for n in names if n not in carried}).select(*names)


def _saying(frame: Frame, constants: Mapping[str, str | None]) -> Frame:
    """Add columns that hold the same text in every row."""
    if not constants:
        return frame
    return frame.with_columns(
        *(nw.lit(value, nw.String).alias(name) for name, value in constants.items())
    )

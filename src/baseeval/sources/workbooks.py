"""Workbooks as they come: the sheet, the row of headings, and each cell as a CSV would hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem
from baseeval.sources.heading_rows import (
    HEAD,
    Wanted,
    check_headings,
    find_headings,
    heading_faults,
    heading_text,
    no_headings,
)
from baseeval.sources.loaded import KindOf, Loaded
from baseeval.sources.sheet_cells import SheetForms, cell_text
from baseeval.sources.table_ends import TAIL, end_faults, judge_end


def read_workbook(
    path: Path, engine: Engine, sheet: str | None, wanted: Wanted, kind_of: KindOf | None
) -> Loaded:
    """Read a sheet of a workbook, every cell as text.

    Parameters
    ----------
    path : pathlib.Path
    engine : Engine
    sheet : str, optional
        By default the only one with content; of several, the only one with headings
        that the study knows.
    wanted : Wanted
    kind_of : callable, optional
        Says which columns hold days: in a workbook that counts days from 1904, a
        bare number there is turned into its day.

    Returns
    -------
    Loaded
        Hidden sheets, rows and columns are read as any other.

    Raises
    ------
    DataError
    """
    with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
        chosen, faults = _choose(path.name, book, sheet, wanted)
        head = _head(book[chosen])
        top = find_headings(head, wanted)
        if top is None:
            raise no_headings(path.name, head, wanted)
        # What stands beside the table, right of its last heading, is not of it.
        columns = head[top][: max(n for n, name in enumerate(head[top]) if name) + 1]
        check_headings(path.name, columns)
        days = [kind_of is not None and kind_of(name) == "date" for name in columns]
        forms = SheetForms(book.epoch == CALENDAR_MAC_1904, kind_of is not None, days)
        below = islice(_rows(book[chosen]), top + 1, None)
        rows = [forms.texts(row[: len(columns)]) for row in below]
    rows = [row + [None] * (len(columns) - len(row)) for row in rows if any(row)]
    end = judge_end([[cell or "" for cell in row] for row in rows[-TAIL:]], len(columns))
    rows = rows[: len(rows) - end.totals]
    cells = {name: [row[n] for row in rows] for n, name in enumerate(columns) if name}
    unnamed = [n for n, name in enumerate(columns) if not name]
    check_headings(path.name, [], sum(any(row[n] for row in rows) for n in unnamed))
    table = pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})
    faults += [*heading_faults(path.name, top, columns), *end_faults(path.name, end)]
    known = [name if wanted.knows(name) else "" for name in columns]
    return Loaded(engine.table(table), (*faults, *forms.faults(path.name, known)))


def _choose(file: str, book: Any, sheet: str | None, wanted: Wanted) -> tuple[str, list[Fault]]:
    """Choose the sheet to read, and tell where the headings chose it."""
    heads = {one.title: _head(one) for one in book.worksheets}
    filled = [name for name, head in heads.items() if any(map(any, head))]
    if sheet is not None:
        if sheet in filled:
            return sheet, []
        if sheet in heads:
            what, remedy = f"the sheet `{sheet}` is empty", "Fill it in, or export it again."
        else:
            what, remedy = f"there is no sheet `{sheet}`", f"It has: {', '.join(filled)}."
        raise DataError(Problem(file, what, remedy))
    if len(filled) == 1:
        return filled[0], []
    known = [name for name in filled if find_headings(heads[name], wanted) is not None]
    if len(known) == 1:
        passed = len(filled) - 1
        return known[0], [
            Fault(
                file,
                f"the sheet `{known[0]}` is read, the only one with headings that are known; "
                f"{'1 other was' if passed == 1 else f'{passed} others were'} passed over",
                "To read another, name it with `sheet`.",
                file,
                rule="sheets_passed_over",
                count=passed,
                stops=False,
            )
        ]
    listed = f" ({', '.join(filled)})" if filled else ""
    raise DataError(
        Problem(
            file,
            f"the workbook has {len(filled)} sheets with content{listed}",
            "Name one with `sheet` in [data].",
        )
    )


def _head(sheet: Any) -> list[list[str]]:
    """Write the first rows of a sheet as headings are written."""
    rows = islice(_rows(sheet), HEAD)
    return [[heading_text(cell_text(cell.value) or "") for cell in row] for row in rows]


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """Go through a sheet's rows from its top, whatever size it says it has."""
    sheet.reset_dimensions()
    rows: Iterator[Sequence[Any]] = sheet.iter_rows()
    return rows

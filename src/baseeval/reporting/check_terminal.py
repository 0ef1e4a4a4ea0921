"""A check on a terminal: tables of its width, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baseeval.errors import Fault
from baseeval.reporting.amounts import number_of
from baseeval.reporting.check_report import CheckReport
from baseeval.reporting.check_words import (
    LOOK,
    MEND,
    count_of,
    finding,
    pupils_of,
    size_of,
    verdict,
    where,
)

#: Below this a table's words would stand one to a line.
_NARROW = 60

#: These columns share the width that the others leave.
_BROAD = ("Found", "What to do", "From", "Why they left")


def check_lines(report: CheckReport, width: int | None = None) -> list[str]:
    """Write a check for a terminal, without colour or markup.

    Parameters
    ----------
    report : CheckReport
    width : int, optional
        Of the terminal, in characters; without one, and on a narrow one, each
        thing is one line, however long.

    Returns
    -------
    list of str
    """
    if width is None or width < _NARROW:
        return [*_plain(report), verdict(report)]
    console = Console(file=StringIO(), width=width, no_color=True, highlight=False)
    with console.capture() as capture:
        for table in _tables(report):
            console.print(table)
        for line in (*(f"Note: {note}" for note in report.notes), verdict(report)):
            console.print(Text(line))
    return [line.rstrip() for line in capture.get().splitlines()]


def _plain(report: CheckReport) -> Iterator[str]:
    for table in report.tables:
        rows = number_of(table.rows, "row", "rows")
        columns = number_of(table.columns, "column", "columns")
        yield f"{table.name}: {rows} and {columns} read from {table.label}."
    for file in report.files:
        yield from (f"{MEND}: {fault}" for fault in file.stopping)
        yield from (f"{LOOK}: {fault}" for fault in file.questions)
    for step in report.flow:
        schools = number_of(step.schools, "school", "schools")
        left = f" ({step.reason})" if step.reason else ""
        yield f"{step.step}, {step.arm}: {pupils_of(step)} pupils in {schools}{left}."
    yield from (f"Note: {note}" for note in report.notes)


def _tables(report: CheckReport) -> Iterator[Table]:
    if report.tables:
        rows = [(table.name, table.label, *size_of(table)) for table in report.tables]
        yield _table("What was read", ("Table", "From", "Rows", "Columns"), rows, {2, 3})
    for file in report.files:
        for title, faults in ((MEND, file.stopping), (LOOK, file.questions)):
            if faults:
                yield _faults(f"{file.file}: {title[0].lower()}{title[1:]}", faults)
    if report.flow:
        heads = ("Step", "Arm", "Pupils", "Schools", "Why they left")
        steps = [(s.step, s.arm, pupils_of(s), f"{s.schools:,}", s.reason) for s in report.flow]
        yield _table("Who would be compared", heads, steps, {2, 3})


def _faults(title: str, faults: Sequence[Fault]) -> Table:
    rows = [(where(fault), count_of(fault), finding(fault), fault.remedy) for fault in faults]
    return _table(title, ("Column", "Count", "Found", "What to do"), rows, {1})


def _table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: set[int]
) -> Table:
    table = Table(
        title=Text(title), title_justify="left", box=box.HORIZONTALS, show_lines=True, expand=True
    )
    for position, head in enumerate(heads):
        justify: Literal["left", "right"] = "right" if position in numeric else "left"
        ratio = 1 if head in _BROAD else None
        table.add_column(head, justify=justify, overflow="fold", ratio=ratio)
    for row in rows:
        table.add_row(*map(Text, row))
    return table

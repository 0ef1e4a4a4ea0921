"""Which row of a file holds the headings, and whether they are such that a table can be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from baseeval.errors import DataError, Fault, Problem

#: So many rows from the top are looked at.
HEAD = 30

#: A heading such as 1-5 that a spreadsheet took for a day: 05-Jan, or 2025-01-05.
_DAY = re.compile(r"\d{1,2}-[A-Z][a-z]{2}(-\d{2,4})?|\d{4}-\d{2}-\d{2}( 00:00:00)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The headings that a study can use.

    Parameters
    ----------
    named : sequence of str
        Those that it names, for messages.
    knows : callable
        True of a heading that it can use.
    """

    named: Sequence[str]
    knows: Callable[[str], bool]


def heading_text(text: str) -> str:
    r"""Write a heading on one line, without margins.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> heading_text(" Sessions\n possible ")
    'Sessions possible'
    """
    return " ".join(text.split())


def find_headings(rows: Sequence[Sequence[str]], wanted: Wanted) -> int | None:
    """Find the row of headings among the first rows of a file.

    Parameters
    ----------
    rows : sequence of sequence of str
        Cells as `heading_text` writes them, empty where blank; rows after the
        first `HEAD` are not looked at.
    wanted : Wanted

    Returns
    -------
    int or None
        The row that holds the most known headings, the first of them where several
        do. The first row with content needs one; a row below it needs two, since a
        filter above a table, or a pupil's cell, may say one such word.
    """
    best: tuple[int, int] | None = None
    first = next((n for n, row in enumerate(rows[:HEAD]) if any(row)), None)
    for number, row in enumerate(rows[:HEAD]):
        known = len({cell for cell in row if cell and wanted.knows(cell)})
        enough = 1 if number == first or len(set(wanted.named)) == 1 else 2
        if known >= enough and (best is None or known > best[0]):
            best = (known, number)
    return None if best is None else best[1]


def no_headings(file: str, rows: Sequence[Sequence[str]], wanted: Wanted) -> DataError:
    """Say that a file holds nothing, or no headings that are known.

    Parameters
    ----------
    file : str
    rows : sequence of sequence of str
        Its first rows, which the message does not quote.
    wanted : Wanted

    Returns
    -------
    DataError
    """
    if not any(any(row) for row in rows):
        return DataError(Problem(file, "the file is empty", "Export it again."))
    names = ", ".join(f"`{name}`" for name in wanted.named)
    return DataError(
        Problem(
            file,
            "the first line holds none of the columns that the study names, and no line soon "
            "below it two of them",
            f"Put the headings there, or mend the study file; it names {names}.",
        )
    )


def check_headings(file: str, columns: Sequence[str], blank: int = 0) -> None:
    """Check that every column has a heading of its own.

    Parameters
    ----------
    file : str
    columns : sequence of str
        The headings; those that are empty do not count here.
    blank : int
        Columns that hold something and have no heading.

    Raises
    ------
    DataError
    """
    problems = []
    if blank:
        problems.append(
            Problem(
                file,
                "1 column has no heading" if blank == 1 else f"{blank} columns have no heading",
                "Give every column a heading.",
            )
        )
    # The engine does not tell capitals from small letters.
    counts = Counter(column.lower() for column in columns)
    first = {column.lower(): column for column in reversed(columns)}
    problems += [
        Problem(
            f"{file}, column `{column}`",
            f"{count} columns have this heading",
            "Keep one of them.",
        )
        for column, count in ((first[lower], count) for lower, count in counts.items())
        if count > 1 and column
    ]
    if problems:
        raise DataError(problems)


def heading_faults(file: str, above: int, columns: Sequence[str]) -> list[Fault]:
    """Tell what was passed over above the headings, and headings that were turned into days.

    Parameters
    ----------
    file : str
    above : int
        Rows above the headings.
    columns : sequence of str

    Returns
    -------
    list of Fault
        None of them stops the study.
    """
    faults = []
    if above:
        rows = "1 row above the headings was" if above == 1 else f"{above} rows above them were"
        faults.append(
            Fault(
                file,
                f"the headings are in row {above + 1}; {rows} passed over",
                "Nothing need be done.",
                file,
                rule="rows_above_headings",
                count=above,
                stops=False,
            )
        )
    days = sum(_DAY.fullmatch(column) is not None for column in columns)
    if days:
        faults.append(
            Fault(
                file,
                f"{'1 heading is' if days == 1 else f'{days} headings are'} a day of the calendar",
                "A spreadsheet may have taken a heading such as 1-5 for a day: mend it there, or "
                "name the column as it stands.",
                file,
                rule="heading_is_a_day",
                count=days,
                stops=False,
            )
        )
    return faults

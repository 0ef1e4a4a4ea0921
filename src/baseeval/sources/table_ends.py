"""What stands below a table: totals, counts and notes that belong to no pupil."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from baseeval.errors import Fault

#: So many rows from the end are looked at.
TAIL = 5

#: What a first cell says that begins no pupil's row; a number may follow it.
_TOTAL = re.compile(
    r"((grand |sub-?)?totals?|counts?|sum|average|mean|"
    r"(total |number of )(pupils|students|rows|records))\s*[:=]?\s*[\d.,]*\s*%?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?[\d.,]+\s*%?")

#: A table of fewer columns may well have rows of one cell.
_WIDE = 3


@dataclass(frozen=True, slots=True)
class TableEnd:
    """The last rows of a table, judged.

    Parameters
    ----------
    totals : int
        Rows at the very end that say themselves to be a total or a count.
    lone : int
        Other rows near the end that hold one cell alone: a note, perhaps.
    """

    totals: int = 0
    lone: int = 0


def judge_end(rows: Sequence[Sequence[str]], width: int) -> TableEnd:
    """Judge the last rows of a table.

    Parameters
    ----------
    rows : sequence of sequence of str
        The table's last rows that hold anything, empty text where a cell is blank.
    width : int
        Columns of the table. A row of fewer cells may be the end of one that is not
        shown whole, and is never told as a lone cell.

    Returns
    -------
    TableEnd
        A row is a total where its first filled cell says so and every other is a
        number. Anything else may be a pupil, and is kept.

    Examples
    --------
    >>> judge_end([["A1", "7", "5"], ["Total", "", "1,204"]], 3)
    TableEnd(totals=1, lone=0)
    """
    last = [[cell for cell in row if cell] for row in rows[-TAIL:]]
    whole = [len(row) == width for row in rows[-TAIL:]]
    totals = 0
    for filled in reversed(last):
        if not _TOTAL.fullmatch(filled[0]) or not all(map(_NUMBER.fullmatch, filled[1:])):
            break
        totals += 1
    kept = zip(last[: len(last) - totals], whole, strict=False)
    lone = sum(len(filled) == 1 and is_row for filled, is_row in kept)
    return TableEnd(totals, lone if width >= _WIDE else 0)


def end_faults(file: str, end: TableEnd) -> list[Fault]:
    """Tell what was passed over below a table, and what may be no pupil.

    Parameters
    ----------
    file : str
    end : TableEnd

    Returns
    -------
    list of Fault
        None of them stops the study.
    """
    faults = []
    if end.totals:
        rows = "1 row" if end.totals == 1 else f"{end.totals} rows"
        were = "was" if end.totals == 1 else "were"
        faults.append(
            Fault(
                file,
                f"{rows} below the table (totals, counts) {were} passed over",
                "Nothing need be done.",
                file,
                rule="rows_below_table",
                count=end.totals,
                stops=False,
            )
        )
    if end.lone:
        told = (
            "1 of the last rows holds one cell alone, and is read as it stands"
            if end.lone == 1
            else f"{end.lone} of the last rows hold one cell alone, and are read as they stand"
        )
        faults.append(
            Fault(
                file,
                told,
                "If that is a note below the table, take it out.",
                file,
                rule="lone_cells",
                count=end.lone,
                stops=False,
            )
        )
    return faults

"""The cells of a sheet: their text, and what they mean beyond it (percentages, days from 1904)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from openpyxl.utils.datetime import CALENDAR_MAC_1904, from_excel

from baseeval.errors import Fault, fault

#: Whole numbers that may be days of this age, counted from 1904: 19 February 1986 on.
_DAYS_1904 = range(30_000, 80_000)

#: Beyond it a whole number has lost digits: a spreadsheet holds fifteen.
_DIGITS = 1e15


def cell_text(value: object) -> str | None:
    """Write a cell's value as the text that a CSV of it would hold.

    Parameters
    ----------
    value : object
        As openpyxl reads it.

    Returns
    -------
    str or None
        Without margins; None where nothing is left.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _DIGITS:
        return str(int(value))
    return str(value).replace("\N{NO-BREAK SPACE}", " ").strip() or None


class SheetForms:
    """What a sheet's cells mean beyond their text: percentages, and days from 1904.

    Parameters
    ----------
    from_1904 : bool
        The workbook counts days from 1904.
    kinds_known : bool
        The study said what each column holds.
    days : sequence of bool
        Of each column, whether it holds days.
    """

    def __init__(self, from_1904: bool, kinds_known: bool, days: Sequence[bool]) -> None:
        self._from_1904, self._kinds_known, self._days = from_1904, kinds_known, days
        self._percent: dict[int, int] = {}
        self._turned: dict[int, int] = {}
        self._doubtful = 0

    def texts(self, row: Sequence[Any]) -> list[str | None]:
        """Write a row's cells as text.

        Parameters
        ----------
        row : sequence of openpyxl cell

        Returns
        -------
        list of str or None
        """
        cells = []
        for position, cell in enumerate(row):
            value = cell.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                if "%" in cell.number_format:
                    self._percent[position] = self._percent.get(position, 0) + 1
                if self._from_1904 and value in _DAYS_1904:
                    value = self._day(position, value)
            cells.append(cell_text(value))
        return cells

    def _day(self, position: int, value: float) -> object:
        if position < len(self._days) and self._days[position]:
            self._turned[position] = self._turned.get(position, 0) + 1
            day = from_excel(value, CALENDAR_MAC_1904)
            return day.date() if isinstance(day, dt.datetime) else day
        self._doubtful += not self._kinds_known
        return value

    def faults(self, file: str, columns: Sequence[str]) -> list[Fault]:
        """Tell what was read otherwise than it is shown.

        Parameters
        ----------
        file : str
        columns : sequence of str
            Empty where the study has no use for one.

        Returns
        -------
        list of Fault
            None of them stops the study.
        """
        faults = [
            fault(
                file,
                columns[position],
                "percent_cells",
                count,
                "a share shown as a percentage (0.925 as 92.5%); it is read as the share",
                "Where the study wants percent, multiply by 100 in the sheet, in plain cells.",
                verb="hold",
            )
            for position, count in self._percent.items()
            if columns[position]
        ]
        faults += [
            fault(
                file,
                columns[position],
                "excel_serial_date",
                count,
                "a day as a spreadsheet's number; it is read as days since 1 January 1904, as "
                "this workbook counts",
                "If the numbers are no days, mend them; else nothing need be done.",
                verb="hold",
            )
            for position, count in self._turned.items()
            if columns[position]
        ]
        if self._doubtful:
            faults.append(
                fault(
                    file,
                    "",
                    "days_from_1904",
                    self._doubtful,
                    "a bare number that may be a day, in a workbook that counts days from 1904: "
                    "as a day it would be read four years too early",
                    "Give such cells a date's format, or save the workbook without the 1904 "
                    "date system.",
                    unit="cell",
                    verb="hold",
                )
            )
        return faults

"""The workbook to record in: a sheet a table, what may stand in a cell as a list to choose from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.vocabulary import BASE_TYPES
from baseeval.starters.sheets import SheetPlan

#: Rows in which a choice is offered: more pupils than the bases of a trust hold.
_ROWS = 5000
_LISTS = "Lists"
_START = "Start here"

_FACE = "Calibri"
_HEAD = PatternFill("solid", fgColor="12436D")
_NEEDED = PatternFill("solid", fgColor="801650")
_WHITE = Font(name=_FACE, bold=True, color="FFFFFF")
_WRAPPED = Alignment(wrap_text=True, vertical="top")

#: How wide the columns of the first sheet are, in characters.
_WIDTHS = (24, 56, 80)

_ADVICE = (
    "Headings in plum must be filled in; those in blue help. Where a cell offers a list, choose "
    "from it. Leave a cell empty where you do not know: never guess, never write 0 for unknown. "
    "Use one identifier for a pupil on every sheet, and no names."
)

#: Categories that the dictionary leaves open, and what to offer for them.
_OFFERED: Mapping[str, Sequence[str]] = {"base_type": tuple(BASE_TYPES)}

_FORMATS = {"key": "@", "date": "yyyy-mm-dd", "code": "@", "category": "@"}

#: A workbook says when it was made: the same for all, so that it says nothing.
_MADE = dt.datetime(2026, 9, 1)  # noqa: DTZ001 (Excel knows no zones)


def write_workbook(
    path: Path,
    sheets: Sequence[SheetPlan],
    rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Write a workbook to record in.

    Parameters
    ----------
    path : pathlib.Path
    sheets : sequence of SheetPlan
    rows : mapping of str to sequence of mapping, optional
        Name of a sheet -> rows, each heading -> value; empty by default.
    """
    book = Workbook()
    start = book.active
    assert isinstance(start, Worksheet)
    start.title = _START
    _fill_start(start, sheets)
    made = {sheet.name: book.create_sheet(sheet.name) for sheet in sheets}
    lists = book.create_sheet(_LISTS)
    lists.sheet_state = "hidden"
    named: dict[tuple[str, ...], str] = {}
    for sheet in sheets:
        _fill_sheet(made[sheet.name], sheet, lists, named, book)
        for values in (rows or {}).get(sheet.name, ()):
            made[sheet.name].append([values.get(c.name) for c in sheet.headings()])
        _format(made[sheet.name], sheet)
    for page in book.worksheets:
        page.page_setup.orientation, page.page_setup.fitToHeight = "landscape", 0
        page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    book.properties.created = book.properties.modified = _MADE
    book.properties.creator = "baseeval"
    book.save(path)


def _fill_start(page: Worksheet, sheets: Sequence[SheetPlan]) -> None:
    """Say what to record from September, and where: a part for every sheet."""
    for letter, width in zip("ABC", _WIDTHS, strict=True):
        page.column_dimensions[letter].width = width
    _line(page, "What to record from September", Font(name=_FACE, bold=True, size=16))
    _line(page, _ADVICE)
    for sheet in sheets:
        _line(page, "")
        _line(
            page,
            f"{sheet.name}: {sheet.when[:1].lower()}{sheet.when[1:]}",
            Font(name=_FACE, bold=True, size=13),
        )
        _line(page, sheet.who)
        _row(page, ("Column", "What it holds", "What may stand there"), _HEAD)
        for column in sheet.headings():
            needed = column.name in sheet.needed
            told = f"{column.meaning}{' (must be filled in)' if needed else ''}"
            _row(page, (column.name, told, _allowed(column)))


def _line(page: Worksheet, words: str, font: Font | None = None) -> None:
    """Write words across the page."""
    page.append([words])
    row = page.max_row
    cell = page.cell(row, 1)
    cell.alignment = _WRAPPED
    if font is not None:
        cell.font = font
    page.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(_WIDTHS))
    size = 11 if font is None else font.size
    page.row_dimensions[row].height = _height(words, sum(_WIDTHS), size)


def _row(page: Worksheet, words: Sequence[str], fill: PatternFill | None = None) -> None:
    """Write a row of the table of columns."""
    page.append(list(words))
    row = page.max_row
    for cell in page[row]:
        cell.alignment = _WRAPPED
        if fill is not None:
            cell.font, cell.fill = _WHITE, fill
    tallest = max(_height(w, width, 11) for w, width in zip(words, _WIDTHS, strict=True))
    page.row_dimensions[row].height = tallest


def _height(words: str, width: float, size: float) -> float:
    """Work out how high a row must be: no program but Excel finds out by itself."""
    lines = max(1, math.ceil(len(words) * size / 11 / width))
    return lines * size * 1.4


def _allowed(column: ColumnContract) -> str:
    """Say what may stand in a column."""
    if column.codes:
        return "; ".join(f"{code}: {words}" for code, words in column.codes.items())
    if column.name in _OFFERED:
        return "; ".join(f"{code}: {BASE_TYPES[code]}" for code in _OFFERED[column.name])
    if column.kind == "date":
        return "A day, such as 2026-09-30"
    if column.kind == "flag":
        return "yes or no"
    if column.kind in ("number", "integer"):
        low = "" if column.low is None else f" from {column.low:g}"
        high = "" if column.high is None else f" to {column.high:g}"
        unit = f" ({column.unit})" if column.unit else ""
        return f"A number{low}{high}{unit}"
    return "Text"


def _fill_sheet(
    page: Worksheet,
    sheet: SheetPlan,
    lists: Worksheet,
    named: dict[tuple[str, ...], str],
    book: Workbook,
) -> None:
    """Write the headings, each with its meaning, and offer what may stand below."""
    page.append([column.name for column in sheet.headings()])
    for position, column in enumerate(sheet.headings(), start=1):
        cell = page.cell(1, position)
        cell.font = _WHITE
        cell.fill = _NEEDED if column.name in sheet.needed else _HEAD
        cell.comment = Comment(f"{column.meaning}\n{_allowed(column)}"[:2000], "baseeval", 220, 320)
        rule = _validation(column, lists, named, book)
        if rule is not None:
            letter = get_column_letter(position)
            rule.add(f"{letter}2:{letter}{_ROWS}")
            page.add_data_validation(rule)
    page.freeze_panes = "B2"


def _format(page: Worksheet, sheet: SheetPlan) -> None:
    """Keep identifiers as text and days as days, in the rows there are and those to come."""
    for position, column in enumerate(sheet.headings(), start=1):
        letter = get_column_letter(position)
        kind = _FORMATS.get(column.kind, "General")
        page.column_dimensions[letter].width = max(14, len(column.name) + 4)
        page.column_dimensions[letter].number_format = kind
        for (cell,) in page.iter_rows(min_row=2, min_col=position, max_col=position):
            cell.number_format = kind


def _validation(
    column: ColumnContract, lists: Worksheet, named: dict[tuple[str, ...], str], book: Workbook
) -> DataValidation | None:
    options = tuple(column.codes) or tuple(_OFFERED.get(column.name, ()))
    if column.kind == "flag":
        options = ("yes", "no")
    if options:
        name = named.get(options) or _listed(options, lists, named, book)
        rule = DataValidation(type="list", formula1=name, allow_blank=True)
        # A word of one's own for a base is read as well, and counted.
        rule.errorStyle = "warning" if column.name in _OFFERED else "stop"
    elif column.kind == "date":
        rule = DataValidation(
            type="date", operator="between", formula1="36526", formula2="73050", allow_blank=True
        )
    elif column.kind in ("number", "integer") and column.low is not None:
        kind = "whole" if column.kind == "integer" else "decimal"
        operator = "between" if column.high is not None else "greaterThanOrEqual"
        high = None if column.high is None else f"{column.high:g}"
        rule = DataValidation(
            type=kind,
            operator=operator,
            formula1=f"{column.low:g}",
            formula2=high,
            allow_blank=True,
        )
    else:
        return None
    rule.errorTitle, rule.error = column.name, f"What may stand here: {_allowed(column)}"[:220]
    return rule


def _listed(
    options: tuple[str, ...],
    lists: Worksheet,
    named: dict[tuple[str, ...], str],
    book: Workbook,
) -> str:
    """Write a list to choose from on the hidden sheet, under a name of its own."""
    position = len(named) + 1
    name, letter = f"choices_{position}", get_column_letter(position)
    for row, option in enumerate(options, start=1):
        lists.cell(row, position, option)
    place = f"{_LISTS}!${letter}$1:${letter}${len(options)}"
    book.defined_names[name] = DefinedName(name, attr_text=place)
    named[options] = name
    return name

"""The sheets of the workbook that a school or trust records in, as data, checked on reading."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from pydantic import TypeAdapter

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """A sheet to record in.

    Parameters
    ----------
    name : str
        Its tab.
    contract : str
        The table of the data dictionary that it holds.
    when, who : str
        When it is filled in, and who has a row.
    columns : tuple of str
        Columns of the table, in order.
    needed : tuple of str
        Those without which there is nothing to compare.
    items : tuple of str
        Further columns: the items of a questionnaire.
    item_range : tuple of int
        Lowest and highest answer to an item.
    """

    name: str
    contract: str
    when: str
    who: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    items: tuple[str, ...] = ()
    item_range: tuple[int, int] = (1, 5)

    def headings(self) -> tuple[ColumnContract, ...]:
        """Return what each column of the sheet must hold.

        Returns
        -------
        tuple of ColumnContract
        """
        table = TABLES[self.contract]
        low, high = self.item_range
        items = (
            ColumnContract(item, "number", "Answer to an item, as a number", low=low, high=high)
            for item in self.items
        )
        return (*(table.column(name) for name in self.columns), *items)


def trust_sheets() -> tuple[SheetPlan, ...]:
    """Return the sheets of the trust's workbook, in order.

    Returns
    -------
    tuple of SheetPlan

    Examples
    --------
    >>> [sheet.name for sheet in trust_sheets()]
    ['Pupils', 'Placements', 'Bases', 'Results', 'Attendance', 'Survey']
    """
    text = files("baseeval.starters").joinpath("trust", "sheets.toml").read_text("utf-8")
    return TypeAdapter(tuple[SheetPlan, ...]).validate_python(tomllib.loads(text)["sheets"])

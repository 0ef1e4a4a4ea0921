"""A table as a page shows it: every cell is words already."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.reporting.amounts import NOT_SHOWN, counted, percent, plain
from baseeval.reporting.cells import Row, real, text, whole
from baseeval.reporting.tags import WITHHELD, Tag

Cell = str | Tag


@dataclass(frozen=True, slots=True)
class Sheet:
    """A caption, the heads of the columns, and rows whose first cell heads the row.

    Parameters
    ----------
    caption : str
    heads : tuple of str
    rows : tuple of tuple of (str or Tag)
    numeric : frozenset of int
        Columns set to the right.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()


def shown(row: Row, name: str, decimals: int | None = None) -> str:
    """Write a number of a row: a count where no decimals are asked for.

    A number that is not there is `withheld` where the row's status or flags say
    that something was, else a dash.
    """
    words = counted(whole(row, name)) if decimals is None else plain(real(row, name), decimals)
    return absent(row) if words == NOT_SHOWN else words


def share(row: Row, name: str) -> str:
    """Write a proportion of a row as a percentage."""
    words = percent(real(row, name))
    return absent(row) if words == NOT_SHOWN else words


def absent(row: Row) -> str:
    """Say why a cell of this row is empty."""
    told = f"{text(row, 'status')};{text(row, 'flags')}"
    return WITHHELD.words.lower() if "suppress" in told or text(row, "status") else NOT_SHOWN

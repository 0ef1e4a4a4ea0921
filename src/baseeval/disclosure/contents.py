"""What a file holds, as the screen sees it: tables of text, prose, and faults found on the way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that must not leave, or that nobody could check.

    Parameters
    ----------
    file : str
        Path inside the folder that was screened, with forward slashes.
    where : str
        Column, sheet, table or part of the file, or `the file`.
    what : str
        What is there, as a count; never a pupil's value.
    remedy : str
        What to do about it.
    """

    file: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}, {self.where}: {self.what}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as rows of text.

    Parameters
    ----------
    where : str
        Sheet, table or key of the file; empty where the file is the table.
    rows : list of list of str
    laid_out : bool
        Made for reading: titles above the heading, headings down the side.
    """

    where: str
    rows: list[list[str]]
    laid_out: bool = False

    def columns(self) -> list[tuple[tuple[str, ...], list[str]]]:
        """Give each column as its headings and its values."""
        first = self._first_value_row()
        width = max((len(row) for row in self.rows), default=0)
        padded = [[*row, *[""] * (width - len(row))] for row in self.rows]
        return [
            (
                tuple(row[at] for row in padded[:first] if row[at]),
                [row[at] for row in padded[first:]],
            )
            for at in range(width)
        ]

    def _first_value_row(self) -> int:
        """Where headings end: after the first row, or before the first number if laid out."""
        if not self.laid_out:
            return 1
        for at, row in enumerate(self.rows):
            if at and any(any(c.isdigit() for c in cell) for cell in row[1:]):
                return at
        return min(1, len(self.rows))


@dataclass(frozen=True, slots=True)
class Contents:
    """All that was read from one file."""

    grids: list[Grid] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)  # where, text
    faults: list[tuple[str, str, str]] = field(default_factory=list)  # where, what, remedy

    def add(self, other: Contents) -> None:
        """Take in what was read from a part of the file."""
        self.grids.extend(other.grids)
        self.texts.extend(other.texts)
        self.faults.extend(other.faults)

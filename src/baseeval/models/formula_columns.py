"""Columns of a design, filled in for any rows from numbers and codes.

formulaic says which columns a formula has (`formula_plan`); here they are made without it, block
by block, straight from the columns of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeldValues:
    """Rows whose columns are at hand.

    Parameters
    ----------
    length : int
    held_numbers, held_codes, held_derived : dict of str to ndarray
    """

    length: int
    held_numbers: dict[str, NDArray[Any]]
    held_codes: dict[str, NDArray[Any]]
    held_derived: dict[str, Floats]

    def numbers(self, name: str) -> NDArray[Any]:
        """Return a column of numbers, shape (m,)."""
        return self.held_numbers[name]

    def codes(self, name: str) -> NDArray[Any]:
        """Return the places of a column's categories among its levels, shape (m,)."""
        return self.held_codes[name]

    def derived(self, key: str) -> Floats:
        """Return columns that formulaic computed, shape (m, k)."""
        return self.held_derived[key]


@dataclass(frozen=True, slots=True)
class NumberPart:
    """A column of numbers."""

    name: str

    def columns(self, values: HeldValues) -> NDArray[Any]:
        """Return the column, shape (m,)."""
        return values.numbers(self.name)


@dataclass(frozen=True, slots=True)
class CodedPart:
    """A column of categories, and what each category is coded as, shape (levels, k)."""

    name: str
    coding: Floats

    def columns(self, values: HeldValues) -> Floats:
        """Return the coded columns, shape (m, k)."""
        return self.coding.take(values.codes(self.name), axis=0)


@dataclass(frozen=True, slots=True)
class DerivedPart:
    """Columns that formulaic computes."""

    key: str

    def columns(self, values: HeldValues) -> Floats:
        """Return the columns, shape (m, k)."""
        return values.derived(self.key)


Part = NumberPart | CodedPart | DerivedPart


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring columns of a design: the products of some parts.

    Parameters
    ----------
    parts : tuple of Part
        None for a constant. The columns of the first change fastest.
    scale : float
    start, end : int
        Place in the design.
    """

    parts: tuple[Part, ...]
    scale: float
    start: int
    end: int

    def fill(self, values: HeldValues, design: Floats) -> None:
        """Write the columns."""
        into = design[:, self.start : self.end]
        if not self.parts:
            into[:] = self.scale
            return
        single: NDArray[Any] | None = None
        several: NDArray[Any] | None = None
        for part in self.parts:
            made = part.columns(values)
            if made.ndim == 1:
                single = made if single is None else single * made.astype(np.float64)
            elif several is None:
                several = made
            else:
                crossed = made[:, :, None] * several[:, None, :]
                several = crossed.reshape(len(made), -1)
        if several is None and single is not None:
            several = single[:, None]
        elif single is not None and several is not None:
            several = several * single[:, None]
        into[:] = several
        if self.scale != 1.0:
            into *= self.scale


@dataclass(frozen=True, slots=True)
class SidePlan:
    """How one side of a formula becomes columns.

    Parameters
    ----------
    columns : tuple of str
        As formulaic names them.
    pieces : tuple of Piece
    intercept : int, optional
        Place of the column of ones, if there is one.
    """

    columns: tuple[str, ...]
    pieces: tuple[Piece, ...]
    intercept: int | None

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the columns of categories that take part."""
        parts = [part for piece in self.pieces for part in piece.parts]
        return tuple(dict.fromkeys(part.name for part in parts if isinstance(part, CodedPart)))

    @property
    def computed(self) -> tuple[str, ...]:
        """Return the keys of what formulaic computes."""
        parts = [part for piece in self.pieces for part in piece.parts]
        return tuple(dict.fromkeys(part.key for part in parts if isinstance(part, DerivedPart)))

    def design(self, values: HeldValues) -> Floats:
        """Return the columns for some rows.

        Parameters
        ----------
        values : HeldValues

        Returns
        -------
        ndarray, shape (m, p)
            C-contiguous.
        """
        design = np.empty((values.length, len(self.columns)))
        for piece in self.pieces:
            piece.fill(values, design)
        return design

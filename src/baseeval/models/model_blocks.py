"""Rows of a table as kernels take them: block by block, without the whole design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.models.column_values import CodedColumn, NumberColumn
from baseeval.models.formula_columns import HeldValues, SidePlan
from baseeval.models.formulaic_calls import from_codes
from baseeval.numerics.mixed_models.blocks import BLOCK_ROWS, Block

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns of a formula over the rows that count.

    Parameters
    ----------
    length : int
        Rows that count.
    rows : ndarray of int, optional
        Their places in the table; None where every row counts.
    numbers : mapping of str to NumberColumn
    categories : mapping of str to CodedColumn
    derived : mapping of str to ndarray, shape (length, k)
        What formulaic computed, of the rows that count only.
    """

    length: int
    rows: Ints | None
    numbers: Mapping[str, NumberColumn]
    categories: Mapping[str, CodedColumn]
    derived: Mapping[str, Floats]

    def take(self, start: int, end: int, order: Ints | None = None) -> HeldValues:
        """Return some rows.

        Parameters
        ----------
        start, end : int
            Places among the rows that count, or in `order`.
        order : ndarray of int, optional

        Returns
        -------
        HeldValues
        """
        inside = slice(start, end) if order is None else order[start:end]
        places = inside if self.rows is None else self.rows[inside]
        return HeldValues(
            min(end, self.length) - start,
            {name: column.take(places) for name, column in self.numbers.items()},
            {name: column.codes[places] for name, column in self.categories.items()},
            {key: made[inside] for key, made in self.derived.items()},
        )

    def frame(self) -> pd.DataFrame:
        """Return the rows that count as formulaic takes them."""
        values = self.take(0, self.length)
        columns: dict[str, Any] = {
            name: from_codes(values.codes(name), column.levels)
            for name, column in self.categories.items()
        }
        return pd.DataFrame(columns | values.held_numbers, index=range(self.length))


@dataclass(frozen=True, slots=True)
class BlockMaker:
    """What it takes to turn rows into blocks.

    Parameters
    ----------
    columns : TableColumns
    fixed : SidePlan
    random : tuple of SidePlan
        One a random term.
    outcome : ndarray, shape (n,)
        Less the offset where there is one.
    groups : tuple of ndarray of int, shape (n,)
        One a random term.
    weights : ndarray, shape (n,), optional
    """

    columns: TableColumns
    fixed: SidePlan
    random: tuple[SidePlan, ...]
    outcome: Floats
    groups: tuple[NDArray[Any], ...]
    weights: Floats | None

    def blocks(self, order: Ints | None, size: int = BLOCK_ROWS) -> Iterator[Block]:
        """Give the rows in an order.

        Parameters
        ----------
        order : ndarray of int, optional
            The table's by default.
        size : int
            Rows of a block.

        Yields
        ------
        Block
        """
        for start in range(0, self.columns.length, size):
            end = min(start + size, self.columns.length)
            inside = slice(start, end) if order is None else order[start:end]
            values = self.columns.take(start, end, order)
            designs = _designs(self.random, values)
            yield Block(
                self.fixed.design(values),
                self.outcome[inside],
                designs,
                tuple(codes[inside].astype(np.intp) for codes in self.groups),
                None if self.weights is None else self.weights[inside],
            )


def _designs(plans: Sequence[SidePlan], values: HeldValues) -> tuple[Floats, ...]:
    """Make each side once, however many terms have it."""
    made: dict[int, Floats] = {}
    for plan in plans:
        if id(plan) not in made:
            made[id(plan)] = plan.design(values)
    return tuple(made[id(plan)] for plan in plans)

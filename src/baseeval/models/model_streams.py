"""A formula on a lazy table, whose rows the engine supplies sorted, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Problem
from baseeval.models.formula_columns import HeldValues
from baseeval.models.model_parts import RandomPart, level_label
from baseeval.models.stream_plan import StreamPlan, plan_stream
from baseeval.numerics.mixed_models.blocks import BLOCK_ROWS, Block
from baseeval.numerics.mixed_models.templates import Layout, full_template

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class StreamRows:
    """A formula on a lazy table.

    Parameters
    ----------
    plan : StreamPlan
    engine : Engine
        That holds the table.
    """

    plan: StreamPlan
    engine: Engine

    @property
    def n(self) -> int:
        """Return the number of rows that count."""
        return self.plan.n

    @property
    def terms(self) -> list[str]:
        """Return the names of the fixed columns, as formulaic gives them."""
        return list(self.plan.fixed.columns)

    @property
    def intercept(self) -> int | None:
        """Return the place of the column of ones among the fixed ones."""
        return self.plan.fixed.intercept

    @property
    def random(self) -> tuple[RandomPart, ...]:
        """Return the random terms."""
        places = {group: place for place, group in enumerate(self.plan.groups)}
        terms = zip(self.plan.sides.formula.random, self.plan.random, strict=True)
        return tuple(RandomPart(t.label, places[t.group], side.columns) for t, side in terms)

    @cached_property
    def layout(self) -> Layout:
        """Return the covariance of each random term."""
        return Layout(tuple(full_template(len(part.columns)) for part in self.random))

    @property
    def owners(self) -> tuple[int, ...]:
        """Return, for each random term, 0 for the outer and 1 for the inner factor."""
        return tuple(self.plan.owners[part.factor] for part in self.random)

    def labels(self, factor: int) -> list[str]:
        """Return the name of each level of a factor, in the order of the codes.

        Parameters
        ----------
        factor : int
            Its place.

        Returns
        -------
        list of str
        """
        plan = self.plan
        names = plan.groups[factor]
        keys = plan.order if plan.owners[factor] else names
        held = self.engine.collect(plan.frame.select(*keys).unique(), keys)
        columns = [held.column(name).to_pylist() for name in names]
        return [":".join(map(level_label, level)) for level in zip(*columns, strict=True)]

    def blocks(self) -> Iterator[Block]:
        """Give the rows block by block, sorted; memory does not grow with their number.

        Yields
        ------
        Block
            Levels are numbered in the order in which they come.

        Raises
        ------
        DataError
            A column holds infinite values.
        """
        plan = self.plan
        names = sorted({*plan.sides.names, *plan.order, *filter(None, [plan.weights])})
        counters = [_Counter(names) for names in plan.groups]
        for batch in self.engine.batches(plan.frame, names, plan.order):
            for start in range(0, batch.num_rows, BLOCK_ROWS):
                yield self._block(batch.slice(start, BLOCK_ROWS), counters)

    def _block(self, batch: pa.RecordBatch, counters: list[_Counter]) -> Block:
        plan = self.plan
        numbers = {
            name: np.asarray(batch.column(name).to_numpy(zero_copy_only=False))
            for name in plan.sides.names
            if not _is_text(batch.column(name).type)
        }
        endless = [
            Problem(f"data, column `{name}`", "some rows have an infinite value", "Mend them.")
            for name, held in numbers.items()
            if held.dtype.kind == "f" and not np.isfinite(held).all()
        ]
        if endless:
            raise DataError(endless)
        codes = {name: _codes(batch.column(name), found) for name, found in plan.levels.items()}
        values = HeldValues(batch.num_rows, numbers, codes, {})
        groups = [counter.count(batch) for counter in counters]
        weights = None
        if plan.weights is not None:
            held = batch.column(plan.weights).to_numpy(zero_copy_only=False)
            weights = np.asarray(held, dtype=np.float64)
        return Block(
            plan.fixed.design(values),
            plan.plan.sides["response"].design(values)[:, 0].copy(),
            tuple(side.design(values) for side in plan.random),
            tuple(groups[part.factor] for part in self.random),
            weights,
        )


def stream_rows(
    formula: str, engine: Engine, frame: Frame, *, weights: str | None = None
) -> StreamRows:
    """Read a formula on a lazy table that need not fit in memory.

    Parameters
    ----------
    formula : str
        Random terms of one grouping factor, or of two that are nested; no
        functions, which would need all rows at once.
    engine : Engine
    frame : narwhals LazyFrame
        Of this engine.
    weights : str, optional
        Column of precision weights.

    Returns
    -------
    StreamRows

    Raises
    ------
    UsageError, DataError
    """
    return StreamRows(plan_stream(formula, frame, weights), engine)


class _Counter:
    """The codes of one factor's levels, a new one wherever a value changes."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._last: tuple[Any, ...] | None = None
        self._code = -1

    def count(self, batch: pa.RecordBatch) -> Ints:
        changes = np.zeros(batch.num_rows, dtype=bool)
        for name in self._names:
            held = batch.column(name)
            changes[1:] |= pc.not_equal(held[1:], held[:-1]).to_numpy(zero_copy_only=False)
        ends = [
            tuple(batch.column(name)[place].as_py() for name in self._names) for place in (0, -1)
        ]
        changes[0] = ends[0] != self._last
        codes: Ints = (self._code + np.cumsum(changes)).astype(np.intp)
        self._last, self._code = ends[1], int(codes[-1])
        return codes


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    return any(test(kind) for test in tests)


def _codes(column: pa.Array, levels: list[Any]) -> Ints:
    found = pc.index_in(column, value_set=pa.array(levels, type=column.type))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.intp)

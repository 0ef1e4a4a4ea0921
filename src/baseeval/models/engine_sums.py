"""The sufficient statistics of a two-level model, added up by the engine itself.

A model of one grouping factor needs, of the table T = [Z X y], the sums T'WT over all rows and
Z'WT of each group (`numerics/mixed_models/nested_statistics.py`). Both are sums of products of
columns, which any engine behind narwhals can add up: no row leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from baseeval.engine.frames import Frame
from baseeval.errors import Problem, UsageError
from baseeval.models.formula_columns import CodedPart, NumberPart, Part, SidePlan
from baseeval.models.stream_plan import StreamPlan
from baseeval.numerics.mixed_models.nested_reader import Columns, InnerGroups
from baseeval.numerics.mixed_models.nested_statistics import NestedStatistics


def summed_statistics(plan: StreamPlan) -> NestedStatistics:
    """Have the engine add up what the likelihood of a two-level model needs.

    Parameters
    ----------
    plan : StreamPlan
        Of one grouping factor; random slopes are allowed.

    Returns
    -------
    NestedStatistics
        Groups in the order of their values. Columns less their means, so that
        sums keep their digits.

    Raises
    ------
    UsageError
        There are two grouping factors.
    """
    if len(plan.groups) != 1:
        what = "two grouping factors: their sums need the rows"
        raise UsageError(Problem(plan.sides.where, what, "Read the rows by `stream_rows`."))
    fixed = _expressions(plan.fixed, plan)
    outcome = _expressions(plan.plan.sides["response"], plan)
    random = [made for side in plan.random for made in _expressions(side, plan)]
    count, r, p = len(random) + len(fixed) + 1, len(random), len(fixed)
    made = {f"c{k}": column for k, column in enumerate([*random, *fixed, *outcome])}
    keys = list(plan.groups[0])
    weight = nw.lit(1.0) if plan.weights is None else nw.col(plan.weights).cast(nw.Float64)
    named = {key: f"g{k}" for k, key in enumerate(keys)}
    columns = plan.frame.select(
        *(nw.col(key).alias(name) for key, name in named.items()),
        weight.alias("w"),
        *(column.alias(name) for name, column in made.items()),
    )
    shift, centre = np.zeros(p), 0.0
    if plan.fixed.intercept is not None:
        means = _row(columns.select(*(nw.col(f"c{k}").mean() for k in range(r, count))))
        shift, centre = means[:-1], float(means[-1])
        shift[plan.fixed.intercept] = 0.0
        less = dict(zip(range(r, count), [*shift, centre], strict=True))
        columns = columns.with_columns(
            *(nw.col(f"c{k}") - float(taken) for k, taken in less.items() if taken)
        )
    heavy = "c"
    if plan.weights is not None:
        heavy = "h"
        weighted = (nw.col("w") * nw.col(f"c{k}") for k in range(count))
        columns = columns.with_columns(*(w.alias(f"h{k}") for k, w in enumerate(weighted)))
    pairs = [(one, two) for one in range(count) for two in range(one, count)]
    crossed = _row(columns.select(*_products(pairs, heavy)))
    total = np.zeros((count, count))
    for (one, two), value in zip(pairs, crossed, strict=True):
        total[one, two] = total[two, one] = value
    own = [(one, two) for one in range(r) for two in range(count)]
    grouped = (
        columns.group_by(*named.values())
        .agg(
            nw.len().cast(nw.Int64).alias("n"),
            nw.col("w").log().sum().alias("l"),
            *_products(own, heavy),
        )
        .sort(*named.values())
        .collect("pyarrow")
        .to_native()
    )
    sums = [_floats(grouped, f"p{k}") for k in range(len(own))]
    levels = grouped.num_rows
    return NestedStatistics(
        columns=Columns((0,) * len(plan.random), tuple(len(s.columns) for s in plan.random), p),
        shift=shift,
        centre=centre,
        intercept=plan.fixed.intercept,
        total=total,
        codes=np.arange(levels, dtype=np.intp),
        rows=_floats(grouped, "n").astype(np.intp),
        log_weights=_floats(grouped, "l"),
        outer=np.array(sums).reshape(r, count, levels).transpose(0, 2, 1).copy(),
        patterns=[],
        singles=InnerGroups(*(np.empty(0, dtype=np.intp),) * 2, np.empty((0, 0, count))),
        squares=None,
        groups=None,
    )


def _products(pairs: Sequence[tuple[int, int]], heavy: str) -> list[nw.Expr]:
    return [
        (nw.col(f"{heavy}{one}") * nw.col(f"c{two}")).sum().alias(f"p{k}")
        for k, (one, two) in enumerate(pairs)
    ]


def _row(frame: Frame) -> np.ndarray[Any, np.dtype[np.float64]]:
    table = frame.collect("pyarrow").to_native()
    return np.array([_floats(table, name)[0] for name in table.column_names])


def _floats(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def _expressions(side: SidePlan, plan: StreamPlan) -> list[nw.Expr]:
    """Write a side's columns as expressions, in their order."""
    made: list[nw.Expr] = []
    for piece in side.pieces:
        columns = [nw.lit(piece.scale)]
        for part in piece.parts:
            own = _part(part, plan)
            columns = [before * column for column in own for before in columns]
        made += columns
    return made


def _part(part: Part, plan: StreamPlan) -> list[nw.Expr]:
    if isinstance(part, NumberPart):
        return [nw.col(part.name).cast(nw.Float64)]
    if not isinstance(part, CodedPart):
        raise TypeError(f"{part} has no expression")
    levels = plan.levels[part.name]
    return [_coded(part.name, levels, column.tolist()) for column in part.coding.T]


def _coded(name: str, levels: list[Any], coding: list[float]) -> nw.Expr:
    made = nw.lit(0.0)
    for level, value in zip(levels, coding, strict=True):
        if value:
            made = nw.when(nw.col(name) == level).then(nw.lit(value)).otherwise(made)
    return made

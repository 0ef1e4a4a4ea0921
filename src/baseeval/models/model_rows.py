"""A formula on a table: the rows that count, their columns, groups and blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.column_values import Column, join_missing, open_table, read_column
from baseeval.models.design_reading import DesignColumns, read_design
from baseeval.models.formula_language import ModelFormula, parse_formula
from baseeval.models.formula_sides import FormulaSides, check_names, take_sides
from baseeval.models.grouping_codes import Arrangement, arrange, code_group, missing_group
from baseeval.models.model_blocks import BlockMaker
from baseeval.models.model_parts import GroupingFactor, LeftOut, RandomPart
from baseeval.models.row_numbers import read_row_numbers, weightless_rows
from baseeval.numerics.mixed_models.blocks import BLOCK_ROWS, Block
from baseeval.numerics.mixed_models.templates import Layout, full_template
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class ModelRows:
    """A formula on a table.

    Parameters
    ----------
    formula : ModelFormula
    design : DesignColumns
        Columns of every side.
    arrangement : Arrangement
    factors : tuple of GroupingFactor
    random : tuple of RandomPart
    outcome : ndarray, shape (n,)
        Places among `outcome_levels` where there are such.
    weights, sampling_weights, school_weights, trials, offset : ndarray, shape (n,), optional
        Of the rows that count, in the table's order. Precision weights that
        are all one are None.
    cluster : GroupingFactor, optional
    left_out : LeftOut
    """

    formula: ModelFormula
    design: DesignColumns
    arrangement: Arrangement
    factors: tuple[GroupingFactor, ...]
    random: tuple[RandomPart, ...]
    outcome: Floats
    weights: Floats | None
    sampling_weights: Floats | None
    school_weights: Floats | None
    trials: Floats | None
    offset: Floats | None
    cluster: GroupingFactor | None
    left_out: LeftOut

    @property
    def n(self) -> int:
        """Return the number of rows that count."""
        return self.design.columns.length

    @property
    def rows(self) -> Ints:
        """Return the places in the table of the rows that count, shape (n,)."""
        held = self.design.columns.rows
        return np.arange(self.n, dtype=np.intp) if held is None else held

    @property
    def order(self) -> Ints | None:
        """Return the order in which `blocks` takes the rows that count, if not their own."""
        return self.arrangement.order

    @property
    def terms(self) -> list[str]:
        """Return the names of the fixed columns, as formulaic gives them."""
        return list(self.design.fixed.columns)

    @property
    def intercept(self) -> int | None:
        """Return the place of the column of ones among the fixed ones."""
        return self.design.fixed.intercept

    @property
    def response(self) -> str:
        """Return the outcome's name."""
        return self.formula.response.strip("`")

    @property
    def outcome_levels(self) -> tuple[str, ...]:
        """Return the names of the outcome's categories where it is ordered, else none."""
        return self.design.outcome_levels

    @property
    def route(self) -> str:
        """Return none, nested or crossed."""
        return self.arrangement.route

    @cached_property
    def layout(self) -> Layout:
        """Return the covariance of each random term: effects of one term are correlated."""
        return Layout(tuple(full_template(len(part.columns)) for part in self.random))

    @property
    def owners(self) -> tuple[int, ...]:
        """Return, for each random term, 0 for the outer and 1 for the inner factor.

        On the crossed route, the place of its factor.
        """
        return tuple(self.arrangement.owners[part.factor] for part in self.random)

    def factor(self, group: str) -> GroupingFactor:
        """Return a grouping factor by its label.

        Raises
        ------
        UsageError
            The model has no such grouping factor.
        """
        labels = [factor.label for factor in self.factors]
        if group not in labels:
            raise UsageError(
                Problem(f"group `{group}`", "not in the model", nearest(group, labels))
            )
        return self.factors[labels.index(group)]

    def own_parts(self, joined: Sequence[Any]) -> list[tuple[Any, slice]]:
        """Return, for each random term, its factor's item and the term's columns in it.

        Parameters
        ----------
        joined : sequence
            One item a factor, in the order of `owners`, of all its terms' columns side by side.
        """
        order = sorted(set(self.owners))
        start = dict.fromkeys(order, 0)
        found = []
        for part, owner in zip(self.random, self.owners, strict=True):
            end = start[owner] + len(part.columns)
            found.append((joined[order.index(owner)], slice(start[owner], end)))
            start[owner] = end
        return found

    def blocks(self, less_offset: bool = True, size: int = BLOCK_ROWS) -> Iterator[Block]:
        """Give the rows block by block, each level's rows after one another.

        Parameters
        ----------
        less_offset : bool
            Whether the offset is taken from the outcome.
        size : int
            Rows of a block.

        Yields
        ------
        Block
        """
        return self._maker(less_offset).blocks(self.order, size)

    def whole(self, less_offset: bool = True) -> Block:
        """Return all rows that count, in the table's order.

        Parameters
        ----------
        less_offset : bool
            Whether the offset is taken from the outcome.

        Returns
        -------
        Block
        """
        return next(self._maker(less_offset).blocks(None, self.n))

    @cached_property
    def x(self) -> Floats:
        """Return the fixed columns of the rows that count, in the table's order."""
        return self.design.fixed.design(self.design.columns.take(0, self.n))

    def _maker(self, less_offset: bool) -> BlockMaker:
        shift = self.offset if less_offset else None
        return BlockMaker(
            self.design.columns,
            self.design.fixed,
            self.design.random,
            self.outcome if shift is None else self.outcome - shift,
            tuple(self.factors[part.factor].codes for part in self.random),
            self.weights,
        )


def read_rows(
    formula: str,
    data: IntoDataFrame,
    *,
    weights: str | Floats | None = None,
    sampling_weights: str | Floats | None = None,
    school_weights: str | Floats | None = None,
    trials: str | Floats | None = None,
    offset: str | Floats | None = None,
    cluster: str | None = None,
    ordered: bool = False,
) -> ModelRows:
    """Read a formula on a table.

    Parameters
    ----------
    formula : str
        In lme4's language; the fixed part as formulaic reads it.
    data : dataframe
        Any that narwhals reads.
    weights, sampling_weights, school_weights, trials, offset : str or ndarray, optional
        Column, or one number a row of the table. Rows whose weight or trials
        are zero are left out, as are rows with a missing value in any column
        that is used.
    cluster : str, optional
        Column that names each row's cluster.
    ordered : bool
        Whether the outcome is a scale of ordered categories.

    Returns
    -------
    ModelRows

    Raises
    ------
    UsageError
        The formula cannot be read, or names columns that are not there.
    DataError
        The columns cannot be used; every one is named.
    """
    parsed = parse_formula(formula)
    frame = open_table(data)
    sides = take_sides(parsed, frame.columns)
    beside = {
        "weights": weights,
        "sampling_weights": sampling_weights,
        "school_weights": school_weights,
        "trials": trials,
        "offset": offset,
    }
    groups = tuple(dict.fromkeys(term.group for term in parsed.random))
    clusters = () if cluster is None else (cluster,)
    further = [name for name in (*beside.values(), *clusters) if isinstance(name, str)]
    check_names(frame.columns, sides, [name for group in groups for name in group], further)
    columns = _read_columns(frame, sides)
    numbers = read_row_numbers(frame, beside)
    keyed = [name for group in groups for name in group] + list(clusters)
    missing = join_missing(
        [column.missing for column in columns.values()]
        + [missing_group(frame, name) for name in dict.fromkeys(keyed)]
        + [np.isnan(values) for values in numbers.values()]
    )
    weightless = weightless_rows(numbers)
    dropped = join_missing([missing, weightless])
    rows = None if dropped is None or not dropped.any() else np.flatnonzero(~dropped)
    if len(frame) == 0 or (rows is not None and len(rows) == 0):
        raise DataError(Problem("data", "no row has every value", "Fill in or drop columns."))
    design = read_design(sides, columns, len(frame), rows, ordered)
    kept = design.columns.rows
    arrangement = arrange([code_group(frame, group, kept) for group in groups])
    factors = tuple(
        _factor(frame, group, coded.codes, coded.first, kept)
        for group, coded in zip(groups, arrangement.factors, strict=True)
    )
    _refuse_lone_levels(factors)
    places = {group: place for place, group in enumerate(groups)}
    random = tuple(
        RandomPart(term.label, places[term.group], plan.columns)
        for term, plan in zip(parsed.random, design.random, strict=True)
    )
    counted = {
        name: np.asarray(values if kept is None else values[kept])
        for name, values in numbers.items()
    }
    if "weights" in counted and np.all(counted["weights"] == 1):
        del counted["weights"]
    lost = (
        0
        if weightless is None
        else int((weightless if missing is None else weightless & ~missing).sum())
    )
    return ModelRows(
        parsed,
        design,
        arrangement,
        factors,
        random,
        design.outcome,
        counted.get("weights"),
        counted.get("sampling_weights"),
        counted.get("school_weights"),
        counted.get("trials"),
        counted.get("offset"),
        None if cluster is None else _cluster(frame, cluster, kept),
        LeftOut(len(frame) - design.columns.length - lost, lost),
    )


def _read_columns(frame: nw.DataFrame[Any], sides: FormulaSides) -> dict[str, Column]:
    found: dict[str, Column] = {}
    problems: list[Problem] = []
    for name in sides.names:
        try:
            found[name] = read_column(frame, name)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return found


def _factor(
    frame: nw.DataFrame[Any],
    names: tuple[str, ...],
    codes: NDArray[np.int32],
    first: Ints,
    kept: Ints | None,
) -> GroupingFactor:
    return GroupingFactor(names, codes, frame, first if kept is None else kept[first])


def _cluster(frame: nw.DataFrame[Any], name: str, kept: Ints | None) -> GroupingFactor:
    coded = code_group(frame, [name], kept)
    return _factor(frame, (name,), coded.codes, coded.first, kept)


def _refuse_lone_levels(factors: tuple[GroupingFactor, ...]) -> None:
    problems = [
        Problem(
            f"data, grouping factor `{factor.label}`",
            f"its {factor.codes.size:,} rows are all of one group",
            "A grouping factor needs two groups or more.",
        )
        for factor in factors
        if factor.count < 2
    ]
    if problems:
        raise DataError(problems)

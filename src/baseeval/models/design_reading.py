"""From the columns of a table to the plan of a design, all that is wrong with them named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.column_values import CodedColumn, Column, NumberColumn, as_coded
from baseeval.models.formula_columns import SidePlan
from baseeval.models.formula_plan import (
    Category,
    FormulaPlan,
    learn_plan,
    marked_columns,
)
from baseeval.models.formula_sides import FormulaSides
from baseeval.models.formulaic_calls import compute
from baseeval.models.model_blocks import TableColumns

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A column of more categories than these belongs among the random terms.
_MOST_CATEGORIES = 1000
#: Rows on which formulaic is asked; more where a function fails on so few.
_SAMPLED, _SAMPLED_AGAIN = 32, 4096
#: Steps of the golden ratio meet every part of a table and follow no pattern in it.
_STEP = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class DesignColumns:
    """The columns of a formula's sides, ready to be filled in.

    Parameters
    ----------
    sides : FormulaSides
    columns : TableColumns
    fixed : SidePlan
    random : tuple of SidePlan
        One a random term; terms of one left side share it.
    specs : mapping of str to formulaic.ModelSpec
        What formulaic learnt to compute, by key.
    outcome : ndarray, shape (n,)
    outcome_levels : tuple of str
        Of an ordered outcome.
    """

    sides: FormulaSides
    columns: TableColumns
    fixed: SidePlan
    random: tuple[SidePlan, ...]
    specs: Mapping[str, Any]
    outcome: Floats
    outcome_levels: tuple[str, ...]


def read_design(
    sides: FormulaSides,
    columns: Mapping[str, Column],
    length: int,
    rows: Ints | None,
    ordered: bool,
) -> DesignColumns:
    """Plan the columns of a formula's sides.

    Parameters
    ----------
    sides : FormulaSides
    columns : mapping of str to Column
        Of the whole table.
    length : int
        Rows of the table.
    rows : ndarray of int, optional
        Those that count; all by default.
    ordered : bool
        Whether the outcome is a scale of ordered categories.

    Returns
    -------
    DesignColumns
        Rows for which a function has no value, such as the logarithm of a
        negative number, are left out as well.

    Raises
    ------
    UsageError, DataError
    """
    wanted = {k: v for k, v in sides.sides.items() if not (ordered and k == "response")}
    numbers = {k: v for k, v in columns.items() if isinstance(v, NumberColumn)}
    read = _Reading(sides, wanted, columns, numbers, length, ordered)
    categories = read.categories(rows)
    plan = read.plan(categories, rows)
    held = read.held(rows, categories, {})
    specs, derived = (
        compute(plan.computed, held.frame(), sides.where) if plan.computed else ({}, {})
    )
    absent = [np.isnan(made).any(axis=1) for made in derived.values()]
    if absent and np.any(absent):
        sound = np.flatnonzero(~np.logical_or.reduce(absent))
        if not len(sound):
            problem = Problem(sides.where, "a function has a value in no row", "Mend the formula.")
            raise DataError(problem)
        rows = sound if rows is None else rows[sound]
        derived = {key: made[sound] for key, made in derived.items()}
        fewer = read.categories(rows)
        if any(fewer[name].levels != coded.levels for name, coded in categories.items()):
            plan = read.plan(fewer, rows)
            whole_sides = {k: v for k, v in plan.computed.items() if k not in derived or "~" in k}
            again = compute(whole_sides, read.held(rows, fewer, {}).frame(), sides.where)
            specs, derived = specs | again[0], derived | again[1]
        categories = fewer
    _refuse_endless(sides, derived)
    held = read.held(rows, categories, derived)
    scale, levels = (
        _ordered_outcome(sides, columns, rows) if ordered else (_outcome(sides, plan, held), ())
    )
    return DesignColumns(
        sides,
        held,
        plan.sides["fixed"],
        tuple(plan.sides[key] for key in sides.random),
        specs,
        scale,
        levels,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What stays the same while rows are found to have no value and left out."""

    sides: FormulaSides
    wanted: Mapping[str, Any]
    columns: Mapping[str, Column]
    numbers: Mapping[str, NumberColumn]
    length: int
    ordered: bool

    def categories(self, rows: Ints | None) -> dict[str, CodedColumn]:
        """Return the columns of categories, and refuse what cannot serve."""
        used = frozenset().union(*(self.sides.used[key] for key in self.wanted))
        marked = marked_columns(self.wanted)
        found = {
            name: as_coded(column, rows)
            for name, column in self.columns.items()
            if name in used and (name in marked or isinstance(column, CodedColumn))
        }
        _refuse(self.sides, self.columns, found, rows, self.ordered)
        return found

    def plan(self, categories: Mapping[str, CodedColumn], rows: Ints | None) -> FormulaPlan:
        """Ask formulaic which columns there are."""
        known = {
            name: Category(column.levels, name in self.numbers)
            for name, column in categories.items()
        }

        def ask(size: int) -> FormulaPlan:
            few = {name: _sampled(column, rows, size) for name, column in self.numbers.items()}
            return learn_plan(self.wanted, few, known, self.sides.where)

        try:
            return ask(_SAMPLED)
        except UsageError:
            return ask(_SAMPLED_AGAIN)

    def held(
        self,
        rows: Ints | None,
        categories: Mapping[str, CodedColumn],
        derived: Mapping[str, Floats],
    ) -> TableColumns:
        """Return the columns over some rows."""
        if rows is None:
            return TableColumns(self.length, None, self.numbers, categories, derived)
        joined = {name: column.joined() for name, column in self.numbers.items()}
        return TableColumns(len(rows), rows, joined, categories, derived)


def _sampled(column: NumberColumn, rows: Ints | None, size: int) -> NDArray[Any]:
    count = sum(map(len, column.chunks)) if rows is None else len(rows)
    places = np.unique((np.arange(size) * _STEP % 1 * count).astype(np.intp))
    if rows is not None:
        places = rows[places]
    if len(column.chunks) == 1:
        return column.chunks[0][places]
    return np.concatenate([column.take(slice(place, place + 1)) for place in places])


def _ordered_outcome(
    sides: FormulaSides, columns: Mapping[str, Column], rows: Ints | None
) -> tuple[Floats, tuple[str, ...]]:
    name = sides.outcome
    if name is None:
        remedy = "Make a column of it first."
        raise UsageError(Problem(sides.where, "an ordered outcome must be a column", remedy))
    column = columns[name]
    if isinstance(column, CodedColumn):
        column = CodedColumn(column.codes, column.levels, False)  # unused categories go
    coded = as_coded(column, rows)
    codes = coded.codes if rows is None else coded.codes[rows]
    return codes.astype(np.float64), tuple(str(level) for level in coded.levels)


def _refuse(
    sides: FormulaSides,
    columns: Mapping[str, Column],
    categories: Mapping[str, CodedColumn],
    rows: Ints | None,
    ordered: bool,
) -> None:
    problems = []
    if not ordered and isinstance(columns.get(sides.outcome or ""), CodedColumn):
        what = "the outcome is text or a category, which has no mean"
        remedy = "Use a column of numbers; code yes and no as 1 and 0."
        problems.append(Problem(f"data, column `{sides.outcome}`", what, remedy))
    for name, column in columns.items():
        where = f"data, column `{name}`"
        if isinstance(column, NumberColumn) and (endless := column.infinite(rows)):
            what = f"{endless:,} rows have an infinite value"
            problems.append(Problem(where, what, "Drop those rows, or mend them."))
    for name, coded in categories.items():
        if name == sides.outcome:
            continue
        where = f"data, column `{name}`"
        codes = coded.codes if rows is None else coded.codes[rows]
        present = int(np.count_nonzero(np.bincount(codes, minlength=1)))
        if present < 2:
            what = "every row that has all values has the same category"
            problems.append(Problem(where, what, "Leave the column out of the formula."))
        elif len(coded.levels) > _MOST_CATEGORIES:
            what = f"it has {len(coded.levels):,} categories, too many for as many columns"
            remedy = f"Make it a random term, (1 | {name}), or a column of numbers."
            problems.append(Problem(where, what, remedy))
    if problems:
        raise DataError(problems)


def _refuse_endless(sides: FormulaSides, derived: Mapping[str, Floats]) -> None:
    problems = []
    for key, made in derived.items():
        endless = int(np.isinf(made).any(axis=1).sum())
        if endless:
            what = f"`{key.strip('~')}` is infinite in {endless:,} rows"
            problems.append(Problem(sides.where, what, "Mend the formula or those rows."))
    if problems:
        raise DataError(problems)


def _outcome(sides: FormulaSides, plan: FormulaPlan, held: TableColumns) -> Floats:
    if sides.outcome is not None and sides.outcome in held.numbers:  # a view where it can be
        place = slice(0, held.length) if held.rows is None else held.rows
        return held.numbers[sides.outcome].take(place).astype(np.float64, copy=False)
    made = plan.sides["response"].design(held.take(0, held.length))
    if made.shape[1] != 1:
        what = f"`{sides.formula.response}` is {made.shape[1]} columns, not one outcome"
        raise UsageError(Problem(sides.where, what, "Use a column of numbers."))
    return np.ascontiguousarray(made[:, 0])

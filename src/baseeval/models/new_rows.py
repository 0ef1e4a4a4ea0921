"""Rows of another table in the coding of a model that was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.column_values import (
    CodedColumn,
    NumberColumn,
    as_coded,
    join_missing,
    open_table,
    read_column,
)
from baseeval.models.formulaic_calls import compute
from baseeval.models.model_blocks import TableColumns
from baseeval.models.model_rows import ModelRows
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class NewRows:
    """Rows of a table that have every value a model needs.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Their places in the table.
    x : ndarray, shape (m, p)
    z : tuple of ndarray, shapes (m, q_t)
        None where random terms are not asked for.
    groups : tuple of ndarray of int, shapes (m,)
        Level of each row in each random term; -1 where the model has not seen
        it.
    """

    rows: Ints
    x: Floats
    z: tuple[Floats, ...]
    groups: tuple[Ints, ...]


def read_new_rows(model: ModelRows, data: IntoDataFrame, *, random: bool = True) -> NewRows:
    """Code another table as the table of a model was coded.

    Parameters
    ----------
    model : ModelRows
    data : dataframe
        Any that narwhals reads. Needs no outcome.
    random : bool
        Whether the random terms and their groups are wanted.

    Returns
    -------
    NewRows
        What functions learnt from the model's rows, such as a mean to centre
        by, is used again.

    Raises
    ------
    UsageError
        A column is not there.
    DataError
        A column holds another kind of values, or categories that the model has
        not seen.
    """
    frame = open_table(data)
    design = model.design
    keys = {"fixed", *(design.sides.random if random else ())}
    plans = [design.fixed, *(design.random if random else ())]
    names = sorted(frozenset().union(*(design.sides.used[key] for key in keys)))
    factors = model.factors if random else ()
    wanted = dict.fromkeys([*names, *(name for factor in factors for name in factor.names)])
    held = list(frame.columns)
    absent = [name for name in wanted if name not in held]
    if absent:
        raise UsageError(
            [Problem("data", f"there is no column `{n}`", nearest(n, held)) for n in absent]
        )
    numbers, categories, problems = _coded(model, frame, names)
    if problems:
        raise DataError(problems)
    missing = join_missing(
        [column.missing for column in numbers.values()]
        + [column.missing for column in categories.values()]
    )
    rows = None if missing is None else np.flatnonzero(~missing)
    length = len(frame) if rows is None else len(rows)
    columns = TableColumns(length, rows, numbers, categories, {})
    needed = {key: design.specs[key] for plan in plans for key in plan.computed}
    derived = compute(needed, columns.frame(), design.sides.where)[1] if needed else {}
    values = TableColumns(length, rows, numbers, categories, derived).take(0, length)
    x = design.fixed.design(values)
    z = tuple(plan.design(values) for plan in design.random) if random else ()
    sound = np.isfinite(x).all(axis=1)
    for columns_of_term in z:
        sound &= np.isfinite(columns_of_term).all(axis=1)
    places = np.arange(length, dtype=np.intp) if rows is None else rows
    found = [factor.find(frame)[places][sound] for factor in factors]
    return NewRows(
        places[sound],
        x[sound],
        tuple(columns_of_term[sound] for columns_of_term in z),
        tuple(found[part.factor] for part in model.random) if random else (),
    )


def _coded(
    model: ModelRows, frame: nw.DataFrame[Any], names: list[str]
) -> tuple[dict[str, NumberColumn], dict[str, CodedColumn], list[Problem]]:
    known = model.design.columns
    numbers: dict[str, NumberColumn] = {}
    categories: dict[str, CodedColumn] = {}
    problems: list[Problem] = []
    for name in names:
        where = f"data, column `{name}`"
        column = read_column(frame, name)
        if name in known.numbers:
            if isinstance(column, NumberColumn):
                numbers[name] = column
            else:
                what = "it holds categories where the model's table held numbers"
                problems.append(Problem(where, what, "Give the same kind of values."))
                continue
        if name in known.categories:
            levels = known.categories[name].levels
            coded = as_coded(column)
            place = {level: k for k, level in enumerate(levels)}
            moved = np.array([*(place.get(level, -1) for level in coded.levels), -1])
            codes = moved[coded.codes]
            unseen = int(np.count_nonzero((codes < 0) & (coded.codes >= 0)))
            if unseen:
                what = f"{unseen:,} rows have a category that the model has not seen"
                problems.append(Problem(where, what, "Leave those rows out."))
            categories[name] = CodedColumn(codes, levels, True)
    return numbers, categories, problems

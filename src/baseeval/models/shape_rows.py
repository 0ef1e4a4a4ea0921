"""Rows for a model that is asked for by name: complete ones, in columns that are checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.design.sample import require_columns
from baseeval.errors import DataError, Problem


def shape_rows(
    data: IntoDataFrame,
    wanted: Sequence[str],
    numbers: Sequence[str],
    weights: str | None = None,
) -> pd.DataFrame:
    """Return the rows of a table that have every value wanted, and a weight.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads.
    wanted : sequence of str
        Columns that are needed.
    numbers : sequence of str
        Those that must hold numbers.
    weights : str, optional
        A further column of numbers; rows of weight zero are left out.

    Returns
    -------
    pandas.DataFrame
        The columns wanted and no other, rows in their order.

    Raises
    ------
    UsageError
        A column is not there.
    DataError
        A column of numbers holds something else, or no row is complete.
    """
    table = nw.from_native(data, eager_only=True)
    extra = [] if weights is None else [weights]
    names = list(dict.fromkeys([*wanted, *extra]))
    require_columns(pd.DataFrame(columns=table.columns), names)
    frame = table.select(names).to_pandas()
    faults = [
        Problem(f"data, column `{name}`", "this needs numbers", "Give a column of numbers.")
        for name in dict.fromkeys([*numbers, *extra])
        if not _is_number(frame[name])
    ]
    if faults:
        raise DataError(faults)
    complete = frame.notna().all(axis=1)
    if weights is not None:
        complete &= frame[weights] != 0
    rows = frame[complete].reset_index(drop=True)
    if rows.empty:
        raise DataError(Problem("data", "no row has every value", "Fill in or drop columns."))
    return rows


def two_arms(
    data: IntoDataFrame,
    outcome: str,
    arm: str,
    first: Any,
    second: Any,
    school: str,
    covariates: Sequence[str],
    weights: str | None,
    *,
    least: int = 3,
) -> tuple[pd.DataFrame, str]:
    """Return the rows of two arms, and the name of the column that is one in the first.

    Parameters
    ----------
    data : dataframe
    outcome, arm : str
    first, second
    school : str
    covariates : sequence of str
    weights : str, optional
    least : int
        Schools that must hold both arms.

    Returns
    -------
    rows : pandas.DataFrame
    effect : str

    Raises
    ------
    UsageError, DataError
        The columns cannot be used, or too few schools hold both arms.
    """
    rows = shape_rows(data, [outcome, arm, school, *covariates], [outcome], weights)
    # A formula quotes the name in backticks, so that it can hold none.
    effect = f"{first}_vs_{second}".replace("`", "'")
    rows = rows[rows[arm].isin([first, second])].reset_index(drop=True)
    rows[effect] = (rows[arm] == first).astype(float)
    schools = schools_with_both(rows, school, effect)
    if schools < least:
        raise DataError(
            Problem(
                f"data, column `{arm}`",
                f"{schools} schools hold pupils of both `{first}` and `{second}`",
                "An effect's spread over schools needs three of them at least.",
            )
        )
    return rows, effect


def schools_with_both(rows: pd.DataFrame, school: str, effect: str) -> int:
    """Return how many schools hold both arms.

    Parameters
    ----------
    rows : pandas.DataFrame
    school : str
    effect : str
        The column that is one in the first arm and zero in the second.

    Returns
    -------
    int
    """
    kinds = rows.groupby(school, observed=True)[effect].nunique()
    return int((kinds == 2).sum())


def quoted(name: str) -> str:
    """Return a column's name as a formula takes it."""
    return f"`{name}`"


def added(*terms: str | Sequence[str]) -> str:
    """Return terms joined by plus signs; a sequence among them is of columns to be quoted."""
    flat: list[str] = []
    for term in terms:
        flat += [term] if isinstance(term, str) else [quoted(name) for name in term]
    return " + ".join(term for term in flat if term)


def in_order(values: pd.Series, wanted: Sequence[Any] | None, where: str) -> list[Any]:
    """Return the distinct values of a column in the order given, else sorted.

    Parameters
    ----------
    values : pandas.Series
    wanted : sequence, optional
        Must hold each value once; others in it are passed over. Without it numbers
        beside text are sorted as text.
    where : str
        What a message calls the argument.

    Returns
    -------
    list

    Raises
    ------
    DataError
        The order leaves values out.
    """
    held = values.unique().tolist()
    if wanted is None:
        if isinstance(values.dtype, pd.CategoricalDtype):
            return [level for level in values.cat.categories if level in set(held)]
        try:
            return sorted(held)
        except TypeError:  # numbers beside text
            return sorted(held, key=str)
    lacking = sum(value not in list(wanted) for value in held)
    if lacking:
        said = f"{lacking} of the {len(held)} that the data hold are not in it"
        raise DataError(Problem(where, said, "Name each of them once."))
    return [value for value in dict.fromkeys(wanted) if value in set(held)]


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)

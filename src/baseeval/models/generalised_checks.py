"""What a generalised mixed model asks of its arguments before it is fitted."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.column_values import NumberColumn, held_values, open_table, read_column
from baseeval.models.formula_language import parse_formula
from baseeval.models.model_rows import ModelRows

#: An outcome of more ordered categories is a number that was taken for them.
_MOST_LEVELS = 50


def check_declared(data: IntoDataFrame, formula: str) -> None:
    """Refuse ordered categories whose order nobody has told.

    Parameters
    ----------
    data : dataframe
    formula : str

    Raises
    ------
    DataError
        The outcome is text, or a category without an order.
    """
    frame, name = open_table(data), parse_formula(formula).response.strip("`")
    if name not in frame.columns:
        return  # said in better words where the formula is read
    if isinstance(read_column(frame, name), NumberColumn):
        return
    held = held_values(frame, name)
    kind = held.dtype if isinstance(held, pd.Series) else held.type
    if getattr(kind, "ordered", False):
        return
    raise DataError(
        Problem(
            f"data, column `{name}`",
            "the outcome is text or a category without a declared order, which the alphabet "
            "would order",
            "Declare the order from lowest to highest: pandas.Categorical(values, "
            "categories=[...], ordered=True), polars.Enum([...]), or numbers.",
        )
    )


def check_levels(rows: ModelRows) -> None:
    """Refuse an outcome of very many ordered categories.

    Parameters
    ----------
    rows : ModelRows

    Raises
    ------
    DataError
    """
    count = len(rows.outcome_levels)
    if count > _MOST_LEVELS:
        raise DataError(
            Problem(
                f"data, column `{rows.response}`",
                f"the outcome has {count:,} ordered categories, more than {_MOST_LEVELS}",
                "Use the gaussian family for numbers, or group the categories.",
            )
        )


def check_points(quadrature: Any) -> None:
    """Refuse a number of quadrature points that is none.

    Parameters
    ----------
    quadrature
        Should be a whole number from one.

    Raises
    ------
    UsageError
    """
    whole = isinstance(quadrature, Integral) and not isinstance(quadrature, bool)
    if not whole or quadrature < 1:
        raise UsageError(
            Problem(
                f"quadrature `{quadrature}`",
                "it is not a whole number of points from one",
                "Use 1 for Laplace's approximation, or more points, such as 9.",
            )
        )

"""A plain table as a design sample: which rows are in which arm, and what is alike in them."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.sample import (
    DesignSample,
    as_numbers,
    base_weights,
    expand,
    numbers,
    require_columns,
    strata_of,
)
from baseeval.errors import DataError, Problem, UsageError

Ints = NDArray[np.intp]

#: More values than these, and the column says something other than an arm.
_MOST_ARMS = 10


def table_sample(
    data: IntoDataFrame,
    treated: str,
    covariates: Sequence[str],
    *,
    exact: Sequence[str] = (),
    anti_exact: Sequence[str] = (),
    variables: Sequence[str] = (),
    sampling_weights: str | None = None,
    school: str | None = None,
) -> DesignSample:
    """Read a plain table as a design sample, rows in their order.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads.
    treated : str
        Column of zeros and ones (ones are the first arm) or of booleans; or of
        three values or more, which name as many arms in their order.
    covariates, exact, anti_exact : sequence of str
    variables : sequence of str
        Columns of numbers that calipers name.
    sampling_weights, school : str, optional
        Columns of survey or attrition weights, and of schools.

    Returns
    -------
    DesignSample

    Raises
    ------
    UsageError
        A column is not there, or `treated` does not name arms.
    DataError
        Values are missing, or weights are not positive; every column at once.
    """
    frame = nw.from_native(data, eager_only=True).to_pandas()
    further = [name for name in (sampling_weights, school) if name is not None]
    wanted = [treated, *covariates, *exact, *anti_exact, *variables, *further]
    require_columns(frame, wanted)
    frame = frame.assign(**{name: as_numbers(frame[name]) for name in wanted})
    _refuse_holes(frame, wanted)
    arm, arms = _arms(frame[treated], treated)
    exact_only = [name for name in exact if name not in covariates]
    columns, names = expand(frame, [*covariates, *exact_only])
    return DesignSample(
        arm=arm,
        arms=arms,
        columns=columns,
        names=names,
        strata=strata_of(frame, exact),
        exact_only=tuple(exact_only),
        base=base_weights(frame, sampling_weights),
        pupil=np.array([str(label) for label in frame.index]),
        school=np.full(len(frame), "")
        if school is None
        else frame[school].astype(str).to_numpy(dtype=str),
        anti=tuple(strata_of(frame, [name]) for name in anti_exact),
        variables={name: numbers(frame, name, "caliper") for name in variables},
    )


def _refuse_holes(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    problems = []
    for column in dict.fromkeys(wanted):
        series = frame[column]
        where = f"data, column `{column}`"
        empty = int(series.isna().sum())
        if empty:
            problems.append(
                Problem(
                    where,
                    f"{empty} of {len(frame)} rows have no value",
                    "Drop those rows or fill them in before the design.",
                )
            )
        elif pd.api.types.is_float_dtype(series):
            endless = int(np.isinf(series.to_numpy(dtype=float)).sum())
            if endless:
                problems.append(
                    Problem(
                        where,
                        f"{endless} of {len(frame)} rows have an infinite value",
                        "Drop those rows, or mend them.",
                    )
                )
        elif pd.api.types.is_datetime64_any_dtype(series):
            problems.append(
                Problem(where, "a day is neither a number nor a category", "Count days from one.")
            )
    if problems:
        raise DataError(problems)


def _arms(series: pd.Series, treated: str) -> tuple[Ints, tuple[str, ...]]:
    """Return each row's arm and the arms' names."""
    held = set(series.unique())
    if held == {0, 1}:
        return np.where(series.to_numpy().astype(bool), 0, 1).astype(np.intp), ("first", "second")
    category = series.astype("category").cat.remove_unused_categories()
    levels = category.cat.categories
    if not 3 <= len(levels) <= _MOST_ARMS:
        raise UsageError(
            Problem(
                f"data, column `{treated}`",
                "the treatment must hold both 0 and 1 and nothing else, or name from three to "
                f"{_MOST_ARMS} arms",
                "Recode it.",
            )
        )
    return category.cat.codes.to_numpy().astype(np.intp), tuple(str(level) for level in levels)

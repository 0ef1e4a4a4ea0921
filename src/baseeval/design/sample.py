"""The rows and columns that a design is given: arms and covariates, never an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem, UsageError
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class DesignSample:
    """What a design sees.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
        True for the first arm.
    columns : ndarray, shape (n, p)
        Covariates: one column a number, one a level of a category.
    names : tuple of (covariate, level)
    strata : ndarray of int, shape (n,)
        Rows are alike in every exact covariate within a stratum.
    pupil, school : ndarray of str, shape (n,)
    contrast : str
    flags : tuple of str
    """

    treated: NDArray[np.bool_]
    columns: Floats
    names: tuple[tuple[str, str], ...]
    strata: Ints
    pupil: NDArray[np.str_]
    school: NDArray[np.str_]
    contrast: str = ""
    flags: tuple[str, ...] = ()

    def regressors(self) -> Floats:
        """Return an intercept and the columns, less each category's first level."""
        seen: set[str] = set()
        kept = []
        for position, (covariate, level) in enumerate(self.names):
            if level == "" or covariate in seen:
                kept.append(position)
            seen.add(covariate)
        return np.column_stack([np.ones(len(self.treated)), self.columns[:, kept]])


def expand(
    frame: pd.DataFrame, covariates: Sequence[str]
) -> tuple[Floats, tuple[tuple[str, str], ...]]:
    """Expand covariates into columns: numbers as they are, categories by level.

    Parameters
    ----------
    frame : pandas.DataFrame
        No missing value in the covariates.
    covariates : sequence of str

    Returns
    -------
    columns : ndarray, shape (n, p)
    names : tuple of (covariate, level)
        Levels in the order of the categories, else sorted.
    """
    blocks: list[Floats] = []
    names: list[tuple[str, str]] = []
    for covariate in covariates:
        series = frame[covariate]
        if pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series):
            blocks.append(series.to_numpy(dtype=float))
            names.append((covariate, ""))
            continue
        category = series.astype("category")
        codes = category.cat.codes.to_numpy()
        for code, level in enumerate(category.cat.categories):
            if np.any(codes == code):
                blocks.append((codes == code).astype(float))
                names.append((covariate, str(level)))
    columns = np.column_stack(blocks) if blocks else np.empty((len(frame), 0))
    return columns, tuple(names)


def strata_of(frame: pd.DataFrame, exact: Sequence[str]) -> Ints:
    """Give numbers to the strata within which rows agree on every exact covariate.

    Parameters
    ----------
    frame : pandas.DataFrame
    exact : sequence of str

    Returns
    -------
    ndarray of int, shape (n,)
    """
    if not exact:
        return np.zeros(len(frame), dtype=np.intp)
    groups = frame.groupby(list(exact), sort=True, observed=True)
    return np.asarray(groups.ngroup(), dtype=np.intp)


def require_columns(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a column, naming every one.

    Parameters
    ----------
    frame : pandas.DataFrame
    wanted : sequence of str

    Raises
    ------
    UsageError
    """
    held = [str(name) for name in frame.columns]
    absent = [name for name in dict.fromkeys(wanted) if name not in held]
    if absent:
        raise UsageError(
            [Problem("data", f"there is no column `{n}`", nearest(n, held)) for n in absent]
        )


def table_sample(
    data: IntoDataFrame,
    treated: str,
    covariates: Sequence[str],
    exact: Sequence[str] = (),
) -> DesignSample:
    """Read a plain table as a design sample, rows in their order.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads.
    treated : str
        Column of zeros and ones, or of booleans.
    covariates, exact : sequence of str

    Returns
    -------
    DesignSample

    Raises
    ------
    UsageError
        A column is not there, or `treated` is not two-valued.
    DataError
        Values are missing; every column at once.
    """
    frame = nw.from_native(data, eager_only=True).to_pandas()
    wanted = [treated, *covariates, *exact]
    require_columns(frame, wanted)
    holes = {column: int(frame[column].isna().sum()) for column in wanted}
    if any(holes.values()):
        raise DataError(
            [
                Problem(
                    f"data, column `{column}`",
                    f"{count} of {len(frame)} rows have no value",
                    "Drop those rows or fill them in before the design.",
                )
                for column, count in holes.items()
                if count
            ]
        )
    indicator = frame[treated].to_numpy()
    if not (set(np.unique(indicator)) == {0, 1}):
        raise UsageError(
            Problem(
                f"data, column `{treated}`",
                "the treatment must hold both 0 and 1 and nothing else",
                "Recode it.",
            )
        )
    columns, names = expand(frame, [*covariates, *(c for c in exact if c not in covariates)])
    labels = np.array([str(label) for label in frame.index])
    return DesignSample(
        treated=indicator.astype(bool),
        columns=columns,
        names=names,
        strata=strata_of(frame, exact),
        pupil=labels,
        school=np.full(len(frame), ""),
    )

"""The rows and columns that a design is given: arms and covariates, never an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
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
    arm : ndarray of int, shape (n,)
        Position of each row's arm in `arms`.
    arms : tuple of str
        Two or more; the first is the one that an ATT is about unless a request
        says otherwise.
    columns : ndarray, shape (n, p)
        Covariates: one column a number, one a level of a category.
    names : tuple of (covariate, level)
        A number's level is empty.
    strata : ndarray of int, shape (n,)
        Rows are alike in every exact covariate within a stratum.
    base : ndarray, shape (n,)
        Survey or attrition weights; ones where there are none.
    pupil, school : ndarray of str, shape (n,)
        The school is empty where a plain table names none.
    contrast : str
        Empty for a plain table, and for all arms of a cohort at once.
    flags : tuple of str
    anti : tuple of ndarray of int, shape (n,)
        Codes of what partners must not share.
    variables : mapping of str to ndarray, shape (n,)
        Numbers by name, for calipers.
    school_level : ndarray of int
        Positions of the columns that are the same for all pupils of a school.
    hosts : ndarray of bool, shape (n,), optional
        Whether a row's school hosts a base, where the arms say so.
    exact_only : tuple of str
        Covariates that were named for exact matching alone: judged for balance,
        and no part of the scores and distances of a match.
    whole : callable, optional
        Where two of a cohort's three arms are compared and they share no school:
        gives all three arms, whose pupils some scores are fitted to.
    """

    arm: Ints
    arms: tuple[str, ...]
    columns: Floats
    names: tuple[tuple[str, str], ...]
    strata: Ints
    base: Floats
    pupil: NDArray[np.str_]
    school: NDArray[np.str_]
    contrast: str = ""
    flags: tuple[str, ...] = ()
    anti: tuple[Ints, ...] = ()
    variables: Mapping[str, Floats] = field(default_factory=dict)
    school_level: Ints = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    hosts: NDArray[np.bool_] | None = None
    exact_only: tuple[str, ...] = ()
    whole: Callable[[], DesignSample] | None = None

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Return which rows belong to the first arm, shape (n,)."""
        first: NDArray[np.bool_] = self.arm == 0
        return first

    @property
    def where(self) -> str:
        """Return what a message calls these rows."""
        return self.contrast or "the data"

    def target(self, estimand: str, focal: int | None = None) -> NDArray[np.bool_]:
        """Return the rows whom an estimand is about, before any weighting.

        Parameters
        ----------
        estimand : str
        focal : int, optional
            The arm of an ATT; the first by default.

        Returns
        -------
        ndarray of bool, shape (n,)
            Every row for the estimands of a union.
        """
        if estimand == "ATT":
            return np.asarray(self.arm == (focal or 0))
        if estimand == "ATC":
            return np.asarray(self.arm == 1)
        return np.ones(len(self.arm), dtype=bool)

    def select(self, rows: NDArray[np.bool_]) -> DesignSample:
        """Return a sample of some rows only.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)

        Returns
        -------
        DesignSample
        """
        return replace(
            self,
            arm=self.arm[rows],
            columns=self.columns[rows],
            strata=self.strata[rows],
            base=self.base[rows],
            pupil=self.pupil[rows],
            school=self.school[rows],
            anti=tuple(codes[rows] for codes in self.anti),
            variables={name: values[rows] for name, values in self.variables.items()},
            hosts=None if self.hosts is None else self.hosts[rows],
        )

    def without_exact_only(self) -> DesignSample:
        """Return a sample without the columns that were named for exact matching alone.

        Returns
        -------
        DesignSample
            As it is, where no other column would be left.
        """
        kept = np.array([name not in self.exact_only for name, _ in self.names], dtype=bool)
        if kept.all() or not kept.any():
            return self
        whole = self.whole
        return replace(
            self,
            columns=self.columns[:, kept],
            names=tuple(name for name, keep in zip(self.names, kept, strict=True) if keep),
            school_level=np.cumsum(kept)[self.school_level[kept[self.school_level]]] - 1,
            whole=None if whole is None else lambda: whole().without_exact_only(),
        )


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


def as_numbers(series: pd.Series) -> pd.Series:
    """Return a column of numbers kept as objects, such as decimals of a database, as floats.

    Parameters
    ----------
    series : pandas.Series

    Returns
    -------
    pandas.Series
        As it was where it holds anything else.
    """
    if series.dtype != object:
        return series
    held = pd.api.types.infer_dtype(series, skipna=True)
    is_number = held in ("decimal", "integer", "floating", "mixed-integer-float")
    return pd.to_numeric(series).astype(float) if is_number else series


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


def base_weights(frame: pd.DataFrame, column: str | None) -> Floats:
    """Return survey or attrition weights; ones where no column holds any.

    Parameters
    ----------
    frame : pandas.DataFrame
    column : str, optional

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    DataError
        A weight is not a positive number.
    """
    if column is None:
        return np.ones(len(frame))
    base = numbers(frame, column, "sampling_weights")
    bad = int(np.sum(~(base > 0) | ~np.isfinite(base)))
    if bad:
        raise DataError(
            Problem(
                f"data, column `{column}`",
                f"{bad} of {len(frame)} rows have a weight that is not a positive number, and "
                "`sampling_weights` takes no other",
                "Drop those rows, or mend their weights.",
            )
        )
    return base


def numbers(frame: pd.DataFrame, column: str, key: str) -> Floats:
    """Return a column of numbers.

    Parameters
    ----------
    frame : pandas.DataFrame
    column : str
    key : str
        What names the column, for a message.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    DataError
        The column holds something else.
    """
    series = frame[column]
    if not (pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series)):
        raise DataError(
            Problem(
                f"data, column `{column}`",
                f"`{key}` needs numbers, and this column holds categories",
                f"Name another column in `{key}`, or leave it out.",
            )
        )
    return series.to_numpy(dtype=float)

"""Formulas on tables: lme4's random terms apart, formulaic for all the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.sample import require_columns
from baseeval.errors import DataError, Problem, UsageError
from baseeval.numerics.mixed import Template

Floats = NDArray[np.float64]

_RANDOM = re.compile(r"\+?\s*\(([^()|]+)(\|\|?)([^()|]+)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*")


@dataclass(frozen=True, slots=True)
class FormulaData:
    """A formula on data: rows that have every value and a positive weight.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    terms : list of str
        Names of the columns of x, as formulaic gives them.
    y, weights : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        Group or cluster of each row, 0 to G - 1.
    levels : list of str
        Names of the groups.
    random : list of ndarray
        Columns of each random term.
    random_names : list of list of str
    """

    x: Floats
    terms: list[str]
    y: Floats
    weights: Floats
    group: NDArray[np.intp]
    levels: list[str]
    random: list[Floats]
    random_names: list[list[str]]


def read_formula(
    formula: str,
    data: IntoDataFrame,
    weights: str | Floats | None,
    group: str,
    random: list[str] | None = None,
) -> FormulaData:
    """Build the arrays of a formula from a table.

    Parameters
    ----------
    formula : str
        The fixed part.
    data : dataframe
    weights : str or ndarray, optional
    group : str
        Column of groups or clusters.
    random : list of str, optional
        Left sides of the random terms.

    Returns
    -------
    FormulaData

    Raises
    ------
    UsageError, DataError
    """
    frame = nw.from_native(data, eager_only=True).to_pandas().reset_index(drop=True)
    used = [group, *([weights] if isinstance(weights, str) else [])]
    used += [n for part in [formula, *(random or [])] for n in _NAME.findall(part) if n in frame]
    require_columns(frame, used)
    size = np.ones(len(frame)) if weights is None else weights
    numbers = frame[size].to_numpy(dtype=float) if isinstance(size, str) else np.asarray(size)
    if numbers.shape != (len(frame),) or not np.isfinite(numbers).all() or np.any(numbers < 0):
        raise DataError(
            Problem(
                "weights",
                f"there must be one finite number, zero or more, for each of {len(frame)} rows",
                "Mend the weights.",
            )
        )
    complete = frame[list(dict.fromkeys(used))].notna().all(axis=1).to_numpy() & (numbers > 0)
    rows = frame[complete].reset_index(drop=True)
    if rows.empty:
        raise DataError(Problem("data", "no row has every value", "Fill in or drop columns."))
    try:
        parts = Formula(formula).get_model_matrix(rows)
        matrices = [Formula(f"~ {term}").get_model_matrix(rows) for term in random or []]
    except FormulaicError as error:
        raise UsageError(
            Problem(f"formula `{formula}`", f"formulaic cannot read it ({error})", "Mend it.")
        ) from None
    if parts.lhs.shape[1] != 1 or "[" in parts.lhs.columns[0]:
        raise DataError(
            Problem(
                f"formula `{formula}`",
                "the outcome is text, which has no mean",
                "Use a column of numbers.",
            )
        )
    codes, levels = pd.factorize(rows[group], sort=True)
    return FormulaData(
        parts.rhs.to_numpy(dtype=float),
        list(parts.rhs.columns),
        parts.lhs.to_numpy(dtype=float)[:, 0],
        numbers[complete],
        codes.astype(np.intp),
        [str(level) for level in levels],
        [matrix.to_numpy(dtype=float) for matrix in matrices],
        [list(matrix.columns) for matrix in matrices],
    )


def split_formula(formula: str) -> tuple[str, list[tuple[str, bool]], str]:
    """Split a formula into its fixed part, its random terms and their grouping factor.

    Parameters
    ----------
    formula : str

    Returns
    -------
    fixed : str
    terms : list of (term, correlated)
    group : str

    Raises
    ------
    UsageError
        There is no random term, or there are several grouping factors.

    Examples
    --------
    >>> split_formula("maths ~ prior + (1 + prior | school)")
    ('maths ~ prior', [('1 + prior', True)], 'school')
    """
    found = _RANDOM.findall(formula)
    groups = {group.strip() for *_, group in found}
    if not found:
        raise UsageError(
            Problem(
                f"formula `{formula}`",
                "it has no random term",
                "Add one, such as (1 | school), or use fit_linear.",
            )
        )
    if len(groups) > 1 or not all(_NAME.fullmatch(group) for group in groups):
        raise UsageError(
            Problem(
                f"formula `{formula}`",
                "nested or crossed grouping factors are reserved for a later version",
                "Use one grouping factor.",
            )
        )
    fixed = _RANDOM.sub("", formula).strip()
    if fixed.endswith("~"):
        fixed = f"{fixed} 1"
    return fixed, [(term.strip(), bar == "|") for term, bar, _ in found], groups.pop()


def lay_out(design: FormulaData, terms: list[tuple[str, bool]]) -> tuple[Template, list[str]]:
    """Lay the random terms out in one covariance, correlated within a term only.

    Parameters
    ----------
    design : FormulaData
    terms : list of (term, correlated)

    Returns
    -------
    template : Template
    names : list of str
        Columns of Z.
    """
    rows, columns, names, start = [], [], [], 0
    for (_, correlated), labels in zip(terms, design.random_names, strict=True):
        for column in range(len(labels)):
            for row in range(column, len(labels) if correlated else column + 1):
                rows.append(start + row)
                columns.append(start + column)
        names += labels
        start += len(labels)
    made = (np.array(rows), np.array(columns), np.arange(len(rows)))
    return Template(start, *(array.astype(np.intp) for array in made)), names

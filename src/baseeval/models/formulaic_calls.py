"""Asking formulaic for columns, its complaints as problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError

Floats = NDArray[np.float64]


def materialise(formula: Any, frame: pd.DataFrame, where: str) -> Any:
    """Have formulaic make the columns of a formula, rows with missing results kept.

    Parameters
    ----------
    formula : formulaic.Formula or formulaic.ModelSpec
    frame : pandas.DataFrame
    where : str

    Returns
    -------
    formulaic.ModelMatrices or formulaic.ModelMatrix

    Raises
    ------
    UsageError
    """
    try:
        with np.errstate(all="ignore"):
            return formula.get_model_matrix(frame, na_action="ignore", output="numpy")
    except (FormulaicError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        said = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
        problem = Problem(where, f"formulaic cannot make its columns ({said})", "Mend the formula.")
        raise UsageError(problem) from None


def compute(
    formulas: Mapping[str, Any], frame: pd.DataFrame, where: str
) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Have formulaic compute what is left to it, and remember what it learnt from these rows.

    Parameters
    ----------
    formulas : mapping of str to formulaic.SimpleFormula or formulaic.ModelSpec
        By key. A ModelSpec holds what was learnt before.
    frame : pandas.DataFrame
    where : str

    Returns
    -------
    specs : dict of str to formulaic.ModelSpec
    columns : dict of str to ndarray, shape (m, k)
    """
    specs, columns = {}, {}
    for key, formula in formulas.items():
        matrix = materialise(formula, frame, where)
        specs[key], columns[key] = matrix.model_spec, as_floats(matrix)
    return specs, columns


def from_codes(codes: NDArray[Any], levels: list[Any]) -> pd.Categorical[Any]:
    """Return a column of categories as formulaic takes it.

    Parameters
    ----------
    codes : ndarray of int, shape (m,)
    levels : list

    Returns
    -------
    pandas.Categorical
    """
    return pd.Categorical.from_codes(codes, pd.Index(levels))


def as_floats(matrix: Any) -> Floats:
    """Return formulaic's matrix as plain floats.

    Parameters
    ----------
    matrix : formulaic.ModelMatrix

    Returns
    -------
    ndarray, shape (m, p)
    """
    made = np.asarray(matrix, dtype=np.float64)
    return made.reshape(len(made), -1)

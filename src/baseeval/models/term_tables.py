"""Tables of a fitted formula: its coefficients and its variances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from baseeval.models.model_rows import ModelRows

Floats = NDArray[np.float64]

_COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "ci_low", "ci_high"]


def fixed_table(
    terms: list[str], kept: NDArray[np.intp], beta: Floats, errors: Floats, freedom: Floats
) -> pd.DataFrame:
    """Lay out coefficients with their t intervals.

    Parameters
    ----------
    terms : list of str
    kept : ndarray of int
    beta, errors, freedom : ndarray
        Of the terms that were fitted; infinite df give normal intervals.

    Returns
    -------
    pandas.DataFrame
        A term that was not fitted has an empty row.
    """
    error = np.where(errors > 0, errors, np.nan)
    df = np.where(np.isnan(error), np.nan, freedom)
    statistic = beta / error
    p_value = 2 * student.sf(np.abs(statistic), df)
    wide = student.ppf(0.975, df) * error
    held = np.full((len(terms), len(_COLUMNS)), np.nan)
    held[kept] = np.column_stack(
        [beta, errors, freedom, statistic, p_value, beta - wide, beta + wide]
    )
    table = pd.DataFrame(held, columns=_COLUMNS)
    table.insert(0, "term", pd.Series(terms, dtype="str"))
    return table


def labelled(matrix: Floats, terms: list[str], kept: NDArray[np.intp]) -> pd.DataFrame:
    """Name the rows and columns of a covariance by the terms that were fitted.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
    terms : list of str
    kept : ndarray of int, shape (k,)

    Returns
    -------
    pandas.DataFrame
    """
    labels = [terms[position] for position in kept]
    return pd.DataFrame(matrix, index=labels, columns=labels)


def variance_table(
    rows: ModelRows, covariances: list[Floats], residual_sd: float | None
) -> pd.DataFrame:
    """Lay out the variances and covariances of the random terms, and the residual's.

    Parameters
    ----------
    rows : ModelRows
    covariances : list of ndarray, shapes (q_t, q_t)
    residual_sd : float or None
        None where the model has no residual of its own.

    Returns
    -------
    pandas.DataFrame
        ``group, term_1, term_2, variance_or_covariance, sd_or_correlation``;
        groups with the most levels first.
    """
    pairs = list(zip(rows.random, covariances, strict=True))
    pairs.sort(key=lambda pair: -rows.factors[pair[0].factor].count)
    records: list[tuple[str, str, str, float, float]] = []
    for factor in dict.fromkeys(part.factor for part, _ in pairs):
        own = [(part, matrix) for part, matrix in pairs if part.factor == factor]
        for part, matrix in own:
            sds = np.sqrt(np.diag(matrix))
            each = zip(part.columns, np.diag(matrix), sds, strict=True)
            records += [(part.group, name, "", value, sd) for name, value, sd in each]
        for part, matrix in own:
            scale = np.outer(*[np.sqrt(np.diag(matrix))] * 2)
            for one, two in zip(*np.triu_indices(len(matrix), 1), strict=True):
                correlation = matrix[one, two] / scale[one, two] if scale[one, two] > 0 else np.nan
                names = part.columns[one], part.columns[two]
                records.append((part.group, *names, matrix[one, two], correlation))
    if residual_sd is not None:
        records.append(("Residual", "", "", residual_sd**2, residual_sd))
    columns = ["group", "term_1", "term_2", "variance_or_covariance", "sd_or_correlation"]
    return pd.DataFrame.from_records(records, columns=columns)


def effects_table(rows: ModelRows, group: str, modes: list[Floats]) -> pd.DataFrame:
    """Lay out the random effects of one grouping factor.

    Parameters
    ----------
    rows : ModelRows
    group : str
        Its label.
    modes : list of ndarray, shapes (levels, q_t)
        Of each random term of the model.

    Returns
    -------
    pandas.DataFrame
        One row a level, one column a term.

    Raises
    ------
    UsageError
        The model has no such grouping factor.
    """
    factor = rows.factor(group)
    order, names = factor.shown(), factor.labels()
    own = [pair for pair in zip(rows.random, modes, strict=True) if pair[0].group == group]
    return pd.DataFrame(
        np.column_stack([effects[order] for _, effects in own]),
        index=pd.Index([names[place] for place in order], name=group),
        columns=[name for part, _ in own for name in part.columns],
    )

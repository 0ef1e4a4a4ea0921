"""Tables of a fitted formula: its coefficients and its variances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.models.formula_data import FormulaData
from baseeval.numerics.cr2 import ClusterParts, cr2, t_interval
from baseeval.numerics.mixed import MixedFit

Floats = NDArray[np.float64]


def fixed_table(
    terms: list[str], kept: NDArray[np.intp], beta: Floats, errors: Floats, freedom: Floats
) -> pd.DataFrame:
    """Lay out coefficients with their t intervals.

    Parameters
    ----------
    terms : list of str
    kept : ndarray of int
    beta, errors, freedom : ndarray
        Of the terms that were fitted.

    Returns
    -------
    pandas.DataFrame
        A term that was not fitted has an empty row.
    """
    columns = ["estimate", "std_error", "df", "statistic", "p_value", "ci_low", "ci_high"]
    table = pd.DataFrame(np.nan, index=range(len(terms)), columns=columns)
    for place, estimate, error, df in zip(kept, beta, errors, freedom, strict=True):
        made = t_interval(float(estimate), float(error), float(df))
        table.loc[place] = [
            estimate,
            error,
            df,
            estimate / error if error > 0 else np.nan,
            made.p_value,
            made.low,
            made.high,
        ]
    table.insert(0, "term", pd.Series(terms, dtype="str"))
    return table


def robust_table(
    terms: list[str], kept: NDArray[np.intp], beta: Floats, parts: ClusterParts
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out coefficients with CR2 errors and their own df, and their covariance.

    Parameters
    ----------
    terms : list of str
        Every term of the formula.
    kept : ndarray of int
        Those that were fitted.
    beta : ndarray
    parts : ClusterParts

    Returns
    -------
    fixed, vcov : pandas.DataFrame
    """
    robust = cr2(parts)
    freedom = np.array([robust.df(contrast) for contrast in np.eye(len(beta))])
    errors = np.sqrt(np.diag(robust.vcov))
    labels = [terms[position] for position in kept]
    vcov = pd.DataFrame(robust.vcov, index=labels, columns=labels)
    return fixed_table(terms, kept, beta, errors, freedom), vcov


def variance_table(
    fit: MixedFit, group: str, names: list[str], terms: list[tuple[str, bool]], design: FormulaData
) -> pd.DataFrame:
    """Lay out the variances, covariances and residual of a mixed model.

    Parameters
    ----------
    fit : MixedFit
    group : str
    names : list of str
        Columns of Z.
    terms : list of (term, correlated)
    design : FormulaData

    Returns
    -------
    pandas.DataFrame
    """
    covariance = fit.sigma**2 * fit.factor @ fit.factor.T
    sds = np.sqrt(np.diag(covariance))
    records: list[tuple[str, str, str, float, float]] = []
    records += [(group, name, "", covariance[k, k], sds[k]) for k, name in enumerate(names)]
    start = 0
    for (_, correlated), labels in zip(terms, design.random_names, strict=True):
        inside = range(start, start + len(labels)) if correlated else range(0)
        for one in inside:
            for two in range(one + 1, start + len(labels)):
                scale = sds[one] * sds[two]
                correlation = covariance[one, two] / scale if scale > 0 else np.nan
                records.append((group, names[one], names[two], covariance[one, two], correlation))
        start += len(labels)
    records.append(("Residual", "", "", fit.sigma**2, fit.sigma))
    columns = ["group", "term_1", "term_2", "variance_or_covariance", "sd_or_correlation"]
    return pd.DataFrame.from_records(records, columns=columns)

"""Linear models by formula, with inference that few clusters do not fool: `fit_linear`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.models.model_rows import read_rows
from baseeval.models.term_tables import fixed_table, labelled
from baseeval.numerics.cr2 import cr2, weighted_parts
from baseeval.numerics.least_squares import fit_least_squares, independent_columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model fitted by formula.

    Parameters
    ----------
    fixed : pandas.DataFrame
        ``term, estimate, std_error, df, statistic, p_value, ci_low, ci_high``;
        terms named and ordered as formulaic does. A term that adds nothing to
        earlier ones has an empty row.
    vcov : pandas.DataFrame
        Covariance of the estimates, terms by terms.
    residual_sd : float
    inference : str
    """

    fixed: pd.DataFrame
    vcov: pd.DataFrame
    residual_sd: float
    inference: str


def fit_linear(
    formula: str,
    data: IntoDataFrame,
    *,
    weights: str | Floats | None = None,
    cluster: str,
    inference: str = "cr2_satterthwaite",
) -> LinearModel:
    """Fit a linear model with cluster-robust inference that few clusters do not fool.

    Parameters
    ----------
    formula : str
        As formulaic reads it. Rows with a missing value are left out.
    data : dataframe
        Any that narwhals reads.
    weights : str or ndarray, optional
        Column or array of weights; rows of weight zero are left out.
    cluster : str
        Column that names each row's cluster.
    inference : str
        cr2_satterthwaite, with the identity as working covariance.

    Returns
    -------
    LinearModel

    Raises
    ------
    UsageError, DataError
        The formula or the data cannot be used.

    Examples
    --------
    >>> frame = pd.DataFrame({"y": [1.0, 2, 3, 5, 4, 6], "g": [0.0, 1, 0, 1, 0, 1]})
    >>> frame["school"] = list("aabbcc")
    >>> fit = fit_linear("y ~ g", frame, cluster="school")
    >>> fit.fixed["estimate"].round(6).tolist()
    [2.666667, 1.666667]
    """
    check_choice("inference", inference, ("cr2_satterthwaite",))
    rows = read_rows(formula, data, weights=weights, cluster=cluster)
    if rows.random or rows.cluster is None:
        raise UsageError(
            Problem(f"formula `{formula}`", "it has random terms", "Use fit_mixed, or drop them.")
        )
    size = np.ones(rows.n) if rows.weights is None else rows.weights
    kept = independent_columns(rows.x * np.sqrt(size)[:, None])
    enough_rows(formula, rows.n, len(kept))
    x = rows.x[:, kept]
    fit = fit_least_squares(x, rows.outcome, size)
    groups = rows.cluster.codes.astype(np.intp)
    robust = cr2(weighted_parts(x, fit.residuals, size, groups, fit.bread))
    freedom = np.array([robust.df(contrast) for contrast in np.eye(len(kept))])
    errors = np.sqrt(np.diag(robust.vcov))
    return LinearModel(
        fixed_table(rows.terms, kept, fit.beta, errors, freedom),
        labelled(robust.vcov, rows.terms, kept),
        fit.sigma,
        inference,
    )


def enough_rows(formula: str, rows: int, coefficients: int) -> None:
    """Refuse a model of as many coefficients as rows.

    Parameters
    ----------
    formula : str
    rows, coefficients : int

    Raises
    ------
    EstimationError
    """
    if rows <= coefficients:
        raise EstimationError(
            Problem(
                f"formula `{formula}`",
                f"{coefficients} coefficients are asked of {rows} rows",
                "Use fewer terms.",
            ),
            flag="model_failed",
        )

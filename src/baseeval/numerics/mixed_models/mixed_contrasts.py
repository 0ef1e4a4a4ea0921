"""Contrasts and marginal means of a mixed model's coefficients, with tests.

A marginal mean is the average of what the model predicts over a reference grid: all combinations
of the factors' levels, numeric columns at their means (Searle, Speed and Milliken 1980,
doi:10.1080/00031305.1980.10483031).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from baseeval.errors import Problem, UsageError
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.kenward_roger import kenward_roger
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Denominator = Literal["satterthwaite", "kenward_roger"]


@dataclass(frozen=True, slots=True)
class ContrastTable:
    """Estimates of contrasts; every array of shape (c,).

    Parameters
    ----------
    estimate, std_error, df, statistic, p_value, low, high : ndarray
        df and what follows NaN at a singular fit under Satterthwaite.
    """

    estimate: Floats
    std_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    low: Floats
    high: Floats


def mixed_contrasts(
    fit: MixedFit, contrasts: Floats, df: Denominator = "kenward_roger", level: float = 0.95
) -> ContrastTable:
    """Estimate contrasts, with t tests that they are zero.

    Parameters
    ----------
    fit : MixedFit
    contrasts : ndarray, shape (c, k)
        Of the columns kept.
    df : {"satterthwaite", "kenward_roger"}
        The latter with its own covariance; by REML only.
    level : float

    Returns
    -------
    ContrastTable
    """
    vcov = fit.vcov
    if df == "kenward_roger":
        adjusted = kenward_roger(fit)
        vcov, freedom = adjusted.vcov, np.array([adjusted.df(row) for row in contrasts])
    else:
        freedom = satterthwaite_df(fit, contrasts)
    estimate = contrasts @ fit.beta
    error = np.sqrt(np.einsum("ck,kl,cl->c", contrasts, vcov, contrasts))
    statistic = estimate / error
    wide = student.ppf(0.5 + level / 2, freedom) * error
    return ContrastTable(
        estimate,
        error,
        freedom,
        statistic,
        2 * student.sf(np.abs(statistic), freedom),
        estimate - wide,
        estimate + wide,
    )


def marginal_contrasts(grid: Floats, level: Ints, weights: Floats | None = None) -> Floats:
    """Return what takes coefficients to the marginal mean of each level of a factor.

    Parameters
    ----------
    grid : ndarray, shape (g, k)
        The columns kept at each point of the reference grid.
    level : ndarray of int, shape (g,)
        The factor's level there, 0 to A - 1.
    weights : ndarray, shape (g,), optional
        Equal unless given; see :func:`grid_weights`. Scaled to one within a level.

    Returns
    -------
    ndarray, shape (A, k)

    Raises
    ------
    UsageError
        A level has no point of the grid with weight.
    """
    held = np.ones(len(grid)) if weights is None else weights
    total = np.bincount(level, held)
    if np.any(total <= 0):
        raise UsageError(
            Problem(
                "marginal means",
                f"{int(np.sum(total <= 0))} of {len(total)} levels have no weight in the grid",
                "Give each level a combination that was observed, or weigh them equally.",
            )
        )
    shares = np.zeros((len(total), len(grid)))
    shares[level, np.arange(len(grid))] = held / total[level]
    return np.asarray(shares @ grid)


def grid_weights(counts: Floats, others: Ints) -> Floats:
    """Return proportional weights: how common each combination of the other factors is.

    Parameters
    ----------
    counts : ndarray, shape (g,)
        Rows of the data at each point of the grid.
    others : ndarray of int, shape (g,)
        Which combination of the other factors a point has.

    Returns
    -------
    ndarray, shape (g,)
        The same for every level of the factor, so that means are compared over
        one population. Counts themselves as weights compare each level over its own.

    Examples
    --------
    >>> grid_weights(np.array([3.0, 1.0, 0.0, 4.0]), np.array([0, 1, 0, 1]))
    array([3., 5., 3., 5.])
    """
    return np.asarray(np.bincount(others, counts)[others])


def pairwise_contrasts(rows: Floats) -> tuple[Floats, list[tuple[int, int]]]:
    """Return the difference of every two rows, the earlier taken from the later.

    Parameters
    ----------
    rows : ndarray, shape (A, k)

    Returns
    -------
    differences : ndarray, shape (A (A - 1) / 2, k)
    pairs : list of (int, int)
        Of each difference: the row, and the one taken from it.
    """
    later, earlier = np.tril_indices(len(rows), -1)
    return rows[later] - rows[earlier], list(zip(later.tolist(), earlier.tolist(), strict=True))

"""How well a factor model fits: chi-square, CFI, TLI, RMSEA with its interval, SRMR.

Bentler (1990, doi:10.1037/0033-2909.107.2.238) for CFI; Steiger (1998,
doi:10.1080/10705519809540115) for RMSEA in several groups; Browne and Cudeck (1992,
doi:10.1177/0049124192021002005) for its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2 as chi_square
from scipy.stats import ncx2

from baseeval.numerics.factor import FactorFit
from baseeval.numerics.factor_model import Moments


@dataclass(frozen=True, slots=True)
class FitIndices:
    """Fit of a factor model.

    Parameters
    ----------
    chi2, df, p_value : float, int, float
        p is NaN where df is 0.
    cfi, tli : float
        Against items that are unrelated in every group, means free.
    rmsea, rmsea_low, rmsea_high : float
        With a 90% interval; NaN where df is 0.
    srmr : float
        Means included, as lavaan's default.
    """

    chi2: float
    df: int
    p_value: float
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmr: float


def fit_indices(fit: FactorFit, data: Sequence[Moments]) -> FitIndices:
    """Return the indices of a fitted model.

    Parameters
    ----------
    fit : FactorFit
    data : sequence of Moments
        What it was fitted to.

    Returns
    -------
    FitIndices
    """
    chi2, df = fit.chi2, fit.model.df
    null, null_df = _unrelated(data)
    excess, null_excess = max(chi2 - df, 0.0), max(null - null_df, 0.0)
    top = max(excess, null_excess)
    nan = float("nan")
    if df == 0:
        return FitIndices(chi2, 0, nan, 1.0, 1.0, nan, nan, nan, _srmr(fit, data))
    rows = sum(own.n for own in data)
    unit = df * rows / len(data)
    low, high = (_noncentrality(chi2, df, tail) for tail in (0.95, 0.05))
    spare = null / null_df - 1
    return FitIndices(
        chi2=chi2,
        df=df,
        p_value=float(chi_square.sf(chi2, df)),
        cfi=1 - excess / top if top > 0 else 1.0,
        tli=(null / null_df - chi2 / df) / spare if spare > 0 else nan,
        rmsea=float(np.sqrt(excess / unit)),
        rmsea_low=float(np.sqrt(low / unit)),
        rmsea_high=float(np.sqrt(high / unit)),
        srmr=_srmr(fit, data),
    )


def _unrelated(data: Sequence[Moments]) -> tuple[float, int]:
    """Return the chi-square and df of items that are unrelated in every group."""
    chi2, df = 0.0, 0
    for own in data:
        logs = np.log(np.diag(own.covariance)).sum()
        chi2 += own.n * (logs - np.linalg.slogdet(own.covariance)[1])
        df += len(own.mean) * (len(own.mean) - 1) // 2
    return float(chi2), df


def _noncentrality(chi2: float, df: int, tail: float) -> float:
    """Return the noncentrality under which a chi-square this small has chance `tail`; 0 if none."""
    if chi_square.cdf(chi2, df) <= tail:
        return 0.0

    def above(noncentrality: float) -> float:
        return float(ncx2.cdf(chi2, df, noncentrality)) - tail

    # At this noncentrality the chi-square seen lies more than six standard deviations below.
    most = chi2 + 50 + 12 * np.sqrt(2 * df + 4 * chi2 + 100)
    return float(brentq(above, 1e-12, most, xtol=1e-10, rtol=1e-12))


def _srmr(fit: FactorFit, data: Sequence[Moments]) -> float:
    covariance, mean = fit.matrices.covariance, fit.matrices.mean
    total = 0.0
    for own, sigma, mu in zip(data, covariance, mean, strict=True):
        sd = np.sqrt(np.diag(own.covariance))
        apart = ((own.covariance - sigma) / np.outer(sd, sd))[np.tril_indices(len(sd))]
        squares = np.concatenate([apart, (own.mean - mu) / sd]) ** 2
        total += own.n * np.sqrt(squares.mean())
    return float(total / sum(own.n for own in data))

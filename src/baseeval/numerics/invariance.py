"""Whether a scale measures the same thing in every group or at every wave.

The ladder of Meredith (1993, doi:10.1007/BF02294825): the same factors (configural), equal
loadings (metric), equal intercepts (scalar). Only where the last holds can means be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi_square

from baseeval.numerics.factor import FactorFit, fit_factors
from baseeval.numerics.factor_indices import FitIndices, fit_indices
from baseeval.numerics.factor_model import Moments
from baseeval.numerics.invariance_model import STEPS, measurement_model

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rules:
    """When a step of the ladder holds.

    Parameters
    ----------
    cfi_drop, rmsea_rise : float
        The most that CFI may fall and RMSEA rise from the step below (Chen 2007,
        doi:10.1080/10705510701301834).
    cfi_least, srmr_most : float
        What the configural model must reach (Bentler 1990; Hu and Bentler 1999,
        doi:10.1080/10705519909540118).
    least_cases : int
        Fewer complete cases in a group, and nothing is judged.
    """

    cfi_drop: float = 0.010
    rmsea_rise: float = 0.015
    cfi_least: float = 0.90
    srmr_most: float = 0.08
    least_cases: int = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ladder.

    Parameters
    ----------
    name : str
        One of :data:`STEPS`.
    fit : FactorFit
    indices : FitIndices
    d_chi2, d_df, d_p_value, d_cfi, d_rmsea, d_srmr : float
        This step less the one below; NaN at the first.
    verdict : str
        ``holds``, ``fails`` or ``not assessable``.
    why : str
        Empty where it holds.
    """

    name: str
    fit: FactorFit
    indices: FitIndices
    d_chi2: float
    d_df: float
    d_p_value: float
    d_cfi: float
    d_rmsea: float
    d_srmr: float
    verdict: str
    why: str


def climb(
    data: Sequence[Moments],
    pattern: Flags,
    waves: int = 1,
    identification: str = "variance",
    rules: Rules | None = None,
) -> tuple[Step, ...]:
    """Fit the three steps and judge each.

    Parameters
    ----------
    data : sequence of Moments
        One a group; items of wave 1, then of wave 2, and so on.
    pattern : ndarray of bool, shape (p, m)
        Which item of a wave belongs to which factor.
    waves : int
        With more than one, equality holds across waves (and groups), and the residuals of one item
        are correlated over its waves.
    identification : str
        ``variance``: a factor's variance is 1 in the first group and wave (with nothing equal, in
        every one); ``marker``: the loading of its first item is 1.
    rules : Rules, optional

    Returns
    -------
    tuple of Step

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> def group(mean):
    ...     factor = mean + rng.normal(size=(400, 1))
    ...     rows = factor + rng.normal(size=(400, 4))
    ...     return Moments(400, rows.mean(0), np.cov(rows.T, ddof=0))
    >>> steps = climb([group(0.0), group(0.5)], np.ones((4, 1), dtype=bool))
    >>> [step.verdict for step in steps]
    ['holds', 'holds', 'holds']
    >>> round(float(steps[-1].fit.matrices.factor_mean[1, 0]), 1)
    0.6
    """
    limits = rules or Rules()
    steps: list[Step] = []
    for name in STEPS:
        model = measurement_model(data, pattern, name, waves, identification)
        fit = fit_factors(model, data)
        steps.append(_judged(name, fit, fit_indices(fit, data), steps, limits))
    return tuple(steps)


def _judged(
    name: str, fit: FactorFit, indices: FitIndices, below: Sequence[Step], rules: Rules
) -> Step:
    nan = float("nan")
    change = (nan,) * 6
    if below:
        before = below[-1].indices
        d_chi2, d_df = indices.chi2 - before.chi2, float(indices.df - before.df)
        change = (
            d_chi2,
            d_df,
            float(chi_square.sf(d_chi2, d_df)) if d_df > 0 else nan,
            indices.cfi - before.cfi,
            indices.rmsea - before.rmsea,
            indices.srmr - before.srmr,
        )
    verdict, why = _verdict(fit, indices, change, below, rules)
    return Step(name, fit, indices, *change, verdict, why)


def _verdict(
    fit: FactorFit,
    indices: FitIndices,
    change: tuple[float, ...],
    below: Sequence[Step],
    rules: Rules,
) -> tuple[str, str]:
    """Judge a step; rounding of 1e-9 is nobody's evidence."""
    cannot = "not assessable"
    if not fit.converged:
        return cannot, "the fit did not converge"
    if not fit.identified:
        return cannot, "the model is not identified on these data"
    if fit.improper:
        return cannot, "a variance is estimated below zero, or a correlation beyond one"
    if not below:
        if indices.df == 0:
            return cannot, "with as many parameters as moments, the model fits any data"
        enough = indices.cfi >= rules.cfi_least - 1e-9 and indices.srmr <= rules.srmr_most + 1e-9
        return ("holds", "") if enough else ("fails", "the model does not fit with nothing equal")
    tested = below[-1].indices.df > 0
    if below[-1].verdict == "fails" or (below[-1].verdict == cannot and tested):
        return cannot, "the step below it does not hold"
    if not tested and not (below[-1].fit.converged and not below[-1].fit.improper):
        return cannot, "the step below it does not hold"
    worse = [
        words
        for words, off in (
            ("CFI falls", -change[3] > rules.cfi_drop + 1e-9),
            ("RMSEA rises", change[4] > rules.rmsea_rise + 1e-9),
        )
        if off
    ]
    return ("fails", f"{' and '.join(worse)} by more than allowed") if worse else ("holds", "")

"""Factor models of several groups with means, by maximum likelihood from their moments.

Entries may be fixed, free, or equal to one another. Fisher scoring is here a least-squares step on
whitened moments, as derived in `docs/methods/scales.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.factor_model import (
    MATRICES,
    FactorModel,
    Matrices,
    Moments,
    build_matrices,
    is_singular,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_STEPS = 300
_PRECISION = 1e-13


@dataclass(frozen=True, slots=True)
class FactorFit:
    """A fitted factor model.

    Parameters
    ----------
    model : FactorModel
    parameters : ndarray, shape (q,)
    vcov : ndarray, shape (q, q)
        Inverse of the expected information; NaN where not identified.
    chi2 : float
        Likelihood ratio against free moments.
    matrices : Matrices
    converged : bool
    identified : bool
        Whether the information has full rank where the fit ended.
    """

    model: FactorModel
    parameters: Floats
    vcov: Floats
    chi2: float
    matrices: Matrices
    converged: bool
    identified: bool

    @property
    def improper(self) -> tuple[tuple[str, int, int], ...]:
        """Return what no population can have: (kind, group, position of item or factor).

        Kinds: ``residual_variance`` and ``factor_variance`` below zero, and
        ``factor_covariance`` (position -1) with a correlation beyond one.
        """
        found = []
        for group in range(self.model.groups):
            residual = np.diag(self.matrices.residual_covariance[group])
            found += [("residual_variance", group, int(i)) for i in np.flatnonzero(residual < 0)]
            factor = self.matrices.factor_covariance[group]
            negative = np.flatnonzero(np.diag(factor) <= 0)
            found += [("factor_variance", group, int(i)) for i in negative]
            if not len(negative) and np.linalg.eigvalsh(factor).min() < 0:
                found.append(("factor_covariance", group, -1))
        return tuple(found)

    @property
    def standard_errors(self) -> Floats:
        """Return each entry's standard error, NaN where it is fixed, shape (e,)."""
        errors = np.sqrt(np.diag(self.vcov))
        return np.where(self.model.parameter >= 0, errors[self.model.parameter], np.nan)


def fit_factors(model: FactorModel, data: Sequence[Moments]) -> FactorFit:
    """Fit a factor model by maximum likelihood.

    Parameters
    ----------
    model : FactorModel
    data : sequence of Moments
        One a group.

    Returns
    -------
    FactorFit
        Its `converged`, `identified` and `improper` say what it is worth.

    Raises
    ------
    EstimationError
        A covariance is singular, or there are more parameters than moments.
    """
    _refuse(model, data)
    parameters, damping, converged = model.start, 1e-3, False
    deviance = deviance_of(model, data, parameters)
    for _ in range(_STEPS):
        jacobian, residual = whitened(model, data, parameters)
        slope = jacobian.T @ residual
        information = jacobian.T @ jacobian
        scale = np.sqrt(np.diag(information))
        scale[scale == 0] = 1.0
        curved, rise = information / np.outer(scale, scale), slope / scale
        gain = float(rise @ np.linalg.lstsq(curved, rise, rcond=1e-12)[0])
        if gain < _PRECISION * max(1.0, deviance):
            converged = True
            break
        while damping < 1e12:
            step = np.linalg.solve(curved + damping * np.eye(len(rise)), rise) / scale
            trial = deviance_of(model, data, parameters + step)
            if trial <= deviance + 1e-12 * max(1.0, abs(deviance)):
                break
            damping *= 8
        else:
            converged = gain < 1e-8 * max(1.0, deviance)
            break
        parameters, deviance = parameters + step, trial
        damping = max(damping / 16, 1e-14)
    return _finish(model, data, parameters, deviance, converged)


def deviance_of(model: FactorModel, data: Sequence[Moments], parameters: Floats) -> float:
    """Return the likelihood ratio chi-square at some parameters.

    Parameters
    ----------
    model : FactorModel
    data : sequence of Moments
    parameters : ndarray, shape (q,)

    Returns
    -------
    float
        Infinite where an implied covariance is not positive definite.
    """
    at = build_matrices(model, parameters)
    total = 0.0
    for own, sigma, mu in zip(data, at.covariance, at.mean, strict=True):
        try:
            root = np.linalg.cholesky(sigma)
        except np.linalg.LinAlgError:
            return float("inf")
        away = own.mean - mu
        around = own.covariance + np.outer(away, away)
        ratio = np.linalg.solve(root, np.linalg.solve(root, around).T)
        logs = 2 * np.log(np.diag(root)).sum() - np.linalg.slogdet(own.covariance)[1]
        total += own.n * (logs + np.trace(ratio) - model.items)
    return float(total) if np.isfinite(total) else float("inf")


def whitened(
    model: FactorModel, data: Sequence[Moments], parameters: Floats
) -> tuple[Floats, Floats]:
    """Return the whitened derivative of the moments and what is left of the moments.

    Parameters
    ----------
    model : FactorModel
    data : sequence of Moments
    parameters : ndarray, shape (q,)

    Returns
    -------
    jacobian : ndarray, shape (r, q)
        ``jacobian' jacobian`` is the expected information.
    residual : ndarray, shape (r,)
        ``-2 jacobian' residual`` is the derivative of the chi-square.
    """
    at = build_matrices(model, parameters)
    d_covariance, d_mean = _derivatives(model, at)
    covariance, mean = at.covariance, at.mean
    rows, left = [], []
    for group, own in enumerate(data):
        inverse = np.linalg.inv(np.linalg.cholesky(covariance[group]))
        away = inverse @ (own.mean - mean[group])
        apart = inverse @ own.covariance @ inverse.T + np.outer(away, away) - np.eye(model.items)
        spread = inverse @ d_covariance[:, group] @ inverse.T
        half, whole = np.sqrt(own.n / 2), np.sqrt(own.n)
        rows += [half * spread.reshape(model.size, -1).T, whole * inverse @ d_mean[:, group].T]
        left += [half * apart.ravel(), whole * away]
    return np.vstack(rows), np.concatenate(left)


def _derivatives(model: FactorModel, at: Matrices) -> tuple[Floats, Floats]:
    """Return dSigma, shape (q, G, p, p), and dmu, shape (q, G, p), by parameter."""
    d_covariance = np.zeros((model.size, model.groups, model.items, model.items))
    d_mean = np.zeros((model.size, model.groups, model.items))
    scores = at.loading @ at.factor_covariance

    def free(name: str) -> tuple[Integers, Integers, Integers, Integers]:
        here = (model.matrix == MATRICES.index(name)) & (model.parameter >= 0)
        return model.parameter[here], model.group[here], model.row[here], model.column[here]

    which, group, row, column = free("loading")
    np.add.at(d_covariance, (which, group, row), scores[group, :, column])
    across = d_covariance.swapaxes(2, 3)
    np.add.at(across, (which, group, row), scores[group, :, column])
    np.add.at(d_mean, (which, group, row), at.factor_mean[group, column])
    which, group, row, column = free("factor_covariance")
    first, second = at.loading[group, :, row], at.loading[group, :, column]
    outer = first[:, :, None] * second[:, None, :]
    both = outer + outer.transpose(0, 2, 1)
    np.add.at(d_covariance, (which, group), both / np.where(row == column, 2, 1)[:, None, None])
    which, group, row, column = free("residual_covariance")
    np.add.at(d_covariance, (which, group, row, column), 1.0)
    off = row != column
    np.add.at(d_covariance, (which[off], group[off], column[off], row[off]), 1.0)
    which, group, row, _ = free("intercept")
    np.add.at(d_mean, (which, group, row), 1.0)
    which, group, row, _ = free("factor_mean")
    np.add.at(d_mean, (which, group), at.loading[group, :, row])
    return d_covariance, d_mean


def _finish(
    model: FactorModel, data: Sequence[Moments], parameters: Floats, deviance: float, done: bool
) -> FactorFit:
    jacobian, _ = whitened(model, data, parameters)
    information = jacobian.T @ jacobian
    scale = np.sqrt(np.diag(information))
    identified = bool(np.all(scale > 0))
    vcov = np.full_like(information, np.nan)
    if identified:
        relative = information / np.outer(scale, scale)
        spread = np.linalg.eigvalsh(relative)
        identified = bool(spread[0] > 1e-9 * spread[-1])
        if identified:
            vcov = np.linalg.inv(relative) / np.outer(scale, scale)
    matrices = build_matrices(model, parameters)
    return FactorFit(model, parameters, vcov, max(deviance, 0.0), matrices, done, identified)


def _refuse(model: FactorModel, data: Sequence[Moments]) -> None:
    bad = [group for group, own in enumerate(data) if is_singular(own)]
    if bad:
        raise EstimationError(
            Problem(
                f"factor model, group {bad[0] + 1} of {model.groups}",
                f"the covariance of its {model.items} items over {data[bad[0]].n} complete rows "
                "has no inverse",
                "Leave out items that do not vary or repeat others, or gather more rows.",
            ),
            flag="model_failed",
        )
    if model.df < 0:
        raise EstimationError(
            Problem(
                "factor model",
                f"{model.size} parameters cannot be had from {model.df + model.size} moments",
                "Give a factor at least three items.",
            ),
            flag="model_failed",
        )

"""A fitted generalised linear mixed model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.separation import Separation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LevelEffects:
    """The random effects of one term given the data and the parameters.

    Parameters
    ----------
    modes : ndarray, shape (G, q)
        Most likely effects, in units of the linear predictor.
    variance : ndarray, shape (G, q, q)
        Their conditional variance, from the second derivative at the modes.
    """

    modes: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class GeneralisedFit:
    """A fitted generalised linear mixed model.

    Parameters
    ----------
    beta : ndarray, shape (k,)
        Coefficients of the columns kept.
    vcov : ndarray, shape (k, k)
        Their covariance: from the second derivative of the likelihood of all
        parameters. NaN where the likelihood has no top.
    kept : ndarray of int, shape (k,)
        Columns of x that do not follow from earlier ones (for ordered
        categories, from the thresholds).
    theta : ndarray, shape (m,)
        Elements of the terms' factors L: effects have covariance L L'.
    parameters : ndarray, shape (k + m + d,)
        beta, theta, and the logarithm of the dispersion or the thresholds.
    parameters_vcov : ndarray, shape (k + m + d, k + m + d)
        NaN for parameters at a boundary.
    loglik : float
        With all constants.
    dispersion : float or None
        phi of the (beta-)binomial or negative binomial, as glmmTMB's sigma();
        infinite where rows vary no more than binomially or as a Poisson.
    thresholds : ndarray or None
        Of ordered categories, shape (K - 1,).
    effects : tuple of LevelEffects
        One a term.
    predictor : ndarray, shape (n,)
        Linear predictor with the effects at their modes.
    scores : ndarray, shape (U, k + m + d), or None
        Derivative of the log-likelihood of each unit: the groups of one factor,
        or of the outer one of two nested. None where factors are crossed.
    row_unit : ndarray of int, shape (n,)
        The unit of each row.
    converged : bool
    singular : bool
        Whether a variance is estimated at zero.
    separation : Separation or None
        Which columns (of x) have no finite coefficient; the fit is then one place on the way.
    flags : tuple of str
        `not_converged`, `variance_at_zero`, `separated`, `no_overdispersion`,
        `edge_of_link` (chances of one, or of zero, under the log or identity link).
    quadrature : int
        Points for each effect; 1 is Laplace's approximation.
    rows : GroupedRows
        What was fitted, its columns moved by `turn`.
    turn : ndarray, shape (k, k)
        beta = turn times the coefficients of `rows`.
    """

    beta: Floats
    vcov: Floats
    kept: Ints
    theta: Floats
    parameters: Floats
    parameters_vcov: Floats
    loglik: float
    dispersion: float | None
    thresholds: Floats | None
    effects: tuple[LevelEffects, ...]
    predictor: Floats
    scores: Floats | None
    row_unit: Ints
    converged: bool
    singular: bool
    separation: Separation | None
    flags: tuple[str, ...]
    quadrature: int
    rows: GroupedRows
    turn: Floats

    @property
    def factors(self) -> list[Floats]:
        """Return L of each term, shapes (q_t, q_t)."""
        return self.rows.layout.factors(self.theta)

    @property
    def covariances(self) -> list[Floats]:
        """Return the covariance of each term's effects, shapes (q_t, q_t)."""
        return [lower @ lower.T for lower in self.factors]

    @property
    def shared(self) -> Floats:
        """Return phi: the log dispersion or the thresholds, shape (d,)."""
        return self.parameters[len(self.beta) + len(self.theta) :]

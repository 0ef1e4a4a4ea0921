"""Kenward and Roger's covariance and degrees of freedom, without a matrix of rows by rows.

Kenward and Roger (1997, doi:10.2307/2533558), in the form of Halekoh and Hojsgaard (2014,
doi:10.18637/jss.v059.i09). Var(y) is linear in the residual variance and the free elements
sigma_r of the effects' covariances, so that first and second derivatives of X'V^-1X and of
log|V| hold every piece: see `docs/methods/kenward-roger.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from baseeval.errors import Problem, UsageError
from baseeval.numerics.mixed_models.covariance_derivatives import (
    CovarianceDerivatives,
    covariance_derivatives,
)
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.satterthwaite_df import JointTest

Floats = NDArray[np.float64]

#: Eigenvalues, over the largest, that count as zero.
_RANK = 1e-10


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """The adjusted inference of a model fitted by REML.

    Parameters
    ----------
    vcov : ndarray, shape (k, k)
        Adjusted covariance of the coefficients of the columns kept.
    beta : ndarray, shape (k,)
    model : ndarray, shape (k, k)
        Phi, the covariance before its adjustment.
    weights : ndarray, shape (r, r)
        Covariance of the variance parameters, from the expected information.
    slopes : ndarray, shape (r, k, k)
        Phi P_r Phi: minus the derivative of Phi with respect to each parameter.
    """

    vcov: Floats
    beta: Floats
    model: Floats
    weights: Floats
    slopes: Floats

    def df(self, contrast: Floats) -> float:
        """Return the degrees of freedom of one contrast.

        Parameters
        ----------
        contrast : ndarray, shape (k,)

        Returns
        -------
        float
        """
        return self._denominator(np.atleast_2d(contrast))[0]

    def test(self, contrasts: Floats) -> JointTest:
        """Test that several contrasts are all zero, by the scaled F.

        Parameters
        ----------
        contrasts : ndarray, shape (c, k)

        Returns
        -------
        JointTest
        """
        values, vectors = np.linalg.eigh(contrasts @ self.model @ contrasts.T)
        held = vectors[:, values > _RANK * values[-1]].T @ contrasts
        df, scaling = self._denominator(held)
        estimate = held @ self.beta
        wald = float(estimate @ np.linalg.solve(held @ self.vcov @ held.T, estimate))
        count = len(held)
        statistic = scaling * wald / count
        return JointTest(
            statistic, count, df, float(f_distribution.sf(statistic, count, df)), scaling
        )

    def _denominator(self, contrasts: Floats) -> tuple[float, float]:
        """Return df and scaling for contrasts of full rank: Kenward and Roger, section 3."""
        q = len(contrasts)
        inner = contrasts @ self.model @ contrasts.T
        moved = np.linalg.solve(inner, contrasts @ self.slopes @ contrasts.T)
        traces = np.einsum("rii->r", moved)
        a1 = float(traces @ self.weights @ traces)
        a2 = float(np.einsum("rs,rij,sji->", self.weights, moved, moved))
        b = (a1 + 6 * a2) / (2 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        below = 3 * q + 2 * (1 - g)
        c1, c2, c3 = g / below, (q - g) / below, (q + 2 - g) / below
        mean = 1 / (1 - a2 / q)
        variance = 2 / q * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        rho = variance / (2 * mean**2)
        df = 4 + (q + 2) / (q * rho - 1)
        return float(df), float(df / (mean * (df - 2)))


def kenward_roger(fit: MixedFit) -> KenwardRoger:
    """Prepare Kenward and Roger's inference, singular fits included.

    Parameters
    ----------
    fit : MixedFit
        By REML.

    Returns
    -------
    KenwardRoger

    Raises
    ------
    UsageError
        The fit is not by REML, for which the adjustment was derived.

    Notes
    -----
    Precision weights are part of the covariance. Sampling weights are not: a
    model with them has no likelihood, and callers refuse before this.
    """
    if not fit.reml:
        raise UsageError(
            Problem(
                "df = kenward_roger",
                "the model was fitted by maximum likelihood",
                "Fit by REML, or take satterthwaite df.",
            )
        )
    found = covariance_derivatives(fit)
    phi: Floats = np.asarray(np.linalg.inv(fit.at.information), dtype=np.float64)
    pushed = phi @ found.information
    weights = _weights(found, pushed, phi)
    # sum W_rs (Q_rs - P_r Phi P_s): both halves of a pair have the same weight.
    lift = np.einsum("rs,rsij->ij", weights, found.information_twice) / 2
    lift -= np.einsum("rs,rij,sjk->ik", weights, found.information, pushed)
    unit = fit.likelihood.coordinates.to_beta * fit.sigma
    adjusted = phi + 2 * phi @ lift @ phi
    return KenwardRoger(
        vcov=unit @ (adjusted + adjusted.T) @ unit.T / 2,
        beta=fit.beta,
        model=unit @ phi @ unit.T,
        weights=weights,
        slopes=unit @ (pushed @ phi) @ unit.T,
    )


def _weights(found: CovarianceDerivatives, pushed: Floats, phi: Floats) -> Floats:
    """Return W, the inverse of the expected information of the variance parameters."""
    twice = np.einsum("ij,rsji->rs", phi, found.information_twice)
    information = -found.log_det_twice - twice + np.einsum("rij,sji->rs", pushed, pushed)
    unit = np.sqrt(np.abs(np.diagonal(information)))
    unit = np.where(unit > 0, unit, 1.0)
    scaled = np.linalg.pinv(information / np.outer(unit, unit), rcond=_RANK, hermitian=True)
    return np.asarray(2 * scaled / np.outer(unit, unit))

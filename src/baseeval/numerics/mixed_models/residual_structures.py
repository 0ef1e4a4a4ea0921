"""Mixed models whose residuals are correlated over waves, or differ in variance by arm.

The models of nlme's `gls` and `lme` with `corAR1`, `corCompSymm`, `corSymm` and `varIdent`
(Pinheiro and Bates 2000, chapter 5): pupils seen at some of several occasions, in schools.
`docs/methods/residual-structures.md` has the derivation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.residual_forms import ResidualForm, slopes
from baseeval.numerics.mixed_models.residual_likelihood import ResidualLikelihood, ResidualProfile
from baseeval.numerics.mixed_models.residual_rows import (
    REPRODUCED,
    ResidualStructure,
    WaveRows,
    wave_likelihood,
)
from baseeval.numerics.mixed_models.residual_search import (
    at_boundary,
    curvature,
    find_maximum,
    free_count,
    residual_deviance,
)
from baseeval.numerics.mixed_models.templates import Template

Floats = NDArray[np.float64]

#: Residuals whose correlation matrix has a smaller eigenvalue are as good as tied together.
_TIED = 1e-7
#: Where this share of the variance or less is left, a model reproduces the data: the likelihood
#: has no maximum.
_REPRODUCED = 1e-13


@dataclass(frozen=True, slots=True)
class ResidualFit:
    """A fitted model with a structure of residuals.

    Parameters
    ----------
    beta : ndarray, shape (k,)
        Coefficients of the columns kept.
    vcov : ndarray, shape (k, k)
    theta : ndarray
        Parameters of the factor L of the schools' effects, then of the pupils'.
    sigma : float
        Residual standard deviation at the first occasion and stratum.
    names : list of str
        Parameters of the residuals.
    values : ndarray
        Correlations, and ratios of standard deviations. That of "ar1" is the correlation of
        residuals one step apart, a step being the greatest common divisor of the distances
        between occasions: of neighbours, where occasions are evenly spaced.
    values_vcov : ndarray
        Their covariance, from the curvature of the likelihood; NaN where it has none.
    information : ndarray
        Of psi, variances at zero left out, and log sigma^2: half the second derivative of the
        deviance, whose inverse is their covariance.
    loglik : float
        REML or ML log-likelihood, with the constants of lme4 and nlme.
    singular : bool
        A variance of random effects at zero, or residuals tied together.
    converged, reml : bool
    psi : ndarray, shape (m,)
        All parameters, as searched.
    at : ResidualProfile
    likelihood : ResidualLikelihood
    """

    beta: Floats
    vcov: Floats
    theta: Floats
    sigma: float
    names: list[str]
    values: Floats
    values_vcov: Floats
    information: Floats
    loglik: float
    singular: bool
    converged: bool
    reml: bool
    psi: Floats
    at: ResidualProfile
    likelihood: ResidualLikelihood

    @property
    def covariances(self) -> tuple[Floats, Floats]:
        """Return the covariance of the schools' effects and of the pupils'."""
        model = self.likelihood.model
        of_school, of_pupil, _ = model.parts(self.psi)
        pairs = ((model.school, of_school), (model.pupil, of_pupil))
        lowers = [np.zeros((0, 0)) if t is None else t.factor(part) for t, part in pairs]
        return self.sigma**2 * lowers[0] @ lowers[0].T, self.sigma**2 * lowers[1] @ lowers[1].T

    @property
    def residual_covariance(self) -> Floats:
        """Return the covariance of the residuals of all cells, shape (c, c)."""
        form = self.likelihood.model.form
        return self.sigma**2 * form.matrix(self.likelihood.model.parts(self.psi)[2])

    def satterthwaite(self, contrast: Floats) -> float:
        """Return Satterthwaite degrees of freedom of a contrast of the coefficients.

        2 v^2 / (g'Ag), v the variance of the contrast, g its derivative with respect to
        the parameters of the covariance and A their covariance (Giesbrecht and Burns
        1985, Biometrics 41, 477-486).

        Parameters
        ----------
        contrast : ndarray, shape (k,)

        Returns
        -------
        float

        Raises
        ------
        ValueError
            At a singular fit, where the approximation does not hold.
        """
        if self.singular:
            raise ValueError(
                "Satterthwaite degrees of freedom do not hold at a singular fit: a variance is "
                "estimated at zero, or residuals are tied together. Use CR2 by school."
            )
        turned = self.likelihood.coordinates.to_beta.T @ contrast
        load = np.linalg.solve(self.at.information, turned)
        variance = float(turned @ load)
        of_gram = np.zeros((len(load) + 1,) * 2)
        of_gram[:-1, :-1] = -np.outer(load, load)
        slope = np.append(self.likelihood.pull(self.psi, self.at, of_gram, 0.0), variance)
        return float(2 * variance**2 / (slope @ np.linalg.solve(self.information, slope)))


def fit_residual_structure(
    rows: WaveRows,
    structure: ResidualStructure,
    school: Template | None = None,
    pupil: Template | None = None,
    intercept: int | None = None,
    reml: bool = True,
) -> ResidualFit:
    """Fit a mixed model with correlated residuals or several residual variances.

    Parameters
    ----------
    rows : WaveRows
    structure : ResidualStructure
    school, pupil : Template, optional
        Of random effects of schools and of pupils.
    intercept : int, optional
        Position of the column of ones.
    reml : bool
        Restricted or full maximum likelihood.

    Returns
    -------
    ResidualFit

    Raises
    ------
    ValueError
        Where the rows do not suit the structure, or cannot tell its parameters apart, and
        where the model reproduces the outcome.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> waves = np.tile(np.arange(4), 50)
    >>> shocks = rng.normal(size=(50, 4))
    >>> for wave in range(1, 4):
    ...     shocks[:, wave] = 0.5 * shocks[:, wave - 1] + 0.75**0.5 * shocks[:, wave]
    >>> rows = WaveRows(np.ones((200, 1)), shocks.ravel(), np.repeat(np.arange(50), 4), waves)
    >>> fit = fit_residual_structure(rows, ResidualStructure("ar1"), intercept=0)
    >>> fit.names, bool(0.4 < fit.values[0] < 0.65)
    (['correlation'], True)
    """
    likelihood = wave_likelihood(rows, structure, school, pupil, intercept)
    psi, converged = find_maximum(likelihood, reml)
    return _finish(likelihood, psi, reml, converged)


def _finish(
    likelihood: ResidualLikelihood, psi: Floats, reml: bool, converged: bool
) -> ResidualFit:
    at, inside, model = likelihood.profile(psi), likelihood.coordinates, likelihood.model
    free = free_count(likelihood, reml)
    if at.rss <= _REPRODUCED * likelihood.n:
        raise ValueError(REPRODUCED)
    sigma = float(np.sqrt(at.rss / free))
    loglik = -residual_deviance(at, free, reml) / 2 - free * np.log(inside.scale)
    if reml:
        loglik += inside.log_det
    phi = model.parts(psi)[2]
    at_zero = at_boundary(likelihood, psi)
    information = curvature(likelihood, psi, sigma, reml, ~at_zero)
    whole = model.form.matrix(phi)
    tied = any(
        bool(np.any(np.linalg.eigvalsh(whole[cells[:, :, None], cells[:, None, :]]) < _TIED))
        for cells in likelihood.sums.patterns
    )
    values_vcov = _values_vcov(model.form, phi, information)
    # Away from every boundary a maximum has a curvature.
    curved = tied or bool(np.isfinite(values_vcov).all())
    return ResidualFit(
        beta=inside.beta(at.beta),
        vcov=(sigma * inside.scale) ** 2
        * inside.to_beta
        @ np.linalg.inv(at.information)
        @ inside.to_beta.T,
        theta=psi[: len(psi) - len(phi)],
        sigma=sigma * inside.scale,
        names=model.form.names(),
        values=model.form.natural(phi),
        values_vcov=values_vcov,
        information=information,
        loglik=float(loglik),
        singular=bool(at_zero.any() or tied),
        converged=converged and curved,
        reml=reml,
        psi=psi,
        at=at,
        likelihood=likelihood,
    )


def _values_vcov(form: ResidualForm, phi: Floats, information: Floats) -> Floats:
    """Return the covariance of correlations and ratios, by the delta method."""
    count = form.count
    if np.linalg.eigvalsh(information)[0] <= 0:
        return np.full((count, count), np.nan)
    of_phi = np.linalg.inv(information)[-1 - count : -1, -1 - count : -1]
    turn = slopes(form.natural, phi)
    return np.asarray(turn.T @ of_phi @ turn)

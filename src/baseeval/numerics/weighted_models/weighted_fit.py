"""Fitting a linear mixed model by weighted pseudo-likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.numerics.cr2 import ClusterParts
from baseeval.numerics.mixed_models.fitting import fit_likelihood
from baseeval.numerics.mixed_models.templates import Layout, Template
from baseeval.numerics.weighted_models.level_rows import GivenWeights, Inner, lay_rows
from baseeval.numerics.weighted_models.pseudo_likelihood import (
    WeightedLikelihood,
    weighted_likelihood,
)
from baseeval.numerics.weighted_models.raw_scores import free_parameters, raw_scores, to_raw
from baseeval.numerics.weighted_models.school_sandwich import SchoolScores
from baseeval.numerics.weighted_models.school_scores import Place, school_scores
from baseeval.numerics.weighted_models.weight_scaling import SCALINGS
from baseeval.numerics.weighted_models.weighted_precision import design_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class WeightedFit:
    """A linear mixed model fitted by pseudo-likelihood.

    Parameters
    ----------
    beta : ndarray, shape (k,)
        Coefficients of the columns kept.
    vcov : ndarray, shape (k, k)
        Sandwich by school, times G / (G - 1): it asks nothing of the model beyond the mean.
    theta : ndarray, shape (m,)
        Of the schools' effects, then the pupils'.
    sigma : float
        Residual standard deviation.
    loglik : float
        Log pseudo-likelihood; it is no likelihood, and two of them test nothing.
    scores : SchoolScores
        By school, in (beta, theta, sigma), for other sandwiches; without the
        parameters that are at zero.
    singular : bool
        True where a variance or a combination of effects is at zero.
    converged : bool
    kept : ndarray of int, shape (k,)
        Columns of x that add something to those before them.
    likelihood : WeightedLikelihood
    place : Place
        The estimate in its coordinates.
    given : GivenWeights
    """

    beta: Floats
    vcov: Floats
    theta: Floats
    sigma: float
    loglik: float
    scores: SchoolScores
    singular: bool
    converged: bool
    kept: Ints
    likelihood: WeightedLikelihood
    place: Place
    given: GivenWeights

    @property
    def covariances(self) -> list[Floats]:
        """Return the covariance of each term's effects, in the outcome's units."""
        return [self.sigma**2 * own for own in self.likelihood.layout.covariances(self.theta)]

    def robust_parts(self) -> ClusterParts:
        """Return what `baseeval.numerics.cr2.cr2` makes a covariance and its df of.

        At the estimated covariances, of two levels: the effects of pupils would need a basis
        as large as the school.
        """
        rows, inside = self.likelihood.rows, self.likelihood.coordinates
        if rows.z_inner.shape[1]:
            raise UsageError(
                Problem(
                    "CR2 with effects of pupils",
                    "with weights it is made for pupils in schools, not for their occasions",
                    "Take the sandwich or the jackknife over schools, which allow for any "
                    "dependence within a school.",
                )
            )
        x = rows.x[:, inside.kept]
        return design_parts(
            x,
            rows.z,
            rows.y - x @ self.beta,
            self.likelihood.layout.covariances(self.theta)[0],
            rows.pupil_weights,
            rows.school_weights,
            rows.school,
        )

    def scores_under(self, pupil_weights: Floats, school_weights: Floats) -> Floats:
        """Return the schools' scores at this estimate under other weights.

        Parameters
        ----------
        pupil_weights, school_weights : ndarray, shape (n,)
            In the order of the rows given, before scaling.

        Returns
        -------
        ndarray, shape (G, d)
            In the parameters of `scores`.
        """
        rows = self.given.reweighted(self.likelihood.rows, pupil_weights, school_weights)
        moved = replace(self.likelihood, rows=rows)
        found = school_scores(moved, self.place) / moved.multiple
        turned = found @ np.linalg.inv(to_raw(moved))
        return np.asarray(turned[:, free_parameters(self.likelihood, self.place)])


def fit_weighted_mixed(
    x: Floats,
    y: Floats,
    z: Floats,
    group: Ints,
    template: Template,
    pupil_weights: Floats,
    school_weights: Floats,
    scaling: str = "size",
    inner: Inner | None = None,
) -> WeightedFit:
    """Fit a linear mixed model to weighted pupils of weighted schools.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray, shape (n,)
    z : ndarray, shape (n, q)
        Columns of the schools' effects.
    group : ndarray of int, shape (n,)
        School of each row.
    template : Template
        Of the schools' effects.
    pupil_weights : ndarray, shape (n,)
        Positive; of a pupil within the school, the same on all rows of a pupil.
    school_weights : ndarray, shape (n,)
        Positive; of the school, the same on all its rows.
    scaling : str
        Of the pupils' weights: size, effective or none
        (`baseeval.numerics.weighted_models.weight_scaling`).
    inner : Inner, optional
        Effects of pupils, where rows are occasions.

    Returns
    -------
    WeightedFit
        Maximum pseudo-likelihood: there is no restricted form.

    Examples
    --------
    >>> from baseeval.numerics.mixed_models.templates import full_template
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(np.arange(30), 8)
    >>> y = 2 + rng.normal(size=30)[school] + rng.normal(size=240)
    >>> one = np.ones((240, 1))
    >>> fit = fit_weighted_mixed(one, y, one, school, full_template(1), one[:, 0], one[:, 0])
    >>> bool(abs(fit.beta[0] - 2) < 0.5), fit.vcov.shape
    (True, (1, 1))
    """
    rows, given = lay_rows(x, y, z, group, pupil_weights, school_weights, scaling, inner)
    layout = Layout((template,) if inner is None else (template, inner.template))
    likelihood = weighted_likelihood(rows, layout)
    found = fit_likelihood(likelihood, reml=False)
    place = Place(found.at.beta, found.theta, found.sigma / likelihood.coordinates.scale)
    scores = raw_scores(likelihood, place)
    count = len(found.beta)
    return WeightedFit(
        beta=found.beta,
        vcov=scores.sandwich("CR1")[:count, :count],
        theta=found.theta,
        sigma=found.sigma,
        loglik=found.loglik / likelihood.multiple,
        scores=scores,
        singular=found.singular,
        converged=found.converged,
        kept=likelihood.coordinates.kept,
        likelihood=likelihood,
        place=place,
        given=given,
    )


def fit_each_scaling(
    x: Floats,
    y: Floats,
    z: Floats,
    group: Ints,
    template: Template,
    pupil_weights: Floats,
    school_weights: Floats,
    inner: Inner | None = None,
) -> dict[str, WeightedFit]:
    """Fit with the pupils' weights scaled in each way, to be shown side by side.

    Where the three disagree, the answer rests on a choice that data do not make.

    Parameters
    ----------
    x, y, z, group, template, pupil_weights, school_weights, inner
        As of :func:`fit_weighted_mixed`.

    Returns
    -------
    dict of str to WeightedFit
        By the names of `baseeval.numerics.weighted_models.weight_scaling.SCALINGS`.
    """
    return {
        scaling: fit_weighted_mixed(
            x, y, z, group, template, pupil_weights, school_weights, scaling, inner
        )
        for scaling in SCALINGS
    }

"""Schools' scores of a weighted mixed model, in the units of its coefficients and residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.numerics.mixed_models.fitting import SINGULAR
from baseeval.numerics.weighted_models.pseudo_likelihood import WeightedLikelihood
from baseeval.numerics.weighted_models.school_sandwich import SchoolScores
from baseeval.numerics.weighted_models.school_scores import (
    Place,
    school_curvatures,
    school_scores,
)

Floats = NDArray[np.float64]


def raw_scores(likelihood: WeightedLikelihood, place: Place) -> SchoolScores:
    """Return the schools' scores in (beta, theta, sigma), less the parameters held at zero.

    Parameters
    ----------
    likelihood : WeightedLikelihood
    place : Place

    Returns
    -------
    SchoolScores
    """
    turned = SchoolScores(
        school_scores(likelihood, place) / likelihood.multiple,
        school_curvatures(likelihood, place) / likelihood.multiple,
        len(place.gamma),
    ).turned(to_raw(likelihood))
    return turned.without(free_parameters(likelihood, place))


def to_raw(likelihood: WeightedLikelihood) -> Floats:
    """Return the matrix from parameters in the coordinates to (beta, theta, sigma), (d, d)."""
    inside = likelihood.coordinates
    scaled = inside.scale * inside.to_beta
    return np.asarray(block_diag(scaled, np.eye(likelihood.layout.count), inside.scale))


def free_parameters(likelihood: WeightedLikelihood, place: Place) -> NDArray[np.bool_]:
    """Return which parameters are not held: all but columns of L whose diagonal is at zero.

    Parameters
    ----------
    likelihood : WeightedLikelihood
    place : Place

    Returns
    -------
    ndarray of bool, shape (d,)
        At zero the score of such a parameter is zero whatever the data are.
    """
    free = []
    layout = likelihood.layout
    for template, theta, size in zip(
        layout.templates, layout.parts(place.theta), likelihood.sizes, strict=True
    ):
        lower = template.factor(theta)
        held = np.abs(np.diagonal(lower)) * np.where(size > 0, size, 1.0) < SINGULAR
        own = np.ones(template.count, dtype=bool)
        own[template.parameter[held[template.columns]]] = False
        free.append(own)
    kept = np.ones(len(place.gamma), dtype=bool)
    return np.concatenate([kept, *free, [True]])

"""What each group's own rows say of its random effects, before any shrinking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.theta_scale import theta_scale

Floats = NDArray[np.float64]

#: A standard deviation so large, in theta's unit, that nothing is shrunken.
_LARGE = 1e3


def unshrunken_effects(fit: MixedFit, term: int) -> tuple[Floats, Floats]:
    """Return each level's effects with variances without end, and their standard errors.

    Parameters
    ----------
    fit : MixedFit
    term : int
        Position in what the likelihood's ``effects`` gives.

    Returns
    -------
    effects, errors : ndarray, shape (levels, q)
        Errors given the coefficients, at the fit's sigma; both NaN where a
        level's own rows cannot tell an effect.
    """
    likelihood = fit.likelihood
    unit = theta_scale(likelihood)
    wide = np.where(likelihood.layout.diagonal, _LARGE * unit, 0.0)
    found = likelihood.effects(wide)[term]
    own = likelihood.layout.covariances(wide)[term]
    variance = np.einsum("gqq->gq", found.variance)
    # Where the rows say nothing, the effect keeps the variance that it was given.
    told = variance < np.diagonal(own) / 4
    effects = likelihood.coordinates.scale * found.modes
    return np.where(told, effects, np.nan), fit.sigma * np.sqrt(np.where(told, variance, np.nan))

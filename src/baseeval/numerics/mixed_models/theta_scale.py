"""The unit of each element of theta, so that steps and starts do not depend on a column's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.likelihood import Likelihood

Floats = NDArray[np.float64]


def theta_scale(likelihood: Likelihood) -> Floats:
    """Return theta's natural unit: one over the root mean square of its column of Z.

    Parameters
    ----------
    likelihood : Likelihood

    Returns
    -------
    ndarray, shape (m,)
        One for a column of zeros.
    """
    scales = []
    for template, size in zip(likelihood.layout.templates, likelihood.sizes, strict=True):
        squares = np.bincount(template.parameter, size[template.rows] ** 2, template.count)
        scales.append(np.sqrt(squares / np.bincount(template.parameter, minlength=template.count)))
    found = np.concatenate(scales)
    return np.asarray(1 / np.where(found > 0, found, 1.0))

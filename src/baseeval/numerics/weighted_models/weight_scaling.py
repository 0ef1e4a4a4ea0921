"""Scaling the weights of pupils within their schools: the size of such a weight means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How pupils' weights can be scaled -> what they then add up to in a school.
SCALINGS: Mapping[str, str] = MappingProxyType(
    {
        "size": "the number of its pupils",
        "effective": "its effective number of pupils, (sum w)^2 / sum w^2",
        "none": "what they add up to as given",
    }
)


def scale_pupil_weights(weights: Floats, school: Ints, scaling: str) -> Floats:
    """Scale pupils' weights within each school.

    Pfeffermann, Skinner, Holmes, Goldstein and Rasbash (1998, doi:10.1111/1467-9868.00106), whose
    method 2 is "size" and method 1 "effective" in Rabe-Hesketh and Skrondal (2006,
    doi:10.1111/j.1467-985X.2006.00426.x), section 3.2. A school's own weight stays as it is.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Positive, one a pupil.
    school : ndarray of int, shape (n,)
        From 0, each used.
    scaling : str
        Of :data:`SCALINGS`.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> w, school = np.array([1.0, 3.0, 2.0, 2.0]), np.array([0, 0, 1, 1])
    >>> scale_pupil_weights(w, school, "size").tolist()
    [0.5, 1.5, 1.0, 1.0]
    >>> scale_pupil_weights(w, school, "effective").round(6).tolist()
    [0.4, 1.2, 1.0, 1.0]
    """
    if scaling == "none":
        return weights
    total = np.bincount(school, weights)
    if scaling == "size":
        factor = np.bincount(school) / total
    else:
        factor = total / np.bincount(school, weights**2)
    scaled: Floats = weights * factor[school]
    return scaled

"""Ridits: a pupil's place in an order, as the share of pupils below and half of those level."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ridits(pupils: ArrayLike) -> Floats:
    """Return the ridit of each category of an order.

    Parameters
    ----------
    pupils : array-like of int, shape (k,)
        Pupils in each category, the lowest first.

    Returns
    -------
    ndarray, shape (k,)
        Of category j: the share of pupils in lower ones, and half the share in
        j itself. Their mean over the pupils is one half, whatever the counts.

    Notes
    -----
    I. D. J. Bross (1958), How to use ridit analysis, Biometrics 14(1), 18-38,
    doi:10.2307/2527727. What differences of mean ridits are is derived in
    ``docs/methods/outcomes.md``.

    Examples
    --------
    >>> [float(place) for place in ridits([2, 1, 1])]
    [0.25, 0.625, 0.875]
    """
    held = np.asarray(pupils, dtype=np.float64)
    places: Floats = (np.cumsum(held) - held / 2) / held.sum()
    return places

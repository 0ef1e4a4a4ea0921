"""A rate that something moves: the chance that it gives each pupil."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit


def moved_rate(rate: float, *odds: Any) -> NDArray[np.float64]:
    """Move a rate by log odds.

    Parameters
    ----------
    rate : float
        Of those whom nothing moves; 0 and 1 stay what they are.
    *odds : array-like
        Log odds, added in turn.

    Returns
    -------
    ndarray
        Of the shape that the odds have together.

    Examples
    --------
    >>> moved_rate(0.5, np.log([1.0, 3.0])).tolist(), moved_rate(0.0, np.ones(1)).tolist()
    ([0.5, 0.75], [0.0])
    """
    with np.errstate(divide="ignore"):
        total = logit(rate)
    for added in odds:
        total = total + added
    return np.asarray(expit(total), dtype=np.float64)

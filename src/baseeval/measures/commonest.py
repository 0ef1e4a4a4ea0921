"""Whether most pupils of a group have one value, so that the few others are a small count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: From this share on a value is shared by most: of two values, one always is.
_MOST = 0.5


def unlike_the_rest(values: NDArray[np.float64]) -> int | None:
    """Count those whose value is another than the commonest, where at least half share that.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Those that are not finite are left out.

    Returns
    -------
    int or None
        None where no value is shared by half. Of yes and no it is the smaller
        of the two counts.

    Examples
    --------
    >>> unlike_the_rest(np.array([0.0, 0.0, 1.0])), unlike_the_rest(np.array([1.0, 2.0, 3.0]))
    (1, None)
    """
    held = values[np.isfinite(values)]
    if held.size == 0:
        return None
    most = int(np.unique(held, return_counts=True)[1].max())
    return int(held.size) - most if most >= _MOST * held.size else None

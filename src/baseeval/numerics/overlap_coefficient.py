"""The overlap coefficient: the area that two distributions share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.column_shares import Shares

Floats = NDArray[np.float64]

#: A column of no more values than this is compared value by value, without smoothing.
_FEW_VALUES = 20
_GRID = (256, 8192)
_REACH = 4.0  # bandwidths beyond which a kernel holds nothing


def overlap_coefficient(shares: Shares, first: int, second: int) -> float:
    """Return the area that the distributions of two groups share, from 0 to 1.

    Weitzman (1970); Schmid and Schmidt (2006, doi:10.1016/j.csda.2005.01.014),
    the integral of the lower of two densities. A column of few values needs no
    density. Others have Gaussian kernels of one bandwidth for both groups, that
    of Silverman (1986, equation 3.31) for the group with the fewer effective
    rows: two bandwidths would tell equal distributions of unequal size apart.

    Parameters
    ----------
    shares : Shares
    first, second : int

    Returns
    -------
    float
        NaN where a group has no weight.

    Examples
    --------
    >>> from baseeval.numerics.column_shares import shares_of, values_of
    >>> column, group = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0, 0, 1, 1])
    >>> overlap_coefficient(shares_of(values_of(column), group, 2, np.ones(4)), 0, 1)
    0.5
    """
    both = shares.share[[first, second]]
    if np.isnan(both).any():
        return float("nan")
    if len(shares.values) > _FEW_VALUES:
        both = _smoothed(shares, first, second, both)
    return float(np.minimum(both[0], both[1]).sum())


def _smoothed(shares: Shares, first: int, second: int, both: Floats) -> Floats:
    """Return both densities on one grid, each adding up to one."""
    fewer = first if shares.squares[first] > shares.squares[second] else second
    width = _bandwidth(shares, fewer)
    if not width > 0:
        return both
    low, high = shares.values[0] - _REACH * width, shares.values[-1] + _REACH * width
    cells = int(np.clip(np.ceil(4 * (high - low) / width), *_GRID))
    step = (high - low) / cells
    at = (shares.values - low) / step
    left = np.minimum(at.astype(np.intp), cells - 1)
    above = at - left
    reach = max(int(np.ceil(_REACH * width / step)), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    kernel /= kernel.sum()
    return np.array([_density(share, left, above, cells, kernel) for share in both])


def _density(
    share: Floats, left: NDArray[np.intp], above: Floats, cells: int, kernel: Floats
) -> Floats:
    """Put each value's share on the two points of the grid around it, and smooth."""
    points = np.bincount(left, share * (1 - above), cells + 1)
    points += np.bincount(left + 1, share * above, cells + 1)
    return np.convolve(points, kernel)


def _bandwidth(shares: Shares, group: int) -> float:
    """Return Silverman's bandwidth, with the effective number of rows in the place of n."""
    spread = float(np.sqrt(shares.variances()[group]))
    below = np.cumsum(shares.share[group])
    quartiles = shares.values[np.searchsorted(below, (0.25, 0.75)).clip(max=len(below) - 1)]
    between = float(quartiles[1] - quartiles[0]) / 1.34
    size = 1 / shares.squares[group]
    return float(0.9 * (min(spread, between) if between > 0 else spread) * size**-0.2)

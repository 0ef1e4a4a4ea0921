"""The point nearest to a target that any weighting of rows can reach.

Wolfe (1976, doi:10.1007/BF01580381): the point of least norm in the hull of finitely many points is
found with a handful of them at a time; each step asks only which row lies farthest towards the
target, so rows are read block by block. A tolerance about the target adds the corners of a box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.row_blocks import row_blocks

Floats = NDArray[np.float64]

_STEPS = 1000
_ENOUGH = 1e-9

#: A step that would shorten the square of the distance by less than this share of it is rounding.
_SHARE = 1e-12


@dataclass(frozen=True, slots=True)
class NearestMeans:
    """What weights of the rows can at best reach.

    Parameters
    ----------
    distance : float
        Length of `gap`; 0 where the target can be met.
    gap : ndarray, shape (p,)
        Reachable mean less the target, beyond the tolerance, each in its scale.
    """

    distance: float
    gap: Floats


def nearest_means(
    x: Floats,
    targets: Floats,
    scale: Floats,
    base: Floats,
    tolerance: Floats | float = 0.0,
) -> NearestMeans:
    """Find the weighted means of rows that lie nearest to the targets.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    targets : ndarray, shape (p,)
    scale : ndarray, shape (p,)
        Positive: the unit of distance of each column.
    base : ndarray, shape (n,)
        Rows of weight zero do not count.
    tolerance : float or ndarray, shape (p,)
        By how much, in its scale, a mean may differ at no cost.

    Returns
    -------
    NearestMeans

    Examples
    --------
    >>> rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> found = nearest_means(rows, np.array([1.0, 1.0]), np.ones(2), np.ones(3))
    >>> (found.gap + 0.0).round(6).tolist()
    [-0.5, -0.5]
    """
    slack = np.broadcast_to(np.asarray(tolerance, dtype=float), targets.shape)
    corners = _farthest(x, targets, scale, base, slack, np.zeros(len(targets)))[None]
    shares, point = np.ones(1), corners[0]
    for _ in range(_STEPS):
        corner = _farthest(x, targets, scale, base, slack, point)
        size = max(1.0, float(np.max(corners**2)))
        near = point @ point - point @ corner <= _ENOUGH**2 * size + _SHARE * float(point @ point)
        if near or np.any(np.all(corners == corner, axis=1)):
            break
        corners, shares = np.vstack([corners, corner]), np.append(shares, 0.0)
        corners, shares = _least_norm(corners, shares)
        nearer = shares @ corners
        # Corners beyond one more than the columns say that rounding decides, and not the rows.
        if nearer @ nearer >= point @ point or len(corners) > len(targets) + 1:
            break
        point = nearer
    distance = float(np.linalg.norm(point))
    return NearestMeans(distance, point) if distance > 1e-8 else NearestMeans(0.0, 0.0 * point)


def _least_norm(corners: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Move shares to the least norm over the span, dropping corners that would go below 0."""
    while True:
        # The affine minimiser, from one corner by the ways to the others: far from the target
        # these keep the digits that inner products of the corners lose.
        ways = (corners[1:] - corners[0]).T
        solved = np.linalg.lstsq(ways, -corners[0], rcond=None)[0]
        wanted = np.concatenate([[1.0 - solved.sum()], solved])
        low = wanted <= 1e-14
        if not low.any():
            return corners, wanted
        ratio = shares[low] / np.maximum(shares[low] - wanted[low], 1e-300)
        step = min(1.0, float(ratio.min()))
        shares = (1 - step) * shares + step * wanted
        shares[np.flatnonzero(low)[ratio.argmin()]] = 0.0
        stay = shares > 1e-14
        corners, shares = corners[stay], shares[stay] / shares[stay].sum()


def _farthest(
    x: Floats, targets: Floats, scale: Floats, base: Floats, slack: Floats, point: Floats
) -> Floats:
    """Return the scaled row, moved to a corner of the box, that goes farthest against `point`."""
    direction, best, chosen = point / scale, np.inf, -1
    for rows in row_blocks(*x.shape):
        along = np.where(base[rows] > 0, (x[rows] - targets) @ direction, np.inf)
        least = int(along.argmin())
        if along[least] < best:
            best, chosen = float(along[least]), rows.start + least
    corner: Floats = (x[chosen] - targets) / scale - slack * np.sign(point)
    return corner

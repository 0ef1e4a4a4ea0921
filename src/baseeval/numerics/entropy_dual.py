"""The dual of entropy balancing and the two ways down it, reading rows block by block.

With z a row less the target, the dual is log sum base exp(z slope). Its gradient is the weighted
mean of z, what is left of the imbalance; its second derivative is the weighted covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.row_blocks import Spread, row_blocks

Floats = NDArray[np.float64]

#: The largest imbalance, in standard deviations, of weights that count as found.
LIMIT = 1e-10

#: As near to it as rounding lets one go.
TIGHT = 1e-13

_NEWTON_STEPS, _SETTLING_STEPS = 200, 12

#: Further from zero than so many standard deviations, a target is taken off before multiplying.
_FAR = 100.0


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a way down the dual ended.

    Parameters
    ----------
    slope : ndarray, shape (p,)
        The multipliers.
    imbalance : float
        Largest entry of the gradient among columns kept, in standard deviations.
    curvature : ndarray, shape (r, r)
        Second derivative on the basis of the columns kept.
    reads : int
        How often all rows were read.
    """

    slope: Floats
    imbalance: float
    curvature: Floats
    reads: int


def newton_descent(
    x: Floats,
    targets: Floats,
    base: Floats,
    spread: Spread,
    slope: Floats,
    enough: float = TIGHT,
) -> Descent:
    """Minimise the dual by Newton's method with step halving.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    targets : ndarray, shape (p,)
    base : ndarray, shape (n,)
    spread : Spread
    slope : ndarray, shape (p,)
        Where to start.
    enough : float
        The imbalance at which to stop.

    Returns
    -------
    Descent
        Its imbalance is large where no weights meet the targets.
    """
    basis = spread.basis
    # Where a target can be met, no multipliers take the dual below this (Gibbs' inequality).
    floor = np.log(base[base > 0].min())
    value, gradient, second = _dual(x, targets, base, slope)
    reads, imbalance = 1, _largest(gradient, spread)
    for _ in range(_NEWTON_STEPS):
        if imbalance <= enough or value < floor:
            break
        slant = basis.T @ gradient
        curvature = basis.T @ second @ basis - np.outer(slant, slant)
        step = basis @ np.linalg.lstsq(curvature, -slant, rcond=None)[0]
        share, drop = 1.0, float(gradient @ step)
        while True:
            trial = _dual(x, targets, base, slope + share * step)
            reads += 1
            lower = trial[0] <= value + 1e-4 * share * drop + 1e-14 * (1.0 + abs(value))
            if lower or share < 1e-10:
                break
            share /= 2
        left = _largest(trial[1], spread)
        if not lower or (imbalance <= LIMIT and left >= imbalance):
            break
        slope = slope + share * step
        value, gradient, second = trial
        imbalance = left
    slant = basis.T @ gradient
    return Descent(slope, imbalance, basis.T @ second @ basis - np.outer(slant, slant), reads)


def settle(
    x: Floats, targets: Floats, base: Floats, spread: Spread, start: Descent, exponent: Floats
) -> tuple[Descent, Floats]:
    """Go the short rest of the way from where a sample of the rows led.

    The sample's second derivative is nearly that of all rows, and what differs is learnt from the
    gradients (BFGS), so a step costs two products of the rows with a vector and no third.

    Parameters
    ----------
    x, targets, base, spread
        As in :func:`newton_descent`.
    start : Descent
        Of the sample.
    exponent : ndarray, shape (n,)
        Overwritten, as in :func:`mean_gap`.

    Returns
    -------
    descent : Descent
    gradient : ndarray, shape (p,)
        Weighted mean of all columns less the targets.
    """
    basis, slope = spread.basis, start.slope
    shape: Floats = np.asarray(np.linalg.pinv(start.curvature, hermitian=True), dtype=float)
    gradient = mean_gap(x, targets, base, spread.scale, slope, exponent)
    reads, imbalance = 1, _largest(gradient, spread)
    for _ in range(_SETTLING_STEPS):
        if imbalance <= LIMIT / 4:
            break
        slant = basis.T @ gradient
        step = -shape @ slant
        slope = slope + basis @ step
        gradient = mean_gap(x, targets, base, spread.scale, slope, exponent)
        reads += 1
        left = _largest(gradient, spread)
        if not left < imbalance:
            imbalance = left
            break
        imbalance = left
        shape = _learn(shape, step, basis.T @ gradient - slant)
    return Descent(slope, imbalance, start.curvature, reads), gradient


def mean_gap(
    x: Floats, targets: Floats, base: Floats, scale: Floats, slope: Floats, exponent: Floats
) -> Floats:
    """Return the weighted means less the targets: the gradient alone.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    targets : ndarray, shape (p,)
    base : ndarray, shape (n,)
    scale : ndarray, shape (p,)
        Standard deviations.
    slope : ndarray, shape (p,)
    exponent : ndarray, shape (n,)
        Overwritten with the logarithms of weights over base, up to a constant.

    Returns
    -------
    ndarray, shape (p,)
    """
    far = np.abs(targets) > _FAR * scale
    taken = np.where(far, targets, 0.0)
    rest = targets - taken
    level, shifts, some_zero = float(rest @ slope), bool(far.any()), not base.all()
    top, total, first = -np.inf, 0.0, np.zeros(len(targets))
    for rows in row_blocks(*x.shape):
        z = x[rows] - taken if shifts else x[rows]
        here = exponent[rows]
        np.subtract(z @ slope, level, out=here)
        counted = np.where(base[rows] > 0, here, -np.inf) if some_zero else here
        high = float(counted.max())
        if high == -np.inf:
            continue
        if high > top:
            shrink = np.exp(top - high)
            total, first, top = total * shrink, first * shrink, high
        weights = np.exp(counted - top)
        weights *= base[rows]
        total += weights.sum()
        first += weights @ z
    gap: Floats = first / total - rest
    return gap


def _learn(shape: Floats, step: Floats, change: Floats) -> Floats:
    """Update an inverse second derivative so that it explains the last change of the gradient."""
    along = float(step @ change)
    if along <= 0:
        return shape
    eye = np.eye(len(step)) - np.outer(step, change) / along
    learnt: Floats = eye @ shape @ eye.T + np.outer(step, step) / along
    return learnt


def _largest(gradient: Floats, spread: Spread) -> float:
    return float(np.abs(gradient / spread.scale)[spread.kept].max(initial=0.0))


def _dual(x: Floats, targets: Floats, base: Floats, slope: Floats) -> tuple[float, Floats, Floats]:
    """Return the dual, its gradient and the weighted second moments, in one pass."""
    p = x.shape[1]
    top, total, first, second = -np.inf, 0.0, np.zeros(p), np.zeros((p, p))
    for rows in row_blocks(*x.shape):
        z = x[rows] - targets
        exponent = np.where(base[rows] > 0, z @ slope, -np.inf)
        high = exponent.max()
        if high > top:  # sums so far are in units of exp(top)
            shrink = np.exp(top - high)
            total, first, second = total * shrink, first * shrink, second * shrink
            top = high
        if top == -np.inf:
            continue
        weights = base[rows] * np.exp(exponent - top)
        total += weights.sum()
        first += weights @ z
        second += (z * weights[:, None]).T @ z
    return float(top + np.log(total)), first / total, second / total

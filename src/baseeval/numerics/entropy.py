"""Entropy balancing: the weights nearest to the base weights that give the target means.

Hainmueller (2012, doi:10.1093/pan/mpr025), equations (5) to (9): the dual is smooth and convex in
one multiplier a column. `baseeval.numerics.entropy_dual` goes down it; here is where to start, what
to leave out, and whether what was found is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.entropy_dual import LIMIT, Descent, mean_gap, newton_descent, settle
from baseeval.numerics.row_blocks import Spread, measure_spread

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A column that others imply may be off by what rounding leaves of "imply".
_IMPLIED_LIMIT = 1e-5

#: From so many rows on a sample leads the way: every so-manieth of them, and of those first fewer.
_MANY, _EVERY, _FEWER = 100_000, 16, (16, 4, 1)

#: The imbalance of a sample at which it has told what it can: the sample itself is off by more.
_ON_THE_WAY = 2e-3


@dataclass(frozen=True, slots=True)
class EntropyBalance:
    """Weights that balance, or the news that none do.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Not negative, the base included, with mean one. Zero only where the base is, or
        where a target lies at the end of a column's range and the row does not.
    converged : bool
        False where no weights give the target means: a target lies outside
        what the rows span.
    imbalance : float
        Largest remaining difference from a target, in standard deviations of
        the rows; infinite for a constant column off its target.
    multipliers : ndarray, shape (p,)
        log(weights / base) is `intercept` and x less the targets times these.
    intercept : float
    kept : ndarray of int, shape (r,)
        Columns that vary among rows of positive weight and that no earlier
        ones imply; multipliers of the others are zero.
    scale : ndarray, shape (p,)
        Standard deviations of the columns, 1 for constant ones.
    reads : int
        How often all rows were read to find the multipliers.
    """

    weights: Floats
    converged: bool
    imbalance: float
    multipliers: Floats
    intercept: float
    kept: Ints
    scale: Floats
    reads: int


def balance_entropy(x: Floats, targets: Floats, base: Floats | None = None) -> EntropyBalance:
    """Weight rows so that their means equal the targets.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Columns without an intercept.
    targets : ndarray, shape (p,)
    base : ndarray, shape (n,), optional
        Base weights, not negative; ones by default.

    Returns
    -------
    EntropyBalance

    Examples
    --------
    >>> found = balance_entropy(np.array([[0.0], [1.0], [1.0]]), np.array([0.5]))
    >>> found.weights.round(6).tolist()
    [1.5, 0.75, 0.75]
    """
    start = np.ones(len(x)) if base is None else base
    quick = _led_by_some(x, targets, start) if len(x) >= _MANY else None
    return quick or _from_all(x, targets, start)


def _led_by_some(x: Floats, targets: Floats, base: Floats) -> EntropyBalance | None:
    """Balance many rows with what a sample of them tells; None where that does not suffice.

    A target inside the range of a sample is inside that of all, and the imbalance at the end is
    that of all rows and columns, so nothing rests on the sample but the time it takes.
    """
    some, some_base = np.ascontiguousarray(x[::_EVERY]), base[::_EVERY]
    if not all(some_base[::few].any() for few in _FEWER):
        return None
    spread = measure_spread(some, targets, some_base)
    near = _near(spread, targets)
    inside = (spread.lowest < -near) & (spread.highest > near)
    if not np.all(inside | (spread.constant & (np.abs(spread.lowest) <= near))):
        return None
    slope = np.zeros(x.shape[1])
    for few in _FEWER:
        found = newton_descent(some[::few], targets, some_base[::few], spread, slope, _ON_THE_WAY)
        slope = found.slope if found.imbalance <= _ON_THE_WAY else slope
    if found.imbalance > _ON_THE_WAY:
        return None
    exponent = np.empty(len(x))
    found, gap = settle(x, targets, base, spread, found, exponent)
    if np.abs(gap / spread.scale).max(initial=0.0) > LIMIT:
        return None
    return _balanced(exponent, gap, targets, base, found, spread)


def _from_all(x: Floats, targets: Floats, base: Floats) -> EntropyBalance:
    """Balance from all the rows, whatever the target."""
    face, spread = _onto_face(x, targets, base)
    slope, exponent = np.zeros(x.shape[1]), np.empty(len(x))
    if face is None:
        nowhere = Descent(slope, np.inf, np.empty((0, 0)), reads=1)
        gap = mean_gap(x, targets, base, spread.scale, slope, exponent)
        return replace(_balanced(exponent, gap, targets, base, nowhere, spread), converged=False)
    found = newton_descent(x, targets, face, spread, slope)
    gap = mean_gap(x, targets, face, spread.scale, found.slope, exponent)
    return _balanced(exponent, gap, targets, face, found, spread)


def _near(spread: Spread, targets: Floats) -> Floats:
    """Return what counts as no distance in each column."""
    near: Floats = 1e-12 * (spread.highest - spread.lowest) + 1e-14 * np.abs(targets)
    return near


def _onto_face(x: Floats, targets: Floats, base: Floats) -> tuple[Floats | None, Spread]:
    """Give no weight to rows off the end of a column's range at which its target lies.

    Where the target lies at the ends of several columns, and no row at all of them, there is no
    face: nothing is left to weight, and the spread is that of all rows.
    """
    whole = spread = measure_spread(x, targets, base)
    while True:
        near = _near(spread, targets)
        at_end = np.minimum(np.abs(spread.lowest), np.abs(spread.highest)) <= near
        ends = np.flatnonzero(at_end & ~spread.constant)
        if len(ends) == 0:
            return base, spread
        base = base.copy()
        for column in ends:
            base[np.abs(x[:, column] - targets[column]) > near[column]] = 0.0
        if not base.any():
            return None, whole
        spread = measure_spread(x, targets, base)


def _balanced(
    exponent: Floats,
    gap: Floats,
    targets: Floats,
    base: Floats,
    found: Descent,
    spread: Spread,
) -> EntropyBalance:
    """Make weights with mean one of exponents, which are overwritten, and judge them."""
    top = float(exponent.max() if base.all() else exponent[base > 0].max())
    exponent -= top
    np.minimum(exponent, 0.0, out=exponent)  # a row of no weight may lie higher
    weights = np.exp(exponent, out=exponent)
    weights *= base
    scale = len(weights) / float(weights.sum())
    weights *= scale
    left = np.abs(gap) / spread.scale
    off = spread.constant & (left > 1e-8 * np.maximum(1.0, np.abs(targets)))
    left = np.where(off, np.inf, np.where(spread.constant, 0.0, left))
    imbalance = float(left.max(initial=0.0))
    met = left[spread.kept].max(initial=0.0) <= LIMIT and imbalance <= _IMPLIED_LIMIT
    return EntropyBalance(
        weights=weights,
        converged=bool(met),
        imbalance=imbalance,
        multipliers=found.slope,
        intercept=float(np.log(scale)) - top,
        kept=spread.kept,
        scale=spread.scale,
        reads=found.reads,
    )

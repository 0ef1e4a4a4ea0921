"""Entropy balancing: the weights nearest to uniform that give the target means.

Hainmueller (2012, doi:10.1093/pan/mpr025), equations (5) to (9): the dual is
smooth and convex in one multiplier a column, so Newton solves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 200


@dataclass(frozen=True, slots=True)
class EntropyBalance:
    """Weights that balance, or the news that none do.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Positive, with mean one.
    converged : bool
        False where no positive weights give the target means, for instance
        because a target lies outside what the rows span.
    imbalance : float
        Largest remaining difference from a target, in standard deviations.
    """

    weights: Floats
    converged: bool
    imbalance: float


def balance_entropy(x: Floats, targets: Floats, base: Floats | None = None) -> EntropyBalance:
    """Weight rows so that their means equal the targets.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Columns without an intercept.
    targets : ndarray, shape (p,)
    base : ndarray, shape (n,), optional
        Base weights; ones by default.

    Returns
    -------
    EntropyBalance

    Examples
    --------
    >>> found = balance_entropy(np.array([[0.0], [1.0], [1.0]]), np.array([0.5]))
    >>> found.weights.round(6).tolist()
    [1.5, 0.75, 0.75]
    """
    start = np.ones(len(x)) if base is None else base / base.mean()
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.maximum(1.0, np.abs(x).max(axis=0, initial=0.0))
    off_target = np.abs(x.mean(axis=0) - targets) > 1e-8 * np.maximum(1.0, np.abs(targets))
    if np.any(constant & off_target):
        return EntropyBalance(start, False, float("inf"))
    centred = ((x - targets) / np.where(constant, 1.0, spread))[:, ~constant]
    # Dependent columns ask the same thing twice; a basis asks it once.
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    rank = int(np.sum(size > 1e-9 * size.max(initial=0.0)))
    basis = left[:, :rank] * np.sqrt(len(x))
    multipliers = np.zeros(rank)
    value, weights = _dual(basis, multipliers, start)
    for _ in range(_STEPS):
        gradient = basis.T @ weights
        hessian = basis.T @ (basis * weights[:, None]) - np.outer(gradient, gradient)
        if np.abs(gradient).max(initial=0.0) < 1e-13:
            break
        step, *_ = np.linalg.lstsq(hessian, -gradient, rcond=None)
        share = 1.0
        while share > 1e-10:
            trial, _ = _dual(basis, multipliers + share * step, start)
            if trial <= value + 1e-4 * share * float(gradient @ step) + 1e-15:
                break
            share /= 2
        multipliers = multipliers + share * step
        value, weights = _dual(basis, multipliers, start)
    imbalance = float(np.abs(centred.T @ weights).max(initial=0.0))
    return EntropyBalance(weights * len(x), imbalance < 1e-6, imbalance)


def _dual(basis: Floats, multipliers: Floats, start: Floats) -> tuple[float, Floats]:
    """Return the dual objective and the weights, which sum to one."""
    exponent = basis @ multipliers
    top = exponent.max()
    raw = start * np.exp(exponent - top)
    total = raw.sum()
    return float(np.log(total) + top), raw / total

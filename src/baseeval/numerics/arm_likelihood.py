"""The log-likelihood of arms given columns (multinomial logit), and its derivatives, by row blocks.

With arm 0 as the reference, eta_a = x beta_a for a = 1 .. k - 1 and eta_0 = 0, the chance of arm a
is exp(eta_a) / sum_b exp(eta_b). A block of rows small enough for the processor's cache is read
once for the value, the score and the k (k - 1) / 2 different blocks of the information, so that
nothing of the size of the columns is ever copied. `docs/methods/propensity.md` has the algebra.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.newton import Derivatives

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Numbers in a block of columns: with its weighted copy about half of a usual second-level cache.
_BLOCK = 2**15


def evaluate_arms(x: Floats, arm: Ints, beta: Floats, weights: Floats) -> Derivatives:
    """Return the log-likelihood of coefficients with its score and information.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    arm : ndarray of int, shape (n,)
        0 .. k - 1.
    beta : ndarray, shape (k - 1, p)
        Log odds against arm 0.
    weights : ndarray, shape (n,)

    Returns
    -------
    Derivatives
        With q = (k - 1) p parameters, arm by arm.

    Examples
    --------
    >>> found = evaluate_arms(np.ones((2, 1)), np.array([0, 1]), np.zeros((1, 1)), np.ones(2))
    >>> round(found.value, 6), found.score.tolist(), found.information.tolist()
    (-1.386294, [0.0], [[0.5]])
    """
    others, p = beta.shape
    value, score = 0.0, np.zeros((others, p))
    information = np.zeros((others, p, others, p))
    numbers = np.arange(1, others + 1)[:, None]
    for rows, z in row_blocks(x):
        w, own = weights[rows], arm[rows] == numbers
        eta = beta @ z.T
        chance, log_total = _softmax(eta)
        value += float(w @ (np.sum(eta, axis=0, where=own) - log_total))
        score += (w * (own - chance)) @ z
        weighted = np.empty_like(z)
        for a in range(others):
            pull = w * chance[a]
            for b in range(a + 1):
                curve = pull * (1 - chance[a] if a == b else -chance[b])
                np.multiply(z, curve[:, None], out=weighted)
                information[a, :, b] += weighted.T @ z
    for a in range(others):
        for b in range(a):
            information[b, :, a] = information[a, :, b].T
    q = others * p
    return Derivatives(value, score.reshape(q), information.reshape(q, q))


def arm_chances(x: Floats, beta: Floats) -> Floats:
    """Return each row's chance of each arm.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    beta : ndarray, shape (k - 1, p)

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> arm_chances(np.ones((1, 1)), np.log([[2.0], [5.0]])).round(6).tolist()
    [[0.125, 0.25, 0.625]]
    """
    chances = np.empty((len(x), len(beta) + 1))
    for rows, z in row_blocks(x):
        chance, log_total = _softmax(beta @ z.T)
        chances[rows, 0] = np.exp(-log_total)
        chances[rows, 1:] = chance.T
    return chances


def row_blocks(x: Floats) -> Iterator[tuple[slice, Floats]]:
    """Walk over the rows in blocks that fit a processor's cache.

    Parameters
    ----------
    x : ndarray, shape (n, p)

    Yields
    ------
    rows : slice
    z : ndarray, shape (m, p)
        Those rows, one after another in memory.
    """
    step = max(256, _BLOCK // max(1, x.shape[1]))
    for low in range(0, len(x), step):
        rows = slice(low, min(low + step, len(x)))
        yield rows, np.ascontiguousarray(x[rows], dtype=np.float64)


def _softmax(eta: Floats) -> tuple[Floats, Floats]:
    """Return the chances of arms 1 .. k - 1 and the log of the total odds, for eta (k - 1, m)."""
    top = np.maximum(eta.max(axis=0), 0.0)
    odds = np.exp(eta - top)
    total = odds.sum(axis=0) + np.exp(-top)
    odds /= total
    return odds, np.log(total) + top

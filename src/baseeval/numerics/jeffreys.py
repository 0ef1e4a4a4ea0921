"""Half the log determinant of the information of arms given columns: its two derivatives.

With pi the chances of arms 1 .. k - 1 of a row, V = diag(pi) - pi pi' its curvature, and
Q[a, b] = x' I^-1[a, b] x its spreads, each row adds to the derivative by its linear predictor c

    w / 2 * sum_ab Q[a, b] dV[a, b] / d eta_c = w / 2 * pi_c (s_c - sum_a pi_a s_a),
    s_a = Q[a, a] - 2 sum_b Q[a, b] pi_b

(`docs/methods/propensity.md`). For two arms that is h (1/2 - pi), h being the row's leverage.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.arm_likelihood import arm_chances, row_blocks

Floats = NDArray[np.float64]


def jeffreys_score(x: Floats, beta: Floats, weights: Floats, inverse: Floats) -> Floats:
    """Return each row's part of the derivative, by linear predictor.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    beta : ndarray, shape (k - 1, p)
    weights : ndarray, shape (n,)
    inverse : ndarray, shape (q, q)
        Of the information of all rows at `beta`.

    Returns
    -------
    ndarray, shape (n, k - 1)
        Times the columns, and added up, the derivative by `beta`.

    Examples
    --------
    Three rows alike, at even odds: nothing to gain either way.

    >>> jeffreys_score(np.ones((3, 1)), np.zeros((1, 1)), np.ones(3), np.array([[4 / 3]])).tolist()
    [[0.0], [0.0], [0.0]]
    """
    parts = np.empty((len(x), len(beta)))
    for rows, z, chance in _chance_blocks(x, beta):
        lead = _lead(_spreads(z, inverse, len(beta)), chance)
        parts[rows] = (0.5 * weights[rows] * chance * lead).T
    return parts


def jeffreys_curvature(x: Floats, beta: Floats, weights: Floats, inverse: Floats) -> Floats:
    """Return minus the second derivative.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    beta : ndarray, shape (k - 1, p)
    weights : ndarray, shape (n,)
    inverse : ndarray, shape (q, q)
        Of the information of all rows at `beta`.

    Returns
    -------
    ndarray, shape (q, q)
    """
    others, p = beta.shape
    q = others * p
    third = np.zeros((others, p, others, p, others, p))
    fourth = np.zeros((others, p, others, p))
    for rows, z, chance in _chance_blocks(x, beta):
        w = weights[rows]
        spreads = _spreads(z, inverse, others)
        curve = _curve(chance)
        lead = _lead(spreads, chance)
        slope = 2 * np.einsum("abm,bdm->adm", spreads, curve)  # minus d s_a / d eta_d
        pairs = (z[:, :, None] * z[:, None, :]).reshape(len(z), p * p)
        for c in range(others):
            for d in range(others):
                fall = slope[c, d] - np.einsum("am,am->m", chance, slope[:, d])
                turn = curve[c, d] * lead[c] - chance[c] * (fall + chance[d] * lead[d])
                fourth[c, :, d] += (z * (w * turn)[:, None]).T @ z
                for e in range(others):
                    cumulant = -curve[c, e] * chance[d] - chance[c] * curve[d, e]
                    if c == d:
                        cumulant = cumulant + curve[c, e]
                    made = (z * (w * cumulant)[:, None]).T @ pairs
                    third[c, :, d, :, e] += made.reshape(p, p, p)
    turned = np.tensordot(inverse, third.reshape(q, q, q), axes=1)
    across = turned.reshape(q * q, q).T @ turned.swapaxes(0, 1).reshape(q * q, q)
    curvature: Floats = 0.5 * (across - fourth.reshape(q, q))
    return curvature


def _chance_blocks(x: Floats, beta: Floats) -> Iterator[tuple[slice, Floats, Floats]]:
    """Walk over blocks of rows with their chances of arms 1 .. k - 1, (k - 1, m)."""
    for rows, z in row_blocks(x):
        yield rows, z, np.ascontiguousarray(arm_chances(z, beta)[:, 1:].T)


def _spreads(z: Floats, inverse: Floats, others: int) -> Floats:
    """Return Q, shape (k - 1, k - 1, m)."""
    p = z.shape[1]
    blocks = inverse.reshape(others, p, others, p)
    spreads = np.empty((others, others, len(z)))
    for a in range(others):
        for b in range(a + 1):
            spreads[a, b] = spreads[b, a] = np.einsum("mp,mp->m", z @ blocks[a, :, b], z)
    return spreads


def _curve(chance: Floats) -> Floats:
    """Return V, shape (k - 1, k - 1, m)."""
    curve = -chance[:, None] * chance[None]
    own = np.arange(len(chance))
    curve[own, own] += chance
    return curve


def _lead(spreads: Floats, chance: Floats) -> Floats:
    """Return s_c - sum_a pi_a s_a, shape (k - 1, m)."""
    own = np.arange(len(chance))
    s = spreads[own, own] - 2 * np.einsum("abm,bm->am", spreads, chance)
    lead: Floats = s - np.sum(chance * s, axis=0)
    return lead

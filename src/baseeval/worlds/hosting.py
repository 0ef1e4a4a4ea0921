"""Which schools host a base: a draw of a fixed number of hosts with unequal chances.

Each school would host by its own logit; the world fixes how many do. That is the conditional
Bernoulli design, whose inclusion probabilities are ratios of elementary symmetric functions.
They are computed exactly (in logs, so that many schools do not overflow), because the true
probability of each arm needs them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def draw_hosts(logit: Floats, hosts: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which schools host, given that exactly so many do.

    Parameters
    ----------
    logit : ndarray, shape (schools,)
        Log odds of hosting before the number of hosts is fixed.
    hosts : int
        Number of schools that host, from 0 to all.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (schools,)
    """
    after = _log_symmetric(logit[::-1], hosts)[::-1]  # after[t, j]: schools t.. give j hosts
    chosen = np.zeros(len(logit), dtype=np.bool_)
    left = hosts
    for school, draw in enumerate(rng.random(len(logit))):
        if left == 0:
            break
        log_chance = logit[school] + after[school + 1, left - 1] - after[school, left]
        chosen[school] = draw < np.exp(log_chance)
        left -= int(chosen[school])
    return chosen


def host_probability(logit: Floats, hosts: int) -> Floats:
    """Probability that each school hosts, given that exactly so many do.

    Parameters
    ----------
    logit : ndarray, shape (schools,)
        Log odds of hosting before the number of hosts is fixed.
    hosts : int
        Number of schools that host.

    Returns
    -------
    ndarray, shape (schools,)
        Inclusion probabilities; they sum to `hosts`.
    """
    if hosts == 0:
        return np.zeros(len(logit))
    before = _log_symmetric(logit, hosts)  # before[t, j]: the first t schools give j hosts
    after = _log_symmetric(logit[::-1], hosts)[::-1]
    # School t hosts, j before it and the rest after it.
    ways = before[:-1, :hosts] + after[1:, hosts - 1 :: -1]
    inclusion = np.exp(logit + np.logaddexp.reduce(ways, axis=1) - before[-1, hosts])
    return np.asarray(np.minimum(inclusion, 1.0), dtype=np.float64)


def _log_symmetric(logit: Floats, most: int) -> Floats:
    """Take logs of the elementary symmetric functions of the first t schools' odds.

    Returns shape (schools + 1, most + 1): row t, column j is the log of the sum, over all ways
    to choose j of the first t schools, of the product of their odds.
    """
    table = np.full((len(logit) + 1, most + 1), -np.inf)
    table[0, 0] = 0.0
    for t, value in enumerate(logit):
        table[t + 1] = table[t]
        table[t + 1, 1:] = np.logaddexp(table[t, 1:], table[t, :-1] + value)
    return table

"""Columns of a generalised model whose coefficients have no finite estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.binomials import IdentityTrials, LogTrials, Trials
from baseeval.numerics.generalised.counts import Counts
from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.generalised.ordered import OrderedLogit
from baseeval.numerics.generalised.plain import Plain
from baseeval.numerics.separation import Separation, find_separation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A linear predictor this far from the outcome's level is looked into.
_DOUBTFUL = 15.0


def look_for_separation(rows: GroupedRows, plain: Plain) -> Separation | None:
    """Look for a direction in which the likelihood never falls.

    A row's likelihood has no top upwards where all its trials succeeded, nor downwards where
    none did or where it counts no event; such rows stand in one arm of
    :func:`baseeval.numerics.separation.find_separation`, all others in both. Normal random
    effects change nothing in this. Ordered categories are looked at with their thresholds fixed,
    so that only their lowest and highest can run away.

    Parameters
    ----------
    rows : GroupedRows
    plain : Plain
        The fit without random effects: one that is plainly finite needs no look.

    Returns
    -------
    Separation or None
    """
    eta = rows.fixed(plain.beta)
    far = np.abs(eta - rows.outcome.level).max()
    if plain.converged and far < _DOUBTFUL:
        return None
    ends = _open_ends(rows)
    if ends is None:
        return None
    up, down = ends
    upper, lower = np.flatnonzero(~down), np.flatnonzero(~up)
    x = np.concatenate([rows.x[upper], rows.x[lower]])
    arm = np.repeat(np.array([1, 0], dtype=np.intp), [len(upper), len(lower)])
    return find_separation(x, arm, np.ones(len(x)), 2)


def _open_ends(rows: GroupedRows) -> tuple[Flags, Flags] | None:
    """Return which rows' likelihoods have no top upwards, and which none downwards."""
    outcome = rows.outcome
    if isinstance(outcome, IdentityTrials):
        return None
    if isinstance(outcome, LogTrials):
        return np.zeros(len(outcome.y), dtype=bool), outcome.y == 0
    if isinstance(outcome, Trials):
        return outcome.y == outcome.trials, outcome.y == 0
    if isinstance(outcome, Counts):
        return np.zeros(len(outcome.y), dtype=bool), outcome.y == 0
    if isinstance(outcome, OrderedLogit):
        return outcome.y == outcome.categories - 1, outcome.y == 0
    return None

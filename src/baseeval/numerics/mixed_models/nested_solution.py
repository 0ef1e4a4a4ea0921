"""The likelihood of nested groups at some covariances: inner effects out first, then outer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.nested_algebra import batches, mix
from baseeval.numerics.mixed_models.nested_groups import PooledGroups, SeparateGroups, Taken
from baseeval.numerics.mixed_models.nested_inner import Pull
from baseeval.numerics.mixed_models.nested_turned import Turned

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solved:
    """The likelihood at some covariances.

    Parameters
    ----------
    log_det : float
        log|V|.
    left : ndarray, shape (k + 1, k + 1)
        [X y]'V^-1[X y].
    inner : list of Taken
        Of each part of the inner level.
    level : SeparateGroups or PooledGroups
        The outer groups, inner effects taken out.
    outer : Taken
    """

    log_det: float
    left: Floats
    inner: list[Taken]
    level: SeparateGroups | PooledGroups
    outer: Taken

    def best(self) -> tuple[float, Floats]:
        """Return rss and beta."""
        beta = np.asarray(np.linalg.solve(self.left[:-1, :-1], self.left[:-1, -1]))
        return float(self.left[-1, -1] - beta @ self.left[:-1, -1]), beta


def solve(
    data: Turned,
    sigmas: list[Floats],
    derive: bool,
    level: SeparateGroups | PooledGroups | None = None,
) -> Solved:
    """Take the effects of both levels out.

    Parameters
    ----------
    data : Turned
    sigmas : list of ndarray
        Covariance of all effects of the outer and of the inner level.
    derive : bool
        Whether slopes will be asked for.
    level : SeparateGroups or PooledGroups, optional
        The outer groups of a model without inner ones; separate ones by default.

    Returns
    -------
    Solved
    """
    log_det, left = -data.coordinates.sums.log_weights, data.total.copy()
    inner = [part.take(sigmas[1]) for part in data.inner]
    if inner:
        table = data.outer.copy()
        for part, taken in zip(data.inner, inner, strict=True):
            part.lower(taken, table)
            log_det += taken.log_det
            left -= taken.reduction
        level = outer_groups(table)
    elif level is None:
        level = outer_groups(data.outer)
    if isinstance(level, SeparateGroups):
        outer = level.take(sigmas[0], derive)
    else:
        outer = level.take(sigmas[0])
    return Solved(log_det + outer.log_det, left - outer.reduction, inner, level, outer)


def outer_groups(table: Floats) -> SeparateGroups:
    """Part Z2'[Z2 X y].

    Parameters
    ----------
    table : ndarray, shape (r, S, r + k + 1)

    Returns
    -------
    SeparateGroups
    """
    r = len(table)
    return SeparateGroups(np.ascontiguousarray(table[:, :, :r].transpose(1, 0, 2)), table[:, :, r:])


def pull_of(at: Solved, combination: Floats) -> Pull:
    """Return what the outer effects take from inner groups.

    Parameters
    ----------
    at : Solved
        With separate outer groups.
    combination : ndarray, shape (k + 1,)
        From [X y] to y - X beta.

    Returns
    -------
    Pull
    """
    level = at.level
    assert isinstance(level, SeparateGroups)
    r, outers, m = level.sums.shape
    modes, loadings = np.empty((r, outers)), np.empty((r, outers, m - 1))
    for part in batches(outers, r * m):
        effects = mix(at.outer.middle[part], level.sums[:, part])
        modes[:, part], loadings[:, part] = effects @ combination, effects[:, :, :-1]
    return Pull(at.outer.middle, modes, loadings)

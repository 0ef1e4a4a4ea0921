"""The likelihood of one or two nested factors, from one pass over sorted rows.

Derived in `docs/methods/mixed-nested.md`. After the pass no row is needed again, and what is
held grows with the outer groups and with the patterns of inner ones, not with rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.coordinates import Coordinates
from baseeval.numerics.mixed_models.likelihood import Effects, Profile
from baseeval.numerics.mixed_models.nested_groups import (
    PooledGroups,
    SeparateGroups,
    Taken,
    batches,
    mix,
    pool_groups,
)
from baseeval.numerics.mixed_models.nested_inner import Pull
from baseeval.numerics.mixed_models.nested_reader import InnerGroups, SortedReader
from baseeval.numerics.mixed_models.nested_statistics import (
    NestedStatistics,
    leave_out,
    read_statistics,
)
from baseeval.numerics.mixed_models.nested_turned import Turned, single_groups, turn_statistics
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]


def nested_likelihood(
    blocks: Iterable[Block],
    layout: Layout,
    owners: tuple[int, ...],
    intercept: int | None,
    keep_groups: bool = False,
) -> NestedLikelihood:
    """Read sorted rows once and hold what their likelihood needs.

    Parameters
    ----------
    blocks : iterable of Block
        Rows sorted by outer, then inner group, cut anywhere. Codes need not ascend.
    layout : Layout
    owners : tuple of int
        Of each term: 0 where its factor is the outer one, 1 the inner one. All 0
        is a model of one factor. Terms of one factor carry the same codes;
        codes of inner groups are unique over outer groups.
    intercept : int or None
        Position of a column of ones in X.
    keep_groups : bool
        Whether to keep what :meth:`NestedLikelihood.without`,
        :meth:`NestedLikelihood.by_group` and inner effects without rows need:
        about (p + q)^2 numbers an outer and q (p + q) numbers an inner group.

    Returns
    -------
    NestedLikelihood

    Raises
    ------
    ValueError
        If there is no row, no term of the outer factor, or the rows of a group
        do not follow one another.
    """
    if 0 not in owners:
        raise ValueError("a model needs a term of its outer factor: owners hold no 0")
    statistics = read_statistics(blocks, owners, intercept, keep_groups)
    return _likelihood(layout, statistics)


def _likelihood(layout: Layout, statistics: NestedStatistics) -> NestedLikelihood:
    kept = statistics if statistics.squares is not None else None
    return NestedLikelihood(layout, turn_statistics(statistics), kept)


@dataclass(frozen=True, slots=True)
class _Solved:
    """The likelihood at one covariance: what is left of [X y]'[X y], and each level's part."""

    log_det: float
    left: Floats
    inner: list[Taken]
    level: SeparateGroups | PooledGroups
    outer: Taken

    def best(self) -> tuple[float, Floats]:
        """Return rss and beta."""
        beta = np.asarray(np.linalg.solve(self.left[:-1, :-1], self.left[:-1, -1]))
        return float(self.left[-1, -1] - beta @ self.left[:-1, -1]), beta


@dataclass(frozen=True)
class NestedLikelihood:
    """The `Likelihood` of nested groups.

    Parameters
    ----------
    layout : Layout
    data : Turned
        Sums in the likelihood's coordinates.
    statistics : NestedStatistics or None
        As they were read; only where groups are kept.
    """

    layout: Layout
    data: Turned
    statistics: NestedStatistics | None

    @property
    def coordinates(self) -> Coordinates:
        """Return the columns and the unit in which the data are held."""
        return self.data.coordinates

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return self.data.coordinates.sums.n

    @property
    def sizes(self) -> tuple[Floats, ...]:
        """Return the root mean square of each term's columns of Z, precision weights included."""
        return self.data.sizes

    def profile(self, theta: Floats) -> Profile:
        """Evaluate the likelihood and its derivatives."""
        sigmas = self._joined(self.layout.covariances(theta))
        at = self._solve(sigmas, derive=True)
        rss, beta = at.best()
        combination, spread = np.append(-beta, 1.0), np.zeros_like(at.left)
        spread[:-1, :-1] = np.linalg.inv(at.left[:-1, :-1])
        slopes = [at.level.slopes(at.outer, combination, spread)]
        if self.data.inner:
            pull = _pull(at, combination)
            parts = zip(self.data.inner, at.inner, strict=True)
            found = [part.slopes(taken, combination, spread, pull) for part, taken in parts]
            slopes.append(sum(found[1:], found[0]))
        return Profile(
            log_det=at.log_det,
            rss=rss,
            beta=beta,
            information=at.left[:-1, :-1],
            shapes=self._parted([part.shapes for part in slopes]),
            spreads=self._parted([part.spreads for part in slopes]),
            fades=self._parted([part.fades for part in slopes]),
        )

    def moments(self, covariances: list[Floats]) -> tuple[float, Floats]:
        """Return log|V| and X'V^-1X at covariances (q_t, q_t) over sigma^2.

        They need not be positive definite, as long as V is; otherwise log|V| is
        not a number.
        """
        at = self._solve(self._joined(covariances), derive=False)
        return at.log_det, at.left[:-1, :-1]

    def effects(self, theta: Floats) -> tuple[Effects, ...]:
        """Return the random effects of the outer terms, in the order of the terms.

        A level is the rank of its code. Those of inner terms need the sums of each
        inner group: see :meth:`inner_effects`.
        """
        at, _, pull = self._at(theta)
        order = np.argsort(self.data.codes)
        modes, middle = pull.modes.T[order], at.outer.middle[order]
        loadings = pull.loadings.transpose(1, 0, 2)[order]
        return self._effects(0, modes, middle, loadings)

    def inner_effects(
        self, theta: Floats, blocks: Iterable[Block] | None = None
    ) -> tuple[Effects, ...]:
        """Return the random effects of the inner terms, in the order of the terms.

        Parameters
        ----------
        theta : ndarray, shape (m,)
        blocks : iterable of Block, optional
            The same rows once more; not needed where groups are kept.

        Returns
        -------
        tuple of Effects
            A level is the rank of its code.
        """
        if not self.data.inner:
            return ()
        data, (_, combination, pull) = self.data, self._at(theta)
        sigma = self._joined(self.layout.covariances(theta))[1]
        parts, codes = [], []
        for groups in self._inner_groups(blocks):
            single = single_groups(groups, data.columns, data.turn)
            parts.append(single.effects(sigma, combination, pull))
            codes.append(groups.codes)
        order = np.argsort(np.concatenate(codes))
        modes, variance, loadings = (
            np.concatenate(part)[order] for part in zip(*parts, strict=True)
        )
        return self._effects(1, modes, variance, loadings)

    def by_group(self, theta: Floats) -> tuple[Floats, Floats]:
        """Return what each outer group adds to the estimating equations of beta.

        Parameters
        ----------
        theta : ndarray, shape (m,)

        Returns
        -------
        information : ndarray, shape (S, k, k)
            X_s'V_s^-1X_s in the likelihood's coordinates.
        scores : ndarray, shape (S, k)
            X_s'V_s^-1(y_s - X_s beta), which add up to zero.
        """
        kept, data = self._kept(), self.data
        at, combination, _ = self._at(theta)
        turn = data.turn[:, -len(combination) :]
        assert kept.squares is not None
        left = turn.T @ kept.squares @ turn
        if kept.groups is not None:
            sigma = self._joined(self.layout.covariances(theta))[1]
            single = single_groups(kept.groups, data.columns, data.turn)
            left -= single.by_outer(sigma, len(left))
        level = at.level
        assert isinstance(level, SeparateGroups)
        left -= level.by_group(at.outer)
        order = np.argsort(data.codes)
        return left[order, :-1, :-1], (left[order, :-1] @ combination)

    def without(self, group: int) -> NestedLikelihood:
        """Return the likelihood of all rows but those of one outer group.

        Parameters
        ----------
        group : int
            Its code.

        Returns
        -------
        NestedLikelihood
            With coordinates of its own; later codes keep their numbers.
        """
        kept = self._kept()
        place = int(np.flatnonzero(kept.codes == group)[0])
        return _likelihood(self.layout, leave_out(kept, place))

    @cached_property
    def _separate(self) -> SeparateGroups:
        return _separate(self.data.outer)

    @cached_property
    def _level(self) -> SeparateGroups | PooledGroups:
        return pool_groups(self._separate)

    def _kept(self) -> NestedStatistics:
        if self.statistics is None:
            raise ValueError("groups were not kept: read with keep_groups=True")
        return self.statistics

    def _inner_groups(self, blocks: Iterable[Block] | None) -> Iterable[InnerGroups]:
        if blocks is None:
            kept = self._kept().groups
            return [] if kept is None else [kept]
        sums = self.coordinates.sums
        reader = SortedReader(self.data.columns, sums.shift, sums.centre)
        readings = (reading.inner for reading in reader.read(blocks))
        return (groups for groups in readings if groups is not None)

    def _at(self, theta: Floats) -> tuple[_Solved, Floats, Pull]:
        sigmas = self._joined(self.layout.covariances(theta))
        at = self._solve(sigmas, derive=False, pooled=False)
        combination = np.append(-at.best()[1], 1.0)
        return at, combination, _pull(at, combination)

    def _solve(self, sigmas: list[Floats], derive: bool, pooled: bool = True) -> _Solved:
        data = self.data
        log_det, left = -data.coordinates.sums.log_weights, data.total.copy()
        inner = [part.take(sigmas[1]) for part in data.inner]
        if inner:
            table = data.outer.copy()
            for part, taken in zip(data.inner, inner, strict=True):
                part.lower(taken, table)
                log_det += taken.log_det
                left -= taken.reduction
            level: SeparateGroups | PooledGroups = _separate(table)
        else:
            level = self._level if pooled else self._separate
        if isinstance(level, SeparateGroups):
            outer = level.take(sigmas[0], derive)
        else:
            outer = level.take(sigmas[0])
        return _Solved(log_det + outer.log_det, left - outer.reduction, inner, level, outer)

    def _joined(self, covariances: list[Floats]) -> list[Floats]:
        """Return the covariance of all effects of each factor, outer first."""
        columns = self.data.columns
        joined = [np.zeros((columns.width(owner),) * 2) for owner in (0, 1)]
        for owner, own, covariance in zip(columns.owners, columns.slices, covariances, strict=True):
            joined[owner][own, own] = covariance
        return joined

    def _parted(self, joined: list[Floats]) -> tuple[Floats, ...]:
        """Return each term's own block of a matrix of each factor."""
        slices = self.data.columns.slices
        owners = self.data.columns.owners
        return tuple(joined[owner][own, own] for owner, own in zip(owners, slices, strict=True))

    def _effects(
        self, owner: int, modes: Floats, variance: Floats, loadings: Floats
    ) -> tuple[Effects, ...]:
        columns = self.data.columns
        return tuple(
            Effects(modes[:, own], variance[:, own, own], loadings[:, own])
            for own in (columns.slices[term] for term in columns.terms(owner))
        )


def _separate(table: Floats) -> SeparateGroups:
    """Part Z2'[Z2 X y], shape (r, S, r + k + 1)."""
    r = len(table)
    return SeparateGroups(np.ascontiguousarray(table[:, :, :r].transpose(1, 0, 2)), table[:, :, r:])


def _pull(at: _Solved, combination: Floats) -> Pull:
    level = at.level
    assert isinstance(level, SeparateGroups)
    r, outers, m = level.sums.shape
    modes, loadings = np.empty((r, outers)), np.empty((r, outers, m - 1))
    for part in batches(outers, r * m):
        effects = mix(at.outer.middle[part], level.sums[:, part])
        modes[:, part], loadings[:, part] = effects @ combination, effects[:, :, :-1]
    return Pull(at.outer.middle, modes, loadings)

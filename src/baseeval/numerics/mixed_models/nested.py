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
    pool_groups,
)
from baseeval.numerics.mixed_models.nested_inner import Pull
from baseeval.numerics.mixed_models.nested_reader import InnerGroups, SortedReader
from baseeval.numerics.mixed_models.nested_solution import Solved, outer_groups, pull_of, solve
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

    Examples
    --------
    >>> from baseeval.numerics.mixed_models.fitting import fit_likelihood
    >>> from baseeval.numerics.mixed_models.templates import full_template
    >>> school, ones = np.repeat(np.arange(3), 4), np.ones((12, 1))
    >>> score = np.array([3.0, 4, 5, 4, 8, 9, 7, 8, 5, 6, 6, 7])
    >>> rows = Block(ones, score, (ones,), (school,))
    >>> fit = fit_likelihood(nested_likelihood([rows], Layout((full_template(1),)), (0,), 0))
    >>> (fit.theta**2).round(9).tolist()  # as by analysis of variance: 4 / (2 / 3) - 1 / 4
    [5.75]
    """
    if 0 not in owners:
        raise ValueError("a model needs a term of its outer factor: owners hold no 0")
    statistics = read_statistics(blocks, owners, intercept, keep_groups)
    return _likelihood(layout, statistics)


def _likelihood(layout: Layout, statistics: NestedStatistics) -> NestedLikelihood:
    kept = statistics if statistics.squares is not None else None
    return NestedLikelihood(layout, turn_statistics(statistics), kept)


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
        at = solve(self.data, sigmas, derive=True, level=self._level)
        rss, beta = at.best()
        combination, spread = np.append(-beta, 1.0), np.zeros_like(at.left)
        spread[:-1, :-1] = np.linalg.inv(at.left[:-1, :-1])
        slopes = [at.level.slopes(at.outer, combination, spread)]
        if self.data.inner:
            pull = pull_of(at, combination)
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
        at = solve(self.data, self._joined(covariances), derive=False, level=self._level)
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
            The same rows in the same order; not needed where groups are kept.

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

        Raises
        ------
        ValueError
            If groups were not kept, or there is none of this code.
        """
        kept = self._kept()
        found = np.flatnonzero(kept.codes == group)
        if not len(found):
            raise ValueError("there is no outer group of this code")
        return _likelihood(self.layout, leave_out(kept, int(found[0])))

    @cached_property
    def _level(self) -> SeparateGroups | PooledGroups | None:
        """The outer groups, pooled where it pays; inner effects have to be taken out first."""
        return None if self.data.inner else pool_groups(outer_groups(self.data.outer))

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

    def _at(self, theta: Floats) -> tuple[Solved, Floats, Pull]:
        sigmas = self._joined(self.layout.covariances(theta))
        at = solve(self.data, sigmas, derive=False)
        combination = np.append(-at.best()[1], 1.0)
        return at, combination, pull_of(at, combination)

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

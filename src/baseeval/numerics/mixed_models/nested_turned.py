"""Sums of nested groups in the coordinates in which their likelihood is evaluated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.coordinates import Coordinates, make_coordinates
from baseeval.numerics.mixed_models.nested_groups import PooledGroups, SeparateGroups
from baseeval.numerics.mixed_models.nested_inner import PooledInner, SingleInner
from baseeval.numerics.mixed_models.nested_patterns import Pattern
from baseeval.numerics.mixed_models.nested_reader import Columns, InnerGroups
from baseeval.numerics.mixed_models.nested_statistics import NestedStatistics

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Turned:
    """What :class:`NestedLikelihood` evaluates, S outer groups.

    Parameters
    ----------
    columns : Columns
        Of a table of rows.
    coordinates : Coordinates
    turn : ndarray, shape (m, r + k + 1)
        From the columns of a table to [Z2 X y], X and y in the coordinates.
    sizes : tuple of ndarray, shapes (q_t,)
    codes : ndarray of int, shape (S,)
        Outer groups in order of appearance.
    total : ndarray, shape (k + 1, k + 1)
        [X y]'[X y].
    outer : ndarray, shape (r, S, r + k + 1)
        Z2'[Z2 X y].
    inner : tuple of PooledInner or SingleInner
    """

    columns: Columns
    coordinates: Coordinates
    turn: Floats
    sizes: tuple[Floats, ...]
    codes: Ints
    total: Floats
    outer: Floats
    inner: tuple[PooledInner | SingleInner, ...]


def turn_statistics(raw: NestedStatistics) -> Turned:
    """Choose coordinates and express sums in them.

    Parameters
    ----------
    raw : NestedStatistics

    Returns
    -------
    Turned
    """
    sums, columns = raw.sums, raw.columns
    coordinates = make_coordinates(sums)
    turn = _turn(columns, coordinates)
    fixed = turn[:, columns.width(0) :]
    inner: list[PooledInner | SingleInner] = []
    if raw.patterns:
        inner.append(_pooled(raw.patterns, columns, turn, fixed))
    if len(raw.singles.codes):
        inner.append(single_groups(raw.singles, columns, turn))
    lengths = np.sqrt(np.diagonal(raw.total) / sums.n)
    begins = {0: columns.outer.start, 1: 0}
    return Turned(
        columns=columns,
        coordinates=coordinates,
        turn=turn,
        sizes=tuple(
            lengths[begins[owner] + own.start : begins[owner] + own.stop]
            for owner, own in zip(columns.owners, columns.slices, strict=True)
        ),
        codes=raw.codes,
        total=fixed.T @ raw.total @ fixed,
        outer=raw.outer @ turn,
        inner=tuple(inner),
    )


def single_groups(groups: InnerGroups, columns: Columns, turn: Floats) -> SingleInner:
    """Express sums of inner groups, each kept by itself, in the coordinates.

    Parameters
    ----------
    groups : InnerGroups
    columns : Columns
    turn : ndarray, shape (m, r + k + 1)

    Returns
    -------
    SingleInner
    """
    gram = np.ascontiguousarray(groups.sums[:, :, columns.inner].transpose(1, 0, 2))
    return SingleInner(SeparateGroups(gram, groups.sums @ turn), groups.places, columns.width(0))


def _turn(columns: Columns, at: Coordinates) -> Floats:
    r, k = columns.width(0), len(at.kept)
    turn = np.zeros((columns.count, r + k + 1))
    turn[columns.outer, :r] = np.eye(r)
    turn[columns.x.start + at.kept, r:-1] = at.turn
    turn[columns.x.start + at.kept, -1] = -(at.turn @ at.first) / at.scale
    turn[-1, -1] = 1 / at.scale
    return turn


def _pooled(patterns: list[Pattern], columns: Columns, turn: Floats, fixed: Floats) -> PooledInner:
    turned = [
        Pattern(
            gram=one.gram,
            spread=one.spread,
            count=one.count,
            squares=np.einsum("ambn,mx,ny->abxy", one.squares, fixed, fixed, optimize=True),
            places=one.places,
            sums=one.sums @ turn,
        )
        for one in patterns
    ]
    pool = PooledGroups(
        np.stack([one.gram for one in turned]),
        np.array([one.count for one in turned], dtype=np.float64),
        np.stack([one.squares for one in turned]),
    )
    return PooledInner(turned, pool)

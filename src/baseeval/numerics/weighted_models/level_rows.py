"""Rows of pupils in schools, and of occasions in pupils, with a weight at each level."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.numerics.mixed_models.templates import Template
from baseeval.numerics.weighted_models.weight_scaling import SCALINGS, scale_pupil_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Inner:
    """Effects of pupils, where rows are occasions.

    Parameters
    ----------
    z : ndarray, shape (n, q)
        Columns of the pupils' effects.
    pupil : ndarray of int, shape (n,)
        Pupil of each row; a pupil is in one school.
    template : Template
    """

    z: Floats
    pupil: Ints
    template: Template


@dataclass(frozen=True, slots=True)
class LevelRows:
    """Rows sorted by school and pupil, their weights scaled.

    Parameters
    ----------
    x, y, z : ndarray, shapes (n, p), (n,), (n, q)
        z are the columns of the schools' effects.
    school, pupil : ndarray of int, shape (n,)
        From 0, each used, in order; without effects of pupils each row is one.
    pupil_weights : ndarray, shape (P,)
        Within the school, scaled.
    school_weights : ndarray, shape (G,)
    z_inner : ndarray, shape (n, r)
        No column where pupils have no effects.
    home : ndarray of int, shape (P,)
        School of each pupil.
    """

    x: Floats
    y: Floats
    z: Floats
    school: Ints
    pupil: Ints
    pupil_weights: Floats
    school_weights: Floats
    z_inner: Floats
    home: Ints

    @property
    def school_starts(self) -> Ints:
        """Return the first row of each school."""
        return np.flatnonzero(np.diff(self.school, prepend=-1))

    @property
    def pupil_starts(self) -> Ints:
        """Return the first row of each pupil."""
        return np.flatnonzero(np.diff(self.pupil, prepend=-1))

    @property
    def row_weights(self) -> Floats:
        """Return each row's weight within its school, shape (n,)."""
        return self.pupil_weights[self.pupil]

    @property
    def school_sizes(self) -> Floats:
        """Return the sum of the rows' weights within each school, shape (G,)."""
        return np.asarray(np.bincount(self.school, self.row_weights), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class GivenWeights:
    """Where the weights of the sorted pupils and schools stand among the rows given.

    Parameters
    ----------
    first_rows : ndarray of int, shape (P,)
        Position of each pupil's first row among the rows given.
    schools_first : ndarray of int, shape (G,)
        The same of each school's.
    scaling : str
    """

    first_rows: Ints
    schools_first: Ints
    scaling: str

    def reweighted(
        self, rows: LevelRows, pupil_weights: Floats, school_weights: Floats
    ) -> LevelRows:
        """Return rows with other weights, given as these were, shapes (n,)."""
        scaled = scale_pupil_weights(pupil_weights[self.first_rows], rows.home, self.scaling)
        return replace(
            rows, pupil_weights=scaled, school_weights=school_weights[self.schools_first]
        )


def lay_rows(
    x: Floats,
    y: Floats,
    z: Floats,
    group: Ints,
    pupil_weights: Floats,
    school_weights: Floats,
    scaling: str,
    inner: Inner | None,
) -> tuple[LevelRows, GivenWeights]:
    """Sort rows by school and pupil, and scale the pupils' weights.

    Parameters
    ----------
    x, y, z, group, pupil_weights, school_weights, scaling, inner
        As of `baseeval.numerics.weighted_models.weighted_fit.fit_weighted_mixed`.

    Returns
    -------
    rows : LevelRows
    given : GivenWeights

    Raises
    ------
    UsageError
        The weights cannot be those of pupils and schools, or there is no such scaling.
    """
    pupil = np.arange(len(y), dtype=np.intp) if inner is None else inner.pupil
    order = np.lexsort((pupil, group))
    school = np.unique(group[order], return_inverse=True)[1].astype(np.intp)
    known = pupil[order]
    another = (np.diff(school, prepend=-1) != 0) | (np.diff(known, prepend=known[0]) != 0)
    own = np.cumsum(another).astype(np.intp) - 1
    z_inner = np.empty((len(y), 0)) if inner is None else inner.z[order]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    school_starts = np.flatnonzero(np.diff(school, prepend=-1))
    given = GivenWeights(order[starts], order[school_starts], scaling)
    home = school[starts]
    _check(pupil_weights[order], own, school_weights[order], school, given)
    rows = LevelRows(
        x[order],
        y[order],
        z[order],
        school,
        own,
        scale_pupil_weights(pupil_weights[given.first_rows], home, scaling),
        school_weights[given.schools_first],
        z_inner,
        home,
    )
    return rows, given


def _check(
    pupil_weights: Floats, pupil: Ints, school_weights: Floats, school: Ints, given: GivenWeights
) -> None:
    """Refuse weights that are not positive, or not one a pupil and one a school."""
    problems = []
    if given.scaling not in SCALINGS:
        problems.append(
            Problem("scaling", "there is no such way", f"Take one of {', '.join(SCALINGS)}.")
        )
    for name, weights, codes, firsts in (
        ("pupil", pupil_weights, pupil, given.first_rows),
        ("school", school_weights, school, given.schools_first),
    ):
        wrong = int(np.sum(~(np.isfinite(weights) & (weights > 0))))
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        torn = int(np.sum(np.add.reduceat(weights != weights[starts][codes], starts) > 0))
        if wrong:
            problems.append(
                Problem(
                    f"{name} weights",
                    f"{wrong:,} of {len(weights):,} rows have one that is no positive number",
                    "Leave rows of weight zero out; mend the others.",
                )
            )
        elif torn:
            problems.append(
                Problem(
                    f"{name} weights",
                    f"they differ within {torn:,} of {len(firsts):,} {name}s",
                    f"Give one weight a {name}; what differs within a school is its pupils'.",
                )
            )
    if problems:
        raise UsageError(problems)

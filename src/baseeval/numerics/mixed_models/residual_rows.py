"""Rows of pupils over waves, checked and summed for a model of correlated residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.coordinates import Sums, make_coordinates
from baseeval.numerics.mixed_models.residual_forms import Correlation, ResidualForm
from baseeval.numerics.mixed_models.residual_likelihood import ResidualLikelihood, ResidualModel
from baseeval.numerics.mixed_models.residual_patterns import sum_patterns
from baseeval.numerics.mixed_models.templates import Template

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Said of an outcome of which nothing is left.
REPRODUCED = (
    "the model reproduces the outcome exactly, so that no residual is left to describe; an "
    "outcome that is constant or made from the other columns cannot be modelled."
)
#: Occasions of pupils' columns may differ by this, relatively, and count as the same.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class WaveRows:
    """Rows of pupils at occasions.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray, shape (n,)
    pupils : ndarray of int, shape (n,)
        Codes from 0. Residuals of one pupil are correlated.
    times : ndarray of int, shape (n,)
        Occasion; distances in time are differences of it.
    strata : ndarray of int, shape (n,), optional
        Codes from 0 of what the residual variance may differ by.
    schools : ndarray of int, shape (n,), optional
        Codes from 0 of the groups of `school_z`; a pupil is in one.
    school_z : ndarray, shape (n, q), optional
        Columns of the schools' random effects.
    pupil_z : ndarray, shape (n, r), optional
        Columns of the pupils' own random effects: functions of the occasion.
    """

    x: Floats
    y: Floats
    pupils: Ints
    times: Ints
    strata: Ints | None = None
    schools: Ints | None = None
    school_z: Floats | None = None
    pupil_z: Floats | None = None


@dataclass(frozen=True, slots=True)
class ResidualStructure:
    """What residuals may do.

    Parameters
    ----------
    correlation : {"independent", "ar1", "exchangeable", "unstructured"}
    by_occasion, by_stratum : bool
        Whether their variance differs between occasions, between strata.
    """

    correlation: Correlation = "independent"
    by_occasion: bool = False
    by_stratum: bool = False


def wave_likelihood(
    rows: WaveRows,
    structure: ResidualStructure,
    school: Template | None = None,
    pupil: Template | None = None,
    intercept: int | None = None,
) -> ResidualLikelihood:
    """Check rows and sum them by pattern.

    Parameters
    ----------
    rows : WaveRows
    structure : ResidualStructure
    school, pupil : Template, optional
        Of the effects of `school_z` and `pupil_z`.
    intercept : int, optional
        Position of the column of ones.

    Returns
    -------
    ResidualLikelihood

    Raises
    ------
    ValueError
        Where the rows do not suit the structure, or cannot tell its parameters
        apart: all that is wrong, at once. Where nothing is left of the outcome.
    """
    schools = np.zeros(len(rows.y), dtype=np.intp) if rows.schools is None else rows.schools
    times, held, cells = find_cells(rows)
    occasion = held[0][cells]
    form = ResidualForm(
        correlation=structure.correlation,
        by_occasion=structure.by_occasion,
        by_stratum=structure.by_stratum,
        times=times,
        strata=int(held[1].max()) + 1,
        occasion=held[0],
        stratum=held[1],
        most=int(np.bincount(rows.pupils).max()),
    )
    of_cells = _first_of(rows.pupil_z, cells)
    problems = _problems(rows, form, occasion, cells, of_cells, pupil)
    if problems:
        raise ValueError("\n".join(problems))
    coordinates = make_coordinates(_sums(rows.x, rows.y, intercept))
    if coordinates.yy == 0:
        raise ValueError(REPRODUCED)
    x = coordinates.columns(rows.x - coordinates.sums.shift)
    y = coordinates.outcome(rows.y - coordinates.sums.centre, x)
    z = rows.school_z if rows.school_z is not None and school else np.empty((len(y), 0))
    columns = np.column_stack([x, y])
    sums = sum_patterns(columns, z, schools, rows.pupils, cells)
    model = ResidualModel(school, pupil, form, of_cells)
    units = np.concatenate(
        [_units(school, rows.school_z), _units(pupil, rows.pupil_z), np.ones(form.count)]
    )
    return ResidualLikelihood(model, coordinates, sums, len(y), units)


def _units(template: Template | None, z: Floats | None) -> Floats:
    """Return the root mean square of the columns of Z that each parameter scales."""
    if template is None or z is None:
        return np.zeros(0)
    held = np.bincount(template.parameter, (z**2).mean(axis=0)[template.rows], template.count)
    found = np.sqrt(held / np.bincount(template.parameter, minlength=template.count))
    return np.where(found > 0, found, 1.0)


def find_cells(rows: WaveRows) -> tuple[Ints, Ints, Ints]:
    """Find the occasions, and the cells of an occasion in a stratum.

    Parameters
    ----------
    rows : WaveRows

    Returns
    -------
    times : ndarray of int, shape (T,)
        The occasions, in order.
    held : ndarray of int, shape (2, c)
        Place in `times`, and stratum, of each cell.
    cells : ndarray of int, shape (n,)
        Cell of each row.
    """
    times, occasion = np.unique(rows.times, return_inverse=True)
    strata = np.zeros(len(rows.y), dtype=np.intp) if rows.strata is None else rows.strata
    pairs = np.stack([occasion.ravel(), strata])
    held, cells = np.unique(pairs, axis=1, return_inverse=True)
    return times.astype(np.intp), held, cells.ravel()


def _sums(x: Floats, y: Floats, intercept: int | None) -> Sums:
    shift, centre = np.zeros(x.shape[1]), 0.0
    if intercept is not None:
        shift, centre = x.mean(axis=0), float(y.mean())
        shift[intercept] = 0.0
    x, y = x - shift, y - centre
    return Sums(x.T @ x, x.T @ y, float(y @ y), len(y), 0.0, shift, centre, intercept)


def _first_of(columns: Floats | None, cells: Ints) -> Floats:
    """Return the pupils' columns at the first row of each cell, shape (c, r)."""
    first = np.unique(cells, return_index=True)[1]
    return np.empty((len(first), 0)) if columns is None else columns[first]


def _problems(
    rows: WaveRows,
    form: ResidualForm,
    occasion: Ints,
    cells: Ints,
    of_cells: Floats,
    pupil: Template | None,
) -> list[str]:
    """Name everything that stands in the way, in counts of rows and pupils only."""
    found = []
    keys = rows.pupils * len(form.times) + occasion
    twice = len(keys) - len(np.unique(keys))
    if twice:
        found.append(
            f"{twice} rows repeat an occasion of their pupil; correlated residuals need one row "
            "for each pupil and occasion."
        )
    if rows.schools is not None and rows.school_z is not None:
        pairs = np.unique(np.stack([rows.pupils, rows.schools]), axis=1)[0]
        moved = int((np.bincount(pairs) > 1).sum())
        if moved:
            found.append(
                f"{moved} pupils are in more than one school; correlated residuals need pupils "
                "within schools. Give each spell in a school a pupil code of its own."
            )
    if pupil is not None and rows.pupil_z is not None:
        size = np.abs(rows.pupil_z).max(axis=0)
        apart = np.abs(rows.pupil_z - of_cells[cells]) > _SAME * size
        if apart.any():
            found.append(
                f"a random effect of pupils has a column that differs between pupils at one "
                f"occasion ({int(apart.any(axis=1).sum())} rows); with correlated residuals it "
                "must be a function of the occasion, such as the wave itself."
            )
    if form.correlation == "unstructured":
        found += _never_together(form, rows.pupils, occasion)
    return found + _not_told_apart(form, pupil)


def _never_together(form: ResidualForm, pupils: Ints, occasion: Ints) -> list[str]:
    seen = np.zeros((int(pupils.max()) + 1, len(form.times)))
    seen[pupils, occasion] = 1.0
    together = seen.T @ seen
    late, early = np.nonzero(np.tril(together == 0, -1))
    if not len(late):
        return []
    pairs = ", ".join(
        f"{form.times[a]} and {form.times[b]}" for a, b in zip(early, late, strict=True)
    )
    return [
        f"no pupil was seen at both occasions of these pairs: {pairs}; their correlation cannot "
        'be estimated. Use "ar1" or "exchangeable", or leave an occasion out.'
    ]


def _not_told_apart(form: ResidualForm, pupil: Template | None) -> list[str]:
    if form.correlation == "ar1" and form.most < 2:
        return ["no pupil has two occasions: a correlation over time cannot be estimated."]
    if form.correlation == "exchangeable" and form.most < 2:
        return ["no pupil has two occasions: a correlation within pupils cannot be estimated."]
    if pupil is None:
        return []
    if form.correlation in {"unstructured", "exchangeable"}:
        return [
            f'random effects of pupils and "{form.correlation}" residuals both describe how the '
            "waves of a pupil hang together and cannot be told apart; leave one of them out."
        ]
    needed = pupil.size + (2 if form.correlation == "ar1" else 1)
    if len(form.times) < needed or form.most < needed:
        return [
            f"{pupil.size} random effects of pupils with {form.correlation} residuals need pupils "
            f"with at least {needed} occasions; the most that a pupil has is {form.most}."
        ]
    return []

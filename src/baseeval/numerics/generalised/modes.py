"""The most likely random effects given everything else, by Newton's method, all units at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.generalised.slopes import Curve
from baseeval.numerics.generalised.systems import System, Terms, gather, spread

Floats = NDArray[np.float64]

#: The last step in standard deviations (the next would be about its square), and the most looks.
_CLOSE, _LOOKS = 1e-6, 60
#: How often a step is halved at most, and the loss that rounding may make.
_HALVINGS, _ROUNDING = 30, 1e-11


def find_modes(
    rows: GroupedRows, system: System, fixed: Floats, v: Terms, phi: Floats, start: Terms
) -> Terms | None:
    """Maximise sum l(fixed + v'u) - u'u / 2 over u.

    A unit whose merit falls has its step halved, other units keep theirs. Where rows are not
    concave and make D indefinite, those rows' curvature is left out of the step.

    Parameters
    ----------
    rows : GroupedRows
    system : System
    fixed : ndarray, shape (n,)
        Linear predictor without random effects.
    v : tuple of ndarray, shapes (q_t, n)
    phi : ndarray, shape (d,)
    start : tuple of ndarray, shapes (q_t, G_t)

    Returns
    -------
    tuple of ndarray, shapes (q_t, G_t), or None
        None where no start is inside the family's bounds, or modes lie on them.
    """
    if all(not own.any() for own in v):
        return tuple(np.zeros_like(own) for own in start)
    u = start
    curve = rows.curve(fixed + spread(rows, v, u), phi)
    merit = _merit(system, curve, u)
    if not np.isfinite(merit).all():
        u = tuple(np.zeros_like(own) for own in start)
        curve = rows.curve(fixed, phi)
        merit = _merit(system, curve, u)
        if not np.isfinite(merit).all():
            return None
    looks = 0
    while looks < _LOOKS:
        factor = system.factorise(v, -curve.second)
        if factor is None:
            factor = system.factorise(v, np.maximum(-curve.second, 0.0))
        if factor is None:
            return None
        pull = gather(rows, v, curve.first)
        step = factor.solve(tuple(a - b for a, b in zip(pull, u, strict=True)))
        size = max(np.abs(own).max(initial=0.0) for own in step)
        if size < _CLOSE:
            return tuple(a + b for a, b in zip(u, step, strict=True))
        share = np.ones(system.units)
        for _ in range(_HALVINGS):
            looks += 1
            trial = tuple(
                a + share[unit] * b for a, b, unit in zip(u, step, system.level_units, strict=True)
            )
            there = rows.curve(fixed + spread(rows, v, trial), phi)
            new = _merit(system, there, trial)
            worse = ~(new >= merit - _ROUNDING * (1 + np.abs(merit)))
            if not worse.any():
                break
            share[worse] /= 2
        u, curve, merit = trial, there, new
    return None


def _merit(system: System, curve: Curve, u: Terms) -> Floats:
    total = np.bincount(system.row_unit, curve.value, system.units).astype(np.float64)
    for own, unit in zip(u, system.level_units, strict=True):
        total = total - np.bincount(unit, (own**2).sum(axis=0), system.units) / 2
    return np.asarray(total)

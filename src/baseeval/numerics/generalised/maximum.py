"""The maximum over all parameters, variances at zero included.

The likelihood does not change when a column of L changes sign, so that theta is free to cross
zero and a variance of zero is a point like any other; but there the derivative is zero whether or
not it is a maximum, so that a search never starts there and one that ends there is tried again
from inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.climbing import climb
from baseeval.numerics.generalised.plain import Plain
from baseeval.numerics.generalised.surface import Surface
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A standard deviation below this, its column at unit root mean square, may be zero.
_SMALL = 2e-2
#: A place with fewer free parameters is taken where its value is lower by no more than this.
_SAME = 1e-8
#: Standard deviations from which a variance that ended at zero is tried again.
_INSIDE = (1.0,)
#: How often a start is brought nearer to no variance before it is given up.
_HALVINGS = 8


@dataclass(frozen=True, slots=True)
class Maximum:
    """The parameters at the maximum.

    Parameters
    ----------
    at : ndarray, shape (P,)
        beta, theta, phi.
    value : float
    covariance : ndarray, shape (P, P)
        NaN in the lines of parameters at zero.
    converged : bool
    at_zero : ndarray of bool, shape (m,)
        Elements of theta that are zero.
    """

    at: Floats
    value: float
    covariance: Floats
    converged: bool
    at_zero: Flags

    @classmethod
    def without_effects(cls, surface: Surface, plain: Plain) -> Maximum:
        """Return a fit without random effects as one with all variances at zero."""
        m, p = surface.rows.layout.count, len(plain.beta)
        at = np.concatenate([plain.beta, np.zeros(m), plain.phi])
        covariance = np.full((len(at), len(at)), np.nan)
        held = np.r_[0:p, p + m : len(at)]
        covariance[np.ix_(held, held)] = plain.covariance
        return cls(at, plain.value, covariance, plain.converged, np.ones(m, dtype=bool))


def maximise_surface(surface: Surface, plain: Plain) -> Maximum:
    """Find the maximum.

    Parameters
    ----------
    surface : Surface
    plain : Plain
        The fit without random effects.

    Returns
    -------
    Maximum

    Raises
    ------
    ValueError
        The likelihood is not defined wherever a search could start.
    """
    best = _search(surface, plain.beta, surface.guess(plain), plain.phi)
    if best.at_zero.any():
        beta, held, phi = surface.rows.parts(best.at)
        for theta in _inside(surface, held, best.at_zero):
            found = _search(surface, beta, theta, phi)
            if found.value > best.value + _SAME * (1 + abs(best.value)):
                best = found
    if not best.value > plain.value - _SAME * (1 + abs(plain.value)):
        best = Maximum.without_effects(surface, plain)
    theta = surface.rows.parts(best.at)[1]
    return replace(best, at=_with_signs(surface, best.at), at_zero=best.at_zero | (theta == 0))


def _search(surface: Surface, beta: Floats, theta: Floats, phi: Floats) -> Maximum:
    """Climb from variances inside, smaller ones where the link does not allow those given."""
    for _ in range(_HALVINGS):
        start = np.concatenate([beta, theta, phi])
        if surface.evaluate(start) is not None:
            break
        theta = theta / 2
    nothing = np.zeros(len(theta), dtype=bool)
    return _settled(surface, _from(surface, start, nothing))


def _from(surface: Surface, start: Floats, at_zero: Flags) -> Maximum:
    """Climb with some of theta held at zero."""
    p = surface.rows.x.shape[1]
    free = np.ones(len(start), dtype=bool)
    free[p : p + len(at_zero)] = ~at_zero
    place = np.where(free, start, 0.0)

    def evaluate(part: Floats) -> tuple[float, Floats] | None:
        whole = np.zeros(len(start))
        whole[free] = part
        found = surface.evaluate(whole)
        return None if found is None else (found[0], found[1][free])

    turn = surface.turn(place, free)
    peak = climb(evaluate, place[free], turn, surface.look_back)
    at, covariance = np.zeros(len(start)), np.full((len(start), len(start)), np.nan)
    at[free] = peak.at
    covariance[np.ix_(free, free)] = peak.covariance
    return Maximum(at, peak.value, covariance, peak.converged, at_zero)


def _settled(surface: Surface, found: Maximum) -> Maximum:
    """Put at zero what the likelihood does not tell from zero."""
    layout = surface.rows.layout
    while True:
        theta = surface.rows.parts(found.at)[1]
        size = np.abs(theta) * surface.units
        doubtful = layout.diagonal & (size < _SMALL) & ~found.at_zero
        if not doubtful.any():
            return found
        least = np.flatnonzero(doubtful)[np.argmin(size[doubtful])]
        held = found.at_zero.copy()
        held[least] = True
        if _empty(layout, held):
            held[:] = True
        trial = _from(surface, found.at, held)
        # A variance that is small and not zero has a likelihood that tells them apart.
        if trial.value < found.value - _SAME * (1 + abs(found.value)):
            return found
        found = trial


def _empty(layout: Layout, held: Flags) -> bool:
    """Return whether nothing on any diagonal is left."""
    return bool(np.all(held[layout.diagonal]))


def _inside(surface: Surface, theta: Floats, at_zero: Flags) -> Iterator[Floats]:
    """Yield thetas from which a fit on the boundary is tried again."""
    units, start = surface.units, 0
    for template in surface.rows.layout.templates:
        own = slice(start, start + template.count)
        start += template.count
        if not at_zero[own].any():
            continue
        for size in _INSIDE:
            for lean in (-0.5, 0.5) if template.correlated else (0.0,):
                trial = theta.copy()
                trial[own] = np.where(template.diagonal, size, lean * size) / units[own]
                yield trial


def _with_signs(surface: Surface, at: Floats) -> Floats:
    """Return the same place with no negative standard deviation on the diagonal of L."""
    p = surface.rows.x.shape[1]
    found, start = at.copy(), p
    for template in surface.rows.layout.templates:
        own = slice(start, start + template.count)
        start += template.count
        theta = found[own]
        on = template.rows == template.columns
        flipped = template.columns[on][theta[template.parameter[on]] < 0]
        if len(flipped):
            changed = np.unique(template.parameter[np.isin(template.columns, flipped)])
            theta[changed] *= -1
            found[own] = theta
    return found

"""A model's marginal log-likelihood by Laplace's approximation, with its derivatives.

With the effects u of a unit at their mode and D minus the second derivative there, a unit's
log-likelihood is approximately

    sum w l(eta_i, phi) - u'u / 2 - log|D| / 2

(Tierney and Kadane 1986, doi:10.1080/01621459.1986.10478240). D is of observed second derivatives,
as in glmmTMB. `docs/methods/generalised.md` derives the gradient. Adaptive quadrature adds to
the same sums; see :mod:`baseeval.numerics.generalised.nodes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.grouped_rows import GroupedRows, add_up, dot
from baseeval.numerics.generalised.modes import find_modes
from baseeval.numerics.generalised.nodes import Nodes, integrate
from baseeval.numerics.generalised.slopes import Slopes
from baseeval.numerics.generalised.systems import Factor, System, Terms, gather, spread

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Approximation:
    """The log-likelihood at one place.

    Parameters
    ----------
    values : ndarray, shape (U,)
        Log-likelihood of each unit.
    modes : tuple of ndarray, shapes (q_t, G_t)
        Standardised effects u.
    by_eta : ndarray, shape (n,)
        Times the columns of x and added up, the derivative by beta.
    by_lower : tuple of ndarray, shapes (q_t, q_t, G_t)
        Added up over levels, the derivative by L_t.
    by_phi : ndarray, shape (d, n)
        Added up, the derivative by phi.
    slopes : Slopes
        Of the rows at the modes.
    factor : Factor
        Of D there.
    """

    values: Floats
    modes: Terms
    by_eta: Floats
    by_lower: Terms
    by_phi: Floats
    slopes: Slopes
    factor: Factor

    @property
    def value(self) -> float:
        """Return the log-likelihood."""
        return float(self.values.sum())

    def gradient(self, rows: GroupedRows) -> Floats:
        """Return its derivative by beta, theta and phi."""
        by_theta = rows.layout.collect([own.sum(axis=2) for own in self.by_lower])
        return np.concatenate([self.by_eta @ rows.x, by_theta, self.by_phi.sum(axis=1)])


def approximate(
    rows: GroupedRows,
    system: System,
    place: Floats,
    start: Terms,
    nodes: Nodes | None = None,
) -> Approximation | None:
    """Find the modes and what follows from them.

    Parameters
    ----------
    rows : GroupedRows
    system : System
    place : ndarray, shape (p + m + d,)
        beta, theta, phi.
    start : tuple of ndarray, shapes (q_t, G_t)
        Where to look for the modes first.
    nodes : Nodes, optional
        Of adaptive quadrature, for one factor; else Laplace's approximation.

    Returns
    -------
    Approximation or None
        None where the likelihood is not defined.
    """
    beta, theta, phi = rows.parts(place)
    lowers = rows.layout.factors(theta)
    v = tuple(lower.T @ z for lower, z in zip(lowers, rows.z, strict=True))
    fixed = rows.fixed(beta)
    u = find_modes(rows, system, fixed, v, phi, start)
    if u is None:
        return None
    slopes = rows.slopes(fixed + spread(rows, v, u), phi)
    factor = system.factorise(v, -slopes.second)
    if factor is None:
        return None
    values = np.bincount(system.row_unit, slopes.value, system.units) - factor.log_det / 2
    for own, unit in zip(u, system.level_units, strict=True):
        values -= np.bincount(unit, (own**2).sum(axis=0), system.units) / 2
    if nodes is None:
        by_eta, by_phi = slopes.first.copy(), slopes.by_phi
        half = tuple(own / 2 for own in factor.inverse_rows(v))
        pull = tuple(np.zeros_like(own) for own in u)
        pulls = gather(rows, rows.z, slopes.first)
        by_lower = [own[:, None] * modes[None] for own, modes in zip(pulls, u, strict=True)]
    else:
        more = integrate(rows, fixed, v[0], phi, u[0], slopes, factor, nodes)
        values = values + more.gain
        by_eta, by_phi, half, pull = more.by_eta, more.by_phi, (more.half,), (more.pull,)
        by_lower = [more.by_lower]
    return _with_implicit(
        rows, v, values, u, slopes, factor, (by_eta, by_phi, by_lower), half, pull
    )


def _with_implicit(
    rows: GroupedRows,
    v: Terms,
    values: Floats,
    u: Terms,
    slopes: Slopes,
    factor: Factor,
    direct: tuple[Floats, Floats, list[Floats]],
    half: Terms,
    pull: Terms,
) -> Approximation:
    """Add what the parameters do through D and through the modes.

    `half` holds the rows G v_i, where -<G, dD> is what D contributes; `pull` is the
    contribution of the modes beside that through D.
    """
    by_eta, by_phi, by_lower = direct
    leverage = _sum([dot(own, row) for own, row in zip(v, half, strict=True)])
    turning = slopes.third * leverage
    back = gather(rows, v, turning)
    b = factor.solve(tuple(a + own for a, own in zip(back, pull, strict=True)))
    along = spread(rows, v, b)
    curve = -slopes.second
    lead = turning - curve * along
    for term, z in enumerate(rows.z):
        code, size = rows.groups[term], rows.levels[term]
        moved = by_lower[term] + add_up(z * lead, code, size)[:, None] * u[term][None]
        moved += add_up(z * slopes.first, code, size)[:, None] * b[term][None]
        for a in range(len(z)):
            for k in range(len(z)):
                held = np.bincount(code, z[a] * curve * half[term][k], size)
                moved[a, k] -= 2 * held
        by_lower[term] = moved
    by_phi = by_phi + slopes.second_by_phi * leverage + slopes.first_by_phi * along
    return Approximation(values, u, by_eta + lead, tuple(by_lower), by_phi, slopes, factor)


def _sum(parts: list[Floats]) -> Floats:
    return np.asarray(sum(parts[1:], start=parts[0]))

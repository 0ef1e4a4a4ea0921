"""What is told of a maximum that was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.approximation import Approximation
from baseeval.numerics.generalised.beta_binomial import BetaTrials
from baseeval.numerics.generalised.binomials import IdentityTrials, LogTrials
from baseeval.numerics.generalised.counts import NegativeBinomialCounts
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit, LevelEffects
from baseeval.numerics.generalised.maximum import Maximum
from baseeval.numerics.generalised.ordered import OrderedLogit
from baseeval.numerics.generalised.surface import Surface
from baseeval.numerics.separation import Separation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: A chance nearer to one or zero than this is at the edge of what a link allows.
_EDGE = 1e-6


def finish(
    surface: Surface,
    found: Maximum,
    kept: Ints,
    turn: Floats,
    separation: Separation | None,
    overdispersed: bool = False,
) -> GeneralisedFit:
    """Gather a fit in the units of the columns that were given.

    Parameters
    ----------
    surface : Surface
    found : Maximum
    kept : ndarray of int, shape (k,)
    turn : ndarray, shape (k, k)
        beta = turn times the coefficients of the surface's rows.
    separation : Separation or None
        Its columns among those kept.
    overdispersed : bool
        Whether a dispersion was asked for.

    Returns
    -------
    GeneralisedFit

    Raises
    ------
    ValueError
        The likelihood is not defined at the maximum.
    """
    rows, p = surface.rows, len(kept)
    here = surface.look(found.at)
    if here is None:
        raise ValueError("the likelihood is not defined at its maximum")
    whole = np.eye(len(found.at))
    whole[:p, :p] = turn
    parameters = whole @ found.at
    covariance = found.covariance.copy()
    covariance[:p] = turn @ covariance[:p]
    covariance[:, :p] = covariance[:, :p] @ turn.T
    theta = parameters[p : p + rows.layout.count]
    shared = parameters[p + rows.layout.count :]
    scores = unit_scores(surface, here)
    if scores is not None:
        scores[:, :p] = np.linalg.solve(turn.T, scores[:, :p].T).T
    dispersion = thresholds = None
    if isinstance(rows.outcome, BetaTrials | NegativeBinomialCounts):
        dispersion = float(np.exp(shared[0]))
    elif overdispersed:
        dispersion = float("inf")
    elif isinstance(rows.outcome, OrderedLogit):
        thresholds = shared
    predictor = _predictor(surface, found.at, here)
    flags = {
        "not_converged": not found.converged and separation is None,
        "variance_at_zero": bool(found.at_zero.any()) and separation is None,
        "separated": separation is not None,
        "no_overdispersion": overdispersed and dispersion == float("inf"),
        "edge_of_link": _at_edge(surface, predictor),
    }
    if separation is not None:
        named = tuple(int(kept[column]) for column in separation.columns)
        separation = replace(separation, columns=named)
    return GeneralisedFit(
        beta=parameters[:p],
        vcov=covariance[:p, :p],
        kept=kept,
        theta=theta,
        parameters=parameters,
        parameters_vcov=covariance,
        loglik=here.value,
        dispersion=dispersion,
        thresholds=thresholds,
        effects=_effects(surface, theta, here),
        predictor=predictor,
        scores=scores,
        row_unit=surface.system.row_unit,
        converged=found.converged and separation is None,
        singular=flags["variance_at_zero"],
        separation=separation,
        flags=tuple(name for name, on in flags.items() if on),
        quadrature=surface.points,
        rows=rows,
        turn=turn,
    )


def unit_scores(surface: Surface, here: Approximation) -> Floats | None:
    """Return the derivative of each unit's log-likelihood by all parameters.

    Parameters
    ----------
    surface : Surface
    here : Approximation

    Returns
    -------
    ndarray, shape (U, P), or None
        None where factors are crossed, so that there is one unit alone.
    """
    rows, system = surface.rows, surface.system
    if system.units < 2:
        return None
    p, layout = rows.x.shape[1], rows.layout
    found = np.zeros((system.units, rows.count))
    for column in range(p):
        part = here.by_eta * rows.x[:, column]
        found[:, column] = np.bincount(system.row_unit, part, system.units)
    start = p
    for template, lower, unit in zip(
        layout.templates, here.by_lower, system.level_units, strict=True
    ):
        for row, column, parameter in zip(
            template.rows, template.columns, template.parameter, strict=True
        ):
            found[:, start + parameter] += np.bincount(unit, lower[row, column], system.units)
        start += template.count
    for line, by_phi in enumerate(here.by_phi):
        found[:, start + line] = np.bincount(system.row_unit, by_phi, system.units)
    return found


def _effects(surface: Surface, theta: Floats, here: Approximation) -> tuple[LevelEffects, ...]:
    found = []
    lowers = surface.rows.layout.factors(theta)
    for lower, u, inverse in zip(lowers, here.modes, here.factor.variances(), strict=True):
        blocks = np.ascontiguousarray(np.moveaxis(inverse, 2, 0))
        found.append(LevelEffects((lower @ u).T, lower @ blocks @ lower.T))
    return tuple(found)


def _predictor(surface: Surface, place: Floats, here: Approximation) -> Floats:
    rows = surface.rows
    beta, theta, _ = rows.parts(place)
    eta = rows.fixed(beta)
    lowers = rows.layout.factors(theta)
    for lower, z, code, u in zip(lowers, rows.z, rows.groups, here.modes, strict=True):
        eta = eta + ((lower.T @ z) * u[:, code]).sum(axis=0)
    return eta


def _at_edge(surface: Surface, eta: Floats) -> bool:
    outcome = surface.rows.outcome
    if isinstance(outcome, LogTrials):
        return bool((eta > -_EDGE).any())
    if isinstance(outcome, IdentityTrials):
        return bool(((eta < _EDGE) | (eta > 1 - _EDGE)).any())
    return False

"""Fits to outcomes drawn from a fit (parametric bootstrap); variances robust by unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.fitting_generalised import fit_rows
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.generalised.grouped_rows import GroupedRows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draws:
    """Parameters of fits to drawn outcomes.

    Parameters
    ----------
    parameters : ndarray, shape (B, P)
        As a fit's `parameters`; a dispersion at its limit has an infinite logarithm.
    converged : ndarray of bool, shape (B,)
    failed : int
        Draws that could not be fitted (an outcome that does not vary, say), beside these.
    """

    parameters: Floats
    converged: NDArray[np.bool_]
    failed: int


def bootstrap_parameters(fit: GeneralisedFit, draws: int, seed: int) -> Draws:
    """Draw effects and outcomes from a fit and fit the same model to them.

    Parameters
    ----------
    fit : GeneralisedFit
    draws : int
    seed : int

    Returns
    -------
    Draws
    """
    places, converged, failed = [], [], 0
    for own in np.random.SeedSequence(seed).spawn(draws):
        found = _refit(fit, np.random.default_rng(own))
        if found is None:
            failed += 1
        else:
            places.append(found[0])
            converged.append(found[1])
    parameters = np.array(places).reshape(len(places), len(fit.parameters))
    return Draws(parameters, np.array(converged, dtype=bool), failed)


def percentile_interval(
    draws: Draws, statistic: Callable[[Floats], Floats], level: float = 0.95
) -> tuple[Floats, Floats]:
    """Return the percentile interval of a statistic of the parameters.

    Parameters
    ----------
    draws : Draws
    statistic : callable
        From parameters, shape (P,), to an array.
    level : float

    Returns
    -------
    lower, upper : ndarray
    """
    found = np.array([np.asarray(statistic(place)) for place in draws.parameters])
    tail = (1 - level) / 2
    lower, upper = np.quantile(found, [tail, 1 - tail], axis=0)
    return np.asarray(lower), np.asarray(upper)


def robust_vcov(fit: GeneralisedFit) -> Floats:
    """Return the covariance of all parameters that is robust by unit, shape (P, P).

    H^-1 (sum s s') H^-1 times U / (U - 1), with s the units' scores and H minus the second
    derivative (White 1982, doi:10.2307/1912526).

    Parameters
    ----------
    fit : GeneralisedFit

    Returns
    -------
    ndarray, shape (P, P)
        NaN for parameters at a boundary.

    Raises
    ------
    ValueError
        Factors are crossed, so that no unit is independent of another.
    """
    if fit.scores is None:
        raise ValueError("factors are crossed: no group is independent of the others")
    free = np.isfinite(np.diagonal(fit.parameters_vcov))
    bread = fit.parameters_vcov[np.ix_(free, free)]
    scores = fit.scores[:, free]
    units = len(scores)
    found = np.full(fit.parameters_vcov.shape, np.nan)
    middle = scores.T @ scores * units / (units - 1)
    found[np.ix_(free, free)] = bread @ middle @ bread
    return found


def draw_rows(fit: GeneralisedFit, rng: np.random.Generator) -> GroupedRows:
    """Return the fit's rows with effects and outcomes drawn anew.

    Parameters
    ----------
    fit : GeneralisedFit
    rng : Generator

    Returns
    -------
    GroupedRows
    """
    rows = fit.rows
    eta = rows.fixed(np.asarray(np.linalg.solve(fit.turn, fit.beta), dtype=np.float64))
    for lower, z, code, levels in zip(fit.factors, rows.z, rows.groups, rows.levels, strict=True):
        effects = lower @ rng.standard_normal((len(lower), levels))
        eta = eta + (z * effects[:, code]).sum(axis=0)
    return rows.with_outcome(rows.outcome.draw(eta, fit.shared, rng))


def _refit(fit: GeneralisedFit, rng: np.random.Generator) -> tuple[Floats, bool] | None:
    rows = draw_rows(fit, rng)
    try:
        _, found = fit_rows(rows, fit.quadrature, quick=True)
    except ValueError:
        return None
    if not np.isfinite(found.value):
        return None
    p = len(fit.beta)
    place = np.concatenate([fit.turn @ found.at[:p], found.at[p:]])
    if len(place) < len(fit.parameters):
        place = np.append(place, np.inf)
    return place, found.converged

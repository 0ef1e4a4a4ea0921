"""The model without random effects: where a search starts, and the answer at a variance of zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.climbing import climb, standard_steps
from baseeval.numerics.generalised.grouped_rows import GroupedRows
from baseeval.numerics.generalised.slopes import Slopes
from baseeval.numerics.newton import Derivatives, maximise, solve_scaled
from baseeval.numerics.row_blocks import row_blocks

Floats = NDArray[np.float64]

#: Newton steps at most, the smallest curvature of a row in them as a share of the mean one.
_STEPS, _LEAST = 50, 1e-3


@dataclass(frozen=True, slots=True)
class Plain:
    """A fitted generalised linear model.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    phi : ndarray, shape (d,)
    value : float
        Log-likelihood.
    covariance : ndarray, shape (p + d, p + d)
    converged : bool
    slopes : Slopes
        Of the rows there.
    """

    beta: Floats
    phi: Floats
    value: float
    covariance: Floats
    converged: bool
    slopes: Slopes


def fit_plain(rows: GroupedRows) -> Plain:
    """Fit without random effects.

    Parameters
    ----------
    rows : GroupedRows

    Returns
    -------
    Plain

    Raises
    ------
    ValueError
        Nothing of the columns gives a linear predictor that the link allows.
    """
    phi, p = rows.outcome.phi, rows.x.shape[1]
    size = float(len(rows.x) if rows.weights is None else rows.weights.sum())
    top = maximise(lambda beta: _derivatives(rows, beta, phi), _level(rows, phi), size, _STEPS)
    if not len(phi):
        inverse = solve_scaled(top.information, np.eye(p))
        covariance = np.full((p, p), np.nan) if inverse is None else inverse
        slopes = rows.slopes(rows.fixed(top.at), phi)
        value = float(slopes.value.sum())
        return Plain(top.at, phi, value, covariance, top.converged, slopes)

    def evaluate(place: Floats) -> tuple[float, Floats] | None:
        found = rows.slopes(rows.fixed(place[:p]), place[p:])
        value = float(found.value.sum())
        if not np.isfinite(value):
            return None
        return value, np.concatenate([found.first @ rows.x, found.by_phi.sum(axis=1)])

    start = np.concatenate([top.at, phi])
    # Little is known of phi: a step of a tenth is never far out.
    known = 100.0 * np.eye(len(start))
    known[:p, :p] = top.information
    peak = climb(evaluate, start, standard_steps(known))
    beta, phi = peak.at[:p], peak.at[p:]
    slopes = rows.slopes(rows.fixed(beta), phi)
    return Plain(beta, phi, peak.value, peak.covariance, peak.converged, slopes)


def information(x: Floats, curve: Floats) -> Floats:
    """Return x' diag(curve) x, block by block.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    curve : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (p, p)
    """
    total = np.zeros((x.shape[1], x.shape[1]))
    for rows in row_blocks(*x.shape):
        part = x[rows]
        total += part.T @ (part * curve[rows, None])
    return total


def _level(rows: GroupedRows, phi: Floats) -> Floats:
    """Return coefficients that give all rows about the outcome's own level."""
    aim = np.full(len(rows.x), rows.outcome.level)
    if rows.offset is not None:
        aim -= rows.offset
    start = solve_scaled(information(rows.x, np.ones(len(rows.x))), rows.x.T @ aim)
    if start is None:
        raise ValueError("columns depend on one another: see independent_columns")
    if not np.isfinite(rows.curve(rows.fixed(start), phi).value).all():
        raise ValueError("the link allows no start: give the model an intercept, or the logit link")
    return start


def _derivatives(rows: GroupedRows, beta: Floats, phi: Floats) -> Derivatives:
    found = rows.curve(rows.fixed(beta), phi)
    value = float(found.value.sum())
    bend = -found.second
    if not rows.outcome.concave:
        bend = np.maximum(bend, _LEAST * np.abs(bend).mean())
    return Derivatives(value, found.first @ rows.x, information(rows.x, bend))

"""Effects on the response scale: chances, expected counts, chances of each category.

A coefficient on the log odds says little to most readers, and is of a pupil whose school's
effect is known. The mean of a population has the effects integrated out: given x and z the linear
predictor of a pupil of a school drawn at random is normal with variance z'Sigma z, added up over
terms, whatever the number of effects, so that one-dimensional quadrature serves (Zeger, Liang
and Albert 1988, doi:10.2307/2531734). Standard errors follow by the delta method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.generalised.nodes import Nodes, normal_nodes

Floats = NDArray[np.float64]

#: Quadrature points for a normal linear predictor.
_POINTS = 31
#: Step of the differences by the linear predictor, and numbers of rows times nodes at once.
_STEP, _CELLS = 1e-4, 2_000_000


@dataclass(frozen=True, slots=True)
class Design:
    """Rows at which a response is wanted.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        All columns that were given to the fit.
    z : sequence of ndarray, shapes (n, q_t), optional
        Columns of the random effects; by default an intercept each.
    offset : ndarray, shape (n,), optional
    """

    x: Floats
    z: Sequence[Floats] | None = None
    offset: Floats | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An average response, or a difference of two.

    Parameters
    ----------
    estimate : ndarray, shape (k,)
        k is 1; of ordered categories, one of each.
    se : ndarray, shape (k,)
        By the delta method; what is at a boundary is taken as known.
    gradient : ndarray, shape (k, P)
        By the fit's `parameters`.
    """

    estimate: Floats
    se: Floats
    gradient: Floats


def average_response(
    fit: GeneralisedFit,
    design: Design,
    *,
    integrated: bool = True,
    weights: Floats | None = None,
    parameters: Floats | None = None,
) -> Response:
    """Average expected responses over rows.

    Parameters
    ----------
    fit : GeneralisedFit
    design : Design
    integrated : bool
        Whether random effects are integrated out (the mean of a population of
        schools), or at zero (the middle school).
    weights : ndarray, shape (n,), optional
        Of the average.
    parameters : ndarray, shape (P,), optional
        Another place than the fit's own, for a bootstrap.

    Returns
    -------
    Response
    """
    place = fit.parameters if parameters is None else parameters
    share = np.full(len(design.x), 1.0) if weights is None else np.asarray(weights, dtype=float)
    share = share / share.sum()
    estimate, gradient = _average(fit, design, integrated, share, place)
    return Response(estimate, _delta(fit, gradient), gradient)


def average_difference(
    fit: GeneralisedFit,
    treated: Design,
    untreated: Design,
    *,
    integrated: bool = True,
    weights: Floats | None = None,
    parameters: Floats | None = None,
) -> Response:
    """Average the difference that a column makes, in the response's units.

    Parameters
    ----------
    fit : GeneralisedFit
    treated, untreated : Design
        The same rows with the column at one and at zero, whatever is made of
        it (interactions, random slopes) included.
    integrated : bool
        As for :func:`average_response`.
    weights : ndarray, shape (n,), optional
        Of the average: ones in the treated rows give the effect on them.
    parameters : ndarray, shape (P,), optional

    Returns
    -------
    Response
        Of a share, times 100 for percentage points.
    """
    one = average_response(
        fit, treated, integrated=integrated, weights=weights, parameters=parameters
    )
    zero = average_response(
        fit, untreated, integrated=integrated, weights=weights, parameters=parameters
    )
    gradient = one.gradient - zero.gradient
    return Response(one.estimate - zero.estimate, _delta(fit, gradient), gradient)


def _delta(fit: GeneralisedFit, gradient: Floats) -> Floats:
    known = np.isfinite(np.diagonal(fit.parameters_vcov))
    if not known[: len(fit.beta)].all():
        return np.full(len(gradient), np.nan)
    vcov = np.where(np.outer(known, known), fit.parameters_vcov, 0.0)
    return np.asarray(np.sqrt(np.einsum("kp,pq,kq->k", gradient, vcov, gradient)))


def _average(
    fit: GeneralisedFit, design: Design, integrated: bool, share: Floats, place: Floats
) -> tuple[Floats, Floats]:
    layout, n = fit.rows.layout, len(design.x)
    p, m = len(fit.beta), layout.count
    beta, theta, phi = place[:p], place[p : p + m], place[p + m :]
    nodes = normal_nodes(_POINTS) if integrated else normal_nodes(1)
    z = design.z if design.z is not None else [np.ones((n, t.size)) for t in layout.templates]
    lowers = layout.factors(theta)
    estimates, gradients = [], []
    step = max(1, _CELLS // (_POINTS * max(1, len(phi) + 1)))
    for start in range(0, n, step):
        part = slice(start, start + step)
        x = design.x[part][:, fit.kept]
        eta = x @ beta
        if design.offset is not None:
            eta = eta + design.offset[part]
        v = [own[part] @ lower for own, lower in zip(z, lowers, strict=True)]
        sd = np.sqrt(sum(((own**2).sum(axis=1) for own in v), start=np.zeros(len(x))))
        value, by_eta, by_sd, by_phi = _slopes(fit, eta, sd, phi, nodes)
        estimates.append(value @ share[part])
        # The derivative by a standard deviation of zero is zero, and L enters by it alone.
        ratio = np.divide(by_sd, sd, out=np.zeros_like(by_sd), where=sd > 0) * share[part]
        slopes = [
            layout.collect([own[part].T @ (line[:, None] * w) for own, w in zip(z, v, strict=True)])
            for line in ratio
        ]
        lines = [
            np.concatenate([(line * share[part]) @ x, slope, of_phi @ share[part]])
            for line, slope, of_phi in zip(by_eta, slopes, by_phi, strict=True)
        ]
        gradients.append(np.array(lines))
    return np.sum(estimates, axis=0), np.sum(gradients, axis=0)


def _slopes(
    fit: GeneralisedFit, eta: Floats, sd: Floats, phi: Floats, nodes: Nodes
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return means, shape (k, n), and their derivatives by eta, sd and phi, (k, d, n)."""

    def mean(eta: Floats, sd: Floats, phi: Floats) -> Floats:
        at = eta[:, None] + sd[:, None] * nodes.places[:, 0]
        flat = fit.rows.outcome.means(at.ravel(), phi)
        return np.asarray(flat.reshape(-1, *at.shape) @ nodes.weights)

    value = mean(eta, sd, phi)
    by_eta = (mean(eta + _STEP, sd, phi) - mean(eta - _STEP, sd, phi)) / (2 * _STEP)
    by_sd = (mean(eta, sd + _STEP, phi) - mean(eta, sd - _STEP, phi)) / (2 * _STEP)
    by_phi = np.empty((len(value), len(phi), len(eta)))
    for line in range(len(phi)):
        move = np.zeros_like(phi)
        move[line] = _STEP
        by_phi[:, line] = (mean(eta, sd, phi + move) - mean(eta, sd, phi - move)) / (2 * _STEP)
    return value, by_eta, by_sd, by_phi

"""Adaptive Gauss-Hermite quadrature over the effects of one grouping factor.

With D = C C' at the mode u, nodes t_k and weights w_k of the normal density,

    L_g = |D|^-1/2 sum_k w_k exp(h(u + C^-T t_k) + t_k't_k / 2),   h(u) = sum l - u'u / 2

(Liu and Pierce 1994, doi:10.1093/biomet/81.3.624; Pinheiro and Bates 1995,
doi:10.1080/10618600.1995.10474663). One node is Laplace's approximation. With several effects of
a group, nodes are those of the product rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from baseeval.numerics.generalised.grouped_rows import GroupedRows, add_up, dot
from baseeval.numerics.generalised.slopes import Slopes
from baseeval.numerics.generalised.small_blocks import apply, cross
from baseeval.numerics.generalised.systems import Factor, OneFactorBlocks, rows_by_blocks

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes and weights for the standard normal density.

    Parameters
    ----------
    places : ndarray, shape (K, q)
    weights : ndarray, shape (K,)
        Adding up to one.
    """

    places: Floats
    weights: Floats


def normal_nodes(points: int, effects: int = 1) -> Nodes:
    """Return the nodes of the product of Gauss-Hermite rules.

    Parameters
    ----------
    points : int
        In each dimension.
    effects : int
        Dimensions.

    Returns
    -------
    Nodes

    Examples
    --------
    >>> nodes = normal_nodes(3)
    >>> round(float(nodes.weights @ nodes.places[:, 0] ** 4), 9)
    3.0
    """
    line, weight = hermegauss(points)
    weight = weight / weight.sum()
    places = np.array(list(product(line, repeat=effects)))
    weights = np.array([np.prod(one) for one in product(weight, repeat=effects)])
    return Nodes(places, weights)


@dataclass(frozen=True, slots=True)
class Integral:
    """What quadrature changes in Laplace's approximation.

    Parameters
    ----------
    gain : ndarray, shape (G,)
        Added to each group's log-likelihood.
    by_eta : ndarray, shape (n,)
        Mean over nodes of the rows' first derivatives.
    by_phi : ndarray, shape (d, n)
        Mean of the derivatives by phi.
    by_lower : ndarray, shape (q, q, G)
        Mean of sum z l' u'.
    half : ndarray, shape (q, n)
        G v_i, where -<G, dD> is what D contributes.
    pull : ndarray, shape (q, G)
        Mean derivative by u: what the modes contribute beside that through D.
    """

    gain: Floats
    by_eta: Floats
    by_phi: Floats
    by_lower: Floats
    half: Floats
    pull: Floats


def integrate(
    rows: GroupedRows,
    fixed: Floats,
    v: Floats,
    phi: Floats,
    u: Floats,
    slopes: Slopes,
    factor: Factor,
    nodes: Nodes,
) -> Integral:
    """Add up over the nodes about the modes.

    Parameters
    ----------
    rows : GroupedRows
        Of one factor.
    fixed : ndarray, shape (n,)
    v : ndarray, shape (q, n)
    phi : ndarray, shape (d,)
    u : ndarray, shape (q, G)
        Modes.
    slopes : Slopes
        At the modes.
    factor : OneFactorBlocks
        Of D there.
    nodes : Nodes

    Returns
    -------
    Integral
    """
    if not isinstance(factor, OneFactorBlocks):
        raise TypeError("quadrature is for one grouping factor")
    code, size = rows.groups[0], rows.levels[0]
    q = len(v)
    peak = np.bincount(code, slopes.value, size) - (u**2).sum(axis=0) / 2
    total, pull = np.zeros(size), np.zeros((q, size))
    by_eta, by_phi = np.zeros(len(code)), np.zeros(slopes.by_phi.shape)
    by_lower, tilt = np.zeros((q, q, size)), np.zeros((q, q, size))
    for t, weight in zip(nodes.places, nodes.weights, strict=True):
        place = u + apply(factor.turned.swapaxes(0, 1), np.tile(t[:, None], size))
        at = rows.slopes(fixed + dot(v, place[:, code]), phi)
        height = np.bincount(code, at.value, size) - (place**2).sum(axis=0) / 2
        share = weight * np.exp(height - peak + t @ t / 2)
        pulled = add_up(v * at.first, code, size) - place
        total += share
        by_eta += share[code] * at.first
        by_phi += share[code] * at.by_phi
        by_lower += add_up(rows.z[0] * at.first, code, size)[:, None] * (share * place)[None]
        pull += share * pulled
        # t (A'r)', A = C^-T: the effect of D on where the node lies.
        tilt += t[:, None, None] * (share * apply(factor.turned, pulled))[None]
    for part in (pull, by_lower, tilt):
        part /= total
    by_eta /= total[code]
    by_phi /= total[code]
    middle = _lower_half(tilt)
    middle = (middle + middle.swapaxes(0, 1)) / 2
    for k in range(q):
        middle[k, k] += 0.5
    outer = cross(factor.turned, cross(middle, factor.turned))
    return Integral(np.log(total), by_eta, by_phi, by_lower, rows_by_blocks(outer, v, code), pull)


def _lower_half(blocks: Floats) -> Floats:
    """Return lower triangles with half their diagonals: the derivative of a Cholesky factor."""
    found = np.zeros_like(blocks)
    for a in range(len(blocks)):
        found[a, :a] = blocks[a, :a]
        found[a, a] = blocks[a, a] / 2
    return found

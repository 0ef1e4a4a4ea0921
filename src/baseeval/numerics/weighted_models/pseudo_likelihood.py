"""The pseudo-likelihood of a linear mixed model whose schools and pupils have weights.

    sum_j w_j log integral  prod_i { f(y_ij | u) }^(w_i|j)  phi(u) du

(Rabe-Hesketh and Skrondal 2006, doi:10.1111/j.1467-985X.2006.00426.x, equation 2), where f is
itself such an integral if pupils have effects. For normal outcomes it is closed: a factor to
the power w is normal of precision w, and a school counts w_j times; the algebra stands in
`docs/methods/weighted-models.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.coordinates import Coordinates, Sums, make_coordinates
from baseeval.numerics.mixed_models.likelihood import Effects, Profile
from baseeval.numerics.mixed_models.templates import Layout
from baseeval.numerics.weighted_models.group_products import (
    outer,
    shrink,
    starts_of,
    sums_of_products,
)
from baseeval.numerics.weighted_models.level_rows import LevelRows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Swept:
    """Cross-products at some covariances, the pupils' effects swept out of them.

    Parameters
    ----------
    log_dets : ndarray, shape (G,)
        log|V| of each school, its pupils weighted.
    cross : ndarray, shape (G, q, q + p + 1)
        Z'V^-1[Z X y] of each school, with its pupils' effects alone in V.
    spread : ndarray, shape (G, q, q)
        (I + Sigma Z'V^-1Z)^-1 Sigma: the conditional variance of its effects.
    inner_spread : ndarray, shape (P, r, r)
        The same of each pupil.
    """

    log_dets: Floats
    cross: Floats
    spread: Floats
    inner_spread: Floats


@dataclass(frozen=True)
class WeightedLikelihood:
    """A `Likelihood` whose schools and pupils have weights.

    Schools' weights are scaled so that the weights of all rows add up to their
    number: no maximum depends on it.

    Parameters
    ----------
    rows : LevelRows
    layout : Layout
        Of the schools' effects and, where there are any, the pupils'.
    coordinates : Coordinates
        The columns and the unit in which the data are held.
    columns : ndarray, shape (n, p + 1)
        [X y] of the rows in the coordinates.
    multiple : float
        What schools' weights are multiplied by.
    """

    rows: LevelRows
    layout: Layout
    coordinates: Coordinates
    columns: Floats
    multiple: float

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return len(self.rows.y)

    @cached_property
    def school_weights(self) -> Floats:
        """Return the schools' weights as used here."""
        return self.rows.school_weights * self.multiple

    @cached_property
    def sizes(self) -> tuple[Floats, ...]:
        """Return the root mean square of each term's columns of Z."""
        weights = self.rows.row_weights * self.school_weights[self.rows.school]
        terms = (self.rows.z, self.rows.z_inner)[: len(self.layout.templates)]
        return tuple(np.sqrt(weights @ z**2 / self.n) for z in terms)

    @cached_property
    def _whole(self) -> Floats:
        weights = self.rows.row_weights * self.school_weights[self.rows.school]
        return np.asarray(self.columns.T @ (weights[:, None] * self.columns))

    @cached_property
    def cross(self) -> Floats:
        """Z'W[Z X y] of each school."""
        rows = self.rows
        weighted = np.column_stack([rows.z, self.columns]) * rows.row_weights[:, None]
        return sums_of_products(rows.z, weighted, rows.school_starts)

    @cached_property
    def inner(self) -> Floats:
        """[Z_inner]'[Z_inner Z X y] of each pupil, without weights, shape (P, r, r + q + p + 1)."""
        rows = self.rows
        every = np.column_stack([rows.z_inner, rows.z, self.columns])
        return sums_of_products(rows.z_inner, every, rows.pupil_starts)

    def sweep(self, covariances: list[Floats]) -> Swept:
        """Sweep the effects out at some covariances, over sigma^2.

        Parameters
        ----------
        covariances : list of ndarray, shapes (q_t, q_t)

        Returns
        -------
        Swept
        """
        rows, q, r = self.rows, self.rows.z.shape[1], self.rows.z_inner.shape[1]
        cross, inner_logs = self.cross, np.zeros(len(rows.school_weights))
        inner_spread = np.zeros((len(rows.home), r, r))
        if r:
            inner_spread, logs = shrink(covariances[1], self.inner[:, :, :r])
            inner_logs = self.add_pupils(logs)
            products = self.inner[:, :, r:]
            lean = np.swapaxes(products[:, :, :q], 1, 2)
            cross = cross - self.add_pupils(lean @ inner_spread @ products)
        spread, logs = shrink(covariances[0], cross[:, :, :q])
        return Swept(logs + inner_logs, cross, spread, inner_spread)

    def add_pupils(self, parts: Floats) -> Floats:
        """Add numbers of pupils up by school, pupils weighted, shape (G, ...)."""
        weights = self.rows.pupil_weights.reshape(-1, *(1,) * (parts.ndim - 1))
        return np.asarray(np.add.reduceat(weights * parts, starts_of(self.rows.home), axis=0))

    def gather(self, swept: Swept) -> Floats:
        """Return [X y]'V^-1[X y], schools and pupils weighted, shape (p + 1, p + 1)."""
        rows, q, r = self.rows, self.rows.z.shape[1], self.rows.z_inner.shape[1]
        found = self._whole - _pool(swept.cross[:, :, q:], swept.spread, self.school_weights)
        if r:
            weights = rows.pupil_weights * self.school_weights[rows.home]
            found -= _pool(self.inner[:, :, r + q :], swept.inner_spread, weights)
        return (found + found.T) / 2

    def moments(self, covariances: list[Floats]) -> tuple[float, Floats]:
        """Return log|V| and X'V^-1X, weighted, at covariances over sigma^2."""
        swept = self.sweep(covariances)
        return float(self.school_weights @ swept.log_dets), self.gather(swept)[:-1, :-1]

    def profile(self, theta: Floats) -> Profile:
        """Evaluate the pseudo-likelihood and its derivatives."""
        swept = self.sweep(self.layout.covariances(theta))
        whole = self.gather(swept)
        information = whole[:-1, :-1]
        beta = np.asarray(np.linalg.solve(information, whole[:-1, -1]), dtype=np.float64)
        ahead = np.append(-beta, 1.0)
        by_school = self.school_parts(swept, ahead)
        shapes = tuple(np.einsum("g,gab->ab", self.school_weights, shape) for shape, _ in by_school)
        spreads = tuple(
            np.einsum("g,gab->ab", self.school_weights, spread) for _, spread in by_school
        )
        # Only REML asks for `fades`, which a pseudo-likelihood has not.
        fades = tuple(np.zeros_like(shape) for shape in shapes)
        rss = float(ahead @ whole @ ahead)
        log_det = float(self.school_weights @ swept.log_dets)
        return Profile(log_det, rss, beta, information, shapes, spreads, fades)

    def school_parts(self, swept: Swept, ahead: Floats) -> list[tuple[Floats, Floats]]:
        """Return `shapes` and `spreads` of each term by school, without the schools' weights.

        Parameters
        ----------
        swept : Swept
        ahead : ndarray, shape (p + 1,)
            (-beta, 1), in the coordinates.

        Returns
        -------
        list of (ndarray, ndarray), shapes (G, q_t, q_t)
        """
        rows, q, r = self.rows, self.rows.z.shape[1], self.rows.z_inner.shape[1]
        zz, left = swept.cross[:, :, :q], swept.cross[:, :, q:] @ ahead
        modes = np.einsum("gab,gb->ga", swept.spread, left)
        scores = left - np.einsum("gab,gb->ga", zz, modes)
        parts = [(zz - zz @ swept.spread @ zz, outer(scores))]
        if r:
            zz, products = self.inner[:, :, :r], self.inner[:, :, r:]
            after = products - zz @ swept.inner_spread @ products
            own = after[:, :, q:] @ ahead
            lean = after[:, :, :q]
            own -= np.einsum("pab,pb->pa", lean, modes[rows.home])
            shape = zz - zz @ swept.inner_spread @ zz
            shape = shape - lean @ swept.spread[rows.home] @ np.swapaxes(lean, 1, 2)
            parts.append((self.add_pupils(shape), self.add_pupils(outer(own))))
        return parts

    def effects(self, theta: Floats) -> tuple[Effects, ...]:
        """Return the effects of schools and, where they have any, of pupils."""
        swept = self.sweep(self.layout.covariances(theta))
        q, r = self.rows.z.shape[1], self.rows.z_inner.shape[1]
        whole = self.gather(swept)
        ahead = np.append(-np.linalg.solve(whole[:-1, :-1], whole[:-1, -1]), 1.0)
        pulls = swept.spread @ swept.cross[:, :, q:]
        found = [Effects(pulls @ ahead, swept.spread, pulls[:, :, :-1])]
        if r:
            products, home = self.inner[:, :, r:], self.rows.home
            lean = swept.inner_spread @ products[:, :, :q]
            own = swept.inner_spread @ products[:, :, q:] - lean @ pulls[home]
            variance = swept.inner_spread + lean @ swept.spread[home] @ np.swapaxes(lean, 1, 2)
            found.append(Effects(own @ ahead, variance, own[:, :, :-1]))
        return tuple(found)


def weighted_likelihood(rows: LevelRows, layout: Layout) -> WeightedLikelihood:
    """Hold rows in the coordinates in which their pseudo-likelihood keeps its digits.

    Parameters
    ----------
    rows : LevelRows
    layout : Layout

    Returns
    -------
    WeightedLikelihood
    """
    n, x, y = len(rows.y), rows.x, rows.y
    multiple = n / float(rows.school_weights @ rows.school_sizes)
    weights = rows.row_weights * rows.school_weights[rows.school] * multiple
    ones = np.flatnonzero(np.all(x == 1, axis=0))
    intercept = int(ones[0]) if len(ones) else None
    shift, centre = np.zeros(x.shape[1]), 0.0
    if intercept is not None:
        shift, centre = weights @ x / n, float(weights @ y) / n
        shift[intercept] = 0.0
    x, y = x - shift, y - centre
    wx = weights[:, None] * x
    at = make_coordinates(
        Sums(x.T @ wx, wx.T @ y, float(y @ (weights * y)), n, 0.0, shift, centre, intercept)
    )
    inside = at.columns(x)
    return WeightedLikelihood(
        rows, layout, at, np.column_stack([inside, at.outcome(y, inside)]), multiple
    )


def _pool(products: Floats, spread: Floats, weights: Floats) -> Floats:
    """Return the weighted sum over groups of C' spread C, shape (m, m)."""
    flat = products.reshape(-1, products.shape[2])
    lifted = (weights[:, None, None] * (spread @ products)).reshape(flat.shape)
    return np.asarray(flat.T @ lifted)

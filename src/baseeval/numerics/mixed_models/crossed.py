"""The likelihood of a linear mixed model with any random terms.

Primary crossed with secondary school, movers, several factors, deeper nestings: Z'WZ, Z'WX
and Z'Wy are formed once. For each theta the factor of most effects, whose part of Z'WZ is
block-diagonal, is eliminated level by level; the Schur complement is left for the others, as
MixedModels.jl describes its blocked Cholesky factor. `docs/methods/mixed-crossed.md`
has the derivation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.coordinates import Coordinates, make_coordinates
from baseeval.numerics.mixed_models.crossed_building import (
    choose_rest,
    column_sizes,
    own_blocks,
    right_sides,
    square_of,
    whole_sums,
)
from baseeval.numerics.mixed_models.crossed_factors import Factor, find_factors
from baseeval.numerics.mixed_models.crossed_fronts import FrontRest
from baseeval.numerics.mixed_models.crossed_rest import (
    DenseRest,
    Roots,
    definite_roots,
    signed_roots,
)
from baseeval.numerics.mixed_models.likelihood import Effects, Profile
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CrossedLikelihood:
    """Cross-products of all random terms with one another and with X and y.

    Its methods are those of :class:`~baseeval.numerics.mixed_models.likelihood.Likelihood`.

    Parameters
    ----------
    layout : Layout
    coordinates : Coordinates
    n : int
    sizes : tuple of ndarray, shapes (q_t,)
    factors : tuple of Factor
        The one eliminated first, then the others.
    first : ndarray, shape (G, q, q)
        Z_g'WZ_g of each level of the first factor.
    right_first : ndarray, shape (G, q, k + 1)
        Z_g'W [X y].
    right_rest : ndarray, shape (m, k + 1)
        The same of all other effects.
    rest : DenseRest or FrontRest
    """

    layout: Layout
    coordinates: Coordinates
    n: int
    sizes: tuple[Floats, ...]
    factors: tuple[Factor, ...]
    first: Floats
    right_first: Floats
    right_rest: Floats
    rest: DenseRest | FrontRest

    def profile(self, theta: Floats) -> Profile:
        """Evaluate the likelihood and its derivatives at theta."""
        at = self._solve(theta)
        k = len(self.coordinates.kept)
        information = at.gram[:k, :k]
        beta = np.asarray(np.linalg.solve(information, at.gram[:k, k]))
        contrast = np.append(-beta, 1.0)
        back = np.linalg.inv(np.linalg.cholesky(information)).T
        found: dict[int, tuple[Floats, Floats, Floats]] = {}
        for factor, left, shape in zip(self.factors, at.left, at.shapes, strict=True):
            for term, span in factor.spans():
                score = left[:, span] @ contrast
                load = (left[:, span, :k] @ back).transpose(1, 0, 2).reshape(score.shape[1], -1)
                found[term] = shape[span, span], score.T @ score, load @ load.T
        shapes, spreads, fades = zip(*(found[term] for term in sorted(found)), strict=True)
        rss = float(contrast @ at.gram @ contrast)
        return Profile(at.log_det, rss, beta, information, shapes, spreads, fades)

    def moments(self, covariances: list[Floats]) -> tuple[float, Floats]:
        """Return log|V| and X'V^-1X at covariances over sigma^2 that may be indefinite."""
        k = len(self.coordinates.kept)
        roots = signed_roots([factor.joined(covariances) for factor in self.factors])
        inner = self._eliminate(roots)
        around = self.right_rest - self._back(inner.middle @ self.right_first)
        log_det, explained = self.rest.moments(inner.middle, _others(roots), around)
        gram = self._gram() - _squares(self.right_first, inner.middle) - explained
        return inner.log_det + log_det - self.coordinates.sums.log_weights, gram[:k, :k]

    def effects(self, theta: Floats) -> tuple[Effects, ...]:
        """Return the random effects given the data, one set a term."""
        at = self._solve(theta)
        k = len(self.coordinates.kept)
        beta = np.linalg.solve(at.gram[:k, :k], at.gram[:k, k])
        found: dict[int, Effects] = {}
        for factor, modes, blocks in zip(self.factors, at.modes, at.blocks, strict=True):
            for term, span in factor.spans():
                loadings = modes[:, span, :k]
                found[term] = Effects(
                    modes[:, span, k] - loadings @ beta, blocks[:, span, span], loadings
                )
        return tuple(found[term] for term in sorted(found))

    def _solve(self, theta: Floats) -> _Solved:
        lowers = self.layout.factors(theta)
        roots = definite_roots([factor.joined(lowers) for factor in self.factors])
        inner = self._eliminate(roots)
        middle = inner.middle
        right = self.right_rest - self._back(middle @ self.right_first)
        rest = self.rest.solve(middle, _others(roots), right)
        gram = self._gram() - _squares(self.right_first, middle) - rest.explained
        around = self.right_first - self._across(rest.modes)
        keep = np.eye(middle.shape[1]) - self.first @ middle
        shape = (keep @ (self.first - rest.around @ keep.transpose(0, 2, 1))).sum(axis=0)
        return _Solved(
            log_det=inner.log_det + rest.log_det - self.coordinates.sums.log_weights,
            gram=(gram + gram.T) / 2,
            modes=[middle @ around, *self._split(rest.modes)],
            left=[keep @ around, *self._split(rest.left)],
            blocks=[middle + middle @ rest.around @ middle, *rest.blocks],
            shapes=[(shape + shape.T) / 2, *rest.shapes],
        )

    def _eliminate(self, roots: Roots) -> _Inner:
        """Eliminate the first factor: M = U (S + U'AU)^-1 U' for each level."""
        root, sign = roots.matrices[0], roots.signs[0]
        block = root.T @ self.first @ root + np.diag(sign)
        if block.shape[1] == 1:
            return _Inner(root * root / block, float(np.log(np.abs(block)).sum()))
        log_det = float(np.linalg.slogdet(block)[1].sum())
        return _Inner(root @ np.linalg.inv(block) @ root.T, log_det)

    def _gram(self) -> Floats:
        """Return [X y]'W[X y] in the coordinates."""
        return np.diag(np.append(np.ones(len(self.coordinates.kept)), self.coordinates.yy))

    def _across(self, columns: Floats) -> Floats:
        """Return C times columns of the other effects, shape (G, q, c)."""
        found = self.rest.coupling.table @ columns
        return np.asarray(found).reshape(*self.first.shape[:2], columns.shape[1])

    def _back(self, columns: Floats) -> Floats:
        """Return C' times columns of the first factor's effects, shape (m, c)."""
        return np.asarray(self.rest.coupling.table.T @ columns.reshape(-1, columns.shape[2]))

    def _split(self, columns: Floats) -> list[Floats]:
        """Cut rows, one an effect of the other factors, to (levels, q, c) for each factor."""
        pairs = zip(self.rest.spans(), self.rest.widths, strict=True)
        return [columns[span].reshape(-1, width, columns.shape[1]) for span, width in pairs]


@dataclass(frozen=True, slots=True)
class _Inner:
    """The first factor eliminated: M of each level, and log|I + A Sigma| over all."""

    middle: Floats
    log_det: float


@dataclass(frozen=True, slots=True)
class _Solved:
    """V^-1 applied: to [X y] (`gram`, and `left` = Z'V^-1[X y] by factor), and its derivatives."""

    log_det: float
    gram: Floats
    modes: list[Floats]
    left: list[Floats]
    blocks: list[Floats]
    shapes: list[Floats]


def crossed_likelihood(whole: Block, layout: Layout, intercept: int | None) -> CrossedLikelihood:
    """Form the cross-products of a mixed model with any random terms.

    Parameters
    ----------
    whole : Block
        All rows.
    layout : Layout
        A template for each term of the block.
    intercept : int, optional
        Position of the column of ones.

    Returns
    -------
    CrossedLikelihood

    Examples
    --------
    Six pupils, three primary and two secondary schools:

    >>> from baseeval.numerics.mixed_models.fitting import fit_likelihood
    >>> from baseeval.numerics.mixed_models.templates import full_template
    >>> ones = np.ones((6, 1))
    >>> primary, secondary = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])
    >>> y = np.array([1.0, 3.0, 2.0, 4.5, 4.0, 5.5])
    >>> rows = Block(ones, y, (ones, ones), (primary, secondary))
    >>> layout = Layout((full_template(1), full_template(1)))
    >>> fit = fit_likelihood(crossed_likelihood(rows, layout, 0))
    >>> round(float(fit.beta[0]), 4)
    3.3333
    """
    coordinates = make_coordinates(whole_sums(whole, intercept))
    factors = find_factors(whole)
    weighted = factors[0].incidence(whole.weights)
    others = sparse.hstack(
        [sparse.csr_matrix((len(whole.y), 0)), *(factor.incidence() for factor in factors[1:])],
        format="csr",
    )
    table = sparse.csr_matrix(weighted.T @ others)
    right = [right_sides(factor, whole, coordinates) for factor in factors]
    k = len(coordinates.kept)
    return CrossedLikelihood(
        layout=layout,
        coordinates=coordinates,
        n=len(whole.y),
        sizes=tuple(column_sizes(z, whole.weights) for z in whole.z),
        factors=factors,
        first=own_blocks(factors[0], whole.weights),
        right_first=right[0],
        right_rest=np.concatenate(
            [np.empty((0, k + 1)), *(r.reshape(-1, k + 1) for r in right[1:])]
        ),
        rest=choose_rest(factors, table, square_of(others, whole.weights)),
    )


def _squares(right: Floats, middle: Floats) -> Floats:
    """Return the sum over levels of R'MR."""
    c = right.shape[2]
    return np.asarray(right.reshape(-1, c).T @ (middle @ right).reshape(-1, c))


def _others(roots: Roots) -> Roots:
    return Roots(roots.matrices[1:], roots.signs[1:])

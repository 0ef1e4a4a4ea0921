"""The random effects left after one factor is eliminated, all at once by dense matrices.

With N = Z_r'V_1^-1Z_r, V_1 the variance without these effects, and Sigma = U S U' their own
over sigma^2, S = diag(+-1), every quantity follows from P = S + U'NU:

    X = (Sigma^-1 + N)^-1 = U P^-1 U',    |I + N Sigma| = |S| |P|.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from baseeval.numerics.mixed_models.crossed_coupling import (
    DenseCoupling,
    SparseCoupling,
    fill_upper,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Where U'NU is at least this, 1 - P^-1 keeps its digits.
_CLEAR = 1e-3


@dataclass(frozen=True, slots=True)
class Roots:
    """Factors of the covariances of the random effects.

    Parameters
    ----------
    matrices : list of ndarray, shapes (q, q)
        U of each factor.
    signs : list of ndarray, shapes (q,)
        The diagonal of S.
    """

    matrices: list[Floats]
    signs: list[Floats]

    @property
    def definite(self) -> bool:
        """Return whether all signs are positive."""
        return all(bool(np.all(sign > 0)) for sign in self.signs)


@dataclass(frozen=True, slots=True)
class Solution:
    """What the effects left contribute.

    Parameters
    ----------
    log_det : float
        log|I + N Sigma|.
    explained : ndarray, shape (c, c)
        R'XR.
    modes : ndarray, shape (m, c)
        X R for the right-hand sides R.
    left : ndarray, shape (m, c)
        R - N X R = Z_r'V^-1 times the columns.
    around : ndarray, shape (G, q, q)
        C_g X C_g' for each level of the factor eliminated first.
    blocks : list of ndarray, shapes (levels, q, q)
        Diagonal blocks of X, one array a factor.
    shapes : list of ndarray, shapes (q, q)
        Sum over levels of the diagonal blocks of Z_r'V^-1Z_r.
    """

    log_det: float
    explained: Floats
    modes: Floats
    left: Floats
    around: Floats
    blocks: list[Floats]
    shapes: list[Floats]


@dataclass(frozen=True, slots=True)
class DenseRest:
    """The effects of some factors, factor by factor, level by level.

    Parameters
    ----------
    levels, widths : tuple of int
        Levels and columns of each factor.
    base : ndarray, shape (m, m)
        Z_r'WZ_r.
    coupling : SparseCoupling or DenseCoupling
        With the factor eliminated first.
    """

    levels: tuple[int, ...]
    widths: tuple[int, ...]
    base: Floats
    coupling: SparseCoupling | DenseCoupling

    @property
    def size(self) -> int:
        """Return m, the number of effects."""
        return len(self.base)

    def spans(self) -> list[slice]:
        """Return the place of each factor's effects."""
        ends = np.cumsum([0, *(g * q for g, q in zip(self.levels, self.widths, strict=True))])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def solve(self, middle: Floats, roots: Roots, right: Floats) -> Solution:
        """Return everything that a profile needs.

        Parameters
        ----------
        middle : ndarray, shape (G, q, q)
            M of the factor eliminated first.
        roots : Roots
            All signs positive.
        right : ndarray, shape (m, c)

        Returns
        -------
        Solution
        """
        if self.size == 0:
            return Solution(0.0, right.T @ right, right, right, np.zeros_like(middle), [], [])
        n_matrix = self.base - self.coupling.complement(middle)
        p_matrix = self._both_sides(n_matrix, roots, transposed=True)
        p_matrix.flat[:: self.size + 1] += 1.0
        # Row by row, a lower triangle is to LAPACK the upper one of the transpose.
        upper, _ = lapack.dpotrf(p_matrix.T, lower=0, overwrite_a=1)
        log_det = 2 * float(np.log(np.diagonal(upper)).sum())
        half, _ = lapack.dtrtrs(upper, self._turn(right, roots, transposed=True), trans=1)
        modes = self._turn(lapack.dtrtrs(upper, half)[0], roots)
        left = right - blas.dsymm(1.0, n_matrix.T, modes, lower=0)
        inverse = lapack.dpotri(upper, lower=0, overwrite_c=1)[0].T
        rests = [self._diagonal(inverse, place) for place in range(len(self.levels))]
        variance = self._both_sides(inverse, roots)
        blocks = [self._diagonal(variance, place) for place in range(len(self.levels))]
        shapes = []
        for place, root in enumerate(roots.matrices):
            own = self._diagonal(n_matrix, place).sum(axis=0)
            if np.linalg.eigvalsh(root.T @ own @ root / self.levels[place])[0] > _CLEAR:
                shapes.append(_quick_shape(rests[place], root))
            else:
                shapes.append(own - self._explained(n_matrix, variance, place))
        around = self.coupling.sandwich(variance)
        return Solution(log_det, right.T @ modes, modes, left, around, blocks, shapes)

    def moments(self, middle: Floats, roots: Roots, right: Floats) -> tuple[float, Floats]:
        """Return log|I + N Sigma| and R'XR; Sigma may be indefinite."""
        if self.size == 0:
            return 0.0, right.T @ right
        n_matrix = self.base - self.coupling.complement(middle)
        signs = [np.tile(sign, g) for sign, g in zip(roots.signs, self.levels, strict=True)]
        p_matrix = fill_upper(self._both_sides(n_matrix, roots, transposed=True))
        p_matrix.flat[:: self.size + 1] += np.concatenate(signs)
        turned = self._turn(right, roots, transposed=True)
        log_det = float(np.linalg.slogdet(p_matrix)[1])
        return log_det, turned.T @ np.linalg.solve(p_matrix, turned)

    def _diagonal(self, lower: Floats, place: int) -> Floats:
        """Return the diagonal blocks of one factor, shape (levels, q, q)."""
        span, width = self.spans()[place], self.widths[place]
        starts = np.arange(span.start, span.stop, width)[:, None] + np.arange(width)
        return fill_upper(lower[starts[:, :, None], starts[:, None, :]])

    def _explained(self, n_matrix: Floats, variance: Floats, place: int) -> Floats:
        """Return the sum over levels of diagonal blocks of N X N."""
        span, width = self.spans()[place], self.widths[place]
        own = fill_upper(n_matrix)[span]
        swept = own @ fill_upper(variance)
        shape = (-1, width, self.size)
        found = np.einsum("gam,gbm->ab", swept.reshape(shape), own.reshape(shape))
        return np.asarray(found)

    def _turn(self, columns: Floats, roots: Roots, transposed: bool = False) -> Floats:
        """Return U times columns, or U' times them."""
        turned = np.empty(columns.shape)
        for span, width, root in zip(self.spans(), self.widths, roots.matrices, strict=True):
            by = root.T if transposed else root
            if width == 1:
                turned[span] = columns[span] * by[0, 0]
            else:
                parts = columns[span].reshape(-1, width, columns.shape[1])
                turned[span] = (by @ parts).reshape(-1, columns.shape[1])
        return turned

    def _both_sides(self, lower: Floats, roots: Roots, transposed: bool = False) -> Floats:
        """Return UAU' of a symmetric A, or U'AU: lower triangles."""
        if max(self.widths) == 1:
            each = [np.full(g, r[0, 0]) for g, r in zip(self.levels, roots.matrices, strict=True)]
            scale = np.concatenate(each)
            scaled = lower * scale
            scaled *= scale[:, None]
            return np.asarray(scaled)
        half = self._turn(fill_upper(lower), roots, transposed)
        return self._turn(np.ascontiguousarray(half.T), roots, transposed)


def _quick_shape(inverse: Floats, root: Floats) -> Floats:
    """Return the sum over levels of U'^-1 (1 - P^-1) U^-1, which is that of N - N X N."""
    back = np.linalg.inv(root)
    return np.asarray(back.T @ (np.eye(len(root)) - inverse).sum(axis=0) @ back)


def definite_roots(lowers: Sequence[Floats]) -> Roots:
    """Return the roots L of covariances L L'."""
    return Roots(list(lowers), [np.ones(len(lower)) for lower in lowers])


def signed_roots(covariances: Sequence[Floats]) -> Roots:
    """Return roots of symmetric covariances that may be indefinite."""
    matrices, signs = [], []
    for covariance in covariances:
        values, vectors = np.linalg.eigh(covariance)
        matrices.append(vectors * np.sqrt(np.abs(values)))
        signs.append(np.where(values < 0, -1.0, 1.0))
    return Roots(matrices, signs)

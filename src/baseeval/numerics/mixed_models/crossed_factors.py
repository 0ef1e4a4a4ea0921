"""Grouping factors of any random terms, and the cross-products of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from baseeval.numerics.mixed_models.blocks import Block

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Factor:
    """A grouping factor with all random columns that vary over its levels.

    Parameters
    ----------
    terms : tuple of int
        Terms that share the levels, whose columns follow one another.
    widths : tuple of int
        Columns of each of those terms.
    codes : ndarray of int, shape (n,)
    z : ndarray, shape (n, q)
    levels : int
    """

    terms: tuple[int, ...]
    widths: tuple[int, ...]
    codes: Ints
    z: Floats
    levels: int

    @property
    def width(self) -> int:
        """Return q, the columns of all its terms."""
        return int(self.z.shape[1])

    @property
    def effects(self) -> int:
        """Return the number of random effects."""
        return self.levels * self.width

    def joined(self, matrices: Sequence[Floats]) -> Floats:
        """Set the matrices of its terms, given for all terms, along a diagonal."""
        whole, start = np.zeros((self.width, self.width)), 0
        for term, width in zip(self.terms, self.widths, strict=True):
            whole[start : start + width, start : start + width] = matrices[term]
            start += width
        return whole

    def spans(self) -> list[tuple[int, slice]]:
        """Return each term with the place of its columns."""
        ends = np.cumsum(self.widths)
        starts = ends - self.widths
        return [
            (term, slice(int(start), int(end)))
            for term, start, end in zip(self.terms, starts, ends, strict=True)
        ]

    def incidence(self, weights: Floats | None = None) -> sparse.csr_matrix:
        """Return Z, or WZ, shape (n, effects): level by level, then column by column."""
        n, width = self.z.shape
        values = self.z if weights is None else self.z * weights[:, None]
        places = self.codes[:, None] * width + np.arange(width)
        starts = np.arange(0, n * width + 1, width)
        return sparse.csr_matrix((values.ravel(), places.ravel(), starts), (n, self.effects))

    def level_sums(self, column: Floats) -> Floats:
        """Return Z' times a column, shape (levels, q)."""
        sums = [np.bincount(self.codes, z * column, self.levels) for z in self.z.T]
        return np.stack(sums, axis=1)


def find_factors(whole: Block) -> tuple[Factor, ...]:
    """Put terms over the same levels together, the factor of most effects first.

    Parameters
    ----------
    whole : Block

    Returns
    -------
    tuple of Factor
    """
    gathered: list[list[int]] = []
    for term, codes in enumerate(whole.groups):
        same = [own for own in gathered if np.array_equal(codes, whole.groups[own[0]])]
        if same:
            same[0].append(term)
        else:
            gathered.append([term])
    factors = [
        Factor(
            terms=tuple(terms),
            widths=tuple(whole.z[term].shape[1] for term in terms),
            codes=whole.groups[terms[0]],
            z=np.hstack([whole.z[term] for term in terms]),
            levels=int(whole.groups[terms[0]].max()) + 1,
        )
        for terms in gathered
    ]
    return tuple(sorted(factors, key=lambda factor: -factor.effects))

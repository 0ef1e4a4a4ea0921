"""Which parameters make up the covariance of each random term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Template:
    """Which entry of the lower triangle L each element of theta fills.

    Parameters
    ----------
    size : int
        q, columns of Z.
    rows, columns : ndarray of int, shape (e,)
        Entry of L.
    parameter : ndarray of int, shape (e,)
        Position in theta; entries may share one.
    """

    size: int
    rows: Ints
    columns: Ints
    parameter: Ints

    @cached_property
    def count(self) -> int:
        """Return the number of parameters."""
        return int(self.parameter.max()) + 1

    @cached_property
    def diagonal(self) -> NDArray[np.bool_]:
        """Return, for each parameter, whether it stands on the diagonal."""
        on = np.zeros(self.count, dtype=bool)
        on[self.parameter[self.rows == self.columns]] = True
        return on

    @cached_property
    def correlated(self) -> bool:
        """Return whether any effects of the term may be correlated."""
        return bool(np.any(self.rows != self.columns))

    def factor(self, theta: Floats) -> Floats:
        """Return L, shape (q, q)."""
        lower = np.zeros((self.size, self.size))
        lower[self.rows, self.columns] = theta[self.parameter]
        return lower

    def collect(self, slope: Floats) -> Floats:
        """Add a derivative with respect to L up over the entries of each parameter."""
        total = np.bincount(self.parameter, slope[self.rows, self.columns], self.count)
        return total.astype(np.float64)


def full_template(size: int) -> Template:
    """Return the template of correlated effects: every entry free, column by column.

    Parameters
    ----------
    size : int

    Returns
    -------
    Template

    Examples
    --------
    >>> full_template(2).factor(np.array([1.0, 2.0, 3.0])).tolist()
    [[1.0, 0.0], [2.0, 3.0]]
    """
    columns, rows = np.triu_indices(size)
    return Template(size, rows, columns, np.arange(len(rows), dtype=np.intp))


def diagonal_template(parameter: Sequence[int] | Ints) -> Template:
    """Return the template of independent effects that may share a variance.

    Parameters
    ----------
    parameter : sequence of int, length q
        Position in theta of each column's standard deviation.

    Returns
    -------
    Template
    """
    diagonal = np.arange(len(parameter), dtype=np.intp)
    return Template(len(parameter), diagonal, diagonal, np.asarray(parameter, dtype=np.intp))


def join_templates(templates: Sequence[Template]) -> Template:
    """Return several terms of one factor as one, effects of different terms uncorrelated.

    Parameters
    ----------
    templates : sequence of Template

    Returns
    -------
    Template
        Of the terms' columns side by side, parameters in their order.

    Examples
    --------
    >>> join_templates([full_template(1), full_template(1)]).factor(np.array([2.0, 3.0])).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    sizes = np.cumsum([0, *(template.size for template in templates)])
    counts = np.cumsum([0, *(template.count for template in templates)])
    placed = list(zip(templates, sizes, counts, strict=False))
    return Template(
        int(sizes[-1]),
        np.concatenate([template.rows + size for template, size, _ in placed]),
        np.concatenate([template.columns + size for template, size, _ in placed]),
        np.concatenate([template.parameter + count for template, _, count in placed]),
    )


@dataclass(frozen=True)
class Layout:
    """The random terms of a model, whose parameters follow one another in theta.

    Parameters
    ----------
    templates : tuple of Template
        One a term.
    """

    templates: tuple[Template, ...]

    @cached_property
    def count(self) -> int:
        """Return the number of parameters of all terms."""
        return sum(template.count for template in self.templates)

    @cached_property
    def diagonal(self) -> NDArray[np.bool_]:
        """Return, for each parameter, whether it is a relative standard deviation."""
        return np.concatenate([template.diagonal for template in self.templates])

    def parts(self, theta: Floats) -> list[Floats]:
        """Return each term's own parameters."""
        ends = np.cumsum([template.count for template in self.templates])
        return np.split(theta, ends[:-1])

    def factors(self, theta: Floats) -> list[Floats]:
        """Return the factor L of each term."""
        parts = zip(self.templates, self.parts(theta), strict=True)
        return [template.factor(part) for template, part in parts]

    def covariances(self, theta: Floats) -> list[Floats]:
        """Return L L' of each term, over the residual variance."""
        return [lower @ lower.T for lower in self.factors(theta)]

    def collect(self, slopes: Sequence[Floats]) -> Floats:
        """Add derivatives with respect to each L up over the entries of each parameter."""
        pairs = zip(self.templates, slopes, strict=True)
        return np.concatenate([template.collect(slope) for template, slope in pairs])

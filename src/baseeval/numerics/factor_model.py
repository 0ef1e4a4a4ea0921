"""What a factor model of several groups is: moments, matrices, and which entries are free.

In group g, items have covariance Sigma = Lambda Phi Lambda' + Theta and mean mu = nu + Lambda alpha
(Joereskog 1971, doi:10.1007/BF02291366; Soerbom 1974, doi:10.1111/j.2044-8317.1974.tb00543.x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

#: The matrices of the model, in the order of `FactorModel.matrix`.
MATRICES = ("loading", "factor_covariance", "residual_covariance", "intercept", "factor_mean")
#: Smallest over largest eigenvalue of the correlations, below which a covariance is singular.
SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class Moments:
    """What the likelihood needs of one group.

    Parameters
    ----------
    n : int
        Complete rows.
    mean : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        With divisor n.
    """

    n: int
    mean: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class FactorModel:
    """Which entries of the matrices are free, fixed or shared; others are zero.

    Parameters
    ----------
    groups, items, factors : int
    matrix : ndarray of int, shape (e,)
        Position in :data:`MATRICES` of each entry.
    group, row, column : ndarray of int, shape (e,)
        Where it stands; symmetric matrices list an entry once, vectors have column 0.
    parameter : ndarray of int, shape (e,)
        Position among the free parameters, shared by entries that are equal; -1 where fixed.
    value : ndarray, shape (e,)
        The fixed value, or where a free one starts.
    """

    groups: int
    items: int
    factors: int
    matrix: Integers
    group: Integers
    row: Integers
    column: Integers
    parameter: Integers
    value: Floats

    @property
    def size(self) -> int:
        """Return q, the number of free parameters."""
        return int(self.parameter.max(initial=-1)) + 1

    @property
    def start(self) -> Floats:
        """Return where the free parameters start: the mean over the entries that share one."""
        free = self.parameter >= 0
        total = np.bincount(self.parameter[free], self.value[free], self.size)
        return np.asarray(total / np.bincount(self.parameter[free], minlength=self.size))

    @property
    def df(self) -> int:
        """Return the moments less the free parameters."""
        return self.groups * (self.items + self.items * (self.items + 1) // 2) - self.size

    def entries(self, parameters: Floats) -> Floats:
        """Return each entry's value, shape (e,)."""
        return np.where(self.parameter >= 0, parameters[self.parameter], self.value)


@dataclass(frozen=True, slots=True)
class Matrices:
    """The matrices of a model at some parameters, G groups first.

    Parameters
    ----------
    loading : ndarray, shape (G, p, m)
    factor_covariance : ndarray, shape (G, m, m)
    residual_covariance : ndarray, shape (G, p, p)
    intercept : ndarray, shape (G, p)
    factor_mean : ndarray, shape (G, m)
    """

    loading: Floats
    factor_covariance: Floats
    residual_covariance: Floats
    intercept: Floats
    factor_mean: Floats

    @property
    def covariance(self) -> Floats:
        """Return Sigma, shape (G, p, p)."""
        lower = self.loading.transpose(0, 2, 1)
        return np.asarray(self.loading @ self.factor_covariance @ lower + self.residual_covariance)

    @property
    def mean(self) -> Floats:
        """Return mu, shape (G, p)."""
        return np.asarray(self.intercept + np.einsum("gik,gk->gi", self.loading, self.factor_mean))


def moments_of(rows: Floats) -> Moments:
    """Return the moments of complete rows.

    Parameters
    ----------
    rows : ndarray, shape (n, p)
        Without missing values.

    Returns
    -------
    Moments

    Examples
    --------
    >>> found = moments_of(np.array([[1.0, 2.0], [3.0, 2.0]]))
    >>> found.n, found.mean.tolist(), found.covariance.tolist()
    (2, [2.0, 2.0], [[1.0, 0.0], [0.0, 0.0]])
    """
    mean = rows.mean(axis=0)
    centred = rows - mean
    return Moments(len(rows), mean, centred.T @ centred / len(rows))


def is_singular(data: Moments) -> bool:
    """Return whether a covariance has no inverse that could be trusted.

    Parameters
    ----------
    data : Moments

    Returns
    -------
    bool
        True for an item that does not vary, one that others make up, or no more rows than items.
    """
    sd = np.sqrt(np.diag(data.covariance))
    if data.n <= len(sd) or not np.all(sd > 1e-12 * np.maximum(1.0, np.abs(data.mean))):
        return True
    spread = np.linalg.eigvalsh(data.covariance / np.outer(sd, sd))
    return bool(spread[0] < SINGULAR * spread[-1])


def build_matrices(model: FactorModel, parameters: Floats) -> Matrices:
    """Fill a model's matrices.

    Parameters
    ----------
    model : FactorModel
    parameters : ndarray, shape (q,)

    Returns
    -------
    Matrices
    """
    groups, items, factors = model.groups, model.items, model.factors
    shapes = [(items, factors), (factors, factors), (items, items), (items, 1), (factors, 1)]
    value = model.entries(parameters)
    filled = []
    for position, shape in enumerate(shapes):
        here = model.matrix == position
        group, row, column = model.group[here], model.row[here], model.column[here]
        made = np.zeros((groups, *shape))
        made[group, row, column] = value[here]
        if MATRICES[position] in ("factor_covariance", "residual_covariance"):
            made[group, column, row] = value[here]
        filled.append(made)
    return Matrices(filled[0], filled[1], filled[2], filled[3][..., 0], filled[4][..., 0])

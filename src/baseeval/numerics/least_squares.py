"""Weighted least squares, with columns that add nothing left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A column counts as dependent when what earlier columns leave of it is smaller
#: than this share of its length: the tolerance of R's `lm`.
DEPENDENT = 1e-7
#: Rows that are taken at a time, so that a nation's are never copied.
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """A fitted linear model.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    bread : ndarray, shape (p, p)
        Inverse of X'WX.
    residuals : ndarray, shape (n,)
        y - X beta, unweighted.
    sigma : float
        Residual standard deviation, on n - p degrees of freedom; NaN if none.
    """

    beta: Floats
    bread: Floats
    residuals: Floats
    sigma: float


def independent_columns(x: Floats, tolerance: float = DEPENDENT) -> NDArray[np.intp]:
    """Find the columns that are not linear combinations of earlier ones.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    tolerance : float
        Share of a column's length that must be left after earlier columns.

    Returns
    -------
    ndarray of int
        Positions of the independent columns, in order.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 1.0], [1.0, 2.0, 3.0]])).tolist()
    [0, 2]
    """
    x = _triangle(x)
    basis = np.empty((x.shape[0], 0))
    kept: list[int] = []
    for position in range(x.shape[1]):
        column = x[:, position]
        length = np.linalg.norm(column)
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)  # twice is enough (Kahan and Parlett)
        size = np.linalg.norm(left)
        if length > 0 and size > tolerance * length and len(kept) < x.shape[0]:
            kept.append(position)
            basis = np.column_stack([basis, left / size])
    return np.array(kept, dtype=np.intp)


def _triangle(x: Floats) -> Floats:
    """Return the triangle of a QR decomposition by blocks: columns depend on one another alike."""
    triangle = x[:_BLOCK]
    for low in range(_BLOCK, len(x), _BLOCK):
        above = np.asarray(np.linalg.qr(triangle, mode="r"))
        triangle = np.concatenate([above, x[low : low + _BLOCK]])
    return triangle


def fit_least_squares(x: Floats, y: Floats, weights: Floats | None = None) -> LeastSquares:
    """Fit a linear model by weighted least squares.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank: see :func:`independent_columns`.
    y : ndarray, shape (n,)
    weights : ndarray, shape (n,), optional
        Not negative; ones by default.

    Returns
    -------
    LeastSquares

    Examples
    --------
    >>> fit = fit_least_squares(np.ones((3, 1)), np.array([1.0, 2.0, 6.0]))
    >>> round(float(fit.beta[0]), 6)
    3.0
    """
    root = np.sqrt(np.ones_like(y) if weights is None else weights)
    q, r = np.linalg.qr(x * root[:, None])
    r_inverse = np.linalg.solve(r, np.eye(r.shape[0]))
    beta = r_inverse @ (q.T @ (root * y))
    residuals = y - x @ beta
    free = int(np.count_nonzero(root)) - x.shape[1]
    rss = float(np.sum((root * residuals) ** 2))
    sigma = float(np.sqrt(rss / free)) if free > 0 else float("nan")
    return LeastSquares(beta, r_inverse @ r_inverse.T, residuals, sigma)

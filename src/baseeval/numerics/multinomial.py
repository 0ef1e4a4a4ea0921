"""Multinomial logistic regression by Newton's method from cross-products of row blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.arm_likelihood import arm_chances, evaluate_arms, row_blocks
from baseeval.numerics.centring import centre_far_columns
from baseeval.numerics.newton import Derivatives, Maximum, invert_scaled, maximise, solve_scaled
from baseeval.numerics.separation import Separation, find_separation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Rows from which a sample finds the place to start from, and the share that it takes.
_MANY, _SAMPLE = 100_000, 0.05
#: A chance below this in a fit is looked into: rows so well told apart may be so without limit.
_DOUBTFUL = 1e-7
#: Steps after which separation is looked for, and after which an unseparated fit is given up.
_SOON, _LATE = 15, 100
#: An arm is rare with fewer rows than this for each column beside a constant: the usual ten
#: events a variable of Peduzzi and others (1996, doi:10.1016/S0895-4356(96)00236-3).
RARE = 10


@dataclass(frozen=True, slots=True)
class Multinomial:
    """A fitted multinomial logistic regression of k arms on p columns.

    Parameters
    ----------
    beta : ndarray, shape (k - 1, p)
        Log odds of arms 1 .. k - 1 against arm 0.
    vcov : ndarray, shape (q, q)
        Inverse of the (penalised) information, q = (k - 1) p, arm by arm.
    probability : ndarray, shape (n, k)
        Of every row, also of weight zero.
    log_likelihood : float
        Without any penalty.
    converged : bool
    separation : Separation or None
        What tells arms apart, where no finite estimate exists; `beta` is then
        one place on the way.
    counts : ndarray of int, shape (k,)
        Rows of positive weight by arm; an arm without any is a separation.
    penalty : ndarray, shape (q, q)
        Of the ridge, half beta' penalty beta; zeros without one.
    """

    beta: Floats
    vcov: Floats
    probability: Floats
    log_likelihood: float
    converged: bool
    separation: Separation | None
    counts: Ints
    penalty: Floats

    @property
    def separated(self) -> bool:
        """Return whether no finite estimate was found."""
        return self.separation is not None or not self.converged

    @property
    def rare(self) -> tuple[int, ...]:
        """Return the arms with fewer than `RARE` rows for each column beside the first."""
        least = RARE * max(1, self.beta.shape[1] - 1)
        return tuple(int(arm) for arm in np.flatnonzero(self.counts < least))


def fit_multinomial(
    x: Floats,
    arm: Ints,
    weights: Floats | None = None,
    *,
    arms: int | None = None,
    penalty: float = 0.0,
) -> Multinomial:
    """Fit the chance of each arm by maximum likelihood, penalised if so wished.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank, the intercept included: see
        :func:`baseeval.numerics.least_squares.independent_columns`.
    arm : ndarray of int, shape (n,)
        0 .. k - 1.
    weights : ndarray, shape (n,), optional
        Not negative. A weight of two is a row twice.
    arms : int, optional
        k; one more than the largest `arm` by default.
    penalty : float
        Ridge: penalty / k times the squared difference of coefficients, added
        up over all pairs of arms and all columns in standard deviations. For
        two arms that is half the penalty times a squared coefficient: a normal
        prior of variance 1 / penalty. Constant columns are free, and which arm
        is the reference makes no difference.

    Returns
    -------
    Multinomial

    Raises
    ------
    ValueError
        Columns depend on one another.

    Examples
    --------
    >>> fit = fit_multinomial(np.ones((4, 1)), np.array([0, 1, 2, 2]))
    >>> fit.probability[0].round(6).tolist()
    [0.25, 0.25, 0.5]
    """
    size = np.ones(len(arm)) if weights is None else weights
    k = int(arm.max()) + 1 if arms is None else arms
    x, turn = centre_far_columns(x)
    counts = np.bincount(arm[size > 0], minlength=k)
    ridge = ridge_matrix(x, size, k, penalty)
    shape = (k - 1, x.shape[1])

    def climb(start: Floats, rows: Ints | slice, scale: Floats, steps: int) -> Maximum:
        def evaluate(flat: Floats) -> Derivatives:
            beta = flat.reshape(shape)
            return _penalised(evaluate_arms(x_rows, arm[rows], beta, scale), flat, ridge)

        x_rows = x[rows]
        return maximise(evaluate, start, float(scale.sum()), steps)

    start = np.zeros((k - 1) * x.shape[1])
    if len(x) >= _MANY:
        rows, scale = _sample(arm, size, k)
        first = climb(start, rows, scale, _SOON)
        start = first.at if first.converged else start
    found = climb(start, slice(None), size, _SOON)
    chances = arm_chances(x, found.at.reshape(shape))
    doubtful = not found.converged or chances[size > 0].min() < _DOUBTFUL
    separation = find_separation(x, arm, size, k) if doubtful and penalty == 0 else None
    if separation is None and not found.converged:
        found = climb(found.at, slice(None), size, _LATE)
        chances = arm_chances(x, found.at.reshape(shape))
        level = evaluate_arms(x, arm, np.zeros(shape), size)
        if not found.converged and solve_scaled(level.information + ridge, level.score) is None:
            raise ValueError("columns depend on one another: see independent_columns")
    back = np.kron(np.eye(k - 1), turn)
    return Multinomial(
        (back @ found.at).reshape(shape),
        back @ invert_scaled(found.information) @ back.T,
        chances,
        found.value + float(found.at @ ridge @ found.at) / 2,
        found.converged,
        separation,
        counts,
        ridge,
    )


def ridge_matrix(x: Floats, weights: Floats, arms: int, penalty: float) -> Floats:
    """Return the matrix of a ridge's quadratic form, half beta' matrix beta.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    weights : ndarray, shape (n,)
    arms : int
    penalty : float

    Returns
    -------
    ndarray, shape (q, q)
        2 penalty (I - 11' / k) on the coefficients of a column, times its variance.

    Examples
    --------
    >>> x = np.array([[1.0, -3.0], [1.0, 3.0]])
    >>> ridge_matrix(x, np.ones(2), 2, 0.5).tolist()
    [[0.0, 0.0], [0.0, 4.5]]
    """
    if penalty == 0:
        return np.zeros(((arms - 1) * x.shape[1],) * 2)
    mean = weights @ x / weights.sum()
    squares = np.zeros(x.shape[1])
    for rows, z in row_blocks(x):
        squares += weights[rows] @ (z - mean) ** 2
    variance = squares / weights.sum()
    # Rounding of the mean must not penalise a constant column.
    variance[variance <= 1e-24 * mean**2] = 0.0
    between = 2 * penalty * (np.eye(arms - 1) - 1 / arms)
    return np.asarray(np.kron(between, np.diag(variance)), dtype=np.float64)


def _penalised(plain: Derivatives, flat: Floats, ridge: Floats) -> Derivatives:
    pull = ridge @ flat
    return Derivatives(
        plain.value - float(flat @ pull) / 2, plain.score - pull, plain.information + ridge
    )


def _sample(arm: Ints, weights: Floats, arms: int) -> tuple[Ints, Floats]:
    """Take as many rows of each arm, for the rare arms decide how well the start is known."""
    wanted = max(1, int(_SAMPLE * len(arm)) // arms)
    rows, scale = [], []
    for number in range(arms):
        members = np.flatnonzero((arm == number) & (weights > 0))
        taken = members[:: max(1, len(members) // wanted)]
        rows.append(taken)
        scale.append(weights[taken] * (len(members) / max(1, len(taken))))
    return np.concatenate(rows), np.concatenate(scale)

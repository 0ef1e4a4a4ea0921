"""Covariate balancing propensity scores: the logit whose inverse weights balance the arms.

Imai and Ratkovic (2014, doi:10.1111/rssb.12027), just identified: as many balance conditions as
coefficients and no likelihood. For two arms they are the gradient of a convex loss (Zhao 2019,
doi:10.1214/18-AOS1698), so that a solution, where there is one, is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.row_blocks import Spread, measure_spread, row_blocks
from baseeval.numerics.tilting import Equations

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Largest difference between arms, in standard deviations, of weights that count as found.
LIMIT = 1e-10

_TIGHT = 1e-13
_STEPS = 150
_SMALLEST, _LARGEST = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class BalancingScores:
    """A multinomial logit whose inverse weights balance every arm against the last.

    Parameters
    ----------
    probability : ndarray, shape (n, k)
        Of each arm.
    weights : ndarray, shape (n,)
        The base over the probability of one's own arm; every arm's add up to the same.
    converged : bool
        False where no coefficients balance the arms: the columns tell them apart.
    imbalance : float
        Largest difference of means between an arm and the last, in standard deviations.
    slopes : ndarray, shape (p, k - 1)
        Coefficients on x less `centre`, of each arm but the last; 0 for columns left out.
    intercepts : ndarray, shape (k - 1,)
    spread : Spread
        What was found of the columns.
    centre : ndarray, shape (p,)
    """

    probability: Floats
    weights: Floats
    converged: bool
    imbalance: float
    slopes: Floats
    intercepts: Floats
    spread: Spread
    centre: Floats


def fit_balancing_scores(x: Floats, arm: Ints, arms: int, base: Floats) -> BalancingScores:
    """Fit probabilities whose inverse makes the covariate totals of all arms equal (ATE).

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Columns without an intercept.
    arm : ndarray of int, shape (n,)
        From 0 to arms - 1, none empty.
    arms : int
    base : ndarray, shape (n,)

    Returns
    -------
    BalancingScores

    Examples
    --------
    >>> x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> found = fit_balancing_scores(x, np.array([0, 1, 1, 0, 0, 1]), 2, np.ones(6))
    >>> found.probability[:, 0].round(6).tolist()
    [0.333333, 0.333333, 0.333333, 0.666667, 0.666667, 0.666667]
    """
    centre = np.asarray(base @ x / base.sum())
    spread = measure_spread(x, centre, base)
    # Parameters on columns of mean zero and variance one, free of one another.
    basis = np.zeros((x.shape[1] + 1, len(spread.kept) + 1))
    basis[0, 0], basis[1:, 1:] = 1.0, spread.basis
    shares = np.bincount(arm, weights=base, minlength=arms)
    theta = np.zeros((basis.shape[1], arms - 1))
    theta[0] = np.log(shares[:-1] / shares[-1])
    gap, slope = _conditions(x, centre, arm, base, basis @ theta, basis)
    damping = 0.0
    for _ in range(_STEPS):
        size = _length(gap)
        if size <= _TIGHT * shares.sum():
            break
        # Newton's step where it shortens the gap, turned towards the steepest way where not
        # (Levenberg and Marquardt): with three arms the derivative can be singular on the way.
        normal = slope.T @ slope
        unit = float(np.trace(normal)) / len(normal)
        step = np.linalg.lstsq(
            normal + damping * unit * np.eye(len(normal)), -slope.T @ gap.ravel("F"), rcond=None
        )[0]
        trial_theta = theta + step.reshape(theta.shape, order="F")
        trial = _conditions(x, centre, arm, base, basis @ trial_theta, basis)
        if _length(trial[0]) < size:
            theta, (gap, slope) = trial_theta, trial
            damping = damping / 10 if damping > _SMALLEST else 0.0
        elif damping > _LARGEST:
            break
        else:
            damping = max(10 * damping, _SMALLEST)
    coefficients = basis @ theta
    probability = _probability(x, centre, coefficients)
    weights = base / probability[np.arange(len(x)), arm]
    imbalance = _imbalance(x, centre, arm, arms, weights, spread)
    return BalancingScores(
        probability=probability,
        weights=weights,
        converged=bool(imbalance <= LIMIT),
        imbalance=imbalance,
        slopes=coefficients[1:],
        intercepts=coefficients[0],
        spread=spread,
        centre=centre,
    )


def balancing_equations(found: BalancingScores, x: Floats, arm: Ints, base: Floats) -> Equations:
    """Give the estimating functions of the weights of :func:`fit_balancing_scores`.

    Parameters
    ----------
    found : BalancingScores
    x, arm, base
        As they were given to it.

    Returns
    -------
    Equations
        Parameters are an intercept and the columns kept, in standard deviations
        from the centre, for one arm after the other but the last.
    """
    kept = found.spread.kept
    columns = (x[:, kept] - found.centre[kept]) / found.spread.scale[kept]
    regressors = np.column_stack([np.ones(len(x)), columns])
    last = found.probability.shape[1] - 1
    sign = np.stack([(arm == a).astype(float) - (arm == last) for a in range(last)])
    own = found.probability[np.arange(len(x)), arm]
    moves = [_moves(found.probability, own, arm, c) * base for c in range(last)]
    minus = np.block(
        [[-regressors.T @ (regressors * (s * m)[:, None]) for m in moves] for s in sign]
    )
    return Equations(
        scores=np.hstack([regressors * (s * found.weights)[:, None] for s in sign]),
        bread=np.linalg.inv(minus),
        d_weights=np.hstack([regressors * m[:, None] for m in moves]),
    )


def _length(gap: Floats) -> float:
    largest = float(np.abs(gap).max())
    return float(largest * np.linalg.norm(gap / largest)) if 0 < largest < np.inf else largest


def _moves(probability: Floats, own: Floats, arm: Ints, other: int) -> Floats:
    """Return the derivative of 1 / own probability by the linear predictor of an arm."""
    moved: Floats = (probability[:, other] - (arm == other)) / own
    return moved


def _conditions(
    x: Floats, centre: Floats, arm: Ints, base: Floats, coefficients: Floats, basis: Floats
) -> tuple[Floats, Floats]:
    """Return the balance conditions, shape (q, k - 1), and their derivative, in one pass."""
    size, last = coefficients.shape
    gap = np.zeros((size, last))
    slope = np.zeros((last, last, size, size))
    for rows in row_blocks(*x.shape):
        z = np.column_stack([np.ones(rows.stop - rows.start), x[rows] - centre])
        probability, mine = _softmax(z @ coefficients), arm[rows]
        own = probability[np.arange(len(z)), mine]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            weights = base[rows] / own
            moves = [_moves(probability, own, mine, c) * base[rows] for c in range(last)]
        if not np.isfinite(weights.sum()):
            return np.full((basis.shape[1], last), np.inf), slope[..., 0, 0]
        for a in range(last):
            sign = (mine == a).astype(float) - (mine == last)
            gap[:, a] += (sign * weights) @ z
            for c in range(last):
                slope[a, c] += (z * (sign * moves[c])[:, None]).T @ z
    return basis.T @ gap, np.block(
        [[basis.T @ slope[a, c] @ basis for c in range(last)] for a in range(last)]
    )


def _softmax(predictor: Floats) -> Floats:
    full = np.column_stack([predictor, np.zeros(len(predictor))])
    full -= full.max(axis=1, keepdims=True)
    np.exp(full, out=full)
    full /= full.sum(axis=1, keepdims=True)
    return full


def _probability(x: Floats, centre: Floats, coefficients: Floats) -> Floats:
    found = np.empty((len(x), coefficients.shape[1] + 1))
    for rows in row_blocks(*x.shape):
        found[rows] = _softmax(coefficients[0] + (x[rows] - centre) @ coefficients[1:])
    return found


def _imbalance(
    x: Floats, centre: Floats, arm: Ints, arms: int, weights: Floats, spread: Spread
) -> float:
    """Return the largest difference of means between an arm and the last, in SD."""
    totals = np.zeros((arms, x.shape[1]))
    for rows in row_blocks(*x.shape):
        z = x[rows] - centre
        for a in range(arms):
            mine = arm[rows] == a
            totals[a] += weights[rows][mine] @ z[mine]
    means = totals / np.bincount(arm, weights=weights, minlength=arms)[:, None]
    apart = np.abs(means - means[-1]) / spread.scale
    return float(apart[:, ~spread.constant].max(initial=0.0))

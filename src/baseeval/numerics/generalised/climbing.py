"""A quasi-Newton climb of a smooth log-likelihood, and Newton steps at its end.

The gradient is exact, so that its zero is known to many more digits than the flat top of the
value; differences of gradients give the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: From a place, shape (P,), to the value and its gradient; None where there is none.
Evaluate = Callable[[Floats], tuple[float, Floats] | None]

#: Said where a search cannot start.
NO_START = (
    "the likelihood is not defined where the search starts: under the log and the identity link "
    "groups with chances near one (or zero) do this; take the logit link, and give effects as "
    "differences of chances"
)
#: Steps of the search, the gain that ends it, and the longest step in standard errors of each.
_STEPS, _NEAR, _LONGEST = 300, 1e-7, 4.0
#: Step of the differences that make the second derivative, in standard errors: of differences to
#: both sides, and to one where rows are many (its error is about that share of the derivative).
_BOTH, _ONE = 1e-3, 1e-4
#: Newton steps at most, looks at the second derivative, and the gain that the last step leaves.
_POLISH, _LOOKS, _CLOSE = 12, 3, 1e-14
_HALVINGS = 30
#: Places without a value after which a search is given up: it runs along a bound.
_REFUSED = 15


class Look(Enum):
    """How the second derivative at a peak is taken."""

    BOTH = "differences to both sides"
    ONE = "differences to one side: half the work, for many rows"
    NONE = "not at all: the peak is where the search ends"


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a climb ended.

    Parameters
    ----------
    at : ndarray, shape (P,)
    value : float
    covariance : ndarray, shape (P, P)
        Inverse of minus the second derivative; NaN where it is not positive
        definite or was not taken.
    converged : bool
    """

    at: Floats
    value: float
    covariance: Floats
    converged: bool


def climb(evaluate: Evaluate, start: Floats, turn: Floats, look: Look = Look.BOTH) -> Peak:
    """Maximise from a start.

    Parameters
    ----------
    evaluate : callable
    start : ndarray, shape (P,)
        Where there is a value.
    turn : ndarray, shape (P, P)
        Columns are about uncorrelated steps of one standard error.
    look : Look
        How the second derivative is taken.

    Returns
    -------
    Peak

    Raises
    ------
    ValueError
        No value at the start.

    Examples
    --------
    >>> peak = climb(lambda b: (-float(b @ b), -2 * b), np.ones(2), np.eye(2))
    >>> peak.at.round(9).tolist(), peak.converged
    ([0.0, 0.0], True)
    """
    found = evaluate(start)
    if found is None:
        raise ValueError(NO_START)
    at, value, slope, inverse, near = _search(evaluate, start, found, turn @ turn.T)
    unknown = np.full((len(at), len(at)), np.nan)
    if look is Look.NONE:
        return Peak(at, value, unknown, near)
    for _ in range(_LOOKS):
        covariance = _covariance(evaluate, at, slope, _steps(inverse, turn), look)
        if covariance is None:
            return Peak(at, value, unknown, False)
        inverse, left = covariance, np.inf
        for _ in range(_POLISH):
            step = inverse @ slope
            before, left = left, float(slope @ step)
            if left <= _CLOSE:
                return Peak(at, value, inverse, True)
            if left > before / 2:
                break
            there = evaluate(at + step)
            if there is None or there[0] < value - 1e-9 * (1 + abs(value)):
                break
            at, (value, slope) = at + step, there
        if left <= 1e3 * _CLOSE:
            # Rounding of long sums, not distance, is what is left.
            return Peak(at, value, inverse, True)
        at, value, slope, _, _ = _search(evaluate, at, (value, slope), inverse)
    return Peak(at, value, inverse, False)


def standard_steps(second: Floats) -> Floats:
    """Return about uncorrelated steps of one standard error.

    Parameters
    ----------
    second : ndarray, shape (P, P)
        About minus the second derivative; what is not positive definite in it is made so.

    Returns
    -------
    ndarray, shape (P, P)
        T, with T T' about the inverse.

    Examples
    --------
    >>> standard_steps(np.array([[4.0]])).tolist()
    [[0.5]]
    """
    size = np.sqrt(np.maximum(np.abs(np.diagonal(second)), 1e-8))
    values, vectors = np.linalg.eigh(second / np.outer(size, size))
    values = np.maximum(np.abs(values), 1e-6)
    return np.asarray(vectors / np.sqrt(values) / size[:, None])


def _search(
    evaluate: Evaluate, at: Floats, found: tuple[float, Floats], inverse: Floats
) -> tuple[Floats, float, Floats, Floats, bool]:
    """Climb by the update of Broyden, Fletcher, Goldfarb and Shanno with steps cut back."""
    (value, slope), near, refused = found, False, 0
    for _ in range(_STEPS):
        step = inverse @ slope
        gain = float(slope @ step)
        near = gain < _NEAR
        if near or refused > _REFUSED:
            break
        share = min(1.0, _LONGEST * np.sqrt(len(at) / gain))
        for _ in range(_HALVINGS):
            there = evaluate(at + share * step)
            if there is not None and there[0] >= value + 1e-4 * share * gain:
                break
            share /= 2 if there is not None else 4
            refused += there is None
        else:
            break
        moved, turned = share * step, slope - there[1]
        bend = float(moved @ turned)
        if bend > 1e-10 * share * gain:
            across = inverse @ turned
            inverse = (
                inverse
                + (1 + turned @ across / bend) * np.outer(moved, moved) / bend
                - (np.outer(across, moved) + np.outer(moved, across)) / bend
            )
        at, (value, slope) = at + moved, there
    return at, value, slope, inverse, near


def _steps(inverse: Floats, turn: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2), dtype=np.float64)
    except np.linalg.LinAlgError:
        return turn


def _covariance(
    evaluate: Evaluate, at: Floats, slope: Floats, turn: Floats, look: Look
) -> Floats | None:
    """Return the inverse of minus the second derivative, by differences along the steps."""
    second = np.empty((len(at), len(at)))
    for line, step in enumerate(turn.T):
        above = evaluate(at + (_ONE if look is Look.ONE else _BOTH) * step)
        if above is None:
            return None
        if look is Look.ONE:
            second[line] = (slope - above[1]) @ turn / _ONE
            continue
        below = evaluate(at - _BOTH * step)
        if below is None:
            return None
        second[line] = (below[1] - above[1]) @ turn / (2 * _BOTH)
    second = (second + second.T) / 2
    values = np.linalg.eigvalsh(second)
    if not np.isfinite(values).all() or values[0] <= 1e-10 * values[-1]:
        return None
    return np.asarray(turn @ np.linalg.inv(second) @ turn.T)

"""What an estimand makes of the chances of the arms: tilts of the population, and weights.

Li and Li (2019, doi:10.1214/19-AOAS1282): a target population has the density of the pupils
compared times a tilt h(e) of their chances e of the arms, and a pupil of arm a has the weight
h(e) / e_a. Whatever the tilt, weighted arms then have the covariates of that one population.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Tilt = Callable[[Floats, int], Floats]


def tilt_weights(chances: Floats, arm: Ints, estimand: str, focal: int | None = None) -> Floats:
    """Weight each row by the tilt of its estimand over the chance of its own arm.

    Parameters
    ----------
    chances : ndarray, shape (n, k)
        Positive; rows add up to one.
    arm : ndarray of int, shape (n,)
    estimand : str
        ATT, ATC (of two arms), ATE, ATO, ATM or ATEN.
    focal : int, optional
        The arm of an ATT; the first by default.

    Returns
    -------
    ndarray, shape (n,)
        One in the target's arm, where the estimand has one.

    Examples
    --------
    >>> chances = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    >>> tilt_weights(chances, np.array([0, 2]), "ATT").tolist()
    [1.0, 0.4]
    """
    target = target_arm(estimand, focal)
    weights: Floats = _TILTS[estimand](chances, target) / _own(chances, arm)
    return weights


def weight_slopes(chances: Floats, arm: Ints, estimand: str, focal: int | None = None) -> Floats:
    """Differentiate the weights by the chances of the arms, each on its own.

    Parameters
    ----------
    chances, arm, estimand, focal
        As in :func:`tilt_weights`.

    Returns
    -------
    ndarray, shape (n, k)
        Of ATM the derivative on the side where the smallest chance stays the smallest.

    Examples
    --------
    >>> weight_slopes(np.array([[0.5, 0.5]]), np.array([1]), "ATT").tolist()
    [[2.0, -2.0]]
    """
    target, own = target_arm(estimand, focal), _own(chances, arm)
    slopes = _SLOPES[estimand](chances, target) / own[:, None]
    slopes[np.arange(len(arm)), arm] -= _TILTS[estimand](chances, target) / own**2
    return slopes


def target_arm(estimand: str, focal: int | None = None) -> int:
    """Return the position of the arm that an ATT or ATC is about.

    Parameters
    ----------
    estimand : str
    focal : int, optional

    Returns
    -------
    int

    Examples
    --------
    >>> target_arm("ATC")
    1
    """
    return 1 if estimand == "ATC" else focal or 0


def _own(chances: Floats, arm: Ints) -> Floats:
    own: Floats = np.take_along_axis(chances, arm[:, None], axis=1)[:, 0]
    return own


def _of_arm(chances: Floats, target: int) -> Floats:
    return chances[:, target]


def _everyone(chances: Floats, target: int) -> Floats:
    return np.ones(len(chances))


def _overlap(chances: Floats, target: int) -> Floats:
    """Return the harmonic mean of the chances over k: p (1 - p) of two arms."""
    harmonic: Floats = 1 / np.sum(1 / chances, axis=1)
    return harmonic


def _smallest(chances: Floats, target: int) -> Floats:
    least: Floats = chances.min(axis=1)
    return least


def _entropy(chances: Floats, target: int) -> Floats:
    entropy: Floats = -np.sum(chances * np.log(chances), axis=1)
    return entropy


_TILTS: Mapping[str, Tilt] = MappingProxyType(
    {
        "ATT": _of_arm,
        "ATC": _of_arm,
        "ATE": _everyone,
        "ATO": _overlap,
        "ATM": _smallest,
        "ATEN": _entropy,
    }
)


def _of_arm_slopes(chances: Floats, target: int) -> Floats:
    slopes = np.zeros_like(chances)
    slopes[:, target] = 1.0
    return slopes


def _everyone_slopes(chances: Floats, target: int) -> Floats:
    return np.zeros_like(chances)


def _overlap_slopes(chances: Floats, target: int) -> Floats:
    slopes: Floats = (_overlap(chances, target)[:, None] / chances) ** 2
    return slopes


def _smallest_slopes(chances: Floats, target: int) -> Floats:
    slopes = np.zeros_like(chances)
    slopes[np.arange(len(chances)), chances.argmin(axis=1)] = 1.0
    return slopes


def _entropy_slopes(chances: Floats, target: int) -> Floats:
    slopes: Floats = -np.log(chances) - 1
    return slopes


_SLOPES: Mapping[str, Tilt] = MappingProxyType(
    {
        "ATT": _of_arm_slopes,
        "ATC": _of_arm_slopes,
        "ATE": _everyone_slopes,
        "ATO": _overlap_slopes,
        "ATM": _smallest_slopes,
        "ATEN": _entropy_slopes,
    }
)

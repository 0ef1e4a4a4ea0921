"""The number of steps that an answer is expected to pass, as a curve over the trait.

Forty logistic curves for every pupil, wave and arm would be most of the work of a national world.
Their sum is smooth and depends on one number, so it is tabulated with its slope and interpolated
by cubics (Hermite): the error is under h^4 / 384 times the fourth derivative, here below 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from baseeval.worlds.scales import Belonging

Floats = NDArray[np.float64]

#: Knots a unit of the trait, and where the table ends: beyond, every step is passed, or none.
_KNOTS, _END = 512, 40


@dataclass(frozen=True)
class Curve:
    """A smooth curve, tabulated.

    Attributes
    ----------
    value, slope : ndarray, shape (knots,)
        At knots evenly spread from -40 to 40; the slope is a knot's, not a unit's.
    """

    value: Floats
    slope: Floats

    def __call__(self, x: Floats) -> Floats:
        """Evaluate the curve, any shape."""
        at = np.clip((x + _END) * _KNOTS, 0, len(self.value) - 1.000001)
        left = at.astype(np.intp)
        t = at - left
        first, last = self.value[left], self.value[left + 1]
        rise, fall = self.slope[left], self.slope[left + 1]
        apart = last - first
        square = rise + fall - 2 * apart
        result: Floats = first + t * (rise + t * (3 * apart - 2 * rise - fall + t * square))
        return result


def steps_passed(items: Belonging, which: tuple[int, ...]) -> Curve:
    """Give the expected number of steps passed over some items, as a curve over the trait.

    Parameters
    ----------
    items : Belonging
    which : tuple of int
        Positions of items.

    Returns
    -------
    Curve
    """
    slopes = tuple(items.discrimination[item] for item in which)
    places = tuple(items.location[item] for item in which)
    return _tabulated(slopes, places, tuple(items.steps))


@lru_cache(maxsize=16)
def _tabulated(
    slopes: tuple[float, ...], places: tuple[float, ...], steps: tuple[float, ...]
) -> Curve:
    knots = np.arange(-_END * _KNOTS, _END * _KNOTS + 1) / _KNOTS
    value, slope = np.zeros_like(knots), np.zeros_like(knots)
    for steep, place in zip(slopes, places, strict=True):
        for step in steps:
            passes = expit(steep * (knots - place - step))
            value += passes
            slope += steep * passes * (1 - passes) / _KNOTS
    return Curve(value, slope)

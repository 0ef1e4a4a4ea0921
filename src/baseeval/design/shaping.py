"""What is done to weights once an estimand has made them: drawn down, stabilised, scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.numerics.tilting import Equations
from baseeval.results import Estimation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Shaped:
    """Weights as they are used.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Survey weights included.
    factor : ndarray, shape (n,)
        What a row's weight moves by when the one it was made from does; 0 for
        one that was drawn down.
    notes : tuple of str
    arm : ndarray of int, shape (n,)
    normalised : bool
    """

    weights: Floats
    factor: Floats
    notes: tuple[str, ...]
    arm: Ints
    normalised: bool

    def carry(self, slopes: Floats) -> Floats:
        """Return the derivatives of these weights from those of the weights before.

        Where weights were drawn down, the value that they were drawn down to is
        taken as known.

        Parameters
        ----------
        slopes : ndarray, shape (n, q)

        Returns
        -------
        ndarray, shape (n, q)
        """
        moved: Floats = slopes * self.factor[:, None]
        if self.normalised:
            for position in range(int(self.arm.max()) + 1):
                rows = self.arm == position
                share = self.weights[rows] / self.weights[rows].sum()
                moved[rows] -= np.outer(share, moved[rows].sum(axis=0))
        return moved

    def estimation(self, equations: Equations, base: Floats) -> Estimation:
        """Return the estimating functions of these weights.

        Parameters
        ----------
        equations : Equations
            Of the weights before they were shaped, survey weights included.
        base : ndarray, shape (n,)
            Survey weights, positive.

        Returns
        -------
        Estimation
        """
        slopes = self.carry(equations.d_weights / base[:, None])
        return Estimation(scores=equations.scores, bread=equations.bread, d_weights=slopes)


def shape_weights(tilted: Floats, sample: DesignSample, settings: Settings) -> Shaped:
    """Draw large weights down, multiply by arms' shares and survey weights, and scale.

    Parameters
    ----------
    tilted : ndarray, shape (n,)
        Of the estimand, without survey weights.
    sample : DesignSample
    settings : Settings
        `truncate`: of an arm's weights, drawn down to the quantile (each row
        counting by its survey weight); `stabilise`: multiplied by the share of
        the arm; `normalise`: scaled to a mean of one in each arm (Robins, Hernan
        and Brumback 2000, doi:10.1097/00001648-200009000-00011).

    Returns
    -------
    Shaped
    """
    weights, factor, notes = tilted.copy(), sample.base.copy(), []
    if settings.truncate is not None:
        for position, arm in enumerate(sample.arms):
            rows = np.flatnonzero(sample.arm == position)
            limit = quantile(tilted[rows], sample.base[rows], settings.truncate)
            over = rows[tilted[rows] > limit]
            weights[over], factor[over] = limit, 0.0
            if len(over):
                notes.append(
                    f"Weights of {len(over)} of {len(rows)} pupils of {arm} were drawn down."
                )
    weights *= sample.base
    for position in range(len(sample.arms)):
        rows = sample.arm == position
        size = sample.base[rows].sum()
        scale = size / sample.base.sum() if settings.stabilise else 1.0
        if settings.normalise:
            scale = size / weights[rows].sum()
        weights[rows] *= scale
        factor[rows] *= scale
    return Shaped(weights, factor, tuple(notes), sample.arm, settings.normalise)


def quantile(values: Floats, base: Floats, share: float) -> float:
    """Return the smallest value that at least a share of the rows do not exceed.

    Parameters
    ----------
    values : ndarray, shape (n,)
    base : ndarray, shape (n,)
        Positive: a row of weight two is two rows.
    share : float

    Returns
    -------
    float

    Examples
    --------
    >>> quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), 0.75)
    2.0
    """
    order = np.argsort(values, kind="stable")
    held = np.cumsum(base[order])
    # Rounding of a sum must not ask for one row more.
    place = int(np.searchsorted(held, share * held[-1] * (1 - 1e-12)))
    return float(values[order][place])

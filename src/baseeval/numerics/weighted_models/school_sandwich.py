"""Covariance of estimates from what each school adds to their estimating equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A condition number, in units of the parameters, beyond which an estimate has no finite value.
_NEEDED = 1e10


@dataclass(frozen=True, slots=True)
class SchoolScores:
    """Estimating functions of schools at the estimate, and how fast they fall.

    Parameters
    ----------
    scores : ndarray, shape (G, d)
        Columns add up to zero.
    curvatures : ndarray, shape (G, d, d)
        Minus the derivative of each school's scores.
    coefficients : int
        How many of the parameters, the first, are coefficients.
    """

    scores: Floats
    curvatures: Floats
    coefficients: int

    @property
    def bread(self) -> Floats:
        """Return the inverse of the summed curvatures, shape (d, d)."""
        return np.asarray(np.linalg.inv(self.curvatures.sum(axis=0)))

    def sandwich(self, kind: str = "CR1") -> Floats:
        """Return the sandwich covariance by school.

        Parameters
        ----------
        kind : str
            CR0, or CR1: times G / (G - 1).

        Returns
        -------
        ndarray, shape (d, d)
            Huber (1967); Liang and Zeger (1986, doi:10.1093/biomet/73.1.13).
        """
        schools = len(self.scores)
        moved = self.scores @ self.bread.T
        factor = schools / (schools - 1) if kind == "CR1" else 1.0
        return np.asarray(factor * moved.T @ moved)

    def jackknife(self) -> Floats:
        """Return the coefficients' jackknife covariance, each school left out by one Newton step.

        Returns
        -------
        ndarray, shape (k, k)
            (G - 1) / G times the sum of squared steps; exact for linear
            estimators (Bell and McCaffrey 2002). Other parameters are held: without
            one of few schools a variance may have no maximum. NaN where a
            coefficient needs one of the schools.
        """
        schools, k = len(self.scores), self.coefficients
        own = self.curvatures[:, :k, :k]
        total = own.sum(axis=0)
        left = total - own
        unit = np.sqrt(np.abs(np.diagonal(total)))
        if np.linalg.cond(left / np.outer(unit, unit)).max() > _NEEDED:
            return np.full(left.shape[1:], np.nan)
        moved = np.linalg.solve(left, self.scores[:, :k, None])[:, :, 0]
        return np.asarray((schools - 1) / schools * moved.T @ moved)

    def turned(self, matrix: Floats) -> SchoolScores:
        """Return the scores of parameters that are `matrix` @ these, shape (d, d)."""
        back = np.linalg.inv(matrix)
        return replace(self, scores=self.scores @ back, curvatures=back.T @ self.curvatures @ back)

    def without(self, free: NDArray[np.bool_]) -> SchoolScores:
        """Return the scores of some parameters, the others held where they are, shape (d,)."""
        return SchoolScores(
            self.scores[:, free],
            self.curvatures[:, free][:, :, free],
            int(free[: self.coefficients].sum()),
        )

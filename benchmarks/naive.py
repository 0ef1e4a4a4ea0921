"""Plain implementations straight from the definitions: dense matrices, and loops over pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dense_cr2(x: Floats, y: Floats, clusters: NDArray[np.intp], column: int) -> Floats:
    """CR2 standard error and Satterthwaite df of a coefficient, identity working model.

    Pustejovsky and Tipton (2018), equations (5) to (9) and section 2.3, with the n by n matrix
    I - H and each cluster's own square blocks written out.
    """
    bread = np.linalg.inv(x.T @ x)
    annihilator = np.eye(len(y)) - x @ bread @ x.T
    residuals = annihilator @ y
    scores, rows_of = [], []
    for cluster in np.unique(clusters):
        rows = np.flatnonzero(clusters == cluster)
        values, vectors = np.linalg.eigh(annihilator[np.ix_(rows, rows)])
        powers = np.where(values > 1e-12, np.abs(values) ** -0.5, 0.0)
        adjust = (vectors * powers) @ vectors.T
        loading = adjust @ x[rows] @ bread[:, column]
        scores.append(loading @ residuals[rows])
        rows_of.append(loading @ annihilator[rows])
    spread = np.array(rows_of) @ np.array(rows_of).T
    df = np.trace(spread) ** 2 / np.sum(spread**2)
    return np.array([np.sqrt(np.sum(np.square(scores))), df])


def scan_nearest(score: Floats, treated: NDArray[np.bool_], order: NDArray[np.intp]) -> Floats:
    """Match one to one without replacement, every free control looked at each time."""
    controls = np.flatnonzero(~treated)
    controls = controls[np.argsort(score[controls], kind="stable")]
    values, pairs = score[controls].copy(), []
    for row in order:
        place = int(np.argmin(np.abs(values - score[row])))
        pairs.append((row, controls[place]))
        values[place] = np.inf
    return np.array(pairs, dtype=float)

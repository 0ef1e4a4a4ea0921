"""Estimates of combinations of a mixed model's coefficients, with the model's own inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.models.mixed_inference import mixed_inference
from baseeval.models.term_tables import fixed_table
from baseeval.numerics.mixed_models.coordinates import Coordinates

if TYPE_CHECKING:
    from baseeval.models.mixed_model import MixedModel

Floats = NDArray[np.float64]

#: A combination that moves by more than this part of what it might, along columns that cancel
#: out, is no estimate.
_MOVED = 1e-7


def estimate_lines(
    model: MixedModel, keys: Sequence[str], lines: Sequence[tuple[tuple[Any, ...], Floats]]
) -> pd.DataFrame:
    """Estimate combinations of coefficients.

    Parameters
    ----------
    model : MixedModel
    keys : sequence of str
        Names of the columns that tell the combinations apart.
    lines : sequence of (labels, ndarray of shape (p,))
        Weights of every term of ``model.fixed``, those left out included.

    Returns
    -------
    pandas.DataFrame
        The keys, then ``estimate, std_error, df, statistic, p_value, ci_low,
        ci_high``; empty where the data cannot tell a combination.
    """
    inside = model.fit.likelihood.coordinates
    whole = np.array([line for _, line in lines]).reshape(-1, len(model.fixed))
    nothing = null_columns(inside)
    moved, most = np.abs(whole @ nothing.T), np.abs(whole) @ np.abs(nothing).T
    told = np.flatnonzero(np.all(moved <= _MOVED * most, axis=1))
    kept = whole[told][:, inside.kept]
    how = None if model.inference == "none" else model.inference
    vcov, freedom = mixed_inference(model.rows, model.fit, how, kept)
    errors = np.sqrt(np.einsum("kp,pq,kq->k", kept, vcov, kept))
    found = fixed_table([""] * len(lines), told, kept @ model.fit.beta, errors, freedom)
    keyed = pd.DataFrame([labels for labels, _ in lines], columns=list(keys))
    return pd.concat([keyed, found.drop(columns="term")], axis=1)


def term_line(model: MixedModel, term: str) -> Floats:
    """Return the combination that is one coefficient.

    Parameters
    ----------
    model : MixedModel
    term : str
        Its name in ``model.fixed``.

    Returns
    -------
    ndarray, shape (p,)
    """
    return np.asarray([float(name == term) for name in model.fixed["term"]])


def null_columns(inside: Coordinates) -> Floats:
    """Return the combinations of a model's columns that are zero on every row.

    Parameters
    ----------
    inside : Coordinates

    Returns
    -------
    ndarray, shape (d, p)
        One a column that was left out. A combination of coefficients can be
        estimated if it is orthogonal to all of them.
    """
    sums, kept = inside.sums, inside.kept
    left = np.setdiff1d(np.arange(len(sums.xy)), kept)
    held = np.linalg.solve(sums.xx[np.ix_(kept, kept)], sums.xx[np.ix_(kept, left)])
    made = np.zeros((len(left), len(sums.xy)))
    made[np.arange(len(left)), left] = 1
    made[:, kept] = -held.T
    if sums.intercept is not None:
        # The sums are of columns less their shift, which only the intercept can take up.
        shift = sums.shift.copy()
        shift[sums.intercept] = 0
        made[:, sums.intercept] -= made @ shift
    return made

"""What a linear mixed model predicts, and what it leaves over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.models.column_values import open_table
from baseeval.models.new_rows import read_new_rows
from baseeval.models.row_numbers import read_row_numbers
from baseeval.plan import nearest

if TYPE_CHECKING:
    from baseeval.models.mixed_model import MixedModel

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def predict_rows(
    model: MixedModel, data: IntoDataFrame | None = None, conditional: bool = True
) -> pd.Series:
    """Predict the outcome of each row.

    Parameters
    ----------
    model : MixedModel
    data : dataframe, optional
        Other rows; those of the model by default.
    conditional : bool
        With the effects of each row's groups, or for the average group. A
        group that the model has not seen has effects of zero.

    Returns
    -------
    pandas.Series
        By the row's place in its table; rows that lack a value are absent.
    """
    inside = model.fit.likelihood.coordinates
    if data is None:
        whole = model.rows.whole()
        x, z, groups, places = whole.x, whole.z, whole.groups, model.rows.rows
        offset = model.rows.offset
    else:
        new = read_new_rows(model.rows, data, random=conditional)
        x, z, groups, places = new.x, new.z, new.groups, new.rows
        offset = None if model.offset is None else new_offset(model.offset, data, places)
    found = x[:, inside.kept] @ model.fit.beta
    if offset is not None:
        found = found + offset
    if conditional:
        for columns, codes, effects in zip(z, groups, model.effects, strict=True):
            known = codes >= 0
            modes = inside.scale * effects.modes[codes[known]]
            found[known] += np.einsum("nq,nq->n", columns[known], modes)
    return pd.Series(found, index=pd.Index(places, name="row"), name=model.rows.response)


def new_offset(column: str | Floats, data: IntoDataFrame, places: Ints) -> Floats:
    """Return the offset of rows of another table.

    Parameters
    ----------
    column : str or ndarray
        What the model was given.
    data : dataframe
    places : ndarray of int
        The rows wanted.

    Returns
    -------
    ndarray

    Raises
    ------
    UsageError
        It was an array, which other rows do not have, or the column is not there.
    """
    frame = open_table(data)
    if not isinstance(column, str) or column not in frame.columns:
        raise UsageError(
            Problem(
                "offset of the model",
                "the new rows do not have it",
                "Fit with the offset in a column, and give that column here too.",
            )
        )
    return read_row_numbers(frame, {"offset": column})["offset"][places]


def residual_rows(model: MixedModel, level: str = "row") -> pd.Series:
    """Return what a model leaves over: of each row, or of each group.

    Parameters
    ----------
    model : MixedModel
    level : str
        ``row``: the outcome less the prediction with all effects; ``marginal``: less
        the fixed part alone; or a grouping factor's name: the mean of the marginal
        residuals of each level's rows, which its effects shrink.

    Returns
    -------
    pandas.Series
        By row, or by level.

    Raises
    ------
    UsageError
        There is no such level.
    """
    labels = [factor.label for factor in model.rows.factors]
    known = ["row", "marginal", *labels]
    if level not in known:
        raise UsageError(Problem(f"level `{level}`", "not in the model", nearest(level, known)))
    predicted = predict_rows(model, conditional=level == "row")
    left = pd.Series(model.rows.outcome, index=predicted.index) - predicted
    if level in ("row", "marginal"):
        return left.rename("residual")
    factor = model.rows.factors[labels.index(level)]
    size = np.ones(model.rows.n) if model.rows.weights is None else model.rows.weights
    total = np.bincount(factor.codes, size * left.to_numpy(), factor.count)
    means = total / np.bincount(factor.codes, size, factor.count)
    order, names = factor.shown(), factor.labels()
    index = pd.Index([names[place] for place in order], name=level)
    return pd.Series(means[order], index=index, name="residual")

"""What a generalised mixed model predicts on the scale of the response, and what it leaves over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.models.model_rows import ModelRows
from baseeval.models.new_rows import read_new_rows
from baseeval.models.predictions import new_offset

if TYPE_CHECKING:
    from baseeval.models.generalised_model import GeneralisedModel

Floats = NDArray[np.float64]


def predict_responses(
    model: GeneralisedModel, data: IntoDataFrame | None = None, conditional: bool = True
) -> pd.Series | pd.DataFrame:
    """Predict the response of each row: a chance, a mean count, or the chance of each category.

    Parameters
    ----------
    model : GeneralisedModel
    data : dataframe, optional
        Other rows; those of the model by default. The column of the offset, if there
        was one, must be in it.
    conditional : bool
        With the most likely effects of each row's groups, or with effects of zero (the
        middle school, not the mean of schools). A group that the model has not
        seen has effects of zero.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        By the row's place in its table; rows that lack a value are absent. Of ordered
        categories a table with one column a category.

    Raises
    ------
    UsageError, DataError
        A column is not there, or holds what the model has not seen.
    """
    rows, fit = model.rows, model.fit
    if data is None:
        whole = rows.whole(less_offset=False)
        x, z, groups, places, offset = whole.x, whole.z, whole.groups, rows.rows, rows.offset
    else:
        new = read_new_rows(rows, data, random=conditional)
        x, z, groups, places = new.x, new.z, new.groups, new.rows
        offset = None if model.offset is None else new_offset(model.offset, data, places)
    eta = fitted_columns(rows, x, model.family)[:, fit.kept] @ fit.beta
    if offset is not None:
        eta = eta + offset
    if conditional:
        own = rows.own_parts(fit.effects)
        for columns, codes, (effects, at) in zip(z, groups, own, strict=True):
            known = codes >= 0
            modes = effects.modes[codes[known], at]
            eta[known] += np.einsum("nq,nq->n", columns[known], modes)
    sound = np.isfinite(eta)
    means = fit.rows.outcome.means(eta[sound], fit.shared)
    index = pd.Index(places[sound], name="row")
    if model.family == "ordinal":
        return pd.DataFrame(means.T, index=index, columns=list(rows.outcome_levels))
    return pd.Series(means[0], index=index, name=rows.response)


def response_residuals(model: GeneralisedModel) -> pd.Series | pd.DataFrame:
    """Return each row's response less its prediction with all effects.

    Parameters
    ----------
    model : GeneralisedModel

    Returns
    -------
    pandas.Series or pandas.DataFrame
        By row; of trials, the share that succeeded less its chance. Of ordered
        categories one column each: one where the row is in it, else zero, less its chance.
    """
    predicted, rows = predict_responses(model), model.rows
    if isinstance(predicted, pd.DataFrame):
        held = np.eye(predicted.shape[1])[rows.outcome.astype(np.intp)]
        return predicted.rsub(held)
    response = rows.outcome if rows.trials is None else rows.outcome / rows.trials
    return predicted.rsub(pd.Series(response, index=predicted.index)).rename("residual")


def fitted_columns(rows: ModelRows, x: Floats, family: str) -> Floats:
    """Return the columns that a family fits: thresholds are the intercept of categories.

    Parameters
    ----------
    rows : ModelRows
    x : ndarray, shape (n, p)
    family : str

    Returns
    -------
    ndarray, shape (n, p) or (n, p - 1)
    """
    if family != "ordinal" or rows.intercept is None:
        return x
    return np.delete(x, rows.intercept, axis=1)

"""How much of the variation lies at each level: `partition_variance`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.design.choices import check_choice
from baseeval.errors import Problem, UsageError
from baseeval.models.generalised_model import GeneralisedModel, fit_generalised_mixed
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.shape_rows import added, quoted, shape_rows
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.mixed_models.fitting import MixedFit
from baseeval.numerics.mixed_models.templates import Floats, Layout
from baseeval.numerics.mixed_models.variance_shares import (
    Shares,
    theta_covariance,
    variance_shares,
)
from baseeval.numerics.one_thread import one_thread

#: Variance of a logistic error, which a binary outcome by logit has on its latent scale.
RESIDUAL = {"gaussian": 1.0, "binomial": float(np.pi**2 / 3)}


@dataclass(frozen=True, slots=True)
class VariancePartition:
    """The variance of an outcome by level, given the fixed part.

    Parameters
    ----------
    table : pandas.DataFrame
        ``level, at, variance, share, share_low, share_high, correlation,
        correlation_low, correlation_high``, outermost level first, ``Residual``
        last. `share` is the level's part of the whole (the variance partition
        coefficient); `correlation` that of two rows of one unit of the level (the
        intraclass correlation). With a slope, both at the value `at` of its column.
    notes : tuple of str
        What to know of the intervals.
    model : MixedModel or GeneralisedModel
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    model: MixedModel | GeneralisedModel


@one_thread()
def partition_variance(
    data: IntoDataFrame,
    outcome: str,
    *,
    levels: Sequence[str],
    covariates: Sequence[str] = (),
    slope: str | None = None,
    at: Sequence[float] = (),
    family: str = "gaussian",
    weights: str | None = None,
    reml: bool = True,
) -> VariancePartition:
    """Split the variance of an outcome among the levels of its grouping.

    With effects z'u of a level, u of covariance Sigma, its variance at z is z'Sigma z
    (Goldstein, Browne and Rasbash 2002, doi:10.1207/S15328031US0104_02); over the sum of all
    levels and the residual, that is the level's share. A binary outcome is taken on its latent
    scale, where a logistic error has variance pi^2 / 3. Intervals are by the delta method on the
    logit scale, from the curvature of the profiled likelihood.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads. Rows with a missing value are left out.
    outcome : str
    levels : sequence of str
        Grouping columns, outermost first; each is told apart within the one before.
    covariates : sequence of str
    slope : str, optional
        A column whose effect varies between units of the outermost level.
    at : sequence of float
        Its values at which the variance is split; with a slope, one or more.
    family : str
        gaussian or binomial (by logit, Laplace's approximation).
    weights : str, optional
        Precision weights, the residual being that of a weight of one; of a binary
        outcome, how many rows each stands for.
    reml : bool
        Of the gaussian family.

    Returns
    -------
    VariancePartition

    Raises
    ------
    UsageError, DataError
        The columns cannot be used.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(np.arange(60), 20)
    >>> frame = pd.DataFrame({"school": school, "maths": rng.normal(size=1200)})
    >>> frame["maths"] += 0.5 * rng.normal(size=60)[school]
    >>> found = partition_variance(frame, "maths", levels=["school"]).table.iloc[0]
    >>> bool(found["share_low"] < 0.2 < found["share_high"]), found["level"]
    (True, 'school')
    """
    check_choice("family", family, tuple(RESIDUAL))
    levels = [levels] if isinstance(levels, str) else list(levels)
    _check_arguments(levels, slope, at)
    numbers = [outcome] if slope is None else [outcome, slope]
    rows = shape_rows(data, [*numbers, *levels, *covariates], numbers, weights)
    groups = [":".join(quoted(name) for name in levels[: k + 1]) for k in range(len(levels))]
    varying = [added("1", [slope] if slope else [])] + ["1"] * (len(levels) - 1)
    random = [f"({left} | {group})" for left, group in zip(varying, groups, strict=True)]
    fixed = added("1", covariates, [slope] if slope else [], *random)
    formula = f"{quoted(outcome)} ~ {fixed}"
    model: MixedModel | GeneralisedModel = (
        fit_linear_mixed(formula, rows, reml=reml, df=None, weights=weights)
        if family == "gaussian"
        else fit_generalised_mixed(formula, rows, family, weights=weights)
    )
    layout, unit, spread = _parameters(model.fit)
    order = _order(model, levels)
    tables = []
    for value in at if slope else (np.nan,):
        z = [np.ones(1) for _ in levels]
        if slope:
            z[order[0]] = np.array([1.0, value])
        found = variance_shares(layout, model.fit.theta, spread, z, order, RESIDUAL[family])
        tables.append(_table(found, levels, float(value), unit))
    return VariancePartition(pd.concat(tables, ignore_index=True), _notes(model), model)


def _parameters(fit: MixedFit | GeneralisedFit) -> tuple[Layout, float, Floats]:
    """Return the terms of a fit, the unit of their variances, and the covariance of theta."""
    if isinstance(fit, GeneralisedFit):
        own = slice(len(fit.beta), len(fit.beta) + len(fit.theta))
        return fit.rows.layout, 1.0, fit.parameters_vcov[own, own]
    return fit.likelihood.layout, fit.sigma**2, theta_covariance(fit)


def _order(model: MixedModel | GeneralisedModel, levels: list[str]) -> list[int]:
    """Return the place of each level's term, outermost first, among the model's terms."""
    labels = [part.group for part in model.rows.random]
    return [labels.index(":".join(levels[: k + 1])) for k in range(len(levels))]


def _table(found: Shares, levels: list[str], at: float, unit: float) -> pd.DataFrame:
    none = [np.nan]
    return pd.DataFrame(
        {
            "level": [*levels, "Residual"],
            "at": at,
            "variance": found.parts * unit,
            "share": found.share,
            "share_low": found.low,
            "share_high": found.high,
            "correlation": [*found.joint, *none],
            "correlation_low": [*found.joint_low, *none],
            "correlation_high": [*found.joint_high, *none],
        }
    )


def _notes(model: MixedModel | GeneralisedModel) -> tuple[str, ...]:
    if not model.singular:
        return ()
    return (
        "A variance is estimated at zero, where the likelihood has no curvature to make intervals "
        "of: they are left out. Zero does not mean that there is none; profile intervals or a "
        "parametric bootstrap tell how large it may be.",
    )


def _check_arguments(levels: list[str], slope: str | None, at: Sequence[float]) -> None:
    problems = []
    if not levels or len(set(levels)) < len(levels):
        said = "it needs one grouping column or more, each once"
        problems.append(Problem("levels", said, "Name them, the outermost first."))
    if slope is None and len(at):
        problems.append(Problem("at", "values are given, and no slope", "Name the slope's column."))
    if slope is not None and not len(at):
        said = f"the variance depends on `{slope}`, and no value of it is given"
        problems.append(Problem("at", said, "Give one or more, such as its mean."))
    if problems:
        raise UsageError(problems)

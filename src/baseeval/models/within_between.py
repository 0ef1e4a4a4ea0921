"""Within- and between-school effects, and whether they differ: `fit_within_between`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from baseeval.errors import DataError, Problem
from baseeval.models.line_estimates import estimate_lines, term_line
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.shape_rows import added, quoted, shape_rows
from baseeval.numerics.one_thread import one_thread

#: A context effect with a p-value below this is warned of.
_MATTERS = 0.05
#: A column of whose variance less than this share lies within (or between) groups has no such part.
_NOTHING = 1e-10


@dataclass(frozen=True, slots=True)
class WithinBetween:
    """What a column does within groups, between them, and their difference.

    Parameters
    ----------
    effects : pandas.DataFrame
        ``column, effect, estimate, std_error, df, statistic, p_value, ci_low,
        ci_high``. The effect is ``within`` (a pupil above the school's mean),
        ``between`` (a school with a higher mean), ``context`` (between less
        within: the same pupil in a school with a higher mean) or ``mixed`` (the
        one coefficient of a model that does not tell them apart).
    warnings : tuple of str
        Said where a context effect matters.
    model : MixedModel
        With a column for each part.
    mixed : MixedModel
        With one column for both.
    """

    effects: pd.DataFrame
    warnings: tuple[str, ...]
    model: MixedModel
    mixed: MixedModel


@one_thread()
def fit_within_between(
    data: IntoDataFrame,
    outcome: str,
    columns: Sequence[str],
    *,
    group: str,
    covariates: Sequence[str] = (),
    slopes: bool = False,
    weights: str | None = None,
    reml: bool = True,
    df: str | None = "kenward_roger",
) -> WithinBetween:
    """Fit a model in which columns work within groups and between them, each in its own way.

    outcome ~ (x - mean) + mean + covariates + (1 | group), the mean of x over the group's rows
    in the model (Mundlak 1978, doi:10.2307/1913646; Bell, Fairbrother and Jones 2019,
    doi:10.1007/s11135-018-0802-x). The within effect is that of a model with an intercept for
    every group; a random intercept alone gives a mixture of both effects, which answers
    neither question unless they are the same.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads. Rows with a missing value are left out, before
        means are taken.
    outcome : str
    columns : sequence of str
        Those that vary within groups.
    group : str
        Such as the school.
    covariates : sequence of str
        Further columns, taken as they are; those of groups belong here.
    slopes : bool
        Whether within effects vary between groups.
    weights : str, optional
        Precision weights; means are then weighted.
    reml : bool
    df : str, optional
        As in :func:`fit_linear_mixed`.

    Returns
    -------
    WithinBetween

    Raises
    ------
    UsageError, DataError
        The columns cannot be used, or one does not vary within groups or
        between them.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(np.arange(40), 10)
    >>> mean = rng.normal(size=40)[school]
    >>> frame = pd.DataFrame({"school": school, "prior": mean + rng.normal(size=400)})
    >>> frame["maths"] = frame.prior + 2 * mean + 0.3 * rng.normal(size=400)
    >>> found = fit_within_between(frame, "maths", ["prior"], group="school")
    >>> found.effects["effect"].tolist()
    ['within', 'between', 'context', 'mixed']
    >>> bool(abs(found.effects["estimate"][0] - 1) < 0.1), len(found.warnings)
    (True, 1)
    """
    columns = list(dict.fromkeys([columns] if isinstance(columns, str) else columns))
    wanted = [outcome, *columns, group, *covariates]
    rows = shape_rows(data, wanted, [outcome, *columns], weights)
    within, between = [f"{c}_within" for c in columns], [f"{c}_between" for c in columns]
    _centre(rows, columns, group, weights)
    varying = added("1", within if slopes else [])
    left, random = f"{quoted(outcome)} ~ ", f"({varying} | {quoted(group)})"
    model = fit_linear_mixed(
        left + added(within, between, covariates, random), rows, reml=reml, df=df, weights=weights
    )
    plain = f"(1 | {quoted(group)})"
    mixed = fit_linear_mixed(
        left + added(columns, covariates, plain), rows, reml=reml, df=df, weights=weights
    )
    effects = pd.concat(
        [
            table
            for parts in zip(columns, within, between, strict=True)
            for table in (_parts_of(model, *parts), _as_mixed(mixed, parts[0]))
        ],
        ignore_index=True,
    )
    return WithinBetween(effects, _warnings(effects, group), model, mixed)


def _centre(rows: pd.DataFrame, columns: list[str], group: str, weights: str | None) -> None:
    """Add each column's mean by group, and what is left of it."""
    size = rows[weights] if weights is not None else pd.Series(1.0, index=rows.index)
    total = size.groupby(rows[group], observed=True).transform("sum")
    faults = []
    for column in columns:
        values = rows[column].astype(float)
        sums = (values * size).groupby(rows[group], observed=True).transform("sum")
        mean = sums / total
        rows[f"{column}_within"], rows[f"{column}_between"] = values - mean, mean
        spread = float(np.var(values))
        for part, held in (("within", values - mean), ("between", mean)):
            if float(np.var(held)) <= _NOTHING * spread:
                said = f"it does not vary {part} the groups of `{group}`"
                remedy = "Give it as a covariate."
                faults.append(Problem(f"data, column `{column}`", said, remedy))
    if faults:
        raise DataError(faults)


def _parts_of(model: MixedModel, column: str, within: str, between: str) -> pd.DataFrame:
    one, two = term_line(model, within), term_line(model, between)
    lines = [
        ((column, "within"), one),
        ((column, "between"), two),
        ((column, "context"), two - one),
    ]
    return estimate_lines(model, ["column", "effect"], lines)


def _as_mixed(model: MixedModel, column: str) -> pd.DataFrame:
    line = term_line(model, column)
    return estimate_lines(model, ["column", "effect"], [((column, "mixed"), line)])


def _warnings(effects: pd.DataFrame, group: str) -> tuple[str, ...]:
    """Say where one coefficient would mislead."""
    table = effects.set_index(["column", "effect"])
    said = []
    for column in dict.fromkeys(effects["column"]):
        own = table.loc[column]
        if own.loc["context", "p_value"] < _MATTERS:
            found = {name: f"{own.loc[name, 'estimate']:.3g}" for name in own.index}
            said.append(
                f"The effect of `{column}` within groups of `{group}` ({found['within']}) is not "
                f"its effect between them ({found['between']}): the context effect is "
                f"{found['context']}. A model with `{column}` alone and a random intercept mixes "
                f"them into {found['mixed']}, which is the answer to neither question. Use the "
                "within effect for pupils of one group."
            )
    return tuple(said)

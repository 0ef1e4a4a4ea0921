"""Intervals and tests of a fitted mixed model that need further searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.models.model_rows import ModelRows
from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.bootstrap import (
    bootstrap_interval,
    outcome_simulator,
    parametric_bootstrap,
)
from baseeval.numerics.mixed_models.crossed import crossed_likelihood
from baseeval.numerics.mixed_models.likelihood import Likelihood
from baseeval.numerics.mixed_models.likelihood_ratio import (
    RatioTest,
    fixed_effects_ratio,
    variance_ratio,
)
from baseeval.numerics.mixed_models.nested import nested_likelihood
from baseeval.numerics.mixed_models.profile_intervals import profile_intervals

if TYPE_CHECKING:
    from baseeval.models.mixed_model import MixedModel

Floats = NDArray[np.float64]


def profile_table(model: MixedModel, level: float = 0.95) -> pd.DataFrame:
    """Return profile likelihood intervals, as lme4's `confint` gives them.

    Parameters
    ----------
    model : MixedModel
        One fitted by REML is fitted again by maximum likelihood.
    level : float

    Returns
    -------
    pandas.DataFrame
        ``group, term_1, term_2, ci_low, ci_high``: standard deviations and
        correlations by group, the residual's, and the coefficients with an empty group.
    """
    _check_level(level)
    found = profile_intervals(model.fit, level)
    records = []
    for part, ends in zip(model.rows.random, found.effects, strict=True):
        for one, two in zip(*np.triu_indices(len(part.columns)), strict=True):
            other = part.columns[two] if one != two else ""
            records.append((part.group, part.columns[one], other, *ends[two, one]))
    records.append(("Residual", "", "", *found.sigma))
    records += [("", term, "", *ends) for term, ends in zip(model.vcov, found.beta, strict=True)]
    return pd.DataFrame(records, columns=["group", "term_1", "term_2", "ci_low", "ci_high"])


def bootstrap_table(
    model: MixedModel, draws: int = 1000, seed: int = 1, level: float = 0.95
) -> pd.DataFrame:
    """Return parametric bootstrap intervals of the coefficients and the residual.

    Parameters
    ----------
    model : MixedModel
    draws : int
    seed : int
    level : float

    Returns
    -------
    pandas.DataFrame
        ``term, ci_low, ci_high, monte_carlo_low, monte_carlo_high``: percentile intervals, and the
        standard error of each end. The residual standard deviation is last.
    """
    _check_level(level)
    if draws < 1:
        raise UsageError(Problem("draws", "there must be one at least", "Take 1,000."))
    whole = model.rows.whole()
    draw = outcome_simulator(model.fit, whole)
    make = _same_rows(model.rows, whole)
    found = parametric_bootstrap(model.fit, lambda rng: make(draw(rng)), draws, seed)
    names = [*model.vcov.columns, "Residual SD"]
    estimates = np.append(model.fit.beta, model.fit.sigma)
    values = np.column_stack([found.beta, found.sigma])
    records = []
    for name, column, estimate in zip(names, values.T, estimates, strict=True):
        made = bootstrap_interval(column, float(estimate), level)
        records.append((name, *made.percentile, *made.monte_carlo_error))
    columns = ["term", "ci_low", "ci_high", "monte_carlo_low", "monte_carlo_high"]
    return pd.DataFrame(records, columns=columns)


def compare_models(small: MixedModel, large: MixedModel) -> RatioTest:
    """Test a smaller model against a larger one by the likelihood ratio.

    Parameters
    ----------
    small, large : MixedModel
        On the same rows. They differ in their coefficients (both by maximum
        likelihood), or in one variance or correlated effect (the reference is
        then the mixture for a parameter on its boundary).

    Returns
    -------
    RatioTest

    Raises
    ------
    UsageError
        The models are no such pair.
    """
    problems = _not_nested(small, large)
    if problems:
        raise UsageError(
            [Problem("models compared", what, "Compare nested models.") for what in problems]
        )
    if len(small.fit.beta) == len(large.fit.beta):
        return variance_ratio(small.fit, large.fit)
    return fixed_effects_ratio(small.fit, large.fit)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(Problem("level", "it lies between 0 and 1", "Take 0.95."))


def _not_nested(small: MixedModel, large: MixedModel) -> list[str]:
    """Return why the larger model does not hold the smaller one."""
    found = []
    if not np.array_equal(small.rows.rows, large.rows.rows) or not np.array_equal(
        small.rows.outcome, large.rows.outcome
    ):
        found.append("they are of different outcomes or rows")
    if not set(small.vcov.columns) <= set(large.vcov.columns):
        found.append("the smaller one has terms that the larger one lacks")
    held: dict[str, set[str]] = {}
    for part in large.rows.random:
        held.setdefault(part.group, set()).update(part.columns)
    if any(not set(part.columns) <= held.get(part.group, set()) for part in small.rows.random):
        found.append("the smaller one has random terms that the larger one lacks")
    return found


def _same_rows(rows: ModelRows, whole: Block) -> Callable[[Floats], Likelihood]:
    """Return what makes the likelihood of another outcome of the same rows, sorted once."""
    order = np.arange(rows.n) if rows.order is None else rows.order
    taken = Block(
        whole.x[order],
        whole.y[order],
        tuple(z[order] for z in whole.z),
        tuple(codes[order] for codes in whole.groups),
        None if whole.weights is None else whole.weights[order],
    )

    def make(y: Floats) -> Likelihood:
        block = replace(taken, y=y[order])
        if rows.route == "crossed":
            return crossed_likelihood(block, rows.layout, rows.intercept)
        return nested_likelihood(cut_blocks(block), rows.layout, rows.owners, rows.intercept)

    return make

"""Generalised linear mixed models by formula: shares, counts and ordered categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.models.generalised_checks import check_declared, check_levels, check_points
from baseeval.models.linear_model import enough_rows
from baseeval.models.model_rows import ModelRows, read_rows
from baseeval.models.new_rows import read_new_rows
from baseeval.models.response_predictions import (
    fitted_columns,
    predict_responses,
    response_residuals,
)
from baseeval.models.summary_text import summary_text
from baseeval.models.term_tables import effects_table, fixed_table, labelled, variance_table
from baseeval.numerics.generalised.family_choice import LINKS
from baseeval.numerics.generalised.fitting_generalised import fit_generalised
from baseeval.numerics.generalised.generalised_fit import GeneralisedFit
from baseeval.numerics.generalised.refitting import bootstrap_parameters, percentile_interval
from baseeval.numerics.generalised.response_scale import Design, average_difference
from baseeval.numerics.mixed_models.templates import Template, join_templates
from baseeval.plan import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Families of shares of trials.
_OF_TRIALS = ("binomial", "beta_binomial")
_TOLD = {
    "not_converged": "The search did not settle: do not use the numbers.",
    "variance_at_zero": "A variance was estimated at zero.",
    "no_overdispersion": "Rows vary no more than the simpler family allows.",
    "edge_of_link": "Some chances are at zero or one, where this link ends.",
}


@dataclass(frozen=True)
class GeneralisedModel:
    """A generalised linear mixed model fitted by formula.

    Parameters
    ----------
    fixed : pandas.DataFrame
        As of a :class:`MixedModel`, on the scale of the linear predictor; normal intervals.
    thresholds : pandas.DataFrame
        ``threshold, estimate, std_error`` of ordered categories; else without rows.
    variance : pandas.DataFrame
        As of a :class:`MixedModel`; no residual. Empty where columns separate the
        outcome: the random part was then not fitted.
    vcov : pandas.DataFrame
    loglik : float
        With all constants.
    dispersion : float or None
        phi of the beta-binomial and negative binomial.
    singular, converged : bool
    flags : tuple of str
    family : str
    fit : GeneralisedFit
        `fit.separation` holds the columns that tell the outcome for certain, if any do.
    rows : ModelRows
    offset : str or ndarray, optional
        As it was given.
    """

    fixed: pd.DataFrame
    thresholds: pd.DataFrame
    variance: pd.DataFrame
    vcov: pd.DataFrame
    loglik: float
    dispersion: float | None
    singular: bool
    converged: bool
    flags: tuple[str, ...]
    family: str
    fit: GeneralisedFit = field(repr=False)
    rows: ModelRows = field(repr=False)
    offset: str | Floats | None = field(repr=False)

    def random_effects(self, group: str) -> pd.DataFrame:
        """Return the conditional modes of a grouping factor's effects.

        Parameters
        ----------
        group : str

        Returns
        -------
        pandas.DataFrame
            One row a level, one column a term.

        Raises
        ------
        UsageError
            The model has no such grouping factor.
        """
        own = self.rows.own_parts(self.fit.effects)
        return effects_table(self.rows, group, [each.modes[:, at] for each, at in own])

    def predict(
        self, data: IntoDataFrame | None = None, conditional: bool = True
    ) -> pd.Series | pd.DataFrame:
        """Predict each row's response: see :func:`predict_responses`."""
        return predict_responses(self, data, conditional)

    def residuals(self) -> pd.Series | pd.DataFrame:
        """Return each row's response less its prediction: see :func:`response_residuals`."""
        return response_residuals(self)

    def marginal_effect(
        self,
        column: str,
        first: Any = 1,
        second: Any = 0,
        *,
        among: Any = None,
        integrated: bool = True,
        draws: int = 0,
        seed: int = 1,
    ) -> pd.DataFrame:
        """Return what a column does to the mean response, over the rows of the model.

        Parameters
        ----------
        column : str
            Of the formula, such as the arm.
        first, second
            The values that are compared: every row has the one, then the other.
        among : optional
            Average over the rows that have this value of the column; all by default.
        integrated : bool
            Random effects integrated out (the mean over schools), or at zero (the
            middle school).
        draws : int
            Of a parametric bootstrap, whose percentile interval is then given beside.
        seed : int

        Returns
        -------
        pandas.DataFrame
            ``category, estimate, std_error, ci_low, ci_high, bootstrap_low,
            bootstrap_high``, in units of the response: times 100, percentage points of a share. One
            row, or one a category of an ordered outcome.

        Raises
        ------
        UsageError
            No such column, or nobody has the value `among`.
        """
        held = self.rows.design.columns.frame()
        if column not in held:
            raise UsageError(
                Problem(
                    f"column `{column}`", "not in the model", nearest(column, list(map(str, held)))
                )
            )
        weights = None
        if among is not None:
            weights = np.asarray(held[column] == among, dtype=np.float64)
            if not weights.any():
                raise UsageError(Problem("among", "no row has this value", "Give one that has."))
        one, other = (self._with(held, column, value) for value in (first, second))
        found = average_difference(self.fit, one, other, integrated=integrated, weights=weights)
        table = pd.DataFrame(
            {
                "category": self.rows.outcome_levels or [self.rows.response],
                "estimate": found.estimate,
                "std_error": found.se,
                "ci_low": found.estimate - 1.959963984540054 * found.se,
                "ci_high": found.estimate + 1.959963984540054 * found.se,
                "bootstrap_low": np.nan,
                "bootstrap_high": np.nan,
            }
        )
        if draws:
            table["bootstrap_low"], table["bootstrap_high"] = percentile_interval(
                bootstrap_parameters(self.fit, draws, seed),
                lambda place: (
                    average_difference(
                        self.fit,
                        one,
                        other,
                        integrated=integrated,
                        weights=weights,
                        parameters=place,
                    ).estimate
                ),
            )
        return table

    def summary(self) -> str:
        """Return the model as text, in the shape that readers of lme4 know."""
        rows = self.rows
        left = rows.left_out.missing + rows.left_out.weightless
        points = self.fit.quadrature
        how = "Laplace's approximation" if points == 1 else f"adaptive quadrature, {points} points"
        facts = [
            ("Formula", rows.formula.text),
            ("Rows", f"{rows.n:,}" + (f" ({left:,} left out)" if left else "")),
            ("Groups", ", ".join(f"{factor.label} {factor.count:,}" for factor in rows.factors)),
            ("Log-likelihood", f"{self.loglik:.4f}"),
        ]
        if self.dispersion is not None:
            facts.append(("Dispersion (phi)", f"{self.dispersion:.4g}"))
        tables = [("Random effects", self.variance)]
        if len(self.fixed):
            tables.append(("Fixed effects", self.fixed))
        if len(self.thresholds):
            tables.append(("Thresholds", self.thresholds))
        return summary_text(
            f"Generalised linear mixed model, {self.family.replace('_', ' ')}, by {how}",
            facts,
            tables,
            [self._told(flag) for flag in self.flags],
        )

    def _told(self, flag: str) -> str:
        if self.fit.separation is None or flag != "separated":
            return _TOLD[flag]
        terms = self.fixed["term"].tolist()
        named = ", ".join(f"`{terms[column]}`" for column in self.fit.separation.columns)
        return (
            f"Separated by {named}: the outcome of some rows is told for certain, so that "
            "coefficients have no finite value. Do not use the numbers; the random part was not "
            "fitted. Leave such columns out, or join their categories."
        )

    def _with(self, held: pd.DataFrame, column: str, value: Any) -> Design:
        """Return the rows of the model with one value in a column."""
        changed = held.copy()
        if isinstance(held[column].dtype, pd.CategoricalDtype):
            known = held[column].cat.categories
            kept = [value if value in known else None] * len(held)
            changed[column] = pd.Categorical(kept, categories=known)
        else:
            changed[column] = np.full(len(held), value)
        for factor in self.rows.factors:
            for name in factor.names:
                changed[name] = factor.frame.get_column(name)[self.rows.rows].to_list()
        new = read_new_rows(self.rows, changed)
        if len(new.rows) != self.rows.n:
            raise UsageError(
                Problem(f"column `{column}`", "the model has not seen this value", "Give another.")
            )
        x = fitted_columns(self.rows, new.x, self.family)
        factors = _by_factor(self.rows, new.z, new.groups)
        return Design(x, [z for _, z, _ in factors], self.rows.offset)


def fit_generalised_mixed(
    formula: str,
    data: IntoDataFrame,
    family: str,
    *,
    link: str | None = None,
    weights: str | Floats | None = None,
    trials: str | Floats | None = None,
    offset: str | Floats | None = None,
    quadrature: int = 1,
) -> GeneralisedModel:
    """Fit a generalised linear mixed model: see `fit_mixed`, whose parameters these are.

    Returns
    -------
    GeneralisedModel

    Raises
    ------
    DataError, UsageError
    EstimationError
        Numbers the family cannot take, or a likelihood without a top.
    """
    if link is not None:
        check_choice("link", link, LINKS[family])
    if trials is not None and family not in _OF_TRIALS:
        raise UsageError(
            Problem("`trials`", f"family `{family}` has none", f"Use one of {_OF_TRIALS}.")
        )
    check_points(quadrature)
    if family == "ordinal":
        check_declared(data, formula)
    rows = read_rows(
        formula, data, weights=weights, trials=trials, offset=offset, ordered=family == "ordinal"
    )
    if not rows.random:
        raise UsageError(
            Problem(f"formula `{formula}`", "it has no random term", "Add one, as (1 | school).")
        )
    check_levels(rows)
    whole = rows.whole(less_offset=False)
    x = fitted_columns(rows, whole.x, family)
    names = [
        term for k, term in enumerate(rows.terms) if family != "ordinal" or k != rows.intercept
    ]
    enough_rows(formula, rows.n, len(names))
    factors = _by_factor(rows, whole.z, whole.groups)
    try:
        fit = fit_generalised(
            x,
            whole.y,
            [group for group, _, _ in factors],
            family=family,
            link=link,
            trials=rows.trials,
            z=[z for _, z, _ in factors],
            templates=[template for _, _, template in factors],
            quadrature=quadrature,
            weights=rows.weights,
            offset=rows.offset,
            labels=_labels(rows),
        )
    except ValueError as error:
        raise EstimationError(
            Problem(f"formula `{formula}`", str(error), "Mend the outcome or simplify the model.")
        ) from error
    return _model(rows, fit, family, names, offset)


def _model(
    rows: ModelRows,
    fit: GeneralisedFit,
    family: str,
    names: list[str],
    offset: str | Floats | None,
) -> GeneralisedModel:
    errors = np.sqrt(np.diag(fit.vcov))
    levels, count = rows.outcome_levels, len(fit.beta) + len(fit.theta)
    thresholds = np.empty(0) if fit.thresholds is None else fit.thresholds
    spread = np.sqrt(np.diag(fit.parameters_vcov))[count : count + len(thresholds)]
    # Where columns separate the outcome no variance was looked for: that is not one of zero.
    fitted = 1.0 if fit.separation is None else np.nan
    return GeneralisedModel(
        fixed_table(names, fit.kept, fit.beta, errors, np.full(len(errors), np.inf)),
        pd.DataFrame(
            {
                "threshold": [f"{a}|{b}" for a, b in pairwise(levels)],
                "estimate": thresholds,
                "std_error": spread,
            }
        ),
        variance_table(
            rows, [fitted * matrix[at, at] for matrix, at in rows.own_parts(fit.covariances)], None
        ),
        labelled(fit.vcov, names, fit.kept),
        fit.loglik,
        fit.dispersion,
        fit.singular,
        fit.converged,
        fit.flags,
        family,
        fit,
        rows,
        offset,
    )


def _labels(rows: ModelRows) -> list[str]:
    """Return what messages call the factors, in the order in which they are fitted."""
    names = {
        owner: rows.factors[part.factor].label
        for part, owner in zip(rows.random, rows.owners, strict=True)
    }
    return [f"grouping factor `{names[owner]}`" for owner in sorted(names)]


def _by_factor(
    rows: ModelRows, z: Sequence[Floats], groups: Sequence[Ints]
) -> list[tuple[Ints, Floats, Template]]:
    """Return the groups, columns and template of each factor, its terms side by side."""
    found = []
    for owner in sorted(set(rows.owners)):
        own = [term for term, of in enumerate(rows.owners) if of == owner]
        template = join_templates([rows.layout.templates[term] for term in own])
        found.append((groups[own[0]], np.column_stack([z[term] for term in own]), template))
    return found

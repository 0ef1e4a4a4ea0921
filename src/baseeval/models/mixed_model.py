"""Linear mixed models by formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.models.line_estimates import estimate_lines
from baseeval.models.linear_model import enough_rows
from baseeval.models.marginal_means import marginal_lines
from baseeval.models.mixed_diagnostics import normal_quantiles, school_influence
from baseeval.models.mixed_inference import INFERENCES, mixed_inference
from baseeval.models.mixed_tests import bootstrap_table, compare_models, profile_table
from baseeval.models.model_likelihood import (
    all_effects,
    check_far_slopes,
    check_penalty,
    check_random_terms,
    model_likelihood,
)
from baseeval.models.model_rows import ModelRows, read_rows
from baseeval.models.predictions import predict_rows, residual_rows
from baseeval.models.summary_text import summary_text
from baseeval.models.term_tables import effects_table, fixed_table, labelled, variance_table
from baseeval.numerics.mixed_models.boundary_penalty import boundary_penalty
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.likelihood import Effects
from baseeval.numerics.mixed_models.likelihood_ratio import RatioTest
from baseeval.numerics.mixed_models.mixed_contrasts import pairwise_contrasts
from baseeval.plan import nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixedModel:
    """A linear mixed model fitted by formula.

    Parameters
    ----------
    fixed : pandas.DataFrame
        ``term, estimate, std_error, df, statistic, p_value, ci_low, ci_high``;
        terms named and ordered as formulaic does. A term that adds nothing to
        earlier ones has an empty row.
    variance : pandas.DataFrame
        ``group, term_1, term_2, variance_or_covariance, sd_or_correlation``.
    vcov : pandas.DataFrame
        Model-based covariance of the estimates.
    loglik : float
        REML or ML log-likelihood, with lme4's constants.
    residual_sd : float
    singular : bool
        True where a variance was estimated at zero.
    converged : bool
    inference : str
    fit : MixedFit
        The kernel's own result.
    rows : ModelRows
        The table as it was read.
    offset : str or ndarray, optional
        As it was given.
    """

    fixed: pd.DataFrame
    variance: pd.DataFrame
    vcov: pd.DataFrame
    loglik: float
    residual_sd: float
    singular: bool
    converged: bool
    inference: str
    fit: MixedFit = field(repr=False)
    rows: ModelRows = field(repr=False)
    offset: str | Floats | None = field(repr=False)

    @cached_property
    def effects(self) -> tuple[Effects, ...]:
        """Return the random effects of each term, in the outcome's own coordinates."""
        return all_effects(self.rows, self.fit.likelihood, self.fit.theta)

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
        scale = self.fit.likelihood.coordinates.scale
        return effects_table(self.rows, group, [scale * each.modes for each in self.effects])

    def predict(self, data: IntoDataFrame | None = None, conditional: bool = True) -> pd.Series:
        """Predict each row's outcome: see :func:`predict_rows`."""
        return predict_rows(self, data, conditional)

    def residuals(self, level: str = "row") -> pd.Series:
        """Return what is left over, by row or by group: see :func:`residual_rows`."""
        return residual_rows(self, level)

    def contrasts(self, lines: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
        """Estimate combinations of coefficients, with the model's own inference.

        Parameters
        ----------
        lines : mapping
            Name of each combination to its terms and their weights, such as
            ``{"base - non_host": {"arm[T.base]": 1, "arm[T.non_host]": -1}}``.

        Returns
        -------
        pandas.DataFrame
            ``contrast``, then the columns of `fixed`.

        Raises
        ------
        UsageError
            A term is not in the model.
        """
        known = self.fixed["term"].tolist()
        unknown = [term for line in lines.values() for term in line if term not in known]
        if unknown:
            raise UsageError(
                [
                    Problem(f"term `{term}`", "not in the model", nearest(term, known))
                    for term in dict.fromkeys(unknown)
                ]
            )
        found = [
            ((name,), np.array([float(line.get(term, 0)) for term in known]))
            for name, line in lines.items()
        ]
        return estimate_lines(self, ["contrast"], found)

    def marginal_means(
        self, factor: str, proportional: bool = False
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the mean of each level of a factor, and the difference of every two.

        Parameters
        ----------
        factor : str
            A column of categories of the fixed part, such as the arm.
        proportional : bool
            Weigh other factors' levels as common as they are, in place of equally.

        Returns
        -------
        means, differences : pandas.DataFrame
            The level, or the first and the second of two; then the columns of `fixed`.
        """
        levels, lines = marginal_lines(self, factor, proportional)
        means = [((level,), line) for level, line in zip(levels, lines, strict=True)]
        apart, pairs = pairwise_contrasts(lines)
        named = [(levels[one], levels[two]) for one, two in pairs]
        return (
            estimate_lines(self, [factor], means),
            estimate_lines(self, ["first", "second"], list(zip(named, apart, strict=True))),
        )

    def profile_intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Return profile likelihood intervals: see :func:`profile_table`."""
        return profile_table(self, level)

    def bootstrap(self, draws: int = 1000, seed: int = 1, level: float = 0.95) -> pd.DataFrame:
        """Return parametric bootstrap intervals: see :func:`bootstrap_table`."""
        return bootstrap_table(self, draws, seed, level)

    def compare(self, larger: MixedModel) -> RatioTest:
        """Test this model against a larger one: see :func:`compare_models`."""
        return compare_models(self, larger)

    def influence(self, refit: bool = False) -> pd.DataFrame:
        """Leave out each outermost group in turn: see :func:`school_influence`."""
        return school_influence(self, refit)

    def normal_quantiles(self, group: str) -> pd.DataFrame:
        """Set effects beside normal quantiles: see :func:`normal_quantiles`."""
        return normal_quantiles(self, group)

    def summary(self) -> str:
        """Return the model as text, in the shape that readers of lme4 know."""
        rows, fit = self.rows, self.fit
        left = rows.left_out.missing + rows.left_out.weightless
        sizes = ", ".join(f"{factor.label} {factor.count:,}" for factor in rows.factors)
        facts = [
            ("Formula", rows.formula.text),
            ("Rows", f"{rows.n:,}" + (f" ({left:,} left out)" if left else "")),
            ("Groups", sizes),
            ("Log-likelihood", f"{self.loglik:.4f}"),
            ("Inference", self.inference.replace("_", " ")),
        ]
        notes = []
        if self.singular:
            notes.append("A variance was estimated at zero, or effects depend on one another.")
        dropped = len(rows.terms) - len(fit.beta)
        if dropped:
            notes.append(f"{dropped} columns add nothing to the others and were left out.")
        return summary_text(
            f"Linear mixed model, fitted by {'REML' if fit.reml else 'maximum likelihood'}",
            facts,
            [("Random effects", self.variance), ("Fixed effects", self.fixed)],
            notes,
        )


def fit_linear_mixed(
    formula: str,
    data: IntoDataFrame,
    *,
    reml: bool = True,
    df: str | None = "satterthwaite",
    weights: str | Floats | None = None,
    offset: str | Floats | None = None,
    penalty: bool = False,
) -> MixedModel:
    """Fit a linear mixed model: `fit_mixed` of the gaussian family, whose parameters these are.

    Returns
    -------
    MixedModel
    """
    check_choice("df", df or INFERENCES[0], INFERENCES)
    if penalty and df == "satterthwaite":
        df = "kenward_roger" if reml else None
    rows = read_rows(formula, data, weights=weights, offset=offset)
    check_random_terms(rows)
    check_far_slopes(rows)
    if penalty:
        check_penalty(rows)
    likelihood = model_likelihood(rows)
    kept = likelihood.coordinates.kept
    enough_rows(formula, rows.n, len(kept))
    fit = fit_likelihood(likelihood, reml, boundary_penalty(rows.layout) if penalty else None)
    if not fit.converged:
        raise EstimationError(
            Problem(formula, "the likelihood has no maximum that could be found", "Simplify it.")
        )
    vcov, freedom = mixed_inference(rows, fit, df, np.eye(len(kept)))
    return MixedModel(
        fixed_table(rows.terms, kept, fit.beta, np.sqrt(np.diag(vcov)), freedom),
        variance_table(rows, fit.covariances, fit.sigma),
        labelled(fit.vcov, rows.terms, kept),
        fit.loglik,
        fit.sigma,
        fit.singular,
        fit.converged,
        df or "none",
        fit,
        rows,
        offset,
    )

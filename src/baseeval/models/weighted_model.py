"""Linear mixed models with survey or inverse-probability weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.models.linear_model import enough_rows
from baseeval.models.model_likelihood import check_random_terms
from baseeval.models.model_rows import ModelRows, read_rows
from baseeval.models.summary_text import summary_text
from baseeval.models.term_tables import fixed_table, labelled, variance_table
from baseeval.numerics.cr2 import cr2
from baseeval.numerics.mixed_models.templates import join_templates
from baseeval.numerics.weighted_models.level_rows import Inner
from baseeval.numerics.weighted_models.weight_scaling import SCALINGS
from baseeval.numerics.weighted_models.weighted_fit import WeightedFit, fit_weighted_mixed
from baseeval.numerics.weighted_models.weighted_refusals import refuse_with_weights

Floats = NDArray[np.float64]

_INFERENCES = ("cr2_satterthwaite", "sandwich", "jackknife")


@dataclass(frozen=True)
class WeightedModel:
    """A linear mixed model fitted by weighted pseudo-likelihood.

    Parameters
    ----------
    fixed : pandas.DataFrame
        As of a :class:`MixedModel`.
    variance : pandas.DataFrame
        As of a :class:`MixedModel`.
    vcov : pandas.DataFrame
        Covariance of the estimates, robust by the outermost factor.
    loglik : float
        Log pseudo-likelihood; two of them test nothing.
    residual_sd : float
    singular, converged : bool
    inference : str
    scaling : str
    fit : WeightedFit
    rows : ModelRows
    """

    fixed: pd.DataFrame
    variance: pd.DataFrame
    vcov: pd.DataFrame
    loglik: float
    residual_sd: float
    singular: bool
    converged: bool
    inference: str
    scaling: str
    fit: WeightedFit = field(repr=False)
    rows: ModelRows = field(repr=False)

    def summary(self) -> str:
        """Return the model as text."""
        facts = [
            ("Formula", self.rows.formula.text),
            ("Rows", f"{self.rows.n:,}"),
            ("Groups", ", ".join(f"{f.label} {f.count:,}" for f in self.rows.factors)),
            ("Pupils' weights scaled to", SCALINGS[self.scaling]),
            ("Inference", self.inference.replace("_", " ")),
        ]
        notes = ["Standard errors are robust by the outermost group; no likelihood ratio exists."]
        if self.singular:
            notes.append("A variance was estimated at zero.")
        return summary_text(
            "Linear mixed model, fitted by weighted pseudo-likelihood",
            facts,
            [("Random effects", self.variance), ("Fixed effects", self.fixed)],
            notes,
        )


def fit_weighted_linear(
    formula: str,
    data: IntoDataFrame,
    sampling_weights: str | Floats,
    school_weights: str | Floats | None = None,
    scaling: str = "size",
    df: str | None = "default",
    reml: bool = False,
    offset: str | Floats | None = None,
) -> WeightedModel:
    """Fit a linear mixed model with weights: see `fit_mixed`, whose parameters these are.

    Returns
    -------
    WeightedModel
        Of one factor, or of pupils in schools where rows are occasions.
    """
    refuse_with_weights(df or "none")
    if reml:
        refuse_with_weights("reml")
    if df != "default":
        check_choice("df", df or _INFERENCES[0], _INFERENCES)
    check_choice("scaling", scaling, tuple(SCALINGS))
    rows = read_rows(
        formula,
        data,
        sampling_weights=sampling_weights,
        school_weights=school_weights,
        offset=offset,
    )
    check_random_terms(rows)
    fit = _fit(rows, scaling)
    enough_rows(formula, rows.n, len(fit.beta))
    if not fit.converged:
        raise EstimationError(
            Problem(formula, "the likelihood has no maximum that could be found", "Simplify it.")
        )
    if df == "default":
        df = "cr2_satterthwaite" if len(rows.factors) == 1 else "sandwich"
    vcov, freedom = _inference(fit, df)
    parts = [matrix[own, own] for matrix, own in rows.own_parts(fit.covariances)]
    return WeightedModel(
        fixed_table(rows.terms, fit.kept, fit.beta, np.sqrt(np.diag(vcov)), freedom),
        variance_table(rows, parts, fit.sigma),
        labelled(vcov, rows.terms, fit.kept),
        fit.loglik,
        fit.sigma,
        fit.singular,
        fit.converged,
        df or "none",
        scaling,
        fit,
        rows,
    )


def _fit(rows: ModelRows, scaling: str) -> WeightedFit:
    if rows.route != "nested":
        raise UsageError(
            Problem(
                f"formula `{rows.formula.text}`",
                "its factors are crossed, and weights belong to pupils within schools",
                "Use nested factors.",
            )
        )
    whole = rows.whole()
    templates, owners = rows.layout.templates, np.array(rows.owners)
    outer, within = np.flatnonzero(owners == 0), np.flatnonzero(owners == 1)
    inner = None
    if len(within):
        inner = Inner(
            np.column_stack([whole.z[k] for k in within]),
            whole.groups[within[0]],
            join_templates([templates[k] for k in within]),
        )
    assert rows.sampling_weights is not None
    ones = np.ones(rows.n)
    schools = ones if rows.school_weights is None else rows.school_weights
    return fit_weighted_mixed(
        whole.x,
        whole.y,
        np.column_stack([whole.z[k] for k in outer]),
        whole.groups[outer[0]],
        join_templates([templates[k] for k in outer]),
        rows.sampling_weights,
        schools,
        scaling,
        inner,
    )


def _inference(fit: WeightedFit, df: str | None) -> tuple[Floats, Floats]:
    count = len(fit.beta)
    if df == "cr2_satterthwaite":
        robust = cr2(fit.robust_parts())
        return robust.vcov, np.array([robust.df(line) for line in np.eye(count)])
    vcov = fit.scores.jackknife()[:count, :count] if df == "jackknife" else fit.vcov
    schools = len(fit.scores.scores)
    return vcov, np.full(count, np.nan if df is None else schools - 1.0)

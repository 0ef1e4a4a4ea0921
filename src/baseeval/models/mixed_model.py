"""Linear mixed models by formula: `fit_mixed`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import DataError, EstimationError, Problem, UsageError
from baseeval.models.formula_data import lay_out, read_formula, split_formula
from baseeval.models.linear_model import enough_rows
from baseeval.models.term_tables import fixed_table, robust_table, variance_table
from baseeval.numerics.cr2 import mixed_parts
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.mixed import fit_mixed_model
from baseeval.numerics.satterthwaite import satterthwaite_df
from baseeval.plan import nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MixedModel:
    """A linear mixed model fitted by formula.

    Parameters
    ----------
    fixed : pandas.DataFrame
        As in :class:`LinearModel`.
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
    """

    fixed: pd.DataFrame
    variance: pd.DataFrame
    vcov: pd.DataFrame
    loglik: float
    residual_sd: float
    singular: bool
    converged: bool
    inference: str
    _effects: dict[str, pd.DataFrame] = field(repr=False)

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
        if group not in self._effects:
            raise UsageError(
                Problem(f"group `{group}`", "not in the model", nearest(group, [*self._effects]))
            )
        return self._effects[group]


def fit_mixed(
    formula: str,
    data: IntoDataFrame,
    *,
    reml: bool = True,
    df: str | None = "satterthwaite",
    family: str = "gaussian",
    weights: str | Floats | None = None,
) -> MixedModel:
    """Fit a linear mixed model with one grouping factor, in lme4's formula language.

    Parameters
    ----------
    formula : str
        A fixed part and random terms of one grouping factor, such as
        ``"maths ~ prior + (1 + prior | school)"``; ``||`` leaves the effects
        uncorrelated. Rows with a missing value are left out.
    data : dataframe
        Any that narwhals reads.
    reml : bool
        Restricted or full maximum likelihood.
    df : str, optional
        satterthwaite (missing where the fit is singular), cr2_satterthwaite
        (cluster-robust errors with their own df), or None for no df, p-value
        or interval.
    family : str
        gaussian.
    weights : str or ndarray, optional
        Precision weights; rows of weight zero are left out.

    Returns
    -------
    MixedModel

    Raises
    ------
    UsageError, DataError
        The formula or the data cannot be used.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(np.arange(20), 10)
    >>> frame = pd.DataFrame({"school": school, "x": rng.normal(size=200)})
    >>> frame["y"] = 2 * frame.x + rng.normal(size=20)[school] + rng.normal(size=200)
    >>> fit = fit_mixed("y ~ x + (1 | school)", frame)
    >>> fit.fixed["term"].tolist(), bool(abs(fit.fixed["estimate"][1] - 2) < 0.3)
    (['Intercept', 'x'], True)
    """
    check_choice("df", df or "satterthwaite", ("satterthwaite", "cr2_satterthwaite"))
    check_choice("family", family, ("gaussian",))
    fixed_part, random_terms, group = split_formula(formula)
    design = read_formula(fixed_part, data, weights, group, [term for term, _ in random_terms])
    template, names = lay_out(design, random_terms)
    if not 1 < len(design.levels) < len(design.y):
        raise DataError(
            Problem(
                f"data, column `{group}`",
                f"{len(design.levels)} groups for {len(design.y)} rows cannot tell a group's "
                "effect from a row's own",
                "A grouping factor needs two groups or more, and some of them several rows.",
            )
        )
    z = np.column_stack(design.random)
    kept = independent_columns(design.x * np.sqrt(design.weights)[:, None])
    enough_rows(formula, len(design.y), len(kept))
    x = design.x[:, kept]
    prior = None if np.all(design.weights == 1) else design.weights
    fit = fit_mixed_model(x, z, design.y, design.group, template, prior, reml)
    if not fit.converged:
        raise EstimationError(
            Problem(formula, "the likelihood has no maximum that could be found", "Simplify it.")
        )
    if df == "cr2_satterthwaite":
        root = np.sqrt(design.weights)
        parts = mixed_parts(
            x * root[:, None],
            z * root[:, None],
            fit.residuals * root,
            fit.factor @ fit.factor.T,
            design.group,
        )
        fixed, _ = robust_table(design.terms, kept, fit.beta, parts)
    else:
        freedom = (
            satterthwaite_df(fit, np.eye(x.shape[1]))
            if df == "satterthwaite"
            else np.full(x.shape[1], np.nan)
        )
        errors = np.sqrt(np.diag(fit.vcov))
        fixed = fixed_table(design.terms, kept, fit.beta, errors, freedom)
    labels = [design.terms[position] for position in kept]
    effects = pd.DataFrame(fit.effects, index=pd.Index(design.levels, name=group), columns=names)
    return MixedModel(
        fixed,
        variance_table(fit, group, names, random_terms, design),
        pd.DataFrame(fit.vcov, index=labels, columns=labels),
        fit.loglik,
        fit.sigma,
        fit.singular,
        fit.converged,
        df or "none",
        {group: effects},
    )

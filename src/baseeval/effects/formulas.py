"""Models by formula on a table: `fit_linear` and `fit_mixed`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.sample import require_columns
from baseeval.errors import DataError, EstimationError, Problem, UsageError
from baseeval.numerics.cr2 import (
    ClusterParts,
    cr2,
    mixed_parts,
    t_interval,
    weighted_parts,
)
from baseeval.numerics.least_squares import fit_least_squares, independent_columns
from baseeval.numerics.mixed import MixedFit, Template, fit_mixed_model
from baseeval.numerics.satterthwaite import satterthwaite_df
from baseeval.plan import nearest

Floats = NDArray[np.float64]

_RANDOM = re.compile(r"\+?\s*\(([^()|]+)(\|\|?)([^()|]+)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*")


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model fitted by formula.

    Parameters
    ----------
    fixed : pandas.DataFrame
        ``term, estimate, std_error, df, statistic, p_value, ci_low, ci_high``;
        terms named and ordered as formulaic does. A term that adds nothing to
        earlier ones has an empty row.
    vcov : pandas.DataFrame
        Covariance of the estimates, terms by terms.
    residual_sd : float
    inference : str
    """

    fixed: pd.DataFrame
    vcov: pd.DataFrame
    residual_sd: float
    inference: str


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


def fit_linear(
    formula: str,
    data: IntoDataFrame,
    *,
    weights: str | Floats | None = None,
    cluster: str,
    inference: str = "cr2_satterthwaite",
) -> LinearModel:
    """Fit a linear model with cluster-robust inference that few clusters do not fool.

    Parameters
    ----------
    formula : str
        As formulaic reads it. Rows with a missing value are left out.
    data : dataframe
        Any that narwhals reads.
    weights : str or ndarray, optional
        Column or array of weights; rows of weight zero are left out.
    cluster : str
        Column that names each row's cluster.
    inference : str
        cr2_satterthwaite, with the identity as working covariance.

    Returns
    -------
    LinearModel

    Raises
    ------
    UsageError, DataError
        The formula or the data cannot be used.

    Examples
    --------
    >>> frame = pd.DataFrame({"y": [1.0, 2, 3, 5, 4, 6], "g": [0.0, 1, 0, 1, 0, 1]})
    >>> frame["school"] = list("aabbcc")
    >>> fit = fit_linear("y ~ g", frame, cluster="school")
    >>> fit.fixed["estimate"].round(6).tolist()
    [2.666667, 1.666667]
    """
    _check_option("inference", inference, ("cr2_satterthwaite",))
    design = _design(formula, data, weights, cluster)
    kept = independent_columns(design.x * np.sqrt(design.weights)[:, None])
    x = design.x[:, kept]
    fit = fit_least_squares(x, design.y, design.weights)
    parts = weighted_parts(x, fit.residuals, design.weights, design.group, fit.bread)
    fixed, vcov = _robust_table(design.terms, kept, fit.beta, parts)
    return LinearModel(fixed, vcov, fit.sigma, inference)


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
    _check_option("df", df or "satterthwaite", ("satterthwaite", "cr2_satterthwaite"))
    _check_option("family", family, ("gaussian",))
    fixed_part, random_terms, group = _split(formula)
    design = _design(fixed_part, data, weights, group, [term for term, _ in random_terms])
    template, names = _template(design, random_terms)
    z = np.column_stack(design.random)
    kept = independent_columns(design.x * np.sqrt(design.weights)[:, None])
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
        fixed, _ = _robust_table(design.terms, kept, fit.beta, parts)
    else:
        freedom = (
            satterthwaite_df(fit, np.eye(x.shape[1]))
            if df == "satterthwaite"
            else np.full(x.shape[1], np.nan)
        )
        errors = np.sqrt(np.diag(fit.vcov))
        fixed = _table(design.terms, kept, fit.beta, errors, freedom)
    labels = [design.terms[position] for position in kept]
    effects = pd.DataFrame(fit.effects, index=pd.Index(design.levels, name=group), columns=names)
    return MixedModel(
        fixed,
        _variance_table(fit, group, names, random_terms, design),
        pd.DataFrame(fit.vcov, index=labels, columns=labels),
        fit.loglik,
        fit.sigma,
        fit.singular,
        fit.converged,
        df or "none",
        {group: effects},
    )


@dataclass(frozen=True, slots=True)
class _Design:
    """A formula on data: arrays whose rows have every value and a positive weight."""

    x: Floats
    terms: list[str]
    y: Floats
    weights: Floats
    group: NDArray[np.intp]
    levels: list[str]
    random: list[Floats]
    random_names: list[list[str]]


def _design(
    formula: str,
    data: IntoDataFrame,
    weights: str | Floats | None,
    group: str,
    random: list[str] | None = None,
) -> _Design:
    frame = nw.from_native(data, eager_only=True).to_pandas().reset_index(drop=True)
    used = [group, *([weights] if isinstance(weights, str) else [])]
    used += [n for part in [formula, *(random or [])] for n in _NAME.findall(part) if n in frame]
    require_columns(frame, used)
    size = np.ones(len(frame)) if weights is None else weights
    numbers = frame[size].to_numpy(dtype=float) if isinstance(size, str) else np.asarray(size)
    if numbers.shape != (len(frame),) or not np.isfinite(numbers).all() or np.any(numbers < 0):
        raise DataError(
            Problem(
                "weights",
                f"there must be one finite number, zero or more, for each of {len(frame)} rows",
                "Mend the weights.",
            )
        )
    complete = frame[list(dict.fromkeys(used))].notna().all(axis=1).to_numpy() & (numbers > 0)
    rows = frame[complete].reset_index(drop=True)
    if rows.empty:
        raise DataError(Problem("data", "no row has every value", "Fill in or drop columns."))
    try:
        parts = Formula(formula).get_model_matrix(rows)
        matrices = [Formula(f"~ {term}").get_model_matrix(rows) for term in random or []]
    except FormulaicError as error:
        raise UsageError(
            Problem(f"formula `{formula}`", f"formulaic cannot read it ({error})", "Mend it.")
        ) from None
    codes, levels = pd.factorize(rows[group], sort=True)
    return _Design(
        parts.rhs.to_numpy(dtype=float),
        list(parts.rhs.columns),
        parts.lhs.to_numpy(dtype=float)[:, 0],
        numbers[complete],
        codes.astype(np.intp),
        [str(level) for level in levels],
        [matrix.to_numpy(dtype=float) for matrix in matrices],
        [list(matrix.columns) for matrix in matrices],
    )


def _split(formula: str) -> tuple[str, list[tuple[str, bool]], str]:
    """Split a formula into its fixed part, its random terms and their grouping factor."""
    found = _RANDOM.findall(formula)
    groups = {group.strip() for *_, group in found}
    if not found:
        raise UsageError(
            Problem(
                f"formula `{formula}`",
                "it has no random term",
                "Add one, such as (1 | school), or use fit_linear.",
            )
        )
    if len(groups) > 1 or not all(_NAME.fullmatch(group) for group in groups):
        raise UsageError(
            Problem(
                f"formula `{formula}`",
                "nested or crossed grouping factors are reserved for a later version",
                "Use one grouping factor.",
            )
        )
    fixed = _RANDOM.sub("", formula).strip()
    if fixed.endswith("~"):
        fixed = f"{fixed} 1"
    return fixed, [(term.strip(), bar == "|") for term, bar, _ in found], groups.pop()


def _template(design: _Design, terms: list[tuple[str, bool]]) -> tuple[Template, list[str]]:
    """Lay the random terms out on the diagonal of one covariance, correlated within a term."""
    rows, columns, names, start = [], [], [], 0
    for (_, correlated), labels in zip(terms, design.random_names, strict=True):
        for column in range(len(labels)):
            for row in range(column, len(labels) if correlated else column + 1):
                rows.append(start + row)
                columns.append(start + column)
        names += labels
        start += len(labels)
    made = (np.array(rows), np.array(columns), np.arange(len(rows)))
    return Template(start, *(array.astype(np.intp) for array in made)), names


def _variance_table(
    fit: MixedFit, group: str, names: list[str], terms: list[tuple[str, bool]], design: _Design
) -> pd.DataFrame:
    covariance = fit.sigma**2 * fit.factor @ fit.factor.T
    sds = np.sqrt(np.diag(covariance))
    records: list[tuple[str, str, str, float, float]] = []
    records += [(group, name, "", covariance[k, k], sds[k]) for k, name in enumerate(names)]
    start = 0
    for (_, correlated), labels in zip(terms, design.random_names, strict=True):
        inside = range(start, start + len(labels)) if correlated else range(0)
        for one in inside:
            for two in range(one + 1, start + len(labels)):
                scale = sds[one] * sds[two]
                correlation = covariance[one, two] / scale if scale > 0 else np.nan
                records.append((group, names[one], names[two], covariance[one, two], correlation))
        start += len(labels)
    records.append(("Residual", "", "", fit.sigma**2, fit.sigma))
    columns = ["group", "term_1", "term_2", "variance_or_covariance", "sd_or_correlation"]
    return pd.DataFrame.from_records(records, columns=columns)


def _robust_table(
    terms: list[str], kept: NDArray[np.intp], beta: Floats, parts: ClusterParts
) -> tuple[pd.DataFrame, pd.DataFrame]:
    robust = cr2(parts)
    freedom = np.array([robust.df(contrast) for contrast in np.eye(len(beta))])
    errors = np.sqrt(np.diag(robust.vcov))
    labels = [terms[position] for position in kept]
    vcov = pd.DataFrame(robust.vcov, index=labels, columns=labels)
    return _table(terms, kept, beta, errors, freedom), vcov


def _table(
    terms: list[str], kept: NDArray[np.intp], beta: Floats, errors: Floats, freedom: Floats
) -> pd.DataFrame:
    columns = ["estimate", "std_error", "df", "statistic", "p_value", "ci_low", "ci_high"]
    table = pd.DataFrame(np.nan, index=range(len(terms)), columns=columns)
    for place, estimate, error, df in zip(kept, beta, errors, freedom, strict=True):
        made = t_interval(float(estimate), float(error), float(df))
        table.loc[place] = [
            estimate,
            error,
            df,
            estimate / error if error > 0 else np.nan,
            made.p_value,
            made.low,
            made.high,
        ]
    table.insert(0, "term", pd.Series(terms, dtype="str"))
    return table


def _check_option(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(
            Problem(f"{argument} = {value!r}", "this is not available", nearest(value, [*allowed]))
        )

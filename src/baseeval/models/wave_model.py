"""Pupils seen at several waves, residuals of neighbouring waves alike: `fit_waves`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.design.sample import require_columns
from baseeval.errors import DataError, EstimationError, Problem, UsageError
from baseeval.models.linear_model import enough_rows
from baseeval.models.model_rows import ModelRows, read_rows
from baseeval.models.summary_text import summary_text
from baseeval.models.term_tables import fixed_table, labelled, variance_table
from baseeval.numerics.cr2 import cr2
from baseeval.numerics.mixed_models.residual_robust import residual_parts
from baseeval.numerics.mixed_models.residual_rows import ResidualStructure, WaveRows
from baseeval.numerics.mixed_models.residual_structures import ResidualFit, fit_residual_structure
from baseeval.numerics.mixed_models.templates import Template, full_template
from baseeval.numerics.one_thread import one_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_INFERENCES = ("satterthwaite", "cr2_satterthwaite")
#: More categories than these, or more occasions with a correlation for each pair, are not searched.
_MOST_STRATA, _MOST_OCCASIONS = 20, 40
_CORRELATIONS = ("independent", "ar1", "exchangeable", "unstructured")


@dataclass(frozen=True)
class WaveModel:
    """A linear model of waves with a structure of residuals within a pupil.

    Parameters
    ----------
    fixed : pandas.DataFrame
        As of a :class:`MixedModel`; df by Satterthwaite, missing at a singular fit.
    residual : pandas.DataFrame
        ``parameter, estimate, std_error``: correlations, and ratios of standard
        deviations to that of the first wave or category. The correlation of ar1 is that of
        residuals one step apart: the greatest common divisor of the distances between waves,
        so that waves 12, 24, 36 give what 1, 2, 3 give.
    variance : pandas.DataFrame
        As of a :class:`MixedModel`; the residual's is that of the first wave and category.
    residual_covariance : ndarray, shape (c, c)
        Of a pupil's residuals, waves within categories.
    vcov : pandas.DataFrame
    loglik : float
    singular, converged : bool
    fit : ResidualFit
    rows : ModelRows
    """

    fixed: pd.DataFrame
    residual: pd.DataFrame
    variance: pd.DataFrame
    residual_covariance: Floats
    vcov: pd.DataFrame
    loglik: float
    singular: bool
    converged: bool
    correlation: str
    fit: ResidualFit = field(repr=False)
    rows: ModelRows = field(repr=False)

    def summary(self) -> str:
        """Return the model as text."""
        how = "REML" if self.fit.reml else "maximum likelihood"
        notes = ["A variance is at zero, or residuals are tied together."] if self.singular else []
        return summary_text(
            f"Linear model of waves, residuals {self.correlation}, fitted by {how}",
            [
                ("Formula", self.rows.formula.text),
                ("Rows", f"{self.rows.n:,}"),
                ("Log-likelihood", f"{self.loglik:.4f}"),
            ],
            [
                ("Random effects", self.variance),
                ("Residuals", self.residual),
                ("Fixed effects", self.fixed),
            ],
            notes,
        )


@one_thread()
def fit_waves(
    formula: str,
    data: IntoDataFrame,
    *,
    pupil: str,
    wave: str,
    correlation: str = "ar1",
    by_wave: bool = False,
    by: str | None = None,
    reml: bool = True,
    df: str = "satterthwaite",
) -> WaveModel:
    """Fit a linear model whose residuals are correlated within a pupil.

    Parameters
    ----------
    formula : str
        A fixed part, and at most a random term of the school and one of the
        pupil, whose columns are functions of the wave.
    data : dataframe
        One row a pupil and wave. Rows with a missing value are left out.
    pupil, wave : str
        Columns; the wave in whole numbers, whose differences are distances in time, in any
        unit: the likelihood does not depend on it.
    correlation : str
        independent, ar1, exchangeable or unstructured (at most 40 waves).
    by_wave : bool
        Whether the residual variance differs between waves.
    by : str, optional
        Column of at most 20 categories, such as the arm, between which it differs.
    reml : bool
    df : str
        satterthwaite (missing where the fit is singular), or cr2_satterthwaite: errors
        robust by the random term's groups, else by pupil, with their own df.

    Returns
    -------
    WaveModel

    Raises
    ------
    UsageError, DataError
        The formula or the data cannot be used.
    EstimationError
        The rows cannot tell the parameters apart, the model reproduces the outcome, or the
        search did not settle.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> frame = pd.DataFrame({"pupil": np.repeat(np.arange(60), 3), "wave": [1, 2, 3] * 60})
    >>> frame["maths"] = rng.normal(size=180) + rng.normal(size=60)[frame.pupil]
    >>> fit = fit_waves("maths ~ wave", frame, pupil="pupil", wave="wave")
    >>> fit.residual["parameter"].tolist(), bool(0.2 < fit.residual["estimate"][0] < 0.8)
    (['correlation'], True)
    """
    check_choice("correlation", correlation, _CORRELATIONS)
    check_choice("df", df, _INFERENCES)
    beside, times = _complete(data, [pupil, wave, *([] if by is None else [by])], wave)
    rows = read_rows(formula, beside, cluster=pupil)
    assert rows.cluster is not None
    school, of_pupil = _terms(rows, pupil)
    whole = rows.whole()
    enough_rows(formula, rows.n, len(rows.terms))
    strata, said = None, {}
    if by is not None:
        kept = pd.Series(beside.get_column(by).to_list()).iloc[rows.rows]
        codes, labels = pd.factorize(kept, sort=True)
        strata = codes.astype(np.intp)
        said = {f"stratum {code}": str(label) for code, label in enumerate(labels)}
    _check_size(correlation, times[rows.rows], by, len(said), wave)
    taken = WaveRows(
        whole.x,
        whole.y,
        rows.cluster.codes.astype(np.intp),
        times[rows.rows].astype(np.intp),
        strata,
        None if school is None else whole.groups[school],
        None if school is None else whole.z[school],
        None if of_pupil is None else whole.z[of_pupil],
    )
    structure = ResidualStructure(correlation, by_wave, by is not None)  # type: ignore[arg-type]
    try:
        fit = fit_residual_structure(
            taken,
            structure,
            _template(rows, school),
            _template(rows, of_pupil),
            rows.intercept,
            reml,
        )
        if not fit.converged:
            raise ValueError("the likelihood has no maximum that could be found")
        clusters = taken.pupils if taken.schools is None else taken.schools
        vcov, freedom = _inference(fit, taken, clusters, df)
    except ValueError as error:
        raise _refused(formula, error) from error
    return _model(rows, fit, vcov, freedom, correlation, school, said)


def _model(
    rows: ModelRows,
    fit: ResidualFit,
    vcov: Floats,
    freedom: Floats,
    correlation: str,
    school: int | None,
    said: Mapping[str, str],
) -> WaveModel:
    kept = fit.likelihood.coordinates.kept
    of_school, of_pupil = fit.covariances
    covariances = [of_school if k == school else of_pupil for k in range(len(rows.random))]
    errors = np.sqrt(np.maximum(np.diag(fit.values_vcov), 0)) if len(fit.values) else np.empty(0)
    return WaveModel(
        fixed_table(rows.terms, kept, fit.beta, np.sqrt(np.diag(vcov)), freedom),
        pd.DataFrame(
            {"parameter": _named(fit.names, said), "estimate": fit.values, "std_error": errors}
        ),
        variance_table(rows, covariances, fit.sigma),
        fit.residual_covariance,
        labelled(vcov, rows.terms, kept),
        fit.loglik,
        fit.singular,
        fit.converged,
        correlation,
        fit,
        rows,
    )


def _refused(formula: str, error: ValueError) -> EstimationError:
    """Return what the kernel says as problems of the formula, each in words."""
    said = str(error).splitlines()
    if isinstance(error, np.linalg.LinAlgError):
        said = ["the rows do not tell the parameters of the covariance apart"]
    where = f"formula `{formula}`"
    return EstimationError(
        [Problem(where, what.rstrip("."), "Simplify the model.") for what in said]
    )


def _check_size(
    correlation: str, times: Floats, by: str | None, categories: int, wave: str
) -> None:
    """Refuse more parameters of the residuals than rows could tell apart."""
    problems = []
    if categories > _MOST_STRATA:
        problems.append(
            Problem(
                f"data, column `{by}`",
                f"{categories} categories, and the residual variance may differ between at most "
                f"{_MOST_STRATA}",
                "Join categories, or leave `by` out.",
            )
        )
    occasions = len(np.unique(times))
    if correlation == "unstructured" and occasions > _MOST_OCCASIONS:
        problems.append(
            Problem(
                f"data, column `{wave}`",
                f"{occasions} waves have {occasions * (occasions - 1) // 2} pairs, each with a "
                f"correlation of its own, and at most {_MOST_OCCASIONS} waves may be unstructured",
                'Use correlation="ar1" or "exchangeable", or group the waves.',
            )
        )
    if problems:
        raise UsageError(problems)


def _inference(fit: ResidualFit, rows: WaveRows, clusters: Ints, df: str) -> tuple[Floats, Floats]:
    lines = np.eye(len(fit.beta))
    if df == "cr2_satterthwaite":
        robust = cr2(residual_parts(fit, rows, clusters))
        return robust.vcov, np.array([robust.df(line) for line in lines])
    if fit.singular:
        return fit.vcov, np.full(len(lines), np.nan)
    return fit.vcov, np.array([fit.satterthwaite(line) for line in lines])


def _named(names: list[str], said: Mapping[str, str]) -> list[str]:
    """Return the names of parameters with a category in place of its number."""
    for code, label in said.items():
        names = [
            f"{name.removesuffix(code)}{label}" if name.endswith(code) else name for name in names
        ]
    return names


def _complete(
    data: IntoDataFrame, wanted: list[str], wave: str
) -> tuple[nw.DataFrame[Any], Floats]:
    """Return the rows that have a pupil and a wave, and their waves."""
    frame = nw.from_native(data, eager_only=True)
    require_columns(pd.DataFrame(columns=frame.columns), wanted)
    rows = frame.drop_nulls(wanted)
    if not frame.schema[wave].is_numeric():
        raise DataError(
            Problem(f"data, column `{wave}`", "waves are not numbers", "Number the waves.")
        )
    rows = rows.filter(~nw.col(wave).is_nan()) if frame.schema[wave].is_float() else rows
    times = rows.get_column(wave).to_numpy().astype(np.float64)
    if not np.all(np.isfinite(times)) or np.any(times != np.round(times)):
        raise DataError(
            Problem(f"data, column `{wave}`", "waves are not whole numbers", "Number the waves.")
        )
    return rows, times


def _terms(rows: ModelRows, pupil: str) -> tuple[int | None, int | None]:
    """Return the places of the school's term and the pupil's."""
    of_pupil = [k for k, part in enumerate(rows.random) if part.group == pupil]
    others = [k for k, part in enumerate(rows.random) if part.group != pupil]
    if len(of_pupil) > 1 or len(others) > 1:
        raise UsageError(
            Problem(
                f"formula `{rows.formula.text}`",
                "with a structure of residuals it may have one term of the school and one of "
                "the pupil",
                "Join the terms of a factor, or use fit_mixed.",
            )
        )
    return (others[0] if others else None), (of_pupil[0] if of_pupil else None)


def _template(rows: ModelRows, term: int | None) -> Template | None:
    return None if term is None else full_template(len(rows.random[term].columns))

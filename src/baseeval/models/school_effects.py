"""Whether an effect varies between schools: `fit_school_slopes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from scipy.stats import t as student

from baseeval.models.line_estimates import estimate_lines, term_line
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.shape_rows import added, quoted, schools_with_both, two_arms
from baseeval.numerics.mixed_models.likelihood_ratio import variance_ratio
from baseeval.numerics.one_thread import one_thread

#: With fewer schools than these, or a variance at zero, a spread is taken from a penalised fit.
FEW_SCHOOLS = 10


@dataclass(frozen=True, slots=True)
class SchoolSlopes:
    """An effect and its spread over schools.

    Parameters
    ----------
    effect : pandas.DataFrame
        One row: ``first, second, estimate, std_error, df, statistic, p_value,
        ci_low, ci_high``, the average over schools like these.
    spread : pandas.DataFrame
        One row: ``sd`` of the effect over schools; ``correlation`` with the
        second arm's mean; ``statistic, p_value``: the likelihood ratio against an
        effect that is the same everywhere, by its mixture of chi-squares;
        ``sd_kept`` and ``low, high``: where the effect in another school like
        these lies with 95% chance, from the spread kept off zero if `notes` say so.
    notes : tuple of str
    model, constant : MixedModel
        With and without a varying effect.
    """

    effect: pd.DataFrame
    spread: pd.DataFrame
    notes: tuple[str, ...]
    model: MixedModel
    constant: MixedModel


@one_thread()
def fit_school_slopes(
    data: IntoDataFrame,
    outcome: str,
    *,
    arm: str,
    first: Any,
    second: Any,
    school: str,
    covariates: Sequence[str] = (),
    weights: str | None = None,
    reml: bool = True,
    df: str | None = "kenward_roger",
) -> SchoolSlopes:
    """Fit the difference of two arms inside schools, a difference of its own in each.

    outcome ~ first + covariates + (1 + first | school), `first` being one for the first arm's
    pupils. The interval for another school is estimate +- t sqrt(SE^2 + sd^2), t with k - 2 degrees
    of freedom for k schools that hold both arms (Higgins, Thompson and Spiegelhalter 2009,
    doi:10.1111/j.1467-985X.2008.00552.x).

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads. Rows of other arms or with a missing value are
        left out.
    outcome, arm, school : str
        Columns.
    first, second
        Values of the arm's column; the effect reads first minus second.
    covariates : sequence of str
    weights : str, optional
        Precision weights.
    reml : bool
    df : str, optional
        As in :func:`fit_linear_mixed`.

    Returns
    -------
    SchoolSlopes

    Raises
    ------
    UsageError, DataError
        The columns cannot be used, or fewer than three schools hold both arms.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> school, base = np.repeat(np.arange(30), 20), np.tile([0, 1], 300)
    >>> own = 0.4 + 0.3 * rng.normal(size=30)
    >>> frame = pd.DataFrame({"school": school, "arm": np.where(base, "base", "host")})
    >>> frame["maths"] = rng.normal(size=30)[school] + own[school] * base + rng.normal(size=600)
    >>> names = {"arm": "arm", "first": "base", "second": "host", "school": "school"}
    >>> found = fit_school_slopes(frame, "maths", **names)
    >>> spread = found.spread.iloc[0]
    >>> bool(spread["low"] < found.effect["ci_low"][0]), found.notes
    (True, ())
    """
    rows, effect = two_arms(data, outcome, arm, first, second, school, covariates, weights)
    left = f"{quoted(outcome)} ~ {added([effect, *covariates])}"
    varying = f"{left} + (1 + {quoted(effect)} | {quoted(school)})"
    same = f"{left} + (1 | {quoted(school)})"
    model = fit_linear_mixed(varying, rows, df=df, reml=reml, weights=weights)
    constant = fit_linear_mixed(same, rows, df=None, reml=reml, weights=weights)
    line = term_line(model, effect)
    table = estimate_lines(model, ["first", "second"], [((first, second), line)])
    schools = schools_with_both(rows, school, effect)
    kept, notes = model, []
    if model.singular or schools < FEW_SCHOOLS:
        kept = fit_linear_mixed(varying, rows, df=None, reml=reml, weights=weights, penalty=True)
        notes.append(_kept_note(schools, model.singular))
    ratio = variance_ratio(constant.fit, model.fit)
    sd, correlation = _spread(model)
    sd_kept = _spread(kept)[0]
    reach = float(student.ppf(0.975, schools - 2)) * np.hypot(table["std_error"][0], sd_kept)
    spread = {
        "sd": sd,
        "correlation": correlation,
        "statistic": ratio.statistic,
        "p_value": ratio.p_value,
        "sd_kept": sd_kept,
        "low": table["estimate"][0] - reach,
        "high": table["estimate"][0] + reach,
    }
    return SchoolSlopes(table, pd.DataFrame([spread]), tuple(notes), model, constant)


def _spread(model: MixedModel) -> tuple[float, float]:
    """Return the effect's standard deviation over schools, and its correlation with the mean."""
    covariance = model.fit.covariances[0]
    sds = np.sqrt(np.diag(covariance))
    product = float(sds[0] * sds[1])
    return float(sds[1]), float(covariance[0, 1]) / product if product > 0 else float("nan")


def _kept_note(schools: int, singular: bool) -> str:
    why = f"{schools} schools hold both arms"
    if singular:
        why += ", and a variance, or what is left of it beside the other, is estimated at zero"
    return (
        f"{why}: the spread for another school is that of a fit which a penalty keeps off zero "
        "(Chung et al. 2013, 2015)."
    )

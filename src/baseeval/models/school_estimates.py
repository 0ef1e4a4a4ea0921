"""Each school's own estimate, shrunken towards the average: `shrink_schools`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from scipy.stats import norm

from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.models.line_estimates import estimate_lines, term_line
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.school_effects import FEW_SCHOOLS
from baseeval.models.shape_rows import (
    added,
    in_order,
    quoted,
    schools_with_both,
    shape_rows,
    two_arms,
)
from baseeval.numerics.mixed_models.shrunken_estimates import shrunken
from baseeval.numerics.mixed_models.unshrunken import unshrunken_effects
from baseeval.numerics.one_thread import one_thread

#: Logarithm of the points over which intervals integrate the variances.
_POINTS = 9
#: With fewer schools the variances, of which nothing is known beforehand, have no distribution.
_LEAST_SCHOOLS = 4


@dataclass(frozen=True, slots=True)
class ShrunkenSchools:
    """Schools beside their average, in an order that says nothing of them.

    Parameters
    ----------
    schools : pandas.DataFrame
        ``school, estimate, ci_low, ci_high, unshrunken, unshrunken_low,
        unshrunken_high``: how far each lies from the average school, shrunken, and
        as its own pupils alone have it. The order is that of labels, or the one
        given; there is no rank.
    average : pandas.DataFrame
        One row: what the schools differ from, where that is an effect of arms;
        without arms an empty table, for the mean depends on the covariates.
    sd : float
        Standard deviation over schools from which estimates were shrunken.
    notes : tuple of str
    model : MixedModel
        As it was fitted without any penalty, where `notes` do not say otherwise.
    """

    schools: pd.DataFrame
    average: pd.DataFrame
    sd: float
    notes: tuple[str, ...]
    model: MixedModel


@one_thread()
def shrink_schools(
    data: IntoDataFrame,
    outcome: str,
    *,
    school: str,
    covariates: Sequence[str] = (),
    arm: str | None = None,
    first: Any = None,
    second: Any = None,
    order: Sequence[Any] | None = None,
    weights: str | None = None,
) -> ShrunkenSchools:
    """Estimate how each school differs from the average school, without a league table.

    By REML, outcome ~ covariates + (1 | school), or with arms outcome ~ first + covariates +
    (1 + first | school), of which the effect's differences are given. Estimates are the
    conditional modes, pulled towards the average the more, the fewer pupils a school has
    (Goldstein and Spiegelhalter 1996, doi:10.2307/2983325, who also tell why ranks mislead).
    Intervals carry the uncertainty of the variances and of the coefficients. With fewer than ten
    schools, or a variance estimated at zero, estimates come of a fit with the penalty of Chung et
    al. (2013, doi:10.1007/s11336-013-9328-2): four schools of a dozen pupils have a variance
    estimated at zero four times in ten, which would make all schools alike.

    The table names schools, so it discloses: it stays in Python or in the restricted folder, and
    no command releases it.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads. Rows with a missing value are left out.
    outcome, school : str
        Columns.
    covariates : sequence of str
    arm : str, optional
        Column of arms, for effects instead of means; then with
    first, second
        its values, the effect reading first minus second.
    order : sequence, optional
        Schools in the order in which to list them; else sorted.
    weights : str, optional
        Precision weights.

    Returns
    -------
    ShrunkenSchools

    Raises
    ------
    UsageError, DataError
        The columns cannot be used, or the order leaves schools out.
    EstimationError
        Fewer than four schools tell the mean or the effect, or the likelihood has no
        maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> school = np.repeat(["north", "south", "east", "west"], 12)
    >>> frame = pd.DataFrame({"school": school, "maths": rng.normal(size=48)})
    >>> compass = ["north", "east", "south", "west"]
    >>> found = shrink_schools(frame, "maths", school="school", order=compass)
    >>> found.schools["school"].tolist(), len(found.notes)
    (['north', 'east', 'south', 'west'], 1)
    """
    if arm is None:
        wanted = [outcome, school, *covariates]
        rows, effect = shape_rows(data, wanted, [outcome], weights), None
    elif first is None or second is None:
        said = "arms are compared, and not both are named"
        raise UsageError(Problem("first, second", said, "Name two values of the arm's column."))
    else:
        rows, effect = two_arms(
            data, outcome, arm, first, second, school, covariates, weights, least=0
        )
    listed = in_order(rows[school], order, "order")
    schools = schools_with_both(rows, school, effect) if effect else len(listed)
    _enough_schools(schools, school, effect)
    fixed = added("1", [effect] if effect else [], covariates)
    varying = added("1", [effect] if effect else [])
    formula = f"{quoted(outcome)} ~ {fixed} + ({varying} | {quoted(school)})"
    model = fit_linear_mixed(formula, rows, df="kenward_roger", weights=weights)
    kept, notes = model, []
    if model.singular or schools < FEW_SCHOOLS:
        kept = fit_linear_mixed(formula, rows, df=None, weights=weights, penalty=True)
        notes.append(_kept_note(schools, model.singular))
    column = 1 if effect else 0
    table = _table(kept, column).set_index("school").loc[listed].reset_index()
    lines = [((first, second), term_line(model, effect))] if effect else []
    average = estimate_lines(model, ["first", "second"], lines)
    sd = float(np.sqrt(kept.fit.covariances[0][column, column]))
    return ShrunkenSchools(table, average, sd, tuple(notes), model)


def _enough_schools(schools: int, school: str, effect: str | None) -> None:
    if schools < _LEAST_SCHOOLS:
        which = " that hold both arms" if effect else ""
        raise EstimationError(
            Problem(
                f"data, column `{school}`",
                f"partial pooling needs four schools or more{which}, and there are {schools}: "
                "fewer cannot tell how much schools differ",
                "Show the unshrunken estimates.",
            )
        )


def _table(model: MixedModel, column: int) -> pd.DataFrame:
    found = shrunken(model.fit, 0, log2_points=_POINTS)
    alone, errors = unshrunken_effects(model.fit, 0)
    reach = float(norm.ppf(0.975)) * errors[:, column]
    return pd.DataFrame(
        {
            "school": model.rows.factors[0].levels[0],
            "estimate": found.modes[:, column],
            "ci_low": found.low[:, column],
            "ci_high": found.high[:, column],
            "unshrunken": alone[:, column],
            "unshrunken_low": alone[:, column] - reach,
            "unshrunken_high": alone[:, column] + reach,
        }
    )


def _kept_note(schools: int, singular: bool) -> str:
    why = f"There are {schools} schools to learn from"
    if singular:
        why += " and a variance, or what is left of it beside the other, is estimated at zero"
    return (
        f"{why}: estimates are shrunken by a variance that a penalty keeps off zero (Chung et al. "
        "2013); intervals carry the variance's own uncertainty."
    )

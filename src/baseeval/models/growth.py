"""Growth over waves by arm: `fit_growth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import DataError, Problem
from baseeval.models.line_estimates import estimate_lines
from baseeval.models.mixed_model import MixedModel, fit_linear_mixed
from baseeval.models.shape_rows import added, in_order, quoted, shape_rows
from baseeval.numerics.one_thread import one_thread

Floats = NDArray[np.float64]

#: Times further from zero than so many standard deviations, years say, are to be recoded.
_FAR = 50


@dataclass(frozen=True, slots=True)
class Growth:
    """How arms grow over waves.

    Every table has ``estimate, std_error, df, statistic, p_value, ci_low, ci_high`` after the
    columns named; a row that the data cannot tell is empty.

    Parameters
    ----------
    slopes : pandas.DataFrame
        ``arm, piece``: change in the outcome per unit of time. The piece is
        ``all`` or, with a knot, ``before`` and ``after``.
    slope_differences : pandas.DataFrame
        ``first, second, piece``: the first arm's slope less the second's.
    differences : pandas.DataFrame
        ``time, first, second``: the first arm's mean less the second's at each
        time that the data hold, covariates alike.
    model : MixedModel
    """

    slopes: pd.DataFrame
    slope_differences: pd.DataFrame
    differences: pd.DataFrame
    model: MixedModel


@one_thread()
def fit_growth(
    data: IntoDataFrame,
    outcome: str,
    *,
    time: str,
    arm: str,
    pupil: str,
    school: str,
    knot: float | None = None,
    pupil_slope: bool = True,
    covariates: Sequence[str] = (),
    arms: Sequence[Any] | None = None,
    weights: str | None = None,
    reml: bool = True,
    df: str | None = "kenward_roger",
) -> Growth:
    """Fit straight or once-bent lines over time, one an arm, to pupils in schools.

    outcome ~ arm * time + covariates + (1 + time | pupil) + (1 | school); with a knot, time is
    min(time - knot, 0) and max(time - knot, 0) in the fixed part (Singer and Willett 2003,
    *Applied Longitudinal Data Analysis*, chapters 4 and 6), so that each arm may grow
    otherwise after time zero than before it.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads; one row a pupil and wave. Rows with a missing
        value are left out.
    outcome, time, arm, pupil, school : str
        Columns. Pupils are told apart within schools.
    knot : float, optional
        Time at which the lines may bend, in the column's unit.
    pupil_slope : bool
        Whether pupils have slopes of their own; they need three waves.
    covariates : sequence of str
        Columns of the fixed part, text ones as categories.
    arms : sequence, optional
        Order of the arms, else sorted: each is compared with those after it.
    weights : str, optional
        Precision weights.
    reml : bool
    df : str, optional
        As in :func:`fit_linear_mixed`.

    Returns
    -------
    Growth

    Raises
    ------
    UsageError, DataError
        The columns cannot be used, no pupil has the waves that slopes need, or times
        are far from zero, as years are.
    EstimationError
        The likelihood has no maximum that could be found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> pupil, wave = np.repeat(np.arange(120), 3), np.tile([0.0, 1, 2], 120)
    >>> frame = pd.DataFrame({"pupil": pupil, "wave": wave, "school": pupil // 10})
    >>> frame["arm"] = np.where(pupil % 2, "base", "host")
    >>> gain = np.where(frame["arm"] == "base", 0.8, 0.5)
    >>> start, error = rng.normal(size=120)[pupil], rng.normal(size=360)
    >>> frame["maths"] = start + gain * wave + 0.1 * error
    >>> names = {"time": "wave", "arm": "arm", "pupil": "pupil", "school": "school"}
    >>> found = fit_growth(frame, "maths", **names, pupil_slope=False)
    >>> found.slopes["estimate"].round(1).tolist()
    [0.8, 0.5]
    """
    wanted = [outcome, time, arm, pupil, school, *covariates]
    rows = shape_rows(data, wanted, [outcome, time], weights)
    order = in_order(rows[arm], arms, "arms")
    if len(order) < 2:
        raise DataError(Problem(f"data, column `{arm}`", "one arm alone", "Give two or more."))
    if pupil_slope:
        _enough_waves(rows, time, [school, pupil])
        _near_zero(rows, time)
    # A declared category without rows is none of the model's.
    rows[arm] = pd.Categorical(rows[arm].astype(object), order)
    pieces = _pieces(rows, time, knot)
    inside = f"({added(list(pieces))})"
    varying = added("1", [time]) if pupil_slope else "1"
    random = f"({varying} | {quoted(school)}:{quoted(pupil)}) + (1 | {quoted(school)})"
    fixed = added(f"{quoted(arm)} * {inside}", covariates)
    model = fit_linear_mixed(
        f"{quoted(outcome)} ~ {fixed} + {random}", rows, reml=reml, df=df, weights=weights
    )
    return _Lines(model, arm, order, pieces, knot or 0.0).tables(np.unique(rows[time]))


def _pieces(rows: pd.DataFrame, time: str, knot: float | None) -> dict[str, str]:
    """Add the columns of time that the fixed part needs; return the piece that each is."""
    if knot is None:
        return {time: "all"}
    before, after = f"{time}_before", f"{time}_after"
    rows[before] = np.minimum(rows[time] - knot, 0.0)
    rows[after] = np.maximum(rows[time] - knot, 0.0)
    return {before: "before", after: "after"}


def _enough_waves(rows: pd.DataFrame, time: str, pupil: list[str]) -> None:
    if rows.groupby(pupil, observed=True)[time].nunique().max() < 3:
        raise DataError(
            Problem(
                f"data, column `{time}`",
                "no pupil has three waves, without which slopes of pupils' own and the residual "
                "cannot be told apart",
                "Set pupil_slope to False.",
            )
        )


def _near_zero(rows: pd.DataFrame, time: str) -> None:
    if abs(rows[time].mean()) > _FAR * rows[time].std(ddof=0) > 0:
        raise DataError(
            Problem(
                f"data, column `{time}`",
                f"its times lie more than {_FAR} standard deviations from zero, where pupils' "
                "own levels and slopes cannot be told apart",
                "Count it from the first wave: take the first year from the column, so that it "
                "reads 0, 1, 2, and take the same from the knot.",
            )
        )


class _Lines:
    """The lines of a growth model as combinations of its coefficients."""

    def __init__(
        self, model: MixedModel, arm: str, order: list[Any], pieces: dict[str, str], knot: float
    ) -> None:
        self.model, self.arm, self.order, self.pieces, self.knot = model, arm, order, pieces, knot
        self.place = {term: k for k, term in enumerate(model.fixed["term"])}

    def line(self, weights: Mapping[str, float]) -> Floats:
        """Return a combination that takes terms with weights."""
        made = np.zeros(len(self.place))
        for term, weight in weights.items():
            made[self.place[term]] = weight
        return made

    def slope(self, arm: Any, column: str) -> Floats:
        own = {} if arm == self.order[0] else {f"{self.arm}[T.{arm}]:{column}": 1.0}
        return self.line({column: 1.0} | own)

    def level(self, arm: Any, time: float) -> Floats:
        """Return an arm's mean at a time, but for what all arms share."""
        if arm == self.order[0]:
            return self.line({})
        own = self.line({f"{self.arm}[T.{arm}]": 1.0})
        for column, piece in self.pieces.items():
            since = time - self.knot
            reach = {"all": time, "before": min(since, 0.0), "after": max(since, 0.0)}[piece]
            own += reach * (self.slope(arm, column) - self.slope(self.order[0], column))
        return own

    def tables(self, times: Floats) -> Growth:
        arms, pairs = self.order, list(combinations(self.order, 2))
        slopes = [((arm, piece), self.slope(arm, c)) for arm in arms for c, piece in self.parts]
        apart = [
            ((one, two, piece), self.slope(one, c) - self.slope(two, c))
            for one, two in pairs
            for c, piece in self.parts
        ]
        means = [
            ((float(time), one, two), self.level(one, time) - self.level(two, time))
            for time in times
            for one, two in pairs
        ]
        return Growth(
            estimate_lines(self.model, ["arm", "piece"], slopes),
            estimate_lines(self.model, ["first", "second", "piece"], apart),
            estimate_lines(self.model, ["time", "first", "second"], means),
            self.model,
        )

    @property
    def parts(self) -> list[tuple[str, str]]:
        return list(self.pieces.items())

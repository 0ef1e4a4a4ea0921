"""How well the items of a scale agree with one another, by arm: items, alpha, omega."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.measures.items import ItemRows, read_items
from baseeval.numerics.reliability import complete_rows, cronbach_alpha, item_statistics
from baseeval.numerics.reliability_omega import mcdonald_omega

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

#: More distinct answers than this, and they are a measurement rather than categories.
_MOST_ANSWERS = 20


@dataclass(frozen=True, slots=True)
class Reliability:
    """Reliability of a scale, for everyone or by group.

    Counts of pupils are as they are: nothing here is released.

    Parameters
    ----------
    scales : pandas.DataFrame
        One row a group: ``group, items, rows, complete``; ``alpha, omega, omega_standardised``
        each with ``_std_error, _low, _high``; ``one_factor_cfi, one_factor_srmr``, how far omega's
        one factor is true; ``interval_by``, what the intervals let vary: ``school`` or ``row``;
        ``note``, why a number is missing or doubtful.
    items : pandas.DataFrame
        ``group, item, n, missing, mean, sd, item_rest``; reversed items turned round. For
        disclosure control: ``unlike``, rows whose answer is not the commonest, and ``fewest``, rows
        with the rarest answer that could be given; missing for more than twenty answers.
    answers : pandas.DataFrame
        ``group, item, answer, count``; empty for items with more than twenty answers.
    level : float
        Of the intervals.
    no_group : int
        Rows left out because their group is missing.
    """

    scales: pd.DataFrame
    items: pd.DataFrame
    answers: pd.DataFrame
    level: float
    no_group: int


def check_reliability(
    data: IntoDataFrame,
    items: Sequence[str],
    *,
    group: str | None = None,
    reverse: Sequence[str] = (),
    range: tuple[float, float] | None = None,
    school: str | None = None,
    least_schools: int = 0,
    level: float = 0.95,
    interval: str = "adf",
) -> Reliability:
    """Describe a scale's items and estimate alpha and omega, from complete rows.

    Parameters
    ----------
    data : dataframe
        One row a pupil (and wave), any frame that narwhals reads.
    items : sequence of str
        Columns of numbers.
    group : str, optional
        Column of arms; each is described by itself.
    reverse : sequence of str
        Items worded the other way, turned round within `range`.
    range : (low, high), optional
        Lowest and highest answer.
    school : str, optional
        Column of schools: intervals then let whole schools vary.
    least_schools : int
        In a group of fewer schools, intervals let rows vary.
    level : float
    interval : str
        Of alpha; ``adf``, ``normal`` or ``feldt``: see
        :func:`baseeval.numerics.reliability.cronbach_alpha`.

    Returns
    -------
    Reliability

    Raises
    ------
    UsageError
        A column is absent, no number, or out of range.
    EstimationError
        No group has an alpha.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = rng.normal(size=(200, 1)) + rng.normal(size=(200, 3))
    >>> frame = pd.DataFrame(rows, columns=["b01", "b02", "b03"])
    >>> found = check_reliability(frame, ["b01", "b02", "b03"])
    >>> found.scales[["group", "complete", "alpha", "omega"]].round(2).values.tolist()
    [['all', 200, 0.7, 0.7]]
    """
    found, refused = describe_reliability(
        data,
        items,
        group=group,
        reverse=reverse,
        range=range,
        school=school,
        least_schools=least_schools,
        level=level,
        interval=interval,
    )
    if found.scales["alpha"].isna().all():
        raise EstimationError(refused[0].problems, flag=refused[0].flag)
    return found


def describe_reliability(
    data: IntoDataFrame,
    items: Sequence[str],
    *,
    group: str | None = None,
    reverse: Sequence[str] = (),
    range: tuple[float, float] | None = None,
    school: str | None = None,
    least_schools: int = 0,
    level: float = 0.95,
    interval: str = "adf",
) -> tuple[Reliability, list[EstimationError]]:
    """Do as `check_reliability`, and leave empty what cannot be estimated.

    Parameters
    ----------
    data, items, group, reverse, range, school, least_schools, level, interval
        As `check_reliability` takes them.

    Returns
    -------
    reliability : Reliability
        Its items are described whether or not anything could be estimated.
    refused : list of EstimationError
        Why something could not be, a group at a time.

    Raises
    ------
    UsageError
        A column is absent, no number, or out of range.
    """
    read = read_items(data, items, group=group, reverse=reverse, range=range, also=[school])
    schools = _schools(read.frame, school)
    found, refused = [], []
    for position, name in enumerate(read.groups):
        mine = read.group == position
        own = None if schools is None else schools[mine]
        if own is not None and _complete_schools(read.rows[mine], own) < least_schools:
            own = None
        row, errors = _scale(read.rows[mine], read.items, own, level, interval)
        by = "row" if own is None else "school"
        found.append({"group": name} | row | {"interval_by": by})
        refused += errors
    described, answers = _items(read)
    scales = pd.DataFrame(found)
    return Reliability(scales, described, answers, level, read.no_group), refused


def _complete_schools(rows: Floats, schools: Integers) -> int:
    return len(np.unique(schools[complete_rows(rows)]))


def _schools(frame: pd.DataFrame, school: str | None) -> Integers | None:
    if school is None:
        return None
    codes = pd.factorize(frame[school])[0].astype(np.intp)
    unknown = int((codes < 0).sum())
    if unknown:
        have = "row has" if unknown == 1 else "rows have"
        what, remedy = f"{unknown} {have} no school", "Fill it in, or leave those rows out."
        raise UsageError(Problem(f"column `{school}`", what, remedy))
    return codes


def _scale(
    rows: Floats, names: tuple[str, ...], schools: Integers | None, level: float, interval: str
) -> tuple[dict[str, object], list[EstimationError]]:
    whole = complete_rows(rows)
    row: dict[str, object] = {
        "items": len(names),
        "rows": len(rows),
        "complete": int(whole.sum()),
    }
    parts = ("", "_std_error", "_low", "_high")
    measures = ("alpha", "omega", "omega_standardised")
    row |= {f"{measure}{part}": np.nan for measure in measures for part in parts}
    row |= {"one_factor_cfi": np.nan, "one_factor_srmr": np.nan}
    errors: list[EstimationError] = []
    notes: list[str] = []
    estimates = {}
    try:
        estimates["alpha"] = cronbach_alpha(rows, level, schools, interval)
        if estimates["alpha"].estimate < 0:
            notes.append("alpha is negative: look for items that should be turned round")
        omega = mcdonald_omega(rows, level, schools)
        estimates |= {"omega": omega.sum_score, "omega_standardised": omega.standardised}
        row |= {"one_factor_cfi": omega.indices.cfi, "one_factor_srmr": omega.indices.srmr}
        if omega.improper:
            notes.append("omega: a residual variance is estimated below zero")
        if (omega.loading < 0).any():
            notes.append("omega: some items load the other way")
    except EstimationError as error:
        errors.append(_named(error, rows[whole], names))
        notes += [f"{problem.where}: {problem.what}" for problem in errors[0].problems]
    for measure, found in estimates.items():
        values = (found.estimate, found.std_error, found.low, found.high)
        row |= {f"{measure}{part}": value for part, value in zip(parts, values, strict=True)}
    row["note"] = "; ".join(notes)
    return row, errors


def _named(error: EstimationError, rows: Floats, names: tuple[str, ...]) -> EstimationError:
    """Call constant items by name: a kernel knows only their position."""
    if len(rows) < 3:
        return error
    still = [name for name, column in zip(names, rows.T, strict=True) if not np.ptp(column)]
    if not still:
        return error
    where = "items " + ", ".join(f"`{name}`" for name in still)
    problems = [type(p)(where, p.what, p.remedy) for p in error.problems]
    return EstimationError(problems, flag=error.flag)


def _items(read: ItemRows) -> tuple[pd.DataFrame, pd.DataFrame]:
    described, counted = [], []
    possible = _possible(read)
    for position, name in enumerate(read.groups):
        found = item_statistics(read.rows[read.group == position])
        rarest = [_rarest(counts, found.values, possible) for counts in found.counts]
        described.append(
            pd.DataFrame(
                {
                    "group": name,
                    "item": read.items,
                    "n": found.n,
                    "missing": found.missing,
                    "mean": found.mean,
                    "sd": found.sd,
                    "item_rest": found.item_rest,
                    "unlike": found.n - found.counts.max(axis=1, initial=0),
                    "fewest": pd.array(rarest, dtype="Int64"),
                }
            )
        )
        if len(found.values) <= _MOST_ANSWERS:
            counted += [
                (name, item, float(answer), int(count))
                for item, counts in zip(read.items, found.counts, strict=True)
                for answer, count in zip(found.values, counts, strict=True)
            ]
    answers = pd.DataFrame(counted, columns=["group", "item", "answer", "count"])
    return pd.concat(described, ignore_index=True), answers


def _possible(read: ItemRows) -> Floats:
    """Return the answers that could be given: whole numbers of the range, and any given."""
    given = np.unique(read.rows[~np.isnan(read.rows)])
    if read.range is None or not all(float(end).is_integer() for end in read.range):
        return given
    return np.union1d(given, np.arange(read.range[0], read.range[1] + 1))


def _rarest(counts: Integers, values: Floats, possible: Floats) -> int | None:
    if len(possible) > _MOST_ANSWERS:
        return None
    return 0 if not len(values) or len(values) < len(possible) else int(counts.min())

"""Item statistics and Cronbach's alpha with an interval.

alpha = k / (k - 1) (1 - sum of the items' variances / variance of their sum), Cronbach (1951,
doi:10.1007/BF02310555). Its default interval takes no distribution for granted (Maydeu-Olivares,
Coffman and Hartmann 2007, doi:10.1037/1082-989X.12.2.157); `docs/methods/scales.md` derives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher
from scipy.stats import t as student

from baseeval.errors import EstimationError, Problem, UsageError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

INTERVALS = ("adf", "normal", "feldt")


@dataclass(frozen=True, slots=True)
class ReliabilityEstimate:
    """A reliability with its interval.

    Parameters
    ----------
    estimate, std_error, low, high : float
        The error is NaN for Feldt's interval, which has none.
    n : int
        Complete rows.
    """

    estimate: float
    std_error: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """What each of k items looks like.

    Parameters
    ----------
    n, missing : ndarray of int, shape (k,)
        Rows with and without an answer.
    mean, sd : ndarray, shape (k,)
        Of all who answered the item.
    item_rest : ndarray, shape (k,)
        Correlation with the sum of the other items, over complete rows; NaN where one is constant.
    values : ndarray, shape (v,)
        The distinct answers.
    counts : ndarray of int, shape (k, v)
        How many gave each.
    """

    n: Integers
    missing: Integers
    mean: Floats
    sd: Floats
    item_rest: Floats
    values: Floats
    counts: Integers


def complete_rows(rows: Floats) -> NDArray[np.bool_]:
    """Return which rows have every item, shape (n,).

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        NaN where there is no answer.

    Returns
    -------
    ndarray of bool
    """
    return np.asarray(~np.isnan(rows).any(axis=1))


def item_statistics(rows: Floats) -> ItemStatistics:
    """Describe items one by one.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        NaN where there is no answer.

    Returns
    -------
    ItemStatistics

    Examples
    --------
    >>> found = item_statistics(np.array([[1.0, 1.0], [2.0, 3.0], [3.0, np.nan]]))
    >>> found.n.tolist(), found.mean.tolist(), found.item_rest.round(6).tolist()
    ([3, 2], [2.0, 2.0], [1.0, 1.0])
    """
    items = rows.shape[1]
    answered = ~np.isnan(rows)
    n = answered.sum(axis=0)
    total = np.where(answered, rows, 0.0).sum(axis=0)
    nan = np.full(items, np.nan)
    mean = np.divide(total, n, out=nan.copy(), where=n > 0)
    squares = np.where(answered, (rows - mean) ** 2, 0.0).sum(axis=0)
    sd = np.sqrt(np.divide(squares, n - 1, out=nan.copy(), where=n > 1))
    values = np.unique(rows[answered])
    counts = (rows[:, :, None] == values).sum(axis=0)
    whole = rows[complete_rows(rows)]
    rest = np.array([_correlation(whole[:, j], whole.sum(1) - whole[:, j]) for j in range(items)])
    return ItemStatistics(n, len(rows) - n, mean, sd, rest, values, counts)


def cronbach_alpha(
    rows: Floats,
    level: float = 0.95,
    clusters: Integers | None = None,
    interval: str = "adf",
) -> ReliabilityEstimate:
    """Estimate Cronbach's alpha from the complete rows.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        NaN where there is no answer; items worded the other way are turned round already.
    level : float
    clusters : ndarray of int, shape (n,), optional
        Schools; whole schools then vary, with as many df as schools less one. Only with ``adf``.
    interval : str
        ``adf``: delta method on each row's influence, no distribution assumed, on the scale of
        log(1 - alpha); ``normal``: normal items (Duhachek and Iacobucci 2004,
        doi:10.1037/0021-9010.89.5.792); ``feldt``: exact if items are parallel and
        normal (Feldt 1965, doi:10.1007/BF02289499).

    Returns
    -------
    ReliabilityEstimate

    Raises
    ------
    UsageError
        No such interval.
    EstimationError
        Fewer than two items or three complete rows, or an item that does not vary.

    Examples
    --------
    >>> found = cronbach_alpha(np.array([[1.0, 2, 1], [2, 2, 3], [3, 4, 3], [4, 3, 4], [2, 1, 2]]))
    >>> round(found.estimate, 4), found.n
    (0.871, 5)
    """
    if interval not in INTERVALS:
        what = f"{interval!r} is not an interval for alpha"
        raise UsageError(Problem("interval", what, f"Choose among {', '.join(INTERVALS)}."))
    whole = complete_rows(rows)
    used = rows[whole]
    refuse_items(used, least=2)
    n, items = used.shape
    centred = used - used.mean(axis=0)
    own, together = (centred**2).sum(axis=1), centred.sum(axis=1) ** 2
    if not together.mean() > 1e-12 * own.mean():
        raise EstimationError(
            Problem(
                "alpha",
                "the items cancel out: their sum does not vary",
                "Turn the items round that are worded the other way, or leave one out.",
            ),
            flag="model_failed",
        )
    factor = items / (items - 1)
    share = own.mean() / together.mean()
    alpha = float(factor * (1 - share))
    if interval == "feldt":
        low, high = _feldt(alpha, n, items, level)
        return ReliabilityEstimate(alpha, float("nan"), low, high, n)
    if interval == "normal":
        error = _normal_error(centred.T @ centred / n, n)
        reach = float(student.ppf((1 + level) / 2, np.inf)) * error
        return ReliabilityEstimate(alpha, error, alpha - reach, alpha + reach, n)
    influence = factor * (share * together - own) / together.mean()
    return from_influence(alpha, influence, level, None if clusters is None else clusters[whole])


def from_influence(
    estimate: float, influence: Floats, level: float, clusters: Integers | None
) -> ReliabilityEstimate:
    """Turn each row's influence on a reliability into an error and an interval.

    Parameters
    ----------
    estimate : float
    influence : ndarray, shape (n,)
        Of mean zero.
    level : float
    clusters : ndarray of int, shape (n,), optional

    Returns
    -------
    ReliabilityEstimate
        The interval is symmetric for log(1 - reliability), which keeps it below one.

    Raises
    ------
    EstimationError
        All rows are of one cluster.
    """
    n = len(influence)
    sums = influence
    if clusters is not None:
        schools = np.unique(clusters, return_inverse=True)[1].ravel()
        sums = np.bincount(schools, influence).astype(np.float64)
    units = len(sums)
    if units < 2:
        raise EstimationError(
            Problem(
                "reliability by school",
                "all complete rows are of one school",
                "Leave the schools out, and read the interval as being about these pupils only.",
            ),
            flag="one_school",
        )
    error = float(np.sqrt(units / (units - 1) * np.sum(sums**2)) / n)
    quantile = float(student.ppf((1 + level) / 2, units - 1))
    room = 1 - estimate
    if room <= 1e-12:
        return ReliabilityEstimate(
            estimate, error, estimate - quantile * error, estimate + quantile * error, n
        )
    # Beyond this the interval has no lower end to speak of; exp would overflow.
    stretch = float(np.exp(min(quantile * error / room, 700.0)))
    return ReliabilityEstimate(estimate, error, 1 - room * stretch, 1 - room / stretch, n)


def refuse_items(rows: Floats, least: int) -> None:
    """Refuse complete rows of which no reliability can be had.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
    least : int
        Fewest items.

    Raises
    ------
    EstimationError
    """
    n, items = rows.shape
    problem = None
    if items < least:
        what = f"there are {items} items, and at least {least} are needed"
        problem = Problem("reliability", what, "Give more items of the scale.")
    elif n < 3:
        problem = Problem(
            "reliability",
            f"{n} rows have an answer to every item",
            "Give more rows, or leave out items that few were asked.",
        )
    else:
        still = np.flatnonzero(np.ptp(rows, axis=0) == 0)
        if len(still):
            named = ", ".join(str(position + 1) for position in still)
            problem = Problem(
                f"reliability, item {named}",
                f"all {n} complete rows give the same answer",
                "Leave the item out for every group that is compared.",
            )
    if problem:
        raise EstimationError(problem, flag="model_failed")


def _feldt(alpha: float, n: int, items: int, level: float) -> tuple[float, float]:
    """Return Feldt's interval: (1 - alpha) / (1 - estimate) is F on n - 1, (n - 1)(k - 1) df."""
    df = (n - 1, (n - 1) * (items - 1))
    upper, lower = fisher.ppf((1 + level) / 2, *df), fisher.ppf((1 - level) / 2, *df)
    return float(1 - (1 - alpha) * upper), float(1 - (1 - alpha) * lower)


def _normal_error(covariance: Floats, n: int) -> float:
    items, total, trace = len(covariance), covariance.sum(), np.trace(covariance)
    square = covariance @ covariance
    inner = total * (np.trace(square) + trace**2) - 2 * trace * square.sum()
    return float(np.sqrt(2 * items**2 / ((items - 1) ** 2 * total**3) * inner / n))


def _correlation(first: Floats, second: Floats) -> float:
    if len(first) < 2:
        return float("nan")
    one, two = first - first.mean(), second - second.mean()
    size = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / size) if size > 1e-12 * len(one) else float("nan")

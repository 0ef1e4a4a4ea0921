"""Leaving out pupils whom the arms do not share, by their chances of the arms alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.errors import Problem, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Rules of trimming by name; a number is the smallest chance allowed.
TRIMS: tuple[str, ...] = ("crump", "common_support")


def check_rule(rule: str | float) -> None:
    """Refuse a rule of trimming that is not there.

    Parameters
    ----------
    rule : str or float

    Raises
    ------
    UsageError
    """
    if isinstance(rule, str):
        check_choice("trim", rule, TRIMS)
    elif not 0 < rule < 0.5:
        raise UsageError(
            Problem(
                f"trim = {rule}",
                "this is the smallest chance of an arm that a pupil may have",
                "Give a number between 0 and 0.5, as 0.05, or one of " + ", ".join(TRIMS) + ".",
            )
        )


def rows_kept(chances: Floats, arm: Ints, base: Floats, rule: str | float) -> Flags:
    """Return the rows that a rule of trimming keeps.

    Parameters
    ----------
    chances : ndarray, shape (n, k)
    arm : ndarray of int, shape (n,)
    base : ndarray, shape (n,)
        Survey weights: a row of weight two is two rows.
    rule : str or float
        crump, common_support, or the smallest chance of any arm allowed.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> chances = np.array([[0.5, 0.5], [0.01, 0.99], [0.4, 0.6]])
    >>> rows_kept(chances, np.array([0, 1, 1]), np.ones(3), 0.1).tolist()
    [True, False, True]
    """
    if rule == "crump":
        cost = np.sum(1 / chances, axis=1)
        return np.asarray(cost <= crump_limit(cost, base))
    if rule == "common_support":
        lowest, highest = common_support(chances, arm)
        return np.asarray(np.all((chances >= lowest) & (chances <= highest), axis=1))
    return np.asarray(chances.min(axis=1) >= float(rule))


def crump_limit(cost: Floats, base: Floats) -> float:
    """Return the largest cost of a pupil whom it pays to keep.

    Keeping the pupils A, the variance of the best estimate of their average effect is as
    sum_A cost / |A|^2, cost being 1 / (e (1 - e)) of two arms: Crump, Hotz, Imbens and Mitnik
    (2009, doi:10.1093/biomet/asn055), theorem 1; sum_a 1 / e_a of several: Yang, Imbens, Cui,
    Faries and Kadziola (2016, doi:10.1111/biom.12505). The best A holds every pupil up to a limit,
    and the limit is found by trying each.

    Parameters
    ----------
    cost : ndarray, shape (n,)
    base : ndarray, shape (n,)

    Returns
    -------
    float

    Examples
    --------
    >>> crump_limit(np.array([4.0, 4.0, 5.0, 100.0]), np.ones(4))
    5.0
    """
    order = np.argsort(cost, kind="stable")
    ranked, size = cost[order], np.cumsum(base[order])
    variance = np.cumsum(base[order] * ranked) / size**2
    last_of_its_cost = np.append(ranked[1:] > ranked[:-1], True)
    places = np.flatnonzero(last_of_its_cost)
    return float(ranked[places[variance[places].argmin()]])


def common_support(chances: Floats, arm: Ints) -> tuple[Floats, Floats]:
    """Return the range of each arm's chance that pupils of every arm reach.

    Lopez and Gutman (2017, doi:10.1214/17-STS612), section 3.1: the largest of the arms' least
    chances, and the least of their largest.

    Parameters
    ----------
    chances : ndarray, shape (n, k)
    arm : ndarray of int, shape (n,)

    Returns
    -------
    lowest, highest : ndarray, shape (k,)

    Examples
    --------
    >>> chances = np.array([[0.2, 0.8], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])
    >>> lowest, highest = common_support(chances, np.array([0, 0, 1, 1]))
    >>> lowest.tolist(), highest.tolist()
    ([0.2, 0.5], [0.5, 0.8])
    """
    members = [chances[arm == position] for position in range(chances.shape[1])]
    lowest = np.max([group.min(axis=0) for group in members], axis=0)
    highest = np.min([group.max(axis=0) for group in members], axis=0)
    return lowest, highest

"""Cardinality matching: the largest balanced sample, as an integer program.

Zubizarreta, Paredes and Rosenbaum (2014, doi:10.1214/13-AOAS713). Rows of an arm that are alike in
every covariate stand in for one another, so a group of m of them is one whole number from 0 to m,
and the solver (HiGHS) need not try their orders. Fractions of groups bound the answer from above,
and lie close to it: most groups are taken as they say, and some hundreds are decided anew. Where
that falls short of the bound, all are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How far the solver may overstep a constraint; widths are drawn in by as much.
_SLACK = 1e-6

#: Groups that are decided anew once fractions have said which others to take. There are always
#: few fractions: no more than there are rules.
_SOME = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows that were chosen.

    Parameters
    ----------
    rows : ndarray of bool, shape (n,)
    bound : int
        No balanced sample has more rows than this.
    feasible : bool
        Whether a sample was found; where it was not and `stopped` is false, there
        is none.
    stopped : bool
        Whether time ran out.
    """

    rows: NDArray[np.bool_]
    bound: int
    feasible: bool
    stopped: bool

    @property
    def certified(self) -> bool:
        """Say whether no balanced sample is larger."""
        return self.feasible and int(self.rows.sum()) >= self.bound


def choose_balanced(
    columns: Floats,
    first: NDArray[np.bool_],
    widths: Floats,
    *,
    ratio: int | None = 1,
    target: Floats | None = None,
    whole: bool = False,
    seconds: float = 60.0,
) -> Chosen:
    """Choose as many rows as balance allows.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
    first : ndarray of bool, shape (n,)
        Rows of the first arm.
    widths : ndarray, shape (p,)
        Largest difference of means allowed, in the units of the columns.
    ratio : int, optional
        Rows of the second arm for one of the first; any number if there is none.
    target : ndarray, shape (p,), optional
        Means from which those of each arm may differ by the widths; without it
        the arms' means may differ from one another by them.
    whole : bool
        Whether the first arm is kept as it is.
    seconds : float
        When to stop, with the best found so far.

    Returns
    -------
    Chosen

    Examples
    --------
    >>> columns = np.array([[1.0], [3.0], [1.5], [9.0]])
    >>> first = np.array([True, True, False, False])
    >>> choose_balanced(columns, first, np.array([0.6])).rows.tolist()
    [True, False, True, False]
    """
    groups = _group(columns, first, whole=whole)
    rules = _rules(groups, widths, ratio, target, whole=whole)
    least = np.where(groups.fixed, groups.size, 0).astype(float)
    most = groups.size.astype(float)
    began = time.monotonic()
    step = 1 if ratio is None else 1 + ratio
    loose = _solve(rules, least, most, 0, seconds)
    bound = _whole_steps(loose.bound, step, len(columns))
    if loose.counts is None:
        return Chosen(
            np.zeros(len(columns), dtype=bool), bound, feasible=False, stopped=loose.stopped
        )
    # Told of the bound, the solver stops as soon as it is reached.
    rules.append(LinearConstraint(np.ones(len(groups.size)), 0, bound))
    near = _near(loose.counts, len(groups.size))
    best = _solve(
        rules,
        np.where(near, least, np.round(loose.counts)),
        np.where(near, most, np.round(loose.counts)),
        1,
        seconds if near.all() else seconds / 4,
    )
    stopped = False
    if best.total < bound and not near.all():
        left = seconds - (time.monotonic() - began)
        further = _solve(rules, least, most, 1, max(left, 1.0))
        bound = min(bound, _whole_steps(further.bound, step, len(columns)))
        stopped = further.stopped
        best = further if further.total > best.total else best
    elif near.all():
        bound, stopped = min(bound, _whole_steps(best.bound, step, len(columns))), best.stopped
    rows = np.zeros(len(columns), dtype=bool)
    if best.counts is not None:
        rows[groups.order] = groups.place < best.counts[groups.number]
    return Chosen(rows, bound, feasible=best.counts is not None, stopped=stopped)


@dataclass(frozen=True, slots=True)
class _Answer:
    counts: Floats | None
    total: int
    bound: float
    stopped: bool


def _solve(
    rules: list[LinearConstraint], least: Floats, most: Floats, integral: int, seconds: float
) -> _Answer:
    """Choose the most, in whole numbers or (integral = 0) in fractions too."""
    found = milp(
        -np.ones(len(least)),
        integrality=np.full(len(least), integral),
        bounds=Bounds(least, most),
        constraints=rules,
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    bound = -found.fun if integral == 0 and found.status == 0 else np.inf
    if integral and found.get("mip_dual_bound") is not None:
        bound = -found.mip_dual_bound
    counts = found.x
    if integral and counts is not None:
        # What the solver takes for whole is so within its slack only.
        counts = np.round(counts)
        counts = counts if _keeps(rules, counts) else None
    total = 0 if counts is None else int(counts.sum() + 0.5)
    return _Answer(counts, total, float(bound), found.status == 1)


def _keeps(rules: list[LinearConstraint], counts: Floats) -> bool:
    """Say whether whole numbers keep every rule, within what the widths were drawn in by."""
    slack = _SLACK * counts.sum()
    return all(
        bool(np.all(rule.A @ counts <= rule.ub + slack))
        and bool(np.all(rule.A @ counts >= rule.lb - slack))
        for rule in rules
    )


def _whole_steps(bound: float, step: int, most: int) -> int:
    """Round a bound down to what a sample of the ratio can have."""
    return int(min(bound, most) / step + _SLACK) * step


def _near(counts: Floats, size: int) -> NDArray[np.bool_]:
    """Mark the groups to decide anew: those in fractions, and some others spread evenly."""
    near = np.abs(counts - np.round(counts)) > _SLACK
    near[:: max(1, size // _SOME)] = True
    return near


@dataclass(frozen=True, slots=True)
class _Groups:
    """Rows of one arm that are alike: their values, how many they are, and who they are."""

    values: Floats
    first: NDArray[np.bool_]
    size: Ints
    fixed: NDArray[np.bool_]
    order: Ints
    number: Ints
    place: Ints


def _group(columns: Floats, first: NDArray[np.bool_], *, whole: bool) -> _Groups:
    keyed = np.column_stack([~first, columns])
    values, number = np.unique(keyed, axis=0, return_inverse=True)
    order = np.argsort(number, kind="stable")
    number = number[order]
    size = np.bincount(number)
    place = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    mine = values[:, 0] == 0
    return _Groups(values[:, 1:], mine, size, mine & whole, order, number, place)


def _rules(
    groups: _Groups, widths: Floats, ratio: int | None, target: Floats | None, *, whole: bool
) -> list[LinearConstraint]:
    """Write balance as rows that are linear in how many of each group are chosen."""
    one, two = groups.first.astype(float), (~groups.first).astype(float)
    unit = np.where(widths > 0, widths, 1.0)
    allowed = np.where(widths > 0, 1.0 - _SLACK, 0.0)
    centre = np.average(groups.values, axis=0, weights=groups.size) if target is None else target
    scaled = (groups.values - centre) / unit
    sides = [one - two / (ratio or 1)] if target is None else [one, -two]
    rules = [LinearConstraint(np.vstack([one, two]), 1, np.inf)]
    if ratio is not None:
        rules.append(LinearConstraint(ratio * one - two, 0, 0))
    for side in sides:
        if target is not None and whole and side is one:
            continue
        # |sum of differences| <= width times how many they are the mean of.
        count = one if target is None else np.abs(side)
        differences = scaled.T * side
        limit = allowed[:, None] * count
        rules.append(LinearConstraint(differences - limit, -np.inf, 0))
        rules.append(LinearConstraint(-differences - limit, -np.inf, 0))
    return rules

"""The true effects, from the potential outcomes of the pupils, added up area by area.

Every effect is a weighted mean of the pupils' own differences, so a world without effects has a
truth of exactly zero, and contrasts that share a target add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.placement import ARMS
from baseeval.worlds.scales import NEEDS, WAVES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.intp]

CONTRASTS = {"base_vs_host": (0, 1), "base_vs_non_host": (0, 2), "host_vs_non_host": (1, 2)}
ESTIMANDS = ("ATT", "ATC", "ATE", "ATO")
TARGETS = (*ARMS, "common")
FORM, EVERYONE = "level", "all"
SUBGROUPS = (
    EVERYONE,
    *(f"need={need}" for need in NEEDS),
    "ehcp=yes",
    "ehcp=no",
    "phase=primary",
    "phase=secondary",
)


@dataclass(frozen=True)
class Gaps:
    """Sums of weights and of weighted differences; those of two areas may be added.

    Attributes
    ----------
    weight : ndarray, shape (subgroups, contrasts, 4)
        Sum of the weights of each estimand.
    gap : dict of str to ndarray, shape (subgroups, contrasts, 4, waves)
        Outcome -> sum of weight times difference.
    target_weight : ndarray, shape (4,)
        Number of pupils of each target.
    target_gap : dict of str to ndarray, shape (4, contrasts, waves)
    """

    weight: Floats
    gap: dict[str, Floats]
    target_weight: Floats
    target_gap: dict[str, Floats]

    def __add__(self, other: Gaps) -> Gaps:
        """Add the pupils of another area."""
        return Gaps(
            self.weight + other.weight,
            {name: self.gap[name] + other.gap[name] for name in self.gap},
            self.target_weight + other.target_weight,
            {name: self.target_gap[name] + other.target_gap[name] for name in self.target_gap},
        )


def add_up(
    arm: Whole, probability: Floats, potential: Mapping[str, Floats], cell: Whole | None = None
) -> Gaps:
    """Add up the differences of the pupils of an area.

    Parameters
    ----------
    arm : ndarray of int, shape (pupils,)
        The arm that makes a pupil part of a target: the true one, or the recorded one.
    probability : ndarray, shape (pupils, 3)
    potential : mapping of str to ndarray, shape (pupils, waves, 3)
        Outcome -> expected outcome under each arm.
    cell : ndarray of int, shape (pupils,), optional
        From :func:`cell_of`; without it everyone is the only subgroup.

    Returns
    -------
    Gaps
    """
    if cell is None:
        cell, members = np.zeros(len(arm), dtype=np.intp), np.ones((1, 1))
    else:
        members = _MEMBERS
    # Sorted by cell, the pupils of each are a slice: every pupil is multiplied once.
    order = np.argsort(cell, kind="stable")
    ends = np.searchsorted(cell[order], np.arange(members.shape[1] + 1))
    slices = [slice(a, b) for a, b in pairwise(ends)]
    targets = np.stack([*(arm == at for at in range(len(ARMS))), np.ones(len(arm))])
    names, weight, gap, target_gap = list(potential), [], [], []
    for first, second in CONTRASTS.values():
        own = _weights(arm, probability, first, second)
        apart = np.concatenate([(y[:, :, first] - y[:, :, second]).T for y in potential.values()])
        target_gap.append(targets @ apart.T)
        if len(slices) > 1:
            own, apart = own.take(order, axis=1), apart.take(order, axis=1)
        weight.append(members @ np.stack([own[:, part].sum(axis=1) for part in slices]))
        in_cells = np.stack([own[:, part] @ apart[:, part].T for part in slices])
        gap.append(np.tensordot(members, in_cells, axes=1))
    by_outcome = np.stack(gap, axis=1).reshape(len(members), 3, 4, len(names), -1)
    by_target = np.stack(target_gap, axis=1).reshape(4, 3, len(names), -1)
    return Gaps(
        np.stack(weight, axis=1),
        {name: by_outcome[:, :, :, at] for at, name in enumerate(names)},
        targets.sum(axis=1),
        {name: by_target[:, :, at] for at, name in enumerate(names)},
    )


def cell_of(need: Whole, ehcp: Flags, primary: Flags) -> Whole:
    """Give each pupil the cell that decides which subgroups they belong to.

    Parameters
    ----------
    need : ndarray of int, shape (pupils,)
    ehcp, primary : ndarray of bool, shape (pupils,)

    Returns
    -------
    ndarray of int, shape (pupils,)
    """
    return (need * 2 + ehcp) * 2 + primary


def _members() -> Floats:
    """Say which cells make up each of ``SUBGROUPS``, shape (subgroups, cells)."""
    need, ehcp, primary = np.unravel_index(np.arange(4 * len(NEEDS)), (len(NEEDS), 2, 2))
    rows = [np.ones(len(need)), *(need == at for at in range(len(NEEDS)))]
    rows += [ehcp == 1, ehcp == 0, primary == 1, primary == 0]
    return np.array(rows, dtype=np.float64)


_MEMBERS = _members()


def _weights(arm: NDArray[np.intp], probability: Floats, first: int, second: int) -> Floats:
    """Weigh the pupils for each estimand of a contrast, shape (4, pupils)."""
    in_first, in_second = (np.asarray(arm == at, dtype=np.float64) for at in (first, second))
    both = probability[:, first] + probability[:, second]
    p = probability[:, first] / np.where(both > 0, both, 1)
    union = in_first + in_second
    return np.stack([in_first, in_second, union, union * p * (1 - p)])


def effect_tree(
    sums: Gaps,
    groups: Sequence[str],
    divisor: Callable[[str, str], float | None],
    forms: Sequence[str] = (FORM,),
) -> dict[str, Any]:
    """Lay effects out by contrast, outcome, form, wave, subgroup and estimand.

    Parameters
    ----------
    sums : Gaps
    groups : sequence of str
        The subgroups to lay out: the first so many of the sums.
    divisor : callable
        (outcome, wave) -> what to divide by; None where it cannot be had.
    forms : sequence of str
        ``level``, ``change`` and ``gap``. No arm adds anything at wave 1, nor to a matched
        peer's outcome, so an effect on either is the effect on the level.

    Returns
    -------
    dict
        None for an estimand of which there is no pupil.
    """
    tree: dict[str, Any] = {}
    for c, contrast in enumerate(CONTRASTS):
        for name, gap in sums.gap.items():
            waves = {
                str(wave): {
                    group: {
                        e: _mean(gap[g, c, k, w], sums.weight[g, c, k], divisor(name, str(wave)))
                        for k, e in enumerate(ESTIMANDS)
                    }
                    for g, group in enumerate(groups)
                }
                for w, wave in enumerate(WAVES)
            }
            later = {wave: found for wave, found in waves.items() if wave != str(WAVES[0])}
            tree.setdefault(contrast, {})[name] = {
                form: later if form == "change" else waves for form in forms
            }
    return tree


def target_tree(sums: Gaps) -> dict[str, Any]:
    """Lay out the mean difference over each arm's pupils, and over everybody's.

    Parameters
    ----------
    sums : Gaps

    Returns
    -------
    dict
        ``[target][contrast][outcome][form][wave][all]`` -> effect, or None for no pupil.
    """
    tree: dict[str, Any] = {}
    for t, target in enumerate(TARGETS):
        for c, contrast in enumerate(CONTRASTS):
            for name, gap in sums.target_gap.items():
                place = tree.setdefault(target, {}).setdefault(contrast, {}).setdefault(name, {})
                place[FORM] = {
                    str(wave): {EVERYONE: _mean(gap[t, c, w], sums.target_weight[t], 1.0)}
                    for w, wave in enumerate(WAVES)
                }
    return tree


def _mean(total: float, weight: float, by: float | None) -> float | None:
    if weight <= 0 or by is None:
        return None
    return float(total) / float(weight) / by


@dataclass(frozen=True)
class Spread:
    """Count, mean and sum of squares of each arm's observed values; two areas' may be added.

    Attributes
    ----------
    count, mean, squares : ndarray, shape (arms,)
    """

    count: Floats
    mean: Floats
    squares: Floats

    def __add__(self, other: Spread) -> Spread:
        """Add another area's values (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        share = np.divide(other.count, count, out=np.zeros_like(count), where=count > 0)
        squares = self.squares + other.squares + apart**2 * self.count * share
        return Spread(count, self.mean + apart * share, squares)

    def pooled_sd(self) -> float | None:
        """Give the unweighted pooled within-arm SD; None where it cannot be had.

        sqrt(sum (n_a - 1) s_a^2 / sum (n_a - 1)), over the arms that have two pupils or more.
        """
        enough = self.count > 1
        squares, df = float(self.squares[enough].sum()), float((self.count[enough] - 1).sum())
        return math.sqrt(squares / df) if squares > 0 else None


def spread_of(value: Floats, arm: NDArray[np.intp]) -> Spread:
    """Summarise observed values by arm; NaN is left out."""
    parts = []
    for which in range(len(ARMS)):
        seen = value[(arm == which) & ~np.isnan(value)]
        mean = float(seen.mean()) if len(seen) else 0.0
        parts.append((float(len(seen)), mean, float(((seen - mean) ** 2).sum())))
    count, mean_by_arm, squares = (np.array(column) for column in zip(*parts, strict=True))
    return Spread(count, mean_by_arm, squares)

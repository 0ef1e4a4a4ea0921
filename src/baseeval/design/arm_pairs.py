"""A design laid out for judging: its pairs of arms, and what every covariate is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.numerics.column_shares import Values
from baseeval.numerics.school_parts import school_shares
from baseeval.numerics.set_distance import set_distance
from baseeval.results import CONTRASTS, Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Estimands whose population the chances of being in each arm define.
_TILTED = ("ATO", "ATM", "ATEN")
_ORDINALS = ("first", "second", "third")


@dataclass(frozen=True, slots=True)
class ArmPair:
    """Two arms of a design, by their positions, and the contrast that they make."""

    first: int
    second: int
    contrast: str


@dataclass(frozen=True)
class Laid:
    """A design, with what is worked out once for all of its covariates.

    Parameters
    ----------
    design : Weights
    score : ndarray, shape (n,), optional
        Judged like a covariate, under the name `distance`.
    """

    design: Weights
    score: Floats | None = None

    @cached_property
    def pairs(self) -> tuple[ArmPair, ...]:
        """Return every pair of arms, the design's own contrast where there is one pair."""
        arms, names = self.design.arms, {pair: name for name, pair in CONTRASTS.items()}
        if len(arms) == 2:
            return (ArmPair(0, 1, self.design.contrast),)
        return tuple(
            ArmPair(one, two, names.get((arms[one], arms[two]), f"{arms[one]}_vs_{arms[two]}"))
            for one, two in combinations(range(len(arms)), 2)
        )

    @cached_property
    def arm(self) -> Ints:
        """Return each row's arm, shape (n,)."""
        return self.design.arm

    @cached_property
    def base(self) -> Floats:
        """Return the weight of each row before the design, shape (n,)."""
        base = self.design.base
        return np.ones(len(self.design.arm)) if base is None else base

    @cached_property
    def school(self) -> Ints | None:
        """Return each row's school as a code; None where the rows name none."""
        names = self.design.school
        if not len(names) or not (names != "").any():
            return None
        return pd.factorize(names)[0].astype(np.intp)

    @cached_property
    def by_school(self) -> dict[str, Floats]:
        """Return weight by arm and school, before and after."""
        if self.school is None:
            return {}
        weights = {"before": self.base, "after": self.design.weights}
        arms = len(self.design.arms)
        return {w: school_shares(self.arm, arms, self.school, weights[w]) for w in weights}

    @cached_property
    def rows(self) -> list[int]:
        """Return how many rows of each arm count before the design."""
        counts = np.bincount(self.arm[self.base > 0], minlength=len(self.design.arms))
        return [int(count) for count in counts]

    @cached_property
    def used(self) -> list[int]:
        """Return how many rows of each arm have a weight."""
        counts = np.bincount(self.arm[self.design.weights > 0], minlength=len(self.design.arms))
        return [int(count) for count in counts]

    @cached_property
    def schools_used(self) -> NDArray[np.bool_]:
        """Return which schools hold rows of an arm that have a weight, shape (k, s)."""
        if self.school is None:
            return np.zeros((len(self.design.arms), 0), dtype=bool)
        return np.asarray(self.by_school["after"] > 0)

    @cached_property
    def divided_by(self) -> int | None:
        """Return the arm whose spread divides differences; None for all arms together."""
        design = self.design
        if design.estimand not in ("ATT", "ATC"):
            return None
        if design.target in design.arms:
            return design.arms.index(design.target)
        # Two of three arms that were weighted to the third have no arm of their own.
        return ("ATT", "ATC").index(design.estimand) if design.arms == ("first", "second") else None

    @cached_property
    def target(self) -> Floats:
        """Return each row's share of the population that the answer is about, shape (n,)."""
        held = self._target
        return np.asarray(held / held.sum())

    @cached_property
    def squares(self) -> dict[str, Floats]:
        """Return the sum of squared weights of each arm, before and after."""
        weights = {"before": self.base, "after": self.design.weights}
        arms = len(self.design.arms)
        return {
            when: np.asarray(np.bincount(self.arm, own**2, arms), dtype=float)
            for when, own in weights.items()
        }

    @cached_property
    def _target(self) -> Floats:
        design, arms = self.design, len(self.design.arms)
        if design.estimand in ("ATT", "ATC") and self.divided_by is not None:
            return np.where(self.arm == self.divided_by, self.base, 0.0)
        # Two of three arms weighted to one target do not hold that target by themselves.
        is_whole = arms > 2 or design.target == "union"
        if design.estimand == "ATE" and is_whole:
            return self.base
        chances = design.propensity
        if chances is None or design.estimand not in _TILTED or not is_whole:
            total = np.bincount(self.arm, design.weights, arms)
            return design.weights / np.where(total > 0, total, 1.0)[self.arm]
        each = np.column_stack([chances, 1 - chances]) if chances.ndim == 1 else chances
        return self.base * np.nan_to_num(_tilt(each, design.estimand))

    @cached_property
    def _square_shares(self) -> Floats:
        weights = self.design.weights
        total = np.bincount(self.arm, weights, len(self.design.arms))
        return np.asarray((weights / np.where(total > 0, total, 1.0)[self.arm]) ** 2)

    def columns(self) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Give each covariate's name and its column, one at a time.

        Yields
        ------
        (covariate, level), ndarray
        """
        if self.score is not None:
            yield ("distance", ""), self.score
        for place, name in enumerate(self.design.names):
            yield name, np.ascontiguousarray(self.design.covariates[:, place], dtype=float)

    def count_used(self, column: Floats) -> Floats:
        """Add up a column over the rows of each arm that have a weight, shape (k,)."""
        used = self.design.weights > 0
        held = np.bincount(self.arm[used], column[used], len(self.design.arms))
        return np.asarray(held, dtype=float)

    def sum_by_school(self, column: Floats) -> Floats | None:
        """Sum weight times value by arm and school; None where the rows name no school."""
        if self.school is None:
            return None
        weighted = self.design.weights * column
        return school_shares(self.arm, len(self.design.arms), self.school, weighted)

    def squares_by_value(self, found: Values) -> Floats:
        """Sum squared shares of weight by arm and value of a column, shape (k, d)."""
        arms, d = len(self.design.arms), len(found.values)
        held = np.bincount(self.arm * d + found.codes, self._square_shares, arms * d)
        return np.asarray(held, dtype=float).reshape(arms, d)

    def partner_distance(self, pair: ArmPair, column: Floats) -> float:
        """Return the mean distance of partners; NaN where the design made none."""
        pairs, sets = self.design.pairs, self.design.subclass
        if pairs is not None:
            one, two = (pairs[f"{_ORDINALS[place]}_row"] for place in (pair.first, pair.second))
            both = ((one >= 0) & (two >= 0)).to_numpy()
            if not both.any():
                return float("nan")
            apart = column[one.to_numpy()[both]] - column[two.to_numpy()[both]]
            return float(np.mean(np.abs(apart)))
        if sets is None:
            return float("nan")
        rows = (sets >= 0) & np.isin(self.arm, (pair.first, pair.second))
        return set_distance(column[rows], sets[rows], self.arm[rows] == pair.first)


def _tilt(chances: Floats, estimand: str) -> Floats:
    """Return the tilting function of Li and Li (2019, doi:10.1214/19-AOAS1282), shape (n,)."""
    if estimand == "ATM":
        return np.asarray(chances.min(axis=1))
    if estimand == "ATEN":
        logs = np.log(chances, where=chances > 0, out=np.zeros_like(chances))
        return np.asarray(-np.sum(chances * logs, axis=1))
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.sum(1 / chances, axis=1))

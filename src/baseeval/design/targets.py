"""Whom balancing weights make the arms like, and what is said where they cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.moment_columns import moment_columns
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.errors import Problem
from baseeval.numerics.entropy import EntropyBalance
from baseeval.numerics.hull import NearestMeans, nearest_means
from baseeval.numerics.row_blocks import measure_spread

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: So many covariates are named; a gap smaller than a share of the largest is its shadow.
_NAMED, _SHADOW = 5, 0.2


@dataclass(frozen=True, slots=True)
class Balancing:
    """A sample with the columns to balance and the population to balance them to.

    Parameters
    ----------
    sample : DesignSample
    method : str
    columns : ndarray, shape (n, q)
    words : tuple of str
        What a message calls each column.
    focal : int, optional
        Position of the arm that is the target; None where all arms together are.
    """

    sample: DesignSample
    method: str
    columns: Floats
    words: tuple[str, ...]
    focal: int | None

    @property
    def moved(self) -> tuple[int, ...]:
        """Return the positions of the arms that are weighted."""
        return tuple(a for a in range(len(self.sample.arms)) if a != self.focal)

    @property
    def target_base(self) -> Floats:
        """Return the base weights of the target's rows, 0 for others, shape (n,)."""
        base = self.sample.base
        return base if self.focal is None else np.where(self.sample.arm == self.focal, base, 0.0)

    @property
    def target_words(self) -> str:
        """Return what a message calls the target."""
        return "all arms together" if self.focal is None else self.sample.arms[self.focal]

    def fixed_weights(self) -> Floats:
        """Return the base weights where the target's arm has them, 0 elsewhere."""
        none = np.zeros(len(self.sample.arm))
        return none if self.focal is None else self.target_base


def balancing(sample: DesignSample, method: str, settings: Settings) -> Balancing:
    """Lay out what a request asks to be balanced, and to whom.

    Parameters
    ----------
    sample : DesignSample
    method : str
    settings : Settings

    Returns
    -------
    Balancing

    Raises
    ------
    UsageError
    """
    columns, words = moment_columns(sample, settings.moments, settings.interactions)
    focal = {"ATT": settings.focal or 0, "ATC": 1}.get(settings.estimand)
    return Balancing(sample, method, columns, words, focal)


def weighted_means(columns: Floats, base: Floats) -> Floats:
    """Return the weighted mean of each column.

    Parameters
    ----------
    columns : ndarray, shape (n, q)
    base : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (q,)
    """
    means: Floats = base @ columns / base.sum()
    return means


def implied_notes(plan: Balancing, kept: Ints) -> tuple[str, ...]:
    """Say which covariates of numbers follow from others in an arm that is weighted.

    Parameters
    ----------
    plan : Balancing
    kept : ndarray of int
        Columns of the arm that vary and do not follow from those before them.

    Returns
    -------
    tuple of str
        One sentence, or none. That a category's levels imply one another is
        no news, of constants and copies every design tells, and that a square
        or product is implied changes nothing.
    """
    dropped = [
        f"`{covariate}`"
        for place, (covariate, level) in enumerate(plan.sample.names)
        if level == "" and place not in kept and not _is_repeat(plan.sample.columns, place)
    ]
    if not dropped:
        return ()
    what = "says" if len(dropped) == 1 else "say"
    return (f"{', '.join(dropped)} {what} nothing that the covariates before do not: left out.",)


def _is_repeat(columns: Floats, place: int) -> bool:
    """Return whether a column is constant, or the very same as one before it."""
    column = columns[:, place]
    before = (np.array_equal(columns[:, j], column) for j in range(place))
    return bool(np.ptp(column) == 0) or any(before)


def kernel_notes(plan: Balancing, position: int, found: EntropyBalance) -> tuple[str, ...]:
    """Say what entropy balancing left out of an arm: covariates, and pupils at an edge.

    Parameters
    ----------
    plan : Balancing
    position : int
        Of the arm.
    found : EntropyBalance

    Returns
    -------
    tuple of str
    """
    notes = implied_notes(plan, found.kept)
    none = int(np.sum(found.weights == 0))
    if none:
        whom = plan.target_words if plan.focal is not None else "whom they stand for"
        notes += (
            f"Of {plan.sample.arms[position]}, {none} pupils stand for nobody: {whom} has none "
            "with their value of a covariate.",
        )
    return notes


def unreachable(
    plan: Balancing,
    position: int,
    targets: Floats,
    target_words: str,
    found: NearestMeans | None = None,
    remedy: str = "allow a tolerance (`stable`)",
) -> Problem:
    """Word the refusal of an arm that no weights make like its target.

    Parameters
    ----------
    plan : Balancing
    position : int
        Of the arm.
    targets : ndarray, shape (q,)
    target_words : str
    found : NearestMeans, optional
        In standard deviations; found here where it is not given.
    remedy : str
        Besides the usual ones.

    Returns
    -------
    Problem
        It names covariates and, roughly, how far they stay away.
    """
    rows = plan.sample.arm == position
    arm = plan.sample.arms[position]
    if found is None:
        x, base = plan.columns[rows], plan.sample.base[rows]
        scale = measure_spread(plan.columns, targets, plan.sample.base).scale
        found = nearest_means(x, targets, scale, base)
    order = np.argsort(-np.abs(found.gap), kind="stable")
    large = [j for j in order if abs(found.gap[j]) > _SHADOW * abs(found.gap[order[0]])]
    # Rare levels of a covariate share their words: the largest gap among them is told.
    told = {plan.words[j]: found.gap[j] for j in reversed(large)}
    named = [
        f"{word} {_far(gap)} too {'low' if gap < 0 else 'high'}"
        for word, gap in sorted(told.items(), key=lambda each: -abs(each[1]))
    ]
    if len(named) > _NAMED:
        named[_NAMED:] = [f"and {len(named) - _NAMED} more"]
    nearest = (
        f"the nearest they come leaves {', '.join(named)}"
        if named
        else "the target lies at the very edge of what they can reach"
    )
    return Problem(
        f"design `{plan.method}`, {plan.sample.where}",
        f"no weights of the {int(rows.sum())} pupils of {arm} give the covariate means of "
        f"{target_words}: {nearest}",
        f"Adjust for fewer covariates, merge rare categories, {remedy}, or ask for the overlap "
        "(`propensity`, estimand ATO).",
    )


def _far(gap: float) -> str:
    size = abs(float(gap))
    if size < 0.1:
        return "less than 0.1 SD"
    return f"{size:.1f} SD" if size < 10 else f"{size:.0f} SD" if size < 100 else "over 100 SD"

"""Energy balancing: arms weighted so that whole distributions come near the target's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.targets import Balancing, balancing, weighted_means
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.energy import MOST_ROWS, EnergyBalance, balance_energy

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Beyond so many pupils in all, even comparing them takes too long.
_MOST_PUPILS = 100_000

#: Conditions met to this are met.
_MET = 1e-8


def energy_weights(sample: DesignSample, settings: Settings) -> Made:
    """Weight arms so that the energy distance to the target is least.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Weights are one (times survey weights) in the target's arm; on average
        one in each arm that is weighted. Some may be zero.

    Raises
    ------
    EstimationError
        There are too many pupils.
    """
    plan = balancing(sample, "energy", settings)
    points = _in_spreads(sample)
    weights = plan.fixed_weights()
    # Towards one arm each other arm is a program of its own; towards all, arms are also made
    # like one another, in one program.
    programs = [plan.moved] if plan.focal is None else [(position,) for position in plan.moved]
    goal = plan.target_base > 0
    notes = []
    for arms in programs:
        rows = np.isin(sample.arm, arms)
        _refuse_many(plan, points, rows)
        place = np.searchsorted(arms, sample.arm[rows])
        found = balance_energy(
            points[rows], place, sample.base[rows], points[goal], plan.target_base[goal]
        )
        _refuse_unsolved(plan, found)
        size = np.bincount(place, weights=sample.base[rows])
        weights[rows] = found.weights * size[place]
        named = " and ".join(sample.arms[position] for position in arms)
        notes.append(
            f"Energy distance of {named} to {plan.target_words}: "
            f"{found.before:.3g} before, {found.after:.3g} after."
        )
    return Made(weights=weights, notes=tuple(notes))


def _in_spreads(sample: DesignSample) -> Floats:
    """Return the covariates in standard deviations; of two levels, which say the same, one."""
    levels: dict[str, int] = {}
    for covariate, _ in sample.names:
        levels[covariate] = levels.get(covariate, 0) + 1
    seen: set[str] = set()
    kept = []
    for place, (covariate, level) in enumerate(sample.names):
        if level == "" or levels[covariate] != 2 or covariate in seen:
            kept.append(place)
        seen.add(covariate)
    columns = sample.columns[:, kept]
    centred = columns - weighted_means(columns, sample.base)
    spread = np.sqrt(weighted_means(centred**2, sample.base))
    varies = np.ptp(columns, axis=0) > 0
    points: Floats = centred[:, varies] / spread[varies]
    return points


def _refuse_many(plan: Balancing, points: Floats, rows: Flags) -> None:
    what = ""
    if len(rows) > _MOST_PUPILS:
        what = f"{len(rows):,} pupils are more than the {_MOST_PUPILS:,} it takes"
    elif rows.sum() > MOST_ROWS:
        count = len(np.unique(points[rows], axis=0))
        if count > MOST_ROWS:
            what = (
                f"of those weighted at once {count:,} differ, more than the {MOST_ROWS:,} it takes"
            )
    if what:
        raise EstimationError(
            Problem(
                f"design `{plan.method}`, {plan.sample.where}",
                f"it compares every pupil with every other, and {what}",
                "Use `entropy` with `moments = 2`, which has no such limit.",
            )
        )


def _refuse_unsolved(plan: Balancing, found: EnergyBalance) -> None:
    if found.conditions.largest > _MET:
        raise EstimationError(
            Problem(
                f"design `{plan.method}`, {plan.sample.where}",
                "the quadratic program was not solved: the conditions of its optimum are missed by "
                f"{found.conditions.largest:.0e}",
                "Use `entropy` with `moments = 2`.",
            )
        )


SPEC = DesignSpec(
    name="energy",
    kind="weight",
    summary="Weights pupils so that the arms' whole distributions of covariates come together",
    words="weights that bring the groups’ whole distributions together",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=energy_weights,
    source="Huling and Mak (2024), doi:10.1515/jci-2022-0029",
)

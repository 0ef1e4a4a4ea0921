"""Bounds: how low and how high an effect can be, whatever the missing outcomes are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.effects.estimating import estimate_one
from baseeval.effects.occasions import Occasion
from baseeval.effects.spec import ModelSpec
from baseeval.results import Effect, Weights

Floats = NDArray[np.float64]


def worst_cases(
    values: Floats, first: NDArray[np.bool_], low: float, high: float
) -> tuple[Floats, Floats]:
    """Fill missing outcomes so that first less second is least, and so that it is greatest.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where missing.
    first : ndarray of bool, shape (n,)
        True for the first arm.
    low, high : float
        Lowest and highest possible value.

    Returns
    -------
    least, greatest : ndarray, shape (n,)

    Notes
    -----
    C. F. Manski (1990), Nonparametric bounds on treatment effects, American
    Economic Review 80(2), 319-323. See ``docs/methods/outcomes.md``.

    Examples
    --------
    >>> least, greatest = worst_cases(
    ...     np.array([0.5, np.nan, np.nan]), np.array([True, True, False]), 0.0, 1.0
    ... )
    >>> least.tolist(), greatest.tolist()
    ([0.5, 0.0, 1.0], [0.5, 1.0, 0.0])
    """
    missing = np.isnan(values)
    least = np.where(missing, np.where(first, low, high), values)
    greatest = np.where(missing, np.where(first, high, low), values)
    return least, greatest


def bound_rows(
    cohort: Cohort, time: Occasion, design: Weights, spec: ModelSpec, main: Effect
) -> list[Effect]:
    """Estimate the lowest and the highest effect that an outcome's missing values allow.

    Parameters
    ----------
    cohort : Cohort
    time : Occasion
    design : Weights
    spec : ModelSpec
    main : Effect
        The row of those who have the outcome.

    Returns
    -------
    list of Effect
        None where the plan gives the outcome no bounds. They are secondary and
        in no family; each interval is that of its own end.
    """
    if time.outcome.bounds is None:
        return []
    held = pd.Series(time.values["value"].to_numpy(), index=time.values["pupil"].to_numpy())
    values = held.reindex(design.pupil).to_numpy(dtype=float)
    filled = np.isnan(values) & (design.weights > 0)
    ends = worst_cases(values, design.treated, *time.outcome.bounds)
    rows = []
    for variant, outcome in zip(("bound_low", "bound_high"), ends, strict=True):
        everyone = pd.DataFrame({"pupil": design.pupil, "value": outcome})
        row = estimate_one(cohort, replace(time, values=everyone), design, spec, headline=False)
        rows.append(
            replace(
                row,
                variant=variant,
                unlike_first=main.unlike_first,
                unlike_second=main.unlike_second,
                filled_first=int(np.sum(filled & design.treated)),
                filled_second=int(np.sum(filled & ~design.treated)),
            )
        )
    return rows

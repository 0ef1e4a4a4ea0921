"""Occasions: one outcome in one form at one wave, and the standard deviation it is read in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.plan import OutcomeSection
from baseeval.results import CONTRASTS


@dataclass(frozen=True, slots=True)
class Occasion:
    """One outcome in one form at one wave, over all arms.

    Parameters
    ----------
    outcome : OutcomeSection
    form, wave : str
    values : pandas.DataFrame
        ``pupil, school, arm, value``, ordered by school and pupil.
    sd : float
        The standardiser: unweighted pooled within-arm standard deviation of
        the level at this wave, over all arms.
    level : pandas.DataFrame
        ``pupil, value``: the level at this wave, whatever the form.
    """

    outcome: OutcomeSection
    form: str
    wave: str
    values: pd.DataFrame
    sd: float
    level: pd.DataFrame


def occasions(cohort: Cohort) -> list[Occasion]:
    """List what can be estimated, in the order of the plan, forms and waves.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    list of Occasion
        The baseline wave and those before it are no outcomes: placement cannot
        have changed them.
    """
    baseline = cohort.plan.data.baseline_wave
    start = 0 if baseline is None else cohort.waves.index(baseline) + 1
    later = cohort.waves[start:]
    found = []
    for outcome in cohort.plan.outcomes:
        mine = cohort.outcomes.filter(nw.col("outcome") == outcome.name)
        table = cohort.engine.collect(mine, ["form", "wave", "school", "pupil"]).to_pandas()
        for form in outcome.forms:
            for wave in later:
                at = table[(table["form"] == form) & (table["wave"] == wave)]
                level = table[(table["form"] == "level") & (table["wave"] == wave)]
                if len(at):
                    values = at[["pupil", "school", "arm", "value"]].reset_index(drop=True)
                    known = level[["pupil", "value"]]
                    found.append(Occasion(outcome, form, wave, values, pooled_sd(level), known))
    return found


def pooled_sd(level: pd.DataFrame) -> float:
    """Return the unweighted pooled within-arm standard deviation.

    Parameters
    ----------
    level : pandas.DataFrame
        ``arm, value``.

    Returns
    -------
    float
        NaN where the values do not vary, or no arm has two pupils.

    Examples
    --------
    >>> pooled_sd(pd.DataFrame({"arm": ["a", "a", "b", "b"], "value": [1.0, 3.0, 5.0, 9.0]}))
    2.23606797749979
    """
    groups = [group.to_numpy() for _, group in level.groupby("arm", sort=True)["value"]]
    free = sum(len(values) - 1 for values in groups)
    squares = sum(float(np.sum((values - values.mean()) ** 2)) for values in groups)
    sd = math.sqrt(squares / free) if free > 0 else 0.0
    largest = float(level["value"].abs().max()) if len(level) else 0.0
    # What rounding leaves of a constant is no spread.
    return sd if sd > 1e-10 * largest else float("nan")


def covered(times: Sequence[Occasion], contrast: str) -> Iterator[Occasion]:
    """Yield the occasions at which both arms of a contrast have an outcome that serves it.

    Parameters
    ----------
    times : sequence of Occasion
    contrast : str

    Yields
    ------
    Occasion
    """
    for time in times:
        has_both = set(CONTRASTS[contrast]) <= set(time.values["arm"])
        if has_both and time.outcome.serves(contrast):
            yield time


def smallest_in_sd(time: Occasion) -> float:
    """Return the smallest effect of interest in standard deviations.

    Parameters
    ----------
    time : Occasion

    Returns
    -------
    float
        NaN where the plan names none.
    """
    size = time.outcome.smallest_effect
    if size is None:
        return float("nan")
    return size if time.outcome.smallest_effect_unit == "sd" else size / time.sd

"""Describing: every outcome by arm and wave, no cause claimed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.measures.commonest import unlike_the_rest
from baseeval.measures.kinds import unit_of

_COLUMNS = [
    "outcome",
    "form",
    "wave",
    "arm",
    "pupils",
    "schools",
    "missing",
    "mean",
    "sd",
    "p25",
    "p50",
    "p75",
    "unit",
    "unlike",
]


def describe(cohort: Cohort) -> pd.DataFrame:
    """Describe every outcome by arm and wave, no cause claimed.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    pandas.DataFrame
        ``outcome, form, wave, arm, pupils, schools, missing, mean, sd, p25, p50,
        p75, unit``, before disclosure control, and ``unlike``, which it reads and
        drops: from `unlike_the_rest`.
    """
    levels = cohort.engine.collect(cohort.outcomes, ["outcome", "form", "wave", "school", "pupil"])
    frame = levels.to_pandas()
    frame = frame[frame["form"] == "level"]
    missing = cohort.missing[cohort.missing["role"] == "outcome"]
    lost = missing.groupby(["name", "wave", "arm"])["missing"].sum()
    records = []
    for outcome in cohort.plan.outcomes:
        for wave in cohort.waves:
            for arm in cohort.arms:
                at = frame[
                    (frame["outcome"] == outcome.name)
                    & (frame["wave"] == wave)
                    & (frame["arm"] == arm)
                ]
                if at.empty:
                    continue
                values = at["value"].to_numpy(dtype=float)
                quarter, half, three = np.percentile(values, [25, 50, 75])
                records.append(
                    {
                        "outcome": outcome.name,
                        "form": "level",
                        "wave": wave,
                        "arm": arm,
                        "pupils": len(values),
                        "schools": at["school"].nunique(),
                        "missing": int(lost.get((outcome.name, wave, arm), 0)),
                        "mean": float(values.mean()),
                        "sd": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
                        "p25": float(quarter),
                        "p50": float(half),
                        "p75": float(three),
                        "unit": unit_of(outcome),
                        "unlike": unlike_the_rest(values),
                    }
                )
    return pd.DataFrame.from_records(records, columns=_COLUMNS)

"""Whom an answer describes: the pupils that a design weighs, beside all base pupils."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.numerics.column_shares import shares_of, values_of
from baseeval.results import ARMS, Weights

Floats = NDArray[np.float64]

_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "target",
    "covariate",
    "level",
    "kind",
    "mean_described",
    "mean_base",
    "smd",
    "n_described",
    "n_base",
    "n_left_out",
    "count_described",
    "count_base",
    "count_left_out",
    "schools_described",
    "schools_base",
    "fewest_left_out",
]


@dataclass(frozen=True, slots=True)
class _Described:
    """The rows of a design that its answer is about, with their weights."""

    rows: NDArray[np.bool_]
    weights: Floats
    are_base: bool


def describe_target(cohort: Cohort, designs: Iterable[Weights]) -> pd.DataFrame:
    """Compare the pupils whom each answer describes with all base pupils of the study.

    Parameters
    ----------
    cohort : Cohort
    designs : iterable of Weights
        Made from it, of two arms each.

    Returns
    -------
    pandas.DataFrame
        One row a design and covariate: the weighted mean of those described, the
        mean of every base pupil whose value is known, their difference over the
        standard deviation of the latter, and what disclosure control needs: also
        the fewest base pupils, if any, whom any of the designs leaves out, for a
        mean of all less that of a design's own would be theirs. Empty where the
        study has no base pupils.

    Notes
    -----
    Under ATT and ATC those described are the target arm's pupils whom the design
    keeps; under other estimands both arms, each with the same weight in all.
    """
    several = [design for design in designs if design.names]
    if ARMS[0] not in cohort.arms or not several:
        return pd.DataFrame(columns=_COLUMNS)
    wanted = list(dict.fromkeys(name for design in several for name, _ in design.names))
    rows = cohort.covariates.filter(nw.col("arm") == ARMS[0]).select("pupil", "school", *wanted)
    base = cohort.engine.collect(rows, ["school", "pupil"]).to_pandas()
    lacking = _lacking(several, base["pupil"].to_numpy(dtype=str))
    return pd.DataFrame.from_records(
        [row for design in several for row in _rows(design, base, lacking)], columns=_COLUMNS
    )


def _lacking(designs: list[Weights], pupils: NDArray[np.str_]) -> list[NDArray[np.bool_]]:
    """Return which base pupils are not in a design, and which it does not use, for each."""
    found = []
    for design in designs:
        if ARMS[0] in design.arms:
            mine = design.arm == design.arms.index(ARMS[0])
            for rows in (mine, mine & (design.weights > 0)):
                found.append(~np.isin(pupils, design.pupil[rows]))
    return found


def _rows(
    design: Weights, base: pd.DataFrame, lacking: list[NDArray[np.bool_]]
) -> list[dict[str, object]]:
    described = _described(design)
    schools = len(set(design.school[described.rows]))
    rows: list[dict[str, object]] = []
    for place, (covariate, level) in enumerate(design.names):
        known = base[covariate].notna().to_numpy()
        whole = _column(base.loc[known, covariate], level)
        if not len(whole):
            continue
        part = design.covariates[described.rows, place].astype(float)
        shares = shares_of(values_of(whole), np.zeros(len(whole), int), 1, np.ones(len(whole)))
        mean, spread = float(shares.means()[0]), float(np.sqrt(shares.variances()[0]))
        mine = float(np.average(part, weights=described.weights))
        counted = shares.is_binary and values_of(part).is_binary
        counts = (float(part.sum()), float(whole.sum())) if counted else (np.nan, np.nan)
        fewest = [int(np.sum(known & out)) for out in lacking]
        left = len(whole) - len(part) if described.are_base else np.nan
        rows.append(
            {
                "contrast": design.contrast,
                "design": design.method,
                "estimand": design.estimand,
                "target": design.target,
                "covariate": covariate,
                "level": level,
                "kind": "share" if counted else "mean",
                "mean_described": mine,
                "mean_base": mean,
                "smd": (mine - mean) / spread if spread > 0 else np.nan,
                "n_described": len(part),
                "n_base": len(whole),
                "n_left_out": left,
                "count_described": counts[0],
                "count_base": counts[1],
                "count_left_out": counts[1] - counts[0] if described.are_base else np.nan,
                "schools_described": schools,
                "schools_base": base.loc[known, "school"].nunique(),
                "fewest_left_out": min([few for few in fewest if few], default=np.nan),
            }
        )
    return rows


def _described(design: Weights) -> _Described:
    used = design.weights > 0
    if design.estimand in ("ATT", "ATC") and design.target in design.arms:
        rows = used & (design.arm == design.arms.index(design.target))
        return _Described(rows, design.weights[rows], design.target == ARMS[0])
    total = np.bincount(design.arm, design.weights, len(design.arms))
    even = design.weights / np.where(total > 0, total, 1.0)[design.arm]
    return _Described(used, even[used], False)


def _column(values: pd.Series, level: str) -> Floats:
    """Return a number as it is, and of a category whether it is at the level."""
    if level:
        return np.asarray(values.astype(str) == level, dtype=float)
    return values.to_numpy(dtype=float)

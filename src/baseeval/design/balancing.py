"""Judging a design: how alike the arms are before and after it, and whom it keeps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.numerics.balance import compare, effective_size, is_binary, standardiser
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.logit import fit_logit
from baseeval.results import Balance, Weights

Floats = NDArray[np.float64]

#: A design is flagged `poor_overlap` when more of the target than this lies outside
#: the other arm's range of propensities, or is left without a match.
OUTSIDE_LIMIT = 0.10


def check_balance(designs: Weights | Iterable[Weights]) -> Balance:
    """Compare the covariates of the arms before and after one design or several.

    Parameters
    ----------
    designs : Weights or iterable of Weights

    Returns
    -------
    Balance
        Mean differences are divided by the unweighted standard deviation of
        the first arm under ATT, of the second under ATC, and by the root of
        the mean of both variances otherwise, before and after alike.

    Examples
    --------
    >>> weights = Weights(
    ...     weights=np.array([1.0, 1.0, 1.0, 0.0]),
    ...     treated=np.array([True, True, False, False]),
    ...     covariates=np.array([[1.0], [3.0], [2.0], [9.0]]),
    ...     names=(("age", ""),),
    ...     method="nearest",
    ...     estimand="ATT",
    ...     target="first",
    ... )
    >>> float(check_balance(weights).table.loc[0, "smd_after"])
    0.0
    """
    several = [designs] if isinstance(designs, Weights) else list(designs)
    rows = [row for design in several for row in _balance_rows(design)]
    overlap = [_overlap_row(design, rows) for design in several]
    return Balance(
        pd.DataFrame.from_records(rows, columns=_BALANCE_COLUMNS),
        pd.DataFrame.from_records(overlap, columns=_OVERLAP_COLUMNS),
    )


_BALANCE_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "covariate",
    "level",
    "mean_first_before",
    "mean_second_before",
    "mean_first_after",
    "mean_second_after",
    "smd_before",
    "smd_after",
    "variance_ratio_before",
    "variance_ratio_after",
    "ks_before",
    "ks_after",
    "n_first",
    "n_second",
    "count_first",
    "count_second",
]

_OVERLAP_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "target",
    "n_first",
    "n_second",
    "n_effective_first",
    "n_effective_second",
    "schools_first",
    "schools_second",
    "share_outside_support",
    "max_smd_before",
    "max_smd_after",
    "flags",
]


def _balance_rows(design: Weights) -> list[dict[str, object]]:
    first, used = design.treated, design.weights > 0
    rows: list[dict[str, object]] = []
    for position, (covariate, level) in enumerate(design.names):
        column = design.covariates[:, position]
        sd = standardiser(column, first, design.estimand)
        before = compare(column, first, np.ones(len(column)), sd)
        after = compare(column, first, design.weights, sd)
        counted = bool(level) or is_binary(column)
        counts = [
            float(np.sum(column[group & used])) if counted else np.nan for group in (first, ~first)
        ]
        rows.append(
            {
                "contrast": design.contrast,
                "design": design.method,
                "estimand": design.estimand,
                "covariate": covariate,
                "level": level,
                "mean_first_before": before.mean_first,
                "mean_second_before": before.mean_second,
                "mean_first_after": after.mean_first,
                "mean_second_after": after.mean_second,
                "smd_before": before.smd,
                "smd_after": after.smd,
                "variance_ratio_before": before.variance_ratio,
                "variance_ratio_after": after.variance_ratio,
                "ks_before": before.ks,
                "ks_after": after.ks,
                "n_first": int(np.sum(first & used)),
                "n_second": int(np.sum(~first & used)),
                "count_first": counts[0],
                "count_second": counts[1],
            }
        )
    return rows


def _overlap_row(design: Weights, rows: list[dict[str, object]]) -> dict[str, object]:
    first, used = design.treated, design.weights > 0
    mine = pd.DataFrame(
        [r for r in rows if (r["contrast"], r["design"]) == (design.contrast, design.method)],
        columns=_BALANCE_COLUMNS,
    )
    outside = max(share_outside(design), share_unmatched(design))
    flags = [*design.flags, *(["poor_overlap"] if outside > OUTSIDE_LIMIT else [])]
    schools = [
        len(set(design.school[group & used])) if (design.school != "").any() else 0
        for group in (first, ~first)
    ]
    return {
        "contrast": design.contrast,
        "design": design.method,
        "estimand": design.estimand,
        "target": design.target,
        "n_first": int(np.sum(first & used)),
        "n_second": int(np.sum(~first & used)),
        "n_effective_first": effective_size(design.weights[first]),
        "n_effective_second": effective_size(design.weights[~first]),
        "schools_first": schools[0],
        "schools_second": schools[1],
        "share_outside_support": outside,
        "max_smd_before": largest(mine["smd_before"]),
        "max_smd_after": largest(mine["smd_after"]),
        "flags": ";".join(flags),
    }


def largest(differences: pd.Series[float]) -> float:
    """Return the largest mean difference in size; infinite where one is undefined.

    Parameters
    ----------
    differences : pandas.Series

    Returns
    -------
    float
        NaN where there is no covariate.
    """
    if differences.empty:
        return float("nan")
    sizes = differences.abs()
    return float("inf") if sizes.isna().any() else float(sizes.max())


def share_unmatched(design: Weights) -> float:
    """Return the share of the target's pupils whom the design left out.

    Parameters
    ----------
    design : Weights

    Returns
    -------
    float
    """
    return float(np.mean(design.weights[_target(design)] == 0))


def share_outside(design: Weights) -> float:
    """Return the share of the target whose propensity nobody of the other arm reaches.

    Parameters
    ----------
    design : Weights
        Its propensity is used where it has one, else fitted here.

    Returns
    -------
    float
        0 without covariates.
    """
    if not design.names:
        return 0.0
    score = design.propensity
    if score is None:
        regressors = np.column_stack([np.ones(len(design.treated)), design.covariates])
        kept = independent_columns(regressors)
        score = fit_logit(regressors[:, kept], design.treated).probability
    known = np.isfinite(score)
    outside = []
    for arm in (design.treated, ~design.treated):
        group, other = score[arm & known], score[~arm & known]
        beyond = (group < other.min(initial=np.inf)) | (group > other.max(initial=-np.inf))
        outside.append((arm & known, beyond))
    target = _target(design)
    total = sum(int(np.sum(target & arm)) for arm, _ in outside)
    beyond_count = sum(int(np.sum(beyond[target[arm]])) for arm, beyond in outside)
    return beyond_count / total if total else 0.0


def _target(design: Weights) -> NDArray[np.bool_]:
    if design.estimand == "ATT":
        return design.treated
    if design.estimand == "ATC":
        return ~design.treated
    return np.ones_like(design.treated)

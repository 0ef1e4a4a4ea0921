"""Whom a design keeps, and who of its target has somebody alike in the other arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.design.arm_pairs import ArmPair, Laid
from baseeval.design.scoring import fit_chances
from baseeval.numerics.balance import design_effect, effective_size
from baseeval.results import WORST_PAIR, Weights, balance_band, worst_chance

Floats = NDArray[np.float64]
Row = dict[str, object]

#: A design is flagged `poor_overlap` when more of the target than this lies outside
#: the other arm's range of propensities, or is left without a match.
OUTSIDE_LIMIT = 0.10

#: Equal parts of the range of chances in which pupils are counted.
BINS = 20


def overlap_rows(laid: Laid, rows: list[Row], icc: float | None) -> tuple[list[Row], list[Row]]:
    """Judge the overlap of each pair of a design's arms.

    Parameters
    ----------
    laid : Laid
    rows : list of dict
        From `balance_rows`, of this design.
    icc : float, optional
        Share of an outcome's variance that lies between schools.

    Returns
    -------
    overlap : list of dict
        One a pair, then the worst pair where there are several.
    propensity : list of dict
        How the arms of each pair lie over the chance of being in the first.
    """
    found, binned = [], []
    for pair in laid.pairs:
        mine = [row for row in rows if row["contrast"] == pair.contrast]
        design = _of_pair(laid, pair)
        score = score_of(design)
        found.append(_row(laid, pair, mine, share_outside(design, score), icc))
        if score is not None:
            binned += _bins(laid, pair, design, score)
    if len(found) > 1:
        found.append(_worst(found))
    return found, binned


def score_of(design: Weights) -> Floats | None:
    """Return the chance of being in the first of two arms, shape (n,).

    Parameters
    ----------
    design : Weights
        Of two arms. Its propensity is used where it has one, else fitted here.

    Returns
    -------
    ndarray or None
        NaN for a row that had no part in the design; None without covariates.
    """
    if design.propensity is not None:
        return design.propensity
    if not design.names:
        return None
    return fit_chances(design.covariates, design.arm, 2, design.base)[:, 0]


def share_outside(design: Weights, score: Floats | None) -> float:
    """Return the share of the target whose propensity nobody of the other arm reaches.

    Parameters
    ----------
    design : Weights
        Of two arms.
    score : ndarray, shape (n,), optional
        From :func:`score_of`.

    Returns
    -------
    float
        0 without covariates.
    """
    if score is None:
        return 0.0
    known = np.isfinite(score)
    target = _target(design)
    total = beyond = 0
    for arm in (design.treated, ~design.treated):
        group, other = score[arm & known & target], score[~arm & known]
        total += len(group)
        beyond += int(np.sum((group < other.min(initial=np.inf)) | (group > other.max(initial=0))))
    return beyond / total if total else 0.0


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


def _of_pair(laid: Laid, pair: ArmPair) -> Weights:
    design = laid.design
    if len(design.arms) == 2:
        return design
    return design.between(design.arms[pair.first], design.arms[pair.second], pair.contrast)


def _row(laid: Laid, pair: ArmPair, mine: list[Row], outside: float, icc: float | None) -> Row:
    design, sides = laid.design, {"first": pair.first, "second": pair.second}
    outside = max(outside, share_unmatched(_of_pair(laid, pair)))
    flags = [*design.flags, *(["poor_overlap"] if outside > OUTSIDE_LIMIT else [])]
    row: Row = {
        "contrast": pair.contrast,
        "design": design.method,
        "estimand": design.estimand,
        "target": design.target,
    }
    weights = {side: design.weights[laid.arm == place] for side, place in sides.items()}
    row |= {f"n_{side}": laid.used[place] for side, place in sides.items()}
    row |= {f"n_effective_{side}": effective_size(own) for side, own in weights.items()}
    row |= {f"schools_{side}": int(laid.schools_used[place].sum()) for side, place in sides.items()}
    sizes = {when: pd.Series([row[f"smd_{when}"] for row in mine]) for when in ("before", "after")}
    after = largest(sizes["after"].astype(float))
    row |= {
        "share_outside_support": outside,
        "max_smd_before": largest(sizes["before"].astype(float)),
        "max_smd_after": after,
        "flags": ";".join(flags),
        "schools_shared": int(laid.schools_used[[pair.first, pair.second]].all(axis=0).sum()),
    }
    row |= {f"design_effect_{side}": design_effect(own) for side, own in weights.items()}
    row |= {f"cluster_effect_{side}": _clustered(laid, sides[side], icc) for side in sides}
    band = "" if np.isnan(after) else balance_band(after)
    return row | {"band": band, "chance": worst_chance(str(each["chance"]) for each in mine)}


def _clustered(laid: Laid, arm: int, icc: float | None) -> float:
    if icc is None or laid.school is None:
        return float("nan")
    rows = laid.arm == arm
    return design_effect(laid.design.weights[rows], laid.school[rows], icc)


def _worst(rows: list[Row]) -> Row:
    """Return the worst pair: the largest of what should be small."""
    worst = dict(rows[0]) | {"contrast": WORST_PAIR}
    for name in ("share_outside_support", "max_smd_before", "max_smd_after"):
        worst[name] = max(float(str(row[name])) for row in rows)
    for name in worst:
        if name.endswith(("_first", "_second", "_shared")):
            worst[name] = np.nan
    worst["chance"] = worst_chance(str(row["chance"]) for row in rows)
    worst["band"] = balance_band(float(str(worst["max_smd_after"])))
    flags = dict.fromkeys(code for row in rows for code in str(row["flags"]).split(";") if code)
    return worst | {"flags": ";".join(flags)}


def _bins(laid: Laid, pair: ArmPair, design: Weights, score: Floats) -> list[Row]:
    """Count pupils, and add up weights, by arm and part of the range of chances."""
    base = np.ones(len(design.arm)) if design.base is None else design.base
    known = np.isfinite(score)
    preference = _preference(np.where(known, score, 0.5), design.treated & known, known, base)
    school = laid.school
    if school is not None:
        school = school[np.isin(laid.arm, (pair.first, pair.second))]
    place = np.minimum((preference * BINS).astype(np.intp), BINS - 1)
    rows: list[Row] = []
    for side, arm in enumerate((pair.first, pair.second)):
        mine = known & (design.arm == side)
        pupils = np.bincount(place[mine], minlength=BINS)
        before, after = (
            np.bincount(place[mine], weights[mine], BINS) for weights in (base, design.weights)
        )
        counting = {
            when: np.bincount(place[mine & (weights > 0)], minlength=BINS)
            for when, weights in (("before", base), ("after", design.weights))
        }
        schools = 0 if school is None else int(np.sum(np.bincount(school[mine]) > 0))
        rows += [
            {
                "contrast": pair.contrast,
                "design": design.method,
                "estimand": design.estimand,
                "arm": laid.design.arms[arm],
                "low": at / BINS,
                "high": (at + 1) / BINS,
                "pupils": int(pupils[at]),
                "share_before": before[at] / max(before.sum(), 1e-300),
                "share_after": after[at] / max(after.sum(), 1e-300),
                "counting_before": int(counting["before"][at]),
                "counting_after": int(counting["after"][at]),
                "schools": schools,
            }
            for at in range(BINS)
        ]
    return rows


def _preference(
    score: Floats, first: NDArray[np.bool_], known: NDArray[np.bool_], base: Floats
) -> Floats:
    """Return the chance of being in the first arm, were both arms equally large.

    The preference score of Walker et al. (2013, doi:10.2147/CER.S40357): where one arm is rare,
    every chance is near zero, and the arms would seem to overlap whatever they are like.
    """
    odds = base[first].sum() / max(base[known & ~first].sum(), 1e-300)
    even = score / np.maximum(odds, 1e-300)
    return np.asarray(even / (even + 1 - score))


def _target(design: Weights) -> NDArray[np.bool_]:
    if design.estimand == "ATT" and design.target != design.arms[1]:
        return design.treated
    if design.estimand == "ATC" or design.estimand == "ATT":
        return ~design.treated
    return np.ones_like(design.treated)

"""The rows of a balance table that one design gives: every covariate, every pair of arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.design.arm_pairs import ArmPair, Laid
from baseeval.numerics.balance import Alike, compare_shares, divisor, standardised
from baseeval.numerics.chance import Wobble, chance_of, clustered_wobble, holm, row_wobble
from baseeval.numerics.column_shares import Shares, Values, shares_of, values_of
from baseeval.numerics.school_parts import between_means, school_means
from baseeval.results import WORST_PAIR, balance_band, worst_chance

Floats = NDArray[np.float64]
Row = dict[str, object]

#: Family-wise level at which a difference is called more than chance.
ALPHA = 0.05

_TIMES = ("before", "after")
#: What the worst of several pairs does not have.
_OF_A_PAIR = frozenset(
    {f"mean_{side}_{when}" for side in ("first", "second") for when in _TIMES}
    | {f"{what}_{side}" for what in ("n", "rows", "count") for side in ("first", "second")}
    | {"pair_distance", "se_after"}
)


@dataclass(frozen=True, slots=True)
class _Column:
    """What is worked out once for a covariate, whatever pair of arms is compared."""

    found: Values
    times: dict[str, Shares]
    between: dict[str, Floats]
    held: Floats | None
    sd: float
    denominator: str
    counts: Floats


def balance_rows(laid: Laid, limit: float) -> tuple[list[Row], list[Row]]:
    """Compare every covariate of a design between each pair of its arms, and with its target.

    Parameters
    ----------
    laid : Laid
    limit : float
        Standardised difference that `p_over_limit` asks about.

    Returns
    -------
    pairs : list of dict
        By pair, then by covariate; with more than two arms the worst pair of each
        covariate comes last.
    target : list of dict
        By covariate, then by arm.
    """
    rows: list[list[Row]] = [[] for _ in laid.pairs]
    target: list[Row] = []
    for name, column in laid.columns():
        known = _known(laid, column)
        target += _target_rows(laid, name, column, known)
        for place, pair in enumerate(laid.pairs):
            rows[place].append(_row(laid, pair, name, column, known, limit))
    _judge([row for of_pair in rows for row in of_pair])
    if len(laid.pairs) > 1:
        rows.append([_worst(list(same)) for same in zip(*rows, strict=True)])
    return [row for of_pair in rows for row in of_pair], target


def _target_rows(laid: Laid, name: tuple[str, str], column: Floats, known: _Column) -> list[Row]:
    """Compare each arm with the population that the answer is about."""
    design, mean = laid.design, float(laid.target @ column)
    rows: list[Row] = []
    for place, arm in enumerate(design.arms):
        mine = {when: float(known.times[when].means()[place]) for when in _TIMES}
        row: Row = {
            "contrast": design.contrast,
            "design": design.method,
            "estimand": design.estimand,
            "target": design.target,
            "arm": arm,
            "covariate": name[0],
            "level": name[1],
            "mean_target": mean,
        }
        row |= {f"mean_{when}": mine[when] for when in _TIMES}
        for when, shares in known.times.items():
            row[f"smd_{when}"] = standardised(mine[when] - mean, known.sd, shares)
        rows.append(row | {"denominator": known.denominator})
    return rows


def _known(laid: Laid, column: Floats) -> _Column:
    arms, found = len(laid.design.arms), values_of(column)
    weights = {"before": laid.base, "after": laid.design.weights}
    times = {
        when: shares_of(found, laid.arm, arms, weights[when], laid.squares[when]) for when in _TIMES
    }
    sd, denominator = _divisor(laid, times["before"])
    between, held = {}, None
    if laid.school is not None:
        means = school_means(column, laid.school, laid.base)
        between = {when: between_means(means, laid.by_school[when]) for when in _TIMES}
        held = laid.sum_by_school(column)
    counts = laid.count_used(column) if found.is_binary else np.full(arms, np.nan)
    return _Column(found, times, between, held, sd, denominator, counts)


def _divisor(laid: Laid, before: Shares) -> tuple[float, str]:
    sd, own = divisor(before, laid.divided_by)
    if own and laid.divided_by is not None:
        return sd, f"SD of {laid.design.arms[laid.divided_by]}"
    return sd, "pooled SD"


def _row(
    laid: Laid,
    pair: ArmPair,
    name: tuple[str, str],
    column: Floats,
    known: _Column,
    limit: float,
) -> Row:
    one, two = pair.first, pair.second
    alike = {
        when: compare_shares(shares, one, two, known.sd)
        for when, shares in _of_pair(known.times, one, two).items()
    }
    smd = alike["after"].smd
    wobble = _wobble(laid, pair, known)
    distance = laid.partner_distance(pair, column)
    shares = known.times["before"]
    return {
        "contrast": pair.contrast,
        "design": laid.design.method,
        "estimand": laid.design.estimand,
        "covariate": name[0],
        "level": name[1],
        "mean_first_before": alike["before"].mean_first,
        "mean_second_before": alike["before"].mean_second,
        "mean_first_after": alike["after"].mean_first,
        "mean_second_after": alike["after"].mean_second,
        **_at_both_times(alike, ("smd", "variance_ratio", "ks")),
        "n_first": laid.used[one],
        "n_second": laid.used[two],
        "count_first": float(known.counts[one]),
        "count_second": float(known.counts[two]),
        "denominator": known.denominator,
        "kind": "share" if known.found.is_binary else "mean",
        **_at_both_times(alike, ("ecdf_mean", "ovl")),
        **_parts(pair, alike, known),
        "pair_distance": standardised(distance, known.sd, shares),
        "se_after": wobble.std_error,
        "p_chance": chance_of(smd, wobble),
        "p_over_limit": chance_of(smd, wobble, limit),
        "band": balance_band(smd),
        "chance": "unknown",
        "rows_first": laid.rows[one],
        "rows_second": laid.rows[two],
    }


def _of_pair(times: dict[str, Shares], first: int, second: int) -> dict[str, Shares]:
    """Leave out the values that no row of two arms has, as if there were no third."""
    if len(times["before"].share) == 2:
        return times
    held = times["before"].share[[first, second]].sum(axis=0) > 0
    return {when: shares.only(held) for when, shares in times.items()}


def _at_both_times(alike: dict[str, Alike], measures: tuple[str, ...]) -> Row:
    return {f"{name}_{when}": getattr(alike[when], name) for name in measures for when in _TIMES}


def _parts(pair: ArmPair, alike: dict[str, Alike], known: _Column) -> Row:
    """Split each difference into that of school means and that of pupils off them."""
    parts: Row = {}
    for when in _TIMES:
        between = np.nan
        if known.between:
            means = known.between[when]
            difference = float(means[pair.first] - means[pair.second])
            between = standardised(difference, known.sd, known.times[when])
        parts[f"smd_between_{when}"] = between
        parts[f"smd_within_{when}"] = alike[when].smd - between
    order = ("smd_between_before", "smd_between_after", "smd_within_before", "smd_within_after")
    return {name: parts[name] for name in order}


def _wobble(laid: Laid, pair: ArmPair, known: _Column) -> Wobble:
    """Return how chance moves the standardised difference after the design."""
    one, two, shares = pair.first, pair.second, known.times["after"]
    if not known.sd > 0 or np.isnan(shares.squares[[one, two]]).any():
        return Wobble(np.nan, np.nan)
    if known.held is not None:
        found = clustered_wobble(known.held, laid.by_school["after"], one, two)
    else:
        squares = laid.squares_by_value(known.found)
        effective = 1 / shares.squares
        found = row_wobble(shares.values, squares, shares.share, effective, one, two)
    return Wobble(found.std_error / known.sd, found.df)


def _judge(rows: list[Row]) -> None:
    """Take the covariates of a comparison together: none is called by chance alone."""
    for name in ("p_chance", "p_over_limit"):
        raised = holm(np.array([row[name] for row in rows], dtype=float))
        for row, value in zip(rows, raised, strict=True):
            row[name] = float(value)
    for row in rows:
        none, over = (float(str(row[name])) for name in ("p_chance", "p_over_limit"))
        if over < ALPHA:
            row["chance"] = "over_limit"
        elif none < ALPHA:
            row["chance"] = "beyond_chance"
        elif none >= ALPHA:
            row["chance"] = "could_be_chance"


def _worst(rows: list[Row]) -> Row:
    """Return the worst of several pairs on one covariate, measure by measure."""
    worst: Row = {}
    for name, value in rows[0].items():
        values = [row[name] for row in rows]
        if name.startswith(("smd_", "ks_", "ecdf_")):
            worst[name] = _extreme(np.abs(np.array(values, dtype=float)))
        elif name.startswith(("ovl_", "p_")):
            worst[name] = -_extreme(-np.array(values, dtype=float))
        elif name.startswith("variance_ratio_"):
            ratios = np.array(values, dtype=float)
            away = np.abs(np.log(ratios, where=ratios > 0, out=np.full(len(ratios), np.nan)))
            known = ~np.isnan(away)
            worst[name] = float(ratios[known][away[known].argmax()]) if known.any() else np.nan
        elif name in _OF_A_PAIR:
            worst[name] = np.nan
        else:
            worst[name] = value
    undefined = any(np.isnan(float(str(row["smd_after"]))) for row in rows)
    worst["band"] = balance_band(np.nan if undefined else float(str(worst["smd_after"])))
    worst["chance"] = worst_chance(str(row["chance"]) for row in rows)
    return worst | {"contrast": WORST_PAIR}


def _extreme(values: Floats) -> float:
    """Return the largest value that is known."""
    return float("nan") if np.isnan(values).all() else float(np.nanmax(values))

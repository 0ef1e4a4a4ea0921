"""Through the whole path, from table to interval, the effects of a known world are found.

The world is `many_schools`: placement and hosting follow only what its table shows, so every
contrast can be recovered; base pupils start lower, so a plain difference in means cannot. Errors
are in standard deviations of the outcome, against the effect on the very pupils drawn (sample
ATT). TOLERANCE is what may remain without a fault in any estimator: a linear model of a bounded
outcome, complete cases where answers are missing at random, and the mean of unequal effects that
a model without weights estimates in place of the ATT.

Coverage: the intervals are for schools like these, the truth is that of the schools drawn.
Between-school variation of the effect itself is in the interval and not in the error, so
`base_vs_host` may cover more than 95%, and no upper bound is set but on the length: the mean
standard error may not exceed 1.6 times the estimates' own spread.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

TOLERANCE = 0.03


def tabulate(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum up over seeds: bias, its Monte Carlo error, spread and mean standard error."""
    scaled = rows.assign(
        error=(rows["estimate"] - rows["truth"]) / rows["sd"],
        length=rows["std_error"] / rows["sd"],
    )
    by = scaled.groupby(["contrast", "outcome", "design", "model"])
    table = by.agg(
        seeds=("error", "count"),
        bias=("error", "mean"),
        spread=("error", "std"),
        length=("length", "mean"),
    )
    table["mc_error"] = table["spread"] / np.sqrt(table["seeds"])
    return table.reset_index()


def coverages(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each design and model's coverage, its Monte Carlo error taken between seeds.

    Outcomes and contrasts of one seed share pupils, so they are not independent draws.
    """
    covered = (rows["ci_low"] <= rows["truth"]) & (rows["truth"] <= rows["ci_high"])
    by_seed = covered.groupby([rows["design"], rows["model"], rows["seed"]]).mean()
    by = by_seed.groupby(["design", "model"])
    return pd.DataFrame(
        {"coverage": by.mean(), "mc_error": by.std() / math.sqrt(rows["seed"].nunique())}
    ).reset_index()


def check(rows: pd.DataFrame) -> None:
    assert rows["estimate"].notna().all()
    table = tabulate(rows)
    naive = table["model"] == "unadjusted"
    adjusted = table[~naive]
    missed = adjusted[adjusted["bias"].abs() > 3 * adjusted["mc_error"] + TOLERANCE]
    assert missed.empty, f"\n{missed.to_string()}"
    loose = adjusted[adjusted["length"] > 1.6 * adjusted["spread"] * (1 + 2 / rows.seed.nunique())]
    assert len(loose) < 0.1 * len(adjusted), f"\n{loose.to_string()}"

    confounded = table[
        naive & ((table["contrast"] == "base_vs_host") | (table["outcome"] == "attainment"))
    ]
    assert (confounded["bias"].abs() > 3 * confounded["mc_error"] + TOLERANCE).all()
    signs = confounded.groupby("contrast")["bias"].max()
    assert signs["base_vs_host"] < 0
    assert signs["base_vs_non_host"] < 0

    shares = coverages(rows)
    kept = shares[shares["model"] != "unadjusted"]
    short = kept[kept["coverage"] < 0.95 - 3 * kept["mc_error"] - 0.01]
    assert short.empty, f"\n{short.to_string()}"
    assert (kept["coverage"] > 0.88).all(), f"\n{kept.to_string()}"
    assert (shares.loc[shares["model"] == "unadjusted", "coverage"] < 0.75).all()


def test_every_contrast_is_recovered_where_nothing_is_hidden(answers) -> None:
    rows = answers(
        "many_schools",
        seeds=range(1, 9),
        pupils=1200,
        designs=["none", "entropy", "nearest"],
        models=["multilevel", "unadjusted"],
    )
    check(rows)


@pytest.mark.slow
def test_every_contrast_is_recovered_where_nothing_is_hidden_closely(answers) -> None:
    rows = answers(
        "many_schools",
        seeds=range(1, 31),
        designs=["none", "propensity", "entropy", "nearest"],
        models=["multilevel", "regression", "unadjusted"],
    )
    check(rows)

"""Models asked for by name: what is true is found, and what cannot be told is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from baseeval.errors import DataError, EstimationError, UsageError
from baseeval.models.growth import fit_growth
from baseeval.models.line_estimates import null_columns
from baseeval.models.mixed_model import fit_linear_mixed
from baseeval.models.school_effects import fit_school_slopes
from baseeval.models.school_estimates import shrink_schools
from baseeval.models.variance_partition import partition_variance
from baseeval.models.within_between import fit_within_between

NAMES = {"time": "wave", "arm": "arm", "pupil": "pupil", "school": "school"}
ARMS = {"arm": "arm", "first": "base", "second": "host", "school": "school"}


# ---- growth -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def waves() -> pd.DataFrame:
    """Forty schools, base and host pupils in half of them, who bend at wave zero."""
    rng = np.random.default_rng(11)
    pupil = np.repeat(np.arange(800), 5)
    school, wave = pupil // 20, np.tile(np.arange(-2.0, 3), 800)
    arm = np.where(school < 20, np.where(pupil % 3 == 0, "base", "host"), "none")
    after = np.select([arm == "base", arm == "host"], [0.9, 0.5], 0.4)
    y = 0.3 * np.minimum(wave, 0) + after * np.maximum(wave, 0) + 0.2 * (arm == "base")
    y += 0.5 * rng.normal(size=40)[school] + 0.8 * rng.normal(size=800)[pupil]
    y += 0.2 * rng.normal(size=800)[pupil] * wave + 0.5 * rng.normal(size=4000)
    # Pupils are numbered within schools: one number is another pupil elsewhere.
    frame = pd.DataFrame({"school": school, "pupil": pupil % 20, "wave": wave, "arm": arm, "y": y})
    return frame[rng.random(4000) < 0.9].reset_index(drop=True)


def test_growth_finds_each_arms_lines(waves: pd.DataFrame) -> None:
    found = fit_growth(waves, "y", **NAMES, knot=0, arms=["base", "host", "none"])
    slopes = found.slopes.set_index(["arm", "piece"])
    truth = {("base", "after"): 0.9, ("host", "after"): 0.5, ("none", "after"): 0.4}
    truth |= {(arm, "before"): 0.3 for arm in ("base", "host", "none")}
    for key, value in truth.items():
        assert abs(slopes.loc[key, "estimate"] - value) < 3.5 * slopes.loc[key, "std_error"], key
    gap = found.differences.set_index(["time", "first", "second"]).loc[(2.0, "base", "host")]
    assert abs(gap["estimate"] - (0.2 + 2 * 0.4)) < 3.5 * gap["std_error"]
    assert 0.2 < gap["ci_high"] - gap["ci_low"] < 0.5
    apart = found.slope_differences.set_index(["first", "second", "piece"])
    expected = slopes.loc[("base", "after"), "estimate"] - slopes.loc[("none", "after"), "estimate"]
    assert apart.loc[("base", "none", "after"), "estimate"] == pytest.approx(expected, abs=1e-10)


def test_growth_is_the_same_from_any_reference_and_dataframe(waves: pd.DataFrame) -> None:
    one = fit_growth(waves, "y", **NAMES, pupil_slope=False)
    shuffled = pl.from_pandas(waves.sample(frac=1, random_state=1))
    two = fit_growth(shuffled, "y", **NAMES, pupil_slope=False, arms=["none", "host", "base"])
    ours = one.slopes.set_index("arm").drop(columns="piece").sort_index()
    theirs = two.slopes.set_index("arm").drop(columns="piece").sort_index()
    assert_allclose(ours, theirs, rtol=1e-5)
    gap = {(0.0, "base", "none"): 1, (0.0, "none", "base"): -1}
    keys = ["time", "first", "second"]
    values = [
        sign * table.set_index(keys).loc[key, "estimate"]
        for (key, sign), table in zip(gap.items(), (one.differences, two.differences), strict=True)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-7)


def test_a_line_that_no_row_tells_is_left_empty(waves: pd.DataFrame) -> None:
    seen = waves[(waves["arm"] != "none") | (waves["wave"] >= 0)]
    found = fit_growth(seen, "y", **NAMES, knot=0, pupil_slope=False, df=None)
    slopes = found.slopes.set_index(["arm", "piece"])["estimate"]
    assert np.isnan(slopes["none", "before"])
    assert slopes.notna().sum() == 5
    gaps = found.differences.set_index(["time", "first", "second"])["estimate"]
    assert np.isnan(gaps[-1.0, "base", "none"])
    assert np.isfinite(gaps[0.0, "base", "none"])
    # What is left out is a combination of columns that is zero on every row.
    zero = null_columns(found.model.fit.likelihood.coordinates)
    assert zero.shape == (1, len(found.model.fixed))
    assert_allclose(found.model.rows.whole().x @ zero[0], 0, atol=1e-8)


def test_growth_refuses_what_it_cannot_tell(waves: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="three waves"):
        fit_growth(waves[waves["wave"] > 0], "y", **NAMES)
    with pytest.raises(DataError, match="one arm alone"):
        fit_growth(waves[waves["arm"] == "host"], "y", **NAMES)
    with pytest.raises(DataError, match="1 of the 3"):
        fit_growth(waves, "y", **NAMES, arms=["base", "host"])
    with pytest.raises(UsageError, match="no column `covar`"):
        fit_growth(waves, "y", **NAMES, covariates=["covar"])
    with pytest.raises(DataError, match="needs numbers"):
        fit_growth(waves, "arm", **NAMES)


def test_growth_tells_to_count_years_from_the_first(waves: pd.DataFrame) -> None:
    years = waves.assign(wave=waves["wave"] + 2020)
    with pytest.raises(DataError, match=r"column `wave`.*take the first year from the column"):
        fit_growth(years, "y", **NAMES)
    apart = fit_growth(years, "y", **NAMES, pupil_slope=False).slopes["estimate"]
    near = fit_growth(waves, "y", **NAMES, pupil_slope=False).slopes["estimate"]
    assert_allclose(apart, near, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_an_arm_declared_and_held_by_nobody_is_dropped(waves: pd.DataFrame) -> None:
    declared = pd.Categorical(waves["arm"], ["none", "nobody", "host", "base"])
    found = fit_growth(waves.assign(arm=declared), "y", **NAMES, pupil_slope=False, df=None)
    assert found.slopes["arm"].tolist() == ["none", "host", "base"]


# ---- within and between -------------------------------------------------------------------------
def pupils(context: float, seed: int = 5) -> pd.DataFrame:
    """Sixty schools of one to thirty pupils."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(60), rng.integers(1, 31, 60))
    prior = 0.8 * rng.normal(size=60)[school] + rng.normal(size=len(school))
    mean = pd.Series(prior).groupby(school).transform("mean")
    y = prior + context * mean + 0.3 * rng.normal(size=60)[school] + rng.normal(size=len(school))
    return pd.DataFrame({"school": school, "prior": prior, "y": y, "n": rng.integers(1, 4, len(y))})


def test_context_effect_is_found_and_warned_of() -> None:
    found = fit_within_between(pupils(1.0), "y", ["prior"], group="school")
    table = found.effects.set_index("effect")
    for effect, truth in {"within": 1, "between": 2, "context": 1}.items():
        assert table.loc[effect, "ci_low"] < truth < table.loc[effect, "ci_high"]
    # The one coefficient lies between the two that it mixes.
    assert table.loc["within", "estimate"] < table.loc["mixed", "estimate"]
    assert table.loc["mixed", "estimate"] < table.loc["between", "estimate"]
    assert len(found.warnings) == 1
    assert "`prior`" in found.warnings[0]


def test_no_context_effect_no_warning() -> None:
    found = fit_within_between(pupils(0.0), "y", ["prior"], group="school", slopes=True, df=None)
    assert found.warnings == ()
    assert len(found.model.variance) == 4


def test_within_effect_is_that_of_an_intercept_for_every_school() -> None:
    frame = pupils(1.0)
    frame.loc[frame.index[:3], "y"] = np.nan  # means are of rows that the model uses
    found = fit_within_between(frame, "y", ["prior"], group="school", weights="n", df=None)
    rows = frame.dropna().reset_index(drop=True)
    root = np.sqrt(rows["n"].to_numpy(dtype=float))
    dummies = pd.get_dummies(rows["school"]).to_numpy(dtype=float)
    x = np.column_stack([rows["prior"], dummies]) * root[:, None]
    own = np.linalg.lstsq(x, rows["y"] * root, rcond=None)[0][0]
    assert found.effects["estimate"][0] == pytest.approx(own, rel=1e-8)


def test_a_column_without_one_of_its_parts_is_refused() -> None:
    frame = pupils(0.0)
    frame["mean"] = frame.groupby("school")["prior"].transform("mean")
    frame["own"] = frame["prior"] - frame["mean"]
    with pytest.raises(DataError) as caught:
        fit_within_between(frame, "y", ["mean", "own"], group="school")
    assert "`mean`: it does not vary within" in str(caught.value)
    assert "`own`: it does not vary between" in str(caught.value)


# ---- the effect in each school ------------------------------------------------------------------
def two_arms(schools: int, size: int, sd: float, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Half of each school's pupils in its base, whose effect has mean 0.4."""
    rng = np.random.default_rng(seed)
    school, base = np.repeat(np.arange(schools), size), np.tile([0, 1], schools * size // 2)
    own = 0.4 + sd * rng.normal(size=schools)
    y = 0.5 * rng.normal(size=schools)[school] + own[school] * base
    frame = pd.DataFrame({"school": school, "arm": np.where(base, "base", "host")})
    return frame.assign(y=y + rng.normal(size=len(y))), own


def test_another_schools_effect_lies_where_it_is_said_to() -> None:
    frame, own = two_arms(50, 40, 0.4, seed=3)
    found = fit_school_slopes(frame, "y", **ARMS)
    spread = found.spread.iloc[0]
    assert spread["p_value"] < 0.001
    assert spread["sd"] == pytest.approx(np.std(own), rel=0.4)
    others = 0.4 + 0.4 * np.random.default_rng(9).normal(size=20_000)
    inside = np.mean((others > spread["low"]) & (others < spread["high"]))
    assert 0.88 < inside < 0.995
    assert found.notes == ()
    assert spread["sd_kept"] == spread["sd"]


def test_a_spread_of_zero_is_not_believed() -> None:
    # Many such data have a spread estimated at zero: these are the first that do.
    for seed in range(20):
        frame, _ = two_arms(6, 12, 0.2, seed)
        found = fit_school_slopes(frame, "y", **ARMS)
        if found.model.singular:
            break
    spread = found.spread.iloc[0]
    assert found.model.singular
    assert spread["sd_kept"] > 0.05
    assert "6 schools" in found.notes[0]
    # Kenward and Roger's df exist at a singular fit, and 4 of t for another school.
    assert np.isfinite(found.effect["ci_low"][0])
    assert spread["low"] < found.effect["ci_low"][0]


def test_few_schools_with_both_arms_are_refused() -> None:
    frame, _ = two_arms(6, 12, 0.2, 1)
    lone = frame[(frame["school"] < 2) | (frame["arm"] == "host")]
    with pytest.raises(DataError, match="2 schools hold"):
        fit_school_slopes(lone, "y", **ARMS)


def test_a_backtick_in_an_arms_name() -> None:
    frame, _ = two_arms(6, 12, 0.2, 1)
    odd = frame.replace({"arm": {"base": "b`se"}})
    for arms in ({"first": "b`se", "second": "host"}, {"first": "host", "second": "b`se"}):
        found = fit_school_slopes(odd, "y", arm="arm", school="school", **arms, df=None)
        assert found.effect["first"].tolist() == [arms["first"]]
    plain = fit_school_slopes(frame, "y", **ARMS, df=None)
    assert -found.effect["estimate"][0] == pytest.approx(plain.effect["estimate"][0], rel=1e-4)


# ---- each school's estimate ---------------------------------------------------------------------
def four_bases(seed: int) -> pd.DataFrame:
    """Four bases of twelve pupils, 4% of the variance between them."""
    rng = np.random.default_rng(seed)
    base = np.repeat(["w", "x", "y", "z"], 12)
    return pd.DataFrame({"school": base, "y": np.repeat(0.2 * rng.normal(size=4), 12)}).assign(
        y=lambda frame: frame["y"] + rng.normal(size=48)
    )


def test_four_bases_are_never_all_alike() -> None:
    zero, kept = [], []
    for seed in range(20):
        frame = four_bases(seed)
        plain = fit_linear_mixed("y ~ 1 + (1 | school)", frame, df=None)
        penalised = fit_linear_mixed("y ~ 1 + (1 | school)", frame, df=None, penalty=True)
        zero.append(plain.singular)
        kept.append(penalised.variance["sd_or_correlation"][0])
    # P(F(3, 44) < 1 / 1.48) = 0.43: the mean squares' ratio is below one so often.
    assert 0.2 < np.mean(zero) < 0.7
    assert min(kept) > 0.05
    # With no variance at all, its estimate is larger than the truth, never much.
    assert np.median(kept) < 0.6


def test_partial_pooling_beside_what_each_base_says_alone() -> None:
    frame = next(
        frame
        for frame in map(four_bases, range(30))
        if fit_linear_mixed("y ~ 1 + (1 | school)", frame, df=None).singular
    )
    found = shrink_schools(frame, "y", school="school", order=["z", "w", "y", "x"])
    table = found.schools.set_index("school")
    assert found.model.singular
    assert len(found.notes) == 1
    assert list(table.index) == ["z", "w", "y", "x"]
    alone = frame.groupby("school")["y"].mean() - frame["y"].mean()
    assert_allclose(table["unshrunken"], alone.loc[table.index], atol=1e-5)
    pull = table["estimate"] / table["unshrunken"]
    assert_allclose(pull, pull.iloc[0], rtol=1e-4)  # bases of one size are pulled alike
    assert 0 < pull.iloc[0] < 1
    inside = (table["ci_low"] < table["estimate"]) & (table["estimate"] < table["ci_high"])
    assert inside.all()
    assert (table["ci_high"] - table["ci_low"]).min() > 0.3
    reach = (table["unshrunken_high"] - table["unshrunken_low"]) / 2
    assert_allclose(reach, 1.959964 * found.model.residual_sd / np.sqrt(12), rtol=0.05)


def test_estimates_come_in_a_fixed_order_and_as_conditional_modes() -> None:
    frame, _ = two_arms(12, 20, 0.5, seed=8)
    shuffled = frame.sample(frac=1, random_state=2)
    one, two = (shrink_schools(rows, "y", school="school") for rows in (frame, shuffled))
    assert one.schools["school"].tolist() == list(range(12))
    pd.testing.assert_frame_equal(one.schools, two.schools, rtol=1e-6)
    assert one.notes == ()
    modes = one.model.random_effects("school")["Intercept"]
    assert_allclose(one.schools["estimate"], modes, rtol=1e-10)
    assert len(one.average) == 0


def test_a_school_of_weight_zero_is_not_listed() -> None:
    fifth = four_bases(2).iloc[:12].assign(school="v")
    frame = pd.concat([four_bases(1), fifth], ignore_index=True)
    frame = frame.assign(w=lambda rows: (rows["school"] != "x") * 2.0)
    found = shrink_schools(frame, "y", school="school", weights="w")
    assert found.schools["school"].tolist() == ["v", "w", "y", "z"]
    with pytest.raises(DataError, match="weights"):
        shrink_schools(frame.assign(w=-1.0), "y", school="school", weights="w")


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_fewer_than_four_schools_are_not_pooled(kept: int) -> None:
    with pytest.raises(EstimationError, match=f"four schools or more, and there are {kept}"):
        shrink_schools(four_bases(1).iloc[: 12 * kept], "y", school="school")
    frame, _ = two_arms(6, 12, 0.2, 1)
    few = frame[(frame["school"] < kept) | (frame["arm"] == "host")]
    with pytest.raises(EstimationError, match=f"both arms, and there are {kept}.*unshrunken"):
        shrink_schools(few, "y", **ARMS)


def test_schools_of_numbers_and_of_text() -> None:
    frame = four_bases(1)
    mixed = frame.assign(school=frame["school"].replace({"w": 10, "x": 9}).astype(object))
    found = shrink_schools(mixed, "y", school="school").schools
    assert found["school"].tolist() == [10, 9, "y", "z"]
    whole = shrink_schools(frame, "y", school="school").schools
    assert_allclose(found["estimate"], whole["estimate"], rtol=1e-4)


def test_effects_of_bases_and_a_school_without_one() -> None:
    frame, own = two_arms(12, 30, 0.6, seed=4)
    frame = frame[(frame["school"] > 0) | (frame["arm"] == "host")]
    found = shrink_schools(frame, "y", **ARMS)
    table = found.schools.set_index("school")
    assert np.isnan(table.loc[0, "unshrunken"])
    assert np.isfinite(table.loc[0, "ci_low"])
    # No pupils of its own base: the widest interval of all.
    width = table["ci_high"] - table["ci_low"]
    assert width.idxmax() == 0
    pupils_of = frame.pivot_table(index="school", columns="arm", values="y")
    raw = (pupils_of["base"] - pupils_of["host"]).loc[1:]
    apart = table["unshrunken"].loc[1:] - raw
    assert_allclose(apart, apart.iloc[0], atol=1e-3)  # a difference from one average
    assert np.corrcoef(found.schools["estimate"][1:], own[1:])[0, 1] > 0.6
    assert found.average["estimate"][0] == pytest.approx(own.mean(), abs=0.4)
    with pytest.raises(UsageError, match="not both"):
        shrink_schools(frame, "y", school="school", arm="arm", first="base")


# ---- variances ----------------------------------------------------------------------------------
def test_share_of_balanced_schools_is_that_of_their_mean_squares() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(30, 8)) + 0.7 * rng.normal(size=(30, 1))
    frame = pd.DataFrame({"school": np.repeat(np.arange(30), 8), "y": values.ravel()})
    between = 8 * np.var(values.mean(axis=1), ddof=1)
    within = np.sum(values.var(axis=1, ddof=1)) / 30
    row = partition_variance(frame, "y", levels=["school"]).table.iloc[0]
    share = (between - within) / (between + 7 * within)
    assert row["share"] == pytest.approx(share, rel=1e-7)
    assert row["correlation"] == pytest.approx(share, rel=1e-7)
    assert row["share_low"] < share < row["share_high"]
    # The delta method by hand: REML's information on the log of between over within.
    error = np.sqrt(2 / 29 + 2 / 210)
    ratio = between / within
    slope = ratio * (1 / (ratio - 1))
    reach = 1.959964 * slope * error
    logit = np.log(share / (1 - share))
    ends = [np.log(v / (1 - v)) for v in (row["share_low"], row["share_high"])]
    assert_allclose(ends, [logit - reach, logit + reach], rtol=1e-4)


def test_levels_and_slopes_are_told_apart() -> None:
    rng = np.random.default_rng(6)
    pupil = np.repeat(np.arange(1200), 3)
    school, x = pupil // 20, np.tile([-1.0, 0, 1], 1200)
    y = (0.7 + 0.5 * x) * rng.normal(size=60)[school] + 0.9 * rng.normal(size=1200)[pupil]
    y += rng.normal(size=3600)
    frame = pd.DataFrame({"school": school, "pupil": pupil % 20, "x": x, "y": y})
    found = partition_variance(
        frame, "y", levels=["school", "pupil"], slope="x", at=[-1, 0, 1]
    ).table  # fmt: skip
    table = found.set_index(["at", "level"])
    for value in (-1, 0, 1):
        school_part, pupil_part = (0.7 + 0.5 * value) ** 2, 0.81
        whole = school_part + pupil_part + 1
        assert table.loc[(value, "school"), "share"] == pytest.approx(school_part / whole, abs=0.08)
        joint = table.loc[(value, "pupil"), "correlation"]
        assert joint == pytest.approx((school_part + pupil_part) / whole, abs=0.06)
        assert table.loc[value]["share"].sum() == pytest.approx(1)


def test_a_variance_at_zero_has_no_delta_interval() -> None:
    values = np.tile([0.0, 1, 2, 3], 10)  # every school has the same mean
    frame = pd.DataFrame({"school": np.repeat(np.arange(10), 4), "y": values})
    found = partition_variance(frame, "y", levels=["school"])
    assert found.table["share"][0] == 0
    assert found.table[["share_low", "share_high"]].isna().all(axis=None)
    assert "profile" in found.notes[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"levels": []}, "one grouping column"),
        ({"levels": ["school"], "at": [1.0]}, "no slope"),
        ({"levels": ["school"], "slope": "y"}, "no value"),
        ({"levels": ["school"], "family": "gausian"}, "gaussian"),
    ],
)
def test_arguments_that_do_not_agree(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        partition_variance(four_bases(1), "y", **arguments)

"""Balance of designs of two arms and of three: pairs, the worst of them, the target, and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval as be
from baseeval.design.overlapping import score_of
from baseeval.errors import UsageError
from baseeval.results import ARMS, WORST_PAIR, Weights

PAIRS = ["base_vs_host", "base_vs_non_host", "host_vs_non_host"]


def design(n: int = 240, seed: int = 3, **changes: Any) -> Weights:
    """Return three arms in 24 schools, of which 12 hold the first two and 12 the third."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 24, size=n)
    arm = np.where(place >= 12, 2, rng.integers(0, 2, size=n))
    score = rng.normal(size=n) + 0.2 * (arm == 0) + 0.1 * place
    sex = (rng.random(n) < 0.4).astype(float)
    parts: dict[str, Any] = {
        "weights": np.exp(rng.normal(0, 0.4, size=n)),
        "arm": arm,
        "covariates": np.column_stack([score, sex, 1 - sex]),
        "names": (("prior", ""), ("sex", "f"), ("sex", "m")),
        "method": "propensity",
        "estimand": "ATE",
        "target": "common",
        "arms": ARMS,
        "school": np.array([f"s{k:02d}" for k in place]),
    }
    return Weights(**parts | changes)


def by_name(table: pd.DataFrame, contrast: str) -> pd.DataFrame:
    return table[table["contrast"] == contrast].set_index(["covariate", "level"])


def test_three_arms_have_a_row_for_each_pair_and_for_the_worst() -> None:
    balance = be.check_balance(design())
    table = balance.table
    assert list(dict.fromkeys(table["contrast"])) == [*PAIRS, WORST_PAIR]
    assert balance.overlap["contrast"].tolist() == [*PAIRS, WORST_PAIR]
    worst = by_name(table, WORST_PAIR)
    pairs = [by_name(table, name) for name in PAIRS]
    for when in ("before", "after"):
        for name, pick in (("smd", max), ("ks", max), ("ecdf_mean", max), ("ovl", min)):
            column = f"{name}_{when}"
            expected = [pick(abs(pair.loc[row, column]) for pair in pairs) for row in worst.index]
            assert_allclose(worst[column].tolist(), expected)
    assert worst["mean_first_after"].isna().all()
    known = balance.overlap["max_smd_after"].to_numpy()
    assert known[-1] == known[:3].max() == worst["smd_after"].max()


def test_a_pair_of_three_arms_is_what_two_arms_would_give_over_one_divisor() -> None:
    made = design()
    table = be.check_balance(made).table
    squares = [np.var(made.covariates[made.arm == k, 0], ddof=1) for k in range(3)]
    spread = np.sqrt(np.mean(squares))
    for name, (one, two) in zip(PAIRS, [(0, 1), (0, 2), (1, 2)], strict=True):
        row = by_name(table, name).loc[("prior", "")]
        alone = be.check_balance(made.between(ARMS[one], ARMS[two], name)).table.iloc[0]
        for same in ("mean_first_after", "ks_after", "variance_ratio_after", "ecdf_mean_before"):
            assert_allclose(row[same], alone[same])
        assert_allclose(row["ovl_after"], alone["ovl_after"])
        difference = row["mean_first_after"] - row["mean_second_after"]
        assert_allclose(row["smd_after"], difference / spread)
        assert row["denominator"] == "pooled SD"


@pytest.mark.parametrize(
    ("estimand", "target", "arm"), [("ATT", "base", 0), ("ATT", "non_host", 2), ("ATE", "", None)]
)
def test_the_divisor_is_that_of_the_arm_in_question(
    estimand: str, target: str, arm: int | None
) -> None:
    made = design(estimand=estimand, target=target or "common")
    table = be.check_balance(made).table
    told = "pooled SD" if arm is None else f"SD of {target}"
    assert set(table["denominator"]) == {told}
    if arm is not None:
        row = table.iloc[0]
        sd = made.covariates[made.arm == arm, 0].std(ddof=1)
        gap = row["mean_first_before"] - row["mean_second_before"]
        assert_allclose(row["smd_before"], gap / sd)


def test_an_arm_that_does_not_vary_is_named_by_the_pooled_divisor() -> None:
    made = design(estimand="ATT", target="base")
    flat = made.covariates.copy()
    flat[made.arm == 0, 0] = 1.0
    table = be.check_balance(design(estimand="ATT", target="base", covariates=flat)).table
    assert by_name(table, PAIRS[0]).loc[("prior", ""), "denominator"] == "pooled SD"
    assert by_name(table, PAIRS[0]).loc[("sex", "f"), "denominator"] == "SD of base"


def test_each_arm_is_held_against_the_target() -> None:
    made = design(estimand="ATT", target="non_host")
    target = be.check_balance(made).target
    assert target is not None
    rows = target[target["covariate"] == "prior"].set_index("arm")
    mean = made.covariates[made.arm == 2, 0].mean()
    assert_allclose(rows["mean_target"], mean)
    assert_allclose(rows.loc["non_host", "smd_before"], 0, atol=1e-12)
    common = be.check_balance(design()).target
    assert common is not None
    assert_allclose(common["mean_target"].iloc[0], design().covariates[:, 0].mean())


def test_the_target_of_overlap_weights_is_the_population_that_they_tilt_to() -> None:
    """In expectation: what is left is chance."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    frame = pd.DataFrame({"x": x, "t": (rng.random(400) < 1 / (1 + np.exp(-x))).astype(int)})
    made = be.weight(frame, treated="t", covariates=["x"], method="propensity", estimand="ATO")
    target = be.check_balance(made).target
    assert target is not None
    assert_allclose(target["smd_after"], 0, atol=0.05)
    assert (target["smd_before"].abs() > 0.1).all()


def test_parts_between_and_within_schools_add_up() -> None:
    table = be.check_balance(design()).table
    for when in ("before", "after"):
        for name in PAIRS:
            rows = by_name(table, name)
            total = rows[f"smd_between_{when}"] + rows[f"smd_within_{when}"]
            assert_allclose(total, rows[f"smd_{when}"], atol=1e-12)
    # Arms with no school in common, before weighting: pupils lie about their own schools' means.
    alone = design().between("base", "non_host", PAIRS[1])
    apart = be.check_balance(alone).table
    assert_allclose(apart["smd_within_before"], 0, atol=1e-12)
    nowhere = be.check_balance(design(school=np.empty(0, dtype=str))).table
    assert nowhere[["smd_between_before", "smd_within_after"]].isna().all(axis=None)


def test_a_school_effect_shows_between_schools_and_a_pupil_effect_within() -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(40), 20)
    for shares, part, other in (
        ((0.8, 0.2), "between", "within"),
        ((0.5, 0.5), "within", "between"),
    ):
        arm = np.where(rng.random(800) < np.where(school < 20, *shares), 0, 1)
        kind = 1.0 * (school < 20) if part == "between" else rng.normal(size=800) + (arm == 0)
        made = Weights(
            weights=np.ones(800),
            arm=arm,
            covariates=kind[:, None],
            names=(("kind", ""),),
            method="none",
            estimand="ATE",
            target="union",
            school=school.astype(str),
        )
        row = be.check_balance(made).table.iloc[0]
        assert row[f"smd_{part}_after"] > 0.7
        assert abs(row[f"smd_{other}_after"]) < 0.1


def two_arms(rng: np.random.Generator, schools: int, gap: float, covariates: int = 8) -> Weights:
    """Return whole schools of ten pupils, half of them of each arm, alike but for the gap."""
    school = np.repeat(np.arange(2 * schools), 10)
    arm = (school >= schools).astype(np.intp)
    of_school = rng.normal(size=(2 * schools, covariates))[school]
    x = of_school * 0.5 + rng.normal(size=(len(arm), covariates))
    return Weights(
        weights=np.ones(len(arm)),
        arm=arm,
        covariates=x + gap * (arm == 0)[:, None],
        names=tuple((f"x{k}", "") for k in range(covariates)),
        method="none",
        estimand="ATE",
        target="union",
        school=school.astype(str),
    )


def test_small_samples_are_not_failed_by_chance() -> None:
    """Of studies without any difference, few are called; of those that differ greatly, most."""
    rng = np.random.default_rng(11)
    quiet = [be.check_balance(two_arms(rng, 5, 0.0)) for _ in range(100)]
    observed = [float(found.overlap["max_smd_after"].iloc[0]) for found in quiet]
    assert np.mean(np.array(observed) > 0.25) > 0.8  # a bare threshold would fail most of them
    called = [found.overlap["chance"].iloc[0] != "could_be_chance" for found in quiet]
    assert np.mean(called) <= 0.08
    large = [be.check_balance(two_arms(rng, 40, 0.6)) for _ in range(10)]
    assert all(found.overlap["chance"].iloc[0] == "over_limit" for found in large)
    # The same difference is within a limit that is stated larger.
    lenient = be.check_balance(two_arms(rng, 40, 0.6), limit=2.0)
    assert lenient.overlap["chance"].iloc[0] == "beyond_chance"


def test_bands_are_those_of_the_clearinghouse() -> None:
    rng = np.random.default_rng(4)
    table = be.check_balance(two_arms(rng, 10, 0.1)).table
    sizes = table["smd_after"].abs()
    told = np.select([sizes <= 0.05, sizes <= 0.25], ["alike", "adjust"], "not_comparable")
    assert table["band"].tolist() == told.tolist()
    assert (table["chance"] == "unknown").sum() == 0


def test_one_school_tells_nothing_of_chance() -> None:
    made = two_arms(np.random.default_rng(6), 5, 0.5)
    one = np.where(made.arm == 0, "a", made.school)
    balance = be.check_balance(
        Weights(**{f: getattr(made, f) for f in made.__dataclass_fields__} | {"school": one})
    )
    assert set(balance.table["chance"]) == {"unknown"}
    assert balance.table["p_chance"].isna().all()
    assert balance.overlap.loc[0, "chance"] == "unknown"


def test_constant_columns_are_alike_or_beyond_measure() -> None:
    made = design()
    same = np.column_stack([np.full(240, 2.0), (made.arm == 2).astype(float)])
    names = (("year", ""), ("no_base", ""))
    table = be.check_balance(design(covariates=same, names=names)).table
    rows = by_name(table, PAIRS[0])
    assert rows.loc[("year", ""), "smd_after"] == 0
    assert rows.loc[("year", ""), "band"] == "alike"
    split = by_name(table, PAIRS[1]).loc[("no_base", "")]
    assert np.isnan(split["smd_after"])
    assert split["band"] == "not_comparable"
    worst = by_name(table, WORST_PAIR).loc[("no_base", "")]
    assert worst["band"] == "not_comparable"


def test_respondents_are_judged_by_weights_of_zero_for_the_others() -> None:
    made = design()
    answered = np.random.default_rng(8).random(240) < 0.7
    asked = be.check_balance(design(weights=np.where(answered, made.weights, 0.0)))
    parts = {"arm": made.arm, "covariates": made.covariates, "school": made.school}
    kept = {name: value[answered] for name, value in parts.items()}
    alone = be.check_balance(design(weights=made.weights[answered], **kept))
    for column in ("mean_first_after", "n_first", "ovl_after", "count_second"):
        assert_allclose(asked.table[column], alone.table[column])
    assert_allclose(asked.overlap["n_effective_second"], alone.overlap["n_effective_second"])


def test_design_effects_and_shared_schools() -> None:
    made = design(weights=np.ones(240))
    overlap = be.check_balance(made, icc=0.2).overlap.set_index("contrast")
    assert_allclose(overlap.loc[PAIRS, ["design_effect_first", "design_effect_second"]], 1.0)
    sizes = pd.Series(made.school[made.arm == 0]).value_counts().to_numpy()
    expected = len(made.arm[made.arm == 0]) * (
        0.2 * (sizes**2).sum() / sizes.sum() ** 2 + 0.8 / sizes.sum()
    )
    assert_allclose(overlap.loc[PAIRS[0], "cluster_effect_first"], expected)
    held = [set(made.school[made.arm == k]) for k in range(3)]
    assert overlap.loc[PAIRS[0], "schools_shared"] == len(held[0] & held[1])
    assert overlap.loc[PAIRS[1], "schools_shared"] == 0
    assert be.check_balance(made).overlap["cluster_effect_first"].isna().all()


def test_base_weights_count_before_the_design() -> None:
    made = design(base=np.arange(1.0, 241.0))
    row = be.check_balance(made).table.iloc[0]
    first = made.arm == 0
    mean = np.average(made.covariates[first, 0], weights=np.arange(1.0, 241.0)[first])
    assert_allclose(row["mean_first_before"], mean)


def test_the_chance_of_an_arm_is_counted_in_parts() -> None:
    balance = be.check_balance(design())
    counted = balance.propensity
    assert counted is not None
    sums = counted.groupby(["contrast", "arm"])[["pupils", "share_before", "share_after"]].sum()
    sizes = np.bincount(design().arm)
    assert sums.loc[(PAIRS[0], "base"), "pupils"] == sizes[0]
    assert_allclose(sums[["share_before", "share_after"]], 1.0)
    bare = Weights(
        weights=np.ones(4),
        arm=np.array([0, 0, 1, 1]),
        covariates=np.empty((4, 0)),
        names=(),
        method="none",
        estimand="ATE",
        target="union",
    )
    assert score_of(bare) is None
    empty = be.check_balance(bare)
    assert empty.table.empty
    assert empty.overlap.loc[0, "n_first"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": -0.1}, "limit"),
        ({"icc": 1.0}, "icc"),
        ({"distance": np.zeros(3)}, "distance"),
        ({"distance": np.full(240, np.nan)}, "distance"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        be.check_balance(design(), **options)


def test_the_columns_that_users_were_promised_come_first_in_their_order() -> None:
    sides = [f"mean_{side}_{when}" for when in ("before", "after") for side in ("first", "second")]
    measured = [
        f"{m}_{when}" for m in ("smd", "variance_ratio", "ks") for when in ("before", "after")
    ]
    counts = ["n_first", "n_second", "count_first", "count_second"]
    named = ["contrast", "design", "estimand", "covariate", "level"]
    promised = [*named, *sides, *measured, *counts]
    assert list(be.check_balance(design()).table.columns)[: len(promised)] == promised
    assert list(be.check_balance([]).table.columns) == promised

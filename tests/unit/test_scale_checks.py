"""Every scale checked in a run: the kernels' numbers by arm and wave, and the flags of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.cohort.questionnaires import Questionnaires, check_questionnaires
from baseeval.cohort.scale_flags import with_cautions
from baseeval.engine.duckdb_engine import Engine
from baseeval.measures.agreement import check_reliability
from baseeval.measures.comparability import check_invariance
from baseeval.measures.trust import invariance_flag, is_low_completion, is_low_reliability
from baseeval.pipeline import estimate_all, make_designs
from baseeval.plan import plan_from_keys
from baseeval.results import CONTRASTS, FLAGS

ITEMS = [f"i{number}" for number in range(1, 7)]
NOISE, OTHER = ["n1", "n2", "n3"], ["o1", "o2", "o3"]
SIZES = {"base": 260, "host_mainstream": 240, "non_host": 60}


def world() -> pd.DataFrame:
    """Two waves of three arms; at the second, item 4 is easier for base pupils."""
    rng = np.random.default_rng(20)
    parts = []
    for arm, pupils in SIZES.items():
        trait = rng.normal(size=(pupils, 1))
        schools = rng.integers(0, 12 if arm != "non_host" else 3, pupils)
        prefix = "N" if arm == "non_host" else "S"
        for wave in (1, 2):
            now = trait + 0.7 * rng.normal(size=(pupils, 1))
            raw = 4 + 0.7 * now + 0.6 * rng.normal(size=(pupils, len(ITEMS)))
            raw[:, 1] = 8 - raw[:, 1]
            if arm == "base" and wave == 2:
                raw[:, 3] += 0.9
            answers = np.clip(np.round(raw), 1, 7)
            answers[rng.random(answers.shape) < 0.01] = np.nan
            frame = pd.DataFrame(answers, columns=ITEMS)
            frame[NOISE] = rng.integers(1, 8, (pupils, len(NOISE)))
            other = 4 + 0.4 * trait + rng.normal(size=(pupils, 1))
            frame[OTHER] = np.clip(np.round(other + rng.normal(size=(pupils, 3))), 1, 7)
            if arm == "host_mainstream":
                frame.loc[: int(0.4 * pupils), NOISE] = np.nan
            frame["pupil_id"] = [f"{arm[:2]}{i}" for i in range(pupils)]
            frame["school_id"] = [f"{prefix}{school:02d}" for school in schools]
            parts.append(frame.assign(placement=arm, wave=wave))
    return pd.concat(parts, ignore_index=True)


def plan_of(**changes: Any) -> dict[str, Any]:
    scale = {"kind": "scale", "range": [1, 7]}
    belonging = {**scale, "name": "belonging", "items": ITEMS, "reverse": ["i2"]}
    return {
        "study": {"name": "scales", "title": "Scales"},
        "data": {"table": "pupils.csv", "wave": "wave", "baseline_wave": 1},
        "arms": {"column": "placement", **{arm: [arm] for arm in SIZES}},
        "outcomes": [
            {**belonging, "forms": ["level", "change"]},
            {**scale, "name": "noise", "items": NOISE},
        ],
        "analysis": {"models": ["unadjusted"]},
        **changes,
    }


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return world()


@pytest.fixture(scope="module")
def cohort(table: pd.DataFrame) -> Cohort:
    return build_cohort(plan_from_keys(plan_of(), Path("study.toml")), Engine(), {"table": table})


@pytest.fixture(scope="module")
def found(cohort: Cohort) -> Questionnaires:
    return check_questionnaires(cohort)


def test_scales_hold_what_the_kernels_give(table: pd.DataFrame, found: Questionnaires) -> None:
    scales = found.scales.set_index(["outcome", "wave", "arm"])
    assert len(scales) == 2 * 2 * 3
    for wave in (1, 2):
        for arm in SIZES:
            mine = table[(table["wave"] == wave) & (table["placement"] == arm)]
            schools = mine["school_id"].nunique()
            direct = check_reliability(
                mine,
                ITEMS,
                reverse=["i2"],
                range=(1, 7),
                school="school_id" if schools >= 10 else None,
            )
            one, row = direct.scales.iloc[0], scales.loc["belonging", str(wave), arm]
            assert row["pupils"] == one["complete"] == mine[ITEMS].notna().all(axis=1).sum()
            for name in ("alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high"):
                assert_allclose(row[name], one[name], rtol=1e-12)
            assert ("as independent" in row["note"]) == (arm == "non_host")
            items = found.items.query("outcome == 'belonging' and wave == @wave.__str__()")
            items = items[items["arm"] == arm]
            for name in ("mean", "sd", "item_rest", "missing"):
                assert_allclose(items[name].astype(float), direct.items[name], rtol=1e-12)


def test_every_two_arms_climb_a_ladder_and_few_are_not_assessable(
    table: pd.DataFrame, found: Questionnaires
) -> None:
    steps = found.invariance.query("outcome == 'belonging'").set_index(["wave", "groups"])
    pairs = ["; ".join(pair) for pair in CONTRASTS.values()]
    assert set(steps.index) == {(wave, pair) for wave in ("1", "2") for pair in pairs} | {
        ("1; 2", pairs[0]),
        *[("1; 2", pair) for pair in pairs[1:]],
    }
    two = table[(table["wave"] == 2) & table["placement"].isin(["base", "host_mainstream"])]
    direct = check_invariance(
        two, ITEMS, group="placement", reverse=["i2"], range=(1, 7), reference="base"
    )
    assert_allclose(steps.loc[("2", pairs[0]), "chi2"], direct.steps["chi2"], rtol=1e-9)
    assert steps.loc[("1", pairs[0]), "verdict"].tolist() == ["holds"] * 3
    assert steps.loc[("2", pairs[0]), "verdict"].tolist() == ["holds", "holds", "fails"]
    assert steps.loc[("1; 2", pairs[0]), "verdict"].tolist()[-1] == "fails"
    for wave in ("1", "2", "1; 2"):
        assert set(steps.loc[(wave, pairs[1]), "verdict"]) == {"not assessable"}
    assert not found.invariance["why"].str.contains(r"\b(?:60|260|240)\b").any()


def test_rows_carry_flags_and_keep_their_verdicts(cohort: Cohort, found: Questionnaires) -> None:
    designs = make_designs(cohort)
    plain = estimate_all(cohort, designs)
    told = estimate_all(with_cautions(cohort, found), designs)
    numbers = plain.drop(columns="flags")
    pd.testing.assert_frame_equal(numbers, told.drop(columns="flags"))
    flags = told.set_index(["outcome", "form", "contrast"])["flags"].str.split(";")

    def has(outcome: str, form: str, contrast: str) -> set[str]:
        return set(flags[outcome, form, contrast]) & set(FLAGS) - {"nothing_adjusted"}

    for form in ("level", "change"):
        assert "scale_not_invariant" in has("belonging", form, "base_vs_host")
        assert "invariance_not_assessable" in has("belonging", form, "base_vs_non_host")
        assert "low_reliability" not in has("belonging", form, "base_vs_host")
    assert {"low_reliability", "low_completion"} <= has("noise", "level", "base_vs_host")
    assert "low_completion" not in has("noise", "level", "base_vs_non_host")


def test_a_change_asks_the_same_of_both_waves(table: pd.DataFrame) -> None:
    """Only the baseline differs between the arms: the level after it is invariant, no change is."""
    turned = table.copy()
    turned["wave"] = 3 - turned["wave"]
    plan = plan_from_keys(plan_of(), Path("study.toml"))
    cohort = build_cohort(plan, Engine(), {"table": turned})
    cautions = with_cautions(cohort, check_questionnaires(cohort)).cautions
    assert "scale_not_invariant" not in cautions["belonging level 2 base_vs_host"]
    assert "scale_not_invariant" in cautions["belonging change 2 base_vs_host"]


def test_a_study_without_arms_has_a_ladder_across_waves_alone(table: pd.DataFrame) -> None:
    keys = {name: value for name, value in plan_of().items() if name != "arms"}
    keys["outcomes"] = [{**keys["outcomes"][0], "forms": ["level"]}]
    cohort = build_cohort(plan_from_keys(keys, Path("study.toml")), Engine(), {"table": table})
    found = check_questionnaires(cohort)
    assert set(found.scales["arm"]) == {"all"}
    assert set(found.invariance["wave"]) == {"1; 2"}
    assert set(found.invariance["groups"]) == {"all"}


def test_a_study_without_a_scale_has_nothing_to_check(table: pd.DataFrame) -> None:
    outcome = {"name": "one", "kind": "continuous", "column": "i1"}
    plan = plan_from_keys(plan_of(outcomes=[outcome]), Path("study.toml"))
    cohort = build_cohort(plan, Engine(), {"table": table})
    found = check_questionnaires(cohort)
    assert found.scales.empty
    assert found.invariance.empty
    assert cohort.completion.empty
    assert with_cautions(cohort, found).cautions == cohort.cautions


def test_factors_of_the_plan_are_those_of_the_ladder(table: pd.DataFrame) -> None:
    both = {"kind": "scale", "name": "both", "items": ITEMS + OTHER, "range": [1, 7]}
    keys = plan_of(outcomes=[both | {"reverse": ["i2"], "factors": {"a": ITEMS, "b": OTHER}}])
    cohort = build_cohort(plan_from_keys(keys, Path("study.toml")), Engine(), {"table": table})
    steps = check_questionnaires(cohort).invariance.query("wave == '1' and chi2 == chi2")
    # Nine items: 45 moments a group, less 9 loadings, 9 residuals and one factor covariance.
    assert steps["df"].iloc[0] == 2 * (45 - 19)


@pytest.mark.parametrize(
    ("verdicts", "flag"),
    [
        (["holds", "holds", "holds"], ""),
        (["not assessable", "holds", "holds"], ""),
        (["fails", "not assessable", "not assessable"], "scale_not_invariant"),
        (["holds", "not assessable", "not assessable"], "invariance_not_assessable"),
        ([], "invariance_not_assessable"),
    ],
    ids=str,
)
def test_not_assessable_is_never_invariant(verdicts: list[str], flag: str) -> None:
    assert invariance_flag(verdicts) == flag


def test_limits_are_where_they_are_said_to_be() -> None:
    assert is_low_reliability([0.9, 0.6999])
    assert not is_low_reliability([0.7, np.nan])
    assert is_low_completion([69, 80], [100, 100])
    assert not is_low_completion([70, 85], [100, 100])
    assert is_low_completion([70, 86], [100, 100])

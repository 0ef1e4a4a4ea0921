"""The gate: judged on covariates alone, told by every row, and blind to every outcome."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.engine.duckdb_engine import Engine
from baseeval.numerics.detectable import Assumed, compared_between, detectable_effect
from baseeval.pipeline import Designs, estimate_all, make_designs
from baseeval.plan import GATE_RULES, plan_from_keys
from baseeval.running import run

NUMBERS = ["estimate", "std_error", "df", "ci_low", "ci_high", "ci90_low", "ci90_high", "p_value"]
NUMBERS += ["effect_size", "effect_size_low", "effect_size_high", "p_adjusted"]
GATE = {"schools_per_arm": 3, "effective_size": 12, "smallest_detectable_effect": 9.0}


def pupils() -> pd.DataFrame:
    """Six host schools with both arms, and two schools without a base: a gate of three fails."""
    rng = np.random.default_rng(4)
    rows = []
    for school in range(8):
        for number in range(24):
            arm = "non_host" if school > 5 else "base" if number < 10 else "host_mainstream"
            rows.append((f"s{school}", f"p{school:02d}{number:02d}", arm, rng.normal(), school))
    table = pd.DataFrame(rows, columns=["school", "pupil", "placement", "prior", "place"])
    table["sex"] = rng.choice(["f", "m"], len(table))
    before = table.assign(wave=1, y=table["prior"])
    after = table.assign(
        wave=2,
        y=table["prior"]
        + 2.0 * (table["placement"] == "base")
        + 0.1 * table["place"]
        + rng.normal(0, 0.5, len(table)),
    )
    return pd.concat([before, after], ignore_index=True).drop(columns=["prior", "place"])


def plan_of(**changes: Any) -> dict[str, Any]:
    return {
        "study": {"name": "gated", "title": "Gated", "question": "?"},
        "data": {
            "table": "pupils.csv",
            "pupil": "pupil",
            "school": "school",
            "wave": "wave",
            "baseline_wave": 1,
        },
        "arms": {
            "column": "placement",
            **{arm: [arm] for arm in ("base", "host_mainstream", "non_host")},
        },
        "outcomes": [
            {
                "name": "y",
                "kind": "continuous",
                "column": "y",
                "better": "higher",
                "bounds": [-9, 9],
            }
        ],
        "covariates": {"adjust": [{"column": "y", "wave": 1}, "sex"]},
        "design": {"methods": ["entropy", "nearest"]},
        "analysis": {"models": ["multilevel", "unadjusted"]},
        **changes,
    }


def planned(cohort: Cohort, **changes: Any) -> Cohort:
    return replace(cohort, plan=plan_from_keys(plan_of(**changes), Path("study.toml")))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    plan = plan_from_keys(plan_of(), Path("study.toml"))
    return build_cohort(plan, Engine(), {"table": pupils()})


@pytest.fixture(scope="module")
def designs(cohort: Cohort) -> Designs:
    return make_designs(planned(cohort, gate=GATE))


@pytest.fixture(scope="module")
def ungated(cohort: Cohort) -> pd.DataFrame:
    return estimate_all(cohort, make_designs(cohort))


def rows_with(cohort: Cohort, designs: Designs, **gate: Any) -> pd.DataFrame:
    return estimate_all(planned(cohort, gate=GATE | gate), designs)


def test_every_design_is_judged_also_the_one_that_a_model_falls_back_on(designs: Designs) -> None:
    judged = designs.gate.table
    expected = {(c, d) for c, d in designs.made} | {(c, "none") for c, _ in designs.made}
    assert set(zip(judged["contrast"], judged["design"], strict=True)) == expected
    assert len(judged) == len(expected) * len(GATE_RULES)
    assert judged["rule"].tolist()[:5] == list(GATE_RULES)
    by_rule = judged.groupby("rule")["passed"].unique().map(list).to_dict()
    assert by_rule["largest_smd"] == by_rule["overlap"] == ["not asked"]
    assert by_rule["effective_size"] == ["yes"]
    few = judged[judged["rule"] == "schools_per_arm"].set_index("contrast")
    assert set(few.loc["base_vs_host", "passed"]) == {"yes"}
    assert set(few.loc["base_vs_non_host", "passed"]) == {"no"}
    assert designs.gate.failing() == {key for key in expected if key[0] != "base_vs_host"}


def test_the_numbers_are_those_of_overlap_and_of_the_formula(designs: Designs) -> None:
    judged = designs.gate.table.set_index(["contrast", "design", "rule"])["value"].sort_index()
    for row in designs.balance.overlap.to_dict("records"):
        mine = judged.loc[row["contrast"], row["design"]]
        assert mine["largest_smd"] == row["max_smd_after"]
        assert mine["overlap"] == row["share_outside_support"]
        assert mine["schools_per_arm"] == min(row["schools_first"], row["schools_second"])
        assert mine["effective_size"] == min(row["n_effective_first"], row["n_effective_second"])
    made = designs.made["host_vs_non_host", "entropy"]
    school = np.unique(made.school, return_inverse=True)[1]
    by_hand = detectable_effect(
        compared_between(made.weights, made.treated, school), Assumed(icc=0.15)
    )
    found = judged["host_vs_non_host", "entropy", "smallest_detectable_effect"]
    assert found == pytest.approx(by_hand.effect)
    within = judged["base_vs_host", "entropy", "smallest_detectable_effect"]
    assert within < found


def test_without_a_gate_the_numbers_are_the_same_and_nothing_is_asked(
    cohort: Cohort, designs: Designs, ungated: pd.DataFrame
) -> None:
    found = make_designs(cohort).gate
    plain, whole = found.table, designs.gate.table
    assert set(plain["passed"]) == {"not asked"}
    assert plain["threshold"].isna().all()
    judged = whole[whole["design"] != "none"].reset_index(drop=True)
    kept = ["contrast", "design", "rule", "value", "n_first", "schools_second"]
    pd.testing.assert_frame_equal(plain[kept], judged[kept])
    assert not found.failing()
    assert not ungated["flags"].str.contains("gate_failed").any()


def test_rows_of_a_failing_comparison_keep_counts_and_nothing_else(
    cohort: Cohort, designs: Designs, ungated: pd.DataFrame
) -> None:
    rows = rows_with(cohort, designs)
    failed = rows["contrast"] != "base_vs_host"
    assert (rows["flags"].str.contains("gate_failed") == failed).all()
    assert set(rows.loc[failed, "verdict"]) == {"cannot_tell"}
    assert rows.loc[failed, NUMBERS].isna().all(axis=None)
    # Nothing that a fitted model says of the outcome stands in the flags either.
    told = set(";".join(rows.loc[failed, "flags"]).split(";"))
    assert not told & {"singular_fit", "school_average", "low_df", "conservative", "model_failed"}
    assert set(rows.loc[failed, "variant"]) == {"main"}
    key = ["contrast", "design", "model", "variant"]
    both = rows.merge(ungated, on=key, suffixes=("", "_ungated"))
    assert len(both) == len(rows)
    assert (both["n_first"] > 0).all()
    for name in ("n_first", "n_second", "n_effective_second", "schools_first", "headline", "role"):
        assert (both[name] == both[f"{name}_ungated"]).all()
    passed = both[both["contrast"] == "base_vs_host"]
    for name in NUMBERS[:-1]:
        assert (passed[name] == passed[f"{name}_ungated"]).all()


def test_what_failed_may_be_shown_and_is_no_answer(
    cohort: Cohort, designs: Designs, ungated: pd.DataFrame
) -> None:
    hidden, shown = rows_with(cohort, designs), rows_with(cohort, designs, show_failed=True)
    assert len(shown) == len(ungated)
    for name in NUMBERS[:-1]:
        pd.testing.assert_series_equal(shown[name], ungated[name])
    failed = shown["flags"].str.contains("gate_failed")
    assert (failed == (shown["contrast"] != "base_vs_host")).all()
    assert set(shown.loc[failed, "verdict"]) == {"cannot_tell"}
    assert (ungated.loc[failed & (shown["contrast"] == "base_vs_non_host"), "p_value"] < 0.05).any()
    assert shown.loc[failed, "p_adjusted"].isna().all()
    # Whether they are shown changes no other answer: they count among the questions either way.
    one, two = (
        rows[rows["contrast"] == "base_vs_host"].drop(columns="plan_hash").reset_index(drop=True)
        for rows in (hidden, shown)
    )
    pd.testing.assert_frame_equal(one, two)
    head = two[two["headline"]].iloc[0]
    assert head["p_adjusted"] == pytest.approx(3 * head["p_value"])
    assert head["verdict"] == "favours_first"


class Forbidden:
    """An outcome table that nobody may touch."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the design stage touched an outcome ({name})")


def test_designs_are_made_of_a_cohort_whose_outcomes_raise_when_read(
    cohort: Cohort, designs: Designs
) -> None:
    blind: Any = Forbidden()
    hidden = dict.fromkeys(("outcomes", "answers", "surveyed", "completion", "cautions"), blind)
    made = make_designs(replace(planned(cohort, gate=GATE), **hidden))
    pd.testing.assert_frame_equal(made.gate.table, designs.gate.table)
    with pytest.raises(AssertionError, match="touched an outcome"):
        estimate_all(replace(cohort, **hidden), made)


def changed_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Replace every later outcome, permute some, empty some and drop some rows whole."""
    rng = np.random.default_rng(9)
    table = table.copy()
    later = table.index[table["wave"] == 2].to_numpy()
    table.loc[later, "y"] = rng.permutation(-5 * table.loc[later, "y"].to_numpy()) + 1.0
    table.loc[rng.choice(later, 40, replace=False), "y"] = math.nan
    return table.drop(index=rng.choice(later, 15, replace=False))


def study_in(folder: Path, table: pd.DataFrame) -> dict[str, bytes]:
    """Run the gated study and return what its design stage wrote."""
    folder.mkdir()
    table.to_csv(folder / "pupils.csv", index=False)
    lines = [
        '[study]\nname = "gated"\ntitle = "Gated"\nquestion = "Does it help?"',
        '[data]\ntable = "pupils.csv"\npupil = "pupil"\nschool = "school"\nwave = "wave"',
        'baseline_wave = 1\n[arms]\ncolumn = "placement"\nbase = ["base"]',
        'host_mainstream = ["host_mainstream"]\nnon_host = ["non_host"]',
        '[[outcomes]]\nname = "y"\nkind = "continuous"\ncolumn = "y"\nbetter = "higher"',
        '[covariates]\nadjust = [{ column = "y", wave = 1 }, "sex"]',
        '[design]\nmethods = ["entropy", "nearest"]\n[analysis]\nmodels = ["unadjusted"]',
        "[gate]\nschools_per_arm = 3\nlargest_smd = 0.25",
    ]
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")
    out = run(folder / "study.toml")
    private = out.with_name("output.restricted")
    wanted = [*private.glob("*.parquet"), *private.glob("designs/*")]
    released = ("balance.csv", "overlap.csv", "gate.csv", "describes.csv", "propensity.csv")
    wanted += [out / name for name in released]
    return {str(path.relative_to(folder)): path.read_bytes() for path in wanted}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    place = tmp_path_factory.mktemp("gated")
    tables = {"one": pupils(), "two": changed_outcomes(pupils())}
    return place, {name: study_in(place / name, table) for name, table in tables.items()}


def test_no_outcome_changes_a_byte_of_what_the_design_stage_writes(
    studies: tuple[Path, dict[str, Any]],
) -> None:
    place, written = studies
    one, two = written["one"], written["two"]
    names = {Path(name).name for name in one}
    assert {"balance.csv", "overlap.csv", "gate.csv"} <= names
    assert {"weights_base_vs_host_entropy.parquet", "pairs_base_vs_host_nearest.parquet"} <= names
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    answers = [(place / name / "output" / "results.csv").read_bytes() for name in ("one", "two")]
    assert answers[0] != answers[1]


def test_what_leaves_says_what_was_asked_and_what_was_found(
    studies: tuple[Path, dict[str, Any]],
) -> None:
    out = studies[0] / "one" / "output"
    gate = pd.read_csv(out / "gate.csv", keep_default_na=False)
    assert list(gate) == [
        "contrast", "design", "rule", "threshold", "value", "passed", "status",
    ]  # fmt: skip
    assert set(gate["passed"]) == {"yes", "no", "not asked"}
    sizes = gate.loc[gate["rule"] == "effective_size", "value"].astype(float)
    assert (sizes % 5 == 0).all()
    respondents = pd.read_csv(out / "respondents_balance.csv")
    assert len(respondents) == 6
    assert (respondents["n_first"] % 5 == 0).all()
    # Everybody has the outcome, so the balance is that of the whole design.
    whole = pd.read_csv(out / "overlap.csv")["max_smd_after"].round(2)
    assert respondents["largest_smd"].tolist() == whole.tolist()
    page = (out / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="gate">') :]
    assert "Each group has pupils in at least 3 schools." in section
    assert "comparisons did not meet every limit" in section
    assert "did not meet what the study asked of a comparison" in page
    exact = pd.read_csv(out.with_name("output.restricted") / "designs" / "gate.csv")
    # The exact counts stay behind: two schools of 24 pupils without a base.
    assert set(exact.loc[exact["design"] == "none", "n_second"]) == {84, 48}

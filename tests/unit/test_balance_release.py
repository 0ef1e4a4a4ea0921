"""Balance, overlap and whom answers describe: what leaves of them, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.cohort.building import Cohort, build_cohort
from baseeval.design.deciding import decide
from baseeval.design.describing import describe_target
from baseeval.disclosure.chances import release_propensity
from baseeval.disclosure.left_out import Told
from baseeval.disclosure.profiles import get_profile
from baseeval.disclosure.released import Released
from baseeval.disclosure.releasing import release
from baseeval.disclosure.shapes import BALANCE_MORE, BALANCE_NUMBERS, BALANCE_PARTS
from baseeval.disclosure.targets import release_describes
from baseeval.engine.duckdb_engine import Engine
from baseeval.plan import plan_from_keys
from baseeval.reporting.overlap_plot import overlap_plot
from baseeval.results import ARMS, Weights, results_table

PARTS = BALANCE_PARTS.split()
SRS = get_profile("srs")


def design(schools: int = 12, n: int = 300, **changes: Any) -> Weights:
    """Return two arms that share all their schools, with a rare level and a common one."""
    rng = np.random.default_rng(9)
    rare = np.arange(n) % 60 == 0
    score, sex = rng.normal(100, 15, size=n), rng.random(n) < 0.5
    levels = np.column_stack([rare, ~rare & sex, ~rare & ~sex])
    parts: dict[str, Any] = {
        "weights": np.exp(rng.normal(0, 0.3, size=n)),
        "arm": rng.integers(0, 2, size=n),
        "covariates": np.column_stack([score, levels]),
        "names": (("prior", ""), ("need", "rare"), ("need", "a"), ("need", "b")),
        "method": "entropy",
        "estimand": "ATT",
        "target": "base",
        "arms": ARMS[:2],
        "contrast": "base_vs_host",
        "school": np.array([f"s{k % schools:02d}" for k in range(n)]),
    }
    return Weights(**parts | changes)


def released(*designs: Weights, icc: float | None = None) -> Released:
    return release(results_table([]), be.check_balance(designs, icc=icc))


def test_a_withheld_level_loses_every_number_and_every_word_about_one() -> None:
    table = released(design()).balance.set_index(["covariate", "level"])
    gone = table.loc[("need", "rare")]
    assert gone["status"] == "suppressed"
    assert gone[[*BALANCE_NUMBERS.split(), *BALANCE_MORE.split()]].isna().all()
    assert gone["band"] == gone["chance"] == ""
    assert (table.loc["need", "status"] == "suppressed").sum() > 1  # or the others would tell
    prior = table.loc[("prior", "")]
    assert prior["status"] == ""
    assert prior[["ovl_after", "ecdf_mean_after", *PARTS]].notna().all()


def test_parts_of_few_schools_do_not_leave() -> None:
    prior = released(design(schools=9)).balance.iloc[0]
    assert prior[PARTS].isna().all()
    assert prior["status"] == ""
    assert prior[["smd_after", "ovl_after", "se_after"]].notna().all()


def test_no_number_has_more_digits_than_its_counts_allow() -> None:
    exact = be.check_balance(design(), icc=0.2)
    out = release(results_table([]), exact)
    prior = out.balance.iloc[0]
    for name, decimals in (("ovl_after", 3), ("smd_within_after", 3), ("se_after", 2)):
        assert prior[name] == round(exact.table.loc[0, name], decimals)
    for name in ("design_effect_first", "cluster_effect_second"):
        told = out.overlap.loc[0, name]
        assert told == float(f"{exact.overlap.loc[0, name]:.2g}")
    assert out.overlap.loc[0, "schools_shared"] == 12


def test_bands_and_chance_tell_only_of_what_is_shown() -> None:
    """The largest difference is that of the rare level; it is named to one decimal at most."""
    rng = np.random.default_rng(3)
    arm = rng.integers(0, 2, size=400)
    rare = (arm == 0) & (np.arange(400) % 45 == 0)
    columns = np.column_stack([rng.normal(size=400), rare, ~rare])
    made = design(
        n=400,
        arm=arm,
        covariates=columns,
        names=(("prior", ""), ("need", "rare"), ("need", "a")),
        weights=np.ones(400),
        estimand="ATE",
        target="union",
    )
    balance = be.check_balance(made)
    out = release(results_table([]), balance)
    assert balance.table["smd_after"].abs().idxmax() > 0
    shown = out.balance[out.balance["status"] == ""]
    assert shown["covariate"].tolist() == ["prior"]
    told = out.overlap.iloc[0]
    assert told["max_smd_after"] == round(told["max_smd_after"], 1)
    assert told["chance"] == shown["chance"].iloc[0]


def test_three_arms_leave_by_pairs_and_the_worst_pair_stays() -> None:
    made = design(
        arm=np.random.default_rng(1).integers(0, 3, size=300),
        arms=ARMS,
        contrast="",
        estimand="ATE",
    )
    out = released(made)
    names = ["base_vs_host", "base_vs_non_host", "host_vs_non_host"]
    assert list(dict.fromkeys(out.balance["contrast"])) == names
    assert out.overlap["contrast"].tolist() == names
    assert set(out.propensity["contrast"]) <= set(names)


def test_tables_of_before_are_released_without_what_they_lack() -> None:
    whole = be.check_balance(design())
    older = be.results.Balance(
        whole.table.drop(columns=["denominator", "kind", "band", "chance", *BALANCE_MORE.split()]),
        whole.overlap.drop(columns=["schools_shared", "band", "chance", "design_effect_first"]),
    )
    out = release(results_table([]), older)
    assert (out.balance["band"] == "").all()
    assert out.balance["smd_after"].notna().any()
    assert out.propensity.empty


@settings(max_examples=40, deadline=None, derandomize=True)
@given(pupils=st.lists(st.integers(0, 25), min_size=20, max_size=20), seed=st.integers(0, 99))
def test_every_part_of_the_range_holds_enough_pupils(pupils: list[int], seed: int) -> None:
    """Nothing is lost, nothing small is shown, and the parts lie side by side."""
    rng = np.random.default_rng(seed)
    weight = rng.random(20) * np.array(pupils)
    name = {"contrast": "base_vs_host", "design": "entropy", "estimand": "ATT"}
    records = [
        name
        | {"arm": "base", "low": k / 20, "high": (k + 1) / 20, "pupils": pupils[k], "schools": 3}
        | {"counting_before": pupils[k], "counting_after": pupils[k]}
        | {
            "share_before": pupils[k] / max(sum(pupils), 1),
            "share_after": weight[k] / max(weight.sum(), 1e-9),
        }
        for k in range(20)
    ]
    parts = release_propensity(records, [name | {"flags": ""}], SRS)
    assert release_propensity(records, [name | {"flags": "suppressed"}], SRS) == []
    lone = [record | {"schools": 1} for record in records]
    assert release_propensity(lone, [name | {"flags": ""}], SRS) == []
    if sum(pupils) < 20:
        assert not parts
    if not parts:
        return
    reached = np.cumsum(pupils)
    assert reached[round(20 * parts[0]["chance_from"])] >= SRS.feasible
    beyond = sum(pupils[: round(20 * parts[0]["chance_from"])])
    assert beyond < SRS.feasible
    assert sum(pupils[round(20 * parts[-1]["chance_to"]) :]) < SRS.feasible
    edges = [0.0, *(part["chance_to"] for part in parts[:-1]), 1.0]
    for part, low, high in zip(parts, edges[:-1], edges[1:], strict=True):
        assert part["chance_from"] == low or part is parts[0]
        inside = sum(pupils[round(20 * low) : round(20 * high)])
        assert inside >= SRS.threshold
        assert part["pupils"] % SRS.base == 0
        assert abs(part["pupils"] - inside) <= 2


def part_of_range(place: int, pupils: int, counting: int) -> dict[str, object]:
    """Return a third of the range of 60 pupils, of whom so many count after the design."""
    return {
        "contrast": "base_vs_host", "design": "entropy", "estimand": "ATT", "arm": "base",
        "low": place / 3, "high": (place + 1) / 3, "pupils": pupils, "schools": 3,
        "share_before": pupils / 60, "share_after": counting / 60,
        "counting_before": pupils, "counting_after": counting,
    }  # fmt: skip


@pytest.mark.parametrize("few", [0, 1, 9])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_share_of_few_who_count_is_withheld_with_another(few: int, when: str) -> None:
    """Shares of an arm add up to 1, so one alone would be found."""
    about = [{"contrast": "base_vs_host", "design": "entropy", "estimand": "ATT", "flags": ""}]
    records = [part_of_range(k, 20, count) for k, count in enumerate((few, 18, 20))]
    if when == "before":
        for record in records:
            record["counting_before"] = record.pop("counting_after")
            record["counting_after"] = 20
    parts = release_propensity(records, about, SRS)
    other = "before" if when == "after" else "after"
    assert [part[f"share_{when}"] is None for part in parts] == [True, True, False]
    assert all(part[f"share_{other}"] is not None for part in parts)
    assert [part["status"] for part in parts] == ["suppressed", "suppressed", ""]
    shown = release_propensity(records, about, get_profile("ees"))
    assert [p[f"share_{when}"] is None for p in shown] == ([few > 0] * 2 + [False])


def test_the_figure_of_chances_is_drawn_without_the_shares_that_are_withheld() -> None:
    about = [{"contrast": "base_vs_host", "design": "entropy", "estimand": "ATT", "flags": ""}]
    first = release_propensity([part_of_range(k, 20, 5 * k) for k in range(3)], about, SRS)
    none = release_propensity([part_of_range(k, 20, 0) for k in range(3)], about, SRS)
    assert "<svg" in overlap_plot(first, none, "chances", ("one", "two"))


def test_few_whom_a_design_leaves_out_are_counted_and_hide_what_is_after() -> None:
    """From the design to what leaves: three of the first arm have no weight."""
    whole = design()
    weights = whole.weights.copy()
    weights[np.flatnonzero(whole.arm == 0)[:3]] = 0.0
    exact = be.check_balance(design(weights=weights))
    table = exact.table.iloc[0]
    assert table["rows_first"] - table["n_first"] == 3
    assert table["rows_second"] == table["n_second"]
    assert "counting_after" in exact.propensity or exact.propensity.empty
    out = release(results_table([]), exact)
    prior = out.balance.iloc[0]
    assert (
        prior[["smd_after", "mean_first_after", "ks_after", "se_after", "ovl_after"]].isna().all()
    )
    assert prior[["smd_before", "mean_first_before"]].notna().all()
    assert prior["band"] == prior["chance"] == ""
    assert released(whole).balance.iloc[0][["smd_after", "mean_first_after"]].notna().all()


# ---- whom answers describe ----------------------------------------------------------------------
def pupils(lost: int) -> pd.DataFrame:
    """Return base and host pupils of 12 schools; so many base pupils lack one covariate."""
    rng = np.random.default_rng(7)
    n = 240
    arm = np.where(np.arange(n) % 2 == 0, "base", "host_mainstream")
    table = pd.DataFrame(
        {
            "pupil": [f"p{k:03d}" for k in range(n)],
            "school": [f"s{k % 24 // 2:02d}" for k in range(n)],
            "placement": arm,
            "prior": rng.normal(size=n) + 0.3 * (arm == "base"),
            "sex": rng.choice(["f", "m"], n),
            "fsm": rng.choice(["no", "yes"], n),
            "y": rng.normal(size=n),
        }
    )
    table.loc[table.index[arm == "base"][:lost], "fsm"] = None
    return table


def cohort_of(lost: int) -> Cohort:
    plan = plan_from_keys(
        {
            "study": {"name": "who", "title": "Who", "question": "?"},
            "data": {"table": "pupils.csv", "pupil": "pupil", "school": "school"},
            "arms": {
                "column": "placement",
                "base": ["base"],
                "host_mainstream": ["host_mainstream"],
            },
            "outcomes": [{"name": "y", "kind": "continuous", "column": "y", "better": "higher"}],
            "covariates": {"adjust": ["prior", "sex", "fsm"]},
        },
        Path("study.toml"),
    )
    return build_cohort(plan, Engine(), {"table": pupils(lost)})


@pytest.fixture(scope="module")
def told() -> dict[int, tuple[pd.DataFrame, pd.DataFrame]]:
    """Give what is described, exactly and as it leaves, by how many are left out."""
    found = {}
    for lost in (25, 4):
        cohort = cohort_of(lost)
        made = decide(cohort, "base_vs_host", "entropy")
        exact = describe_target(cohort, [made])
        balance = be.check_balance(made)
        found[lost] = exact, release(results_table([]), balance, describes=exact).describes
    return found


def test_those_described_are_set_beside_every_base_pupil(
    told: dict[int, tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    exact = told[25][0].set_index(["covariate", "level"])
    frame = pupils(25)
    base = frame[frame["placement"] == "base"]
    kept = base[base["fsm"].notna()]
    row = exact.loc[("prior", "")]
    assert np.isclose(row["mean_base"], base["prior"].mean())
    assert np.isclose(row["mean_described"], kept["prior"].mean())
    gap = (kept["prior"].mean() - base["prior"].mean()) / base["prior"].std()
    assert np.isclose(row["smd"], gap)
    assert row[["n_described", "n_base", "n_left_out"]].tolist() == [95, 120, 25]
    girls = exact.loc[("sex", "f")]
    assert girls["count_base"] == (base["sex"] == "f").sum()
    assert girls["count_left_out"] == (base["sex"] == "f").sum() - (kept["sex"] == "f").sum()
    # Of the covariate itself, all whose value is known are described.
    assert exact.loc[("fsm", "no"), "n_left_out"] == 0


def test_what_leaves_is_coarse_and_tells_of_enough(
    told: dict[int, tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    exact, out = told[25]
    rows = out.set_index(["covariate", "level"])
    assert rows.loc[("prior", ""), "smd"] == round(exact["smd"].iloc[0], 2)
    assert rows.loc[("prior", ""), "status"] == ""
    # Nobody whose meals are known is left out, and that nobody is may not be told.
    assert (rows.loc["fsm", "status"] == "suppressed").all()
    assert rows.loc["fsm", ["mean_described", "mean_base", "smd"]].isna().all(axis=None)


def test_few_who_are_left_out_are_told_by_no_difference_of_means(
    told: dict[int, tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    exact, out = told[4]
    assert (exact["fewest_left_out"].dropna() == 4).all()
    assert (out["status"] == "suppressed").all()
    assert out[["mean_described", "mean_base", "smd"]].isna().all(axis=None)


def test_a_study_without_base_pupils_describes_nobody(
    told: dict[int, tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    empty = told[25][0].iloc[:0]
    assert release(results_table([]), describes=empty).describes.empty


def test_whom_a_design_describes_is_hidden_where_what_is_after_it_is() -> None:
    """It left out few of the other arm, of whom the means of those described tell."""
    row: dict[str, object] = {
        "contrast": "base_vs_host", "design": "full", "estimand": "ATE", "covariate": "prior",
        "level": "", "mean_described": 1.234, "mean_base": 1.345, "smd": -0.1,
        "n_described": 100, "n_base": 60, "schools_described": 5, "schools_base": 5,
    }  # fmt: skip
    unknown = ("n_left_out", "count_described", "count_base", "count_left_out", "fewest_left_out")
    row |= dict.fromkeys(unknown)
    about = [{**row, "flags": ""}]
    key = ("base_vs_host", "full", "ATE")
    shown, gone = (
        release_describes([row], about, Told(hidden, {}), SRS)[0] for hidden in (set(), {key})
    )
    assert (shown["mean_described"], shown["status"]) == (1.23, "")
    assert (gone["mean_described"], gone["smd"], gone["status"]) == (None, None, "suppressed")

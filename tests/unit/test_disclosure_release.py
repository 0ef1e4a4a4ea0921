"""What leaves and what does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from baseeval.disclosure import shapes
from baseeval.disclosure.profiles import PROFILES, Profile, get_profile
from baseeval.disclosure.released import About
from baseeval.disclosure.releasing import release
from baseeval.errors import UsageError
from baseeval.results import RESULT_COLUMNS, Balance, Effect, Flow, results_table

EFFECT = Effect(
    study="seven",
    outcome="belonging",
    form="level",
    wave="2",
    contrast="base_vs_host",
    estimand="ATT",
    target="base",
    design="none",
    model="unadjusted",
    estimate=0.25,
    std_error=0.1,
    df=5.4321,
    ci_low=0.01,
    ci_high=0.49,
    ci90_low=0.05,
    ci90_high=0.45,
    p_value=0.04,
    effect_size=0.3,
    smallest_effect=0.1,
    n_first=37,
    n_second=41,
    n_effective_first=37.0,
    n_effective_second=22.7,
    schools_first=5,
    schools_second=5,
    verdict="favours_first",
    flags=("few_schools",),
    headline=True,
)
NUMBERS = [name for name, (kind, _) in RESULT_COLUMNS.items() if kind in ("number", "count")]


def rows_of(*changes: dict[str, object]) -> pd.DataFrame:
    return results_table(dataclasses.replace(EFFECT, **change) for change in changes)  # type: ignore[arg-type]


def test_every_number_of_every_profile_has_a_source() -> None:
    fields = {f.name for f in dataclasses.fields(Profile)} - {"name", "sources"}
    for profile in PROFILES.values():
        assert set(profile.sources) == fields
        assert all(profile.sources.values())


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="srs, ees, trust"):
        get_profile("srz")


def test_nothing_in_gives_empty_tables_of_the_right_columns() -> None:
    out = release(results_table([]))
    for name in (f.name for f in dataclasses.fields(out) if f.name not in ("profile", "about")):
        assert list(getattr(out, name).columns) == list(getattr(shapes, name.upper()))
        assert len(getattr(out, name)) == 0
    assert out.about.study == ""
    assert out.profile == "srs"


def test_a_row_of_enough_pupils_keeps_its_answer_and_rounds_its_counts() -> None:
    row = release(rows_of({})).results.loc[0]
    assert list(row[["n_first", "n_second"]]) == [35, 40]
    assert list(row[["n_effective_first", "n_effective_second"]]) == [35.0, 25.0]
    assert list(row[["estimate", "p_value", "df"]]) == [0.25, 0.04, 5.4321]
    assert list(row[["schools_first", "schools_second"]]) == [5, 5]
    assert (row["verdict"], row["flags"]) == ("favours_first", "few_schools")


def test_types_are_those_of_the_results_table() -> None:
    exact = rows_of({}, {"n_first": 3, "wave": "3"})
    assert dict(release(exact).results.dtypes) == dict(exact.dtypes)


@pytest.mark.parametrize(
    "change",
    [
        {"n_first": 9},
        {"n_second": 0},
        {"schools_first": 1},
        {"schools_second": 1},
        {"schools_second": 0},  # not known
    ],
    ids=str,
)
def test_a_row_that_rests_on_few_loses_every_number(change: dict[str, object]) -> None:
    row = release(rows_of(change)).results.loc[0]
    assert row[NUMBERS].isna().all()
    assert row["verdict"] == "cannot_tell"
    assert row["flags"] == "few_schools;suppressed"
    assert row["headline"]


def test_rows_less_parameters_are_held_against_the_limit_where_known() -> None:
    rows = rows_of({"n_first": 12, "n_second": 11}, {"n_first": 12, "n_second": 11, "wave": "3"})
    rows["parameters"] = [13, 14]
    released = release(rows).results
    assert list(released["estimate"].isna()) == [False, True]
    assert list(released.columns) == list(RESULT_COLUMNS)


def test_a_row_that_failed_is_not_called_suppressed() -> None:
    nothing = {name: np.nan for name in NUMBERS if not name.startswith(("n_f", "n_s", "sch"))}
    failed = nothing | {"n_first": 0, "n_second": 0, "flags": ("model_failed",)}
    row = release(rows_of(failed)).results.loc[0]
    assert row["flags"] == "model_failed"
    assert row[NUMBERS].isna().all()


def test_a_plain_difference_is_rounded_and_an_adjusted_one_is_not() -> None:
    """Otherwise the difference of two shares gives the counts behind them away."""
    exact = {"estimate": 11 / 35 - 14 / 47, "std_error": 0.10391, "p_value": 0.87654}
    rows = rows_of(exact, exact | {"wave": "3"})
    rows["parameters"] = [2, 3]
    plain, adjusted = release(rows).results.to_dict("records")

    assert plain["estimate"] == 0.02
    assert plain["std_error"] == 0.1
    assert plain["p_value"] == 0.88
    assert adjusted["estimate"] == pytest.approx(11 / 35 - 14 / 47, rel=1e-11)
    behind = [
        (a, b)
        for n in range(33, 38)
        for m in range(45, 50)
        for a in range(n + 1)
        for b in range(m + 1)
        if round(a / n - b / m, 2) == 0.02
    ]
    assert len(behind) > 300


def test_a_withheld_row_does_not_say_that_all_are_alike() -> None:
    rows = rows_of({"estimate": np.nan, "flags": ("few_schools", "model_failed"), "n_first": 4})
    assert release(rows).results.loc[0, "flags"] == "few_schools;suppressed"


def test_missing_values_of_an_arm_of_one_school_are_withheld() -> None:
    steps = [("In an arm", arm, 30, schools, "") for arm, schools in (("base", 1), ("non_host", 4))]
    table = missing_of(
        ("covariate", "prior", "", "base", 30, 12, "blank"),
        ("covariate", "prior", "", "non_host", 30, 14, "blank"),
    )
    out = release(results_table([]), flow=flow_of(*steps), missing=table).missing
    base = out[out["arm"] == "base"].iloc[0]
    assert base[["pupils", "missing"]].isna().all()
    assert base["status"] == "suppressed"


def test_degrees_of_freedom_that_count_pupils_are_rounded() -> None:
    released = release(rows_of({"df": 76.0}, {"df": 10.0, "wave": "3"})).results
    assert list(released["df"]) == [75.0, 10.0]


def test_no_third_answer_is_found_from_two() -> None:
    rows = rows_of(
        {"contrast": "base_vs_host", "estimate": 0.5},
        {"contrast": "host_vs_non_host", "estimate": 0.25, "n_first": 30},
        {"contrast": "base_vs_non_host", "estimate": 0.75},
    )
    rows["parameters"] = [2, 2, 70]
    assert list(release(rows).results["estimate"].isna()) == [False, True, True]
    rows["estimate"] = [0.5, 0.25, 0.9]  # they do not add up: nothing to find
    assert list(release(rows).results["estimate"].isna()) == [False, False, True]


def flow_of(*rows: Sequence[object]) -> Flow:
    return Flow(pd.DataFrame(rows, columns=["step", "arm", "pupils", "schools", "reason"]))


def test_flow_rounds_withholds_and_protects() -> None:
    flow = flow_of(
        ("In an arm", "base", 38, 5, ""),
        ("In an arm", "host_mainstream", 43, 5, ""),
        ("In an arm", "non_host", 7, 2, ""),
        ("In an arm", "all", 88, 7, ""),
    )
    table = release(results_table([]), flow=flow).flow
    # 88 is said to be 90 (88 to 92), 38 to be 40, 43 to be 45: 7 can be 0 to 9.
    assert table["pupils"].tolist() == [40, 45, pd.NA, 90]
    assert table["schools"].tolist() == [5, 5, pd.NA, 7]
    assert table["status"].tolist() == ["", "", "suppressed", ""]


def test_flow_withholds_another_where_rounding_tells_too_much() -> None:
    flow = flow_of(
        ("In an arm", "base", 60, 5, ""),
        ("In an arm", "host_mainstream", 9, 5, ""),
        ("In an arm", "all", 69, 5, ""),
    )
    # 70 less 60 is 6 to 9 for an attacker who knows that it is under ten: four values.
    table = release(results_table([]), flow=flow).flow
    assert table["pupils"].isna().tolist() == [True, True, False]


def test_flow_protects_those_who_left_without_a_row() -> None:
    flow = flow_of(
        ("In an arm", "base", 12, 5, ""),
        ("Every covariate known", "base", 10, 5, "others lack a covariate"),
    )
    # 10 to 12 less 10 or more: at most two left, so both counts go.
    table = release(results_table([]), flow=flow).flow
    assert table["pupils"].isna().all()


def test_flow_says_nothing_of_one_school() -> None:
    table = release(results_table([]), flow=flow_of(("In an arm", "base", 60, 1, ""))).flow
    assert table["pupils"].isna().all()


def test_zeros_leave_only_where_the_profile_lets_them() -> None:
    flow = flow_of(("Left out", "all", 0, 0, "no school"))
    assert release(results_table([]), flow=flow).flow["pupils"].isna().all()
    assert release(results_table([]), flow=flow, profile="ees").flow["pupils"].tolist() == [0]


NAME = {"contrast": "base_vs_host", "design": "entropy", "estimand": "ATT"}


def balance_of(levels: dict[str, tuple[float, float]], schools: int = 5, size: int = 50) -> Balance:
    rows = []
    for level, (one, two) in levels.items():
        row = NAME | {"covariate": "need", "level": level, "count_first": one, "count_second": two}
        row |= {"n_first": size, "n_second": size}
        for when in ("before", "after"):
            row |= {f"mean_first_{when}": one / size, f"mean_second_{when}": two / size}
            row |= {f"{name}_{when}": 0.4 for name in ("smd", "variance_ratio", "ks")}
        rows.append(row)
    overlap = NAME | {
        "target": "base",
        "n_first": size,
        "n_second": size,
        "n_effective_first": float(size),
        "n_effective_second": 7.34,
        "schools_first": schools,
        "schools_second": 5,
        "share_outside_support": 3 / size,
        "max_smd_before": 0.47,
        "max_smd_after": 0.4,
        "flags": "imbalance",
    }
    return Balance(pd.DataFrame(rows), pd.DataFrame([overlap]))


def test_shares_of_levels_are_recomputed_from_rounded_counts() -> None:
    out = release(results_table([]), balance_of({"a": (23, 26), "b": (27, 24)}))
    assert out.balance["mean_first_before"].tolist() == [0.5, 0.5]
    assert out.balance["mean_second_after"].tolist() == [0.5, 0.5]
    assert out.balance["smd_after"].tolist() == [0.4, 0.4]
    assert out.balance["status"].tolist() == ["", ""]
    assert "n_first" not in out.balance


def test_a_small_level_takes_another_with_it() -> None:
    out = release(results_table([]), balance_of({"a": (20, 21), "b": (24, 22), "c": (6, 7)}))
    assert out.balance["status"].tolist() == ["suppressed", "", "suppressed"]
    assert out.balance.loc[[0, 2], shapes.BALANCE_NUMBERS.split()].isna().all(axis=None)
    assert out.overlap["max_smd_before"].tolist() == [0.5]  # of a withheld level: one decimal
    assert out.overlap["max_smd_after"].tolist() == [0.4]


def test_a_level_left_out_of_the_table_is_protected() -> None:
    out = release(results_table([]), balance_of({"a": (20, 21), "b": (24, 22)}))
    assert "suppressed" in out.balance["status"].tolist()


@pytest.mark.parametrize("counts", [(45, 30), (50, 30), (0, 30)], ids=str)
def test_a_level_of_nearly_all_or_none_is_withheld(counts: tuple[int, int]) -> None:
    balance = balance_of({"yes": counts})
    assert release(results_table([]), balance).balance["status"].tolist() == ["suppressed"]
    balance.table[["count_first", "count_second"]] = np.nan  # the same, written as a number
    balance.table["level"] = ""
    assert release(results_table([]), balance).balance["status"].tolist() == ["suppressed"]


def test_means_of_numbers_keep_three_digits() -> None:
    balance = balance_of({"": (np.nan, np.nan)})
    balance.table["mean_first_before"] = 11.486486
    balance.table["mean_second_before"] = 12.0
    balance.table["smd_after"] = 1.36e-14
    row = release(results_table([]), balance).balance.loc[0]
    assert row["mean_first_before"] == 11.5
    assert row["smd_after"] == 0.0


def test_overlap_is_rounded() -> None:
    row = release(results_table([]), balance_of({"a": (23, 26), "b": (27, 24)})).overlap.loc[0]
    assert (row["n_first"], row["n_effective_first"], row["n_effective_second"]) == (50, 50.0, 7.3)
    assert row["share_outside_support"] == 5 / 50


def test_balance_of_one_school_is_withheld() -> None:
    out = release(results_table([]), balance_of({"a": (23, 26), "b": (27, 24)}, schools=1))
    assert out.balance["status"].tolist() == ["suppressed"] * 2
    assert out.overlap["flags"].tolist() == ["imbalance;suppressed"]
    assert out.overlap["n_first"].isna().all()


def described(**changes: object) -> pd.DataFrame:
    row = {
        "outcome": "belonging",
        "form": "level",
        "wave": "2",
        "arm": "base",
        "pupils": 48,
        "schools": 5,
        "missing": 12,
        "mean": 2.48648,
        "sd": 0.61234,
        "p25": 2.1,
        "p50": 2.5,
        "p75": 2.9,
        "unit": "mean score",
    }
    return pd.DataFrame([row | changes])


def describe(**changes: object) -> pd.Series:
    return release(results_table([]), descriptions=described(**changes)).descriptions.loc[0]


def test_descriptions_keep_three_digits_of_enough_pupils() -> None:
    row = describe()
    assert list(row[["pupils", "schools", "missing"]]) == [50, 5, 10]
    assert list(row[["mean", "sd", "p25", "p50", "p75"]]) == [2.49, 0.612, 2.1, 2.5, 2.9]
    assert row["status"] == ""


@pytest.mark.parametrize("change", [{"pupils": 9}, {"schools": 1}], ids=str)
def test_descriptions_of_few_are_withheld(change: dict[str, object]) -> None:
    row = describe(**change)
    assert row[["pupils", "schools", "missing", "mean", "sd", "p25", "p50", "p75"]].isna().all()
    assert row["status"] == "suppressed"


def test_percentiles_need_enough_pupils_on_each_side() -> None:
    row = describe(pupils=25)
    assert list(row[["p25", "p50", "p75"]].isna()) == [True, False, True]
    assert row["mean"] == 2.49
    assert row["status"] == "suppressed"


def test_a_small_number_missing_is_withheld_and_nothing_else() -> None:
    row = describe(missing=3)
    assert pd.isna(row["missing"])
    assert row["pupils"] == 50
    assert row["status"] == "suppressed"


def test_a_mean_that_is_a_share_is_a_count() -> None:
    assert describe(mean=20 / 48, sd=0.49)["mean"] == 20 / 50
    assert pd.isna(describe(mean=4 / 48, sd=0.28)["mean"])
    assert pd.isna(describe(mean=1.0, sd=0.0)["mean"])


def test_a_small_mean_of_whole_numbers_is_no_share() -> None:
    # Sessions lost to suspensions: 39 of them among 48 pupils, most of whom lost none.
    released = describe(mean=39 / 48, sd=3.13)
    assert (released["mean"], released["sd"]) == (0.812, 3.13)


def test_a_note_tells_neither_one_pupil_nor_none() -> None:
    about = About(
        study="s",
        title="S",
        notes=(
            "1 pupil of base had a place already when first seen.",
            "No pupil of base has need = MLD: nobody there can stand for such pupils.",
        ),
    )
    notes = release(results_table([]), about=about).about.notes
    assert notes[0] == "fewer than 10 pupils of base had a place already when first seen."
    assert notes[1].startswith("Some arm has nobody with one of the levels of need:")


def test_pupils_who_are_all_alike_have_no_mean() -> None:
    assert pd.isna(describe(mean=3.0, sd=0.0)["mean"])


def missing_of(*rows: Sequence[object]) -> pd.DataFrame:
    columns = ["role", "name", "wave", "arm", "pupils", "missing", "reason"]
    return pd.DataFrame(rows, columns=columns)


def test_few_missing_and_none_missing_look_the_same() -> None:
    table = missing_of(
        ("covariate", "prior", "", "base", 60, 3, "blank"),
        ("covariate", "prior", "", "base", 60, 2, "SUPP"),
        ("covariate", "prior", "", "host_mainstream", 60, 0, ""),
        ("covariate", "prior", "", "non_host", 60, 22, "blank"),
    )
    out = release(results_table([]), missing=table).missing
    assert out["pupils"].tolist() == [60, 60, 60]
    assert out["missing"].tolist() == [pd.NA, pd.NA, 20]
    assert out["reason"].tolist() == ["", "", "blank"]
    assert out["status"].tolist() == ["suppressed", "suppressed", ""]


def test_who_has_a_value_is_not_found_from_who_has_not() -> None:
    out = release(
        results_table([]), missing=missing_of(("outcome", "x", "1", "base", 12, 11, "blank"))
    ).missing
    assert out["missing"].isna().all()


def test_notes_carry_no_small_count() -> None:
    about = About(
        study="seven",
        title="Seven schools",
        notes=("3 pupils in base have no row at wave 2.", "1,203 rows are read; year 7 begins."),
        contrasts_not_made={"base_vs_host": "only 4 eligible pupils"},
    )
    out = release(results_table([]), about=about).about
    assert out.notes == (
        "fewer than 10 pupils in base have no row at wave 2.",
        "1205 rows are read; year 7 begins.",
    )
    assert out.contrasts_not_made == {"base_vs_host": "only fewer than 10 eligible pupils"}


def test_a_table_of_other_columns_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks the columns p_adjusted"):
        release(results_table([]).drop(columns="p_adjusted"))

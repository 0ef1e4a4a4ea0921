"""What leaves and what does not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.disclosure import shapes
from baseeval.disclosure.digits import round_answer
from baseeval.disclosure.profiles import PROFILES, Profile, get_profile
from baseeval.disclosure.released import About, Released
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
    assert list(row[["estimate", "p_value", "df"]]) == [0.25, 0.04, 5.4]
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


def test_a_plain_difference_is_rounded_more_than_an_adjusted_one() -> None:
    """Otherwise the difference of two shares gives the counts behind them away."""
    exact = {"estimate": 11 / 35 - 14 / 47, "std_error": 0.10391, "p_value": 0.87654}
    rows = rows_of(exact, exact | {"wave": "3"})
    rows["parameters"] = [2, 3]
    plain, adjusted = release(rows).results.to_dict("records")

    assert (plain["estimate"], plain["std_error"], plain["p_value"]) == (0.02, 0.1, 0.88)
    assert adjusted["estimate"] == 0.016
    assert (adjusted["std_error"], adjusted["p_value"]) == (0.104, 0.877)
    behind = [
        (a, b)
        for n in range(33, 38)
        for m in range(45, 50)
        for a in range(n + 1)
        for b in range(m + 1)
        if round(a / n - b / m, 2) == 0.02
    ]
    assert len(behind) > 300


def test_no_pair_of_arm_sizes_is_told_by_estimates_and_effect_sizes() -> None:
    """Their ratio is the pupils' standard deviation, a fraction over what is left of the rows."""
    spread, rng = math.sqrt(731 / 77), np.random.default_rng(4)
    exact = [
        {
            "wave": str(wave),
            "estimate": estimate,
            "std_error": error,
            "ci_low": estimate - 2.1 * error,
            "ci_high": estimate + 2.1 * error,
            "ci90_low": estimate - 1.8 * error,
            "ci90_high": estimate + 1.8 * error,
            "effect_size": estimate / spread,
            "effect_size_low": (estimate - 2.1 * error) / spread,
            "effect_size_high": (estimate + 2.1 * error) / spread,
            "smallest_effect": 0.5 / spread,
        }
        for wave, (estimate, error) in enumerate(
            zip(rng.normal(1, 1, size=8), rng.uniform(0.3, 0.7, size=8), strict=True)
        )
    ]
    out = release(rows_of(*exact)).results

    def pairs_that_fit(table: pd.DataFrame) -> int:
        """Count the arm sizes for which some sum of squares of whole scores is possible."""
        low, high = 0.0, math.inf
        for end in ("", "_low", "_high"):
            unit = table[f"ci{end}" if end else "estimate"].abs()
            size = table[f"effect_size{end}"].abs()
            slack = [
                10.0 ** -max(len(f"{v!r}".partition(".")[2]) for v in each) / 2
                for each in (unit, size)
            ]
            low = max(low, ((unit - slack[0]) / (size + slack[1])).max())
            high = min(high, ((unit + slack[0]) / (size - slack[1])).min())
        return sum(
            math.floor(high**2 * (n + m - 2) * n * m) >= math.ceil(low**2 * (n + m - 2) * n * m)
            for n in range(33, 38)
            for m in range(38, 43)
        )

    rows = rows_of(*exact)
    out = release(rows).results
    assert pairs_that_fit(rows) < 5
    assert pairs_that_fit(out) == 25
    assert (out["smallest_effect"] == round(0.5 / spread, 3)).all()


def test_rounding_moves_no_interval_across_zero_and_no_p_value_across_a_level() -> None:
    row = {"estimate": 0.2404, "std_error": 0.12, "ci90_low": -0.00002}
    row |= {"ci_low": 0.0004, "effect_size_low": 0.0004, "effect_size_high": 0.6}
    row |= {"p_value": 0.049996, "p_adjusted": 0.0501}
    told = release(rows_of(row)).results.loc[0]
    assert (told["ci_low"], told["ci90_low"], told["effect_size_low"]) == (0.0004, -0.0001, 0.0004)
    assert (told["p_value"], told["p_adjusted"]) == (0.0499, 0.0501)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    estimate=st.floats(-30, 30),
    error=st.floats(1e-3, 10),
    chance=st.floats(1e-12, 1, exclude_max=True),
)
def test_an_answer_keeps_its_side_and_nearly_its_place(
    estimate: float, error: float, chance: float
) -> None:
    low, high = estimate - 2 * error, estimate + 2 * error
    exact = {"estimate": estimate, "std_error": error, "ci_low": low, "ci_high": high}
    exact |= {"p_value": chance, "p_adjusted": math.nan, "smallest_effect": math.nan}
    sized = {"effect_size": estimate, "effect_size_low": low, "effect_size_high": high}
    told = round_answer({**exact, **sized, "ci90_low": math.nan, "ci90_high": math.nan})
    for name in ("ci_low", "ci_high", "effect_size_low", "effect_size_high"):
        value = (exact | sized)[name]
        assert np.sign(told[name]) == np.sign(value)
        assert abs(told[name] - value) <= 0.0051 * error
    assert told["std_error"] == pytest.approx(error, rel=0.0051)
    assert all((told["p_value"] < level) == (chance < level) for level in (0.05, 0.01, 0.001))


def test_without_an_interval_three_digits_leave() -> None:
    bare = dict.fromkeys(("std_error", "ci_low", "ci_high", "ci90_low", "ci90_high"), math.nan)
    told = release(rows_of({"estimate": 1.23456, "effect_size": 0.34567, **bare})).results.loc[0]
    assert (told["estimate"], told["effect_size"]) == (1.23, 0.346)


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


def test_degrees_of_freedom_tell_no_school_s_size() -> None:
    exact = (76.0, 10.0, 5.4321, 0.3219, 117.0)
    rows = rows_of(*({"df": df, "wave": str(wave)} for wave, df in enumerate(exact)))
    assert list(release(rows).results["df"]) == [75.0, 10.0, 5.4, 0.3, 120.0]
    rows["parameters"] = 12
    assert list(release(rows).results["df"]) == [75.0, 10.0, 5.4, 0.3, 120.0]


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
        row |= {f"{what}_{side}": size for what in ("n", "rows") for side in ("first", "second")}
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


def left_out(*designs: tuple[str, int, int]) -> Released:
    """Release balance of designs of 50 pupils an arm by name and those whom each uses."""
    tables, about = [], []
    for name, first, second in designs:
        one = balance_of({"a": (23, 26), "b": (27, 24)})
        tables.append(one.table.assign(design=name, n_first=first, n_second=second))
        about.append(one.overlap.assign(design=name, n_first=first, n_second=second))
    whole = Balance(pd.concat(tables), pd.concat(about))
    return release(results_table([]), whole)


@pytest.mark.parametrize(("first", "gone"), [(50, False), (49, True), (41, True), (40, False)])
def test_few_whom_a_design_leaves_out_are_in_no_difference_of_means(first: int, gone: bool) -> None:
    """Before and after are means of nearly the same pupils, so neither of a pair may be exact."""
    for counts in ((first, 50), (50, first)):
        out = left_out(("nearest", *counts))
        after = [name for name in shapes.BALANCE if name.endswith("_after")]
        known = ["mean_first_after", "mean_second_after", "smd_after", "ks_after"]
        assert out.balance[known].isna().all(axis=None) == gone
        assert out.balance[after].isna().all(axis=None) or not gone
        assert out.balance["mean_first_before"].notna().all()
        assert set(out.balance["status"]) == ({"suppressed"} if gone else {""})
        told = out.overlap.loc[0, "max_smd_after"]
        assert told == 0.4
        assert out.overlap.loc[0, "n_first"] == 5 * round(counts[0] / 5)


def test_designs_of_one_contrast_do_not_tell_by_each_other() -> None:
    """One uses 40 and one 37, each leaving out enough: their difference is three pupils'."""
    out = left_out(("entropy", 50, 50), ("nearest", 40, 40), ("optimal", 37, 40), ("full", 50, 50))
    shown = out.balance.groupby("design")["smd_after"].count().to_dict()
    assert shown == {"entropy": 2, "nearest": 2, "optimal": 0, "full": 2}


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

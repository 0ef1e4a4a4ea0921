"""What a gate found leaves no count, and is told in words."""

from __future__ import annotations

import dataclasses
import math
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from baseeval.design.gate import Judged, judge_designs
from baseeval.disclosure.gates import release_gate
from baseeval.disclosure.profiles import PROFILES
from baseeval.disclosure.released import GateAbout, Released
from baseeval.disclosure.releasing import release
from baseeval.numerics.detectable import Assumed, Between, Within, detectable_effect
from baseeval.plan import GATE_RULES
from baseeval.reporting.gate import gate_found
from baseeval.reporting.html import render
from baseeval.results import Balance, Effect, results_table

EXAMPLE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("released_example.py")))
OVERLAP = {
    "contrast": "base_vs_host", "design": "entropy", "estimand": "ATT", "target": "base",
    "n_first": 57, "n_second": 83, "n_effective_first": 57.0, "n_effective_second": 61.3,
    "schools_first": 6, "schools_second": 6, "share_outside_support": 4 / 57,
    "max_smd_before": 0.31234, "max_smd_after": 0.01234, "flags": "",
}  # fmt: skip


def judged(first: int = 57, second: int = 83, schools: int = 6, **values: float) -> Judged:
    """Return what `judge_designs` gives of arms in schools of equal size."""
    compared, assumed = Between((schools, schools), (first, second)), Assumed(icc=0.15)
    found = detectable_effect(compared, assumed)
    shown = {
        "largest_smd": 0.31234, "overlap": 4 / 57, "schools_per_arm": schools,
        "effective_size": min(first, second), "smallest_detectable_effect": found.effect, **values,
    }  # fmt: skip
    table = pd.DataFrame(
        {
            **{name: OVERLAP[name] for name in ("contrast", "design", "estimand")},
            "rule": rule,
            "threshold": 0.25 if rule == "largest_smd" else math.nan,
            "value": shown[rule],
            "passed": "no" if rule == "largest_smd" else "not asked",
            "n_first": first,
            "n_second": second,
            "schools_first": schools,
            "schools_second": schools,
        }
        for rule in GATE_RULES
    )
    return Judged(table, {("base_vs_host", "entropy"): compared}, assumed)


def gate_of(found: Judged, balance: Balance | None = None) -> pd.DataFrame:
    return release(results_table([]), balance, gate=found).gate.set_index("rule")


def detectable_of(found: Judged) -> object:
    rows = release_gate(found, [], PROFILES["srs"])
    return next(row["value"] for row in rows if row["rule"] == "smallest_detectable_effect")


def test_columns_are_those_of_the_judged_table() -> None:
    empty = judge_designs([], pd.DataFrame(columns=list(OVERLAP)), None)
    assert list(judged().table) == list(empty.table)
    assert release(results_table([]), gate=empty).gate.empty


def test_values_are_as_coarse_as_the_tables_that_they_come_from() -> None:
    found = gate_of(judged())["value"]
    assert found["schools_per_arm"] == 6
    assert found["effective_size"] == 55
    assert found["overlap"] == pytest.approx(5 / 55)
    assert found["largest_smd"] == 0.3  # it stands in no table of balance
    whole = Balance(pd.DataFrame(columns=BALANCE), pd.DataFrame([OVERLAP]))
    assert gate_of(judged(), whole)["value"]["largest_smd"] == 0.0
    assert set(gate_of(judged())["status"]) == {""}


BALANCE = [
    "contrast", "design", "estimand", "covariate", "level", "mean_first_before",
    "mean_second_before", "mean_first_after", "mean_second_after", "smd_before", "smd_after",
    "variance_ratio_before", "variance_ratio_after", "ks_before", "ks_after", "n_first",
    "n_second", "rows_first", "rows_second", "count_first", "count_second",
]  # fmt: skip


@pytest.mark.parametrize("second", [60, 85, 1000])
@pytest.mark.parametrize("schools", [3, 12])
def test_a_detectable_effect_tells_no_more_of_a_count_than_its_rounding(
    second: int, schools: int
) -> None:
    """All counts that round alike give the same number, down to the threshold."""
    for rounded in (15, 20, 60, 200):
        same = {
            detectable_of(judged(first, second, schools))
            for first in range(rounded - 2, rounded + 3)
        }
        assert len(same) == 1
    table = judged(58, second, schools).table.set_index("rule")
    exact = table["value"]["smallest_detectable_effect"]
    told = detectable_of(judged(58, second, schools))
    assert told == pytest.approx(exact, rel=0.06 if schools >= 10 else 0.35)


@pytest.mark.parametrize("schools", [(2.0, 3.0), (2.9, 4.9)])
def test_a_detectable_effect_of_few_schools_does_not_tell_how_unequal_they_are(
    schools: tuple[float, float],
) -> None:
    """Effective schools are worked out of the exact size of each."""
    compared = {("base_vs_host", "entropy"): Between(schools, (57.0, 83.0))}
    found = dataclasses.replace(judged(schools=5), compared=compared)
    assert detectable_of(found) == detectable_of(judged(schools=5))
    within = {("base_vs_host", "entropy"): Within(schools[0], (57.0, 83.0), 140)}
    told = detectable_of(dataclasses.replace(judged(schools=5), compared=within))
    assert told == float(f"{told:.1g}")


def test_a_detectable_effect_never_contradicts_what_is_said_of_it() -> None:
    found = judged(schools=5)
    mine = found.table["rule"] == "smallest_detectable_effect"
    for passed, threshold, hidden in (("no", 2.0, True), ("yes", 2.0, False), ("yes", 0.1, True)):
        found.table.loc[mine, ["passed", "threshold"]] = [passed, threshold]
        row = gate_of(found).loc["smallest_detectable_effect"]
        assert row["passed"] == passed
        assert math.isnan(row["value"]) == hidden
        assert (row["status"] == "suppressed") == hidden


@pytest.mark.parametrize("small", [{"first": 9}, {"second": 4}, {"schools": 1}])
def test_of_a_small_comparison_neither_value_nor_verdict_leaves(small: dict[str, int]) -> None:
    found = gate_of(judged(**small))
    assert found["value"].isna().all()
    assert set(found["passed"]) == {""}
    assert set(found["status"]) == {"suppressed"}


def test_no_effect_detectable_stays_so() -> None:
    compared = {("base_vs_host", "entropy"): Between((1.0, 6.0), (57.0, 83.0))}
    found = dataclasses.replace(judged(), compared=compared)
    assert gate_of(found)["value"]["smallest_detectable_effect"] == math.inf


ROW = Effect(
    outcome="belonging", form="level", wave="2", contrast="base_vs_host", estimand="ATT",
    target="base", design="entropy", model="multilevel", n_first=52, n_second=80,
    n_effective_first=52.0, n_effective_second=60.0, schools_first=6, schools_second=6,
    flags=("few_schools", "gate_failed"),
)  # fmt: skip


def test_a_withheld_row_does_not_say_that_a_gate_failed() -> None:
    kept, gone = (
        release(results_table([dataclasses.replace(ROW, n_first=count)])).results.loc[0]
        for count in (52, 9)
    )
    assert kept["flags"] == "few_schools;gate_failed"
    assert kept["n_first"] == 50
    assert gone["flags"] == "few_schools;suppressed"


def respondents(**changes: object) -> pd.DataFrame:
    names = ("outcome", "form", "wave", "contrast", "design", "estimand", "n_first", "n_second")
    names += ("n_effective_first", "n_effective_second", "schools_first", "schools_second")
    row = {name: getattr(ROW, name) for name in names}
    return pd.DataFrame([{**row, "largest_smd": 0.1234, "fewest_at_largest": math.nan, **changes}])


def test_balance_among_respondents_is_rounded_and_withheld_with_its_row() -> None:
    rows = results_table([ROW])
    whole = design_of(52, 80)
    told = release(rows, whole, respondents=respondents()).respondents.loc[0]
    assert (told["n_first"], told["n_effective_second"], told["largest_smd"]) == (50, 60, 0.12)
    for fewest, shown in ((3.0, 0.1), (10.0, 0.12)):
        table = respondents(fewest_at_largest=fewest)
        out = release(rows, whole, respondents=table).respondents
        assert out.loc[0, "largest_smd"] == shown
    small = results_table([dataclasses.replace(ROW, n_second=8)])
    for out in (
        release(small, whole, respondents=respondents()),
        release(rows, design_of(9, 80), respondents=respondents(n_first=9)),
        release(rows, whole, respondents=respondents(schools_second=1)),
        release(rows, respondents=respondents()),  # how many lack the outcome is not known
    ):
        gone = out.respondents.loc[0]
        assert gone["status"] == "suppressed"
        assert gone[["n_first", "n_second", "largest_smd", "schools_first"]].isna().all()


def design_of(first: int, second: int, left_out: int = 0) -> Balance:
    """Return the balance of a design that uses so many pupils, and leaves some out."""
    row = dict.fromkeys(BALANCE, 0.5) | {name: OVERLAP[name] for name in BALANCE[:3]}
    row |= {"n_first": first, "n_second": second, "covariate": "prior", "level": ""}
    row |= {"rows_first": first + left_out, "rows_second": second}
    about = OVERLAP | {"n_first": first, "n_second": second}
    return Balance(pd.DataFrame([row]), pd.DataFrame([about]))


@pytest.mark.parametrize(("lacking", "gone"), [(0, False), (1, True), (9, True), (10, False)])
def test_few_who_did_not_respond_are_not_told_by_the_balance_of_the_rest(
    lacking: int, gone: bool
) -> None:
    rows = results_table([ROW])
    for counts in ((52 + lacking, 80), (52, 80 + lacking)):
        out = release(rows, design_of(*counts), respondents=respondents()).respondents.loc[0]
        assert out[["largest_smd", "n_first", "n_second", "n_effective_first"]].isna().all() == gone
        assert out[["largest_smd", "n_first"]].isna().any() == gone
        assert (out["status"] == "suppressed") == gone


def test_respondents_do_not_tell_what_their_design_withholds() -> None:
    """Of 55 pupils it uses 52, who all responded: their balance is that after the design."""
    out = release(results_table([ROW]), design_of(52, 80, 3), respondents=respondents())
    assert out.balance["smd_after"].isna().all()
    assert out.respondents["largest_smd"].isna().all()


def told_of(released: Released) -> str:
    """Return every word of the section; the page itself is read in test_gate.py."""
    found = gate_found(released)
    assert found is not None
    cells = [str(cell) for row in found.numbers.rows for cell in row]
    return " ".join([*found.asked, found.told, *found.failed, *cells])


def with_gate(shows: bool = False, **cells: tuple[str, Any]) -> Released:
    """Return the example with some cells of base_vs_host by entropy changed."""
    whole: Released = EXAMPLE["released_example"]()
    table = whole.gate.copy()
    mine = (table["contrast"] == "base_vs_host") & (table["design"] == "entropy")
    for rule, (column, value) in cells.items():
        at = mine if rule == "every" else mine & (table["rule"] == rule)
        table.loc[at, column] = value
        if column == "value":
            table.loc[at, "passed"] = "no"
        if column == "status":
            table.loc[at, ["value", "passed"]] = [math.nan, ""]
    thresholds = {"largest_smd": 0.25, "schools_per_arm": 2.0, "effective_size": 15.0}
    thresholds |= {"overlap": 0.1, "smallest_detectable_effect": 0.4}
    gate = GateAbout(
        thresholds={rule: thresholds[rule] for rule in GATE_RULES},
        icc=0.15,
        power=0.8,
        show_failed=shows,
    )
    return dataclasses.replace(whole, gate=table, about=dataclasses.replace(whole.about, gate=gate))


def test_the_page_says_what_was_asked_in_plain_words() -> None:
    told = told_of(with_gate())
    for words in (
        "differ by at most 0.25 standard deviations in anything recorded before placement",
        "At most 10% of the pupils whom the answer is about have nobody like them",
        "Each group has pupils in at least 2 schools",
        "Each group is worth at least 15 pupils who all count the same",
        "A true difference of 0.40 standard deviations would be found in 80% of such studies",
        "taking it that 15% of what sets pupils’ results apart lies between schools",
        "Each comparison counts once for each way in which its groups were made alike.",
        "All 9 comparisons met every limit.",
    ):
        assert words in told


def test_the_page_says_which_comparisons_failed_and_what_follows() -> None:
    changed = {"largest_smd": ("value", 0.31), "smallest_detectable_effect": ("value", math.inf)}
    told = told_of(with_gate(**changed))
    assert "1 of 9 comparisons did not meet every limit." in told
    assert "how many pupils there are, and no difference" in told
    assert "Base place, against same schools without one (entropy balancing)." in told
    assert "(standard deviations): 0.31 (limit at most 0.25)" in told
    assert "none could be found" in told
    assert "None of them is taken as an answer" in told_of(with_gate(shows=True, **changed))


def test_what_is_withheld_is_neither_met_nor_missed() -> None:
    told = told_of(with_gate(every=("status", "suppressed")))
    assert "All 8 comparisons met every limit." in told
    assert "For 1 comparison this is withheld" in told
    assert "withheld withheld" in told


def test_a_study_without_a_gate_has_no_such_section() -> None:
    whole: Released = EXAMPLE["released_example"]()
    plain = dataclasses.replace(whole, about=dataclasses.replace(whole.about, gate=None))
    assert gate_found(plain) is None
    assert 'id="gate"' not in render(plain)

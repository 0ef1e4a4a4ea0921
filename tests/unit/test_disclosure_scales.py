"""What leaves of questionnaires: scales, items, ladders, who answered and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.disclosure import shapes
from baseeval.disclosure.released import Released
from baseeval.disclosure.releasing import release
from baseeval.disclosure.screening import screen
from baseeval.results import Flow, results_table

PLACE = {"outcome": "belonging", "wave": "2", "arm": "base"}
AGREE = dict.fromkeys(shapes.SCALE_NUMBERS.split(), 0.81234)
PARTS = ("answered", "could_not_be_asked", "declined", "other")


def scale(complete: int, respondents: int, schools: int = 5, **more: object) -> dict[str, object]:
    numbers = {"items": 6, "pupils": complete, "respondents": respondents, "schools": schools}
    return PLACE | AGREE | numbers | {"note": "a note"} | more


def item(name: str, pupils: int, missing: int, **more: object) -> dict[str, object]:
    row = {"item": name, "pupils": pupils, "missing": missing, "mean": 3.1234, "sd": 0.71234}
    return PLACE | row | {"item_rest": 0.41234, "unlike": 30, "fewest": 12} | more


def counted(need: str, *parts: object, **more: object) -> dict[str, object]:
    counts = dict(zip(PARTS, parts, strict=True))
    pupils = sum(int(n) for n in parts if n is not None)  # type: ignore[call-overload]
    return PLACE | counts | {"need": need, "pupils": pupils, "recorded": None not in parts} | more


def scored(pupils: int, schools: int = 5) -> pd.DataFrame:
    row = {**PLACE, "form": "level", "pupils": pupils, "schools": schools, "missing": 0}
    middle = dict.fromkeys(("p25", "p50", "p75"), 3.0)
    return pd.DataFrame([row | middle | {"mean": 3.01, "sd": 0.5, "unit": "mean score"}])


def lacking(arm: int, **reasons: int) -> pd.DataFrame:
    words = {
        "could": "could not be asked in any mode on offer",
        "declined": "declined to answer",
        "few": "too few items answered",
        "away": "away when it was asked",
    }
    rows = [("outcome", "belonging", "2", "base", arm, n, words[r]) for r, n in reasons.items()]
    columns = ["role", "name", "wave", "arm", "pupils", "missing", "reason"]
    return pd.DataFrame(rows, columns=columns)


def flow(pupils: int, schools: int = 5) -> Flow:
    columns = ["step", "arm", "pupils", "schools", "reason"]
    return Flow(pd.DataFrame([("In an arm", "base", pupils, schools, "")], columns=columns))


def released(profile: str = "srs", **tables: Sequence[dict[str, object]] | object) -> Released:
    made = {
        name: pd.DataFrame(rows) if isinstance(rows, list) else rows
        for name, rows in tables.items()
    }
    return release(results_table([]), profile=profile, **made)  # type: ignore[arg-type]


def test_scales_of_enough_pupils_keep_their_numbers_and_round_their_counts() -> None:
    out = released(scales=[scale(58, 71)], items=[item("i1", 62, 12)], descriptions=scored(64))
    row = out.scales.loc[0]
    assert (row["items"], row["pupils"], row["alpha"], row["note"]) == (6, 60, 0.812, "a note")
    one = out.items.loc[0]
    assert (one["pupils"], one["missing"]) == (60, 10)
    assert (one["mean"], one["sd"], one["item_rest"]) == (3.12, 0.712, 0.41)
    assert not {"respondents", "schools", "unlike", "fewest"} & {*out.scales, *out.items}


@pytest.mark.parametrize("few", [scale(9, 40), scale(40, 60, schools=1)], ids=str)
def test_scales_of_few_pupils_or_one_school_are_withheld(few: dict[str, object]) -> None:
    out = released(scales=[few], items=[item("i1", 40, 20)])
    row = out.scales.loc[0]
    assert row[["pupils", *AGREE]].isna().all()
    assert (row["note"], row["status"]) == ("", "suppressed")
    assert out.items.loc[0, ["mean", "sd", "item_rest"]].isna().all()


def test_pupils_of_one_school_with_a_score_are_nowhere_else() -> None:
    out = released(scales=[scale(40, 60)], items=[item("i1", 40, 20)], descriptions=scored(40, 1))
    assert out.scales["alpha"].isna().all()
    assert out.items[["pupils", "missing", "mean"]].isna().all(axis=None)


def test_few_who_have_a_score_and_not_every_item_are_not_found() -> None:
    out = released(scales=[scale(12, 13)], descriptions=scored(13))
    assert out.descriptions["pupils"].tolist() == [15]
    assert out.scales["pupils"].isna().tolist() == [False]
    # 11 with every item of 12 with a score would both be 10: 0 to 2 between them.
    out = released(scales=[scale(11, 12)], descriptions=scored(12))
    assert out.descriptions["pupils"].tolist() == [10]
    assert out.scales["pupils"].isna().all()
    assert out.scales["alpha"].notna().all()


def test_few_without_an_answer_to_an_item_are_withheld() -> None:
    out = released(scales=[scale(50, 56)], items=[item("i1", 53, 3), item("i2", 56, 0)])
    assert out.items["missing"].isna().all()
    assert out.items["status"].eq("suppressed").all()


def test_a_spread_leaves_only_where_nobody_can_count_an_answer_of_few() -> None:
    rows = [item(name, 60, 12, fewest=n) for name, n in (("few", 3), ("none", 0), ("enough", 10))]
    rows += [item("alike", 60, 12, unlike=9), item("slider", 60, 12, fewest=None)]
    strict = released(items=rows, scales=[scale(60, 72)]).items.set_index("item")
    assert strict["sd"].notna().to_dict() == {
        "few": False, "none": False, "enough": True, "alike": False, "slider": True,
    }  # fmt: skip
    assert strict["mean"].notna().to_dict() == dict.fromkeys(strict.index, True) | {"alike": False}
    loose = released("ees", items=rows, scales=[scale(60, 72)]).items.set_index("item")
    assert loose["sd"].notna().to_dict() == strict["sd"].notna().to_dict() | {"none": True}


LADDER = dict.fromkeys(shapes.LADDER_NUMBERS.split(), 0.123456) | {"step": "metric"}


def test_a_ladder_of_one_school_keeps_its_verdict_alone() -> None:
    row = PLACE | LADDER | {"groups": "base; host_mainstream", "verdict": "fails", "why": "CFI"}
    other = scale(120, 130, arm="host_mainstream")
    kept = released(invariance=[row], scales=[scale(120, 130), other]).invariance.loc[0]
    assert (kept["chi2"], kept["cfi"], kept["why"]) == (0.123, 0.1235, "CFI")
    gone = released(invariance=[row], scales=[scale(120, 130, schools=1), other]).invariance.loc[0]
    assert gone[shapes.LADDER_NUMBERS.split()].isna().all()
    assert gone["verdict"] == "fails"


def test_parts_of_an_arm_are_rounded_and_add_up_for_no_one() -> None:
    out = released(
        completion=[counted("all", 62, 11, 3, 4)],
        flow=flow(80),
        descriptions=scored(62),
        missing=lacking(80, could=11, declined=3, away=4),
    )
    row = out.completion.loc[0]
    assert list(row[["pupils", "answered", "could_not_be_asked"]]) == [80, 60, 10]
    assert row[["declined", "other"]].isna().all()
    assert row["status"] == "suppressed"


def test_the_same_count_stands_in_two_tables_or_in_none() -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        parts = rng.integers(0, 30, 4)
        reasons = {"could": parts[1], "declined": parts[2], "away": parts[3]}
        arm = int(parts.sum())
        out = released(
            completion=[counted("all", *map(int, parts))],
            flow=flow(arm),
            descriptions=scored(int(parts[0])) if parts[0] else None,
            missing=lacking(arm, **{r: int(n) for r, n in reasons.items() if n}),
        )
        told = {"could": "could_not_be_asked", "declined": "declined"}
        held = out.missing.dropna(subset=["missing"]).set_index("reason")["missing"]
        for reason, column in told.items():
            if reasons[reason]:
                words = lacking(arm, **{reason: 1}).loc[0, "reason"]
                cell = out.completion.loc[0, column]
                assert (words in held.index) == (not pd.isna(cell))
        if parts[0]:
            shown = out.descriptions.loc[0, "pupils"]
            assert pd.isna(shown) == pd.isna(out.completion.loc[0, "answered"])


def test_needs_and_modes_of_few_are_told_together_and_nobody_looks_the_same() -> None:
    needs = [counted("ASD", 40, 12, 0, 0), counted("MSI", 2, 1, 0, 0), counted("HI", 1, 0, 0, 0)]
    for own in (needs, needs[:1]):
        total = [sum(int(r[p]) for r in own) for p in PARTS]  # type: ignore[call-overload]
        out = released(completion=[counted("all", *total), *own]).completion
        assert out["need"].tolist() == ["all", "ASD", "other needs"]
        assert out.loc[2, ["pupils", *PARTS]].isna().all()
    modes = [PLACE | {"mode": mode, "pupils": n} for mode, n in (("standard", 40), ("symbols", 3))]
    for rows in (modes, modes[:1]):
        out = released(modes=rows).modes
        assert out["mode"].tolist() == ["standard", "other modes"]
        assert out["pupils"].tolist() == [40, pd.NA]


def test_what_is_not_recorded_is_not_called_withheld() -> None:
    row = released(completion=[counted("all", 62, None, None, 18)], flow=flow(80)).completion.loc[0]
    assert row["status"] == "not recorded"
    assert row[["could_not_be_asked", "declined"]].isna().all()
    assert list(row[["answered", "other"]]) == [60, 20]
    few = released(completion=[counted("all", 76, None, None, 4)], flow=flow(80)).completion.loc[0]
    assert few["status"] == "suppressed;not recorded"


def test_an_arm_that_the_flow_withholds_is_in_no_table_of_who_answered() -> None:
    own = [counted("all", 40, 12, 14, 0), counted("ASD", 40, 12, 14, 0)]
    out = released(completion=own, flow=flow(66, schools=1)).completion
    assert out[["pupils", *PARTS]].isna().all(axis=None)


def test_the_screen_passes_the_new_tables_and_still_finds_leaks(tmp_path: Path) -> None:
    tables = {
        "scales": [scale(58, 71)],
        "items": [item(f"g8idabc{n}", 62, 12) for n in range(40)],
        "invariance": [PLACE | LADDER | {"groups": "a; b", "verdict": "fails", "why": ""}] * 40,
        "completion": [counted("all", 62, 11, 3, 4)],
        "modes": [PLACE | {"mode": "standard", "pupils": 62}],
    }
    out = released(**tables, descriptions=scored(64))
    for name in tables:
        getattr(out, name).to_csv(tmp_path / f"{name}.csv", index=False)
    assert screen(tmp_path) == []
    for name, column in (
        ("completion", "could_not_be_asked"),
        ("completion", "declined"),
        ("completion", "other"),
        ("items", "missing"),
        ("scales", "pupils"),
        ("modes", "pupils"),
    ):
        leaking = getattr(out, name).copy()
        leaking[column] = 3
        leaking.to_csv(tmp_path / f"{name}.csv", index=False)
        assert any(column in finding.where for finding in screen(tmp_path)), (name, column)
        getattr(out, name).to_csv(tmp_path / f"{name}.csv", index=False)

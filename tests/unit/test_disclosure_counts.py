"""Who was lost, who counts, who moved, what was published: what leaves of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from baseeval.disclosure import shapes
from baseeval.disclosure.released import Released
from baseeval.disclosure.releasing import release
from baseeval.errors import UsageError
from baseeval.results import Flow, results_table

LOST = ["wave", "arm", "covariate", "level", "pupils", "n_stayed", "n_lost", "smd"]
MOVED = ["wave", "arm", "arm_then", "pupils", "schools"]


def flow_of(*rows: tuple[str, int, int]) -> Flow:
    columns = ["step", "arm", "pupils", "schools", "reason"]
    return Flow(pd.DataFrame([("In an arm", *row, "") for row in rows], columns=columns))


def lost_of(*rows: Sequence[object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=LOST)


def release_lost(*rows: Sequence[object], flow: Flow | None = None) -> pd.DataFrame:
    return release(results_table([]), flow=flow, attrition=lost_of(*rows)).attrition


def arm_at(wave: str, stayed: int, lost: int, arm: str = "base") -> tuple[object, ...]:
    return (wave, arm, "", "", stayed + lost, stayed, lost, np.nan)


def test_those_lost_and_those_who_stayed_are_rounded_alike_everywhere() -> None:
    out = release(
        results_table([]),
        flow=flow_of(("base", 213, 15)),
        attrition=lost_of(arm_at("2", 191, 22), arm_at("3", 193, 20)),
    )
    assert list(out.attrition.columns) == list(shapes.ATTRITION)
    assert out.attrition["pupils"].tolist() == [215, 215]
    assert out.attrition["n_stayed"].tolist() == [190, 195]
    assert out.attrition["n_lost"].tolist() == [20, 20]
    assert out.flow["pupils"].tolist() == [215]


def test_few_lost_are_withheld_and_rounding_does_not_tell_how_many() -> None:
    out = release_lost(arm_at("2", 90, 4), arm_at("3", 11, 1, "non_host"))
    assert out["n_lost"].isna().all()
    assert out["status"].tolist() == ["suppressed"] * 2
    assert out.loc[0, "n_stayed"] == 90
    assert out.loc[1, ["pupils", "n_stayed"]].isna().any()  # 10 to 12 and 10 to 12: 0 to 2


def test_an_arm_that_the_flow_withholds_is_nowhere_else() -> None:
    rows = [arm_at("2", 40, 15), ("2", "base", "prior", "", 55, 40, 15, 0.123)]
    shown = release_lost(*rows, flow=flow_of(("base", 55, 5)))
    assert shown["smd"].tolist()[1:] == [0.12]
    out = release(
        results_table([]),
        flow=flow_of(("base", 55, 1)),
        attrition=lost_of(*rows),
        movements=pd.DataFrame([("2", "base", "base", 40, 3)], columns=MOVED),
    )
    assert out.attrition[["pupils", "n_stayed", "n_lost", "smd"]].isna().all().all()
    assert out.movements["pupils"].isna().all()


def test_a_difference_needs_enough_lost_and_enough_who_stayed() -> None:
    rows = [arm_at("2", 40, 15), arm_at("3", 46, 9), arm_at("4", 9, 46)]
    rows += [(wave, "base", "prior", "", 55, *n, 0.5) for wave, n in
             (("2", (40, 15)), ("3", (46, 9)), ("4", (9, 46)))]  # fmt: skip
    rows.append(("2", "base", "age", "", 55, 38, 9, 0.5))  # known of nine of those lost
    assert release_lost(*rows)["smd"].notna().tolist() == [False] * 3 + [True, False, False, False]


@pytest.mark.parametrize(
    ("stayed", "lost", "leave"),
    [
        ((60, 50), (20, 22), [True, True]),
        ((60, 50), (9, 33), [False, False]),  # the other level would tell
        ((60, 50, 30), (9, 20, 13), [False, True, False]),  # so would the others
        ((60, 50, 30), (7, 4, 25), [False, False, True]),
        ((60, 50, 30), (9, 8, 25), [False, False, False]),  # two of few make 17: 8 and 9
        ((110,), (42,), [False]),  # all alike
    ],
    ids=str,
)
def test_levels_of_few_take_another_with_them(
    stayed: Sequence[int], lost: Sequence[int], leave: list[bool]
) -> None:
    both = (sum(stayed), sum(lost))
    rows = [arm_at("2", *both)]
    rows += [
        ("2", "base", "need", f"level {i}", sum(both), s, n, 0.2)
        for i, (s, n) in enumerate(zip(stayed, lost, strict=True))
    ]
    out = release_lost(*rows)
    assert out["smd"][1:].notna().tolist() == leave
    assert out[["pupils", "n_stayed", "n_lost"]][1:].isna().all().all()


def test_few_without_a_value_are_protected_too() -> None:
    rows = [arm_at("2", 110, 45)]
    rows += [
        ("2", "base", "need", at, 155, n, m, 0.2) for at, n, m in (("a", 60, 20), ("b", 50, 22))
    ]
    assert release_lost(*rows)["smd"][1:].notna().sum() <= 1


def test_all_arms_together_do_not_tell_of_one() -> None:
    rows = [arm_at("2", 60, 20), arm_at("2", 60, 20, "non_host"), arm_at("2", 120, 40, "all")]
    for arm, lost in (("base", (12, 8)), ("non_host", (10, 10)), ("all", (22, 18))):
        stayed = 60 if arm == "all" else 30
        rows += [("2", arm, "sex", at, 0, stayed, n, 0.1) for at, n in zip("FM", lost, strict=True)]
    out = release_lost(*rows)
    shown = out[out["covariate"] == "sex"].groupby("arm")["smd"].count()
    assert shown.to_dict() == {"all": 0, "base": 0, "non_host": 2}


def needs(primary: int, secondary: int, either: int, schools: int = 5) -> Released:
    rows = [("primary", True, primary), ("secondary", False, secondary), ("either", False, either)]
    table = pd.DataFrame(rows, columns=["rule", "used", "pupils"]).assign(schools=schools)
    return release(results_table([]), need_rules=table)


def test_rules_of_need_are_rounded_and_their_differences_protected() -> None:
    assert needs(121, 64, 152).need_rules["pupils"].tolist() == [120, 65, 150]
    assert needs(121, 4, 122).need_rules["pupils"].tolist()[1:] == [pd.NA, 120]
    near = needs(12, 2, 12).need_rules["pupils"]
    assert near.isna().sum() >= 2  # 10 to 12 under two rules would leave 0 to 2 between them
    assert needs(121, 64, 152, schools=1).need_rules["status"].tolist() == ["suppressed"] * 3


def test_a_movement_that_nobody_made_looks_like_one_of_few() -> None:
    table = pd.DataFrame(
        [
            ("2", "base", "base", 60, 5),
            ("2", "base", "not seen", 12, 4),
            ("2", "host_mainstream", "base", 3, 2),
            ("2", "host_mainstream", "host_mainstream", 71, 5),
        ],
        columns=MOVED,
    )
    out = release(results_table([]), movements=table).movements
    assert out["arm_then"].tolist() == ["base", "host_mainstream", "not seen"] * 2
    few = out[out["status"] == "suppressed"]
    assert few[["arm", "arm_then"]].apply(tuple, axis=1).tolist() == [
        ("base", "host_mainstream"),
        ("host_mainstream", "base"),
        ("host_mainstream", "not seen"),
    ]
    assert few[["pupils", "schools"]].isna().all().all()
    assert out["pupils"].dropna().tolist() == [60, 10, 70]
    shown = release(results_table([]), movements=table, profile="ees").movements
    assert shown["pupils"].dropna().tolist() == [60, 0, 10, 70, 0]


PUBLISHED = {
    "measure": "absence rate", "value": 7.4, "unit": "per cent", "geography": "England",
    "need": "ASD", "sen_provision": None, "phase": None, "year": 2022,
    "source": "DfE, Pupil absence", "published": pd.Timestamp("2023-03-16"), "reason": None,
}  # fmt: skip


def test_published_figures_pass_as_they_are() -> None:
    table = pd.DataFrame([PUBLISHED, PUBLISHED | {"value": 3.0, "unit": "pupils"}])
    out = release(results_table([]), benchmarks=table).benchmarks
    assert out["value"].tolist() == [7.4, 3.0]
    assert out["published"].tolist() == ["2023-03-16"] * 2
    assert release(results_table([]), benchmarks=pd.DataFrame()).benchmarks.empty


@pytest.mark.parametrize("lack", [{"source": ""}, {"published": pd.NaT}], ids=str)
def test_a_published_figure_without_source_or_date_is_refused(lack: dict[str, object]) -> None:
    table = pd.DataFrame([PUBLISHED, PUBLISHED | lack])
    with pytest.raises(UsageError, match="1 published figures lack their source or the day"):
        release(results_table([]), benchmarks=table)

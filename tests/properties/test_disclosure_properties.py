"""No withheld count can be worked out: an attack by enumeration, written apart from the code."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.disclosure.attacking import bound_first
from baseeval.disclosure.profiles import PROFILES, Profile
from baseeval.disclosure.protecting import Cells, Relation, protect
from baseeval.disclosure.releasing import release
from baseeval.disclosure.rounding import round_count, rounding_interval
from baseeval.disclosure.screening import screen
from baseeval.results import Flow, results_table

SRS = PROFILES["srs"]
FAR = 70  # larger than any sum of four counts, rounded
counts = st.integers(0, 16)
ATTRITION = ["wave", "arm", "covariate", "level", "pupils", "n_stayed", "n_lost", "smd"]


def could_be(count: int, withheld: bool, profile: Profile) -> np.ndarray:
    """Every value that a reader who knows the rules and why a count is withheld thinks possible."""
    if withheld and count < profile.threshold:
        return np.arange(int(count > 0 and not profile.zeros_disclosive), profile.threshold)
    if withheld:
        return np.arange(profile.threshold, FAR)
    shown = 5 * int(count / 5 + 0.5)
    values = np.arange(FAR)
    rounds_to = 5 * np.floor(values / 5 + 0.5)
    kept = (values >= profile.threshold) | ((values == 0) & (not profile.zeros_disclosive))
    return values[(rounds_to == shown) & kept]


@given(value=st.integers(0, 10_000), base=st.integers(1, 20))
def test_rounding_and_its_interval_agree(value: int, base: int) -> None:
    low, high = rounding_interval(round_count(value, base), base)
    assert low <= value <= high
    assert high - low == base - 1
    assert abs(round_count(value, base) - value) * 2 <= base


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(counts, min_size=2, max_size=3), name=st.sampled_from(sorted(PROFILES)))
def test_arms_and_their_total(parts: list[int], name: str) -> None:
    profile = PROFILES[name]
    exact: dict[object, int] = dict(enumerate(parts)) | {"all": sum(parts)}
    small = [key for key, count in exact.items() if profile.is_small(count)]
    relation = Relation("all", tuple(range(len(parts))))
    gone = protect(Cells(counts=exact, relations=[relation], withheld=small), profile)
    assert gone >= set(small)
    values = {key: could_be(count, key in gone, profile) for key, count in exact.items()}
    grid = np.array(list(itertools.product(*(values[i] for i in range(len(parts))))))
    grid = grid[np.isin(grid.sum(axis=1), values["all"])]
    for key in small:
        feasible = set(grid.sum(axis=1) if key == "all" else grid[:, int(str(key))])
        assert len(feasible) >= profile.feasible or len(gone) == len(exact)
        assert exact[key] in feasible


@settings(max_examples=30, deadline=None)
@given(stay=st.lists(counts, min_size=2, max_size=2), go=st.lists(counts, min_size=2, max_size=2))
def test_a_released_flow_gives_no_count_away(stay: list[int], go: list[int]) -> None:
    """Two arms, their total, two steps and those who left between."""
    exact = {
        ("start", ""): [s + g for s, g in zip(stay, go, strict=True)],
        ("left", "no value"): go,
        ("end", ""): stay,
    }
    rows = [
        (step, arm, n, 5, reason)
        for (step, reason), arms in exact.items()
        for arm, n in [("base", arms[0]), ("non_host", arms[1]), ("all", sum(arms))]
    ]
    table = pd.DataFrame(rows, columns=["step", "arm", "pupils", "schools", "reason"])
    released = release(results_table([]), flow=Flow(table)).flow
    values = [
        could_be(int(true), bool(pd.isna(seen)), SRS)
        for true, seen in zip(table["pupils"], released["pupils"], strict=True)
    ]
    assert released["pupils"].dropna().mod(5).eq(0).all()
    assert released["pupils"].dropna().ge(10).all()
    left_1, left_2, _, end_1, end_2, _ = (values[i] for i in (3, 4, 5, 6, 7, 8))
    one = pairs(left_1, end_1, values[0])
    two = pairs(left_2, end_2, values[1])
    first, second = (np.repeat(one, len(two), axis=0), np.tile(two, (len(one), 1)))
    possible = np.column_stack(
        [first.sum(1), second.sum(1), first[:, 0], second[:, 0], first[:, 1], second[:, 1]]
    )
    agree = (
        np.isin(possible[:, 0] + possible[:, 1], values[2])
        & np.isin(possible[:, 2] + possible[:, 3], values[5])
        & np.isin(possible[:, 4] + possible[:, 5], values[8])
    )  # fmt: skip
    possible = possible[agree]
    every = [
        possible[:, 0], possible[:, 1], possible[:, 0] + possible[:, 1],
        possible[:, 2], possible[:, 3], possible[:, 2] + possible[:, 3],
        possible[:, 4], possible[:, 5], possible[:, 4] + possible[:, 5],
    ]  # fmt: skip
    for true, seen, feasible in zip(table["pupils"], released["pupils"], every, strict=True):
        if true < SRS.threshold:
            assert pd.isna(seen)
            assert len(np.unique(feasible)) >= SRS.feasible or released["pupils"].isna().all()


def pairs(left: np.ndarray, stay: np.ndarray, total: np.ndarray) -> np.ndarray:
    both = np.array(list(itertools.product(left, stay)))
    return both[np.isin(both.sum(axis=1), total)]


@settings(max_examples=30, deadline=None)
@given(known=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6)), min_size=3, max_size=4))
def test_the_integer_programs_find_the_exact_bounds(known: list[tuple[int, int]]) -> None:
    known = [(low, low + width) for low, width in known]
    known[-1] = (0, 60)
    parts = tuple(range(len(known) - 1))
    ranges = [range(low, high + 1) for low, high in known[:-1]]
    first = [tables[0] for tables in itertools.product(*ranges) if 0 <= sum(tables) <= 60]
    assert bound_first(tuple(known), ((len(known) - 1, parts),)) == (min(first), max(first))


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 80), min_size=3, max_size=3),
    shares=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_released_tables_pass_the_screen(
    sizes: list[int], shares: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    arms = ["base", "host_mainstream", "non_host"]
    missing = pd.DataFrame(
        [
            ("outcome", "x", "1", arm, size, int(size * share), "blank")
            for arm, size, share in zip(arms, sizes, shares, strict=True)
        ],
        columns=["role", "name", "wave", "arm", "pupils", "missing", "reason"],
    )
    flow = pd.DataFrame(
        [("In an arm", arm, size, 5, "") for arm, size in zip(arms, sizes, strict=True)],
        columns=["step", "arm", "pupils", "schools", "reason"],
    )
    out = release(results_table([]), flow=Flow(flow), missing=missing)
    folder = tmp_path_factory.mktemp("released")
    out.flow.to_csv(folder / "flow.csv", index=False)
    out.missing.to_csv(folder / "missing.csv", index=False)
    assert screen(folder) == []


@settings(max_examples=30, deadline=None)
@given(
    arms=st.lists(st.tuples(counts, counts, counts), min_size=2, max_size=2),
    unknown=st.lists(st.integers(0, 12), min_size=2, max_size=2),
    name=st.sampled_from(sorted(PROFILES)),
)
def test_flow_attrition_and_movements_joined_give_no_count_away(
    arms: list[tuple[int, int, int]], unknown: list[int], name: str
) -> None:
    """Two arms: who stayed, who moved to the other, who was lost; and who has every covariate."""
    profile, names = PROFILES[name], ["base", "host_mainstream"]
    flow_rows, lost_rows, moves = [], [], []
    for arm, (same, moved, lost), few in zip(names, arms, unknown, strict=True):
        size = same + moved + lost
        flow_rows += [("In an arm", arm, size, 5, "")]
        flow_rows += [("With all", arm, max(size - few, 0), 5, "others lack a covariate")]
        lost_rows += [("2", arm, "", "", size, same + moved, lost, np.nan)]
        other = names[1 - names.index(arm)]
        moves += [("2", arm, then, n, 5) for then, n in ((arm, same), (other, moved))]
    out = release(
        results_table([]),
        flow=Flow(pd.DataFrame(flow_rows, columns=["step", "arm", "pupils", "schools", "reason"])),
        attrition=pd.DataFrame(lost_rows, columns=ATTRITION),
        movements=pd.DataFrame(moves, columns=["wave", "arm", "arm_then", "pupils", "schools"]),
        profile=name,
    )
    hidden = out.movements["pupils"].isna().all() and out.attrition["n_lost"].isna().all()
    shown = out.movements.set_index(["arm", "arm_then"])["pupils"]
    for place, (arm, (same, moved, lost)) in enumerate(zip(names, arms, strict=True)):
        size, known = same + moved + lost, max(same + moved + lost - unknown[place], 0)
        released = out.attrition.loc[place]
        seen = {
            "same": (same, shown[arm, arm]),
            "moved": (moved, shown[arm, names[1 - place]]),
            "lost": (lost, released["n_lost"]),
            "stayed": (same + moved, released["n_stayed"]),
            "pupils": (size, released["pupils"]),
            "arm": (size, out.flow.loc[2 * place, "pupils"]),
            "known": (known, out.flow.loc[2 * place + 1, "pupils"]),
        }
        could = {key: could_be(n, bool(pd.isna(cell)), profile) for key, (n, cell) in seen.items()}
        one, two, three = np.meshgrid(could["same"], could["moved"], could["lost"], indexing="ij")
        total = one + two + three
        fits = np.isin(one + two, could["stayed"]) & np.isin(total, could["pupils"])
        fits &= np.isin(total, could["arm"])
        lacking = total[fits][:, None] - could["known"][None, :]
        fits_known = (lacking >= 0).any(axis=1)
        feasible = {
            "same": one[fits][fits_known],
            "moved": two[fits][fits_known],
            "lost": three[fits][fits_known],
            "stayed": (one + two)[fits][fits_known],
            "pupils": total[fits][fits_known],
        }
        for key, values in feasible.items():
            count, cell = seen[key]
            assert count in values
            if profile.is_small(count):
                assert pd.isna(cell)
                assert len(np.unique(values)) >= profile.feasible or hidden
        if profile.is_small(size - known):
            assert len(np.unique(lacking[lacking >= 0])) >= profile.feasible or hidden


@settings(max_examples=40, deadline=None)
@given(
    alone=st.tuples(counts, counts),
    both=counts,
    later=st.integers(0, 6),
    name=st.sampled_from(sorted(PROFILES)),
)
def test_nested_rules_of_need_and_the_arms_give_no_count_away(
    alone: tuple[int, int], both: int, later: int, name: str
) -> None:
    profile = PROFILES[name]
    primary, secondary, either = alone[0] + both, alone[1] + both, sum(alone) + both
    size = max(primary - later, 0)
    used = [("primary", True, primary, 5), ("secondary", False, secondary, 5)]
    out = release(
        results_table([]),
        flow=Flow(
            pd.DataFrame(
                [("In an arm", "base", size, 5, "")],
                columns=["step", "arm", "pupils", "schools", "reason"],
            )
        ),
        need_rules=pd.DataFrame(
            [*used, ("either", False, either, 5)], columns=["rule", "used", "pupils", "schools"]
        ),
        profile=name,
    )
    gone = out.need_rules["pupils"].isna()
    listed = [
        could_be(n, withheld, profile)
        for n, withheld in zip((primary, secondary, either), gone, strict=True)
    ]
    arm = could_be(size, bool(out.flow["pupils"].isna().all()), profile)
    values = np.arange(40)
    one, two, three = np.meshgrid(values, values, values, indexing="ij")  # alone, both, alone
    fits = np.isin(one + two, listed[0]) & np.isin(two + three, listed[1])
    fits &= np.isin(one + two + three, listed[2])
    if primary == size:
        fits &= np.isin(one + two, arm)
    else:
        fits &= one + two >= arm.min()
    for true, found in (
        (alone[0], one[fits]), (both, two[fits]), (alone[1], three[fits]),
        (primary, (one + two)[fits]), (secondary, (two + three)[fits]),
        (either, (one + two + three)[fits]),
    ):  # fmt: skip
        assert true in found
        if profile.is_small(true):
            assert len(np.unique(found)) >= profile.feasible or gone.all()
    for true, withheld in zip((primary, secondary, either), gone, strict=True):
        assert withheld or not profile.is_small(true)


@settings(max_examples=30, deadline=None)
@given(
    stayed=st.lists(st.integers(0, 30), min_size=2, max_size=3),
    lost=st.lists(st.integers(0, 18), min_size=3, max_size=3),
)
def test_differences_by_level_give_no_level_of_few_away(stayed: list[int], lost: list[int]) -> None:
    """The reader is handed the exact counts of levels that leave, and of every level together."""
    levels = list(zip(stayed, lost, strict=False))
    kept, gone = sum(s for s, _ in levels), sum(n for _, n in levels)
    rows = [("2", "base", "", "", kept + gone, kept, gone, np.nan)]
    rows += [
        ("2", "base", "need", f"level {i}", kept + gone, s, n, 0.1)
        for i, (s, n) in enumerate(levels)
    ]
    out = release(results_table([]), attrition=pd.DataFrame(rows, columns=ATTRITION)).attrition
    shown = [not np.isnan(smd) for smd in out["smd"][1:]]
    for visible, (s, n) in zip(shown, levels, strict=True):
        assert not visible or min(s, n) >= SRS.threshold
    if not any(shown):
        return
    hidden = [i for i, visible in enumerate(shown) if not visible]
    left = gone - sum(levels[i][1] for i in range(len(levels)) if i not in hidden)
    ranges = [could_be(levels[i][1], True, SRS) for i in hidden]
    splits = np.array([way for way in itertools.product(*ranges) if sum(way) == left])
    for at, i in enumerate(hidden):
        if SRS.is_small(levels[i][1]):
            assert len(np.unique(splits[:, at])) >= SRS.feasible


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.tuples(st.integers(10, 60), st.integers(10, 60)),
    few=st.integers(0, 9),
    other=st.floats(0, 1),
    flip=st.booleans(),
    side=st.sampled_from([0, 1]),
)
def test_a_yes_or_no_written_as_a_number_is_found_out(
    sizes: tuple[int, int], few: int, other: float, flip: bool, side: int
) -> None:
    yes = [0, 0]
    yes[side], yes[1 - side] = few, round(other * sizes[1 - side])
    values = np.concatenate([np.arange(n) < y for n, y in zip(sizes, yes, strict=True)]) ^ flip
    lost = np.arange(values.size) >= sizes[0]
    spread = values.std(ddof=1)
    smd = 0.0 if spread == 0 else (values[lost].mean() - values[~lost].mean()) / spread
    rows = [("2", "base", "", "", sum(sizes), *sizes, np.nan)]
    rows += [("2", "base", "fsm", "", sum(sizes), *sizes, smd)]
    out = release(results_table([]), attrition=pd.DataFrame(rows, columns=ATTRITION)).attrition
    assert np.isnan(out.loc[1, "smd"])

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


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=60, deadline=None)
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

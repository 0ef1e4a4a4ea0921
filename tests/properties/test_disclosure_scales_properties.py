"""No withheld count of a questionnaire can be worked out: attacks by enumeration, written apart."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.disclosure import shapes
from baseeval.disclosure.profiles import PROFILES, Profile
from baseeval.disclosure.releasing import release
from baseeval.measures.agreement import describe_reliability
from baseeval.results import Flow, results_table

FAR = 70
PLACE = {"outcome": "belonging", "wave": "2", "arm": "base"}
counts = st.integers(0, 16)
names = st.sampled_from(sorted(PROFILES))


def could_be(count: int, cell: object, profile: Profile) -> np.ndarray:
    """Every value that a reader who knows the rules and why a count is withheld thinks possible."""
    if pd.isna(cell) and count < profile.threshold:  # type: ignore[call-overload]
        return np.arange(int(count > 0 and not profile.zeros_disclosive), profile.threshold)
    if pd.isna(cell):  # type: ignore[call-overload]
        return np.arange(profile.threshold, FAR)
    values = np.arange(FAR)
    kept = (values >= profile.threshold) | ((values == 0) & (not profile.zeros_disclosive))
    return values[(5 * np.floor(values / 5 + 0.5) == 5 * int(count / 5 + 0.5)) & kept]


def described(pupils: int) -> pd.DataFrame:
    row = {**PLACE, "form": "level", "pupils": pupils, "schools": 5, "missing": 0, "mean": 3.01}
    return pd.DataFrame([row | dict.fromkeys(("sd", "p25", "p50", "p75"), 0.5) | {"unit": ""}])


@settings(max_examples=30, deadline=None)
@given(
    complete=st.integers(6, 24),
    scored=st.integers(0, 6),
    partial=st.integers(0, 6),
    gave=st.lists(st.floats(0, 1), min_size=1, max_size=2),
    name=names,
)
def test_items_scales_and_descriptions_joined_give_no_count_away(
    complete: int, scored: int, partial: int, gave: list[float], name: str
) -> None:
    profile = PROFILES[name]
    with_score, everyone = complete + scored, complete + scored + partial
    given_ = [complete + round(share * (everyone - complete)) for share in gave]
    numbers = dict.fromkeys(shapes.SCALE_NUMBERS.split(), 0.8) | {"items": 6, "note": ""}
    scale = PLACE | numbers | {"pupils": complete, "schools": 5, "respondents": everyone}
    item = PLACE | {"mean": 3.0, "sd": 0.7, "item_rest": 0.4, "unlike": 12, "fewest": 12}
    out = release(
        results_table([]),
        scales=pd.DataFrame([scale]),
        items=pd.DataFrame(
            [
                item | {"item": f"i{i}", "pupils": n, "missing": everyone - n}
                for i, n in enumerate(given_)
            ]
        ),
        descriptions=described(with_score),
        profile=name,
    )
    hidden = out.items[["pupils", "missing"]].isna().all(axis=None)
    hidden = hidden and out.scales["pupils"].isna().all()
    full = could_be(complete, out.scales.loc[0, "pupils"], profile)
    score = could_be(with_score, out.descriptions.loc[0, "pupils"], profile)
    c, s, r = np.meshgrid(full, score, np.arange(FAR), indexing="ij")
    fits = (c <= s) & (s <= r)
    cells = list(zip(given_, out.items["pupils"], out.items["missing"], strict=True))
    pairs = []
    for n, shown, lost in cells:
        had = could_be(n, shown, profile)
        lacked = could_be(everyone - n, lost, profile)
        both = np.array(list(itertools.product(had, lacked)))
        pairs.append(both)
        most = np.full(2 * FAR, -1)
        np.maximum.at(most, both.sum(axis=1), both[:, 0])
        fits &= c <= most[r]
    targets = {"more than a score": (scored, (s - c)[fits]), "less": (partial, (r - s)[fits])}
    least = np.full(2 * FAR, FAR)
    np.minimum.at(least, r[fits], c[fits])
    for i, (n, _, lost) in enumerate(cells):
        ok = least[pairs[i].sum(axis=1)] <= pairs[i][:, 0]
        targets[f"missing {i}"] = (everyone - n, pairs[i][ok, 1])
        assert pd.isna(lost) or not profile.is_small(everyone - n)
    for what, (true, feasible) in targets.items():
        assert true in feasible, what
        if profile.is_small(true):
            assert len(np.unique(feasible)) >= profile.feasible or hidden, what


@settings(max_examples=30, deadline=None)
@given(parts=st.tuples(st.integers(0, 30), counts, counts, counts), name=names)
def test_who_answered_and_what_is_missing_joined_give_no_count_away(
    parts: tuple[int, int, int, int], name: str
) -> None:
    profile, size = PROFILES[name], sum(parts)
    words = ("", "could not be asked in any mode on offer", "declined to answer", "no row")
    row = PLACE | {"need": "all", "pupils": size, "recorded": True}
    columns = ("answered", "could_not_be_asked", "declined", "other")
    reasons = [
        ("outcome", "belonging", "2", "base", size, n, why)
        for n, why in zip(parts[1:], words[1:], strict=True)
        if n
    ]
    out = release(
        results_table([]),
        flow=Flow(
            pd.DataFrame(
                [("In an arm", "base", size, 5, "")],
                columns=["step", "arm", "pupils", "schools", "reason"],
            )
        ),
        descriptions=described(parts[0]) if parts[0] else None,
        missing=pd.DataFrame(
            reasons, columns=["role", "name", "wave", "arm", "pupils", "missing", "reason"]
        ),
        completion=pd.DataFrame([row | dict(zip(columns, parts, strict=True))]),
        profile=name,
    )
    shown = out.completion.loc[0]
    held = out.missing.dropna(subset=["missing"]).set_index("reason")["missing"]
    score = out.descriptions["pupils"].iloc[0] if parts[0] else pd.NA
    elsewhere = [
        could_be(n, held.get(why, pd.NA) if why else score, profile)
        for n, why in zip(parts, words, strict=True)
    ]
    here = [could_be(n, shown[column], profile) for n, column in zip(parts, columns, strict=True)]
    arm = could_be(size, out.flow.loc[0, "pupils"], profile)
    before = feasible_parts(elsewhere, arm)
    after = feasible_parts(
        [np.intersect1d(*pair) for pair in zip(elsewhere, here, strict=True)], arm
    )
    for n, column, known, found in zip(parts, columns, before, after, strict=True):
        assert n in found
        if profile.is_small(n):
            assert pd.isna(shown[column])
            # What other tables tell by themselves this one may not tell more closely.
            assert len(found) >= profile.feasible or len(found) == len(known), column


def feasible_parts(sets: list[np.ndarray], arm: np.ndarray) -> list[np.ndarray]:
    """Values that each part can take, where all add up to an arm of one of these sizes."""
    lacking = np.meshgrid(*sets[1:], indexing="ij")
    total = sum(lacking)
    fits = np.isin(total, np.unique(arm[:, None] - sets[0][None, :]))
    sums = np.unique(total[fits])
    scored = [n for n in sets[0] if np.isin(arm - n, sums).any()]
    return [np.array(scored), *(np.unique(part[fits]) for part in lacking)]


@lru_cache(maxsize=64)
def tables_of(n: int) -> np.ndarray:
    """Every way in which n pupils can give four answers."""
    grid = np.array(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij")).reshape(3, -1)
    grid = grid[:, grid.sum(axis=0) <= n]
    return np.vstack([grid, n - grid.sum(axis=0)]).T


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(12, 40))
def test_no_count_of_an_answer_is_found_from_a_mean_and_a_spread(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.multinomial(n, rng.dirichlet([0.3, 0.5, 1.5, 1.5]))
    values = np.repeat(np.arange(1.0, 5.0), answers)
    frame = pd.DataFrame({"i1": values, "i2": rng.permutation(values)})
    found, _ = describe_reliability(frame, ["i1", "i2"], range=(1, 4))
    items = found.items.rename(columns={"n": "pupils"}).assign(**PLACE).iloc[:1]
    assert items["fewest"].iloc[0] == answers.min()
    assert items["unlike"].iloc[0] == n - answers.max()
    numbers = dict.fromkeys(shapes.SCALE_NUMBERS.split(), 0.8) | {"items": 2, "note": ""}
    scale = PLACE | numbers | {"pupils": n, "schools": 5, "respondents": n}
    row = release(results_table([]), items=items, scales=pd.DataFrame([scale])).items.loc[0]
    if not np.isnan(row["sd"]):
        assert answers.min() >= 10
        return
    if np.isnan(row["mean"]):
        return
    small = [i for i, count in enumerate(answers) if count < 10]
    low = max(10, 5 * int(n / 5 + 0.5) - 2)
    possible = np.vstack([tables_of(m) for m in range(low, 5 * int(n / 5 + 0.5) + 3)])
    mean = possible @ np.arange(1, 5) / possible.sum(axis=1)
    agree = possible[np.abs(mean - row["mean"]) <= 0.005 + 1e-9]
    for i in small:
        assert len(np.unique(agree[:, i])) >= 5

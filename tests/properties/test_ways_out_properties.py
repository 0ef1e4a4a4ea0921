"""No withheld way out can be worked out: an attack by enumeration, written apart from the code."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.cohort.leaving import WAYS_OUT_COLUMNS
from baseeval.disclosure.profiles import PROFILES, Profile
from baseeval.disclosure.releasing import release
from baseeval.results import ANY_WAY, Flow, results_table

FAR = 45
FEW = st.integers(0, 14)


def could_be(count: int, shown: object, profile: Profile) -> np.ndarray:
    """Every value that a reader who knows the rules and why a count is withheld thinks possible."""
    if pd.isna(shown) and count < profile.threshold:
        return np.arange(int(count > 0 and not profile.zeros_disclosive), profile.threshold)
    if pd.isna(shown):
        return np.arange(profile.threshold, FAR)
    values = np.arange(2 * FAR)
    kept = (values >= profile.threshold) | ((values == 0) & (not profile.zeros_disclosive))
    return values[(5 * np.floor(values / 5 + 0.5) == shown) & kept]


@settings(max_examples=15, deadline=None)
@given(
    first=st.tuples(FEW, FEW),
    more=st.tuples(FEW, FEW),
    unseen=st.tuples(st.integers(0, 3), FEW),
    stay=st.integers(0, 30),
    name=st.sampled_from(["srs", "ees"]),
)
def test_neither_ways_nor_years_give_a_count_away(first, more, unseen, stay, name):
    """Two ways and all, by one year and by two; some are seen late, some not to the end."""
    profile = PROFILES[name]
    late, lost = unseen
    p1, q1 = first
    p2, q2 = p1 + more[0], q1 + more[1]
    followed = p1 + q1 + stay + lost + late
    if followed < profile.threshold:
        return
    at_risk = (followed - late, stay)
    exact = {"p": (p1, p2), "q": (q1, q2), ANY_WAY: (p1 + q1, p2 + q2)}
    rows = [
        (way, year, followed, at_risk[year - 1], left, left / followed, 0.05, 5, 5, 12)
        for way, lefts in exact.items()
        for year, left in enumerate(lefts, 1)
    ]
    arm = [("In an arm", "base", followed, 5, "")]
    flow = Flow(pd.DataFrame(arm, columns=["step", "arm", "pupils", "schools", "reason"]))
    out = release(
        results_table([]),
        flow=flow,
        ways_out=pd.DataFrame(rows, columns=list(WAYS_OUT_COLUMNS)),
        profile=name,
    ).ways_out
    shown = out.set_index(["way", "years"])
    assert out["left"].dropna().mod(5).eq(0).all()
    assert out["share"].notna().equals(out["left"].notna())
    if out["left"].isna().all() and out["pupils_at_risk"].isna().all():
        return

    counts = {
        (way, year): could_be(exact[way][year - 1], shown.loc[(way, year), "left"], profile)
        for way in exact
        for year in (1, 2)
    }
    risk = [
        could_be(at_risk[year - 1], shown.loc[("p", year), "pupils_at_risk"], profile)
        for year in (1, 2)
    ]
    whole = could_be(followed, 5 * int(followed / 5 + 0.5), profile)
    ways = [
        np.array(
            [(a, b) for a, b in itertools.product(counts[way, 1], counts[way, 2]) if a <= b]
        ).reshape(-1, 2)
        for way in ("p", "q")
    ]
    together = np.hstack(
        [np.repeat(ways[0], len(ways[1]), axis=0), np.tile(ways[1], (len(ways[0]), 1))]
    )
    any_1, any_2 = together[:, 0] + together[:, 2], together[:, 1] + together[:, 3]
    together = together[np.isin(any_1, counts[ANY_WAY, 1]) & np.isin(any_2, counts[ANY_WAY, 2])]
    # How many were followed so far is in no row; that all of them were is known.
    others = [
        (n, r1, r2, a)
        for n, r1, r2, a in itertools.product(
            whole, risk[0], risk[1], np.unique(together[:, 0] + together[:, 2])
        )
        if (r1 == n if late == 0 else r1 <= n)
        and (a + r2 == n if late + lost == 0 else a + r2 <= n)
    ]
    held = np.array(others).reshape(-1, 4)
    together = together[np.isin(together[:, 0] + together[:, 2], held[:, 3])]
    any_1, any_2 = together[:, 0] + together[:, 2], together[:, 1] + together[:, 3]
    checked = [
        (p1, together[:, 0]),
        (p2, together[:, 1]),
        (q1, together[:, 2]),
        (q2, together[:, 3]),
        (p1 + q1, any_1),
        (p2 + q2, any_2),
        (p2 - p1, together[:, 1] - together[:, 0]),
        (q2 - q1, together[:, 3] - together[:, 2]),
        (p2 + q2 - p1 - q1, any_2 - any_1),
        (at_risk[0], held[:, 1]),
        (at_risk[1], held[:, 2]),
    ]
    for count, values in checked:
        assert count in values
        if profile.is_small(count):
            assert len(set(values.tolist())) >= profile.feasible

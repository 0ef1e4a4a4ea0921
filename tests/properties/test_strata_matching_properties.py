"""What holds of strata, bins, paired schools and partners of one's own school, on any data."""

from __future__ import annotations

from functools import partial
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.coarsening import coarsen
from baseeval.numerics.nearest import match_nearest
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.same_school import match_own_school_first
from baseeval.numerics.school_matching import pair_pupils, pair_schools, pupil_cost
from baseeval.numerics.strata_weights import cross_codes, drop_one_armed, weigh_strata
from baseeval.numerics.subclassification import subclassify
from baseeval.numerics.vector_matching import cluster_rows, match_vectors

PROFILE = settings(max_examples=30, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def arms(draw: Any, n: int) -> np.ndarray:
    treated = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assume(treated.any() and not treated.all())
    return treated


@st.composite
def stratified(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 40))
    strata = np.array(draw(st.lists(st.integers(-1, 4), min_size=n, max_size=n)), dtype=np.intp)
    treated = arms(draw, n)
    kept = drop_one_armed(strata, treated)
    assume((kept >= 0).any())
    return kept, treated


@PROFILE
@given(stratified(), st.sampled_from(["ATT", "ATC", "ATE"]))
def test_both_arms_of_a_stratum_stand_for_the_same_pupils(
    problem: tuple[np.ndarray, np.ndarray], estimand: str
) -> None:
    """Each arm's weight lies over the strata as the target's pupils do; a mean of one an arm."""
    strata, treated = problem
    weights = weigh_strata(strata, treated, estimand)
    used = strata >= 0
    target = {"ATT": treated, "ATC": ~treated, "ATE": np.ones_like(treated)}[estimand] & used
    share = np.bincount(strata[target], minlength=strata.max() + 1) / target.sum()
    for arm in (treated & used, ~treated & used):
        assert_allclose(np.bincount(strata[arm], weights[arm]) / weights[arm].sum(), share)
        assert_allclose(weights[arm].mean(), 1)
    assert (weights[~used] == 0).all()


@PROFILE
@given(st.lists(st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=1, max_size=4))
def test_crossed_codes_are_alike_where_all_codes_are(columns: list[list[int]]) -> None:
    table = np.array(columns, dtype=np.intp)
    crossed = cross_codes(list(table))
    for i, j in combinations(range(8), 2):
        assert (crossed[i] == crossed[j]) == bool((table[:, i] == table[:, j]).all())


@PROFILE
@given(seeds, st.integers(2, 6), st.integers(0, 3), st.sampled_from(["ATT", "ATC", "ATE"]))
def test_every_subclass_holds_enough_of_both_arms(
    seed: int, subclasses: int, least: int, estimand: str
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 80))
    treated = rng.random(n) < rng.uniform(0.1, 0.9)
    score = np.round(rng.normal(size=n) + treated, int(rng.integers(1, 8)))
    target = {"ATT": treated, "ATC": ~treated, "ATE": np.ones_like(treated)}[estimand]
    assume(target.any())
    try:
        codes = subclassify(score, treated, target, subclasses, least)
    except ValueError:
        assert min(treated.sum(), (~treated).sum()) < subclasses * least
        return
    for arm in (treated, ~treated):
        counts = np.bincount(codes[arm], minlength=codes.max() + 1)
        assert counts.min() >= least
    # With nothing to fill up, a higher score is never in a lower subclass.
    plain = subclassify(score, treated, target, subclasses, 0)
    order = np.argsort(score, kind="stable")
    assert (np.diff(plain[order]) >= 0).all()
    shuffled = rng.permutation(n)
    again = subclassify(score[shuffled], treated[shuffled], target[shuffled], subclasses, 0)
    assert (again == plain[shuffled]).all()


@PROFILE
@given(
    st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=60),
    st.sampled_from([0, 1, 2, 7, "sturges", "scott", "fd", "q4", (-1.0, 0.0, 3.5)]),
)
@example([0.0, 0.0, 0.0, 1.0, 9.4e-32], "fd")  # would ask for 1e32 bins
def test_bins_follow_the_order_of_values(values: list[float], how: Any) -> None:
    x = np.array(values)
    bins = coarsen(x, how)
    order = np.argsort(x, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert (np.diff(bins[order])[np.diff(x[order]) == 0] == 0).all()
    if how == 0:
        assert len(set(bins.tolist())) == len(set(x.tolist()))
    if how == 1:
        assert (bins == 0).all()
    if how == 7:
        assert bins.max() <= 6


@st.composite
def distances(draw: Any) -> np.ndarray:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, np.inf])
    cells = draw(st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return np.array(cells).reshape(shape)


def matchings(rows: int, columns: int) -> Any:
    """Every way of giving each row one column of its own, or none (-1)."""
    for choice in product(range(-1, columns), repeat=rows):
        taken = [column for column in choice if column >= 0]
        if len(taken) == len(set(taken)):
            yield choice


@PROFILE
@given(distances(), st.sampled_from([0.5, 2.0]))
def test_pupils_of_two_schools_are_matched_at_least_cost(
    apart: np.ndarray, left_out: float
) -> None:
    best = min(
        sum(
            left_out if column < 0 else min(apart[row, column], left_out)
            for row, column in enumerate(choice)
        )
        for choice in matchings(*apart.shape)
    )
    assert_allclose(pupil_cost(apart, left_out), best)


@PROFILE
@given(distances())
def test_as_many_pupils_are_matched_as_can_be_and_the_nearest_so(apart: np.ndarray) -> None:
    pairs = pair_pupils(apart)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    mine = (-len(pairs), apart[pairs[:, 0], pairs[:, 1]].sum())
    scores = []
    for choice in matchings(*apart.shape):
        chosen = [apart[row, column] for row, column in enumerate(choice) if column >= 0]
        if np.isfinite(chosen).all():
            scores.append((-len(chosen), sum(chosen)))
    assert mine[0] == min(scores)[0]
    assert_allclose(mine[1], min(scores)[1], atol=1e-9)


@PROFILE
@given(distances(), st.integers(1, 2), st.sampled_from([None, 1, 2]), st.booleans())
def test_schools_are_paired_at_least_total_cost(
    apart: np.ndarray, each: int, keep: int | None, weigh_leaving: bool
) -> None:
    """As many pairs as can be (up to `keep`), and of those ways the cheapest."""
    first, second = np.nonzero(np.isfinite(apart))
    leaving = np.arange(1.0, len(apart) + 1) if weigh_leaving and keep else None
    found = pair_schools(first, second, apart[first, second], each=each, keep=keep, leaving=leaving)
    assert len(set(found[:, 1])) == len(found)
    rows = [row for row in range(len(apart)) for _ in range(each)]
    most = len(rows) if keep is None else min(keep, len(rows))

    def cost(pairs: list[tuple[int, int]]) -> float:
        total = float(sum(apart[pair] for pair in pairs))
        if leaving is not None:
            placed = [row for row, _ in pairs]
            total += float(sum(leaving[row] * (each - placed.count(row)) for row in set(first)))
        return total

    ways = []
    for choice in matchings(len(rows), apart.shape[1]):
        pairs = [(rows[place], column) for place, column in enumerate(choice) if column >= 0]
        if len(pairs) <= most and all(np.isfinite(apart[pair]) for pair in pairs):
            ways.append((-len(pairs), cost(pairs)))
    best = min(ways)
    assert -len(found) == best[0]
    assert_allclose(cost([(int(a), int(b)) for a, b in found]), best[1], atol=1e-9)


@PROFILE
@given(seeds, st.booleans(), st.integers(1, 2))
def test_nobody_goes_to_another_school_who_could_stay(seed: int, replace: bool, ratio: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 50))
    score = np.round(rng.normal(size=n), 1)
    treated = rng.random(n) < 0.4
    assume(treated.any())
    school = rng.integers(0, 4, n).astype(np.intp)
    strata = rng.integers(0, 2, n).astype(np.intp)
    pair = partial(match_nearest, score, treated, replace=replace, caliper=0.5)
    found = match_own_school_first(
        pair,
        np.flatnonzero(treated),
        strata,
        school,
        ratio=ratio,
        replace=replace,
        restrictions=Restrictions(),
    )
    assert len({(a, b) for a, b in found.tolist()}) == len(found)
    assert np.bincount(found[:, 0], minlength=n).max(initial=0) <= ratio
    assert (strata[found[:, 0]] == strata[found[:, 1]]).all()
    assert (np.abs(score[found[:, 0]] - score[found[:, 1]]) <= 0.5).all()
    if not replace:
        assert len(set(found[:, 1])) == len(found)
    taken = set() if replace else set(found[:, 1].tolist())
    for row, partner in found.tolist():
        if school[row] == school[partner]:
            continue
        own = {b for a, b in found.tolist() if a == row}
        could = (
            ~treated
            & (school == school[row])
            & (strata == strata[row])
            & (np.abs(score - score[row]) <= 0.5)
        )
        assert not set(np.flatnonzero(could).tolist()) - own - taken


@PROFILE
@given(seeds)
def test_each_of_a_triplet_is_the_nearest_of_its_arm(seed: int) -> None:
    """A naive search: of each arm the nearest on the log odds of the reference, if near enough."""
    rng = np.random.default_rng(seed)
    n, width = int(rng.integers(6, 60)), 0.4
    arm = rng.integers(0, 3, n).astype(np.intp)
    logits = rng.normal(size=(n, 3))
    strata = rng.integers(0, 2, n).astype(np.intp)
    found = match_vectors(logits, arm, 1, width=width, clusters=2, strata=strata)
    expected = {}
    for row in np.flatnonzero(arm == 1):
        gaps = []
        for other, rest in ((0, 2), (2, 0)):
            alike = cluster_rows(logits[:, [rest]], 2)
            near = np.abs(logits[:, 1] - logits[row, 1])
            near[(arm != other) | (strata != strata[row]) | (alike != alike[row])] = np.inf
            gaps.append(near.min())
        if max(gaps) <= width:
            expected[row] = gaps
    assert found[:, 1].tolist() == sorted(expected)
    for group in found:
        gaps = [abs(logits[group[other], 1] - logits[group[1], 1]) for other in (0, 2)]
        assert_allclose(gaps, expected[group[1]])
        assert arm[group].tolist() == [0, 1, 2]


@PROFILE
@given(seeds)
def test_groups_of_rows_are_the_nearest_centres(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(int(rng.integers(3, 40)), int(rng.integers(1, 3))))
    codes = cluster_rows(points, 3)
    centres = {int(code): points[codes == code].mean(axis=0) for code in np.unique(codes)}
    for point, code in zip(points, codes, strict=True):
        far = {other: np.sum((point - centre) ** 2) for other, centre in centres.items()}
        assert far[int(code)] <= min(far.values()) + 1e-12
    shuffled = rng.permutation(len(points))
    again = cluster_rows(points[shuffled], 3)
    same = codes[shuffled][:, None] == codes[shuffled]
    assert ((again[:, None] == again) == same).all()


def test_exact_matchings_are_all_tried() -> None:
    """The naive search of these tests: one row and two columns, then two rows and two columns."""
    assert len(list(matchings(1, 2))) == 3
    assert len(list(matchings(2, 2))) == 7
    assert {tuple(way) for way in permutations(range(2))} <= set(matchings(2, 2))


@pytest.mark.parametrize("how", ["q", "q0", "median", -1, [[1, 2], [3, 4]]])
def test_what_is_no_rule_for_bins_is_refused(how: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        coarsen(np.array([1.0, 2.0]), how)

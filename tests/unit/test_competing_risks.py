"""Cumulative incidence: a table worked by hand, and what must hold whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.competing_risks import cumulative_incidence


def test_a_table_worked_by_hand():
    """Ten pupils; a tie of two ways at 2; one followed from 2 on, one lost from sight at 3."""
    entry = np.array([0, 0, 0, 0, 0, 0, 0, 0, 2, 0], dtype=float)
    leaving = np.array([1, 2, 2, 2, 3, 4, 4, 5, 5, 6], dtype=float)
    way = np.array([1, 1, 2, 1, 0, 1, 2, 0, 2, 0])

    found = cumulative_incidence(entry, leaving, way, 2, np.array([0.5, 1, 2, 3.9, 4, 5, 9]))

    # At risk: 9 at 1; 8 at 2 (the ninth enters after it); 5 at 4 (three left at 2, one unseen
    # from 3, one came); 3 at 5.
    s1, s2 = 8 / 9, 8 / 9 * 5 / 8
    s4 = s2 * 3 / 5
    one = [0, 1 / 9, 1 / 9 + s1 * 2 / 8, 1 / 9 + s1 * 2 / 8]
    one += [one[-1] + s2 / 5] * 3
    two = [0, 0, s1 / 8, s1 / 8, s1 / 8 + s2 / 5]
    two += [two[-1] + s4 / 3] * 2
    assert_allclose(found.incidence, [one, two], rtol=1e-12)
    assert_allclose(found.any_way, np.add(one, two), rtol=1e-12)


STAYS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(0, 2), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


def arrays(stays):
    entry, more, way, school = np.array(stays).T
    return entry.astype(float), (entry + more).astype(float), way, school


@settings(max_examples=60)
@given(STAYS)
def test_chances_grow_and_add_up(stays):
    entry, leaving, way, school = arrays(stays)
    at = np.arange(0, 11, dtype=float)
    found = cumulative_incidence(entry, leaving, way, 2, at, school)

    assert (np.diff(found.incidence, axis=1) >= -1e-12).all()
    assert (found.incidence >= 0).all()
    assert (found.any_way <= 1 + 1e-12).all()
    assert found.incidence.any() == (way > 0).any()
    still = 1.0
    for t in np.unique(leaving[way > 0]):  # Kaplan and Meier, the ways taken as one
        there = (entry < t) & (leaving >= t)
        still *= 1 - (there & (leaving == t) & (way > 0)).sum() / there.sum()
    assert_allclose(found.any_way[-1], 1 - still, atol=1e-12)


@settings(max_examples=30)
@given(STAYS)
def test_the_spread_is_that_of_the_weights_moved_a_little(stays):
    """The infinitesimal jackknife by finite differences: each school counted a little more."""
    entry, leaving, way, school = arrays(stays)
    _, school = np.unique(school, return_inverse=True)
    at = np.array([2.0, 4.0, 9.0])
    found = cumulative_incidence(entry, leaving, way, 2, at, school)
    times = 4000
    variance = np.zeros((2, 3))
    for one in range(school.max() + 1):
        weights = np.where(school == one, times + 1, times)
        variance += ((weighted(entry, leaving, way, at, weights) - found.incidence) * times) ** 2

    assert_allclose(found.std_error, np.sqrt(variance), atol=2e-3)


def weighted(entry, leaving, way, at, weights):
    """Count each person so many times, by the definition alone."""
    still, reached, curve = 1.0, np.zeros(2), []
    for until in at:
        curve.append(reached.copy())
        for t in np.unique(leaving[way > 0]):
            if t <= until and t > (at[at < until].max() if (at < until).any() else 0):
                there = weights[(entry < t) & (leaving >= t)].sum()
                now = [weights[(leaving == t) & (way == k)].sum() / there for k in (1, 2)]
                reached += still * np.array(now)
                still *= 1 - sum(now)
        curve[-1] = reached.copy()
    return np.array(curve).T


def test_without_late_entry_or_loss_of_sight_a_chance_is_a_share():
    rng = np.random.default_rng(3)
    leaving, way = rng.integers(1, 9, 80).astype(float), rng.integers(1, 4, 80)
    found = cumulative_incidence(np.zeros(80), leaving, way, 3, np.array([4.0]))

    share = np.array([((leaving <= 4) & (way == k)).mean() for k in (1, 2, 3)])
    assert_allclose(found.incidence[:, 0], share, rtol=1e-12)
    assert_allclose(found.std_error[:, 0], np.sqrt(share * (1 - share) / 80), rtol=1e-12)


def test_nobody_and_the_impossible():
    none = np.array([])
    found = cumulative_incidence(none, none, none.astype(int), 2, np.array([1.0]))
    assert found.incidence.tolist() == [[0.0], [0.0]]
    with pytest.raises(ValueError, match="later than they enter"):
        cumulative_incidence(np.array([1.0]), np.array([1.0]), np.array([1]), 2, np.array([1.0]))
    with pytest.raises(ValueError, match="0 to 2"):
        cumulative_incidence(np.array([0.0]), np.array([1.0]), np.array([3]), 2, np.array([1.0]))

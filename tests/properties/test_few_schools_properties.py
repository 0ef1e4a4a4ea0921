"""What holds of the ladder in every layout: no label, order or unit of measurement has a say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.effects.spec import EffectSample
from baseeval.numerics.few_schools.ratio_tail import ratio_tail
from baseeval.numerics.few_schools.rungs import LadderAnswer, ladder, ladder_step


@st.composite
def samples(draw: st.DrawFn) -> EffectSample:
    """Draw schools that hold one arm or both, some of one pupil, with weights and covariates."""
    schools = draw(st.integers(4, 9))
    kinds = draw(st.lists(st.sampled_from("fsb"), min_size=schools, max_size=schools))
    kinds[:4] = draw(st.sampled_from(["ffss", "bbbb", "ffbs", "bbss", "fbbb"]))
    sizes = draw(st.lists(st.integers(1, 12), min_size=2 * schools, max_size=2 * schools))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    school, first = [], []
    for place, kind in enumerate(kinds):
        for arm in {"f": [True], "s": [False], "b": [True, False]}[kind]:
            count = sizes[2 * place + arm]
            school += [place] * count
            first += [arm] * count
    n = len(school)
    columns = draw(st.integers(0, 2)) if n > 2 * schools + 8 else 0
    weighted = draw(st.booleans())
    return EffectSample(
        outcome=rng.standard_normal(n) + rng.standard_normal(schools)[school],
        first=np.array(first),
        weights=rng.uniform(0.2, 3.0, n) if weighted else np.ones(n),
        covariates=rng.standard_normal((n, columns)),
        school=np.array(school, dtype=np.intp),
    )


def numbers(answer: LadderAnswer) -> list[float]:
    interval = answer.interval
    return [answer.estimate, interval.std_error, interval.p_value, interval.low, interval.high]


@given(samples(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_and_labels_of_schools_change_nothing(sample: EffectSample, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    order = rng.permutation(len(sample.outcome))
    labels = rng.permutation(sample.school.max() + 1)
    other = EffectSample(
        sample.outcome[order],
        sample.first[order],
        sample.weights[order],
        sample.covariates[order],
        labels[sample.school[order]],
    )
    one, two = ladder(sample), ladder(other)
    assert (one.step, one.flags) == (two.step, two.flags)
    assert numbers(one) == pytest.approx(numbers(two), rel=1e-6, abs=1e-9)


@given(samples(), st.floats(-50, 50), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_the_outcome_changes_the_unit_alone(
    sample: EffectSample, shift: float, scale: float
) -> None:
    one = ladder(sample)
    two = ladder(replace(sample, outcome=shift + scale * sample.outcome))
    assert (one.step, one.flags, two.step) == (two.step, two.flags, one.step)
    assert two.estimate == pytest.approx(scale * one.estimate, rel=1e-6, abs=1e-9 * scale)
    assert two.interval.p_value == pytest.approx(one.interval.p_value, rel=1e-5)
    assert two.interval.df == pytest.approx(one.interval.df)


@given(samples())
@settings(max_examples=20, deadline=None)
def test_the_arms_change_places(sample: EffectSample) -> None:
    one, two = ladder(sample), ladder(replace(sample, first=~sample.first))
    assert one.estimate == pytest.approx(-two.estimate, rel=1e-8, abs=1e-10)
    assert one.interval.p_value == pytest.approx(two.interval.p_value, rel=1e-6)
    assert one.interval.low == pytest.approx(-two.interval.high, rel=1e-6, abs=1e-9)


@given(samples(), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_step_and_flags_follow_from_the_design_alone(sample: EffectSample, seed: int) -> None:
    other = replace(sample, outcome=np.random.default_rng(seed).exponential(size=len(sample.first)))
    one, two = ladder(sample), ladder(other)
    assert (one.step, one.flags) == (two.step, two.flags)
    assert one.step == ladder_step(other)
    assert one.interval.df == pytest.approx(two.interval.df, rel=1e-9, nan_ok=True)


@given(samples(), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_test_and_interval_tell_the_same(sample: EffectSample, effect: float) -> None:
    found = ladder(replace(sample, outcome=sample.outcome + effect * sample.first)).interval
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
    assert found.low <= found.low90 <= found.high90 <= found.high


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.floats(0.1, 8))
@settings(max_examples=20, deadline=None)
def test_tails_agree_with_draws(seed: int, size: int, t: float) -> None:
    """Any form of normal data, correlated with its own standard error or not."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((size, size)) + 2 * np.eye(size)
    scores, b = rng.standard_normal((3, size)), rng.standard_normal(size)
    tail = ratio_tail(b, scores.T @ scores, (root @ root.T)[None])
    y = rng.standard_normal((20_000, size)) @ root.T
    ratio = np.abs(y @ b) / np.sqrt(((y @ scores.T) ** 2).sum(axis=1))
    known = float(tail.probabilities(np.array([t]))[0])
    assert abs(np.mean(ratio > t) - known) < 5 * np.sqrt(known * (1 - known) / 20_000) + 1e-4

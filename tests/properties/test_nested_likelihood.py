"""The nested engine against whole matrices, and what must never change it."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from baseeval.numerics.mixed_models import nested_patterns
from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.likelihood import deviance, free_rows, gradient
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.templates import Layout, diagonal_template, full_template

Dense = runpy.run_path(str(Path(__file__).parents[1] / "dense_likelihood.py"))["DenseLikelihood"]
PROFILE = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
TIGHT = {"rtol": 1e-9, "atol": 1e-9}


@dataclass(frozen=True)
class Model:
    whole: Block
    layout: Layout
    owners: tuple[int, ...]
    theta: np.ndarray
    cuts: list[int]
    pool_from: int

    def blocks(self) -> Iterator[Block]:
        for start, end in zip([0, *self.cuts], [*self.cuts, len(self.whole.y)], strict=True):
            yield rows_of(self.whole, slice(start, end))

    def read(self, keep_groups: bool = False) -> NestedLikelihood:
        with mock.patch.object(nested_patterns, "POOL_FROM", self.pool_from):
            return nested_likelihood(self.blocks(), self.layout, self.owners, 0, keep_groups)

    def dense(self) -> Any:
        return Dense(self.whole, self.layout, 0)


def rows_of(whole: Block, rows: Any) -> Block:
    return Block(
        whole.x[rows],
        whole.y[rows],
        tuple(z[rows] for z in whole.z),
        tuple(codes[rows] for codes in whole.groups),
        None if whole.weights is None else whole.weights[rows],
    )


#: Term by term: whose effects (0 school, 1 pupil), of which columns.
KINDS: dict[str, list[tuple[int, str]]] = {
    "schools": [(0, "one")],
    "schools' slopes": [(0, "wave")],
    "two terms of schools": [(0, "one"), (0, "number")],
    "three columns": [(0, "both")],
    "pupils in schools": [(1, "one"), (0, "one")],
    "slopes on waves": [(0, "wave"), (1, "wave")],
    "a slope on a number between schools": [(1, "one"), (0, "number")],
    "slopes of waves within, of a number between": [(1, "wave"), (0, "number")],
    "a slope on a number within": [(0, "one"), (1, "number")],
    "shared variances, several terms": [(0, "arms"), (1, "one"), (1, "bare")],
}


@st.composite
def models(draw: st.DrawFn, kinds: list[str] | None = None) -> Model:
    kind = draw(st.sampled_from(kinds or sorted(KINDS)))
    weighted = draw(st.booleans())
    rng = np.random.default_rng(draw(seeds))
    sizes = draw(st.lists(st.integers(1, 7), min_size=3, max_size=8))
    most = draw(st.integers(1, 4))  # one occasion a pupil is a case of its own
    school, pupil, wave = [], [], []
    for place, size in enumerate(sizes):
        for _ in range(size):
            seen = np.sort(rng.choice(most, rng.integers(1, most + 1), replace=False))
            code = pupil[-1] + 1 if pupil else 0
            school += [place] * len(seen)
            pupil += [code] * len(seen)
            wave += seen.tolist()
    n = len(wave)
    assume(n > 7)  # fewer rows the columns of X reproduce
    time, number = np.array(wave, dtype=float), 3 + rng.normal(size=n)
    arm = np.array(pupil) % 2.0
    ones = np.ones(n)
    x = np.column_stack([ones, time, arm, number, 0 * ones, number + time])  # two add nothing
    columns = {
        "one": [ones],
        "wave": [ones, time],
        "number": [ones, number],
        "both": [ones, number, arm],
        "arms": [ones, arm, 1 - arm],
        "bare": [number],
    }
    # Labels in no order, as rows are sorted by something else.
    codes = [rng.permutation(max(own) + 1)[own] for own in (school, pupil)]
    y = 200 + x @ rng.normal(size=6) + rng.normal(size=n) + rng.normal(size=len(sizes))[school]
    terms = KINDS[kind]
    z = tuple(np.column_stack(columns[name]) for _, name in terms)
    layout = Layout(
        tuple(
            diagonal_template([0, 1, 1]) if name == "arms" else full_template(len(columns[name]))
            for _, name in terms
        )
    )
    theta = rng.normal(size=layout.count)
    weights = np.exp(0.7 * rng.normal(size=n)) if weighted else None
    whole = Block(x, y, z, tuple(codes[owner] for owner, _ in terms), weights)
    cuts = sorted(draw(st.sets(st.integers(1, n - 1), max_size=4)))
    owners = tuple(owner for owner, _ in terms)
    theta = np.where(layout.diagonal, np.abs(theta), theta)
    # So few pupils are pooled at once, after some, or never.
    return Model(whole, layout, owners, theta, cuts, draw(st.sampled_from([0, 5, 4096])))


def check_profile(ours: Any, theirs: Any, theta: np.ndarray) -> None:
    found, expected = ours.profile(theta), theirs.profile(theta)
    for name in ("log_det", "rss", "beta", "information"):
        assert_allclose(getattr(found, name), getattr(expected, name), err_msg=name, **TIGHT)
    for name in ("shapes", "spreads", "fades"):
        pairs = zip(getattr(found, name), getattr(expected, name), strict=True)
        for one, other in pairs:
            assert_allclose(
                one, other, err_msg=name, rtol=1e-9, atol=1e-9 * (1 + np.abs(other).max())
            )


@PROFILE
@given(model=models())
def test_likelihood_is_the_dense_one(model: Model) -> None:
    ours, dense = model.read(), model.dense()
    assert ours.n == dense.n
    assert_allclose(ours.coordinates.kept, dense.coordinates.kept)
    assert_allclose(ours.coordinates.scale, dense.coordinates.scale, rtol=1e-9)
    for one, other in zip(ours.sizes, dense.sizes, strict=True):
        assert_allclose(one, other, rtol=1e-12)
    check_profile(ours, dense, model.theta)


@PROFILE
@given(model=models(), below=st.floats(0, 0.02))
def test_moments_with_a_covariance_that_is_not_positive(model: Model, below: float) -> None:
    """A negative variance that leaves V positive definite."""
    ours, dense = model.read(), model.dense()
    least = min(1.0, 1.0 if model.whole.weights is None else float((1 / model.whole.weights).min()))
    covariances = []
    for z, codes in zip(model.whole.z, model.whole.groups, strict=True):
        longest = max(float(np.sum(z[codes == code] ** 2)) for code in np.unique(codes))
        covariances.append(-10 * below * least / longest * np.eye(z.shape[1]))
    for one, other in zip(ours.moments(covariances), dense.moments(covariances), strict=True):
        assert_allclose(one, other, **TIGHT)


@PROFILE
@given(model=models(), reml=st.booleans())
def test_gradient_is_that_of_the_deviance(model: Model, reml: bool) -> None:
    ours = model.read()
    free = free_rows(ours, reml)
    at = ours.profile(model.theta)
    found = gradient(ours, model.theta, at, at.rss / free, reml)
    for place in range(len(found)):
        step = np.zeros(len(found))
        step[place] = 1e-5
        sides = [deviance(ours.profile(model.theta + sign * step), free, reml) for sign in (1, -1)]
        # Central differences lose to curvature and to rounding, over 2e-5.
        assert_allclose(found[place], (sides[0] - sides[1]) / 2e-5, rtol=1e-5, atol=1e-5)


@PROFILE
@given(model=models())
def test_effects_are_the_dense_ones(model: Model) -> None:
    """Inner ones from the rows read once more, or from what was kept."""
    ours, kept = model.read(), model.read(keep_groups=True)
    expected = model.dense().effects(model.theta)
    outer = [one for one, owner in zip(expected, model.owners, strict=True) if owner == 0]
    inner = [one for one, owner in zip(expected, model.owners, strict=True) if owner == 1]
    found = [
        (ours.effects(model.theta), outer),
        (ours.inner_effects(model.theta, model.blocks()), inner),
        (kept.inner_effects(model.theta), inner),
    ]
    for mine, theirs in found:
        for one, other in zip(mine, theirs, strict=True):
            assert_allclose(one.modes, other.modes, **TIGHT)
            assert_allclose(one.variance, other.variance, **TIGHT)
            assert_allclose(one.loadings, other.loadings, **TIGHT)


@PROFILE
@given(model=models(), choice=st.integers(0, 100))
def test_leaving_a_school_out_is_reading_the_others(model: Model, choice: int) -> None:
    school = model.whole.groups[model.owners.index(0)]
    left_out = choice % (school.max() + 1)
    others = rows_of(model.whole, school != left_out)
    renumbered = tuple(np.unique(codes, return_inverse=True)[1] for codes in others.groups)
    fewer = Block(others.x, others.y, others.z, renumbered, others.weights)
    ours = model.read(keep_groups=True).without(left_out)
    dense = Dense(fewer, model.layout, 0)
    assert_allclose(ours.coordinates.kept, dense.coordinates.kept)
    check_profile(ours, dense, model.theta)
    for one, other in zip(ours.effects(model.theta), dense.effects(model.theta), strict=False):
        if model.owners[0] == 0:
            assert_allclose(one.modes, other.modes, rtol=1e-8, atol=1e-8)


@PROFILE
@given(model=models())
def test_what_schools_add_is_theirs(model: Model) -> None:
    ours, dense = model.read(keep_groups=True), model.dense()
    information, scores = ours.by_group(model.theta)
    inverse = np.linalg.inv(dense.covariance(model.layout.covariances(model.theta)))
    x, y = dense.columns
    left = y - x @ dense.profile(model.theta).beta
    school = model.whole.groups[model.owners.index(0)]
    for code in range(school.max() + 1):
        own = school == code
        part = x[own].T @ inverse[np.ix_(own, own)]
        assert_allclose(information[code], part @ x[own], **TIGHT)
        assert_allclose(scores[code], part @ left[own], **TIGHT)


@PROFILE
@given(model=models(), other=seeds)
def test_labels_cuts_and_the_order_of_schools_change_nothing(model: Model, other: int) -> None:
    rng = np.random.default_rng(other)
    school = model.whole.groups[model.owners.index(0)]
    pupil = model.whole.groups[model.owners.index(1)] if 1 in model.owners else school
    count = school.max() + 1
    rank = rng.permutation(count)
    order = np.lexsort((rng.random(len(school)), pupil, rank[school]))
    moved = rows_of(model.whole, order)
    relabelled = tuple(
        rank[codes] if owner == 0 else codes
        for codes, owner in zip(moved.groups, model.owners, strict=True)
    )
    again = Block(moved.x, moved.y, moved.z, relabelled, moved.weights)
    ours = model.read()
    theirs = nested_likelihood([again], model.layout, model.owners, 0)
    # The provisional means differ, the orthonormal columns do not.
    check_profile(ours, theirs, model.theta)
    for one, two in zip(ours.effects(model.theta), theirs.effects(model.theta), strict=True):
        assert_allclose(one.modes, two.modes[rank], rtol=1e-8, atol=1e-8)


def test_what_is_held_does_not_grow_with_pupils() -> None:
    """Ten times the pupils of the same schools, with the same patterns of waves: the same size."""

    def held(pupils: int) -> tuple[int, list[str]]:
        rng = np.random.default_rng(1)
        count = 5 * pupils
        school = np.repeat(np.arange(5), 3 * pupils)
        pupil = np.repeat(np.arange(count), 3)
        wave = np.tile(np.arange(3.0), count)
        ones = np.ones(len(wave))
        z = np.column_stack([ones, wave])
        whole = Block(z, rng.normal(size=len(wave)), (z, ones[:, None]), (pupil, school))
        layout = Layout((full_template(2), full_template(1)))
        data = nested_likelihood([whole], layout, (1, 0), 0).data
        arrays = [data.total, data.outer]
        for part in data.inner:
            arrays += [one for pattern in part.patterns for one in (pattern.sums, pattern.squares)]
        return sum(array.size for array in arrays), [type(part).__name__ for part in data.inner]

    assert held(1000) == held(2000)
    assert held(1000)[1] == ["PooledInner"]


def test_schools_of_equal_size_are_pooled_and_give_the_same() -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(60), np.tile([1, 2, 3], 20))
    n = len(school)
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    whole = Block(x, rng.normal(size=n), (x[:, :1],), (school,))
    layout, theta = Layout((full_template(1),)), np.array([0.7])
    ours = nested_likelihood([whole], layout, (0,), 0)
    assert type(ours._level).__name__ == "PooledGroups"
    check_profile(ours, Dense(whole, layout, 0), theta)


def test_many_patterns_beyond_the_most_are_kept_singly() -> None:
    """Three hundred patterns, each of two pupils: some are pooled, some not, nothing is lost."""
    rng = np.random.default_rng(3)
    pupil = np.repeat(np.arange(600), 2)
    school = pupil // 200
    age = np.repeat(np.repeat(np.arange(300.0), 2), 2) / 100 + np.tile([0.0, 1.0], 600)
    n = len(pupil)
    x = np.column_stack([np.ones(n), age])
    whole = Block(x, rng.normal(size=n), (x, x[:, :1]), (pupil, school))
    layout, theta = Layout((full_template(2), full_template(1))), np.array([0.5, 0.2, 0.4, 0.6])
    with mock.patch.object(nested_patterns, "POOL_FROM", 0):
        ours = nested_likelihood([whole], layout, (1, 0), 0)
    assert [type(part).__name__ for part in ours.data.inner] == ["PooledInner", "SingleInner"]
    check_profile(ours, Dense(whole, layout, 0), theta)


def test_a_model_without_intercept_keeps_its_origin() -> None:
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(6), 4)
    x = 5 + rng.normal(size=(24, 2))
    whole = Block(x, x.sum(axis=1) + rng.normal(size=24), (x[:, :1],), (school,))
    layout = Layout((full_template(1),))
    ours = nested_likelihood([whole], layout, (0,), None)
    check_profile(ours, Dense(whole, layout, None), np.array([0.3]))


@pytest.mark.parametrize(
    "groups", [([0, 1, 0], [0, 1, 2]), ([0, 0, 0], [0, 1, 0]), ([0, 1, 1], [0, 0, 1])]
)
def test_rows_out_of_order_are_refused(groups: tuple[list[int], list[int]]) -> None:
    ones = np.ones((3, 1))
    codes = tuple(np.array(group) for group in groups)
    layout = Layout((full_template(1), full_template(1)))
    with pytest.raises(ValueError, match="do not follow one another"):
        nested_likelihood([Block(ones, ones[:, 0], (ones, ones), codes)], layout, (0, 1), 0)


def test_what_was_not_kept_is_refused() -> None:
    ones = np.ones((4, 1))
    codes = np.array([0, 0, 1, 1])
    ours = nested_likelihood(
        [Block(ones, np.arange(4.0), (ones,), (codes,))], Layout((full_template(1),)), (0,), 0
    )
    for ask in (lambda: ours.without(0), lambda: ours.by_group(np.ones(1))):
        with pytest.raises(ValueError, match="keep_groups"):
            ask()
    with pytest.raises(ValueError, match="needs rows"):
        nested_likelihood([], ours.layout, (0,), 0)
    with pytest.raises(ValueError, match="outer factor"):
        nested_likelihood([], ours.layout, (1,), 0)

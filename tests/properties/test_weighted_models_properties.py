"""What weights of schools and pupils must and must not change, on random uneven structures."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.likelihood import gradient
from baseeval.numerics.mixed_models.templates import Layout, full_template
from baseeval.numerics.weighted_models.estimating_equations import fit_weighted_equations
from baseeval.numerics.weighted_models.level_rows import Inner, lay_rows
from baseeval.numerics.weighted_models.pseudo_likelihood import (
    WeightedLikelihood,
    weighted_likelihood,
)
from baseeval.numerics.weighted_models.weighted_fit import fit_weighted_mixed

Dense = runpy.run_path(str(Path(__file__).parents[1] / "dense_likelihood.py"))["DenseLikelihood"]

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Rows:
    """Occasions of pupils of schools; whole weights, so that a row can be copied."""

    x: np.ndarray
    y: np.ndarray
    school: np.ndarray
    pupil: np.ndarray
    copies: np.ndarray
    school_copies: np.ndarray

    def take(self, order: np.ndarray) -> Rows:
        return Rows(*(getattr(self, name)[order] for name in self.__dataclass_fields__))

    def likelihood(self, *, three: bool, scaling: str = "none") -> WeightedLikelihood:
        z = self.x[:, :2]
        inner = Inner(z, self.pupil, full_template(2)) if three else None
        rows, _ = lay_rows(
            self.x,
            self.y,
            z,
            self.school,
            self.copies.astype(float),
            self.school_copies.astype(float),
            scaling,
            inner,
        )
        return weighted_likelihood(rows, Layout((full_template(2),) * (1 + three)))

    def copied(self) -> Rows:
        """Every school as often as its weight says, with every pupil as often as theirs does."""
        parts, schools, pupils = [], 0, 0
        for school in np.unique(self.school):
            own = np.flatnonzero(self.school == school)
            for _ in range(self.school_copies[own[0]]):
                for pupil in np.unique(self.pupil[own]):
                    rows = own[self.pupil[own] == pupil]
                    for _ in range(self.copies[rows[0]]):
                        one = np.ones(len(rows), dtype=int)
                        part = self.take(rows)
                        parts.append(
                            replace(
                                part,
                                school=one * schools,
                                pupil=one * pupils,
                                copies=one,
                                school_copies=one,
                            )
                        )
                        pupils += 1
                schools += 1
        names = self.__dataclass_fields__
        return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def draw(seed: int, waves: bool) -> Rows:
    rng = np.random.default_rng(seed)
    schools = int(rng.integers(3, 7))
    home = np.repeat(np.arange(schools), rng.integers(1, 5, schools))
    occasions = rng.integers(1, 4, len(home)) if waves else np.ones(len(home), dtype=int)
    pupil = np.repeat(np.arange(len(home)), occasions)
    n = len(pupil)
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ np.array([3, 1.0]) + rng.normal(size=schools)[home[pupil]] + rng.normal(size=n)
    copies = rng.integers(1, 4, len(home))[pupil]
    return Rows(x, y, home[pupil], pupil, copies, rng.integers(1, 4, schools)[home[pupil]])


def theta_of(seed: int, count: int) -> np.ndarray:
    theta = np.random.default_rng(seed).normal(size=count)
    theta[::3] = np.abs(theta[::3])
    theta[2::3] = np.abs(theta[2::3])
    return theta


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS, three=st.booleans())
def test_whole_weights_are_copies_at_any_covariances(seed: int, three: bool) -> None:
    """The dense likelihood of the copied rows, at random theta: value, rss, beta, derivatives."""
    rows = draw(seed, three)
    copied = rows.copied()
    likelihood = rows.likelihood(three=three)
    groups = (copied.school, copied.pupil)[: 1 + three]
    z = copied.x[:, :2]
    dense = Dense(
        Block(copied.x, copied.y, (z,) * (1 + three), groups), likelihood.layout, intercept=0
    )
    theta = theta_of(seed, likelihood.layout.count)
    ours, theirs = likelihood.profile(theta), dense.profile(theta)
    multiple = likelihood.multiple
    assert likelihood.n == pytest.approx(multiple * dense.n)
    assert ours.log_det == pytest.approx(multiple * theirs.log_det, rel=1e-8, abs=1e-8)
    scale = likelihood.coordinates.scale**2 * multiple / dense.coordinates.scale**2
    scale /= multiple**2
    assert ours.rss * scale == pytest.approx(theirs.rss, rel=1e-7)
    beta = likelihood.coordinates.beta(ours.beta)
    assert beta == pytest.approx(dense.coordinates.beta(theirs.beta), rel=1e-6, abs=1e-6)
    for own, other in zip(ours.shapes, theirs.shapes, strict=True):
        assert own == pytest.approx(multiple * other, rel=1e-6, abs=1e-6)
    for own, other in zip(ours.spreads, theirs.spreads, strict=True):
        assert own * scale == pytest.approx(other, rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=SEEDS, three=st.booleans())
def test_the_gradient_is_that_of_differences(seed: int, three: bool) -> None:
    likelihood = draw(seed, three).likelihood(three=three, scaling="size")
    theta = theta_of(seed, likelihood.layout.count)

    def value(at: np.ndarray) -> float:
        found = likelihood.profile(at)
        return found.log_det + likelihood.n * float(np.log(found.rss))

    at = likelihood.profile(theta)
    ours = gradient(likelihood, theta, at, at.rss / likelihood.n, reml=False)
    for place in range(len(theta)):
        move = 1e-5 * (np.arange(len(theta)) == place)
        slope = (value(theta + move) - value(theta - move)) / 2e-5
        assert ours[place] == pytest.approx(slope, rel=1e-5, abs=1e-5)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=SEEDS, factor=st.floats(0.01, 100))
def test_order_labels_and_the_size_of_weights_change_nothing(seed: int, factor: float) -> None:
    """Schools' weights have no size; pupils' have none within a school once they are scaled."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(8), rng.integers(1, 7, 8))
    n = len(school)
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ np.array([1.0, 2.0]) + 1.5 * rng.normal(size=8)[school] + rng.normal(size=n)
    pupil, level = rng.uniform(0.3, 3, n), rng.uniform(0.3, 3, 8)[school]
    order, labels = rng.permutation(n), rng.permutation(20)[:8]
    by_school = rng.uniform(0.1, 10, 8)[school]
    again = (x[order], y[order], labels[school[order]], pupil[order], level[order] * factor)

    def mixed(x, y, school, pupil, level, scaling):
        one = np.ones((n, 1))
        return fit_weighted_mixed(x, y, one, school, full_template(1), pupil, level, scaling)

    for scaling in ("none", "size", "effective"):
        first, other = mixed(x, y, school, pupil, level, scaling), mixed(*again, scaling)
        size = np.sqrt(np.diag(first.vcov))
        assert np.abs(first.beta - other.beta).max() < 1e-5 * size.max()
        assert other.vcov == pytest.approx(first.vcov, rel=1e-4, abs=1e-9)
        assert other.loglik == pytest.approx(factor * first.loglik, rel=1e-7)
        if scaling != "none":
            third = mixed(x, y, school, pupil * by_school, level, scaling)
            assert third.loglik == pytest.approx(first.loglik, rel=1e-9)
        first_e, other_e = (
            fit_weighted_equations(*each, scaling, correlation="exchangeable")
            for each in ((x, y, school, pupil, level), again)
        )
        assert other_e.beta == pytest.approx(first_e.beta, rel=1e-7, abs=1e-9)
        assert other_e.vcov == pytest.approx(first_e.vcov, rel=1e-6, abs=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=SEEDS, link=st.sampled_from(["identity", "logit", "log"]))
def test_whole_weights_are_copies_in_estimating_equations(seed: int, link: str) -> None:
    """A pupil of weight two is two pupils of the school, with a correlation too; a school, two."""
    rng = np.random.default_rng(seed)
    rows = draw(seed, waves=False)
    y = rng.uniform(0.2, 0.8, len(rows.y))
    rows = replace(rows, y=y)
    copied = rows.copied()
    given_ = [
        (each.x, each.y, each.school, each.copies.astype(float), each.school_copies.astype(float))
        for each in (rows, copied)
    ]
    ours, theirs = (fit_weighted_equations(*each, link=link, correlation=0.25) for each in given_)
    assert ours.converged
    assert ours.beta == pytest.approx(theirs.beta, rel=1e-7, abs=1e-8)
    # Copies of a school stand side by side in the copied rows, each with its own score.
    count = np.array([rows.school_copies[rows.school == s][0] for s in np.unique(rows.school)])
    by_copy = np.repeat(ours.scores.scores / count[:, None], count, axis=0)
    assert by_copy == pytest.approx(theirs.scores.scores, rel=1e-6, abs=1e-8)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_equal_weights_make_the_plain_sandwich_of_least_squares(seed: int) -> None:
    """CR0 is a sum of squares of schools' scores, CR1 larger by G / (G - 1)."""
    rows = draw(seed, waves=False)
    one = np.ones(len(rows.y))
    fit = fit_weighted_equations(rows.x, rows.y, rows.school, one, one)
    schools = len(np.unique(rows.school))
    moved = fit.scores.scores @ np.linalg.inv(rows.x.T @ rows.x)
    assert fit.scores.sandwich("CR0") == pytest.approx(moved.T @ moved, rel=1e-8, abs=1e-12)
    ratio = schools / (schools - 1)
    assert fit.vcov == pytest.approx(ratio * fit.scores.sandwich("CR0"), rel=1e-12)

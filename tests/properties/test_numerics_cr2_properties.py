"""CR2 against the published formulae on whole n by n matrices, and what must never change it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import baseeval
from baseeval.numerics.cr2 import cr2, mixed_parts, weighted_parts
from baseeval.numerics.least_squares import fit_least_squares

PROFILE = settings(max_examples=25, deadline=None, derandomize=True)
sizes = st.lists(st.integers(1, 7), min_size=4, max_size=8).filter(lambda s: sum(s) >= 10)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Data:
    """Pupils in schools: an arm that varies within schools, one by school, a number."""

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    clusters: np.ndarray


def draw(size: list[int], seed: int, by_school: bool = False) -> Data:
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.repeat(np.arange(len(size)), size))
    n = len(clusters)
    arm = (np.arange(len(size)) % 2)[clusters] if by_school else rng.permutation(np.arange(n) % 2)
    x = np.column_stack([np.ones(n), arm.astype(float), rng.normal(size=n)])
    y = x @ rng.normal(size=3) + rng.normal(size=len(size))[clusters] + rng.normal(size=n)
    weights = np.exp(rng.normal(size=n) * 0.8)
    return Data(x, np.column_stack([np.ones(n), arm]), y, weights, clusters)


def root(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = np.where(values > 1e-12, values, np.inf) if power < 0 else np.maximum(values, 0)
    return (vectors * kept**power) @ vectors.T


def naive(
    x: np.ndarray, e: np.ndarray, w: np.ndarray, phi: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """CR2 and df of each coefficient by Pustejovsky and Tipton (2018), with no short cut."""
    bread = np.linalg.inv(x.T @ w @ x)
    rest = np.eye(len(e)) - x @ bread @ x.T @ w
    var_e = rest @ phi @ rest.T
    meat, adjusted, wide, a_all, v_all = np.zeros_like(bread), [], [], [], []
    for cluster in np.unique(clusters):
        rows = np.flatnonzero(clusters == cluster)
        half = root(phi[np.ix_(rows, rows)], 0.5)
        v = var_e[np.ix_(rows, rows)]
        a = half @ root(half @ v @ half, -0.5) @ half
        adjusted.append(a @ w[rows] @ x @ bread)
        score = adjusted[-1].T @ e[rows]
        meat += np.outer(score, score)
        wide.append(rest[rows])
        a_all.append(a)
        v_all.append(v)
    df = []
    for contrast in np.eye(x.shape[1]):
        g = np.column_stack([r.T @ (b @ contrast) for r, b in zip(wide, adjusted, strict=True)])
        p = g.T @ phi @ g
        df.append(np.trace(p) ** 2 / np.trace(p @ p))
    return meat, np.array(df), a_all, v_all


@PROFILE
@given(size=sizes, seed=seeds, by_school=st.booleans(), weighted=st.booleans())
def test_least_squares_cr2_is_the_brute_force_one(
    size: list[int], seed: int, by_school: bool, weighted: bool
) -> None:
    d = draw(size, seed, by_school)
    weights = d.weights if weighted else np.ones_like(d.y)
    fit = fit_least_squares(d.x, d.y, weights)
    found = cr2(weighted_parts(d.x, fit.residuals, weights, d.clusters, fit.bread))
    n = len(d.y)
    vcov, df, *_ = naive(d.x, fit.residuals, np.diag(weights), np.eye(n), d.clusters)
    assert_allclose(found.vcov, vcov, rtol=1e-7, atol=1e-10 * np.abs(vcov).max())
    assert_allclose([found.df(c) for c in np.eye(3)], df, rtol=1e-6)


@PROFILE
@given(size=sizes, seed=seeds, spread=st.floats(0, 3), tie=st.floats(-1, 1))
def test_mixed_cr2_is_the_brute_force_one(
    size: list[int], seed: int, spread: float, tie: float
) -> None:
    d = draw(size, seed)
    factor = np.array([[spread, 0.0], [tie, 0.5 * spread]])
    same = d.clusters[:, None] == d.clusters
    phi = np.eye(len(d.y)) + (d.z @ factor @ factor.T @ d.z.T) * same
    w = np.linalg.inv(phi)
    beta = np.linalg.solve(d.x.T @ w @ d.x, d.x.T @ w @ d.y)
    e = d.y - d.x @ beta
    found = cr2(mixed_parts(d.x, d.z, e, factor @ factor.T, d.clusters))
    vcov, df, *_ = naive(d.x, e, w, phi, d.clusters)
    assert_allclose(found.vcov, vcov, rtol=1e-6, atol=1e-9 * np.abs(vcov).max())
    assert_allclose([found.df(c) for c in np.eye(3)], df, rtol=1e-5)


@PROFILE
@given(size=st.lists(st.integers(5, 9), min_size=5, max_size=7), seed=seeds, mixed=st.booleans())
def test_cr2_is_unbiased_under_its_working_model(size: list[int], seed: int, mixed: bool) -> None:
    """A_i Var(e_i) A_i = Phi_i, so the mean of each cluster's part is what it stands for."""
    d = draw(size, seed)
    n = len(d.y)
    factor = np.diag([0.8, 0.4])
    same = d.clusters[:, None] == d.clusters
    phi = np.eye(n) + mixed * (d.z @ factor @ factor.T @ d.z.T) * same
    w = np.linalg.inv(phi) if mixed else np.diag(d.weights)
    _, _, a, v = naive(d.x, d.y, w, phi, d.clusters)
    for cluster, (a_i, v_i) in enumerate(zip(a, v, strict=True)):
        rows = np.flatnonzero(d.clusters == cluster)
        assert_allclose(a_i @ v_i @ a_i, phi[np.ix_(rows, rows)], atol=1e-8)
    # The kernel's own pieces say the same, in its coordinates.
    if mixed:
        parts = mixed_parts(d.x, d.z, d.y, factor @ factor.T, d.clusters)
    else:
        bread = np.linalg.inv(d.x.T @ w @ d.x)
        parts = weighted_parts(d.x, d.y, d.weights, d.clusters, bread)
    expected = np.zeros((3, 3))
    for b, x, wx, f in zip(cr2(parts).adjusted, parts.x, parts.wx, parts.phi, strict=True):
        spread = np.einsum("grp,grs,gsq->pq", parts.wx, parts.phi, parts.wx)
        cross = x @ parts.bread @ wx.T @ f
        var_e = f - cross - cross.T + x @ parts.bread @ spread @ parts.bread @ x.T
        expected += b.T @ var_e @ b
    truth = np.linalg.inv(d.x.T @ w @ d.x)
    truth = truth @ d.x.T @ w @ phi @ w @ d.x @ truth
    assert_allclose(expected, truth, rtol=1e-8, atol=1e-10)


def table(d: Data) -> pd.DataFrame:
    return pd.DataFrame(
        {"y": d.y, "arm": d.x[:, 1], "x": d.x[:, 2], "w": d.weights, "school": d.clusters}
    )


def numbers(fixed: pd.DataFrame) -> np.ndarray:
    return fixed.drop(columns="term").to_numpy(dtype=float)


@settings(PROFILE, max_examples=8)
@given(size=sizes, seed=seeds, weighted=st.booleans())
def test_what_never_changes_a_linear_fit(size: list[int], seed: int, weighted: bool) -> None:
    frame = table(draw(size, seed))
    weights = "w" if weighted else None
    fit = baseeval.fit_linear("y ~ arm + x", frame, weights=weights, cluster="school")
    base = numbers(fit.fixed)
    assume(np.isfinite(base).all() and (base[:, 1] > 1e-3).all())
    close = {"rtol": 1e-7, "atol": 1e-9}

    order = np.random.default_rng(seed).permutation(len(frame))
    moved = baseeval.fit_linear("y ~ arm + x", frame.iloc[order], weights=weights, cluster="school")
    assert_allclose(numbers(moved.fixed), base, **close)

    renamed = frame.assign(school=(7 - frame.school).map("school {}".format))
    again = baseeval.fit_linear("y ~ arm + x", renamed, weights=weights, cluster="school")
    assert_allclose(numbers(again.fixed), base, **close)

    double = 2 * (frame.w.to_numpy() if weighted else np.ones(len(frame)))
    heavy = baseeval.fit_linear("y ~ arm + x", frame, weights=double, cluster="school")
    assert_allclose(numbers(heavy.fixed), base, **close)

    frame["again"], frame["ones"] = 3 - 2 * frame.arm, 1.0
    wide = baseeval.fit_linear(
        "y ~ arm + again + x + ones", frame, weights=weights, cluster="school"
    )
    said = wide.fixed.set_index("term")
    assert said.loc[["again", "ones"]].isna().all(axis=None)
    assert_allclose(said.loc[["Intercept", "arm", "x"]].to_numpy(), base, **close)

    higher = frame.assign(y=frame.y + 1000.0)
    raised = baseeval.fit_linear("y ~ arm + x", higher, weights=weights, cluster="school")
    assert_allclose(numbers(raised.fixed)[1:], base[1:], rtol=1e-6, atol=1e-8)

    more = pd.concat([frame, frame.head(3).assign(y=99.0, w=0.0)], ignore_index=True)
    if weighted:
        nothing = baseeval.fit_linear("y ~ arm + x", more, weights="w", cluster="school")
        assert_allclose(numbers(nothing.fixed), base, **close)


@PROFILE
@given(size=sizes, seed=seeds, scale=st.floats(0.01, 100))
def test_units_of_weights_never_change_cr2_of_rows_times_their_roots(
    size: list[int], seed: int, scale: float
) -> None:
    """Weights times a constant: sigma takes it up, and L stays what it was over sigma."""
    d = draw(size, seed)

    def variance(unit: float) -> tuple[np.ndarray, float]:
        rows = np.sqrt(d.weights * unit)
        covariance = np.diag([0.5, 0.2]) / unit
        w = rows[:, None]
        parts = mixed_parts(d.x * w, d.z * w, d.y * rows, covariance, d.clusters)
        robust = cr2(parts)
        return robust.vcov, robust.df(np.array([0.0, 1.0, 0.0]))

    (one, df_one), (other, df_other) = variance(1.0), variance(scale)
    assert_allclose(other, one, rtol=1e-6, atol=1e-9 * np.abs(one).max())
    assert_allclose(df_other, df_one, rtol=1e-6)

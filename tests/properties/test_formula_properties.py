"""The columns that are filled in quickly are formulaic's own; groups lie as they are said to."""

from __future__ import annotations

import re
import warnings

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from formulaic import Formula
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from baseeval.models.model_rows import ModelRows, read_rows

TERMS = (
    "x",
    "z",
    "k",
    "b",
    "t",
    "c",
    "d",
    "`two words`",
    "x:z",
    "x:t",
    "t:c",
    "t*b",
    "c*x",
    "t*c*x",
    "(x + t)**2",
    "c:d",
    "C(k)",
    "C(k):x",
    "C(t, contr.sum)",
    "C(c, contr.treatment('v'))*x",
    "C(d, contr.helmert)",
    "np.exp(x)",
    "I(x**2)",
    "center(x):t",
    "scale(z)",
    "poly(x, 2)",
    "poly(x, 2):t",
    "bs(x, df=4)",
    "{x > z}",
    "C(np.sign(x))",
)
STARTS = ("", "0 + ", "-1 + ", "1 + ")


def table(seed: int, n: int, missing: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.integers(-3, 4, n).astype(np.float32),
            "k": rng.integers(0, 4, n),
            "b": rng.random(n) < 0.5,
            "t": rng.choice(["pear", "apple", "fig", "Éclair"], n),
            "c": pd.Categorical(rng.choice(list("uvw"), n), categories=list("wvux")),
            "d": pd.Categorical(rng.choice([30, 10, 20], n), categories=[30, 10, 20]),
            "two words": rng.normal(size=n),
            "g": rng.integers(0, 5, n),
        }
    )
    if missing:
        for name in ("y", "x", "t", "c", "two words"):
            frame.loc[rng.random(n) < 0.1, name] = None
    return frame


def to_polars(frame: pd.DataFrame) -> pl.DataFrame:
    kinds = {"c": list("wvux"), "d": ["30", "10", "20"]}
    plain = frame.assign(**{name: frame[name].astype(object).map(_text) for name in kinds})
    return pl.from_pandas(plain).with_columns(
        pl.col(name).cast(pl.Enum(levels)) for name, levels in kinds.items()
    )


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def in_order(rows: ModelRows, size: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Put blocks back into the table's order."""
    blocks = list(rows.blocks(size=size))
    assert all(block.x.flags.c_contiguous for block in blocks)
    back = np.argsort(np.arange(rows.n) if rows.order is None else rows.order)
    return (
        np.concatenate([block.x for block in blocks])[back],
        np.concatenate([block.y for block in blocks])[back],
        [np.concatenate([block.z[k] for block in blocks])[back] for k in range(len(rows.random))],
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(25, 90),
    st.booleans(),
    st.lists(st.sampled_from(TERMS), min_size=1, max_size=4, unique=True),
    st.sampled_from(STARTS),
    st.sampled_from(["1", "1 + x", "0 + t", "x*t", "1 + C(k)", "-1 + np.exp(x)"]),
    st.sampled_from([pd.DataFrame, to_polars, pa.Table.from_pandas]),
)
def test_columns_are_formulaics_own(
    seed: int, n: int, missing: bool, terms: list[str], start: str, left: str, library: object
) -> None:
    frame = table(seed, n, missing)
    said = f"{terms} {left} y g"
    used = {name for name in frame if re.search(rf"(?<![\w.]){name}(?![\w(=])", said)}
    whole = frame[sorted(used)].notna().all(axis=1)
    complete = frame[whole].reset_index(drop=True)
    for name in used & {"t", "c", "d", "k"}:
        assume(complete[name].nunique() > (2 if name in "cd" else 1))
    fixed = start + " + ".join(terms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = Formula(f"y ~ {fixed}").get_model_matrix(complete, na_action="ignore")
        wanted_z = Formula(left).get_model_matrix(complete, na_action="ignore")
    assume(np.isfinite(wanted.rhs.to_numpy(dtype=float)).all())
    rows = read_rows(f"y ~ {fixed} + ({left} | g)", library(frame))  # type: ignore[operator]
    assert rows.terms == list(wanted.rhs.columns)
    assert rows.random[0].columns == tuple(wanted_z.columns)
    assert_array_equal(rows.rows, np.flatnonzero(whole))
    assert rows.left_out.missing == len(frame) - len(complete)
    x, y, (z,) = in_order(rows, 7)
    assert_allclose(x, wanted.rhs.to_numpy(dtype=float), rtol=1e-12, atol=1e-14)
    assert_allclose(z, wanted_z.to_numpy(dtype=float), rtol=1e-12, atol=1e-14)
    assert_array_equal(y, complete["y"])
    assert_array_equal(rows.x, x)
    ones = [place for place, name in enumerate(rows.terms) if name == "Intercept"]
    assert [rows.intercept] == (ones or [None])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 60), st.booleans(), st.booleans(), st.integers(0, 3))
def test_groups_lie_as_they_are_said_to(
    seed: int, n: int, nested: bool, mixed_up: bool, form: int
) -> None:
    rng = np.random.default_rng(seed)
    school = np.sort(rng.integers(0, 4, n))
    pupil = school * 10 + rng.integers(0, 5, n) if nested else rng.integers(0, 5, n)
    frame = pd.DataFrame({"y": rng.normal(size=n), "school": school, "pupil": pupil})
    assume(frame["school"].nunique() > 1 and frame["pupil"].nunique() > 1)
    frame = frame.sort_values(["school", "pupil"], ignore_index=True)
    if mixed_up:
        frame = frame.sample(frac=1, random_state=seed % 1000, ignore_index=True)
    forms = {
        0: frame,
        1: frame.assign(pupil=frame["pupil"].map("p{}".format)),
        2: frame.assign(school=frame["school"].map("s{}".format).astype("category")),
        3: frame.assign(school=frame["school"] * 10.0**12, pupil=frame["pupil"] - 1e9),
    }
    held = forms[form]
    rows = read_rows("y ~ 1 + (1 | school) + (1 | pupil)", held)
    homes = held.groupby("pupil", observed=True)["school"].nunique().max() == 1
    lairs = held.groupby("school", observed=True)["pupil"].nunique().max() == 1
    assert rows.route == ("nested" if homes or lairs else "crossed")
    for part in rows.random:
        factor = rows.factors[part.factor]
        labels = np.array(factor.labels())[factor.codes]
        given_labels = held[part.group].map(_label)
        assert_array_equal(labels, given_labels)
        shown = [factor.labels()[k] for k in factor.shown()]
        assert shown == [_label(v) for v in sorted(held[part.group].unique())]
    if rows.route == "nested":
        blocks = list(rows.blocks(size=5))
        for place in range(2):
            codes = np.concatenate([block.groups[place] for block in blocks])
            assert np.count_nonzero(np.diff(codes)) == rows.factors[place].count - 1
        outer = rows.owners.index(0)
        assert rows.factors[outer].count == min(factor.count for factor in rows.factors)
        taken = np.arange(n) if rows.order is None else rows.order
        assert_array_equal(np.sort(taken), np.arange(n))
        assert_array_equal(
            np.concatenate([block.y for block in blocks]), held["y"].to_numpy()[taken]
        )
    pairs = read_rows("y ~ 1 + (1 | school/pupil)", nw.from_native(held).to_arrow())
    assert [part.group for part in pairs.random] == ["school", "school:pupil"]
    assert pairs.route == "nested"
    assert pairs.factors[1].count == len(held[["school", "pupil"]].drop_duplicates())


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) else str(value)

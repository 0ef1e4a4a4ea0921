"""Rows that the engine supplies give the same likelihood as rows in memory."""

from __future__ import annotations

from collections.abc import Iterator

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, UsageError
from baseeval.models.engine_sums import summed_statistics
from baseeval.models.model_rows import ModelRows, read_rows
from baseeval.models.model_streams import StreamRows, stream_rows
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.nested_turned import turn_statistics


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 900
    made = pd.DataFrame(
        {
            "school": rng.integers(0, 20, n),
            "pupil": rng.integers(0, 12, n),
            "x": rng.normal(500, 3, n),  # far from zero: sums must keep their digits
            "k": rng.integers(1, 4, n),
            "b": rng.random(n) < 0.4,
            "t": rng.choice(["red", "blue", "green"], n),
            "w": rng.choice([0, 1.0, 2.5], n),
        }
    )
    made["y"] = 1000 + rng.normal(size=20)[made.school] + 0.1 * made.x + rng.normal(size=n)
    for name in ("x", "t", "school"):
        made.loc[rng.random(n) < 0.04, name] = None
    return made


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def of_rows(rows: ModelRows | StreamRows) -> NestedLikelihood:
    return nested_likelihood(rows.blocks(), rows.layout, rows.owners, rows.intercept)


def compare(one: NestedLikelihood, two: NestedLikelihood) -> None:
    assert_allclose(one.coordinates.scale, two.coordinates.scale, rtol=1e-8)
    for theta in (np.full(one.layout.count, 0.3), np.linspace(0.2, 1.1, one.layout.count)):
        first, second = one.profile(theta), two.profile(theta)
        assert_allclose(first.log_det, second.log_det, rtol=1e-8)
        assert_allclose(first.rss, second.rss, rtol=1e-8)
        betas = [made.coordinates.beta(at.beta) for made, at in ((one, first), (two, second))]
        assert_allclose(*betas, rtol=1e-8)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x*t + C(k) + b + (1 | school)",
        "y ~ x + t:b + C(k, contr.sum) + (1 + k | school)",
        "y ~ 0 + t + (1 | school) + (0 + b | school)",
    ],
)
def test_sums_by_the_engine_and_blocks_from_it_are_those_of_the_kernel(
    frame: pd.DataFrame, engine: Engine, formula: str, weights: str | None
) -> None:
    held = engine.table(pa.Table.from_pandas(frame))
    rows = read_rows(formula, frame, weights=weights)
    stream = stream_rows(formula, engine, held, weights=weights)
    assert (stream.terms, stream.n, stream.owners) == (rows.terms, rows.n, rows.owners)
    left = rows.left_out.missing + rows.left_out.weightless
    assert stream.plan.left_out == left
    kernel = of_rows(rows)
    compare(of_rows(stream), kernel)
    statistics = summed_statistics(stream.plan)
    assert statistics.sums.n == rows.n
    assert_allclose(statistics.sums.log_weights, kernel.coordinates.sums.log_weights, rtol=1e-8)
    compare(NestedLikelihood(stream.layout, turn_statistics(statistics), None), kernel)


def test_nested_groups_come_sorted(frame: pd.DataFrame, engine: Engine) -> None:
    formula = "y ~ x + t + (1 | school/pupil)"
    held = engine.table(pa.Table.from_pandas(frame))
    stream, rows = stream_rows(formula, engine, held), read_rows(formula, frame)
    assert stream.plan.counts == tuple(factor.count for factor in rows.factors)
    whole = rows.whole()
    blocks = list(stream.blocks())
    outcome = np.concatenate([block.y for block in blocks])
    for place, factor in enumerate(rows.factors):
        wanted = dict(zip(factor.labels(), np.bincount(factor.codes, whole.y), strict=True))
        codes = np.concatenate([block.groups[place] for block in blocks])
        found = dict(zip(stream.labels(place), np.bincount(codes, outcome), strict=True))
        assert found.keys() == wanted.keys()
        assert_allclose([found[label] for label in wanted], [*wanted.values()])
    compare(of_rows(stream), of_rows(rows))


def test_batches_are_sorted_and_small(engine: Engine) -> None:
    held = engine.table(pa.table({"a": list(range(5000, 0, -1)), "b": ["x"] * 5000}))
    batches = list(engine.batches(held, ["a"], ["a"], rows=2048))
    assert len(batches) > 1
    assert max(batch.num_rows for batch in batches) <= 2048
    assert [*np.concatenate([batch.column("a") for batch in batches])] == [*range(1, 5001)]


@pytest.mark.parametrize(
    ("formula", "kind", "said"),
    [
        ("y ~ center(x) + (1 | school)", UsageError, "cannot be computed a part"),
        ("y ~ x + (1 | school) + (1 | pupil)", UsageError, "factors cross"),
        ("y ~ x", UsageError, "0 grouping factors"),
        ("t ~ x + (1 | school)", DataError, "outcome is text"),
        ("y ~ z + (1 | school)", UsageError, "no column `z`"),
    ],
)
def test_streams_that_cannot_serve_are_explained(
    frame: pd.DataFrame, engine: Engine, formula: str, kind: type[Exception], said: str
) -> None:
    held = engine.table(pa.Table.from_pandas(frame))
    with pytest.raises(kind, match=said):
        stream_rows(formula, engine, held)


def test_an_infinite_value_stops_a_stream(frame: pd.DataFrame, engine: Engine) -> None:
    held = engine.table(pa.Table.from_pandas(frame)).with_columns(x=nw.lit(float("inf")))
    with pytest.raises(DataError, match="column `x`: some rows have an infinite"):
        list(stream_rows("y ~ x + (1 | school)", engine, held).blocks())


def test_two_factors_have_no_sums_by_the_engine(frame: pd.DataFrame, engine: Engine) -> None:
    held = engine.table(pa.Table.from_pandas(frame))
    with pytest.raises(UsageError, match="two grouping factors"):
        summed_statistics(stream_rows("y ~ x + (1 | school/pupil)", engine, held).plan)

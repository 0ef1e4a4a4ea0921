"""lme4's formula language, and tables of every make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from formulaic import Formula
from numpy.testing import assert_allclose, assert_array_equal

from baseeval.errors import DataError, UsageError
from baseeval.models.formula_language import parse_formula
from baseeval.models.model_rows import read_rows
from baseeval.models.new_rows import read_new_rows
from baseeval.numerics.mixed_models.templates import full_template


def terms(formula: str) -> list[tuple[str, str]]:
    return [(term.left, term.label) for term in parse_formula(formula).random]


# ---- the language -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("formula", "fixed", "random"),
    [
        ("y ~ x", "x", []),
        ("y~x+(1|g)", "x", [("1", "g")]),
        ("y ~ (1 + x | g)", "1", [("1 + x", "g")]),
        ("y ~ x + (1|g) - 1", "x - 1", [("1", "g")]),
        ("y ~ -1 + x + (0+x|g)", "- 1 + x", [("0+x", "g")]),
        ("y ~ a*(x + z) + (1 | a:b)", "a*(x + z)", [("1", "a:b")]),
        ("y ~ 1 + (1 | a/b/c)", "1", [("1", "a"), ("1", "a:b"), ("1", "a:b:c")]),
        ("y ~ (x || g)", "1", [("1", "g"), ("0 + x", "g")]),
        ("y ~ (0 + x*z || g)", "1", [("0 + x", "g"), ("0 + z", "g"), ("0 + x:z", "g")]),
        ("y ~ x + (1 | `a b`) + ((z | g))", "x", [("1", "a b"), ("z", "g")]),
        ("y ~ (`a b` || g)", "1", [("1", "g"), ("0 + `a b`", "g")]),
        ("y ~ (np.log(x) || g)", "1", [("1", "g"), ("0 + np.log(x)", "g")]),
        ("y ~ (1 | g) + (0 + x | g)", "1", [("1", "g"), ("0 + x", "g")]),
        ("`~y` ~ I(x | z) + (1|g)", "I(x | z)", [("1", "g")]),
    ],
)
def test_formulas_are_taken_apart(formula: str, fixed: str, random: list[tuple[str, str]]) -> None:
    assert parse_formula(formula).fixed == fixed
    assert terms(formula) == random


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y x", "one `~`"),
        ("~ x + (1|g)", "one outcome"),
        ("y ~ x | g", "outside brackets"),
        ("y ~ x * (1 | g)", "mixes a random term"),
        ("y ~ x - (1 | g)", "taken away"),
        ("y ~ ( | g)", "nothing to the left"),
        ("y ~ (1 | )", "nothing to the right"),
        ("y ~ (1 | a | b)", "more than one bar"),
        ("y ~ (1 | a + b)", "names no grouping factor"),
        ("y ~ (1 | factor(a))", "names no grouping factor"),
        ("y ~ (1 | g", "no partner"),
        ("y ~ `x + (1 | g)", "no partner"),
        ("cbind(yes, no) ~ x", "trials="),
        ("attended / possible ~ x", "trials="),
    ],
)
def test_malformed_formulas_are_explained(formula: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_formula(formula)


def test_every_fault_of_a_formula_is_named_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        parse_formula("cbind(a, b) ~ ( | g) + (1 | ) - (1 | h)")
    assert len(raised.value.problems) == 4


# ---- what is refused ----------------------------------------------------------------------------
FRAME = pd.DataFrame(
    {
        "maths": [1.0, 2, 4, 3, 5, 7],
        "prior": [0.5, 1.5, 1.0, 2.0, 3.5, 2.5],
        "arm": ["base", "host", "base", "none", "host", "none"],
        "same": ["a"] * 6,
        "school": [1, 1, 2, 2, 3, 3],
        "day": pd.to_datetime(["2024-01-01"] * 6),
        "huge": [1.0, np.inf, 2, 3, 4, 5],
        "only": [1] * 6,
    }
)


@pytest.mark.parametrize(
    ("formula", "kind", "said"),
    [
        ("maths ~ priro + (1 | scool)", UsageError, "Did you mean `prior`(.|\n)*`school`"),
        ("maths ~ offset(prior)", UsageError, "no function `offset`.*offset="),
        ("maths ~ clever(prior)", UsageError, "no function `clever`"),
        ("maths ~ prior +", UsageError, "cannot be read"),
        ("maths ~ 0 + (1 | school)", UsageError, "no fixed column"),
        ("maths ~ (0 | school)", UsageError, "has no column"),
        ("maths + prior ~ 1", UsageError, "not one outcome"),
        ("poly(maths, 2) ~ prior", UsageError, "2 columns, not one outcome"),
        ("arm ~ prior", DataError, "column `arm`: the outcome is text"),
        ("maths ~ same", DataError, "same category"),
        ("maths ~ day", DataError, "column `day`.*neither"),
        ("maths ~ huge", DataError, "column `huge`: 1 rows have an infinite"),
        ("maths ~ np.log(prior - 0.5)", DataError, "is infinite in 1 rows"),
        ("maths ~ prior + (1 | only)", DataError, "all of one group"),
    ],
)
def test_tables_that_cannot_serve_are_explained(
    formula: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        read_rows(formula, FRAME)


def test_a_table_that_is_not_at_hand_is_refused() -> None:
    with pytest.raises(UsageError, match="LazyFrame is not a table in memory"):
        read_rows("maths ~ prior", pl.from_pandas(FRAME).lazy())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no row has every value"):
        read_rows("maths ~ prior", FRAME.iloc[:0])


def test_every_fault_of_a_table_is_named_at_once() -> None:
    with pytest.raises(DataError) as raised:
        read_rows("arm ~ same + huge", FRAME)
    assert len(raised.value.problems) == 3
    with pytest.raises(DataError) as raised:
        read_rows("maths ~ 1", FRAME, weights=-np.ones(6), trials=np.full(6, 0.5))
    assert len(raised.value.problems) == 2


def test_a_factor_of_too_many_categories_belongs_among_the_random_terms() -> None:
    frame = pd.DataFrame({"y": np.arange(1500.0), "pupil": [f"p{k}" for k in range(1500)]})
    with pytest.raises(DataError, match=r"1,500 categories.*\(1 \| pupil\)"):
        read_rows("y ~ pupil", frame)


# ---- rows ---------------------------------------------------------------------------------------
def test_rows_that_lack_a_value_or_a_weight_are_left_out_and_counted() -> None:
    frame = pd.DataFrame(
        {
            "y": [1.0, 2, None, 4, 5, 6, 7],
            "x": [1, 2, 3, 4, 5, 6, 7],
            "g": ["a", "a", "b", None, "b", "b", "a"],
            "w": [1.0, 0, 1, 1, 2, 1, None],
            "unused": [None] * 7,
        }
    )
    rows = read_rows("y ~ x + (1 | g)", frame, weights="w", offset=np.arange(7.0))
    assert_array_equal(rows.rows, [0, 4, 5])
    assert (rows.left_out.missing, rows.left_out.weightless) == (3, 1)
    assert rows.weights is not None
    assert_array_equal(rows.weights, [1, 2, 1])
    assert_array_equal(rows.whole().y, [1, 1, 1])
    assert_array_equal(rows.whole(less_offset=False).y, [1, 5, 6])
    assert rows.factors[0].labels() == ["a", "b"]
    assert read_rows("y ~ x", frame, weights=np.ones(7)).weights is None


def test_rows_without_trials_are_left_out() -> None:
    rows = read_rows("maths ~ prior", FRAME, trials=np.array([9.0, 9, 0, 9, 9, 9]))
    assert_array_equal(rows.rows, [0, 1, 3, 4, 5])
    assert rows.trials is not None
    assert rows.left_out.weightless == 1


def test_a_function_without_a_value_leaves_its_row_out() -> None:
    frame = FRAME.assign(prior=[-1.0, 1, 2, 3, 4, 5])
    rows = read_rows("maths ~ np.log(prior) + arm + (1 | school)", frame)
    assert rows.left_out.missing == 1
    assert rows.terms == ["Intercept", "np.log(prior)", "arm[T.host]", "arm[T.none]"]
    assert_allclose(rows.x[:, 1], np.log([1.0, 2, 3, 4, 5]))
    assert_array_equal(rows.x[:, 2], [1, 0, 0, 1, 0])


@pytest.mark.parametrize("further", ["center(prior)*arm", "arm*C(np.sign(prior - 3))"])
def test_a_category_whose_rows_have_no_value_is_gone(further: str) -> None:
    frame = FRAME.assign(prior=[-1.0, 1, 2, 3, 4, 5], arm=["rare", "b", "c", "b", "c", "b"])
    formula = f"maths ~ np.log(prior) + {further}"
    rows = read_rows(formula, frame)
    wanted = Formula(formula).get_model_matrix(frame.iloc[1:]).rhs
    assert rows.terms == list(wanted.columns)  # no row of the rare arm has a logarithm
    if "center" in further:  # the mean is learnt before rows are left out
        centred = frame["prior"][1:] - frame["prior"].mean()
        assert_allclose(rows.x[:, rows.terms.index("center(prior)")], centred)
    else:
        assert_allclose(rows.x, wanted.to_numpy(dtype=float))


def test_a_function_that_looks_back_loses_one_row() -> None:
    rows = read_rows("maths ~ lag(prior)", FRAME)
    assert rows.left_out.missing == 1
    assert_allclose(rows.x[:, 1], FRAME["prior"][:-1])


def test_missing_values_of_every_library_are_missing() -> None:
    numbers, words = [1, None, 3, 4, 5, 6], ["u", "v", None, "u", "v", "u"]
    flags = [True, False, True, None, False, True]
    plain = {
        "y": [0.5, 1, 2, 3, 4, 9],
        "k": numbers,
        "t": words,
        "b": flags,
        "g": [1, 1, 1, 2, 2, 2],
    }
    tables = [
        pd.DataFrame(plain).astype({"k": "Int64", "b": "boolean"}),
        pl.DataFrame(plain),
        pa.table(plain),
        pa.concat_tables([pa.table(plain).slice(0, 2), pa.table(plain).slice(2)]),
        pa.table(plain).set_column(2, "t", pa.array(words).dictionary_encode()),
    ]
    for table in tables:
        rows = read_rows("y ~ k + t + b + (1 | g)", table)
        assert_array_equal(rows.rows, [0, 4, 5])
        assert rows.terms == ["Intercept", "k", "t[T.v]", "b"]
        assert_array_equal(rows.x, [[1, 1, 0, 1], [1, 5, 1, 0], [1, 6, 0, 1]])


def test_an_ordered_outcome_is_places_on_its_scale() -> None:
    scale = pd.Categorical(["often", "never", "often", "some"], ["never", "rare", "some", "often"])
    rows = read_rows("y ~ x", pd.DataFrame({"y": scale, "x": [1.0, 2, 3, 4]}), ordered=True)
    assert rows.outcome_levels == ("never", "some", "often")
    assert_array_equal(rows.outcome, [2, 0, 2, 1])
    rows = read_rows("y ~ x", pd.DataFrame({"y": [5, 1, 3], "x": [1.0, 2, 3]}), ordered=True)
    assert_array_equal(rows.outcome, [2, 0, 1])


def test_independent_terms_are_terms_of_their_own() -> None:
    rows = read_rows("maths ~ prior + (1 + prior || school)", FRAME)
    assert [part.columns for part in rows.random] == [("Intercept",), ("prior",)]
    assert rows.layout.count == 2
    assert rows.owners == (0, 0)
    factor = read_rows("maths ~ 1 + (1 + arm || school)", FRAME)
    assert factor.random[1].columns == ("arm[base]", "arm[host]", "arm[none]")
    assert factor.layout.templates[1].count == full_template(3).count


def test_nested_rows_in_any_order_come_group_by_group() -> None:
    frame = pd.DataFrame(
        {"y": np.arange(8.0), "school": [2, 1, 2, 1, 2, 1, 2, 1], "pupil": [1, 1, 2, 2, 1, 1, 2, 2]}
    )
    rows = read_rows("y ~ 1 + (1 | school/pupil)", frame)
    blocks = list(rows.blocks(size=3))
    assert_array_equal(np.concatenate([b.y for b in blocks]), [0, 4, 2, 6, 1, 5, 3, 7])
    assert [f.labels() for f in rows.factors] == [["2", "1"], ["2:1", "2:2", "1:1", "1:2"]]
    assert [rows.factors[0].labels()[k] for k in rows.factors[0].shown()] == ["1", "2"]


def test_an_outcome_may_be_computed() -> None:
    rows = read_rows("np.log(maths) ~ prior + (1 | school)", FRAME)
    assert_allclose(rows.whole().y, np.log(FRAME["maths"]))


def test_a_function_that_few_rows_cannot_show_is_computed() -> None:
    rng = np.random.default_rng(0)
    rare = np.where(rng.random(3000) < 0.003, rng.normal(size=3000), 0.0)
    frame = pd.DataFrame({"y": rng.normal(size=3000), "x": rare})
    rows = read_rows("y ~ bs(x, knots=[0.1], degree=1)", frame)
    assert rows.x.shape == (3000, 3)
    assert np.ptp(rows.x[:, 2]) > 0


# ---- new rows -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "formula",
    [
        "maths ~ center(prior)*arm + (1 + prior | school)",
        "maths ~ poly(prior, 2) + C(school) + (1 | arm)",
        "maths ~ C(np.sign(prior - 2)) + (0 + arm || school)",
    ],
)
def test_new_rows_are_coded_as_those_of_the_model(formula: str) -> None:
    rows = read_rows(formula, FRAME)
    part = FRAME.iloc[[4, 1, 2]].drop(columns="maths")
    new = read_new_rows(rows, pl.from_pandas(part))
    whole = rows.whole()
    assert_allclose(new.x, whole.x[[4, 1, 2]])
    for made, held in zip(new.z, whole.z, strict=True):
        assert_allclose(made, held[[4, 1, 2]])
    for made, held in zip(new.groups, whole.groups, strict=True):
        assert_array_equal(made, held[[4, 1, 2]])


def test_new_groups_are_unknown_and_new_categories_refused() -> None:
    rows = read_rows("maths ~ prior + arm + (1 | school)", FRAME)
    new = FRAME.assign(school=[1, 9, 2, 2, 9, 3], prior=[None, 1.0, 2, 3, 4, 5])
    found = read_new_rows(rows, new)
    assert_array_equal(found.rows, [1, 2, 3, 4, 5])
    assert_array_equal(found.groups[0], [-1, 1, 1, -1, 2])
    fixed_only = read_new_rows(rows, new[["prior", "arm"]], random=False)
    assert fixed_only.z == ()
    with pytest.raises(UsageError, match="no column `school`"):
        read_new_rows(rows, new[["prior", "arm"]])
    with pytest.raises(DataError, match="2 rows have a category"):
        read_new_rows(rows, FRAME.assign(arm=["base", "x", "host", "host", "y", "base"]))
    with pytest.raises(DataError, match="held numbers"):
        read_new_rows(rows, FRAME.assign(prior=list("abcdef")))

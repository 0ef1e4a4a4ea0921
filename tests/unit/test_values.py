"""Values: what is a number, what is missing and why, what is neither."""

import datetime as dt
import math

import pyarrow as pa
import pytest

from baseeval.contracts.codes import SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.values import WHY, read_values


def typed(values, kind="number", **contract):
    """Type one column; give its values, the reasons, whether it is numeric, the problems."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    with Engine() as engine:
        frame = engine.table(pa.table({"order": range(len(array)), "v": array}))
        contracts = [
            ColumnContract("order", "number", "order"),
            ColumnContract("v", kind, "test", **contract),
        ]
        found = read_values(frame, contracts, engine, "p.csv")
        rows = engine.collect(found.frame, ["order"]).to_pylist()
    return (
        [row["v"] for row in rows],
        [row.get(WHY + "v") for row in rows],
        "v" in found.numeric,
        [str(problem) for problem in found.problems],
    )


@pytest.mark.parametrize("kind", ["number", "either"])
@pytest.mark.parametrize("code", SUPPRESSION_CODES)
def test_each_code_is_missing_with_itself_as_the_reason(code, kind):
    values, why, _, problems = typed([code, f" {code} ", "1"], kind)

    assert values[:2] == [None, None]
    assert values[2] in (1.0, "1")
    assert why == [code, code, None]
    assert problems == []


def test_codes_are_those_of_the_design():
    assert set(SUPPRESSION_CODES) == {
        *("SUPP", "NE", "NA", "NP", "LOWCOV"),
        *("c", "x", "z", "low", "u"),
    }


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize("blank", ["", " ", "NaN", "nan", None])
def test_blank_is_missing(blank, kind):
    values, why, _, problems = typed([blank, "1"], kind)

    assert values[0] is None
    assert why == ["blank", None]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), (" -2.50 ", -2.5), ("+3", 3.0), (".5", 0.5), ("7.", 7.0), ("1e3", 1000.0)],
)
def test_plain_numbers(text, number):
    values, why, numeric, problems = typed([text])

    assert values == [number]
    assert why == [None]
    assert numeric
    assert problems == []


@pytest.mark.parametrize(
    "text",
    [
        *("Infinity", "inf", "-inf", "supp", "C", "na", "null", "1,234", "1 234", "95%", "£5"),
        *("0x10", "1_000", "12a", "--1", "1.2.3", "٣", "2020-01-01", "true", "1e9999"),
    ],
)
def test_any_other_text_in_a_number_is_counted(text):
    _, _, _, (problem,) = typed([text, "1", text])

    assert problem.startswith("p.csv, column `v`: 2 rows hold something that is neither a number")


@pytest.mark.parametrize("array", [pa.array([math.inf, -math.inf, 1.0]), ["9e999", "-1e400", "1"]])
def test_infinity_in_a_number_is_counted(array):
    _, _, _, (problem,) = typed(array)

    assert "column `v`: 2 rows hold a number without end (infinity)" in problem


def test_an_infinity_is_reported_once_even_where_there_is_a_range():
    _, _, _, problems = typed(pa.array([math.inf, 9.0]), low=1, high=5)

    assert len(problems) == 2
    assert "1 row holds a number without end" in problems[0]
    assert "1 row holds a value that is impossible here (1 to 5 is possible)" in problems[1]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([True, False, None]), [1.0, 0.0, None]),
        (pa.array([1, 2, None], pa.int8()), [1.0, 2.0, None]),
        (pa.array([2**63, 1, None], pa.uint64()), [2.0**63, 1.0, None]),
        (pa.array([1.5, math.nan, None]), [1.5, None, None]),
        (pa.array([1.5, 2, None], pa.float32()), [1.5, 2.0, None]),
        (pa.array([1, 2, None], pa.decimal128(6, 2)), [1.0, 2.0, None]),
    ],
)
def test_the_numbers_of_a_typed_file(array, expected):
    values, why, numeric, problems = typed(array)

    assert values == expected
    assert why == ["blank" if value is None else None for value in expected]
    assert numeric
    assert problems == []


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1.0, 2.5, math.nan, None, 1e300]), ["1", "2.5", None, None, "1e+300"]),
        (pa.array([1, 2**60 + 1], pa.int64()), ["1", str(2**60 + 1)]),
        (pa.array([1, 2], pa.decimal128(6, 2)), ["1", "2"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["007", " 7 ", "", "nan", "x", None]), ["007", "7", None, None, "x", None]),
        (pa.array([dt.date(2020, 1, 31)]), ["2020-01-31"]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    ],
)
def test_keys_are_text_and_look_as_they_looked(array, expected):
    values, _, numeric, problems = typed(array, "key")

    assert values == expected
    assert not numeric
    assert problems == []


def test_a_date_is_no_number():
    _, _, _, (problem,) = typed(pa.array([dt.date(2020, 1, 31), None]))

    assert "column `v`: 1 row holds something that is neither a number" in problem


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (["1", "2", "SUPP", ""], True),
        (["a", "b", "SUPP", ""], False),
        (["SUPP", ""], False),
        ([1, 2], True),
        ([dt.date(2020, 1, 1)], False),
    ],
)
def test_a_covariate_is_a_number_only_if_every_value_is(values, numeric):
    _, _, found, problems = typed(values, "either")

    assert found is numeric
    assert problems == []


def test_a_covariate_of_both_is_asked_about():
    _, _, _, (problem,) = typed(["1", "2", "ZEBRA", "SUPP"], "either")

    assert "2 rows hold a number and 1 row holds other text" in problem
    assert '{ column = "v", kind = "category" }' in problem
    assert "ZEBRA" not in problem


def test_a_category_that_looks_like_numbers():
    values, _, numeric, problems = typed(pa.array([1.0, 2.0, math.nan]), "category")

    assert values == ["1", "2", None]
    assert not numeric
    assert problems == []


def test_words_that_stand_for_numbers():
    labels = {"Strongly agree": 4, "disagree": 1.5}

    values, why, _, problems = typed(
        ["strongly AGREE", " disagree", "3", "SUPP", ""], labels=labels, low=1, high=4
    )

    assert values == [4.0, 1.5, 3.0, None, None]
    assert why == [None, None, None, "SUPP", "blank"]
    assert problems == []


def test_a_word_that_is_not_among_them():
    _, _, _, (problem,) = typed(["agree", "ZEBRA"], labels={"agree": 1})

    assert "1 row holds something that is neither a number, one of the study file's" in problem
    assert "ZEBRA" not in problem


@pytest.mark.parametrize(
    ("contract", "count", "span"),
    [
        ({"low": 2}, 1, "2 or more"),
        ({"high": 2}, 2, "no lower end to 2"),
        ({"low": 2, "high": 3}, 2, "2 to 3"),
    ],
)
def test_what_lies_outside_the_range_is_counted(contract, count, span):
    _, _, _, (problem,) = typed(["1", "2", "3", "4", "SUPP"], **contract)

    rows = "1 row holds" if count == 1 else f"{count} rows hold"
    assert f"{rows} a value that is impossible here ({span} is possible)" in problem


def test_keys_and_categories_alone_need_no_check():
    table = pa.table({"who": ["a", None], "what": ["low", "x"]})
    contracts = [ColumnContract("who", "key", "who"), ColumnContract("what", "category", "what")]
    with Engine() as engine:
        found = read_values(engine.table(table), contracts, engine, "p.csv")
        rows = engine.collect(found.frame, ["what"]).to_pylist()

    assert [(row["who"], row["what"]) for row in rows] == [("a", "low"), (None, "x")]
    assert found.problems == ()

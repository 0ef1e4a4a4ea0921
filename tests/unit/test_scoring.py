"""Scores: sessions as a proportion, items as a mean."""

import pyarrow as pa
import pytest

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.measures.kinds import KINDS
from baseeval.measures.scoring import score
from baseeval.plan import OutcomeSection
from baseeval.sources.values import read_values


def scored(outcome, **columns):
    """Score an outcome over columns of text; give the values and the reasons."""
    size = len(next(iter(columns.values())))
    contracts = [ColumnContract("order", "number", "order")]
    contracts += [ColumnContract(name, "number", "x", labels=outcome.labels) for name in columns]
    with Engine() as engine:
        frame = engine.table(pa.table({"order": range(size), **columns}))
        typed = read_values(frame, contracts, engine, "p.csv")
        assert typed.problems == ()
        made = score(outcome)
        rows = typed.frame.select("order", made.value.alias("value"), made.why.alias("why"))
        found = engine.collect(rows, ["order"]).to_pylist()
    return [row["value"] for row in found], [row["why"] for row in found]


def scale(items=("a", "b", "c", "d"), **options):
    return OutcomeSection(
        name="s", kind="scale", items=list(items), range=[1, 4], **{"reverse": [], **options}
    )


SESSIONS = OutcomeSection(name="s", kind="sessions", attended="in", possible="all")


def test_each_kind_says_how_it_is_measured():
    assert set(KINDS) == {"continuous", "sessions", "scale", "binary", "ordinal", "count"}
    assert all(kind.unit and kind.note.endswith(".") for kind in KINDS.values())


def test_a_number_is_its_own_score():
    outcome = OutcomeSection(name="s", kind="continuous", column="x")

    assert scored(outcome, x=["1.5", "SUPP", ""]) == ([1.5, None, None], [None, "SUPP", "blank"])


def test_sessions_are_a_proportion():
    values, why = scored(SESSIONS, **{"in": ["0", "95", "190"], "all": ["190", "190", "190"]})

    assert values == [0.0, 0.5, 1.0]
    assert why == [None, None, None]


def test_sessions_are_missing_each_for_its_reason():
    columns = {
        "in": ["0", "", "c", "5", "SUPP", ""],
        "all": ["0", "190", "190", "", "x", "0"],
    }

    values, why = scored(SESSIONS, **columns)

    assert values == [None] * 6
    assert why == [
        "no session was possible",
        "blank",
        "c",
        "blank",
        "x",
        "no session was possible",
    ]


def test_a_scale_is_the_mean_of_its_items():
    values, _ = scored(scale(), a=["1", "4"], b=["2", "4"], c=["3", "4"], d=["4", "4"])

    assert values == [2.5, 4.0]


def test_reversed_items_are_turned_round_in_the_range():
    values, _ = scored(
        scale(reverse=["b", "d"]), a=["1", "4"], b=["1", "1"], c=["1", "4"], d=["4", "1"]
    )

    assert values == [(1 + 4 + 1 + 1) / 4, 4.0]


def test_items_in_words():
    outcome = scale(("a", "b"), labels={"never": 1, "always": 4}, reverse=["b"])

    assert scored(outcome, a=["Never", "always"], b=["never", "2"])[0] == [2.5, 3.5]


@pytest.mark.parametrize(
    ("least", "answered", "given"),
    [
        (0.75, 3, True),
        (0.75, 2, False),
        (0.5, 2, True),
        (0.5, 1, False),
        (0.51, 2, False),
        (1.0, 4, True),
        (1.0, 3, False),
        (0.01, 1, True),
        (0.01, 0, False),
    ],
)
def test_enough_items_must_be_answered(least, answered, given):
    answers = ["2"] * answered + [""] * (4 - answered)

    values, why = scored(
        scale(min_answered=least), **{k: [v] for k, v in zip("abcd", answers, strict=True)}
    )

    assert values == [2.0 if given else None]
    if not given:
        assert why == ["too few items answered" if answered else "blank"]


def test_a_share_that_floats_cannot_hold_is_still_the_boundary():
    items = [f"i{number}" for number in range(10)]
    answers = {item: ["3" if number < 7 else ""] for number, item in enumerate(items)}

    assert scored(scale(items, min_answered=0.7), **answers)[0] == [3.0]


def test_unanswered_items_do_not_enter_the_mean():
    values, _ = scored(scale(), a=["4"], b=["4"], c=["1"], d=["SUPP"])

    assert values == [3.0]


def test_a_scale_without_any_answer_says_why():
    values, why = scored(scale(), a=["SUPP"], b=[""], c=[""], d=[""])

    assert values == [None]
    assert why == ["SUPP"]

"""What a spreadsheet does to data: each kind planted, counted, and never quoted."""

import pyarrow as pa
import pytest

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.damage import find_damage

KEY = ColumnContract("pupil_id", "key", "pupil")
URN = ColumnContract("urn", "key", "school", pattern=r"^\d{6}$")
DAY = ColumnContract("born", "date", "birth")
SCORE = ColumnContract("score", "number", "score")

#: Day and month are told apart by this one column: so many rows of each form.
SOUND_DAYS = [
    "2012-03-04",
    "04/03/2012",
    "31/12/2012",
    "31-12-2012 00:00:00",
    "2012-12-31 09:08:07",
    "31/12/2012 9:08",
    "",
    None,
    "45901",
]


def damage(columns, contracts=(KEY, URN, DAY, SCORE)):
    with Engine() as engine:
        found = find_damage(engine.table(pa.table(columns)), contracts, engine, "p.csv")
    values = {
        str(v)
        for column in columns.values()
        for v in column
        if v is not None and len(str(v)) > 4 and str(v)[0] != "#"
    }
    for fault in found:
        assert not any(value in str(fault) for value in values), "a value is in a message"
        assert fault.where == f"p.csv, column `{fault.column}`"
        assert fault.remedy.endswith(".")
    return {(fault.rule, fault.column): (fault.count, fault.stops) for fault in found}


def ids(*more, number=30):
    return [f"A{position:05d}" for position in range(number)] + list(more)


def test_sound_columns_have_nothing_to_tell():
    assert damage({"pupil_id": ids(number=9), "born": SOUND_DAYS, "score": list("123456789")}) == {}
    assert damage({"other": ["1.2E+11", "#N/A"]}) == {}
    assert damage({"pupil_id": pa.array([1.2e11, 5.0])}) == {}


@pytest.mark.parametrize("text", ["1.23457E+11", "9E+15", "1,5E+11", " 3.4e+16 ", "5.6E+11\xa0"])
def test_keys_in_scientific_notation_stop(text):
    assert damage({"pupil_id": ids(text, text)}) == {("excel_scientific", "pupil_id"): (2, True)}


@pytest.mark.parametrize("text", ["1E10", "2E5", "ABE+11", "12.5E+11", "1.2E+1"])
def test_what_only_looks_like_it_does_not(text):
    assert damage({"pupil_id": ids(text)}) == {}


def test_a_number_in_scientific_notation_is_a_number():
    assert damage({"pupil_id": ["A1"], "score": ["1.2E+11"]}) == {}


def test_errors_stop_in_keys_and_are_counted_elsewhere():
    columns = {
        "pupil_id": ["#N/A", "A2", "#REF!", "A4"],
        "urn": ["100001", "100001", "#VALUE!", None],
        "score": ["#DIV/0!", "5", "#N/A", "#N/A "],
        "born": ["#NAME?", "2012-01-01", "", "2012-01-01"],
    }

    assert damage(columns) == {
        ("excel_error", "pupil_id"): (2, True),
        ("excel_error", "urn"): (1, True),
        ("excel_error", "score"): (3, False),
        ("excel_error", "born"): (1, False),
    }


def zeros(keys):
    return damage({"pupil_id": keys}).get(("zeros_lost", "pupil_id"))


SPARSE = [str(100_000 + 7919 * number) for number in range(40)]


def test_keys_short_of_a_leading_zero_are_a_question():
    assert zeros([*SPARSE, "12345", "23456", "3456"]) == (3, False)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (SPARSE, "all of one length"),
        ([*SPARSE, "12345", "0123456"], "zeros are there"),
        ([*SPARSE, "12345", "A23456"], "not all are digits"),
        ([*SPARSE[:15], "12345"], "too few rows"),
        ([*SPARSE, *(str(10_000 + n) for n in range(20))], "too many are short"),
        ([*SPARSE, "12345", "12"], "one is far shorter"),
        ([str(number) for number in range(990, 1200)], "running numbers fill their range"),
        ([str(number) for number in range(1, 60)], "short numbers are counts"),
    ],
)
def test_keys_that_differ_in_length_for_another_cause(keys, why):
    assert zeros(keys) is None, why


def test_where_the_contract_says_the_form_nothing_is_asked():
    keys = {"pupil_id": ["A1"] * 43, "urn": [*SPARSE, "12345", "23456", "34567"]}

    assert damage(keys) == {}


def test_rows_of_a_key_are_counted_and_not_its_kinds():
    assert zeros([*SPARSE * 3, "12345", "12345", "12345"]) == (3, False)


def test_days_with_the_month_first_stop_and_make_the_others_doubtful():
    days = ["09/13/2025", "9/30/2025 10:15", "12-31-2012", "04/03/2012", "1/2/2012", "31/12/2012"]

    with Engine() as engine:
        frame = engine.table(pa.table({"born": days}))
        [found] = find_damage(frame, [DAY], engine, "p.csv")

    assert (found.rule, found.count, found.stops) == ("month_first", 3, True)
    assert "3 rows hold a day that seems to be written month first" in found.what
    assert "so 2 others with a day and a month of 12 or less may be either way round" in found.what
    assert "yyyy-mm-dd" in found.remedy


def test_without_a_month_first_no_british_day_is_in_doubt():
    assert damage({"pupil_id": ["A1", "A2"], "born": ["04/03/2012", "05/06/2012"]}) == {}


@pytest.mark.parametrize("text", ["01/09/25", "1-9-25", "01.09.25", "01-Sep-25", "01/09/25 00:00"])
def test_years_of_two_digits_are_never_guessed(text):
    columns = {"pupil_id": ["A1", "A2", "A3"], "born": [text, text, "2025-09-01"]}

    assert damage(columns) == {("short_year", "born"): (2, True)}


def test_all_damage_at_once_in_the_order_of_the_columns():
    columns = {
        "pupil_id": ids("3.4E+11", "#N/A", number=0),
        "born": ["13/13/2025", "09/13/2025"],
        "score": ["#N/A", "4"],
    }

    assert list(damage(columns)) == [
        ("excel_scientific", "pupil_id"),
        ("excel_error", "pupil_id"),
        ("month_first", "born"),
        ("excel_error", "score"),
    ]


def test_damage_is_found_in_two_queries():
    """Each query costs time to plan, whatever the size of the table."""
    asked = []

    class Watched(Engine):
        def counts(self, *args):
            asked.append("counts")
            return super().counts(*args)

        def collect(self, *args):
            asked.append("collect")
            return super().collect(*args)

    with Watched() as engine:
        table = engine.table(pa.table({"pupil_id": ids(), "urn": ids(), "born": ids()}))
        find_damage(table, [KEY, URN, DAY], engine, "p.csv")

    assert asked == ["counts", "collect"]

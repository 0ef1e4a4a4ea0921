"""The engine's count of every fault of a census is that of a loop over its rows."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.contracted import read_contract

NAIVE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("naive_census.py")))
CONTRACT = TABLES["pupils"]

#: What a cell may hold: sound, broken, coded and blank, few enough to meet one another.
CELLS = {
    "pupil_id": ["A", "B", "C", "", None],
    "year": ["2019", "2020", "2021", "2020", "1066", "2020.5", "1e999", "soon", ""],
    "term": ["SPR", "spr", "AUT", "SUM", "WIN", ""],
    "recorded": ["2018-09-01", "31/08/2019", "2019-09-01", "2020-01-16", "soon", "", ""],
    "urn": ["100001", "100002", "12", ""],
    "laestab": ["2001234", "2011234", "200/1234", ""],
    "la": ["200", "201", "Kent", ""],
    "phase": ["SS", "PS", "SP", "NS", "ss", "ZZ", "x"],
    "year_group": ["7", "8", "10", "R", "N1", "X", "x", "15", "NA", ""],
    "sex": ["F", "M", "f", "u", "?"],
    "birth_year": ["2007", "2012", "2021", "1066", "May", "c", ""],
    "birth_month": ["1", " 12 ", "13", "4.5", "0.5", "inf", ""],
    "ethnicity": ["WBRI", "AIND", "low", ""],
    "language": ["ENG", "PNJ", "x", ""],
    "fsm": ["1", "Y", "no", "maybe", ""],
    "fsm6": ["1", "0", "F", "2", ""],
    "idaci": ["0", "0.5", "1", "-.01", "1e-3", "1e400", "SUPP", "high", ""],
    "idaci_rank": ["1", "33755", "33756", "7.5", "z", ""],
    "looked_after": ["T", "false", "was", "NE"],
    "sen_provision": ["N", "K", "E", "e", "Q", ""],
    "primary_need": ["ASD", "asd", "NSA", "DS", "AUTISM", "", ""],
    "secondary_need": ["ASD", "SLCN", "ADHD", "", ""],
    "sen_unit": ["1", "0", "both"],
    "resourced_provision": ["yes", "0", "7"],
    "enrolment": ["C", "M", "S", "P", "?"],
    "on_roll": ["1", "0", "half"],
    "entry_date": ["2018-09-01", "2019-03-05", "01/02/2021", "2019-02-29", "01-12-2007", ""],
    "ehcp_date": ["2018-05-05", "31/08/2014", "2006-01-01", "29-02-2020", "31/11/2018", ""],
    "consent": ["1", "0", "asked", ""],
    "withdrawn": ["2018-08-31", "2020-01-01", "2020", ""],
}
cells = {name: st.sampled_from(options) for name, options in CELLS.items()}


def engine_counts(rows: list[dict[str, str | None]]) -> dict[tuple[str, str], int]:
    table = pa.table(
        {name: pa.array([row[name] for row in rows], pa.string()) for name in CONTRACT.names()}
    )
    with Engine() as engine:
        read = read_contract(engine.table(table), CONTRACT, engine, "p.csv")
    return {(fault.rule, fault.column): fault.count for fault in read.faults}


def test_every_column_is_drawn() -> None:
    assert set(CELLS) == set(CONTRACT.names())


@settings(max_examples=12, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=40))
def test_the_engine_counts_what_a_loop_counts(rows: list[dict[str, str | None]]) -> None:
    assert engine_counts(rows) == NAIVE["naive_counts"](rows)


@pytest.mark.parametrize(
    ("day", "real"),
    [
        ("2020-02-29", True),
        ("1900-02-29", False),
        ("2000-02-29", True),
        ("2019-02-29", False),
        ("2100-02-29", False),
        ("31-04-2019", False),
        ("30/04/2019", True),
        ("00/04/2019", False),
        ("1799-12-31", False),
        ("1800-01-01", True),
        ("2019-13-01", False),
        ("2019-00-10", False),
        ("1/4/2019", False),
    ],
)
def test_a_day_is_one_that_the_calendar_has(day: str, real: bool) -> None:
    row = dict.fromkeys(CONTRACT.names(), "")
    row |= {"pupil_id": "A", "year": "2019", "entry_date": day}
    found = engine_counts([row])
    assert (("not_a_date", "entry_date") not in found) is real
    assert found == NAIVE["naive_counts"]([row])


def test_a_rule_needs_the_first_of_its_key() -> None:
    """Without a URN, rows of one year are not those of one school."""
    table = pa.table(
        {
            "pupil_id": ["A", "B"],
            "year": ["2019", "2019"],
            "phase": ["PS", "SS"],
            "laestab": ["2001234", "2001235"],
        }
    )
    with Engine() as engine:
        read = read_contract(
            engine.table(table), CONTRACT, engine, "p.csv", optional=frozenset({"urn"})
        )
    assert read.faults == ()


@pytest.mark.parametrize("fault", CONTRACT.rules, ids=[rule.name for rule in CONTRACT.rules])
def test_no_rule_of_a_census_stops_a_study(fault: Any) -> None:
    assert not fault.stops

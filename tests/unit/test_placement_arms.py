"""The arm of a pupil on a day: nothing that came later may decide it."""

import runpy
from pathlib import Path

import pytest

from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.arms import arms_by_year, arms_on, modal_arms
from baseeval.placement.finding import find_placements
from baseeval.placement.rules import PlacementRules

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
tables_in, rows_of = HELP["tables_in"], HELP["rows_of"]

# Year 7 of 2021/22. Time zero is 1 September 2021: the days of grace end on 2 October, the
# autumn census is on 7 October.
PUPILS = """
    pupil_id | year | term | urn | sen_unit | resourced_provision | entry_date
    entered  | 2021 | SUM  | P   | 0        | 0                   | 2015-09-01
    entered  | 2022 | AUT  | A   | 1        | 0                   | 2021-09-06
    first    | 2022 | AUT  | A   | 1        | 0                   | 2021-09-06
    november | 2021 | SUM  | P   | 0        | 0                   | 2015-09-01
    november | 2022 | AUT  | A   | 0        | 0                   | 2021-09-06
    november | 2022 | SPR  | A   | 1        | 0                   | 2021-09-06
    next     | 2022 | AUT  | A   | 0        | 0                   | 2021-09-06
    next     | 2023 | AUT  | A   | 1        | 0                   | 2021-09-06
    silent   | 2022 | AUT  | B   | -        | -                   | 2021-09-06
    silent   | 2023 | AUT  | B   | 1        | 0                   | 2021-09-06
    left     | 2021 | SUM  | P   | 1        | 0                   | 2015-09-01
    left     | 2022 | AUT  | A   | 0        | 0                   | 2021-09-06
    stayed   | 2021 | SUM  | A   | 0        | 1                   | 2015-09-01
    stayed   | 2022 | AUT  | A   | 0        | 1                   | 2015-09-01
    both     | 2021 | SUM  | P   | 0        | 0                   | 2015-09-01
    both     | 2022 | AUT  | A   | 1        | 1                   | 2021-09-06
    plain    | 2022 | AUT  | A   | 0        | 0                   | 2021-09-06
    away     | 2022 | AUT  | C   | 0        | 0                   | 2021-09-06
    away     | 2023 | AUT  | A   | 1        | 0                   | 2022-09-05
"""

WHO = """
    pupil_id | urn | year | on
    entered  | A   | 2022 | 2021-09-01
    first    | A   | 2022 | 2021-09-01
    november | A   | 2022 | 2021-09-01
    next     | A   | 2022 | 2021-09-01
    silent   | B   | 2022 | 2021-09-01
    left     | A   | 2022 | 2021-09-01
    stayed   | A   | 2022 | 2021-09-01
    both     | A   | 2022 | 2021-09-01
    plain    | A   | 2022 | 2021-09-01
    away     | C   | 2022 | 2021-09-01
    stranger | C   | 2022 | 2021-09-01
    homeless | -   | 2022 | 2021-09-01
    undated  | A   | 2022 | -
"""

HOST, NON_HOST = "host_mainstream", "non_host"

AT_ENTRY = {
    "entered": "base",
    "first": "base",
    "november": HOST,
    "next": HOST,
    "silent": NON_HOST,
    "left": HOST,
    "stayed": "base",
    "both": "base",
    "plain": HOST,
    "away": NON_HOST,
    "stranger": NON_HOST,
    "homeless": None,
    "undated": None,
}


def arms(rules=None, who=WHO, **texts):
    rules = rules or PlacementRules()
    with Engine() as engine:
        tables = tables_in(engine, **{"pupils": PUPILS, **texts})
        asked = tables_in(engine, who=who)["who"]
        found = arms_on(find_placements(tables, rules, engine), asked, rules, engine)
        return {row["pupil_id"]: row for row in rows_of(engine, found, ["pupil_id"])}


def only(rows, column="arm"):
    return {pupil: row[column] for pupil, row in rows.items()}


def reasons(rows):
    return {pupil: row["why"] for pupil, row in rows.items() if row["why"] is not None}


def test_arms_at_entry_from_the_census():
    rows = arms()

    assert only(rows) == AT_ENTRY
    assert reasons(rows) == {
        "homeless": "no school is recorded",
        "undated": "no date of the eligibility event is recorded",
    }
    assert [p for p, row in rows.items() if row["already_placed"]] == ["first", "left", "stayed"]
    assert [p for p, row in rows.items() if row["recorded_later"]] == ["both", "entered", "first"]
    assert rows["both"]["base_type"] == "sen_unit_and_resourced_provision"
    assert (rows["stayed"]["base_id"], rows["stayed"]["base_urn"]) == (
        "A-resourced_provision",
        "A",
    )


def test_types_that_are_not_counted_make_no_arm():
    rows = arms(PlacementRules(types=("resourced_provision",)))

    assert only(rows) == {**AT_ENTRY, "entered": None, "first": None}
    assert reasons(rows)["entered"] == "in a base of a type that is not counted"
    assert rows["entered"]["in_base"] == 1
    assert rows["entered"]["base_type"] is None


def test_those_already_placed_can_be_left_out():
    rows = arms(PlacementRules(already_placed="exclude"))

    assert only(rows) == {**AT_ENTRY, **dict.fromkeys(["first", "left", "stayed"])}
    assert reasons(rows)["first"] == "already placed when first seen"


def test_a_longer_grace_does_not_believe_what_a_census_denies():
    """Out of the base on 7 October and in it on 20 January: not placed at entry."""
    rows = arms(PlacementRules(grace_days=60))

    assert rows["november"]["arm"] == HOST
    assert arms(PlacementRules(grace_days=150))["november"]["arm"] == "base"


SPELLS = """
    pupil_id | urn | base_id | base_type | start      | end        | decision | decided
    entered  | A   | a       | sen unit  | 2021-09-06 | -          | -        | -
    first    | A   | a       | sen unit  | 2021-10-02 | 2021-10-09 | placed   | -
    november | A   | a       | sen unit  | 2021-10-03 | -          | placed   | -
    next     | A   | a       | sen unit  | 2020-09-01 | 2021-08-31 | placed   | -
    next     | A   | a       | sen unit  | -          | -          | asked    | 2021-06-01
    silent   | B   | b       | hub       | 2021-09-01 | 2021-09-01 | placed   | -
    left     | A   | a       | sen unit  | -          | -          | refused  | 2021-03-01
    stayed   | A   | a       | sen unit  | 2019-09-01 | -          | placed   | -
    stayed   | A   | r       | RP        | 2020-09-01 | -          | placed   | -
    stayed   | P   | p       | RP        | 2015-09-01 | -          | placed   | -
    both     | B   | b       | hub       | -          | -          | declined | -
    plain    | A   | a       | sen unit  | -          | -          | offered  | 2021-10-03
    away     | A   | a       | sen unit  | -          | -          | waiting  | 2021-10-02
"""


def test_arms_at_entry_from_a_file():
    rows = arms(PlacementRules(source="spells"), placements=SPELLS)

    assert only(rows) == {
        **AT_ENTRY,
        "november": HOST,
        "silent": "base",
        "both": HOST,
        "left": HOST,
        "next": HOST,
    }
    assert [p for p, row in rows.items() if row["already_placed"]] == ["first", "stayed"]
    assert rows["stayed"]["base_id"] == "a"


@pytest.mark.parametrize(
    ("types", "compared"),
    [
        ((), {"left", "both", "away", "next"}),
        (("sen_unit", "resourced_provision"), {"left", "away", "next"}),
    ],
)
def test_only_the_considered_are_compared(types, compared):
    """Asked by the end of the grace, or on a day that is not recorded; `plain` was asked after."""
    rules = PlacementRules(source="spells", comparison="considered", types=types)

    rows = arms(rules, placements=SPELLS)

    in_arms = {pupil for pupil, arm in only(rows).items() if arm not in (None, "base")}
    assert in_arms == compared
    assert reasons(rows)["plain"] == "not considered for a base"


def test_listed_hosts_and_twos():
    listed = arms(PlacementRules(hosts=("C",)))
    two = arms(PlacementRules(host_min_pupils=2, types=("resourced_provision",)))
    three = arms(PlacementRules(host_min_pupils=3, types=("resourced_provision",)))

    assert (listed["away"]["arm"], listed["plain"]["arm"]) == (HOST, NON_HOST)
    assert listed["entered"]["arm"] == "base"
    assert (two["plain"]["arm"], three["plain"]["arm"]) == (HOST, NON_HOST)


def test_a_day_in_summer_does_not_read_the_autumn():
    who = (
        "pupil_id | urn | year | on\nentered | P | 2021 | 2021-06-01\nfirst | A | 2021 | 2021-06-01"
    )

    assert only(arms(who=who)) == {"entered": HOST, "first": HOST}


def by_year(rules, function, order, **texts):
    with Engine() as engine:
        tables = tables_in(engine, **texts)
        found = function(find_placements(tables, rules, engine), rules, engine)
        return [tuple(row.values()) for row in rows_of(engine, found, order)]


def test_arms_by_year_and_the_one_held_longest():
    pupils = """
        pupil_id | year | term | urn | sen_unit
        x        | 2021 | AUT  | A   | 0
        x        | 2021 | SPR  | A   | 1
        x        | 2022 | SUM  | A   | 1
        x        | 2023 | AUT  | A   | 1
        x        | 2024 | AUT  | B   | 0
        y        | 2022 | SPR  | A   | 0
        y        | 2023 | AUT  | B   | 0
        z        | 2022 | SPR  | A   | 0
    """
    rules = PlacementRules()

    yearly = by_year(rules, arms_by_year, ["pupil_id", "year"], pupils=pupils)
    modal = by_year(rules, modal_arms, ["pupil_id"], pupils=pupils)

    assert [(row[0], row[1], row[2], row[4]) for row in yearly] == [
        ("x", "A", 2021, HOST),
        ("x", "A", 2022, "base"),
        ("x", "A", 2023, "base"),
        ("x", "B", 2024, NON_HOST),
        ("y", "A", 2022, HOST),
        ("y", "B", 2023, NON_HOST),
        ("z", "A", 2022, HOST),
    ]
    assert modal == [("x", "base"), ("y", HOST), ("z", HOST)]

"""The arm of a pupil on a day: nothing that came later may decide it."""

import runpy
from dataclasses import replace
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
    assert [p for p, row in rows.items() if row["already_placed"]] == ["stayed"]
    assert rows["stayed"]["base_id"] == "a"


UNCLEAR = """
    pupil_id | urn | base_id | base_type | start      | end        | why:end    | decision
    entered  | A   | a       | sen unit  | -          | -          | blank      | placed
    first    | A   | a       | sen unit  | -          | 2021-09-01 | -          | -
    november | A   | a       | sen unit  | -          | 2021-08-31 | -          | placed
    next     | A   | a       | sen unit  | 2021-09-06 | 2021-09-05 | -          | placed
    silent   | B   | b       | hub       | -          | -          | blank      | refused
    left     | A   | a       | sen unit  | 2021-10-02 | -          | not a date | placed
    stayed   | A   | a       | sen unit  | 2019-09-01 | -          | blank      | placed
    stayed   | A   | a       | sen unit  | -          | -          | blank      | placed
    both     | A   | a       | sen unit  | 2021-10-03 | -          | SUPP       | placed
    plain    | A   | h       | hub       | -          | -          | blank      | placed
    away     | A   | a       | sen unit  | -          | -          | blank      | placed
    away     | A   | a       | sen unit  | 2022-02-01 | 2021-02-01 | -          | placed
"""
NO_FIRST_DAY = "the first day in the base is not known"
NOT_CLEAR = "the dates of the place in a base are not clear"


def test_a_place_without_its_days_makes_no_arm():
    """Without a first day, or with an end before it, the pupil may have been in the base."""
    rules = PlacementRules(source="spells", types=("sen_unit",))

    rows = arms(rules, placements=UNCLEAR)

    assert reasons(rows) == {
        "entered": NO_FIRST_DAY,
        "first": NO_FIRST_DAY,
        "next": NOT_CLEAR,
        "left": NOT_CLEAR,
        "plain": NO_FIRST_DAY,
        "away": NO_FIRST_DAY,
        "homeless": "no school is recorded",
        "undated": "no date of the eligibility event is recorded",
    }
    assert rows["stayed"]["arm"] == "base"  # another spell of known days
    assert rows["november"]["arm"] == HOST  # over by the day, whenever it began
    assert rows["both"]["arm"] == HOST  # not begun by the end of the grace
    assert rows["silent"]["arm"] == NON_HOST  # asked for, and refused


def test_a_place_without_its_days_decides_nothing_where_flags_make_the_arms():
    assert only(arms(placements=UNCLEAR)) == AT_ENTRY


def test_the_faults_count_pupils_and_ask_for_the_days():
    with Engine() as engine:
        tables = tables_in(engine, pupils=PUPILS, placements=UNCLEAR)
        found = find_placements(tables, PlacementRules(source="spells"), engine).faults
    told = {fault.rule: fault for fault in found}

    assert {rule: told[rule].count for rule in told if rule != "overlapping_spells"} == {
        "placed_without_start": 6,
        "end_before_start": 2,
        "end_not_read": 2,
    }
    assert "6 pupils have a place and no first day. Fill `start`" in str(
        told["placed_without_start"]
    )


# Censuses of each pupil: June of 2020 and 2021 (the summer census), and the autumn of 2021.
FOLLOWED = """
    pupil_id | year | term | urn
    since    | 2020 | SUM  | A
    since    | 2021 | SUM  | A
    chain    | 2021 | SUM  | P
    out      | 2020 | SUM  | P
    out      | 2021 | SUM  | P
    again    | 2020 | SUM  | P
    again    | 2021 | SUM  | P
    begun    | 2021 | SUM  | A
    new      | 2022 | AUT  | A
    grace    | 2022 | AUT  | A
    before   | 2022 | AUT  | A
    over     | 2022 | AUT  | A
    other    | 2021 | SUM  | A
"""
FILED = """
    pupil_id | urn | base_id | base_type | start      | end
    since    | A   | a       | sen unit  | 2019-09-01 | -
    chain    | P   | p       | sen unit  | 2019-09-01 | 2021-07-21
    chain    | A   | a       | sen unit  | 2021-09-06 | -
    out      | P   | p       | sen unit  | 2019-09-01 | 2020-07-21
    again    | P   | p       | sen unit  | 2019-09-01 | 2020-07-21
    again    | A   | a       | sen unit  | 2021-09-01 | -
    begun    | A   | a       | sen unit  | 2021-06-01 | -
    new      | A   | a       | sen unit  | 2021-09-01 | -
    grace    | A   | a       | sen unit  | 2021-09-20 | -
    before   | A   | a       | sen unit  | 2021-08-31 | 2021-09-20
    over     | A   | a       | sen unit  | 2020-09-01 | 2021-08-31
    other    | A   | h       | hub       | 2019-09-01 | -
    other    | A   | a       | sen unit  | 2021-09-01 | -
"""


def test_already_placed_by_exact_days():
    """A place that begins in the grace, before time zero or after it, is new."""
    names = dict.fromkeys(line.split("|")[0].strip() for line in FILED.strip().splitlines()[1:])
    who = "pupil_id | urn | year | on\n" + "\n".join(f"{n} | A | 2022 | 2021-09-01" for n in names)
    rules = PlacementRules(source="spells", types=("sen_unit",), already_placed="exclude")

    rows = arms(rules, who=who, pupils=FOLLOWED, placements=FILED)

    assert [p for p, row in rows.items() if row["already_placed"]] == ["chain", "since"]
    assert reasons(rows) == dict.fromkeys(["chain", "since"], "already placed when first seen")
    assert {p for p, arm in only(rows).items() if arm == "base"} == {
        *("again", "before", "begun", "grace", "new", "other")
    }
    strict = arms(replace(rules, grace_days=0), who=who, pupils=FOLLOWED, placements=FILED)
    assert [p for p, row in strict.items() if row["already_placed"]] == ["before", "since"]


def test_a_place_without_a_first_day_leaves_its_school_in_doubt():
    """Whether the others of that school are beside a base or without one, nobody can tell."""
    pupils = """
        pupil_id | year | term | urn
        placed   | 2022 | AUT  | A
        beside   | 2022 | AUT  | A
        known    | 2022 | AUT  | B
        by it    | 2022 | AUT  | B
        far      | 2022 | AUT  | C
    """
    filed = """
        pupil_id | urn | base_id | base_type | start      | end
        placed   | A   | a       | sen unit  | -          | -
        known    | B   | b       | sen unit  | 2021-09-01 | -
    """
    names = ("placed", "beside", "known", "by it", "far")
    who = "pupil_id | urn | year | on\n" + "\n".join(
        f"{n} | {u} | 2022 | 2021-09-01" for n, u in zip(names, "AABBC", strict=True)
    )
    rules = PlacementRules(source="spells")

    rows = arms(rules, who=who, pupils=pupils, placements=filed)

    assert only(rows) == {
        "placed": None,
        "beside": None,
        "known": "base",
        "by it": HOST,
        "far": NON_HOST,
    }
    assert reasons(rows)["beside"] == "whether the school had a base then is not known"
    # Where the hosts are listed, they are known.
    listed = arms(replace(rules, hosts=("A", "B")), who=who, pupils=pupils, placements=filed)
    assert listed["beside"]["arm"] == HOST


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

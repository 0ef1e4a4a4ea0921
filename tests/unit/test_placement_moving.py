"""How long pupils were in a base, and for how much of the week."""

import runpy
from pathlib import Path

import pytest

from baseeval.cohort.exposing import exposure
from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.finding import find_placements
from baseeval.placement.mainstream import measure_mainstream
from baseeval.placement.moving import measure_time
from baseeval.placement.rules import PlacementRules

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
tables_in, rows_of = HELP["tables_in"], HELP["rows_of"]

PUPILS = """
    pupil_id | year | term | urn | sen_unit | resourced_provision
    x        | 2022 | AUT  | A   | 1        | 0
    x        | 2023 | AUT  | A   | 0        | 0
    x        | 2024 | AUT  | B   | 0        | 0
    y        | 2022 | AUT  | A   | 0        | 0
    y        | 2023 | AUT  | A   | 1        | 0
    y        | 2024 | AUT  | A   | 1        | 0
    z        | 2022 | AUT  | A   | 0        | 0
    z        | 2024 | AUT  | A   | 0        | 1
"""
WHO = """
    pupil_id | urn | year | on         | until
    x        | A   | 2022 | 2021-10-07 | 2023-07-20
    y        | A   | 2022 | 2021-10-07 | 2023-07-20
    z        | A   | 2022 | 2021-10-07 | 2023-07-20
"""


def test_days_and_share_of_time():
    """Overlapping spells count once; a share weighs by the days for which it is known."""
    spells = """
        pupil_id | urn | base_id | base_type | start      | end        | share_of_time_in_base
        x        | A   | a       | SEN unit  | 2023-01-01 | 2023-01-10 | 0.8
        x        | A   | a       | SEN unit  | 2023-01-06 | 2023-01-20 | 0.5
        x        | A   | a       | SEN unit  | 2023-01-08 | 2023-01-09 | 0.1
        x        | A   | a       | SEN unit  | 2023-02-01 | 2023-02-01 | -
        x        | A   | h       | hub       | 2023-03-01 | 2023-03-31 | 0.9
        y        | A   | a       | SEN unit  | 2023-07-20 | -          | -
        z        | A   | a       | SEN unit  | 2023-07-21 | -          | 0.5
    """
    rules = PlacementRules(source="spells", types=("sen_unit",))
    with Engine() as engine:
        tables = tables_in(engine, pupils=PUPILS, placements=spells, who=WHO)
        placed = find_placements(tables, rules, engine)
        rows = rows_of(engine, measure_time(placed, tables["who"], rules, engine), ["pupil_id"])

    assert [tuple(row.values()) for row in rows] == [
        ("x", 21, (10 * 0.8 + 10 * 0.5) / 20),
        ("y", 1, None),
        ("z", 0, None),
    ]


# 2021/22 and 2022/23 have 365 days each. Censuses: autumn and summer of both years.
ROLL = """
    pupil_id | year | term | urn | on_roll | entry_date
    half     | 2022 | AUT  | A   | 1       | 2018-09-03
    half     | 2022 | SUM  | A   | 1       | 2018-09-03
    half     | 2023 | AUT  | A   | 1       | 2018-09-03
    half     | 2023 | SUM  | A   | 1       | 2018-09-03
    never    | 2022 | AUT  | A   | 1       | 2018-09-03
    never    | 2022 | SUM  | A   | 1       | 2018-09-03
    entered  | 2022 | AUT  | A   | 1       | 2021-09-11
    entered  | 2022 | SUM  | A   | 1       | 2021-09-11
    left     | 2022 | AUT  | A   | 1       | 2018-09-03
    left     | 2022 | SUM  | A   | 0       | 2018-09-03
    blank    | 2022 | SUM  | A   | 1       | 2018-09-03
    blank    | 2023 | SUM  | A   | 1       | 2018-09-03
    unsure   | 2022 | SUM  | A   | 1       | 2018-09-03
    unsure   | 2023 | SUM  | A   | 1       | 2018-09-03
"""
SHARES = """
    pupil_id | urn | base_id | base_type | start      | end        | share_of_time_in_base
    half     | A   | a       | SEN unit  | 2021-09-01 | 2021-12-09 | 0.8
    half     | A   | a       | SEN unit  | 2021-12-10 | 2022-06-27 | 0.5
    half     | A   | h       | hub       | 2022-09-01 | 2022-09-10 | 0.6
    half     | A   | a       | SEN unit  | 2022-09-06 | 2022-09-20 | 0.2
    half     | A   | a       | SEN unit  | 2023-09-01 | -          | -
    entered  | A   | a       | SEN unit  | 2021-01-01 | 2021-09-20 | 1
    left     | A   | a       | SEN unit  | 2021-10-01 | -          | 0.5
    blank    | A   | a       | SEN unit  | 2022-08-31 | 2022-08-31 | -
    unsure   | A   | a       | SEN unit  | -          | 2022-08-31 | 0.5
"""


def test_the_share_in_mainstream_of_each_school_year():
    """Weighted by days on roll; not known if one day's share is not; of a base of any type."""
    pupils = ("half", "never", "entered", "left", "blank", "unsure")
    who = "pupil_id | year\n" + "\n".join(f"{p} | {y}" for p in pupils for y in (2022, 2023))
    rules = PlacementRules(source="spells", types=("sen_unit",))
    with Engine() as engine:
        tables = tables_in(engine, pupils=ROLL, placements=SHARES, who=who)
        placed = find_placements(tables, rules, engine)
        found = rows_of(
            engine, measure_mainstream(placed, tables["who"], engine), ["pupil_id", "year"]
        )
    shares = {(r["pupil_id"], r["year"]): r["share_in_mainstream"] for r in found}
    why = {(r["pupil_id"], r["year"]): r["why"] for r in found if r["why"]}

    assert shares == pytest.approx(
        {
            # 100 days at 0.8 and 200 at 0.5.
            ("half", 2022): 1 - (100 * 0.8 + 200 * 0.5) / 365,
            # Ten days of the hub, and ten of the unit after it.
            ("half", 2023): 1 - (10 * 0.6 + 10 * 0.2) / 365,
            ("never", 2022): 1,
            ("never", 2023): None,
            # On roll from 11 September: 355 days, ten of them wholly in the base.
            ("entered", 2022): 1 - 10 / 355,
            ("entered", 2023): None,
            # Seen on roll on 7 October alone: 37 days, of which seven in the base.
            ("left", 2022): 1 - 7 * 0.5 / 37,
            ("left", 2023): None,
            ("blank", 2022): None,
            ("blank", 2023): 1,
            ("unsure", 2022): None,
            ("unsure", 2023): 1,
        }
    )
    away = "not on record in the school year"
    assert why == {
        **{(pupil, 2023): away for pupil in ("never", "entered", "left")},
        ("blank", 2022): "the share of the week in the base is not recorded",
        ("unsure", 2022): "the days of the place in a base are not known",
    }


def test_change_in_mainstream_is_since_the_first_school_year():
    first = "pupil_id | year\nhalf | 2022\nblank | 2022\nnever | 2022\nleft | 2023"
    rules = PlacementRules(source="spells")
    with Engine() as engine:
        tables = tables_in(engine, pupils=ROLL, placements=SHARES, who=first)
        placed = find_placements(tables, rules, engine)
        found = rows_of(
            engine, exposure(placed, tables["who"], rules, engine), ["pupil_id", "year"]
        )
    rows = {(row["pupil_id"], row["year"]): row for row in found}
    gained = (100 * 0.8 + 200 * 0.5 - 10 * 0.6 - 10 * 0.2) / 365

    assert {key: row["change_in_mainstream"] for key, row in rows.items()} == pytest.approx(
        {
            ("half", 2022): None,
            ("half", 2023): gained,
            ("blank", 2022): None,
            ("blank", 2023): None,
            ("never", 2022): None,
            ("never", 2023): None,
            ("left", 2023): None,
        }
    )
    reason = {key: row["why:change_in_mainstream"] for key, row in rows.items()}
    assert reason["half", 2022] == "the first school year, from which change is counted"
    assert reason["half", 2023] is None
    assert reason["blank", 2023] == "the share of the first school year is not known"
    assert reason["never", 2023] == "not on record in the school year"
    assert rows["half", 2023]["days_in_base"] == 300 + 20

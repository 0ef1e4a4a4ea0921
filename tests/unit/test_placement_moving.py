"""How long pupils were in a base, and for how much of the week."""

import runpy
from pathlib import Path

from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.finding import find_placements
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

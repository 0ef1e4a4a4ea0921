"""Features of bases, joined to the pupils who are in them."""

import runpy
from pathlib import Path

import pandas as pd

from baseeval.cohort.featuring import base_features
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.contracted import read_contract

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
read, rows_of = HELP["read"], HELP["rows_of"]

STARTS = """
    pupil | arm             | year | base_id     | base_type           | base_urn
    ann   | base            | 2022 | orchard     | sen_unit            | 100001
    bea   | base            | 2022 | 100002-sen_unit | sen_unit        | 100002
    cat   | base            | 2023 | 100003-sen_unit | sen_unit        | 100003
    dan   | base            | 2022 | elm         | hub                 | 100004
    eve   | host_mainstream | 2022 | -           | -                   | -
"""
BASES = """
base_id,urn,base_type,places,acoustics,psychologist,features_recorded
orchard,100001,SEN unit,12,yes,weekly,01/07/2021
willow,100001,SEN unit,8,no,none,01/07/2021
oak,100002,SEN unit,10,not known,,01/07/2021
yew,100003,SEN unit,10,no,none,
ash,100003,sen_unit,10,yes,none,
"""
SCHOOLS = """
urn,year,mainstream_expertise,features_recorded
100001,2021,40,2020-09-01
100001,2022,60,2021-09-01
100001,2023,90,2022-09-01
100002,2023,50,2022-09-01
100003,,unknown,2022-09-01
"""


def typed(engine, name, text):
    lines = [line.split(",") for line in text.strip().splitlines()]
    frame = engine.table(pd.DataFrame(lines[1:], columns=lines[0]))
    found = read_contract(frame, TABLES[name], engine, f"{name}.csv")
    assert not found.faults
    return found.frame


def features(**texts):
    with Engine() as engine:
        tables = {name: typed(engine, name, text) for name, text in texts.items()}
        found = base_features(engine.table(read(STARTS)), tables, engine)
        return {row.pop("pupil"): row for row in rows_of(engine, found, ["pupil"])}


def test_a_pupil_has_the_features_of_the_base_and_of_its_school():
    rows = features(bases=BASES, schools=SCHOOLS)

    assert list(rows) == ["ann", "bea", "cat", "dan"]
    assert {pupil: row["base_id"] for pupil, row in rows.items()} == {
        "ann": "orchard",
        "bea": "oak",  # the school's only SEN unit of the list
        "cat": "100003-sen_unit",  # two of them: which is not known
        "dan": "elm",  # on no list
    }
    assert (rows["ann"]["acoustics"], rows["ann"]["psychologist"]) == (1, "weekly")
    assert (rows["bea"]["acoustics"], rows["bea"]["why:acoustics"]) == (None, "not known")
    assert (rows["bea"]["psychologist"], rows["bea"]["why:psychologist"]) == (None, "blank")
    assert (rows["cat"]["acoustics"], rows["cat"]["why:acoustics"]) == (None, None)
    assert rows["ann"]["places"] == 12
    # Of the year of time zero; not of a later one; else without a year.
    assert rows["ann"]["mainstream_expertise"] == 60
    assert rows["ann"]["school_features_recorded"].isoformat() == "2021-09-01"
    assert rows["ann"]["features_recorded"].isoformat() == "2021-07-01"
    assert rows["bea"]["mainstream_expertise"] is None
    assert rows["cat"]["why:mainstream_expertise"] == "not known"


def test_without_a_list_the_base_is_named_and_nothing_else():
    assert features()["ann"] == {"base_id": "orchard"}

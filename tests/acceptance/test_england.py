"""England's performance tables, as they are: every school joined, every code counted, none zero."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.crosswalk import load_crosswalk
from baseeval.sources.gathering import gather_files
from baseeval.sources.school_files import SCHOOL_FILES, read_school_files
from baseeval.sources.values import WHY

FILES = {
    "performance_census": "census.csv.gz",
    "performance_absence": "abs.csv.gz",
    "performance_ks4": "ks4provisional.csv.gz",
}

#: Each measured column, with the file and heading that it comes from.
MEASURES = {
    "pupils_on_roll": ("performance_census", "NOR"),
    "ehcp_percent": ("performance_census", "PSENELSE"),
    "sen_support_percent": ("performance_census", "PSENELK"),
    "eal_percent": ("performance_census", "PNUMEAL"),
    "fsm_ever_percent": ("performance_census", "PNUMFSMEVER"),
    "overall_absence_percent": ("performance_absence", "PERCTOT"),
    "persistent_absence_percent": ("performance_absence", "PPERSABS10"),
    "pupils_at_end_of_ks4": ("performance_ks4", "TPUP"),
    "attainment8": ("performance_ks4", "ATT8SCR"),
    "progress8": ("performance_ks4", "P8MEA"),
    "english_maths_5_percent": ("performance_ks4", "PTL2BASICS_95"),
}
CODES = ("SUPP", "NE", "NA", "NP", "LOWCOV")


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Give the files by the standard library alone: file -> school -> heading -> text."""
    found = {}
    for key, name in FILES.items():
        path = shared / "data" / "england" / name
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
            rows = [row for row in csv.DictReader(text) if row["URN"].isdigit()]
        found[key] = {row["URN"]: row for row in rows}
        assert len(found[key]) == len(rows)
    return found


@pytest.fixture(scope="module", params=["any", "every"])
def england(request: pytest.FixtureRequest, shared: Path) -> tuple:
    """Give the joined schools by their number, the tables, and how they were joined."""
    folder = shared / "data" / "england"
    with Engine() as engine:
        gathered = {
            key: gather_files(name, folder, load_crosswalk(SCHOOL_FILES[key]), engine, key)
            for key, name in FILES.items()
        }
        tables = read_school_files(gathered, engine, keep=request.param)
        rows = engine.collect(tables.frames["schools"], ["urn"]).to_pylist()
    assert len({row["urn"] for row in rows}) == len(rows)
    return {row["urn"]: row for row in rows}, tables, request.param


def test_4059_schools_are_in_all_three_files(england, published):
    schools, _, _ = england
    whole = [row for row in schools.values() if row["held_by"].count(";") == 2]
    kinds = Counter(row["school_group"] for row in whole)

    assert len(whole) == 4059
    assert kinds == {
        "State-funded secondary": 3260,
        "State-funded special school": 750,
        "Non-maintained special school": 49,
    }
    assert {row["urn"] for row in whole} == set.intersection(*map(set, published.values()))


def test_no_school_is_lost_and_none_is_made_up(england, published):
    schools, _, keep = england
    combine = set.union if keep == "any" else set.intersection

    assert set(schools) == combine(*map(set, published.values()))


def test_totals_are_left_out_and_counted(england):
    _, tables, _ = england
    left = {told.file: told.count for told in tables.faults if told.rule == "no_school"}

    assert left == {"census.csv.gz": 3, "abs.csv.gz": 3, "ks4provisional.csv.gz": 157}
    assert not any(told.stops for told in tables.faults)


@pytest.mark.parametrize("column", MEASURES)
def test_every_number_is_the_published_one_and_every_code_its_reason(england, published, column):
    schools, tables, _ = england
    key, heading = MEASURES[column]
    coded: Counter[str] = Counter()
    for urn, row in schools.items():
        text = published[key].get(urn, {}).get(heading)
        value, why = row[column], row[WHY + column]
        if text is None:
            assert (value, why) == (None, "not in file")
        elif text == "":
            assert (value, why) == (None, "blank")
        elif text in CODES:
            assert (value, why) == (None, text)
            coded[text] += 1
        else:
            assert (value, why) == (float(text.removesuffix("%")), None)
    assert tables.coded["schools"][column] == sum(coded.values())


def test_authorities_that_the_files_disagree_on_are_counted(england, published):
    """Schools of authorities that were made anew in 2019, under old and new number."""
    schools, tables, _ = england
    headings = {"performance_census": "LA", "performance_absence": "LA", "performance_ks4": "LEA"}
    disagree = 0
    for urn in schools:
        said = {
            published[key][urn][name] for key, name in headings.items() if urn in published[key]
        }
        disagree += len(said) > 1
    [told] = [t for t in tables.faults if (t.rule, t.column) == ("files_disagree", "la")]

    assert told.count == disagree > 0

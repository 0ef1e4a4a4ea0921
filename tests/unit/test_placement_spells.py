"""Spells in a base, from census flags and from a file; hosts; what the sources say."""

import runpy
from datetime import date
from pathlib import Path

import narwhals.stable.v2 as nw
import pyarrow as pa
import pytest

from baseeval.contracts.vocabulary import (
    BASE_TYPES,
    BASE_WORDS,
    WHITE_PAPER_BASES,
    WHITE_PAPER_BY_TYPE,
)
from baseeval.engine.days import day_number, school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import UsageError
from baseeval.placement.dates import census_day
from baseeval.placement.finding import find_placements
from baseeval.placement.naming import white_paper_word, with_types
from baseeval.placement.rules import PlacementRules

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
tables_in, rows_of = HELP["tables_in"], HELP["rows_of"]

# Censuses: AUT22 7 Oct 2021, SPR22 20 Jan 2022, SUM22 19 May 2022, AUT23 6 Oct 2022,
# SPR23 19 Jan 2023, SUM23 18 May 2023.
PUPILS = """
    pupil_id | year | term | urn | sen_unit | resourced_provision | on_roll | entry_date
    always   | 2022 | AUT  | A   | 1        | 0                   | 1       | 2018-09-05
    always   | 2022 | SPR  | A   | 1        | 0                   | 1       | 2018-09-05
    always   | 2023 | SPR  | A   | 1        | 0                   | 1       | 2018-09-05
    undated  | 2022 | AUT  | A   | 1        | 0                   | 1       | -
    joined   | 2022 | AUT  | A   | 0        | 0                   | 1       | 2018-09-05
    joined   | 2022 | SPR  | A   | 1        | 0                   | 1       | 2018-09-05
    joined   | 2022 | SUM  | A   | 1        | 0                   | 1       | 2018-09-05
    gap      | 2022 | AUT  | A   | 0        | 1                   | 1       | 2018-09-05
    gap      | 2022 | SPR  | A   | 0        | 0                   | 1       | 2018-09-05
    gap      | 2022 | SUM  | A   | 0        | 1                   | 1       | 2018-09-05
    blank    | 2022 | AUT  | A   | 0        | 1                   | 1       | 2018-09-05
    blank    | 2022 | SPR  | A   | -        | -                   | 1       | 2018-09-05
    blank    | 2022 | SUM  | A   | 0        | 1                   | 1       | 2018-09-05
    blank    | 2023 | AUT  | A   | 0        | 0                   | 1       | 2018-09-05
    moved    | 2022 | SUM  | P   | 0        | 0                   | 1       | 2015-09-01
    moved    | 2023 | AUT  | A   | 1        | 0                   | 1       | 2022-09-05
    moved    | 2023 | SUM  | B   | 1        | 0                   | 1       | 2023-04-17
    late     | 2022 | SUM  | P   | -        | -                   | 1       | 2015-09-01
    late     | 2023 | AUT  | A   | -        | -                   | 1       | 2022-09-05
    late     | 2023 | SPR  | A   | 0        | 1                   | 1       | 2022-09-05
    changed  | 2022 | AUT  | A   | 1        | 0                   | 1       | 2018-09-05
    changed  | 2022 | SPR  | A   | 1        | 1                   | 1       | 2018-09-05
    changed  | 2022 | SUM  | A   | 1        | 1                   | 1       | 2018-09-05
    leaver   | 2022 | AUT  | B   | 0        | 1                   | 1       | 2018-09-05
    leaver   | 2022 | SPR  | B   | 0        | 1                   | 0       | 2018-09-05
    wrong    | 2022 | AUT  | B   | 0        | 0                   | 1       | 2018-09-05
    wrong    | 2022 | SPR  | B   | 0        | 1                   | 1       | 2023-09-05
    never    | 2022 | AUT  | C   | 0        | 0                   | 1       | 2018-09-05
    never    | 2023 | AUT  | C   | 0        | -                   | 1       | 2018-09-05
"""

# pupil, school, type, start, end, seen before
CENSUS_SPELLS = [
    ("always", "A", "sen_unit", "2018-09-05", None, 0),
    ("blank", "A", "resourced_provision", "2018-09-05", "2022-05-19", 0),
    ("changed", "A", "sen_unit", "2018-09-05", "2021-10-07", 0),
    ("changed", "A", "sen_unit_and_resourced_provision", "2021-10-08", None, 1),
    ("gap", "A", "resourced_provision", "2018-09-05", "2021-10-07", 0),
    ("gap", "A", "resourced_provision", "2022-01-21", None, 1),
    ("joined", "A", "sen_unit", "2021-10-08", None, 1),
    ("late", "A", "resourced_provision", "2022-09-05", None, 1),
    ("leaver", "B", "resourced_provision", "2018-09-05", "2021-10-07", 0),
    ("moved", "A", "sen_unit", "2022-09-05", "2022-10-06", 1),
    ("moved", "B", "sen_unit", "2023-04-17", None, 1),
    ("undated", "A", "sen_unit", "2021-10-07", None, 0),
    ("wrong", "B", "resourced_provision", "2022-01-20", None, 1),
]

FILE = """
    pupil_id | urn | base_id | base_type        | start      | end        | decision | decided
    one      | A   | a1      | SEN Unit         | 2021-09-06 | 2022-07-20 | -        | -
    one      | A   | a1      | sen_unit         | 2022-07-20 | -          | placed   | -
    two      | A   | a2      | -                | 2021-09-06 | -          | placed   | -
    three    | B   | -       | A.R.P.           | 2021-09-06 | 2023-07-20 | placed   | -
    three    | B   | b1      | ARP              | 2023-07-21 | -          | placed   | -
    four     | B   | -       | The Orchard Room | 2021-09-06 | -          | placed   | -
    five     | B   | b1      | ERP              | 2021-09-06 | 2021-07-20 | placed   | -
    six      | B   | b1      | ERP              | -          | -          | placed   | -
    seven    | B   | b1      | ERP              | 2021-09-06 | -          | refused  | 2021-05-01
    eight    | B   | b1      | ERP              | -          | -          | waiting  | -
"""

LIST = """
    base_id | urn | base_type
    a1      | A   | hub
    a2      | A   | Specialist resource centre
    b1      | B   | -
"""


def placed(rules=None, **texts):
    with Engine() as engine:
        tables = tables_in(engine, **texts)
        found = find_placements(tables, rules or PlacementRules(), engine)
        return {
            "spells": rows_of(engine, found.spells, ["pupil_id", "start"]),
            "hosts": [tuple(row.values()) for row in rows_of(engine, found.hosts, ["urn", "year"])],
            "considered": rows_of(engine, found.considered, ["pupil_id"]),
            "seen": rows_of(engine, found.seen, ["pupil_id", "year"]),
            "faults": {fault.rule: fault for fault in found.faults},
            "agreement": [tuple(row) for row in found.agreement.to_numpy()],
            "types": {(row.source, row.word): row for row in found.types.itertuples()},
        }


def iso(day):
    return None if day is None else day.isoformat()


def spells_of(rows):
    names = ("pupil_id", "urn", "base_type")
    return sorted(
        (
            (*(r[name] for name in names), iso(r["start"]), iso(r["end"]), r["seen_before"])
            for r in rows
        ),
        key=lambda spell: (spell[0], spell[3]),
    )


@pytest.mark.parametrize(
    ("year", "term", "day"),
    [
        (2022, "AUT", "2021-10-07"),
        (2021, "AUT", "2020-10-01"),
        (2022, "SPR", "2022-01-20"),
        (2025, "SPR", "2025-01-16"),
        (2022, "SUM", "2022-05-19"),
    ],
)
def test_census_days(year, term, day):
    assert census_day(year, term).isoformat() == day


def test_days_are_numbered_as_the_calendar_counts():
    days = [date(1999, 12, 31), date(2000, 2, 29), date(2000, 3, 1), date(2023, 1, 1)]
    with Engine() as engine:
        text = "on\n" + "\n".join(day.isoformat() for day in days)
        frame = tables_in(engine, who=text)["who"]
        col = nw.col("on")
        frame = frame.with_columns(day_number(col).alias("n"), school_year(col).alias("y"))
        rows = rows_of(engine, frame, ["on"])

    assert [row["n"] - rows[0]["n"] for row in rows] == [(day - days[0]).days for day in days]
    assert [row["y"] for row in rows] == [2000, 2000, 2000, 2023]


def test_flags_become_spells():
    assert spells_of(placed(pupils=PUPILS)["spells"]) == CENSUS_SPELLS


def test_a_spell_says_what_its_days_rest_on():
    spells = {row["pupil_id"]: row for row in placed(pupils=PUPILS)["spells"]}
    names = ("last_out", "first_in", "last_in", "next_out")

    assert [iso(spells["joined"][n]) for n in names] == [
        "2021-10-07",
        "2022-01-20",
        "2022-05-19",
        None,
    ]
    assert [iso(spells["blank"][n]) for n in names] == [
        None,
        "2021-10-07",
        "2022-05-19",
        "2022-10-06",
    ]
    assert spells["joined"]["base_id"] == "A-sen_unit"


def test_spring_censuses_alone_leave_a_year_in_doubt():
    spring = """
        pupil_id | year | urn | sen_unit
        x        | 2021 | A   | 0
        x        | 2022 | A   | 1
        x        | 2023 | A   | 1
        x        | 2024 | A   | 0
        y        | 2022 | A   | 1
    """

    assert spells_of(placed(pupils=spring)["spells"]) == [
        ("x", "A", "sen_unit", "2021-01-22", "2023-01-19", 1),
        ("y", "A", "sen_unit", "2022-01-20", None, 0),
    ]


def test_the_file_gives_spells_and_counts_what_it_leaves_out():
    seen = placed(PlacementRules(source="spells"), pupils=PUPILS, placements=FILE, bases=LIST)

    assert spells_of(seen["spells"]) == [
        ("four", "B", "unknown", "2021-09-06", None, None),
        ("one", "A", "sen_unit", "2021-09-06", "2022-07-20", None),
        ("one", "A", "sen_unit", "2022-07-20", None, None),
        ("three", "B", "enhanced_resource_provision", "2021-09-06", "2023-07-20", None),
        ("three", "B", "enhanced_resource_provision", "2023-07-21", None, None),
        ("two", "A", "specialist_resource_centre", "2021-09-06", None, None),
    ]
    assert {rule: fault.count for rule, fault in seen["faults"].items()} == {
        "end_before_start": 1,
        "placed_without_start": 1,
        "overlapping_spells": 1,
        "unknown_base_word": 1,
    }
    assert not any(fault.stops for fault in seen["faults"].values())
    assert "1 pupil has two spells at once" in str(seen["faults"]["overlapping_spells"])
    assert [(r["pupil_id"], r["decision"], iso(r["decided"])) for r in seen["considered"]] == [
        ("eight", "waiting", None),
        ("seven", "refused", "2021-05-01"),
    ]


def test_words_are_mapped_and_strange_ones_not_shown():
    types = placed(pupils=PUPILS, placements=FILE, bases=LIST)["types"]

    assert {key: (row.base_type, row.white_paper, row.rows) for key, row in types.items()} == {
        ("bases", "(blank)"): ("unknown", "Not known", 1),
        ("bases", "hub"): ("hub", "Not known", 1),
        ("bases", "specialist resource centre"): (
            "specialist_resource_centre",
            "Specialist base",
            1,
        ),
        ("placements", "(a word that is not known)"): ("unknown", "Not known", 1),
        ("placements", "(blank)"): ("unknown", "Not known", 1),
        ("placements", "arp"): ("enhanced_resource_provision", "Not known", 2),
        ("placements", "erp"): ("enhanced_resource_provision", "Not known", 4),
        ("placements", "sen unit"): ("sen_unit", "Specialist base", 2),
    }


@pytest.mark.parametrize(
    ("rules", "hosts"),
    [
        ({}, [("A", 2022), ("A", 2023), ("B", 2022), ("B", 2023)]),
        ({"host_min_pupils": 2}, [("A", 2022), ("A", 2023), ("B", 2022)]),
        ({"host_min_pupils": 7}, []),
        ({"types": ("sen_unit",)}, [("A", 2022), ("A", 2023), ("B", 2023)]),
        ({"types": ("hub",)}, []),
        ({"hosts": ("C",)}, [("C", 2022), ("C", 2023)]),
        ({"source": "spells"}, [("A", 2022), ("A", 2023), ("B", 2022), ("B", 2023)]),
        ({"source": "spells", "types": ("sen_unit",)}, [("A", 2022), ("A", 2023)]),
        ({"source": "schools"}, [("B", 2022), ("B", 2023), ("C", 2022), ("C", 2023), ("D", 2023)]),
        ({"source": "schools", "types": ("sen_unit",)}, [("C", 2022), ("C", 2023)]),
    ],
)
def test_hosts(rules, hosts):
    schools = """
        urn | year | base_type                        | sen_unit_places | rp_pupils
        A   | -    | -                                | -               | 0
        B   | -    | Resourced provision              | -               | 4
        C   | -    | resourced_provision_and_sen_unit | 8               | 4
        D   | 2023 | -                                | -               | 2
    """
    rules = PlacementRules(**rules)

    found = placed(rules, pupils=PUPILS, placements=FILE, schools=schools)

    assert found["hosts"] == hosts


def test_sources_are_compared():
    pupils = """
        pupil_id | year | term | urn | sen_unit
        one      | 2022 | AUT  | A   | 1
        one      | 2022 | SPR  | A   | 1
        one      | 2022 | SUM  | A   | -
        two      | 2022 | AUT  | B   | 1
        two      | 2022 | SPR  | B   | 0
        three    | 2022 | AUT  | C   | 0
        three    | 2022 | SPR  | C   | 0
        four     | 2023 | AUT  | D   | 0
    """
    spells = """
        pupil_id | urn | base_type | start      | end
        one      | A   | sen unit  | 2021-12-01 | 2022-08-31
        three    | C   | sen unit  | 2021-09-01 | 2021-10-07
        three    | C   | sen unit  | 2021-10-07 | 2021-10-31
    """
    schools = """
        urn | year | base_type
        A   | 2022 | sen_unit
        A   | 2023 | sen_unit
        E   | 2022 | sen_unit
        B   | 2022 | -
    """
    listed = "base_id | urn | base_type\nb | B | Hub\nd | D | -"

    agreement = placed(pupils=pupils, placements=spells, schools=schools, bases=listed)["agreement"]

    assert agreement == [
        ("school year", "census", "spells", 1, 1, 1),
        ("school year", "census", "schools", 1, 1, 2),
        ("school", "census", "bases", 1, 1, 1),
        ("school year", "spells", "schools", 1, 1, 2),
        ("school", "spells", "bases", 0, 2, 2),
        ("school", "schools", "bases", 0, 2, 2),
        ("pupil and census", "census", "spells", 1, 2, 1),
    ]


def test_what_the_rules_need_and_the_tables_lack_is_named():
    bare = "pupil_id | year | urn\nx | 2022 | A"

    census = placed(pupils=bare)["faults"]
    spells = placed(PlacementRules(source="spells", comparison="considered"), pupils=bare)["faults"]
    schools = placed(PlacementRules(source="schools"), pupils=bare)["faults"]

    assert list(census) == ["no_base_flags"]
    assert list(spells) == ["no_placements", "no_decisions"]
    assert list(schools) == ["no_schools"]
    assert all(fault.stops for found in (census, spells, schools) for fault in found.values())


def test_rules_name_every_wrong_value():
    with pytest.raises(UsageError) as caught:
        PlacementRules(source="gias", types=("zoo",), host_min_pupils=0, grace_days=-1)

    assert [problem.where for problem in caught.value.problems] == [
        "[placement] source",
        "[placement] types",
        "[placement] host_min_pupils",
        "[placement] grace_days",
    ]


def types_of(words):
    with Engine() as engine:
        table = pa.table({"row": list(range(len(words))), "base_type": words})
        return engine.collect(with_types(engine.table(table)), ["row"])["base_type"].to_pylist()


def test_every_word_is_of_a_type_and_documented(root):
    page = (root / "docs" / "methods" / "placement.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if "|" in line}

    assert types_of(list(BASE_TYPES)) == list(BASE_TYPES)
    assert set(WHITE_PAPER_BY_TYPE) == set(BASE_TYPES)
    written = [f" {word.upper().replace(' ', '-')}." for word in BASE_WORDS]
    assert types_of(written) == list(BASE_WORDS.values())
    assert types_of(["A.R.P. ", "The Orchard"]) == ["enhanced_resource_provision", "unknown"]
    assert all(word in rows[code] for word, code in BASE_WORDS.items())
    assert all(WHITE_PAPER_BASES[word] in rows[code] for code, word in WHITE_PAPER_BY_TYPE.items())


@pytest.mark.parametrize(
    ("base_type", "commissioner", "word"),
    [
        ("sen_unit", None, "Specialist base"),
        ("sen_unit", "trust", "Support base"),
        ("own_unit", "unknown", "Support base"),
        ("hub", None, "Not known"),
        ("hub", "school", "Support base"),
    ],
)
def test_the_white_papers_word(base_type, commissioner, word):
    assert white_paper_word(base_type, commissioner) == word

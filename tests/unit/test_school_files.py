"""Files of schools, small and written by hand: each trap, and what it must come to."""

from __future__ import annotations

import datetime
import functools
import time

import openpyxl
import pyarrow as pa
import pytest

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.benchmark_file import matching_benchmarks
from baseeval.sources.crosswalk import contract_crosswalk, load_crosswalk
from baseeval.sources.gathering import gather_files, gather_frames
from baseeval.sources.school_files import (
    SCHOOL_FILES,
    read_school_files,
    read_school_parts,
)
from baseeval.sources.school_joining import givers


@pytest.fixture
def engine():
    with Engine() as engine:
        yield engine


def crosswalk(key):
    name = SCHOOL_FILES[key]
    return contract_crosswalk(TABLES[name]) if name in TABLES else load_crosswalk(name)


class Folder:
    """Files of schools in one folder, read together."""

    def __init__(self, path, engine):
        self.path, self.engine, self.named = path, engine, {}

    def add(self, key, text, name=None, encoding="utf-8"):
        name = name or f"{key}.csv"
        (self.path / name).write_bytes(text.encode(encoding))
        self.named[key] = name
        return self

    def gathered(self):
        return {
            key: gather_files(name, self.path, crosswalk(key), self.engine, key)
            for key, name in self.named.items()
        }

    def read(self, **options):
        return read_school_files(self.gathered(), self.engine, **options)

    def schools(self, **options):
        """Give each school's columns by its number, and the faults by their rule."""
        tables = self.read(**options)
        rows = self.engine.collect(tables.frames["schools"], ["urn"]).to_pylist()
        return {row["urn"]: row for row in rows}, {told.rule: told for told in tables.faults}


@pytest.fixture
def folder(tmp_path, engine):
    return Folder(tmp_path, engine)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory):
    """Give the schools and faults of a file that several tests look at, read but once."""
    with Engine() as engine:

        def read(add):
            return add(Folder(tmp_path_factory.mktemp("schools"), engine)).schools()

        yield functools.cache(read)


def csv(header, *rows):
    return "\r\n".join([header, *rows]) + "\r\n"


# ----------------------------------------------------------------------------------------
# GIAS
# ----------------------------------------------------------------------------------------

GIAS_HEADER = (
    '"URN","LA (code)","LA (name)","EstablishmentNumber","EstablishmentName",'
    '"TypeOfEstablishment (name)","EstablishmentStatus (name)","OpenDate","CloseDate",'
    '"PhaseOfEducation (name)","NumberOfPupils","PercentageFSM","Trusts (code)","Trusts (name)",'
    '"SEN1 (name)","SEN2 (name)","SEN3 (name)","TypeOfResourcedProvision (name)",'
    '"ResourcedProvisionOnRoll","ResourcedProvisionCapacity","SenUnitOnRoll","SenUnitCapacity"'
)
GIAS = csv(
    GIAS_HEADER,
    # A base, its needs out of order; é and a dash that only Windows-1252 writes so.
    '100001,"201","City of London","3614","École – St Anne","Academy converter","Open",'
    '"01-09-2012","","Primary","276","10.2","2057","Ash Trust",'
    '"SLCN - Speech, language and Communication","ASD - Autistic Spectrum Disorder","",'
    '"Resourced provision","12","14","",""',
    # Both kinds; more pupils than places; a need in other letters; SEN1 not applicable.
    '100002,"202","Camden","12","Beech","Community school","Open","","","Secondary","900","31.4",'
    '"","","Not Applicable","SpLD - Specific Learning Difficulty",'
    '"SEMH - Social, Emotional and Mental Health","Resourced provision and SEN unit",'
    '"8","10","21","20"',
    # Declared to have none, and closed.
    '100003,"202","Camden","4001","Cedar","Community school","Closed","01-01-1950","31-08-2019",'
    '"Secondary","","","","","","","","Not applicable","","","",""',
    # Silent on bases; opened before calendars agreed.
    '100004,"202","Camden","4002","Dogwood","Voluntary aided school","Open","01-01-1604","",'
    '"Not applicable","120","0","","","","","","","","","",""',
    # A word that nobody knows, for the base and for the need.
    '100005,"202","Camden","4003","Elm","Free schools","Open","31-02-2020","","Secondary","50",'
    '"SUPP","","","ZEBRA - Stripes","","","Zebra house","","","",""',
    '100006,"202","Camden","4004","Fir","Free schools","Open","","","Secondary","55",'
    '"4","","","","","","SEN unit","","","9","9"',
)


def ees(folder):
    return folder.add("ees_sen", EES)


def gias(folder):
    return folder.add("gias", GIAS, "edubasealldata20250422.csv", "cp1252")


def test_a_gias_download_in_windows_1252_is_read(read_once):
    schools, _ = read_once(gias)

    assert list(schools) == ["100001", "100002", "100003", "100004", "100005", "100006"]
    first = {name: value for name, value in schools["100001"].items() if value is not None}
    assert {name: value for name, value in first.items() if not name.startswith("why:")} == {
        "urn": "100001",
        "laestab": "2013614",
        "name": "École – St Anne",
        "la": "201",
        "la_name": "City of London",
        "phase": "Primary",
        "school_type": "Academy converter",
        "status": "Open",
        "opened": datetime.date(2012, 9, 1),
        "trust_id": "2057",
        "trust_name": "Ash Trust",
        "pupils_on_roll": 276.0,
        "fsm_percent": 10.2,
        "base_type": "resourced_provision",
        "rp_pupils": 12.0,
        "rp_places": 14.0,
        "base_needs": "ASD;SLCN",
        "held_by": "gias",
    }


def test_an_establishment_number_is_padded_to_four_digits(read_once):
    schools, _ = read_once(gias)

    assert schools["100002"]["laestab"] == "2020012"


def test_the_type_of_base_and_why_there_is_none(read_once):
    schools, faults = read_once(gias)

    assert [(row["base_type"], row["why:base_type"]) for row in schools.values()] == [
        ("resourced_provision", None),
        ("sen_unit_and_resourced_provision", None),
        (None, "no base"),
        (None, "blank"),
        ("unknown", None),
        ("sen_unit", None),
    ]
    told = faults["unknown_base_word"]
    assert (told.count, told.stops) == (1, False)
    assert "Zebra" not in str(told)


def test_a_users_own_word_for_a_base(folder):
    words = {"Zebra House": "support_base"}
    schools, faults = gias(folder).schools(base_words=words)

    assert schools["100005"]["base_type"] == "support_base"
    assert "unknown_base_word" not in faults
    schools, _ = gias(folder).schools(base_words={"zebra house": ""})
    assert schools["100005"]["why:base_type"] == "no base"


def test_needs_are_codes_in_the_order_of_the_alphabet(read_once):
    schools, faults = read_once(gias)

    assert [row["base_needs"] for row in schools.values()] == [
        "ASD;SLCN",
        "SEMH;SPLD",
        None,
        None,
        None,
        None,
    ]
    assert faults["unknown_need"].count == 1
    assert "ZEBRA" not in str(faults["unknown_need"])


def test_what_gias_gets_wrong_is_counted_and_stops_nothing(read_once):
    schools, faults = read_once(gias)

    # 1604 is in no calendar that is read here, 31 February in none at all.
    assert (faults["not_a_date"].column, faults["not_a_date"].count) == ("opened", 2)
    assert faults["unit_over_capacity"].count == 1
    assert schools["100002"]["sen_unit_pupils"] == 21
    assert schools["100005"]["why:fsm_percent"] == "SUPP"
    assert not any(told.stops for told in faults.values())


def test_suppressed_values_are_counted_and_none_is_zero(folder):
    tables = gias(folder).read()

    assert tables.coded["schools"]["fsm_percent"] == 1
    assert tables.labels["schools"] == "edubasealldata20250422.csv"


@pytest.mark.parametrize("key", ["gias", "performance_census", "schools"])
def test_a_school_twice_stops_the_study(folder, key):
    header = "urn,la" if key == "schools" else "URN,LA (code)" if key == "gias" else "URN,LA"
    _, faults = folder.add(key, csv(header, "100001,201", "100001,201", "100002,201")).schools()

    assert (faults["school_twice"].count, faults["school_twice"].stops) == (1, True)


def test_a_file_without_a_schools_number_is_refused(folder):
    with pytest.raises(DataError, match="URN"):
        folder.add("gias", csv("EstablishmentName", "Ash")).gathered()


def test_a_table_of_ones_own_without_a_schools_number_stops_the_study(folder):
    tables = folder.add("schools", csv("name,pupils_on_roll", "Ash,90")).read()

    assert "schools" not in tables.frames
    assert [told.rule for told in tables.faults if told.stops] == ["no_column"]


def test_a_national_register_takes_seconds(folder):
    row = GIAS.splitlines()[1][len("100001") :]
    body = "\r\n".join(f"{100000 + number}{row}" for number in range(50_000))
    folder.add("gias", f"{GIAS_HEADER}\r\n{body}\r\n", encoding="cp1252")
    began = time.perf_counter()
    tables = folder.read()

    assert tables.labels["schools"] == "gias.csv"
    assert time.perf_counter() - began < 20


# ----------------------------------------------------------------------------------------
# Performance tables
# ----------------------------------------------------------------------------------------

CENSUS = "﻿" + csv(
    "URN,LA,ESTAB,SCHOOLTYPE,NOR,PSENELSE,PSENELK,PNUMEAL,PNUMFSMEVER",
    "100001,201,3614,State-funded primary,285,1.8,17.5,49.5,16.2",
    "100002,202,12,State-funded secondary,1002,2%,NA,0,SUPP",
    "100007,203,4000,Independent school,40,NP,x,NE,LOWCOV",
    "NAT,,SEC,State-funded secondary,3327970,1.7,10.8,16.9,27.7",
)
KS4 = "﻿" + csv(
    "RECTYPE,LEA,ESTAB,URN,SCHNAME,NFTYPE,TPUP,ATT8SCR,P8MEA,PTL2BASICS_95",
    "1,202,12,100002,Beech,CY,180,46.7,-0.09,43.2%",
    "1,203,4000,100007,Gum,IND,NA,SUPP,LOWCOV,NE",
    "4,202,,,,,1571,48.5,0.09,46.2%",
    "5,,,,,,605874,44.5,,39.8%",
)
ABSENCE = "﻿" + csv(
    "LA,ESTAB,URN,PERCTOT,PPERSABS10",
    "201,3614,100001,2.6,3.4",
    "302,12,100002,6,SUPP",
    "NAT,SEC,,5.5,13.7",
)


def performance(folder):
    folder.add("performance_census", CENSUS)
    folder.add("performance_ks4", KS4)
    return folder.add("performance_absence", ABSENCE)


def test_codes_percent_signs_and_marks_of_byte_order(read_once):
    schools, _ = read_once(performance)

    found = schools["100002"]
    assert (found["ehcp_percent"], found["english_maths_5_percent"]) == (2.0, 43.2)
    assert (found["eal_percent"], found["why:eal_percent"]) == (0.0, None)
    coded = ("ehcp_percent", "sen_support_percent", "eal_percent", "fsm_ever_percent")
    found = schools["100007"]
    assert [found[name] for name in coded] == [None] * 4
    assert [found[f"why:{name}"] for name in coded] == ["NP", "x", "NE", "LOWCOV"]
    assert (found["attainment8"], found["why:attainment8"]) == (None, "SUPP")
    assert (found["pupils_at_end_of_ks4"], found["why:pupils_at_end_of_ks4"]) == (None, "NA")


def test_totals_are_left_out_and_counted(folder):
    tables = performance(folder).read()
    left = {told.file: told.count for told in tables.faults if told.rule == "no_school"}

    assert left == {
        "performance_census.csv": 1,
        "performance_ks4.csv": 2,
        "performance_absence.csv": 1,
    }


def test_a_school_of_any_file_is_kept_and_its_files_are_named(read_once):
    schools, _ = read_once(performance)

    assert {urn: row["held_by"] for urn, row in schools.items()} == {
        "100001": "performance_census;performance_absence",
        "100002": "performance_census;performance_absence;performance_ks4",
        "100007": "performance_census;performance_ks4",
    }
    assert schools["100001"]["why:attainment8"] == "not in file"


def test_schools_of_every_file_alone(folder):
    performance(folder)
    tables = folder.read(keep="every")
    rows = folder.engine.collect(tables.frames["schools"], ["urn"]).to_pylist()

    assert [row["urn"] for row in rows] == ["100002"]
    left = {told.file: told.count for told in tables.faults if told.rule == "not_in_every_file"}
    assert left == {"performance_absence.csv": 1, "performance_ks4.csv": 1}


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("2018-2019_england_census.csv", 2019),
        ("2018-19_england_census.csv", 2019),
        ("england_census_201819.csv", 2019),
        ("census_2019.csv", 2019),
    ],
)
def test_the_year_that_a_files_name_says(folder, name, year):
    schools, _ = folder.add("performance_census", CENSUS, name).schools()

    assert {row["year"] for row in schools.values()} == {year}


def test_years_side_by_side_and_a_register_that_knows_none(folder):
    for year in ("2018", "2019"):
        (folder.path / f"census_{year}.csv").write_text(CENSUS, encoding="utf-8")
    folder.named["performance_census"] = "census_*.csv"
    tables = gias(folder).read()
    rows = folder.engine.collect(tables.frames["schools"], ["urn", "year"]).to_pylist()

    assert [(row["urn"], row["year"], row["base_type"]) for row in rows][:4] == [
        ("100001", 2018, "resourced_provision"),
        ("100001", 2019, "resourced_provision"),
        ("100002", 2018, "sen_unit_and_resourced_provision"),
        ("100002", 2019, "sen_unit_and_resourced_provision"),
    ]
    # In the register alone: no year is made up.
    assert {row["urn"] for row in rows if row["year"] is None} == {
        "100003",
        "100004",
        "100005",
        "100006",
    }
    assert {row["urn"] for row in rows if row["year"] and row["urn"] == "100007"} == {"100007"}


# ----------------------------------------------------------------------------------------
# Several files
# ----------------------------------------------------------------------------------------


def test_the_order_of_files_is_stated(folder, engine):
    parts = read_school_parts(gias(performance(folder)).gathered(), engine)
    given = givers(parts)

    assert list(parts) == ["gias", "performance_census", "performance_absence", "performance_ks4"]

    assert given["pupils_on_roll"] == ("performance_census", "gias")
    assert given["la"] == (
        "gias",
        "performance_census",
        "performance_ks4",
        "performance_absence",
    )
    assert given["base_type"] == ("gias",)


def test_where_files_disagree_the_first_is_read_and_schools_are_counted(folder):
    gias(performance(folder))
    tables = folder.read()
    rows = folder.engine.collect(tables.frames["schools"], ["urn"]).to_pylist()
    schools = {row["urn"]: row for row in rows}
    counts = {told.column: told.count for told in tables.faults if told.rule == "files_disagree"}

    # Pupils on roll: 285 and 276, 1002 and 900. Authority of 100002: 202, 202 and 302.
    assert counts == {"pupils_on_roll": 2, "la": 1, "laestab": 1}
    assert schools["100001"]["pupils_on_roll"] == 285
    assert schools["100004"]["pupils_on_roll"] == 120
    assert schools["100002"]["la"] == "202"


def test_another_order_can_be_asked_for(folder):
    schools, _ = gias(performance(folder)).schools(first=["gias"])

    assert schools["100001"]["pupils_on_roll"] == 276


def test_a_table_of_ones_own_comes_first(folder):
    own = csv("urn,base_type,local_offer,pupils_on_roll", "100003,own_unit,Y,7", "100001,,N,")
    schools, faults = gias(folder.add("schools", own)).schools()

    assert schools["100003"]["base_type"] == "own_unit"
    assert schools["100003"]["local_offer"] == 1
    # Empty in one's own table: the register is asked.
    assert schools["100001"]["base_type"] == "resourced_provision"
    assert schools["100001"]["pupils_on_roll"] == 276
    # The register says that 100003 has none.
    assert (faults["base_in_one_file"].count, faults["base_in_one_file"].stops) == (1, False)


def test_the_order_of_rows_changes_nothing(folder, tmp_path):
    head, *rows = GIAS.splitlines()
    one, _ = gias(folder).schools()
    folder.add("gias", csv(head, *reversed(rows)), encoding="cp1252")
    other, _ = folder.schools()

    assert one == other


# ----------------------------------------------------------------------------------------
# SEN statistics by school
# ----------------------------------------------------------------------------------------

EES_HEADER = (
    "time_period,geographic_level,old_la_code,la_name,school_urn,school_laestab,school_name,"
    "phase_type_grouping,establishment_type,open_date,provision_for_asd,provision_for_slcn,"
    "specialist_provision_unit_type,sen_provision,sen_primary_need,pupil_count"
)


def ees_rows(urn, asd, slcn, *counts, opened="z"):
    """Write a school's rows: unit type, SEN provision, need, pupils."""
    school = f"202425,School,202,Camden,{urn},2020012,Beech,State-funded secondary,Community"
    return [
        f'{school},{opened},{asd},{slcn},{unit},"{provision}",{need},{pupils}'
        for unit, provision, need, pupils in counts
    ]


EVERYONE = ("All pupils", "All pupils", "All pupils")
PLANS = "Education, health and care plans"
EES = csv(
    EES_HEADER,
    "202425,National,,,,,,Total,Total,z,z,z,All pupils,All pupils,All pupils,9000000",
    # What R makes of 100000. Rows by need and by unit, which add up to more than the pupils.
    *ees_rows(
        "1e+05",
        "Yes",
        "No",
        (*EVERYONE, 200),
        ("All pupils", PLANS, "All pupils", 13),
        ("All pupils", "SEN support", "All pupils", 31),
        ("All pupils", "No SEN", "All pupils", 156),
        ("All pupils", "All pupils", "Autistic Spectrum Disorder", 9),
        ("All pupils", PLANS, "Autistic Spectrum Disorder", 8),
        ("SEN unit", "All pupils", "All pupils", 11),
        ("SEN unit", PLANS, "All pupils", 10),
        ("SEN unit", PLANS, "Autistic Spectrum Disorder", 8),
        ("Resourced provision", "All pupils", "All pupils", 4),
    ),
    # Other words for the totals; a unit that nobody is in; pupils not available.
    *ees_rows(
        "100002",
        "x",
        "z",
        ("Total", "Total", "Total", "z"),
        ("Total", PLANS, "Total", "x"),
        ("Resourced provision", "Total", "Total", 0),
        ("SEN unit", "Total", "Total", 0),
        opened="2001-09-01",
    ),
    # A unit whose pupils are confidential.
    *ees_rows("100003", "Yes", "Yes", (*EVERYONE, 90), ("SEN unit", *EVERYONE[1:], "c")),
    # Words that nobody knows.
    *ees_rows(
        "100004",
        "No",
        "No",
        (*EVERYONE, 10),
        ("Zebra house", *EVERYONE[1:], 2),
        ("All pupils", "Zebra", "All pupils", 2),
    ),
    # Not applicable by the release's own guidance.
    *ees_rows("100005", "No", "No", (*EVERYONE, 10), ("x", *EVERYONE[1:], 10)),
)


def test_nobody_is_counted_twice(read_once):
    schools, faults = read_once(ees)

    found = schools["100000"]
    assert found["year"] == 2025
    assert found["pupils_on_roll"] == 200
    assert found["sen_unit_pupils"] == 11
    assert found["rp_pupils"] == 4
    # 13 and 31 of 200 pupils.
    assert (found["ehcp_percent"], found["sen_support_percent"]) == (6.5, 15.5)
    assert found["base_type"] == "sen_unit_and_resourced_provision"
    assert found["base_needs"] == "ASD"
    assert (found["la"], found["laestab"], found["school_group"]) == (
        "202",
        "2020012",
        "State-funded secondary",
    )
    assert faults["no_school"].count == 1


def test_a_unit_without_pupils_is_none_and_a_hidden_count_is_one(read_once):
    schools, faults = read_once(ees)

    assert {urn: (r["base_type"], r["why:base_type"]) for urn, r in schools.items()} == {
        "100000": ("sen_unit_and_resourced_provision", None),
        "100002": (None, "no base"),
        "100003": ("sen_unit", None),
        "100004": ("unknown", None),
        "100005": (None, "no base"),
    }
    assert (schools["100003"]["sen_unit_pupils"], schools["100003"]["why:sen_unit_pupils"]) == (
        None,
        "c",
    )
    assert faults["unknown_base_word"].count == 1
    assert faults["unknown_provision"].count == 1
    assert "ebra" not in " ".join(str(told) for told in faults.values())


def test_x_and_z_mean_what_the_releases_own_guidance_says(read_once):
    schools, _ = read_once(ees)
    found = schools["100002"]

    assert (found["pupils_on_roll"], found["why:pupils_on_roll"]) == (None, "not available")
    assert (found["ehcp_percent"], found["why:ehcp_percent"]) == (None, "not applicable")
    assert schools["100003"]["why:opened"] == "not available"


def test_a_release_with_the_standard_meaning(folder):
    standard = {"x": "not available", "z": "not applicable"}
    schools, faults = folder.add("ees_sen", EES).schools(ees_codes=standard)

    assert schools["100002"]["why:pupils_on_roll"] == "not applicable"
    # `x` no longer says that there is no unit.
    assert schools["100005"]["base_type"] == "unknown"
    assert faults["unknown_base_word"].count == 2


def test_one_total_on_two_rows_stops_the_study(folder):
    text = csv(EES_HEADER, *ees_rows("100001", "No", "No", (*EVERYONE, 5), (*EVERYONE, 6)))
    _, faults = folder.add("ees_sen", text).schools()

    assert (faults["school_twice"].count, faults["school_twice"].stops) == (1, True)


def test_without_a_row_for_all_pupils_a_unit_may_be_the_whole_school(folder):
    rows = ees_rows("100001", "No", "No", ("SEN unit", *EVERYONE[1:], 900))
    schools, faults = folder.add("ees_sen", csv(EES_HEADER, *rows)).schools()

    assert schools["100001"]["base_type"] == "sen_unit"
    assert schools["100001"]["sen_unit_pupils"] is None
    assert (faults["no_total_row"].count, faults["no_total_row"].stops) == (1, False)


def test_a_file_that_does_not_say_which_rows_are_totals_is_refused(folder):
    with pytest.raises(DataError, match="sen_primary_need"):
        folder.add("ees_sen", csv("school_urn,pupil_count", "100001,3")).gathered()


def test_the_statistics_and_the_register_disagree_on_a_base(folder):
    gias(folder).add("ees_sen", EES)
    tables = folder.read()
    found = {(told.rule, told.column): told.count for told in tables.faults}

    # 100002: both kinds in the register, none here. 100003: none there, a SEN unit here.
    assert found["base_in_one_file", "base_type"] == 3
    assert ("files_disagree", "base_type") not in found


# ----------------------------------------------------------------------------------------
# Benchmarks
# ----------------------------------------------------------------------------------------

BENCHMARK_HEADER = "measure,value,unit,geography,need,sen_provision,phase,year,source,published"
BENCHMARKS = csv(
    BENCHMARK_HEADER,
    "overall_absence,7.1,%,Camden,ASD,,Secondary,2024,Pupil absence,2025-03-20",
    'overall_absence,14.6,%,England,Autistic spectrum disorder,"Education, health and care plan",'
    "State-funded secondary,2024,Pupil absence,20/03/2025",
    "overall_absence,7.1,%,England,All,Total,,2024,Pupil absence,2025-03-20",
    "overall_absence,c,%,England,SEMH,K,SS,2024,Pupil absence,2025-03-20",
    "attainment8,27.1,points,England,asd,E,ss,2023,Key stage 4,2023-10-19",
    "attainment8,29,points,England,Zebra,,,2024,Key stage 4,2024-12-05",
)


def picked(folder, **wanted):
    tables = folder.add("benchmarks", BENCHMARKS).read()
    wanted = {"needs": [], "phases": [], "sen_provisions": [], "years": [], **wanted}
    frame = tables.frames["benchmarks"]
    return matching_benchmarks(frame, engine=folder.engine, **wanted), tables


def test_published_figures_are_read_and_ordered(folder):
    table, tables = picked(folder)

    assert tables.faults == ()
    assert list(table.columns) == [*TABLES["benchmarks"].names(), "reason"]
    assert table[["measure", "geography", "need", "sen_provision", "phase"]].fillna(
        "-"
    ).to_numpy().tolist() == [
        ["attainment8", "England", "ASD", "E", "SS"],
        ["attainment8", "England", "Zebra", "-", "-"],
        ["overall_absence", "England", "-", "-", "-"],
        ["overall_absence", "England", "ASD", "E", "SS"],
        ["overall_absence", "England", "SEMH", "K", "SS"],
        ["overall_absence", "Camden", "ASD", "-", "SS"],
    ]
    hidden = table[table["need"] == "SEMH"].iloc[0]
    assert hidden["value"] != hidden["value"]
    assert hidden["reason"] == "c"
    assert tables.coded["benchmarks"]["value"] == 1


def test_those_of_a_study_and_those_of_all_pupils_are_picked(folder):
    table, _ = picked(
        folder,
        needs=["autistic spectrum disorder"],
        phases=["SS"],
        sen_provisions=["E"],
        years=[2024],
    )

    assert table["value"].tolist() == [7.1, 14.6, 7.1]
    assert table["geography"].tolist() == ["England", "England", "Camden"]
    assert set(table["year"]) == {2024}


@pytest.mark.parametrize("column", ["measure", "unit", "geography", "year", "source", "published"])
def test_a_figure_without_source_or_date_stops_the_study(folder, column):
    header = BENCHMARK_HEADER.split(",")
    row = ["absence", "7.1", "%", "England", "", "", "", "2024", "Pupil absence", "2025-03-20"]
    row[header.index(column)] = ""
    tables = folder.add("benchmarks", csv(BENCHMARK_HEADER, ",".join(row))).read()
    [told] = tables.faults

    assert (told.rule, told.column, told.count, told.stops) == ("no_value", column, 1, True)


def test_two_figures_for_one_group_stop_the_study(folder):
    row = "absence,7.1,%,England,,,,2024,Pupil absence,2025-03-20"
    tables = folder.add("benchmarks", csv(BENCHMARK_HEADER, row, row)).read()

    assert [(told.rule, told.count, told.stops) for told in tables.faults] == [
        ("benchmark_twice", 1, True)
    ]


def test_a_file_without_dates_stops_the_study(folder):
    tables = folder.add("benchmarks", csv("measure,value", "absence,7.1")).read()

    stopping = {told.column for told in tables.faults if told.stops}
    assert stopping == {"unit", "geography", "year", "source", "published"}


def test_published_figures_from_a_workbook(folder):
    book = openpyxl.Workbook()
    for line in BENCHMARKS.splitlines()[:2]:
        book.active.append(line.split(","))
    book.save(folder.path / "figures.xlsx")
    folder.named["benchmarks"] = "figures.xlsx"
    tables = folder.read()

    assert tables.faults == ()
    found = folder.engine.collect(tables.frames["benchmarks"], []).to_pylist()
    assert (found[0]["value"], found[0]["year"], found[0]["phase"]) == (7.1, 2024, "SS")


def test_a_frame_in_place_of_a_file(engine):
    table = pa.table({"URN": [100001.0, None], "LA": [201, 202], "NOR": [7, 8]})
    gathered = gather_frames([engine.table(table)], crosswalk("performance_census"), engine, "t")
    tables = read_school_files({"performance_census": gathered}, engine)
    rows = engine.collect(tables.frames["schools"], []).to_pylist()

    assert [(row["urn"], row["la"], row["pupils_on_roll"]) for row in rows] == [
        ("100001", "201", 7.0)
    ]

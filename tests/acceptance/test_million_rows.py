"""A census of a million rows with seventy kinds of fault, checked in one pass over the data.

The census is clean but for the pupils of `PLANTS`: each kind of fault has its own thousand pupils,
of whom so many have it, and nothing else. What is found must be that, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa
import pytest

from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.contracted import read_contract
from baseeval.sources.crosswalk import contract_crosswalk
from baseeval.sources.gathering import gather_files

PUPILS, YEARS = 250_000, (2019, 2020, 2021, 2022)
CONTRACT = TABLES["pupils"]

#: A clean pupil: column -> SQL of the pupil's number `p`, the year `y`, and the plant `k`, if any.
CLEAN = {
    "pupil_id": "'P' || lpad(p::varchar, 17, '0')",
    "year": "y::varchar",
    "term": "'SPR'",
    "urn": "(100000 + p % 3000)::varchar",
    "laestab": "(2000000 + p % 3000)::varchar",
    "la": "'200'",
    "phase": "'SS'",
    "recorded": "null",
    "year_group": "(y - 2012)::varchar",
    "sex": "case when p % 2 = 0 then 'F' else 'M' end",
    "birth_year": "'2007'",
    "birth_month": "(1 + p % 12)::varchar",
    "ethnicity": "'WBRI'",
    "language": "'ENG'",
    "fsm": "(p % 2)::varchar",
    "fsm6": "case when p % 3 = 0 then 'Y' else '1' end",
    "idaci": "(p % 1000 / 1000)::varchar",
    "idaci_rank": "(1 + p % 32000)::varchar",
    "looked_after": "'n'",
    "sen_provision": "case when k is not null then 'N' else ['E', 'k', 'N'][1 + p % 3] end",
    "primary_need": "case when k is null and p % 3 < 2 then 'ASD' end",
    "secondary_need": "case when k is null and p % 3 = 0 then 'SLCN' end",
    "sen_unit": "case when k is null and p % 12 = 0 then '1' else '0' end",
    "resourced_provision": "'0'",
    "enrolment": "'C'",
    "on_roll": "'1'",
    "entry_date": "'2018-09-01'",
    "ehcp_date": "case when k is null and p % 3 = 0 then '01/03/2016' end",
    "consent": "' 1 '",
    "withdrawn": "null",
}

K = {"sen_provision": "K", "primary_need": "ASD"}
E = {"sen_provision": "E", "primary_need": "ASD"}
OWN = "sql:(200000 + p)::varchar"
PAIR = "sql:(500000 + p // 2)::varchar"
ODD = "case when p % 2 = 0 then '{}' else '{}' end"

CODES = "hold something that is neither a number nor a known code (SUPP, NE, NA, NP, LOWCOV, "
TEXT = f"{CODES}c, x, z, low, u)"
YES_NO = "hold something that is neither yes nor no (1 or 0, Y or N, true or false)"
NO_DATE = "hold something that is not a date (2022-09-01, 01/09/2022 and 01-09-2022 are read)"
NEED_CODE = "hold a code that is not one of SPLD, MLD, SLD, PMLD, SEMH, SLCN, HI, 7 more"
FORM = "hold something that has not the form of this key"
ENDLESS, BROKEN = "hold a number without end (infinity)", "hold a number that is not whole"
IMPOSSIBLE = "hold a value that is impossible here ({} is possible)"


@dataclass(frozen=True)
class Plant:
    """A kind of fault: its rule and column, its message after the count, and how it is made."""

    rule: str
    column: str
    message: str
    cells: dict[str, str]
    years: tuple[int, ...] = (2019,)
    also: dict[int, dict[str, str]] = field(default_factory=dict)
    unit: str = "rows"
    copies: dict[str, str] | None = None
    share: int = 1
    stops: bool = False


PLANTS = [
    Plant("no_value", "pupil_id", "hold no value", {"pupil_id": ""}),
    Plant("no_value", "year", "hold no value", {"year": ""}),
    Plant("out_of_range", "year", IMPOSSIBLE.format("1996 to 2100"), {"year": "1066"}),
    Plant("text_in_number", "year", TEXT, {"year": "soon"}, stops=True),
    Plant("not_whole", "year", BROKEN, {"year": "2019.5"}),
    Plant("infinity", "year", ENDLESS, {"year": "1e999"}, stops=True),
    Plant("unknown_code", "term", "hold a code that is not one of AUT, SPR, SUM", {"term": "WIN"}),
    Plant("wrong_form", "urn", FORM, {"urn": "12345", "laestab": "2009997"}),
    Plant("wrong_form", "laestab", FORM, {"laestab": "200/1234", "urn": OWN}),
    Plant("wrong_form", "la", FORM, {"la": "Kent"}),
    Plant(
        "unknown_code",
        "phase",
        "hold a code that is not one of NS, PS, MP, MS, SS, SP, PR, AT",
        {"phase": "ZZ"},
    ),
    Plant(
        "unknown_code",
        "year_group",
        "hold a code that is not one of E1, E2, N1, N2, R, 1, 2, 13 more",
        {"year_group": "15"},
    ),
    Plant("unknown_code", "sex", "hold a code that is not one of F, M", {"sex": "X?"}),
    Plant("out_of_range", "birth_year", IMPOSSIBLE.format("1980 to 2100"), {"birth_year": "1066"}),
    Plant("text_in_number", "birth_year", TEXT, {"birth_year": "May"}, stops=True),
    Plant("out_of_range", "birth_month", IMPOSSIBLE.format("1 to 12"), {"birth_month": "13"}),
    Plant("not_whole", "birth_month", BROKEN, {"birth_month": "4.5"}),
    Plant("not_yes_or_no", "fsm", YES_NO, {"fsm": "maybe"}),
    Plant("not_yes_or_no", "fsm6", YES_NO, {"fsm6": "2"}),
    Plant("text_in_number", "idaci", TEXT, {"idaci": "high"}, stops=True),
    Plant("infinity", "idaci", ENDLESS, {"idaci": "-1e999"}, stops=True),
    Plant("out_of_range", "idaci", IMPOSSIBLE.format("0 to 1"), {"idaci": "1.5"}),
    Plant("out_of_range", "idaci_rank", IMPOSSIBLE.format("1 to 33755"), {"idaci_rank": "40000"}),
    Plant("not_whole", "idaci_rank", BROKEN, {"idaci_rank": "7.5"}),
    Plant("not_yes_or_no", "looked_after", YES_NO, {"looked_after": "was"}),
    Plant(
        "unknown_code",
        "sen_provision",
        "hold a code that is not one of N, K, E",
        {"sen_provision": "Q"},
    ),
    Plant("unknown_code", "primary_need", NEED_CODE, {"primary_need": "AUTISM"}),
    Plant("unknown_code", "secondary_need", NEED_CODE, {"secondary_need": "ADHD"}),
    Plant("not_yes_or_no", "sen_unit", YES_NO, {"sen_unit": "both"}),
    Plant("not_yes_or_no", "resourced_provision", YES_NO, {"resourced_provision": "7"}),
    Plant(
        "unknown_code",
        "enrolment",
        "hold a code that is not one of C, M, S, G, F, O, P",
        {"enrolment": "?"},
    ),
    Plant("not_yes_or_no", "on_roll", YES_NO, {"on_roll": "half"}),
    Plant("not_a_date", "recorded", NO_DATE, {"recorded": "2019-02-29"}),
    Plant("not_a_date", "entry_date", NO_DATE, {"entry_date": "2019-02-29"}),
    Plant("not_a_date", "ehcp_date", NO_DATE, {"ehcp_date": "31/11/2018"}),
    Plant("not_yes_or_no", "consent", YES_NO, {"consent": "asked"}),
    Plant("not_a_date", "withdrawn", NO_DATE, {"withdrawn": "2020"}),
    Plant(
        "need_without_sen",
        "primary_need",
        "have a type of need and no SEN provision",
        {"primary_need": "ASD"},
    ),
    Plant(
        "sen_without_need",
        "primary_need",
        "have SEN provision and no type of need, in a spring census",
        {"sen_provision": "K"},
    ),
    Plant(
        "secondary_without_primary",
        "secondary_need",
        "have a secondary need and no primary one",
        {"secondary_need": "SLCN"},
    ),
    Plant(
        "same_need_twice",
        "secondary_need",
        "have the same primary and secondary need",
        {**K, "secondary_need": "asd"},
    ),
    Plant(
        "need_before_its_code",
        "primary_need",
        "have a type of need whose code began in a later year (DS in 2025, NSA in 2015)",
        {**K, "primary_need": "DS"},
    ),
    Plant(
        "unassessed_with_plan",
        "primary_need",
        "have an EHC plan and the need code for no specialist assessment (NSA)",
        {**E, "primary_need": "NSA"},
        (2022,),
    ),
    Plant(
        "two_kinds_of_base",
        "resourced_provision",
        "have both the SEN unit and the resourced provision flag",
        {**K, "sen_unit": "1", "resourced_provision": "true"},
    ),
    Plant(
        "flag_without_sen",
        "sen_unit",
        "have a base flag and no SEN provision",
        {"resourced_provision": "1"},
    ),
    Plant(
        "base_in_special_school",
        "sen_unit",
        "have a base flag in a special school",
        {**K, "sen_unit": "1", "phase": "SP", "urn": OWN},
    ),
    Plant(
        "recorded_outside_year",
        "recorded",
        "have a day on which the row was true outside the school year that it names",
        {"recorded": "2019-09-01"},
    ),
    Plant(
        "born_after_year",
        "birth_year",
        "have a birth in the year of the census or later",
        {"birth_year": "2019", "year_group": "", "entry_date": ""},
        YEARS,
    ),
    Plant(
        "entry_before_birth",
        "entry_date",
        "have an entry to the school before the pupil's first birthday",
        {"entry_date": "01-12-2007"},
    ),
    Plant(
        "entry_after_year",
        "entry_date",
        "have an entry to the school after the school year that the row describes",
        {"entry_date": "2020-02-01"},
    ),
    Plant(
        "entry_after_census",
        "entry_date",
        "have an entry to the school in a month after the census, though not after the year",
        {"entry_date": "2019-03-01"},
    ),
    Plant(
        "plan_before_birth",
        "ehcp_date",
        "have an EHC plan before the pupil's birth",
        {**E, "ehcp_date": "2006-05-05"},
        (2022,),
    ),
    Plant(
        "plan_before_plans",
        "ehcp_date",
        "have an EHC plan before September 2014, when plans began",
        {**E, "ehcp_date": "2014-08-31"},
        (2022,),
    ),
    Plant(
        "plan_without_provision",
        "sen_provision",
        "have an EHC plan's date before the census and SEN provision other than E",
        {"ehcp_date": "2018-05-05"},
    ),
    Plant(
        "withdrawn_before_entry",
        "withdrawn",
        "have a withdrawal from the study before entry to the school",
        {"withdrawn": "2018-08-31"},
    ),
    Plant(
        "fsm_and_never_fsm",
        "fsm6",
        "have free school meals now and not within six years",
        {"fsm": "yes", "fsm6": "no"},
    ),
    Plant(
        "age_and_year_group",
        "year_group",
        "have a curriculum year more than three years from the pupil's age",
        {"year_group": "12"},
        also={year: {"year_group": ""} for year in YEARS[1:]},
    ),
    Plant(
        "year_group_and_phase",
        "year_group",
        "have a curriculum year that schools of this phase do not have",
        {"phase": "PS", "urn": OWN},
    ),
    Plant(
        "current_and_off_roll",
        "on_roll",
        "have a current enrolment (C or M) off the roll",
        {"on_roll": "0"},
    ),
    Plant(
        "previous_and_on_roll",
        "on_roll",
        "have a previous enrolment (P) on the roll",
        {"enrolment": "P"},
    ),
    Plant(
        "la_and_laestab",
        "la",
        "have a local authority other than that of its LAESTAB",
        {"la": "201"},
    ),
    Plant(
        "phase_differs",
        "phase",
        "have more than one phase in one year",
        {"urn": PAIR, "laestab": "2009999", "phase": f"sql:{ODD.format('SS', 'AT')}"},
        unit="schools",
        share=2,
    ),
    Plant(
        "laestab_differs",
        "laestab",
        "have more than one LAESTAB in one year",
        {"urn": PAIR, "laestab": f"sql:{ODD.format('2009998', '2009999')}"},
        unit="schools",
        share=2,
    ),
    Plant(
        "row_twice",
        "pupil_id",
        "have more than one row in one census at one school",
        {},
        unit="pupil records",
        copies={},
    ),
    Plant(
        "two_main_schools",
        "urn",
        "have two schools in one census, both of them the main one (C or M)",
        {},
        unit="pupil records",
        copies={"urn": OWN, "enrolment": "M"},
    ),
    Plant(
        "sex_differs",
        "sex",
        "have a sex that differs from one row to another",
        {"sex": "F"},
        also={2020: {"sex": "M"}},
        unit="pupils",
    ),
    Plant(
        "birth_year_differs",
        "birth_year",
        "have a year of birth that differs from one row to another",
        {"birth_year": "2008"},
        unit="pupils",
    ),
    Plant(
        "birth_month_differs",
        "birth_month",
        "have a month of birth that differs from one row to another",
        {"birth_month": "1"},
        also={2020: {"birth_month": "2"}},
        unit="pupils",
    ),
    Plant(
        "ethnicity_differs",
        "ethnicity",
        "have an ethnic group that differs from one row to another",
        {"ethnicity": "AIND"},
        unit="pupils",
    ),
    Plant(
        "language_differs",
        "language",
        "have a first language that differs from one row to another",
        {"language": "PNJ"},
        unit="pupils",
    ),
    Plant(
        "plan_date_differs",
        "ehcp_date",
        "have a date of the first EHC plan that differs from one row to another",
        {**E, "ehcp_date": "2018-05-05"},
        (2021,),
        also={2022: {**E, "ehcp_date": "2018-06-05"}},
        unit="pupils",
    ),
    Plant(
        "year_group_out_of_step",
        "year_group",
        "have year groups that fall back, or leap, by two years or more against the calendar",
        {"year_group": "10"},
        (2020,),
        unit="pupils",
    ),
    Plant(
        "plan_lost",
        "sen_provision",
        "have an EHC plan in one year and no SEN provision in a later one",
        E,
        unit="pupils",
    ),
]

#: Pupils with each kind: even, and no two alike.
PLANTED = [12 + 2 * number for number in range(len(PLANTS))]
MANY = 5_000


class Watched(Engine):
    """An engine that notes how often each query scans a table, and how many rows come to Python."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[str] = []
        self.brought = 0

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        self.plans.append(frame.to_native().explain())
        return super().keep(frame)

    def collect(self, frame: nw.LazyFrame[Any], order: Any) -> pa.Table:
        self.plans.append(frame.to_native().explain())
        table = super().collect(frame, order)
        self.brought += table.num_rows
        return table

    def counts(self, frame: nw.LazyFrame[Any], expressions: Any) -> dict[str, int]:
        if expressions:
            self.plans.append(frame.to_native().explain())
            self.brought += 1
        return super().counts(frame, expressions)


def sql(value: str) -> str:
    return value.removeprefix("sql:") if value.startswith("sql:") else f"'{value}'"


def cell(column: str) -> str:
    """Write the SQL of a column: what is planted in it, else what a clean pupil has."""
    cases = []
    for number, plant in enumerate(PLANTS):
        years = dict.fromkeys(plant.years, plant.cells) | plant.also
        for year, cells in years.items():
            if column in cells:
                cases.append(f"when k = {number} and y = {year} then {sql(cells[column])}")
    clean = CLEAN[column]
    return f"case {' '.join(cases)} else {clean} end" if cases else clean


def write_census(path: Path) -> int:
    """Write the census, and return its rows."""
    kinds = f"p // 1000 < {len(PLANTS)} and p % 1000 < 12 + 2 * (p // 1000)"
    columns = ", ".join(f'{cell(name)} as "{name}"' for name in CLEAN)
    parts = [f"select {columns} from keys"]
    for number, plant in enumerate(PLANTS):
        if plant.copies is not None:
            copied = ", ".join(
                f'{sql(plant.copies[name]) if name in plant.copies else CLEAN[name]} as "{name}"'
                for name in CLEAN
            )
            parts.append(f"select {copied} from keys where k = {number} and y = 2019")
    with duckdb.connect() as connection:
        connection.execute(
            f"create table keys as select p, y, case when {kinds} then p // 1000 end as k from "
            f"range({PUPILS}) r(p), unnest({list(YEARS)}) u(y)"
        )
        union = " union all ".join(parts)
        done = connection.execute(f"copy ({union}) to '{path}' (header)").fetchone()
    assert done is not None
    return int(done[0])


@pytest.fixture(scope="module")
def census(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("million") / "census.csv"
    assert write_census(path) >= 1_000_000
    return path


def test_each_of_seventy_kinds_of_fault_is_found_and_counted_in_one_pass(census: Path) -> None:
    with Watched() as engine:
        crosswalk = contract_crosswalk(CONTRACT)
        gathered = gather_files(census.name, census.parent, crosswalk, engine, "pupils")
        raw = gathered.frame.to_native().explain()
        engine.plans.clear()
        read = read_contract(gathered.frame, CONTRACT, engine, gathered.label)

    found = {(fault.rule, fault.column): fault for fault in read.faults}
    expected = {
        (plant.rule, plant.column): (
            number // plant.share,
            f"{number // plant.share:,} {plant.unit} {plant.message}",
            plant.stops,
        )
        for plant, number in zip(PLANTS, PLANTED, strict=True)
    }
    assert len(expected) == len(PLANTS) >= 40
    assert {key: (f.count, f.what, f.stops) for key, f in found.items()} == expected
    assert len(found) == len(read.faults)
    assert all(fault.where == f"census.csv, column `{fault.column}`" for fault in read.faults)
    assert all(fault.remedy.endswith(".") for fault in read.faults)

    assert scans(raw) == ["t0"]
    assert sum(scans(plan).count("t0") for plan in engine.plans) == 1
    assert engine.brought < MANY, "rows came to Python"


def scans(plan: str) -> list[str]:
    """Name the tables that a plan scans, once for each scan."""
    words = plan.replace("│", " ").split()
    names = [word for word in words if word.startswith("memory.main.")]
    return [name.removeprefix("memory.main.") for name in names]


def test_every_rule_of_the_contract_is_planted() -> None:
    assert {rule.name for rule in CONTRACT.rules} <= {plant.rule for plant in PLANTS}


def test_rows_that_can_be_read_but_once_are_enough(census: Path) -> None:
    """A stream is spent when it has been read: a second pass would count nothing."""
    with Engine() as engine, duckdb.connect() as connection:
        rows = connection.sql(
            f"select * from read_csv('{census}', all_varchar = true) where pupil_id[-3:] < '020'"
        ).to_arrow_table()
        stream = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=1000))
        once = nw.from_native(engine._connection.from_arrow(stream))
        spent = read_contract(once, CONTRACT, engine, "p.csv")
        kept = read_contract(engine.table(rows), CONTRACT, engine, "p.csv")
    assert len(kept.faults) > 60
    assert spent.faults == kept.faults

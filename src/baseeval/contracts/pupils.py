"""Pupils as the school census records them."""

from __future__ import annotations

from baseeval.contracts.census_rules import RULES
from baseeval.contracts.tables import TableContract
from baseeval.contracts.tables import domain_column as column
from baseeval.contracts.vocabulary import (
    ENROLMENTS,
    NEEDS,
    PHASES,
    SEN_PROVISIONS,
    SEXES,
    TERMS,
    YEAR_GROUPS,
)

_SPRING = "School census, spring only"
_CENSUS = "School census"

COLUMNS = (
    column(
        "pupil_id",
        "key",
        "Pupil, the same in every table",
        required=True,
        needed=True,
        source="PupilMatchingRefAnonymous",
    ),
    column(
        "year",
        "integer",
        "School year, named by the summer in which it ends: 2022 is 2021/22",
        required=True,
        needed=True,
        low=1996,
        high=2100,
    ),
    column("term", "code", "Term of the census", codes=TERMS, source=_CENSUS),
    column(
        "recorded",
        "date",
        "Day on which the row was true, such as the day of a school's own export; by default the "
        "census day of the term",
    ),
    column(
        "urn",
        "key",
        "School (Unique Reference Number)",
        pattern=r"^\d{6}$",
        required=True,
        source=_CENSUS,
    ),
    column(
        "laestab",
        "key",
        "Local authority and establishment number",
        pattern=r"^\d{7}$",
        source=_CENSUS,
    ),
    column("la", "key", "Local authority, three digits", pattern=r"^\d{3}$", source=_CENSUS),
    column("phase", "code", "Phase of the school", codes=PHASES, source=_CENSUS),
    column("year_group", "code", "Curriculum year", codes=YEAR_GROUPS, source="NCyearActual"),
    column("sex", "code", "Sex as the census records it", codes=SEXES, source="Sex, Gender"),
    column("birth_year", "integer", "Year of birth", low=1980, high=2100, source="YearOfBirth"),
    column("birth_month", "integer", "Month of birth", low=1, high=12, source="MonthOfBirth"),
    column("ethnicity", "category", "Ethnic group", source="EthnicGroupMinor"),
    column("language", "category", "First language", source="LanguageGroupMinor"),
    column("fsm", "flag", "Eligible for free school meals", source="FSMeligible"),
    column(
        "fsm6",
        "flag",
        "Eligible for free school meals at any time in six years",
        source=f"EverFSM_6; {_SPRING}",
    ),
    column(
        "idaci",
        "number",
        "Share of children nearby in income-deprived families",
        unit="proportion",
        low=0,
        high=1,
        source="IDACIScore",
    ),
    column(
        "idaci_rank",
        "integer",
        "Rank of the neighbourhood by IDACI",
        low=1,
        high=33755,
        source="IDACIRank",
    ),
    column("looked_after", "flag", "Looked after by a local authority, now or ever"),
    column("sen_provision", "code", "SEN provision", codes=SEN_PROVISIONS, source="SENprovision"),
    column(
        "primary_need",
        "code",
        "Primary type of need",
        codes=NEEDS,
        source=f"PrimarySENtype; {_SPRING}",
    ),
    column(
        "secondary_need",
        "code",
        "Secondary type of need",
        codes=NEEDS,
        source=f"SecondarySENtype; {_SPRING}",
    ),
    column("sen_unit", "flag", "Member of a SEN unit", source="SENUnitIndicator"),
    column(
        "resourced_provision",
        "flag",
        "Member of a resourced provision",
        source="ResourcedProvisionIndicator",
    ),
    column("enrolment", "code", "Enrolment status", codes=ENROLMENTS, source="EnrolStatus"),
    column("on_roll", "flag", "On roll on census day", source="OnRoll"),
    column("entry_date", "date", "Day of entry to the school", source="EntryDate"),
    column("ehcp_date", "date", "Day on which the first EHC plan was issued", source="SEN2"),
    column("consent", "flag", "Consent to take part; no leaves the pupil out"),
    column("withdrawn", "date", "Day of withdrawal from the study; leaves the pupil out"),
)

CONTRACT = TableContract(
    "pupils",
    "A pupil at one school census",
    ("pupil_id", "year", "term", "urn"),
    COLUMNS,
    RULES,
    "School census, by way of the National Pupil Database or a school's own system",
)

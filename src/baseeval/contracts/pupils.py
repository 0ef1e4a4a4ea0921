"""Pupils as the school census records them."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import Rule, TableContract
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
    column("urn", "key", "School (Unique Reference Number)", required=True, source=_CENSUS),
    column("laestab", "key", "Local authority and establishment number", source=_CENSUS),
    column("la", "key", "Local authority, three digits", source=_CENSUS),
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

_HAS_NEED = ~nw.col("primary_need").is_null()

RULES = (
    Rule(
        "need_without_sen",
        ("primary_need", "sen_provision"),
        _HAS_NEED & (nw.col("sen_provision") == "N"),
        "a type of need and no SEN provision",
        "They are read as they stand: check them with the school, or the extract's dates.",
    ),
    Rule(
        "secondary_without_primary",
        ("secondary_need", "primary_need"),
        ~nw.col("secondary_need").is_null() & ~_HAS_NEED,
        "a secondary need and no primary one",
        "They are read as they stand; `need_rule` in [eligibility] says which need counts.",
    ),
    Rule(
        "same_need_twice",
        ("secondary_need", "primary_need"),
        nw.col("secondary_need") == nw.col("primary_need"),
        "the same primary and secondary need",
        "They are read as they stand; the second adds nothing.",
    ),
    Rule(
        "two_kinds_of_base",
        ("resourced_provision", "sen_unit"),
        (nw.col("resourced_provision") == 1) & (nw.col("sen_unit") == 1),
        "both the SEN unit and the resourced provision flag",
        "Both count as a base; the type is read as SEN unit and resourced provision.",
    ),
    Rule(
        "flag_without_sen",
        ("sen_unit", "resourced_provision", "sen_provision"),
        ((nw.col("sen_unit") == 1) | (nw.col("resourced_provision") == 1))
        & (nw.col("sen_provision") == "N"),
        "a base flag and no SEN provision",
        "They are read as they stand: check the flags with the school.",
    ),
    Rule(
        "fsm_and_never_fsm",
        ("fsm6", "fsm"),
        (nw.col("fsm") == 1) & (nw.col("fsm6") == 0),
        "free school meals now and not within six years",
        "They are read as they stand: one of the two columns is wrong.",
    ),
    Rule(
        "entry_before_birth",
        ("entry_date", "birth_year"),
        nw.col("entry_date").dt.year() <= nw.col("birth_year"),
        "an entry to the school before the pupil's first birthday",
        "They are read as they stand: mend the dates, or the years of birth.",
    ),
    Rule(
        "entry_after_year",
        ("entry_date", "year"),
        nw.col("entry_date").dt.year() > nw.col("year"),
        "an entry to the school after the school year that the row describes",
        "They are read as they stand: mend the dates, or the names of the extract's columns.",
    ),
    Rule(
        "age_and_year_group",
        ("year_group", "birth_year", "year"),
        (
            nw.col("year_group").is_in([str(year) for year in range(1, 15)])
            & (
                (
                    nw.col("year")
                    - nw.col("birth_year")
                    - nw.when(nw.col("year_group").is_in([str(year) for year in range(1, 15)]))
                    .then(nw.col("year_group"))
                    .otherwise(nw.lit("0"))
                    .cast(nw.Int64)
                    - 5
                ).abs()
                > 3
            )
        ),
        "a curriculum year more than three years from the pupil's age",
        "They are read as they stand: mend the year group, or the year of birth.",
    ),
)

CONTRACT = TableContract(
    "pupils",
    "A pupil at one school census",
    ("pupil_id", "year", "term", "urn"),
    COLUMNS,
    RULES,
    "School census, by way of the National Pupil Database or a school's own system",
)

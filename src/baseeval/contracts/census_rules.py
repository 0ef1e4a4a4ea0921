"""What must hold in a school census: within a row, and between the rows of a pupil or school.

None of these stops a study. A census is as schools sent it, nobody can mend a national extract,
and much that looks wrong has a cause: each is counted, and is a question for who knows the data.
"""

from __future__ import annotations

import datetime

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import Rule

_AS_IT_STANDS = "They are read as they stand"
_ASK = f"{_AS_IT_STANDS}: check them with the school, or the extract's dates."
_DATES = f"{_AS_IT_STANDS}: mend the dates, or the names of the extract's columns."
_LOOK = f"{_AS_IT_STANDS}: check that these are one pupil, and which row is right."

_ONE_OF_THEM = (
    "Of an NPD extract one row a pupil and census is read (C or M, on roll, the lowest URN); in "
    "another file keep one yourself."
)

_YEAR, _TERM = nw.col("year"), nw.col("term")
_PROVISION, _NEED, _SECOND = (
    nw.col(name) for name in ("sen_provision", "primary_need", "secondary_need")
)
_BASE = (nw.col("sen_unit") == 1) | (nw.col("resourced_provision") == 1)
_ENTRY, _PLAN, _BORN = nw.col("entry_date"), nw.col("ehcp_date"), nw.col("birth_year")
_RECORDED = nw.col("recorded")
_GROUP, _PHASE = nw.col("year_group"), nw.col("phase")

#: EHC plans began then; until 2014 there were statements.
_FIRST_PLANS = datetime.date(2014, 9, 1)

_NUMBERED = [str(year) for year in range(1, 15)]
_EARLY = ["E1", "E2", "N1", "N2", "R"]

#: Reception is nought; what is before it, or not by year, has no number.
_GROUP_NUMBER = (
    nw.when(_GROUP.is_in(_NUMBERED))
    .then(_GROUP)
    .otherwise(nw.when(_GROUP == "R").then(nw.lit("0")).otherwise(nw.lit(None, nw.String)))
    .cast(nw.Int64)
)


def _month(date: nw.Expr) -> nw.Expr:
    """Return the months of a date, so that two may be compared."""
    return date.dt.year().cast(nw.Int64) * 12 + date.dt.month().cast(nw.Int64)


#: Censuses are taken in October, January and May.
_CENSUS_MONTH = (
    nw.when(_TERM == "AUT")
    .then(_YEAR * 12 - 2)
    .otherwise(nw.when(_TERM == "SPR").then(_YEAR * 12 + 1).otherwise(_YEAR * 12 + 5))
)

_NEEDS = (
    Rule(
        "need_without_sen",
        ("primary_need", "sen_provision"),
        ~_NEED.is_null() & (_PROVISION == "N"),
        "a type of need and no SEN provision",
        _ASK,
    ),
    Rule(
        "sen_without_need",
        ("primary_need", "sen_provision", "term"),
        _NEED.is_null() & _PROVISION.is_in(["K", "E"]) & (_TERM == "SPR"),
        "SEN provision and no type of need, in a spring census",
        f"{_AS_IT_STANDS}: no rule of need in [eligibility] finds them.",
    ),
    Rule(
        "secondary_without_primary",
        ("secondary_need", "primary_need"),
        ~_SECOND.is_null() & _NEED.is_null(),
        "a secondary need and no primary one",
        f"{_AS_IT_STANDS}; `need_rule` in [eligibility] says which need counts.",
    ),
    Rule(
        "same_need_twice",
        ("secondary_need", "primary_need"),
        _SECOND == _NEED,
        "the same primary and secondary need",
        f"{_AS_IT_STANDS}; the second adds nothing.",
    ),
    Rule(
        "need_before_its_code",
        ("primary_need", "year"),
        ((_NEED == "DS") & (_YEAR < 2025)) | ((_NEED == "NSA") & (_YEAR < 2015)),
        "a type of need whose code began in a later year (DS in 2025, NSA in 2015)",
        f"{_AS_IT_STANDS}: check the year, or how older codes were recoded.",
    ),
    Rule(
        "unassessed_with_plan",
        ("primary_need", "sen_provision"),
        (_NEED == "NSA") & (_PROVISION == "E"),
        "an EHC plan and the need code for no specialist assessment (NSA)",
        f"{_AS_IT_STANDS}: one of the two columns is wrong.",
    ),
)

_BASES = (
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
        _BASE & (_PROVISION == "N"),
        "a base flag and no SEN provision",
        f"{_AS_IT_STANDS}: check the flags with the school.",
    ),
    Rule(
        "base_in_special_school",
        ("sen_unit", "resourced_provision", "phase"),
        _BASE & (_PHASE == "SP"),
        "a base flag in a special school",
        f"{_AS_IT_STANDS}: a base is part of a mainstream school, so check flag and phase.",
    ),
)

_DAYS = (
    Rule(
        "recorded_outside_year",
        ("recorded", "year"),
        (_month(_RECORDED) < _YEAR * 12 - 3) | (_month(_RECORDED) > _YEAR * 12 + 8),
        "a day on which the row was true outside the school year that it names",
        f"{_AS_IT_STANDS}: mend the day or the year.",
    ),
    Rule(
        "born_after_year",
        ("birth_year", "year"),
        _BORN >= _YEAR,
        "a birth in the year of the census or later",
        f"{_AS_IT_STANDS}: mend the years of birth.",
    ),
    Rule(
        "entry_before_birth",
        ("entry_date", "birth_year"),
        _ENTRY.dt.year() <= _BORN,
        "an entry to the school before the pupil's first birthday",
        f"{_AS_IT_STANDS}: mend the dates, or the years of birth.",
    ),
    Rule(
        "entry_after_year",
        ("entry_date", "year"),
        _ENTRY.dt.year() > _YEAR,
        "an entry to the school after the school year that the row describes",
        _DATES,
    ),
    Rule(
        "entry_after_census",
        ("entry_date", "year", "term"),
        (_month(_ENTRY) > _CENSUS_MONTH) & (_ENTRY.dt.year() <= _YEAR) & ~_TERM.is_null(),
        "an entry to the school in a month after the census, though not after the year",
        _DATES,
    ),
    Rule(
        "plan_before_birth",
        ("ehcp_date", "birth_year"),
        _PLAN.dt.year() < _BORN,
        "an EHC plan before the pupil's birth",
        f"{_AS_IT_STANDS}: mend the dates, or the years of birth.",
    ),
    Rule(
        "plan_before_plans",
        ("ehcp_date", "birth_year"),
        (nw.lit(_FIRST_PLANS) > _PLAN) & ~(_PLAN.dt.year() < _BORN),
        "an EHC plan before September 2014, when plans began",
        f"{_AS_IT_STANDS}: a statement's date may stand for its plan's.",
    ),
    Rule(
        "plan_without_provision",
        ("sen_provision", "ehcp_date", "year", "term"),
        _PROVISION.is_in(["N", "K"]) & (_month(_PLAN) < _CENSUS_MONTH) & ~_TERM.is_null(),
        "an EHC plan's date before the census and SEN provision other than E",
        f"{_AS_IT_STANDS}: the plan ceased, or one of the two columns is wrong.",
    ),
    Rule(
        "withdrawn_before_entry",
        ("withdrawn", "entry_date"),
        nw.col("withdrawn") < _ENTRY,
        "a withdrawal from the study before entry to the school",
        "They are left out of the study: mend the dates if they are wrong.",
    ),
)

_PLACES = (
    Rule(
        "fsm_and_never_fsm",
        ("fsm6", "fsm"),
        (nw.col("fsm") == 1) & (nw.col("fsm6") == 0),
        "free school meals now and not within six years",
        f"{_AS_IT_STANDS}: one of the two columns is wrong.",
    ),
    Rule(
        "age_and_year_group",
        ("year_group", "birth_year", "year"),
        (_YEAR - _BORN - _GROUP_NUMBER - 5).abs() > 3,
        "a curriculum year more than three years from the pupil's age",
        f"{_AS_IT_STANDS}: mend the year group, or the year of birth.",
    ),
    Rule(
        "year_group_and_phase",
        ("year_group", "phase"),
        ((_PHASE == "PS") & (_GROUP_NUMBER > 6))
        | ((_PHASE == "SS") & ((_GROUP_NUMBER < 7) | _GROUP.is_in(_EARLY)))
        | ((_PHASE == "NS") & (_GROUP_NUMBER > 0)),
        "a curriculum year that schools of this phase do not have",
        f"{_AS_IT_STANDS}: check year group and phase.",
    ),
    Rule(
        "current_and_off_roll",
        ("on_roll", "enrolment"),
        (nw.col("on_roll") == 0) & nw.col("enrolment").is_in(["C", "M"]),
        "a current enrolment (C or M) off the roll",
        f"{_AS_IT_STANDS}: check which of the two columns is right.",
    ),
    Rule(
        "previous_and_on_roll",
        ("on_roll", "enrolment"),
        (nw.col("on_roll") == 1) & (nw.col("enrolment") == "P"),
        "a previous enrolment (P) on the roll",
        f"{_AS_IT_STANDS}: check which of the two columns is right.",
    ),
    Rule(
        "la_and_laestab",
        ("la", "laestab"),
        (nw.col("la") != nw.col("laestab").str.slice(0, 3))
        & nw.col("la").str.contains(r"^\d{3}$")
        & nw.col("laestab").str.contains(r"^\d{7}$"),
        "a local authority other than that of its LAESTAB",
        f"{_AS_IT_STANDS}: the school moved authority, or one of the two is wrong.",
    ),
)

_SCHOOLS = (
    Rule(
        "phase_differs",
        ("phase",),
        nw.col("first_phase") != nw.col("last_phase"),
        "more than one phase in one year",
        f"{_AS_IT_STANDS}, each row with its own: mend the phase.",
        per=("urn", "year"),
        gathered={"first_phase": ("phase", "min"), "last_phase": ("phase", "max")},
        unit="school",
    ),
    Rule(
        "laestab_differs",
        ("laestab",),
        nw.col("first_laestab") != nw.col("last_laestab"),
        "more than one LAESTAB in one year",
        f"{_AS_IT_STANDS}, each row with its own: mend the numbers.",
        per=("urn", "year"),
        gathered={"first_laestab": ("laestab", "min"), "last_laestab": ("laestab", "max")},
        unit="school",
    ),
)

_CENSUSES = (
    Rule(
        "row_twice",
        ("pupil_id", "urn"),
        nw.col("rows") > 1,
        "more than one row in one census at one school",
        _ONE_OF_THEM,
        per=("pupil_id", "year", "term", "urn"),
        gathered={"rows": ("", "rows")},
        unit="pupil record",
    ),
    Rule(
        "two_main_schools",
        ("urn", "enrolment"),
        nw.col("first_main") != nw.col("last_main"),
        "two schools in one census, both of them the main one (C or M)",
        _ONE_OF_THEM,
        per=("pupil_id", "year", "term"),
        worked={
            "main": nw.when(nw.col("enrolment").is_in(["C", "M"]))
            .then(nw.col("urn"))
            .otherwise(nw.lit(None, nw.String))
        },
        gathered={"first_main": ("main", "min"), "last_main": ("main", "max")},
        unit="pupil record",
    ),
)


def _differs(name: str, column: str, what: str) -> Rule:
    """Make the rule that a pupil has one value of a column, whatever the census."""
    return Rule(
        name,
        (column,),
        nw.col(f"first_{column}") != nw.col(f"last_{column}"),
        f"{what} from one row to another",
        _LOOK,
        per=("pupil_id",),
        gathered={f"first_{column}": (column, "min"), f"last_{column}": (column, "max")},
        unit="pupil",
    )


_PUPILS = (
    _differs("sex_differs", "sex", "a sex that differs"),
    _differs("birth_year_differs", "birth_year", "a year of birth that differs"),
    _differs("birth_month_differs", "birth_month", "a month of birth that differs"),
    _differs("ethnicity_differs", "ethnicity", "an ethnic group that differs"),
    _differs("language_differs", "language", "a first language that differs"),
    _differs("plan_date_differs", "ehcp_date", "a date of the first EHC plan that differs"),
    Rule(
        "year_group_out_of_step",
        ("year_group", "year"),
        nw.col("last_step") - nw.col("first_step") > 1,
        "year groups that fall back, or leap, by two years or more against the calendar",
        _LOOK,
        per=("pupil_id",),
        worked={"step": _GROUP_NUMBER - _YEAR},
        gathered={"first_step": ("step", "min"), "last_step": ("step", "max")},
        unit="pupil",
    ),
    Rule(
        "plan_lost",
        ("sen_provision", "year"),
        nw.col("first_with_plan") < nw.col("last_without_sen"),
        "an EHC plan in one year and no SEN provision in a later one",
        f"{_AS_IT_STANDS}: plans cease seldom, so check the later row.",
        per=("pupil_id",),
        worked={
            "with_plan": nw.when(_PROVISION == "E").then(_YEAR).otherwise(nw.lit(None, nw.Int64)),
            "without_sen": nw.when(_PROVISION == "N").then(_YEAR).otherwise(nw.lit(None, nw.Int64)),
        },
        gathered={
            "first_with_plan": ("with_plan", "min"),
            "last_without_sen": ("without_sen", "max"),
        },
        unit="pupil",
    ),
)

RULES = (*_NEEDS, *_BASES, *_DAYS, *_PLACES, *_SCHOOLS, *_CENSUSES, *_PUPILS)

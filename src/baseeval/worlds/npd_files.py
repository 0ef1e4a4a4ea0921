"""An area in the shape of the National Pupil Database: an extract a census, stage or year.

Headings are the extracts' own, with the ends that name term and year. They are kept here, apart
from the reader's, so that the two are witnesses of each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from baseeval.worlds.contract_results import KEY_STAGE_2

#: Extract -> column of the contract -> heading.
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "census": {
        "pupil_id": "PupilMatchingRefAnonymous",
        "urn": "URN",
        "la": "LA",
        "phase": "Phase",
        "year_group": "NCyearActual",
        "sex": "Sex",
        "fsm": "FSMeligible",
        "sen_provision": "SENprovision",
        "primary_need": "PrimarySENtype",
        "secondary_need": "SecondarySENtype",
        "sen_unit": "SENUnitIndicator",
        "resourced_provision": "ResourcedProvisionIndicator",
        "enrolment": "EnrolStatus",
        "on_roll": "OnRoll",
        "entry_date": "EntryDate",
    },
    "absence": {
        "pupil_id": "PupilMatchingRefAnonymous",
        "urn": "URN",
        "sessions_possible": "SessionsPossible_Annual",
        "overall": "OverallAbsence_Annual",
    },
    "ks2": {
        "pupil_id": "PupilMatchingRefAnonymous",
        "year": "ACADYR",
        "outcome": "READOUTCOME",
        "value": "READSCORE",
    },
    "exclusions": {
        "pupil_id": "PupilMatchingRefAnonymous",
        "urn": "URN",
        "suspensions": "TotalFixedExclusions",
    },
}

#: Needs are in the spring census alone.
_SPRING = ("primary_need", "secondary_need")

#: The reading test's scores; beneath them there is a word and no score.
LOWEST, HIGHEST = 80, 120
_SCORED, _BELOW, _NOT_ENTERED = "AS", "B", "L"


def npd_files(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Lay the tables of an area out as extracts would arrive.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        From :func:`baseeval.worlds.contract_tables.contract_tables`.

    Returns
    -------
    dict of str to pyarrow.Table
        Name of a file, such as ``census_spr2025``, to its columns. Scores of the reading test
        end at 80 and 120: under it stands ``B`` and no score. Scores at entry to a primary
        school, answers to questionnaires and a school's own assessments are in no extract.
    """
    made: dict[str, pa.Table] = {}
    census = tables["pupils"]
    for term in ("SPR", "AUT"):
        held = census.filter(pc.equal(census["term"], term))
        for year, rows in _by_year(held).items():
            names = [n for n in HEADINGS["census"] if term == "SPR" or n not in _SPRING]
            end = f"_{term}{year % 100:02d}"
            made[f"census_{term.lower()}{year}"] = _headed("census", rows, names, end=end)
    for extract, table, end in (
        ("absence", "attendance", "ab"),
        ("exclusions", "exclusions", "ex"),
    ):
        if table in tables:
            figure = tables[table][list(HEADINGS[extract])[-1]]
            for year, rows in _by_year(tables[table].filter(pc.is_valid(figure))).items():
                suffix = f"_{end}{year % 100:02d}"
                made[f"{extract}_{year}"] = _headed(
                    extract, rows, list(HEADINGS[extract]), end=suffix
                )
    results = tables["attainment"]
    tests = results.filter(pc.equal(results["measure"], KEY_STAGE_2))
    for year, rows in _by_year(tests).items():
        names = list(HEADINGS["ks2"])
        made[f"ks2_{year}"] = _headed("ks2", _with_outcome(rows), names, start="KS2_")
    return made


def _by_year(table: pa.Table) -> dict[int, pa.Table]:
    years = sorted(pc.unique(table["year"]).to_pylist())
    return {year: table.filter(pc.equal(table["year"], year)) for year in years}


def _with_outcome(rows: pa.Table) -> pa.Table:
    """Add how the test came out, and keep only scores that the test has."""
    score = rows["value"]
    below = pc.less(score, LOWEST)
    said = pc.if_else(below, _BELOW, _SCORED)
    outcome = pc.if_else(pc.is_null(score), _NOT_ENTERED, said)
    capped = pc.if_else(below, None, pc.min_element_wise(score, HIGHEST, skip_nulls=False))
    at = rows.column_names.index("value")
    return rows.set_column(at, "value", capped).append_column("outcome", outcome)


def _headed(
    extract: str, rows: pa.Table, names: list[str], *, start: str = "", end: str = ""
) -> pa.Table:
    """Put the extract's headings on columns, and write whole numbers as such."""
    made = {}
    for name in names:
        column = rows[name]
        if pa.types.is_boolean(column.type) or pa.types.is_floating(column.type):
            column = column.cast(pa.int32())
        made[f"{start}{HEADINGS[extract][name]}{end}"] = column
    return pa.table(made)

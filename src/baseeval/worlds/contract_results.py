"""Results, sessions, answers and suspensions of an area, as their contracts have them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baseeval.worlds.areas import Recorded
from baseeval.worlds.contract_types import contract_table, words
from baseeval.worlds.missing import SURVEY
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.recording import SUBSCALES
from baseeval.worlds.roll import Roll, rows_at, rows_by_wave
from baseeval.worlds.scales import SUPPORTS

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

#: The score at entry: of the tests at the end of Year 6, or of a primary school's own.
KEY_STAGE_2, _ENTRY_SCORE = "ks2_reading_scaled", "entry_score"
_FIRST_SECONDARY, _FIRST_JUNIOR = 7, 3

#: Month and day of tests, of a school's own assessments, and of questionnaires.
_TESTS, _ASSESSED, _ASKED = (5, 15), (6, 15), (6, 10)

#: Questionnaire -> its items, whose columns have the same names.
_INSTRUMENTS = {"belonging": SURVEY, "difficulties": SUBSCALES, "support": SUPPORTS}


def attendance_rows(recorded: Recorded, roll: Roll) -> pa.Table:
    """Lay out the sessions of each pupil and school year.

    Parameters
    ----------
    recorded : Recorded
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``attendance``; sessions that were not recorded are missing.
    """
    who, wave = rows_by_wave(roll)
    possible = recorded.columns["possible"][who, wave]
    present = recorded.columns["present"][who, wave]
    columns = {
        **_of_year(roll, who, wave),
        "sessions_possible": possible,
        "sessions_attended": present,
        "overall": possible - present,
    }
    if "part_time" in recorded.columns:
        columns["part_time"] = recorded.columns["part_time"][who, wave]
    return contract_table("attendance", columns)


def exclusions_rows(recorded: Recorded, roll: Roll) -> pa.Table:
    """Lay out the suspensions of each pupil and school year.

    Parameters
    ----------
    recorded : Recorded
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``exclusions``.
    """
    who, wave = rows_by_wave(roll)
    counts = recorded.columns["suspensions"][who, wave]
    return contract_table("exclusions", {**_of_year(roll, who, wave), "suspensions": counts})


def _of_year(roll: Roll, who: Whole, wave: Whole) -> dict[str, pa.Array | NDArray[np.intp]]:
    urn = np.where(wave == 0, roll.before, roll.urns[roll.everyone.school[who]])
    return {"pupil_id": roll.ids.take(pa.array(who)), "year": roll.entry - 1 + wave, "urn": urn}


def attainment_rows(recipe: WorldRecipe, recorded: Recorded, roll: Roll) -> pa.Table:
    """Lay out the score at entry and the assessment of each wave, a result a row.

    Parameters
    ----------
    recipe : WorldRecipe
    recorded : Recorded
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``attainment``. A score that is missing was `not_entered`, an assessment
        `absent`; where tests were called off there is no row.
    """
    prior = recorded.columns["prior"][:, 0]
    there = np.logical_or.reduce(roll.stays, axis=1)
    if recipe.disorder.prior_lost:
        there = there & ~(np.isnan(prior) & np.isin(_test_year(roll), (2020, 2021)))
    first = rows_at(roll, there)
    secondary = roll.everyone.year[first] >= _FIRST_SECONDARY
    year = _test_year(roll)[first]
    scores = _results(
        roll,
        first,
        year,
        _days(year, _TESTS),
        words(["entry", "KS2"], secondary),
        words([_ENTRY_SCORE, KEY_STAGE_2], secondary),
        words(["teacher_assessed", "exam"], secondary),
        prior[first],
        "not_entered",
    )
    who, wave = rows_by_wave(roll)
    year = roll.entry - 1 + wave
    assessed = _results(
        roll,
        who,
        year,
        _days(year, _ASSESSED),
        pa.array(["assessment"] * len(who)),
        pa.array(["attainment"] * len(who)),
        pa.array(["teacher_assessed"] * len(who)),
        recorded.columns["attainment"][who, wave],
        "absent",
    )
    return pa.concat_tables([scores, assessed])


def _test_year(roll: Roll) -> Whole:
    """Give the school year of the score at entry: that of Year 6, of Year 2, or before entry."""
    group = roll.everyone.year
    past = group - np.where(group >= _FIRST_SECONDARY, _FIRST_SECONDARY, _FIRST_JUNIOR)
    return np.asarray(roll.entry - 1 - np.maximum(past, 0), dtype=np.intp)


def _results(
    roll: Roll,
    who: Whole,
    year: Whole,
    day: NDArray[np.datetime64],
    stage: pa.Array,
    measure: pa.Array,
    basis: pa.Array,
    value: Floats,
    lost: str,
) -> pa.Table:
    return contract_table(
        "attainment",
        {
            "pupil_id": roll.ids.take(pa.array(who)),
            "year": year,
            "stage": stage,
            "measure": measure,
            "value": value,
            "status": words([None, lost], np.isnan(value)),
            "basis": basis,
            "date": day,
        },
    )


def surveys_rows(recorded: Recorded, roll: Roll) -> pa.Table:
    """Lay out the answers, one a row; what was not answered has none.

    Parameters
    ----------
    recorded : Recorded
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``surveys``: the instruments belonging, difficulties (its subscales'
        scores) and support, so far as the world has them.
    """
    who, wave = rows_by_wave(roll)
    asked = [
        (instrument, item)
        for instrument, items in _INSTRUMENTS.items()
        for item in items
        if item in recorded.columns
    ]
    values = np.column_stack([recorded.columns[item][who, wave] for _, item in asked])
    row, item = np.nonzero(~np.isnan(values))
    day = _days(roll.entry - 1 + wave, _ASKED)[row]
    # Half points are the finest: twice the answer is a position in a list of texts.
    texts: list[str | None] = [f"{half / 2:g}" for half in range(2 * 10 + 1)]
    return contract_table(
        "surveys",
        {
            "pupil_id": roll.ids.take(pa.array(who[row])),
            "date": day,
            "instrument": words([name for name, _ in asked], item),
            "item": words([name for _, name in asked], item),
            "answer": words(texts, 2 * values[row, item]),
            "respondent": pa.array(["pupil"] * len(row), pa.string()),
        },
    )


def _days(year: Whole, month_day: tuple[int, int]) -> NDArray[np.datetime64]:
    """Give a day of the summer of each school year."""
    month, day = month_day
    january = (year - 1970).astype("datetime64[Y]")
    first = january.astype("datetime64[M]") + (month - 1)
    return np.asarray(first.astype("datetime64[D]") + (day - 1))

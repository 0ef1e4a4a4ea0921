"""The trust's workbook filled in, for pupils of a synthetic world: nobody in it is real."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from baseeval.worlds import simulate

Row = dict[Any, Any]

_SEX = {"female": "F", "male": "M"}
_NEEDS = {"language": "SLCN", "learning": "MLD"}

#: The last wave of the world stands for the end of the school year.
_LAST = 3


def example_rows(year: int) -> dict[str, list[Row]]:
    """Return rows for every sheet of the workbook.

    Parameters
    ----------
    year : int
        The school year, by the summer in which it ends.

    Returns
    -------
    dict of str to list of dict
        Name of a sheet -> rows, each heading -> value.
    """
    pupils = simulate("src_replication", seed=1).tables["pupils"]
    pupils = pupils[pupils["autistic"] == "yes"]
    first = pupils[pupils["wave"] == 1].reset_index(drop=True)
    first = first.assign(urn=[f"9000{school[1:]}" for school in first["school_id"]])
    last = pupils[pupils["wave"] == _LAST].set_index("pupil_id")
    records = first.to_dict("records")
    return {
        "Pupils": [_pupil(row, year) for row in records],
        "Placements": [_placement(row, year) for row in records if row["placement"] == "SRC"],
        "Bases": list(_bases(first, year)),
        "Results": [
            *_results(records, "prior", dt.date(year - 1, 7, 1), float),
            *_results(_at_end(records, last), "attainment", dt.date(year, 6, 15), _on_the_scale),
        ],
        "Attendance": [_attendance(row, year) for row in _at_end(records, last)],
        "Survey": [_answers(row, year) for row in _at_end(records, last)],
    }


def _pupil(row: Row, year: int) -> Row:
    return {
        "pupil_id": row["pupil_id"],
        "urn": row["urn"],
        "recorded": dt.date(year - 1, 9, 15),
        "year_group": str(row["year_group"]),
        "sex": _SEX[row["sex"]],
        "sen_provision": "E" if row["ehcp"] == "yes" else "K",
        "primary_need": "ASD",
        "secondary_need": _NEEDS.get(row["cooccurring_need"]),
        "fsm": row["fsm"],
        "consent": "yes",
    }


def _placement(row: Row, year: int) -> Row:
    return {
        "pupil_id": row["pupil_id"],
        "urn": row["urn"],
        "base_id": f"base-{row['urn']}",
        "base_type": "specialist_resource_centre",
        "start": dt.date(year - 1, 9, 3),
        "share_of_time_in_base": 0.4,
        "decision": "placed",
    }


def _bases(first: pd.DataFrame, year: int) -> Iterator[Row]:
    hosts = sorted(first.loc[first["placement"] == "SRC", "urn"].unique())
    for urn in hosts:
        yield {
            "base_id": f"base-{urn}",
            "urn": urn,
            "name": "An example",
            "base_type": "specialist_resource_centre",
            "commissioner": "la",
            "needs": "ASD",
            "places": 20,
            "opened": dt.date(year - 6, 9, 1),
        }


def _at_end(records: list[Row], last: pd.DataFrame) -> list[Row]:
    """Put what the last wave recorded beside who the pupil is."""
    ends = {str(pupil): dict(row) for pupil, row in last.to_dict("index").items()}
    return [row | ends[row["pupil_id"]] for row in records if row["pupil_id"] in ends]


def _on_the_scale(points: float) -> float:
    """Put the points of the world (mean 50, SD 10) on the scale of its entry score."""
    return 100 + 1.5 * (points - 50)


def _results(
    records: list[Row], name: str, day: dt.date, scale: Callable[[float], float]
) -> Iterator[Row]:
    for row in records:
        if not pd.isna(row[name]):
            yield {
                "pupil_id": row["pupil_id"],
                "measure": "reading",
                "date": day,
                "value": round(scale(float(row[name]))),
            }


def _attendance(row: Row, year: int) -> Row:
    known = not pd.isna(row["present"])
    return {
        "pupil_id": row["pupil_id"],
        "year": year,
        "sessions_possible": int(row["possible"]) if known else None,
        "sessions_attended": int(row["present"]) if known else None,
    }


def _answers(row: Row, year: int) -> Row:
    answers = {f"b{n:02d}": row[f"b{n:02d}"] for n in range(1, 7)}
    given = {item: int(answer) for item, answer in answers.items() if not pd.isna(answer)}
    return {
        "pupil_id": row["pupil_id"],
        "date": dt.date(year, 6, 10),
        "respondent": "pupil",
        "mode": "standard",
        "status": "answered" if given else "away",
        **given,
    }

"""Ways out of a base: how many base pupils left, for where, and by when."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.assembling import Assembled
from baseeval.contracts.placements import WAYS_OUT
from baseeval.engine.duckdb_engine import Engine
from baseeval.numerics.competing_risks import CumulativeIncidence, cumulative_incidence
from baseeval.placement.stays import Spell, follow_stay, years_between
from baseeval.results import ANY_WAY

WAYS_OUT_COLUMNS = (
    "way",
    "years",
    "pupils",
    "pupils_at_risk",
    "left",
    "share",
    "std_error",
    "schools",
    "schools_at_risk",
    "clusters",
)

#: Reception to Year 6, or Year 7 to Year 13: nobody stays longer in one base.
_MOST_YEARS = 7


@dataclass(frozen=True, slots=True)
class _Stays:
    """The stays of base pupils: years, code of the way out (0 for none), school's number."""

    entry: NDArray[np.float64]
    leaving: NDArray[np.float64]
    way: NDArray[np.int64]
    school: NDArray[np.int64]


def count_ways_out(made: Assembled, grace_days: int, engine: Engine) -> pd.DataFrame:
    """Count the ways out of the base that made each base pupil one, by years since the first day.

    Parameters
    ----------
    made : Assembled
    grace_days : int
        A spell that begins so many days after another ended follows it.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``way, years, pupils, pupils_at_risk, left, share, std_error, schools,
        schools_at_risk, clusters``: one row a way, and one for all ways, at each whole number of
        years. ``pupils`` is everybody who was followed, ``pupils_at_risk`` those in the base and
        followed when the last of these years begins, ``left`` those known to have left so within
        these years, ``share`` the cumulative incidence (Aalen and Johansen), ``schools`` those
        of the pupils who left so. Empty where census flags make the placements: a flag says
        neither the last day nor where to.

    Notes
    -----
    A pupil who had the place before time zero is in the study because it had not ended by then:
    such a pupil is followed from time zero on. All are followed to the end of what the
    data cover: 31 August of the last census's school year, or the last day of which the file says
    anything if that is earlier.
    """
    empty = pd.DataFrame(columns=list(WAYS_OUT_COLUMNS))
    if not made.placed.dated or made.placed.told_until is None or not made.years:
        return empty
    until = min(date(max(made.years), 8, 31), made.placed.told_until)
    stays = _stays(made, until, grace_days, engine)
    if not stays.entry.size:
        return empty
    last = min(_MOST_YEARS, math.ceil(stays.leaving.max()))
    at = np.arange(1, last + 1, dtype=np.float64)
    found = cumulative_incidence(
        stays.entry, stays.leaving, stays.way, len(WAYS_OUT), at, stays.school
    )
    records = [
        _row(stays, found, number, position)
        for number in range(len(WAYS_OUT) + 1)
        for position in range(at.size)
    ]
    return pd.DataFrame.from_records(records, columns=list(WAYS_OUT_COLUMNS))


def _stays(made: Assembled, until: date, grace_days: int, engine: Engine) -> _Stays:
    """Follow every base pupil whose place began by the end of what is known."""
    base = made.starts.filter((nw.col("arm") == "base") & ~nw.col("base_start").is_null())
    who = base.select("pupil", "zero", "base_id", "base_start", "base_urn")
    columns = ("base_id", "start", "end", "left_for")
    mine = made.placed.spells.rename({"pupil_id": "pupil"})
    mine = mine.join(base.select("pupil"), on="pupil", how="semi").select("pupil", *columns)
    spells: dict[str, list[Spell]] = defaultdict(list)
    for row in engine.collect(mine, ["pupil", *columns]).to_pylist():
        spells[row["pupil"]].append(Spell(*(row[name] for name in columns)))
    codes = {way: number for number, way in enumerate(WAYS_OUT, 1)}
    rows: list[tuple[float, float, int, str]] = []
    for row in engine.collect(who, ["pupil"]).to_pylist():
        entered = years_between(row["base_start"], max(row["zero"], row["base_start"]))
        own = spells[row["pupil"]]
        first = next(
            spell
            for spell in own
            if (spell.base_id, spell.start) == (row["base_id"], row["base_start"])
        )
        if first.start > until:
            continue
        stay = follow_stay(first, own, until, grace_days)
        if stay.years > entered:
            rows.append((entered, stay.years, codes.get(stay.way, 0), row["base_urn"]))
    entry, leaving, way, urn = zip(*rows, strict=True) if rows else ((), (), (), ())
    _, school = np.unique(np.array(urn, dtype=str), return_inverse=True)
    return _Stays(
        np.array(entry, dtype=np.float64),
        np.array(leaving, dtype=np.float64),
        np.array(way, dtype=np.int64),
        np.asarray(school, dtype=np.int64),
    )


def _row(stays: _Stays, found: CumulativeIncidence, number: int, position: int) -> dict[str, Any]:
    """Count one way, or all of them where the number is beyond the last, at one time."""
    years = float(found.at[position])
    together = number == len(WAYS_OUT)
    taken = stays.way > 0 if together else stays.way == number + 1
    left = taken & (stays.leaving <= years)
    there = (stays.entry <= years - 1) & (stays.leaving > years - 1)
    share = found.any_way if together else found.incidence[number]
    spread = found.any_std_error if together else found.std_error[number]
    return {
        "way": ANY_WAY if together else list(WAYS_OUT)[number],
        "years": int(years),
        "pupils": stays.entry.size,
        "pupils_at_risk": int(there.sum()),
        "left": int(left.sum()),
        "share": float(share[position]),
        "std_error": float(spread[position]),
        "schools": np.unique(stays.school[left]).size,
        "schools_at_risk": np.unique(stays.school[there]).size,
        "clusters": found.clusters,
    }

"""Schools, bases and places in them, as their contracts have them.

The three do not agree where the world's `[recording]` says that records are wrong. The census has
its errors; `schools` (as GIAS) names no base that is on no register; `placements` and `bases` are
the bases' own lists, and true.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit, logit

from baseeval.worlds.areas import Area
from baseeval.worlds.circumstances import arms_over_time
from baseeval.worlds.contract_types import contract_table, words
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.roll import Roll, la_of, rows_at
from baseeval.worlds.streams import Streams

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

#: Minutes of the middle journey, and the SD of its log.
_JOURNEY, _JOURNEY_SD = 25.0, 0.5

#: Places are made by the half dozen.
_STEP = 6

_TYPES: list[str | None] = ["own_unit", "resourced_provision"]


def schools_rows(recipe: WorldRecipe, area: Area, roll: Roll) -> pa.Table:
    """Lay out the schools as GIAS would, the one that pupils come from last.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``schools``; true of every year.
    """
    schools = area.schools
    order = np.argsort(roll.urns)
    known = schools.recognised[order]
    urn = np.append(roll.urns[order], roll.before)
    fsm = 100 * expit(logit(recipe.eligible.fsm) + recipe.eligible.fsm_intake * schools.intake)
    phase = np.append(schools.primary[order], 2)
    return contract_table(
        "schools",
        {
            "urn": urn,
            "name": pa.array([f"Example School {number}" for number in urn]),
            "la": pa.array([la_of(roll.area)] * len(urn)),
            "phase": words(["Secondary", "Primary", "All-through"], phase),
            "status": pa.array(["Open"] * len(urn)),
            "fsm_percent": np.append(np.round(fsm[order], 1), np.nan),
            "base_type": words([None, "resourced_provision"], np.append(known, False)),
            "rp_pupils": np.append(
                np.where(known, _count(roll, _flags(area))[order], np.nan), np.nan
            ),
            "rp_places": np.append(np.where(known, _places(area)[order], np.nan), np.nan),
            "base_needs": words([None, "ASD"], np.append(known, False)),
        },
    )


def bases_rows(area: Area, roll: Roll, streams: Streams) -> pa.Table:
    """Lay out the bases, those that are on no register too.

    Parameters
    ----------
    area : Area
    roll : Roll
    streams : Streams
        For the noise with which what a base has tells its quality.

    Returns
    -------
    pyarrow.Table
        Of the contract ``bases``.
    """
    schools = area.schools
    hosts = np.flatnonzero(schools.hosts)
    hosts = hosts[np.argsort(roll.urns[hosts])]
    known = schools.recognised[hosts]
    noise = streams("forms/features").standard_normal(schools.parts.shape)
    staff, therapy, integration = ((schools.parts + noise) / np.sqrt(2))[hosts].T
    opened = np.full(len(hosts), np.datetime64(f"{roll.entry - 9}-09-01", "D"))
    return contract_table(
        "bases",
        {
            "base_id": _base_ids(roll.urns[hosts]),
            "urn": roll.urns[hosts],
            "name": pa.array([f"Base of Example School {urn}" for urn in roll.urns[hosts]]),
            "base_type": words(_TYPES, known),
            "commissioner": words(["school", "la"], known),
            "needs": pa.array(["ASD"] * len(hosts), pa.string()),
            "places": _places(area)[hosts],
            "pupils": _count(roll, area.placed.arm == 0)[hosts],
            "opened": opened,
            "local_offer": known,
            "features_recorded": opened,
            "pupils_per_adult": np.round(np.clip(4 - staff, 1, 10), 1),
            "speech_language_therapist": words(
                ["none", "referral", "termly", "weekly"], np.digitize(therapy, [-1.0, 0.0, 1.0])
            ),
            "joint_planning": integration > 0,
        },
    )


def placements_rows(area: Area, roll: Roll) -> pa.Table:
    """Lay out the places, and the requests for one that were refused.

    Parameters
    ----------
    area : Area
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``placements``. A place begins at entry, or in the September after wave
        2 where the pupil enters late; it ends in July after wave 2 where the pupil leaves it, and
        in the December before where the pupil leaves the school before wave 2. Families who
        look for a base and have no place in one were refused at the school that has it.
    """
    pupils, total = area.eligible, len(roll.ids)
    arms = arms_over_time(area.placed, area.around)
    in_base = np.zeros((total, arms.shape[1]), dtype=np.bool_)
    in_base[: len(arms)] = arms == 0
    at = pupils.school
    asked_at = np.where(area.schools.hosts[at], at, pupils.other)
    refused = np.zeros(total, dtype=np.bool_)
    refused[: len(arms)] = pupils.push & area.schools.hosts[asked_at] & ~(arms == 0).any(axis=1)
    came = roll.stays.any(axis=1)
    placed = in_base[:, 1] | (in_base[:, 2] & roll.stays[:, 2])
    who = rows_at(roll, came & (placed | refused))
    holds = placed[who]
    school = np.where(holds, at[who], asked_at[who])
    first = np.where(in_base[who, 1], roll.entered[who], roll.day(9, 1, 2))
    over = in_base[who, 1] & ~(in_base[who, 2] & roll.stays[who, 2])
    early = ~roll.stays[who, 1]
    last = np.where(early, roll.day(12, 20, 1), roll.day(7, 22, 1))
    never = np.datetime64("NaT", "D")
    decided = np.full(len(who), roll.day(5, 15, 0))
    late = holds & ~in_base[who, 1]
    decided[late] = roll.day(5, 15, 1)
    minutes = _JOURNEY * np.exp(_JOURNEY_SD * pupils.journey[who])
    section = np.where(pupils.ehcp[who], 1 + pupils.named[who], 0)
    left = _left(over, in_base[who], roll.stays[who])
    return contract_table(
        "placements",
        {
            "pupil_id": roll.ids.take(pa.array(who)),
            "urn": roll.urns[school],
            "base_id": _base_ids(roll.urns[school]),
            "base_type": words(_TYPES, area.schools.recognised[school]),
            "start": np.where(holds, first, never),
            "end": np.where(over, last, never),
            "share_of_time_in_base": np.where(holds, _share(area, roll, who, in_base), np.nan),
            "decision": words(["refused", "placed"], holds),
            "decided": decided,
            "ehcp_section": words([None, "none", "I"], section),
            "left_for": left,
            "journey_minutes": np.round(minutes),
        },
    )


def _left(over: Flags, in_base: Flags, stays: Flags) -> pa.Array:
    """Say where pupils went from a base: to mainstream classes, or away with the school."""
    way = np.where(over, np.where(stays[:, 2] & ~in_base[:, 2], 1, 2), 0)
    return words([None, "mainstream", "moved_away"], way)


def _flags(area: Area) -> Flags:
    return np.asarray(area.placed.recorded == 0, dtype=np.bool_)


def _count(roll: Roll, mask: Flags) -> Floats:
    """Count pupils of a mask over the eligible, by school."""
    school = roll.everyone.school[: roll.eligible]
    return np.bincount(school[mask], minlength=len(roll.urns)).astype(np.float64)


def _places(area: Area) -> Floats:
    """Give each base room for as many as were to be expected, in steps."""
    expected = np.bincount(
        area.eligible.school, area.placed.chance, minlength=len(area.schools.hosts)
    )
    return np.asarray(_STEP * np.ceil(np.maximum(expected, 1) / _STEP), dtype=np.float64)


def _share(area: Area, roll: Roll, who: Whole, in_base: Flags) -> Floats:
    """Give the mean share of the week in the base's classes, over the waves in the base."""
    held = in_base[who, 1:] & roll.stays[who, 1:]
    held[~held.any(axis=1), 0] = True
    dose = area.around.dose[np.minimum(who, roll.eligible - 1), 1:]
    return np.asarray(np.round((dose * held).sum(axis=1) / held.sum(axis=1), 2), dtype=np.float64)


def _base_ids(urns: Whole) -> pa.Array:
    return pa.array([f"B{urn}" for urn in urns], pa.string())

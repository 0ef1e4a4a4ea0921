"""Who is on roll where, and when: the waves of a world laid out in school years.

Wave 1 predates placement, so it is the school year before entry, at another school. Waves 2 and 3
are the two school years that follow entry, measured at their ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baseeval.errors import Problem, UsageError
from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES
from baseeval.worlds.streams import Streams

Days = NDArray[np.datetime64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.intp]

#: The school year of entry, by its summer: no year that the pandemic touched is near.
_ENTRY = 2025

#: Where tests were called off: those of 2020 and 2021 are then the ones that pupils lack.
_ENTRY_AFTER_PANDEMIC = 2023

#: Numbers for schools and codes for areas that fit into England's: six digits, three digits.
_FIRST_URN, _FIRST_LA = 900_001, 201
_MOST_URNS, _MOST_AREAS = 99_999, 799


@dataclass(frozen=True)
class Roll:
    """The pupils of an area as schools and authorities know them.

    Attributes
    ----------
    everyone : Pupils
        Eligible pupils, then their peers.
    eligible : int
        How many of them are eligible.
    ids : pyarrow.StringArray
        As in the tidy table, in the order of `everyone`.
    order : ndarray of int, shape (pupils,)
        Pupils by their ids.
    urns : ndarray of int, shape (schools,)
    before : int
        URN of the school that everyone of the area comes from, all-through, without a base.
    area : int
        From 0.
    entry : int
        School year of entry, by its summer.
    entered : ndarray of datetime64[D], shape (pupils,)
    stays : ndarray of bool, shape (pupils, waves)
    """

    everyone: Pupils
    eligible: int
    ids: pa.StringArray
    order: Whole
    urns: Whole
    before: int
    area: int
    entry: int
    entered: Days
    stays: Flags

    def year(self, wave: int) -> int:
        """Give the school year of a wave, a position in ``WAVES``."""
        return self.entry - 1 + wave

    def school(self, pupils: Whole, wave: int) -> Whole:
        """Give the URN of pupils' schools in the year of a wave."""
        if wave == 0:
            return np.full(len(pupils), self.before, dtype=np.intp)
        return np.asarray(self.urns[self.everyone.school[pupils]], dtype=np.intp)

    def day(self, month: int, of_month: int, wave: int) -> np.datetime64:
        """Give a day of the school year of a wave."""
        year = self.year(wave) - (month >= 9)
        return np.datetime64(f"{year:04d}-{month:02d}-{of_month:02d}", "D")


def lay_roll(recipe: WorldRecipe, area: Area, recorded: Recorded, streams: Streams) -> Roll:
    """Lay the pupils of an area out in school years.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    recorded : Recorded
    streams : Streams

    Returns
    -------
    Roll
        Who comes late enters on 4 November of the year of entry, after its autumn census.
    """
    entry = entry_year(recipe)
    schools = len(area.schools.hosts)
    first = _FIRST_URN + streams.area * (schools + 1)
    late = ~recorded.stays[:, 0]
    days = np.array([f"{entry - 1}-09-01", f"{entry - 1}-11-04"], dtype="datetime64[D]")
    return Roll(
        everyone=recorded.everyone,
        eligible=len(area.placed.arm),
        ids=recorded.names.pupil_names,
        order=np.argsort(recorded.names.pupils, kind="stable"),
        urns=first + recorded.names.schools - 1,
        before=first + schools,
        area=streams.area,
        entry=entry,
        entered=days[late.astype(np.intp)],
        stays=recorded.stays,
    )


def entry_year(recipe: WorldRecipe) -> int:
    """Give the school year in which the pupils of a world enter, by its summer."""
    return _ENTRY_AFTER_PANDEMIC if recipe.disorder.prior_lost else _ENTRY


def la_of(area: int) -> str:
    """Give the three digits of an area's local authority, from 0."""
    return f"{_FIRST_LA + area}"


def check_numbers(recipe: WorldRecipe, areas: int) -> None:
    """Refuse more schools or areas than have numbers.

    Parameters
    ----------
    recipe : WorldRecipe
    areas : int

    Raises
    ------
    UsageError
    """
    schools = areas * (recipe.schools.host + recipe.schools.non_host + 1)
    problems = []
    if schools > _MOST_URNS:
        what = f"{schools} schools need numbers of six digits, of which {_MOST_URNS} are free"
        problems.append(Problem("areas", what, "Give fewer areas, or write the form tidy."))
    if areas > _MOST_AREAS:
        what = f"{areas} areas need codes of three digits, of which {_MOST_AREAS} are free"
        problems.append(Problem("areas", what, "Give fewer areas, or write the form tidy."))
    if problems:
        raise UsageError(problems)


def rows_at(roll: Roll, mask: Flags) -> Whole:
    """List the pupils of a mask, in the order of their ids."""
    return roll.order[mask[roll.order]]


def rows_by_wave(roll: Roll) -> tuple[Whole, Whole]:
    """List the pupils and waves (positions) on roll, in the order of ids and waves."""
    flat = np.flatnonzero(roll.stays[roll.order].reshape(-1))
    pupil, wave = np.divmod(flat, len(WAVES))
    return roll.order[pupil], wave

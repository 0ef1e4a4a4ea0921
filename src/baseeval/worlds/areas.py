"""One area: its schools and pupils drawn, their potential outcomes, and what reaches the table.

An area needs nothing of another: areas may be drawn in any order, by any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baseeval.worlds.circumstances import Circumstances, arms_over_time, draw_circumstances
from baseeval.worlds.expecting import Traits, draw_traits, expected
from baseeval.worlds.missing import take_away
from baseeval.worlds.placement import Placed, place
from baseeval.worlds.pupils import Pupils, draw_eligible, draw_peers
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.recording import record
from baseeval.worlds.responses import Responses, respond_all
from baseeval.worlds.scales import WAVES
from baseeval.worlds.schools import Schools, draw_schools
from baseeval.worlds.scoring import observed_spreads
from baseeval.worlds.streams import Streams
from baseeval.worlds.tables import Names, draw_names, pupils_table, together
from baseeval.worlds.truth import Gaps, Spread, add_up, cell_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """An area as it is, whether or not anybody records it.

    Attributes
    ----------
    schools : Schools
    eligible : Pupils
    peers : Pupils or None
    placed : Placed
    around : Circumstances
    traits : Traits
        Of the eligible pupils.
    responses : dict of str to Responses
        Of the eligible pupils, by outcome.
    """

    schools: Schools
    eligible: Pupils
    peers: Pupils | None
    placed: Placed
    around: Circumstances
    traits: Traits
    responses: dict[str, Responses]

    def potential(self, recipe: WorldRecipe) -> dict[str, Floats]:
        """Give the expected outcomes under each arm at entry.

        Parameters
        ----------
        recipe : WorldRecipe

        Returns
        -------
        dict of str to ndarray, shape (pupils, waves, 3)
        """
        found = {}
        for name, own in self.responses.items():
            # Nothing is added at the first wave: its three outcomes are one.
            latent = own.untreated[:, 1:, None] + own.gain[:, 1:]
            made = np.empty((3, len(WAVES), len(latent))).T
            made[:, :1] = expected(recipe, name, own.untreated[:, :1], self.traits)[:, :, None]
            made[:, 1:] = expected(recipe, name, latent, self.traits)
            found[name] = made
        return found

    def sustained(self, recipe: WorldRecipe, initial: dict[str, Floats]) -> dict[str, Floats]:
        """Give the expected outcomes under each arm, were it kept to the last wave.

        Parameters
        ----------
        recipe : WorldRecipe
        initial : dict of str to ndarray
            From :meth:`potential`, from which only those who would move differ, at the last wave.

        Returns
        -------
        dict of str to ndarray, shape (pupils, waves, 3)
        """
        movers = np.flatnonzero(self.around.leaves | self.around.enters)
        traits = self.traits.of(movers)
        found = {}
        for name, own in self.responses.items():
            latent = own.untreated[movers, -1:, None] + own.sustained[movers, -1:]
            made = initial[name].copy(order="K")
            made[movers, -1:] = expected(recipe, name, latent, traits)
            found[name] = made
        return found

    def cells(self) -> NDArray[np.intp]:
        """Give each eligible pupil the cell that decides their subgroups."""
        pupils = self.eligible
        return cell_of(pupils.need, pupils.ehcp, self.schools.primary[pupils.school])


@dataclass(frozen=True)
class Recorded:
    """What is recorded of an area.

    Attributes
    ----------
    table : pyarrow.Table
        One row a pupil and wave.
    everyone : Pupils
        Eligible pupils, then peers in the same order: all before any leaves.
    names : Names
    stays : ndarray of bool, shape (pupils, waves)
    twice : ndarray of bool, shape (pupils, waves)
        Rows that stand there twice.
    columns : dict of str to ndarray, shape (pupils, waves)
        NaN where a value is missing.
    spreads : dict of (outcome, wave) to Spread
        Of the observed values by recorded arm.
    """

    table: pa.Table
    everyone: Pupils
    names: Names
    stays: NDArray[np.bool_]
    twice: NDArray[np.bool_]
    columns: dict[str, Floats]
    spreads: dict[tuple[str, str], Spread]


def draw_area(recipe: WorldRecipe, count: int, streams: Streams) -> Area:
    """Draw an area, and what every eligible pupil's outcomes would be under each arm.

    Parameters
    ----------
    recipe : WorldRecipe
    count : int
        Eligible pupils.
    streams : Streams

    Returns
    -------
    Area
    """
    schools = draw_schools(recipe, streams)
    eligible = draw_eligible(recipe, schools, count, streams)
    peers = draw_peers(recipe, schools, eligible, streams) if recipe.peers.include else None
    placed = place(recipe, schools, eligible, streams)
    around = draw_circumstances(recipe, schools, eligible, placed, streams)
    return Area(
        schools=schools,
        eligible=eligible,
        peers=peers,
        placed=placed,
        around=around,
        traits=draw_traits(recipe, eligible.severity, "eligible", streams),
        responses=respond_all(recipe, schools, eligible, around, streams),
    )


def sum_area(recipe: WorldRecipe, area: Area) -> dict[str, Gaps]:
    """Add up the true differences of an area's pupils.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area

    Returns
    -------
    dict of str to Gaps
        ``initial`` (by the arm at entry), ``sustained`` (kept to the last wave), and
        ``recorded`` (as ``initial``, the targets made of the arms that the records give).
    """
    placed = area.placed
    initial = area.potential(recipe)
    sustained = area.sustained(recipe, initial)
    return {
        "initial": add_up(placed.arm, placed.probability, initial, area.cells()),
        "sustained": add_up(placed.arm, placed.probability, sustained),
        "recorded": add_up(placed.recorded, placed.probability, initial),
    }


def record_area(recipe: WorldRecipe, area: Area, streams: Streams) -> Recorded:
    """Record what happened to the pupils of an area under the arm that each is in.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    streams : Streams

    Returns
    -------
    Recorded
    """
    placed, peers = area.placed, area.peers
    latent = {name: own.under(placed.arm) for name, own in area.responses.items()}
    in_base = arms_over_time(placed, area.around) == 0
    traits = area.traits
    if peers is not None:
        beside = respond_all(recipe, area.schools, peers, None, streams)
        latent = {n: np.concatenate([latent[n], beside[n].untreated]) for n in latent}
        in_base = np.concatenate([in_base, np.zeros_like(in_base)])
        theirs = draw_traits(recipe, peers.severity, "peers", streams)
        traits = Traits(
            np.concatenate([traits.agrees, theirs.agrees]),
            np.concatenate([traits.turned, theirs.turned]),
            np.concatenate([traits.part_time, theirs.part_time]),
        )
    everyone = together(area.eligible, peers)
    written = record(recipe, latent, traits, everyone.school, in_base, streams)
    stays, columns = take_away(recipe, everyone, written, latent, in_base, streams)
    total = len(everyone.school)
    names = draw_names(recipe, total, len(area.schools.hosts), streams)
    twice = streams("disorder/twice").random((total, len(WAVES))) < recipe.disorder.twice
    spreads = observed_spreads(recipe, columns, stays, placed.recorded)
    table = pupils_table(everyone, placed.recorded, names, stays, columns, twice)
    return Recorded(table, everyone, names, stays, twice, columns, spreads)

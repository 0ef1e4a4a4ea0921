"""From a world and a seed to tables and their truth, area by area."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import pandas as pd
import pyarrow as pa

from baseeval.errors import Problem, UsageError
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.streams import Streams
from baseeval.worlds.tables import as_frame
from baseeval.worlds.telling import Ledger, Plot


@dataclass(frozen=True)
class World:
    """A simulated world.

    Attributes
    ----------
    name : str
        The name that the world file gives itself.
    seed : int
    tables : dict of str to pandas.DataFrame
        ``pupils``: one row a pupil and wave.
    truth : dict
        The true effects, counts and parameters; plain values that JSON can hold.
    """

    name: str
    seed: int
    tables: dict[str, pd.DataFrame]
    truth: dict[str, Any]


def simulate(
    world: str | PathLike[str],
    *,
    pupils: int | None = None,
    areas: int | None = None,
    seed: int = 1,
    population: bool = False,
) -> World:
    """Simulate pupils whose true effects are known.

    Parameters
    ----------
    world : str or path
        A world file, or the name of a built-in world (``src_replication``, ``many_schools``).
    pupils : int, optional
        Number of eligible pupils in all areas, in place of the world's own; schools stay as
        they are.
    areas : int, optional
        Number of areas, in place of the world's own: the first areas of a larger draw are
        those of a smaller one.
    seed : int
        The only seed, 0 or more: the same world, number and seed give the same bytes.
    population : bool
        Whether the truth also tells the effects over all areas like these, which takes seconds.

    Returns
    -------
    World

    Raises
    ------
    UsageError
        An unknown world, or a number of pupils or a seed that cannot be.
    PlanError
        The world file breaks the rules; every fault at once.
    """
    recipe = read_recipe(world)
    return simulate_recipe(recipe, pupils=pupils, areas=areas, seed=seed, population=population)


def simulate_recipe(
    recipe: WorldRecipe,
    *,
    pupils: int | None = None,
    areas: int | None = None,
    seed: int = 1,
    population: bool = False,
) -> World:
    """Simulate a world that has been read already; see :func:`simulate`."""
    ledger, tables = Ledger(recipe, seed), []
    for plot in plots(recipe, pupils, areas, seed):
        _, recorded = ledger.draw(plot)
        tables.append(recorded.table)
    truth = ledger.truth(population)
    together = pa.concat_tables(tables).unify_dictionaries()
    return World(recipe.name, seed, {"pupils": as_frame(together)}, truth)


def plots(recipe: WorldRecipe, pupils: int | None, areas: int | None, seed: int) -> list[Plot]:
    """Say how many eligible pupils each area has, before any is drawn.

    Parameters
    ----------
    recipe : WorldRecipe
    pupils : int, optional
        In all areas.
    areas : int, optional
    seed : int

    Returns
    -------
    list of Plot

    Raises
    ------
    UsageError
        Numbers that cannot be.
    """
    total = recipe.areas.count if areas is None else areas
    least = (recipe.schools.host + recipe.schools.non_host) * total
    asked = recipe.eligible.count * total if pupils is None else pupils
    problems = []
    if total < 1:
        problems.append(Problem("areas", f"{total} are none", "Give 1 or more."))
    elif asked < least:
        remedy = f"Give {least} or more, one for each school."
        problems.append(Problem("pupils", f"{asked} are too few for {least} schools", remedy))
    if seed < 0:
        problems.append(Problem("seed", f"{seed} is negative", "Give 0 or more."))
    if problems:
        raise UsageError(problems)
    more = asked % total
    return [Plot(asked // total + (at < more), Streams(seed, at)) for at in range(total)]

"""From a world and a seed to tables and their truth, one stage after the other."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from baseeval.errors import Problem, UsageError
from baseeval.worlds.missing import take_away
from baseeval.worlds.placement import ARMS, Placed, place
from baseeval.worlds.pupils import draw_eligible, draw_peers
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.recording import record
from baseeval.worlds.responses import respond
from baseeval.worlds.scales import OUTCOMES
from baseeval.worlds.schools import Schools, draw_schools
from baseeval.worlds.scoring import MIN_ANSWERED, standardisers
from baseeval.worlds.tables import draw_names, pupils_table, together
from baseeval.worlds.truth import true_effects


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


def simulate(world: str | PathLike[str], *, pupils: int | None = None, seed: int = 1) -> World:
    """Simulate pupils whose true effects are known.

    Parameters
    ----------
    world : str or path
        A world file, or the name of a built-in world (``src_replication``, ``many_schools``).
    pupils : int, optional
        Number of eligible pupils, in place of the world's own; schools stay as they are.
    seed : int
        The only seed, 0 or more: the same world, number and seed give the same bytes.

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
    return simulate_recipe(read_recipe(world), pupils=pupils, seed=seed)


def simulate_recipe(recipe: WorldRecipe, *, pupils: int | None = None, seed: int = 1) -> World:
    """Simulate a world that has been read already; see :func:`simulate`."""
    count = recipe.eligible.count if pupils is None else pupils
    _check(recipe, count, seed)
    schools = draw_schools(recipe, seed)
    eligible = draw_eligible(recipe, schools, count, seed)
    peers = draw_peers(recipe, schools, eligible, seed) if recipe.peers.include else None
    placed = place(recipe, schools, eligible, seed)

    responses = {o: respond(recipe, o, schools, eligible, "eligible", seed) for o in OUTCOMES}
    latent = {name: response.under(placed.arm) for name, response in responses.items()}
    if peers is not None:
        for name in OUTCOMES:
            beside = respond(recipe, name, schools, peers, "peers", seed).untreated
            latent[name] = np.concatenate([latent[name], beside])

    everyone = together(eligible, peers)
    recorded = record(recipe, latent, everyone.school, seed)
    stays, columns = take_away(recipe, everyone, recorded, seed)
    names = draw_names(len(everyone.school), len(schools.hosts), seed)
    table = pupils_table(everyone, placed.arm, names, stays, columns)
    sds = standardisers(recipe, columns, stays, placed.arm)
    truth = {
        "schema": 1,
        "world": recipe.name,
        "seed": seed,
        "counts": _counts(schools, placed, len(everyone.school), len(table)),
        "parameters": recipe.model_dump(),
        "standardisers": sds,
        "min_answered": MIN_ANSWERED,
        "smallest_probability": dict(
            zip(ARMS, placed.probability.min(axis=0).tolist(), strict=True)
        ),
        **true_effects(recipe, placed, responses, sds),
    }
    return World(name=recipe.name, seed=seed, tables={"pupils": table}, truth=truth)


def _counts(schools: Schools, placed: Placed, pupils: int, rows: int) -> dict[str, Any]:
    """Count what was drawn, before anyone leaves."""
    eligible = len(placed.arm)
    return {
        "schools_host": int(schools.hosts.sum()),
        "schools_non_host": int((~schools.hosts).sum()),
        "eligible": eligible,
        "peers": pupils - eligible,
        "arms": {arm: int((placed.arm == at).sum()) for at, arm in enumerate(ARMS)},
        "rows": rows,
    }


def _check(recipe: WorldRecipe, count: int, seed: int) -> None:
    least = recipe.schools.host + recipe.schools.non_host
    problems = []
    if count < least:
        remedy = f"Give {least} or more, one for each school."
        problems.append(Problem("pupils", f"{count} are too few for {least} schools", remedy))
    if seed < 0:
        problems.append(Problem("seed", f"{seed} is negative", "Give 0 or more."))
    if problems:
        raise UsageError(problems)

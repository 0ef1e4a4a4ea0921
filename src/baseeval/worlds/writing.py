"""Write a world area by area: its tables in any form, its truth as JSON, the same every time."""

from __future__ import annotations

import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.pool import Pool
from os import PathLike
from pathlib import Path
from typing import Any

from baseeval.errors import Problem, UsageError
from baseeval.worlds.forms import FORMS, Shelf, check_form, write_csv, write_parquet
from baseeval.worlds.knowing import pupil_truth
from baseeval.worlds.meeting import Meeting
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.simulation import World, plots
from baseeval.worlds.telling import Ledger, Plot, Tally, draw_plot

#: An area to be written: the world, the area, the form, whether its pupils' truth too, and where.
_Work = tuple[WorldRecipe, Plot, str, bool, Shelf]


@dataclass(frozen=True)
class Written:
    """A world that was written.

    Attributes
    ----------
    path : pathlib.Path
        ``truth.json``; the tables stand beside it. Of a world with one area, a table is one
        file; of others, a folder with a file an area, as ``pupils/area-001.parquet``.
    recipe : WorldRecipe
    truth : dict
        What ``truth.json`` holds.
    seen : Meeting
        What the tables show, added up over areas.
    """

    path: Path
    recipe: WorldRecipe
    truth: dict[str, Any]
    seen: Meeting


def write_simulation(
    world: str | PathLike[str] | WorldRecipe,
    directory: str | PathLike[str],
    *,
    form: str = "tidy",
    pupils: int | None = None,
    areas: int | None = None,
    seed: int = 1,
    processes: int = 1,
    population: bool = True,
    potential: bool = False,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Simulate a world and write it area by area: memory does not grow with their number.

    Parameters
    ----------
    world : str, path or WorldRecipe
        A world file, the name of a built-in world, or one that has been read.
    directory : str or path
        Made if it is not there; files of the same name are replaced.
    form : str
        ``tidy`` (one table, a row a pupil and wave), ``contracts`` (the tables of the
        data dictionary), ``npd`` (extracts), or ``mis`` (a workbook and a register).
    pupils : int, optional
        Eligible pupils in all areas, in place of the world's own.
    areas : int, optional
        In place of the world's own: the first areas of a larger draw are those of a
        smaller one.
    seed : int
        The only seed, 0 or more.
    processes : int
        How many areas are drawn at a time. The same bytes for any number.
    population : bool
        Whether the truth also tells the effects over all areas like these.
    potential : bool
        Whether to write, as ``potential`` in Parquet, each eligible pupil's chance of every
        arm and expected outcome under it.
    told : callable
        Called with the number of areas written and the number of all.

    Returns
    -------
    Written

    Raises
    ------
    UsageError
        An unknown world or form, numbers that cannot be, or a form that is not for
        a world of this size.
    PlanError
        The world file breaks the rules; every fault at once.
    """
    recipe = world if isinstance(world, WorldRecipe) else read_recipe(world)
    asked = plots(recipe, pupils, areas, seed)
    if processes < 1:
        raise UsageError(Problem("processes", f"{processes} are none", "Give 1 or more."))
    check_form(recipe, form, len(asked), sum(plot.count for plot in asked))
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    ledger, work = Ledger(recipe, seed), []
    for plot in asked:
        part = f"area-{plot.streams.area + 1:03d}" if len(asked) > 1 else ""
        work.append((recipe, plot, form, potential, Shelf(folder, part)))
    told(0, len(work))
    for done, tally in enumerate(_tallies(work, processes), start=1):
        ledger.add(tally)
        told(done, len(work))
    truth = ledger.truth(population)
    assert ledger.seen is not None
    return Written(write_truth(truth, folder), recipe, truth, ledger.seen)


def _tallies(work: list[_Work], processes: int) -> Iterator[Tally]:
    """Write areas and give what the truth needs of each, in their order."""
    if min(processes, len(work)) == 1:
        yield from map(_write_area, work)
        return
    with _pool(min(processes, len(work))) as pool:
        yield from pool.imap(_write_area, work)


def _pool(processes: int) -> Pool:
    """Begin processes that leave an interrupt to this one, from their first moment on."""
    # A fresh interpreter each: the same on every platform, and no thread is copied half-way.
    fresh = multiprocessing.get_context("spawn")
    if threading.current_thread() is not threading.main_thread():
        return fresh.Pool(processes)  # no other thread may say who answers
    answers = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return fresh.Pool(processes)
    finally:
        signal.signal(signal.SIGINT, answers)


def _write_area(work: _Work) -> Tally:
    recipe, plot, form, potential, shelf = work
    area, recorded, tally = draw_plot(recipe, plot)
    FORMS[form](recipe, area, recorded, plot, shelf)
    if potential:
        known = pupil_truth(recipe, area, plot.streams)
        write_parquet(known, shelf.file("potential", "parquet"))
    return tally


def write_world(world: World, directory: str | PathLike[str]) -> list[Path]:
    r"""Write the tables and ``truth.json`` of a world that is held in memory.

    Parameters
    ----------
    world : World
    directory : str or path
        Made if it is not there; files of the same name are replaced.

    Returns
    -------
    list of Path
        The files written: UTF-8, ``\n`` line ends, numbers to 12 significant digits.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in world.tables.items():
        path = folder / f"{name}.csv"
        write_csv(table, path)
        written.append(path)
    return [*written, write_truth(world.truth, folder)]


def write_truth(truth: dict[str, Any], folder: Path) -> Path:
    """Write ``truth.json``.

    Parameters
    ----------
    truth : dict
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
    """
    path = folder / "truth.json"
    text = json.dumps(_rounded(truth), sort_keys=True, indent=1, allow_nan=False)
    path.write_bytes(f"{text}\n".encode())
    return path


def _rounded(value: Any) -> Any:
    """Copy the tree with floats to 12 significant digits, beyond which platforms differ."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value

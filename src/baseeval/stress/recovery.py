"""The recovery harness: worlds of known truth, procedures, and a table of how often each is right.

A world draws data from a random generator and knows the truth of each question that it asks. A
procedure turns the data of one question into an answer. Every procedure sees the same draws, so
that their rows can be compared; a draw depends on the seed, the world's name and its own number
alone, so that processes may share the work in any way.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from baseeval.errors import BaseevalError
from baseeval.stress.scoring import score_draws

#: Draws that a process takes at a time.
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Question:
    """One question that a world asks.

    Parameters
    ----------
    sample : object
        What a procedure is given.
    truth : float
        The right answer.
    """

    sample: Any
    truth: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a procedure says.

    Parameters
    ----------
    estimate, low, high, p_value : float
        With the ends of the 95% interval; NaN where there is none.
    notes : tuple of str
        Steps taken, flags.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    notes: tuple[str, ...] = ()


class World(Protocol):
    """Something to draw from. To be shared by processes it must pickle."""

    @property
    def name(self) -> str:
        """Return a name that no other world has."""

    def draw(self, rng: np.random.Generator) -> Mapping[str, Question]:
        """Draw once, and return each question by name."""


Procedure = Callable[[Any], Told]
Progress = Callable[[str, int, int], None]


def recover(
    worlds: Sequence[World],
    procedures: Mapping[str, Procedure],
    *,
    draws: int,
    seed: int = 1,
    workers: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Put every procedure to every world's questions and score the answers.

    Parameters
    ----------
    worlds : sequence of World
    procedures : mapping of str to callable
        From a sample to :class:`Told`; a `BaseevalError` counts as a failure.
    draws : int
        Of each world.
    seed : int
    workers : int
        Processes; their number changes nothing in the table.
    folder : Path, optional
        Where each world's answers are kept as it is finished, and found again: a run that was
        stopped goes on there. Empty it when a procedure's code has changed.
    progress : callable, optional
        Told the world's name, draws done and draws in all.

    Returns
    -------
    pandas.DataFrame
        One row a world, question and procedure: see :func:`score_draws`.

    Examples
    --------
    >>> class Coin:
    ...     name = "coin"
    ...     def draw(self, rng):
    ...         return {"mean": Question(rng.standard_normal(10), 0.0)}
    >>> def sign(sample):
    ...     return Told(sample.mean(), -1.0, 1.0, float(abs(sample.mean()) < 0.6))
    >>> recover([Coin()], {"sign": sign}, draws=20)[["world", "draws", "coverage"]].values.tolist()
    [['coin', 20, 1.0]]
    """
    tables = []
    for world in worlds:
        kept = None if folder is None else folder / _file_name(world, procedures, draws, seed)
        if kept is not None and kept.exists():
            tables.append(pd.read_parquet(kept))
            continue
        rows = pd.DataFrame(_answers(world, procedures, draws, seed, workers, progress))
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part")
            rows.to_parquet(part)
            part.replace(kept)
        tables.append(rows)
    return score_draws(pd.concat(tables, ignore_index=True))


def _file_name(world: World, procedures: Mapping[str, Procedure], draws: int, seed: int) -> str:
    key = repr((world.name, sorted(procedures), draws, seed))
    return f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.parquet"


def _answers(
    world: World,
    procedures: Mapping[str, Procedure],
    draws: int,
    seed: int,
    workers: int,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Return the answers of all draws in their order, whoever made them."""
    rows: list[dict[str, Any]] = []
    starts = range(0, draws, _CHUNK)
    for done, found in enumerate(_chunks(world, dict(procedures), draws, seed, workers, starts), 1):
        rows += found
        if progress is not None:
            progress(world.name, min(done * _CHUNK, draws), draws)
    return rows


def _chunks(
    world: World,
    procedures: dict[str, Procedure],
    draws: int,
    seed: int,
    workers: int,
    starts: Sequence[int],
) -> Iterator[list[dict[str, Any]]]:
    tasks = [(world, procedures, seed, low, min(low + _CHUNK, draws)) for low in starts]
    if workers <= 1:
        yield from (_answer_chunk(*task) for task in tasks)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_answer_chunk, *zip(*tasks, strict=True))


def _answer_chunk(
    world: World, procedures: dict[str, Procedure], seed: int, low: int, high: int
) -> list[dict[str, Any]]:
    rows = []
    for number in range(low, high):
        rng = np.random.default_rng([seed, zlib.crc32(world.name.encode()), number])
        for name, question in world.draw(rng).items():
            for title, procedure in procedures.items():
                told = _told(procedure, question.sample)
                rows.append(
                    {
                        "world": world.name,
                        "question": name,
                        "procedure": title,
                        "draw": number,
                        "truth": question.truth,
                        "estimate": told.estimate,
                        "low": told.low,
                        "high": told.high,
                        "p_value": told.p_value,
                        "notes": ";".join(told.notes),
                    }
                )
    return rows


def _told(procedure: Procedure, sample: Any) -> Told:
    try:
        return procedure(sample)
    except (BaseevalError, np.linalg.LinAlgError):
        nothing = float("nan")
        return Told(nothing, nothing, nothing, nothing, ("failed",))

"""Choosing one at a time: who chooses next, and what happens when a first choice is gone."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]

Priority = Literal["given", "closest", "farthest"]


class Candidates(Protocol):
    """Those who can be chosen, as each chooser sees them."""

    def nearest(self, chooser: int) -> tuple[float, int]:
        """Return the distance and the place of the nearest one left; place -1 for none."""

    def take(self, chooser: int, place: int) -> None:
        """Give that one to the chooser."""


def choose_greedily(
    candidates: Candidates, wanted: Sequence[int], priority: Priority
) -> tuple[list[int], list[int]]:
    """Let everybody choose, one at a time.

    Everybody chooses once before anybody chooses again; who finds nobody is not
    asked again.

    Parameters
    ----------
    candidates : Candidates
    wanted : sequence of int
        How many each chooser wants.
    priority : {"given", "closest", "farthest"}
        Choosers as they are numbered, or by the distance to their nearest one,
        the least or the greatest first. A chooser whose nearest one has been
        taken goes back to wait with the distance to the next. Choosers equally
        far from theirs go as they are numbered.

    Returns
    -------
    choosers, places : list of int
        In the order of the choices.
    """
    choosers: list[int] = []
    places: list[int] = []
    asked = [chooser for chooser, most in enumerate(wanted) if most > 0]
    turn = 0
    while asked:
        before = len(choosers)
        if priority == "given":
            _as_numbered(candidates, asked, choosers, places)
        else:
            _by_distance(candidates, asked, priority, choosers, places)
        turn += 1
        asked = sorted(chooser for chooser in choosers[before:] if wanted[chooser] > turn)
    return choosers, places


def _as_numbered(
    candidates: Candidates, asked: list[int], choosers: list[int], places: list[int]
) -> None:
    for chooser in asked:
        _, place = candidates.nearest(chooser)
        if place >= 0:
            candidates.take(chooser, place)
            choosers.append(chooser)
            places.append(place)


def _by_distance(
    candidates: Candidates,
    asked: list[int],
    priority: Priority,
    choosers: list[int],
    places: list[int],
) -> None:
    sign = 1.0 if priority == "closest" else -1.0
    queue = []
    for chooser in asked:
        distance, place = candidates.nearest(chooser)
        if place >= 0:
            queue.append((sign * distance, chooser, place))
    heapq.heapify(queue)
    while queue:
        _, chooser, place = heapq.heappop(queue)
        distance, best = candidates.nearest(chooser)
        if best == place:
            candidates.take(chooser, place)
            choosers.append(chooser)
            places.append(place)
        elif best >= 0:
            heapq.heappush(queue, (sign * distance, chooser, best))

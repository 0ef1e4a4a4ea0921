"""Where the entries of a sparse matrix fall in the small dense ones that eliminate it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.crossed_ordering import Elimination

Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Front:
    """A set of effects that is eliminated together, and the later ones that it meets.

    Parameters
    ----------
    own, later : ndarray of int
        Places in the order of elimination.
    parent : int
        Front that takes what is left; -1 where nothing is.
    inside : ndarray of int
        Where `later` stands in the parent.
    entries : slice
        Which of the sorted entries of the matrix fall into this front.
    at : ndarray of int
        Their places in it, flat, lower triangle.
    """

    own: Ints
    later: Ints
    parent: int
    inside: Ints
    entries: slice
    at: Ints

    @property
    def size(self) -> int:
        """Return the number of rows."""
        return len(self.own) + len(self.later)


def plan_fronts(
    plan: Elimination, counts: Ints, entry_rows: Ints, entry_columns: Ints
) -> tuple[Ints, Ints, list[Front]]:
    """Turn sets of nodes into sets of effects, with the entries of the matrix in each.

    Parameters
    ----------
    plan : Elimination
    counts : ndarray of int, shape (nodes,)
        Effects of each node.
    entry_rows, entry_columns : ndarray of int
        Places of the entries of the lower triangle.

    Returns
    -------
    order : ndarray of int, shape (m,)
        Effect at each place of the elimination.
    sorting : ndarray of int
        The entries, front by front.
    fronts : list of Front
    """
    begins = np.cumsum(counts) - counts
    order = _ranges(begins[plan.order], counts[plan.order])
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    lengths = counts[plan.order]
    ends = np.append(0, np.cumsum(lengths))
    borders = ends[plan.starts]
    high = np.maximum(place[entry_rows], place[entry_columns])
    low = np.minimum(place[entry_rows], place[entry_columns])
    owner = np.searchsorted(borders, low, side="right") - 1
    sorting = np.argsort(owner, kind="stable")
    cuts = np.searchsorted(owner[sorting], np.arange(len(plan.later) + 1))
    laters = [_ranges(ends[nodes], lengths[nodes]) for nodes in plan.later]
    owns = [np.arange(a, b) for a, b in pairwise(borders)]
    fronts = []
    for at, (own, later, parent) in enumerate(zip(owns, laters, plan.parent, strict=True)):
        entries = slice(int(cuts[at]), int(cuts[at + 1]))
        rows = _local(high[sorting[entries]], own, later)
        columns = low[sorting[entries]] - own[0]
        inside = _local(later, owns[parent], laters[parent]) if parent >= 0 else later
        flat = rows * (len(own) + len(later)) + columns
        fronts.append(Front(own, later, int(parent), inside, entries, flat))
    return order, sorting, fronts


def _local(places: Ints, own: Ints, later: Ints) -> Ints:
    """Return where places stand in a front."""
    beyond = len(own) + np.searchsorted(later, places)
    return np.where(places <= own[-1], places - own[0], beyond)


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """Return start, start + 1, ... of each of some ranges, one after another."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))

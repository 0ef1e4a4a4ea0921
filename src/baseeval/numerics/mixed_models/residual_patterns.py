"""Cross-products of rows by the pattern of waves that their pupil has.

Pupils seen at the same waves in the same arms share one covariance, so that for any value
of its parameters sums over pupils of x_a x_b', for each pair of their waves, are all that the
likelihood needs: no row is touched again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PatternSums:
    """Sums over the pupils of each pattern, pair of waves by pair of waves.

    Each pair a <= b of the waves of a pattern is an entry; the sum for a < b holds both
    x_a z_b' and x_b z_a'. Sums with the columns of a random term are by school as well.

    Parameters
    ----------
    patterns : list of ndarray of int, shapes (P, s)
        Cells of each pattern of s waves, in order, one array for each s.
    pupils : list of ndarray, shapes (P,)
        How many pupils have each.
    entry, mirror : ndarray of int, shape (E,)
        Where a, b and b, a stand in the s by s matrices of all patterns, one after another.
    columns : ndarray, shape (E, c, c)
        Of [X y] with itself.
    schools : int
    piece_school, piece_entry : ndarray of int, shape (F,)
        School (in order) and entry of each sum with the random term.
    pieces : ndarray, shape (F, q, q + c)
        Z'[Z X y].
    """

    patterns: list[Ints]
    pupils: list[Floats]
    entry: Ints
    mirror: Ints
    columns: Floats
    schools: int
    piece_school: Ints
    piece_entry: Ints
    pieces: Floats


def sum_patterns(
    columns: Floats, z: Floats, schools: Ints, pupils: Ints, cells: Ints
) -> PatternSums:
    """Sum rows by pattern.

    Parameters
    ----------
    columns : ndarray, shape (n, c)
        X and y.
    z : ndarray, shape (n, q)
        Columns of the random term by school; q may be 0.
    schools, pupils : ndarray of int, shape (n,)
        Codes from 0; a pupil is in one school.
    cells : ndarray of int, shape (n,)
        No pupil has a cell twice.

    Returns
    -------
    PatternSums
    """
    order = np.lexsort((cells, pupils, schools))
    starts = np.flatnonzero(np.diff(pupils[order], prepend=-1))
    held = np.diff(np.append(starts, len(order)))
    patterns: list[Ints] = []
    counts: list[Floats] = []
    entries: list[tuple[int, int]] = []
    sums: list[Floats] = []
    pieces: list[Floats] = []
    piece_school: list[Ints] = []
    piece_entry: list[Ints] = []
    start, q = 0, z.shape[1]
    both = np.hstack([z, columns])
    for size in np.unique(held):
        rows = order[starts[held == size][:, None] + np.arange(size)]
        found, which, count = np.unique(
            cells[rows], axis=0, return_inverse=True, return_counts=True
        )
        patterns.append(found)
        counts.append(count.astype(float))
        for place in range(len(found)):
            own = rows[which.ravel() == place]
            here, ends = np.unique(schools[own[:, 0]], return_index=True)
            waves = [both[own[:, a]] for a in range(size)]
            for a in range(size):
                for b in range(a, size):
                    total = waves[a][:, q:].T @ waves[b][:, q:]
                    sums.append(total if a == b else total + total.T)
                    if q:
                        pieces.append(_by_school(waves[a], waves[b], q, ends, a == b))
                        piece_school.append(here)
                        piece_entry.append(np.full(len(here), len(entries)))
                    entries.append((start + a * size + b, start + b * size + a))
            start += size**2
    by_school = [np.concatenate(part) for part in (piece_school, piece_entry) if part]
    by_school = by_school or [np.empty(0, dtype=np.intp)] * 2
    sorting = np.argsort(by_school[0], kind="stable")
    places = np.array(entries, dtype=np.intp)
    return PatternSums(
        patterns=patterns,
        pupils=counts,
        entry=places[:, 0],
        mirror=places[:, 1],
        columns=np.array(sums),
        schools=int(schools.max()) + 1,
        piece_school=by_school[0][sorting],
        piece_entry=by_school[1][sorting],
        pieces=np.concatenate([np.empty((0, q, both.shape[1])), *pieces])[sorting],
    )


def _by_school(first: Floats, second: Floats, q: int, ends: Ints, same: bool) -> Floats:
    """Return sums by school of z_a [z x y]_b', and of its mirror image where a differs from b."""
    made = first[:, :q, None] * second[:, None, :]
    if not same:
        made += second[:, :q, None] * first[:, None, :]
    return np.asarray(np.add.reduceat(made, ends, axis=0))

"""Greedy nearest-neighbour matching on a score, with MatchIt's order and tie rules.

Controls stand along the score, stratum by stratum. The nearest one left for somebody who
chooses is the first free one on either side, which pointers past those taken find in near
constant time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.greedy import Priority, choose_greedily
from baseeval.numerics.line_candidates import LineCandidates
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.score_line import ScoreLine, lay_out

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_NONE = Restrictions()


def match_nearest(
    score: Floats,
    treated: NDArray[np.bool_],
    order: Ints,
    strata: Ints,
    *,
    ratio: int | Ints = 1,
    replace: bool = False,
    reuse: int | None = None,
    caliper: float = np.inf,
    priority: Priority = "given",
    restrictions: Restrictions = _NONE,
) -> Ints:
    """Pair each treated row with its nearest controls.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Finite.
    treated : ndarray of bool, shape (n,)
    order : ndarray of int, shape (t,)
        Treated rows in the order in which they choose; with another `priority`,
        the order of those equally far from their nearest.
    strata : ndarray of int, shape (n,)
        Rows are paired only within a stratum.
    ratio : int, or ndarray of int, shape (t,)
        Controls a treated row may have, the same for all or one number for each of
        `order`; all choose once before any chooses again.
    replace : bool
        Whether a control may serve more than one treated row.
    reuse : int, optional
        With `replace`, how many it may serve at most.
    caliper : float
        Largest allowed difference of scores.
    priority : {"given", "closest", "farthest"}
        Who chooses next: see `choose_greedily`.
    restrictions : Restrictions
        What else partners must or must not share.

    Returns
    -------
    ndarray of int, shape (m, 2)
        Treated row and control row, in the order of the choices. Of two controls
        equally near, one on each side, the one of the lower score is taken; of
        several with one score, the one next to the treated row in the order of
        (score, row).

    Examples
    --------
    >>> score = np.array([0.5, 0.1, 0.45, 0.9])
    >>> treated = np.array([True, False, False, False])
    >>> match_nearest(score, treated, np.array([0]), np.zeros(4, dtype=np.intp)).tolist()
    [[0, 2]]
    """
    line = lay_out(score, treated, strata)
    caliper = min(caliper, float(np.finfo(float).max))
    wanted = np.broadcast_to(ratio, len(order))
    if priority == "given" and not replace and not restrictions.any:
        return _take_in_turn(line, score, order, wanted, caliper)
    candidates = LineCandidates(
        line,
        score,
        order,
        caliper=caliper,
        reuse=(reuse or np.inf) if replace else 1,
        restrictions=restrictions,
    )
    return line.pairs(order, *choose_greedily(candidates, wanted.tolist(), priority))


def _take_in_turn(
    line: ScoreLine, score: Floats, order: Ints, wanted: Ints, caliper: float
) -> Ints:
    """Choose in the order given, each control once: `choose_greedily` in one tight loop.

    Not the free controls but the gaps between them are kept. A gap is known by the slot that ends
    it; one that has been swallowed points to a later one of the same stretch of slots taken.
    """
    points = line.points.data
    pointers = np.arange(len(points), dtype=np.int32)
    ends, starts = pointers.data, pointers.copy().data  # a gap's pointer; its stretch's first slot
    gaps, at = line.gaps_of(order), score[order]
    choosers: list[Ints] = [np.empty(0, dtype=np.intp)]
    slots: list[Ints] = [np.empty(0, dtype=np.intp)]
    asked = np.flatnonzero(wanted > 0)
    turn = 0
    while len(asked):
        picks: list[int] = []
        for gap, here in zip(pointers[gaps[asked]].data, at[asked].data, strict=True):
            end = ends[gap]
            while end != gap:
                ends[gap] = further = ends[end]
                gap, end = further, ends[further]
            low = starts[gap] - 1
            down, up = here - points[low], points[gap] - here
            if down <= up:
                if down > caliper:
                    picks.append(-1)
                    continue
                ends[low] = gap
                starts[gap] = starts[low]
                picks.append(low)
            else:
                if up > caliper:
                    picks.append(-1)
                    continue
                after = gap + 1
                end = ends[after]
                while end != after:
                    ends[after] = further = ends[end]
                    after, end = further, ends[further]
                ends[gap] = after
                starts[after] = starts[gap]
                picks.append(gap)
        picked = np.array(picks, dtype=np.intp)
        asked = asked[picked >= 0]
        choosers.append(asked)
        slots.append(picked[picked >= 0])
        turn += 1
        asked = asked[wanted[asked] > turn]
    return line.pairs(order, np.concatenate(choosers), np.concatenate(slots))

"""What becomes of a place: how much of the week it takes, who leaves it, how full the base is.

All of it is drawn for every eligible pupil, placed or not, because each has an outcome under
every arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from baseeval.worlds.chances import moved_rate
from baseeval.worlds.placement import Placed
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES
from baseeval.worlds.schools import Schools
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Circumstances:
    """What a place would be like, for each eligible pupil.

    Attributes
    ----------
    dose : ndarray, shape (pupils, waves)
        Share of the week that would be spent in the base's own classes.
    leaves : ndarray of bool, shape (pupils,)
        Would leave the base before the last wave.
    enters : ndarray of bool, shape (pupils,)
        Would enter the base before the last wave, if first placed beside it.
    crowding : ndarray, shape (schools,)
        By how many pupils in ten of the eligible the base is fuller than expected; 0 without one.
    """

    dose: Floats
    leaves: Flags
    enters: Flags
    crowding: Floats


def draw_circumstances(
    recipe: WorldRecipe, schools: Schools, pupils: Pupils, placed: Placed, streams: Streams
) -> Circumstances:
    """Draw them.

    Parameters
    ----------
    recipe : WorldRecipe
    schools : Schools
    pupils : Pupils
        Eligible pupils only.
    placed : Placed
        Who is placed says how full each base is; nothing else here depends on it.
    streams : Streams

    Returns
    -------
    Circumstances
    """
    count, moves = len(placed.arm), recipe.movers
    own = recipe.dose.spread * streams("dose").standard_normal(count)
    dose = expit(logit(np.array(recipe.dose.mean)) + own[:, None])
    leaving = moved_rate(moves.leave, moves.leave_severity * pupils.severity)
    return Circumstances(
        dose=np.asarray(dose, dtype=np.float64),
        leaves=streams("movers/leave").random(count) < leaving,
        enters=streams("movers/enter").random(count) < moves.enter,
        crowding=_crowding(schools, pupils, placed),
    )


def _crowding(schools: Schools, pupils: Pupils, placed: Placed) -> Floats:
    total = len(schools.hosts)
    eligible = np.bincount(pupils.school, minlength=total)
    over = np.bincount(pupils.school, (placed.arm == 0) - placed.chance, minlength=total)
    share = over / np.maximum(eligible, 1)
    return np.asarray(np.where(schools.hosts, 10 * share, 0.0), dtype=np.float64)


def arms_over_time(placed: Placed, around: Circumstances) -> NDArray[np.intp]:
    """Give the arm of each eligible pupil at each wave, shape (pupils, waves)."""
    arms = np.repeat(placed.arm[:, None], len(WAVES), axis=1)
    arms[(placed.arm == 0) & around.leaves, -1] = 1
    arms[(placed.arm == 1) & around.enters, -1] = 0
    return arms

"""What does not reach the table: leavers, blank outcomes, unanswered items, lost priors.

By default all of it is missing at random given FSM and EHCP, which the table shows for everyone,
and none of it looks at the arm or at the value that is lost. The dials of `[missing]` change that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.chances import moved_rate
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS, SUPPORTS, WAVES
from baseeval.worlds.streams import Streams

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SURVEY = tuple(f"b{item + 1:02d}" for item in range(ITEMS))

#: Which outcome a column is of; the items of the survey are asked together.
_REGISTER = ("present", "possible", "part_time", "suspensions")

#: Year groups at entry in 2022/23 whose tests, of 2020 and 2021, were called off.
_TESTS_CALLED_OFF = (8, 9, 4)


def take_away(
    recipe: WorldRecipe,
    pupils: Pupils,
    columns: dict[str, Floats],
    latent: dict[str, Floats],
    in_base: Flags,
    streams: Streams,
) -> tuple[Flags, dict[str, Floats]]:
    """Take away what would not be there.

    Parameters
    ----------
    recipe : WorldRecipe
    pupils : Pupils
        Eligible pupils and peers, in the order of the rows of `columns`.
    columns : dict of str to ndarray, shape (pupils, waves)
        What was recorded; left as it is.
    latent : dict of str to ndarray, shape (pupils, waves)
        Each outcome's own scale, under the arm that the pupil is in.
    in_base : ndarray of bool, shape (pupils, waves)
    streams : Streams

    Returns
    -------
    stays : ndarray of bool, shape (pupils, waves)
        False where the pupil has left for good, or has not yet come.
    columns : dict of str to ndarray, shape (pupils, waves)
        The same columns and ``prior``, with NaN for what is missing.
    """
    rates, shape = recipe.missing, (len(pupils.fsm), len(WAVES))
    odds = (rates.fsm * pupils.fsm + rates.ehcp * pupils.ehcp)[:, None]

    def chance(rate: float, more: Any = 0.0) -> Floats:
        return moved_rate(rate, odds, more)

    def lost(stage: str, risk: Floats, width: int = len(WAVES)) -> Flags:
        draw = streams(f"missing/{stage}").random((width, shape[0])).T
        return np.ascontiguousarray(draw < risk)

    def low(name: str) -> Any:
        if not rates.own_value:
            return 0.0
        scale = recipe.outcome(name)
        return rates.own_value * (scale.centre - latent[name]) / scale.sd

    severity = rates.attrition_severity * pupils.severity[:, None]
    leaves = lost("attrition", chance(rates.attrition, severity))
    leaves[:, 0] = False
    stays = ~np.logical_or.accumulate(leaves, axis=1)
    stays[:, 0] &= streams("disorder/late").random(shape[0]) >= recipe.disorder.late_entry
    unasked = rates.survey_base * in_base if rates.survey_base else 0.0
    gone = {
        "attainment": lost("attainment", chance(rates.attainment, low("attainment"))),
        "register": lost("attendance", chance(rates.attendance, low("attendance"))),
        "survey": lost("survey", chance(rates.survey, unasked + low("belonging"))),
    }
    item = chance(rates.item, unasked)
    prior = _prior(recipe, pupils, lost("prior", chance(rates.prior), 1))
    kept = {"prior": np.broadcast_to(prior, shape)}
    for name, values in columns.items():
        if name in SURVEY:
            away = gone["survey"] | lost(f"item/{name}", item)
        elif name in _REGISTER:
            away = gone["register"]
        elif name in SUPPORTS:
            away = gone["survey"]
        else:
            away = gone["attainment"]
        kept[name] = np.where(away, np.nan, values)
    return stays, kept


def _prior(recipe: WorldRecipe, pupils: Pupils, lost: Flags) -> Floats:
    if recipe.disorder.prior_lost:
        lost = lost | np.isin(pupils.year, _TESTS_CALLED_OFF)[:, None]
    return np.where(lost, np.nan, pupils.prior[:, None])

"""What does not reach the table: leavers, blank outcomes, unanswered items, lost priors.

All of it is missing at random given FSM and EHCP, which the table shows for everyone; none of
it looks at the arm or at the value that is lost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import ITEMS, WAVES
from baseeval.worlds.streams import stream

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SURVEY = tuple(f"b{item + 1:02d}" for item in range(ITEMS))


def take_away(
    recipe: WorldRecipe, pupils: Pupils, columns: dict[str, Floats], seed: int
) -> tuple[Flags, dict[str, Floats]]:
    """Take away what would not be there.

    Parameters
    ----------
    recipe : WorldRecipe
    pupils : Pupils
        Eligible pupils and peers, in the order of the rows of `columns`.
    columns : dict of str to ndarray, shape (pupils, waves)
        What was recorded; left as it is.
    seed : int

    Returns
    -------
    stays : ndarray of bool, shape (pupils, waves)
        False where the pupil has left: everyone is there at wave 1, and nobody comes back.
    columns : dict of str to ndarray, shape (pupils, waves)
        The same columns and ``prior``, with NaN for what is missing.
    """
    rates, shape = recipe.missing, (len(pupils.fsm), len(WAVES))
    odds = rates.fsm * pupils.fsm + rates.ehcp * pupils.ehcp

    def lost(stage: str, rate: float, width: int = len(WAVES)) -> Flags:
        with np.errstate(divide="ignore"):  # rates of 0 and 1 stay 0 and 1
            chance = expit(logit(rate) + odds)
        draw = stream(seed, f"missing/{stage}").random((width, shape[0])).T
        return np.asarray(draw < chance[:, None], dtype=np.bool_)

    leaves = lost("attrition", rates.attrition)
    leaves[:, 0] = False
    stays = ~np.logical_or.accumulate(leaves, axis=1)
    kept = {"prior": np.where(lost("prior", rates.prior, 1), np.nan, pupils.prior[:, None])}
    kept["prior"] = np.broadcast_to(kept["prior"], shape)
    no_score = lost("attainment", rates.attainment)
    no_register = lost("attendance", rates.attendance)
    no_survey = lost("survey", rates.survey)
    for name, values in columns.items():
        if name == "attainment":
            gone = no_score
        elif name in SURVEY:
            gone = no_survey | lost(f"item/{name}", rates.item)
        else:
            gone = no_register
        kept[name] = np.where(gone, np.nan, values)
    return stays, kept

"""What nobody can know of real pupils: each one's chance of every arm, and outcome under it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from baseeval.worlds.areas import Area
from baseeval.worlds.placement import ARMS
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES
from baseeval.worlds.streams import Streams
from baseeval.worlds.tables import draw_names


def pupil_truth(recipe: WorldRecipe, area: Area, streams: Streams) -> pa.Table:
    """Lay out the truth of every eligible pupil of an area.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    streams : Streams
        Those that drew it.

    Returns
    -------
    pyarrow.Table
        One row a pupil, in the order of ``pupil_id``: ``arm`` and ``arm_recorded``;
        ``probability_ARM``, over the draws of hosts, of the family's choice and of the place;
        ``severity``; and ``OUTCOME_WAVE_ARM``, the expected outcome under the arm at entry.
    """
    placed, eligible = area.placed, len(area.placed.arm)
    total = eligible * (2 if area.peers is not None else 1)
    names = draw_names(recipe, total, len(area.schools.hosts), streams)
    order = np.argsort(names.pupils[:eligible], kind="stable")
    columns = {
        "pupil_id": names.pupil_names.take(pa.array(order)),
        "arm": pa.array(np.array(ARMS)[placed.arm[order]]),
        "arm_recorded": pa.array(np.array(ARMS)[placed.recorded[order]]),
        "severity": pa.array(area.eligible.severity[order]),
    }
    for at, arm in enumerate(ARMS):
        columns[f"probability_{arm}"] = pa.array(placed.probability[order, at])
    for outcome, values in area.potential(recipe).items():
        for when, wave in enumerate(WAVES):
            for at, arm in enumerate(ARMS):
                columns[f"{outcome}_{wave}_{arm}"] = pa.array(values[order, when, at])
    return pa.table(columns)

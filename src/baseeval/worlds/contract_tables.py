"""An area's tables under the names and types of the contracts."""

from __future__ import annotations

import pyarrow as pa

from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.contract_bases import bases_rows, placements_rows, schools_rows
from baseeval.worlds.contract_pupils import peers_rows, pupils_rows
from baseeval.worlds.contract_results import (
    attainment_rows,
    attendance_rows,
    exclusions_rows,
    surveys_rows,
)
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.roll import lay_roll
from baseeval.worlds.streams import Streams


def contract_tables(
    recipe: WorldRecipe, area: Area, recorded: Recorded, streams: Streams
) -> dict[str, pa.Table]:
    """Lay an area out in the tables of the data dictionary.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    recorded : Recorded
    streams : Streams

    Returns
    -------
    dict of str to pyarrow.Table
        Name of a contract -> table: ``pupils, schools, placements, bases, attendance,
        attainment, surveys``, and ``exclusions`` and ``peers`` where the world has them.
    """
    roll = lay_roll(recipe, area, recorded, streams)
    made = {
        "pupils": pupils_rows(recipe, area, recorded, roll, streams),
        "schools": schools_rows(recipe, area, roll),
        "placements": placements_rows(area, roll),
        "bases": bases_rows(area, roll, streams),
        "attendance": attendance_rows(recorded, roll),
        "attainment": attainment_rows(recipe, recorded, roll),
        "surveys": surveys_rows(recorded, roll),
    }
    if "suspensions" in recorded.columns:
        made["exclusions"] = exclusions_rows(recorded, roll)
    if area.peers is not None:
        made["peers"] = peers_rows(roll)
    return made

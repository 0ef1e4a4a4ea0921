"""Movers: from which arm to which, wave by wave, and how long a place was kept."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.assembling import Assembled
from baseeval.engine.duckdb_engine import Engine

_COLUMNS = ["wave", "arm", "arm_then", "pupils", "schools"]


def count_movements(made: Assembled, engine: Engine) -> pd.DataFrame:
    """Count pupils by their arm at time zero and at each later wave.

    Parameters
    ----------
    made : Assembled
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``wave, arm, arm_then, pupils, schools``: the arm at time zero, the arm at the
        start of the wave's school year (``not seen`` where no census saw the pupil).
        It describes; the arms that are compared are those of time zero.
    """
    yearly = made.yearly
    joined = made.starts.select("pupil", "school", "arm", "year").join(
        yearly, on="pupil", how="inner"
    )
    wave = (nw.col("census_year") - nw.col("year") + 1).alias("wave")
    counted = (
        joined.with_columns(wave)
        .filter(nw.col("wave") >= 1)
        .group_by("wave", "arm", "arm_then")
        .agg(
            nw.len().cast(nw.Int64).alias("pupils"),
            nw.col("school").n_unique().cast(nw.Int64).alias("schools"),
        )
    )
    table: pd.DataFrame = engine.collect(counted, ["wave", "arm", "arm_then"]).to_pandas()
    return table.assign(wave=table["wave"].astype(str))[_COLUMNS]

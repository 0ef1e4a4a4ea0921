"""Movers: who could be seen when, and from which arm to which, wave by wave."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from baseeval.cohort.assembling import Assembled
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.results import NOT_SEEN

_COLUMNS = ["wave", "arm", "arm_then", "pupils", "schools"]


def could_be_seen(made: Assembled, engine: Engine) -> Frame:
    """Lay out the waves in which a census could see each pupil.

    Parameters
    ----------
    made : Assembled
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil, school, arm, census_year, wave``, from the school year of time zero on.
    """
    known = engine.table(pa.table({"census_year": pa.array(made.years, pa.int64())}))
    starts = made.starts.select("pupil", "school", "arm", "year")
    wave = (nw.col("census_year") - nw.col("year") + 1).alias("wave")
    waves = starts.join(known, how="cross").with_columns(wave).filter(nw.col("wave") >= 1)
    return waves.drop("year")


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
        start of the wave's school year (``not seen`` where no census saw the pupil, ``in no
        arm`` where one did, in a base that does not count, say).
        It describes; the arms that are compared are those of time zero.
    """
    expected = could_be_seen(made, engine)
    seen = made.seen.select("pupil", nw.col("year").alias("census_year"), nw.lit(1).alias("seen"))
    followed = expected.join(seen, on=["pupil", "census_year"], how="left").join(
        made.yearly, on=["pupil", "census_year"], how="left"
    )
    there = nw.when(nw.col("seen") == 1).then(nw.lit("in no arm")).otherwise(nw.lit(NOT_SEEN))
    then = nw.coalesce(nw.col("arm_then"), there).alias("arm_then")
    counted = (
        followed.with_columns(then)
        .group_by("wave", "arm", "arm_then")
        .agg(
            COUNT.alias("pupils"),
            nw.col("school").n_unique().cast(nw.Int64).alias("schools"),
        )
    )
    table: pd.DataFrame = engine.collect(counted, ["wave", "arm", "arm_then"]).to_pandas()
    return table.assign(wave=table["wave"].astype(str))[_COLUMNS]

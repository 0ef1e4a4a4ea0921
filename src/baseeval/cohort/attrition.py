"""Attrition: who was there at time zero and is not seen again, and whom that leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from baseeval.cohort.keys import PUPIL, WAVE
from baseeval.cohort.laying import Laid
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.results import ARMS

_COLUMNS = ["wave", "arm", "covariate", "level", "pupils", "lost", "n_stayed", "n_lost", "smd"]


def count_attrition(
    covariates: Frame,
    names: Sequence[str],
    expected: Frame,
    seen: Frame,
    waves: Sequence[str],
    engine: Engine,
) -> pd.DataFrame:
    """Count by arm and wave who is lost, and how they differ from those who stayed.

    Parameters
    ----------
    covariates : narwhals LazyFrame
        ``pupil, school, arm`` and the covariates.
    names : sequence of str
        The covariates.
    expected : narwhals LazyFrame
        ``pupil, wave``: who could have been seen at each wave.
    seen : narwhals LazyFrame
        ``pupil, wave``: who was.
    waves : sequence of str
        Those after time zero, in order.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``wave, arm, covariate, level, pupils, lost, n_stayed, n_lost, smd``. A row
        without a covariate counts an arm. The others hold the mean of those lost
        less that of those who stayed, over the SD of both together; ``n_stayed`` and
        ``n_lost`` are the pupils behind it, of a level those who have it.
    """
    base = engine.collect(covariates, ["school", "pupil"]).to_pandas()
    pairs = engine.collect(
        expected.join(
            seen.select("pupil", "wave").unique().with_columns(nw.lit(1).alias("key:seen")),
            on=["pupil", "wave"],
            how="left",
        ),
        ["wave", "pupil"],
    ).to_pandas()
    records: list[dict[str, object]] = []
    for wave in waves:
        at = pairs[pairs["wave"] == wave]
        if at.empty:
            continue
        held = base.merge(at[["pupil", "key:seen"]], on="pupil", how="inner")
        for arm in (*ARMS, "all"):
            mine = held[held["arm"] == arm]
            if mine.empty:
                continue
            lost = mine["key:seen"].isna().to_numpy()
            counts = {"wave": wave, "arm": arm, "pupils": len(mine), "lost": int(lost.sum())}
            ends = {"n_stayed": int((~lost).sum()), "n_lost": int(lost.sum())}
            records.append({**counts, "covariate": "", "level": "", **ends, "smd": np.nan})
            for name in names:
                records += [{**counts, **row} for row in _differences(mine[name], lost, name)]
    return pd.DataFrame.from_records(records, columns=_COLUMNS)


def attrition_of(
    laid: Laid,
    rows: Frame,
    covariates: Frame,
    names: Sequence[str],
    waves: Sequence[str],
    engine: Engine,
) -> pd.DataFrame:
    """Count attrition from whatever says that a pupil was seen.

    Parameters
    ----------
    laid : Laid
        Of a source: a census saw a pupil in a school year.
    rows : narwhals LazyFrame
        Of a tidy table: a pupil has a row at a wave. With keys and steps.
    covariates : narwhals LazyFrame
        ``pupil, school, arm`` and the covariates.
    names, waves : sequence of str
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        As `count_attrition`.
    """
    pupils = covariates.select("pupil")
    if laid.followed is not None:
        expected, seen = laid.followed
        expected = expected.join(pupils, on="pupil", how="inner")
        return count_attrition(covariates, names, expected, seen, waves, engine)
    if not waves or waves == ("",):
        return pd.DataFrame(columns=_COLUMNS)
    table = pa.table({"wave": pa.array(waves, pa.string())})
    expected = pupils.join(engine.table(table), how="cross")
    seen = rows.select(nw.col(PUPIL).alias("pupil"), nw.col(WAVE).alias("wave"))
    return count_attrition(covariates, names, expected, seen, waves, engine)


def _differences(
    column: pd.Series[Any], lost: NDArray[np.bool_], name: str
) -> list[dict[str, object]]:
    known = column.notna().to_numpy()
    rows: list[dict[str, object]] = []
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float)
        rows.append(
            {
                "covariate": name,
                "level": "",
                "n_stayed": int((known & ~lost).sum()),
                "n_lost": int((known & lost).sum()),
                "smd": _smd(values[known], lost[known]),
            }
        )
        return rows
    for level in sorted(column[known].unique()):
        has = (column == level).to_numpy()
        rows.append(
            {
                "covariate": name,
                "level": str(level),
                "n_stayed": int((has & ~lost).sum()),
                "n_lost": int((has & lost).sum()),
                "smd": _smd(has[known].astype(float), lost[known]),
            }
        )
    return rows


def _smd(values: NDArray[np.float64], lost: NDArray[np.bool_]) -> float:
    if values.size < 2 or lost.all() or not lost.any():
        return float("nan")
    if values.max() == values.min():
        return 0.0
    spread = float(values.std(ddof=1))
    return float((values[lost].mean() - values[~lost].mean()) / spread)

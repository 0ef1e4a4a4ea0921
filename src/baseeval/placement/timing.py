"""What a base is called against where its pupils spend their time."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frames
from baseeval.placement.filing import filed_placements, filed_spells

TIME_COLUMNS = ("base_id", "urn", "declared", "pupils", "mean_share", "looks_like")
_PARTS = 10_000  # of a share of time: sums of whole numbers come out alike on every engine
_HALF = 0.5


def compare_time(tables: Frames, engine: Engine) -> pd.DataFrame:
    """List the bases whose pupils spend their time otherwise than the declared type says.

    A SEN unit's pupils are taught in separate classes for at least half of their
    time, those of a resourced provision in mainstream classes for at least half.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        ``placements``, and ``bases``, whose type goes before the file's; either may be absent.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``base_id, urn, declared, pupils, mean_share, looks_like``, one row a base
        at odds with its type: the mean, over the pupils' spells, of the share of
        time in the base, and the type that it fits.
    """
    if "placements" not in tables:
        return pd.DataFrame(columns=list(TIME_COLUMNS))
    spells, _ = filed_spells(filed_placements(tables, engine), engine)
    known = spells.filter(~nw.col("share_of_time_in_base").is_null())
    parts = (nw.col("share_of_time_in_base") * _PARTS).round(0).cast(nw.Int64)
    grouped = known.with_columns(parts.alias("parts")).group_by("base_id", "urn", "base_type")
    sums = grouped.agg(
        nw.col("pupil_id").n_unique().cast(nw.Int64).alias("pupils"),
        COUNT.alias("spells"),
        nw.col("parts").sum().cast(nw.Int64),
    )
    records = []
    for row in engine.collect(sums, ["base_id", "urn", "base_type"]).to_pylist():
        mean = row["parts"] / row["spells"] / _PARTS
        fits = _looks_like(row["base_type"], mean)
        if fits:
            keys = (row["base_id"], row["urn"], row["base_type"])
            records.append((*keys, row["pupils"], mean, fits))
    return pd.DataFrame.from_records(records, columns=list(TIME_COLUMNS))


def _looks_like(declared: str, share: float) -> str:
    """Name the other type if the time does not fit the declared one; exactly half fits both."""
    if declared == "sen_unit" and share < _HALF:
        return "resourced_provision"
    if declared == "resourced_provision" and share > _HALF:
        return "sen_unit"
    return ""

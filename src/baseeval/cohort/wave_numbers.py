"""Waves counted from time zero: 1 is its school year, measured at the end, 0 the one before."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.frames import Frame


def with_wave(rows: Frame, starts: Frame) -> Frame:
    """Add the wave to rows that have a school year.

    Parameters
    ----------
    rows : narwhals LazyFrame
        ``pupil_id, year`` and others.
    starts : narwhals LazyFrame
        ``pupil_id, zero, year``.

    Returns
    -------
    narwhals LazyFrame
        With ``zero``, ``first_year`` and ``wave``; pupils without a time zero are left out.
    """
    zero = starts.select("pupil_id", "zero", nw.col("year").alias("first_year"))
    joined = rows.join(zero, on="pupil_id", how="inner").filter(~nw.col("zero").is_null())
    return joined.with_columns((nw.col("year") - nw.col("first_year") + 1).alias("wave"))

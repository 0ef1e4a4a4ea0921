"""Days: when a census was, and when a school year opens and closes."""

from __future__ import annotations

from datetime import date, timedelta

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame

_THURSDAY = 3
#: Term -> years after the autumn's own, month, and which of its Thursdays.
_CENSUSES = {"AUT": (-1, 10, 1), "SPR": (0, 1, 3), "SUM": (0, 5, 3)}


def census_day(year: int, term: str) -> date:
    """Give the day of a school census, by rule.

    Parameters
    ----------
    year : int
        Summer in which the school year ends.
    term : str
        ``AUT``, ``SPR`` or ``SUM``.

    Returns
    -------
    datetime.date
        The first Thursday of October, the third of January or the third of May.

    Examples
    --------
    >>> census_day(2022, "AUT").isoformat(), census_day(2022, "SPR").isoformat()
    ('2021-10-07', '2022-01-20')
    """
    later, month, which = _CENSUSES[term]
    first = date(year + later, month, 1)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 7 * (which - 1))


def with_census_days(rows: Frame, engine: Engine) -> Frame:
    """Add the day on which rows were true: the census day of their year and term, or their own.

    Parameters
    ----------
    rows : narwhals LazyFrame
        ``year, term``, and ``recorded`` where they say their own day. A row without a
        term is of the spring census; one without a year is left out.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        With ``day``.
    """
    rows = rows.with_columns(nw.coalesce(nw.col("term"), nw.lit("SPR")).alias("term"))
    held = engine.collect(rows.select("year", "term").unique(), ["year", "term"]).to_pylist()
    held = [row for row in held if row["year"] is not None and row["term"] in _CENSUSES]
    days = {
        "year": pa.array([row["year"] for row in held], pa.int64()),
        "term": pa.array([row["term"] for row in held], pa.string()),
        "day": pa.array([census_day(row["year"], row["term"]) for row in held], pa.date32()),
    }
    rows = rows.join(engine.table(pa.table(days)), on=["year", "term"], how="inner")
    if "recorded" not in rows.collect_schema().names():
        return rows
    return rows.with_columns(nw.coalesce(nw.col("recorded"), nw.col("day")).alias("day"))


def year_frame(years: list[int], engine: Engine) -> Frame:
    """Lay school years out with their first and last days.

    Parameters
    ----------
    years : list of int
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``year, opens, closes``: 1 September and 31 August.
    """
    table = {
        "year": pa.array(years, pa.int64()),
        "opens": pa.array([date(year - 1, 9, 1) for year in years], pa.date32()),
        "closes": pa.array([date(year, 8, 31) for year in years], pa.date32()),
    }
    return engine.table(pa.table(table))

"""What the tables of the National Pupil Database share: how years are written, and strangers."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault
from baseeval.sources.cells import as_text
from baseeval.sources.rows import count_fault

#: A school year by both its calendar years: 2021/22, 2021/2022, 202122.
_BOTH_YEARS = r"^\d{4}[/-]?(\d{2}|\d{4})$"


def with_summer_year(frame: Frame) -> Frame:
    """Name school years by the summer in which they end.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Its ``year`` is a number (2022) or text (2022, 2021/22, 2021/2022, 202122).

    Returns
    -------
    narwhals LazyFrame
        Text that is no school year stays, and is at fault when it is read.
    """
    kind = frame.collect_schema()["year"]
    text = as_text("year", kind).str.strip_chars()
    both = text.str.contains(_BOTH_YEARS)
    first = nw.when(both).then(text.str.slice(0, 4)).otherwise(nw.lit("0")).cast(nw.Int64)
    last = nw.when(both).then(text.str.tail(2)).otherwise(nw.lit("0")).cast(nw.Int64)
    follows = both & ((first + 1) % 100 == last)
    summer = (first + 1).cast(nw.String)
    return frame.with_columns(nw.when(follows).then(summer).otherwise(text).alias("year"))


def not_in_census(frame: Frame, pupils: Frame, engine: Engine, file: str) -> list[Fault]:
    """Count the pupils of a table whom no census holds.

    Parameters
    ----------
    frame, pupils : narwhals LazyFrame
    engine : Engine
    file : str

    Returns
    -------
    list of Fault
    """
    own = frame.select("pupil_id").unique()
    strangers = own.join(pupils.select("pupil_id").unique(), on="pupil_id", how="anti")
    count = engine.counts(strangers, {"all": ~nw.col("pupil_id").is_null()})["all"]
    return count_fault(
        file,
        "pupil_id",
        "not_in_census",
        count,
        "no row in any census of this study",
        "Their rows are kept, and join to no pupil: check that the extracts are of one request.",
        unit="pupil",
    )

"""What only the spring census asks, carried to the two censuses that follow it."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.frames import Frame
from baseeval.sources.values import WHY

#: Asked in spring alone.
SPRING_ONLY = ("primary_need", "secondary_need", "fsm6")

#: Why a row of another term has no value.
NOT_COLLECTED = "not collected this term"


def carry_spring(frame: Frame) -> Frame:
    """Carry what spring recorded to that year's summer and the next year's autumn.

    Never backwards: what spring records may be what a placement brought about.

    Parameters
    ----------
    frame : narwhals LazyFrame
        One row a pupil and census, typed, each column with why it has no value.

    Returns
    -------
    narwhals LazyFrame
        A value that another term's extract holds itself stays.
    """
    names = frame.collect_schema().names()
    fields = [name for name in SPRING_ONLY if name in names]
    if not fields:
        return frame
    year, term = nw.col("year"), nw.col("term")
    last_spring = nw.when(term == "SUM").then(year).otherwise(nw.when(term == "AUT").then(year - 1))
    springs = frame.filter(term == "SPR").select(
        "pupil_id",
        year.alias("last_spring"),
        nw.lit("yes").alias("seen"),
        *(nw.col(name).alias(f"spring:{name}") for name in fields),
        *(nw.col(WHY + name).alias(f"spring:{WHY}{name}") for name in fields),
    )
    rows = frame.with_columns(last_spring.alias("last_spring"))
    rows = rows.join(springs, on=["pupil_id", "last_spring"], how="left")
    columns = []
    for name in fields:
        value, carried = nw.col(name), nw.col(f"spring:{name}")
        own = ~value.is_null() | nw.coalesce(term == "SPR", nw.lit(False))
        then = nw.when(~nw.col("seen").is_null()).then(nw.col(f"spring:{WHY}{name}"))
        columns.append(nw.when(own).then(value).otherwise(carried).alias(name))
        columns.append(
            nw.when(own)
            .then(nw.col(WHY + name))
            .otherwise(then.otherwise(nw.lit(NOT_COLLECTED)))
            .alias(WHY + name)
        )
    return rows.with_columns(*columns).select(*names)

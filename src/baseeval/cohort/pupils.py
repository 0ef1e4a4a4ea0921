"""One row a pupil: the arm, the school at time zero, and what became of them."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from baseeval.cohort.eligible import REASONS
from baseeval.cohort.keys import ARM, FATE, PUPIL, SCHOOL, STATUS, STEP
from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.arms import EXCLUDED, NOT_CONSIDERED, OTHER_TYPE
from baseeval.placement.unclear import UNCLEAR, UNCLEAR_HOST, UNDATED

#: What becomes of a pupil, in the order in which it is decided.
FATES = {
    "peer": "a matched peer: in no arm, used only for gaps",
    "group": "whether the pupil is a peer is not recorded",
    **REASONS,
    **{
        reason: reason
        for reason in (OTHER_TYPE, UNDATED, UNCLEAR, UNCLEAR_HOST, NOT_CONSIDERED, EXCLUDED)
    },
    "blank": "no placement is recorded",
    "other": "the placement is one that the study leaves out",
    "no school": "no school is recorded",
    "arm": "",
}


def pupil_table(
    rows: nw.LazyFrame[Any],
    baseline_step: int | None,
    reasons: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> nw.LazyFrame[Any]:
    """Gather the rows of each pupil.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps, checked.
    baseline_step : int, optional
        Number of the baseline wave.
    reasons : narwhals LazyFrame, optional
        ``pupil, reason``: why a pupil is not eligible, a key of :data:`FATES`.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``key:pupil, key:arm, key:school, key:fate``. School and placement are those
        of the baseline wave, else of the first wave that records one: time
        zero. What a pupil is placed in later makes no arm.
    """
    ever = rows.group_by(PUPIL).agg(
        nw.col(ARM).max().alias(ARM),
        (nw.col(STATUS) == "peer").cast(nw.Int64).max().alias("peer"),
        (nw.col(STATUS) == "group").cast(nw.Int64).max().alias("group"),
    )
    labelled = rows.filter(nw.col(STATUS).is_in(["arm", "other"]))
    table = ever.join(first_values(labelled, STATUS, baseline_step), on=PUPIL, how="left")
    table = table.join(first_values(rows, SCHOOL, baseline_step), on=PUPIL, how="left")
    fate = nw.when(nw.col("group") == 1).then(nw.lit("group")).otherwise(nw.lit("blank"))
    placed = nw.when(nw.col(SCHOOL).is_null()).then(nw.lit("no school")).otherwise(nw.lit("arm"))
    fate = nw.when(nw.col(STATUS) == "other").then(nw.lit("other")).otherwise(fate)
    fate = nw.when(nw.col(STATUS) == "arm").then(placed).otherwise(fate)
    if reasons is not None:
        left_out = reasons.select(nw.col("pupil").alias(PUPIL), "reason")
        table = table.join(left_out, on=PUPIL, how="left")
        fate = nw.when(~nw.col("reason").is_null()).then(nw.col("reason")).otherwise(fate)
    fate = nw.when(nw.col("peer") == 1).then(nw.lit("peer")).otherwise(fate)
    return engine.keep(table.select(PUPIL, ARM, SCHOOL, fate.alias(FATE)))


def first_values(
    rows: nw.LazyFrame[Any], column: str, baseline_step: int | None
) -> nw.LazyFrame[Any]:
    """Take each pupil's value at the baseline wave, else the first one recorded.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps.
    column : str
    baseline_step : int, optional

    Returns
    -------
    narwhals LazyFrame
        ``key:pupil`` and the column; pupils without any value are absent.
    """
    rank = nw.col(STEP) + 1
    if baseline_step is not None:
        rank = nw.when(nw.col(STEP) == baseline_step).then(0).otherwise(rank)
    held = rows.filter(~nw.col(column).is_null()).select(PUPIL, column, rank.alias("rank"))
    first = held.group_by(PUPIL).agg(nw.col("rank").min())
    return held.join(first, on=[PUPIL, "rank"], how="inner").select(PUPIL, column)


def pupils_in_words(count: int) -> str:
    """Write a count of pupils for a note or a message.

    Parameters
    ----------
    count : int

    Returns
    -------
    str

    Examples
    --------
    >>> pupils_in_words(1), pupils_in_words(12)
    ('1 pupil', '12 pupils')
    """
    return "1 pupil" if count == 1 else f"{count} pupils"

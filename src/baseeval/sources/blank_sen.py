"""An empty SEN provision, which systems and extracts leave for no SEN, or for not known."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.errors import Fault
from baseeval.sources.rows import count_fault
from baseeval.sources.tables import ReadOptions
from baseeval.sources.values import WHY


def with_blank_sen(
    frame: Frame, engine: Engine, label: str, options: ReadOptions
) -> tuple[Frame, list[Fault]]:
    """Read an empty SEN provision as the study says, in censuses that recorded provision.

    Parameters
    ----------
    frame : narwhals LazyFrame
        The table ``pupils``, typed.
    engine : Engine
    label : str
        The file or files, as messages name them.
    options : ReadOptions

    Returns
    -------
    frame : narwhals LazyFrame
    faults : list of Fault
        How many were empty; it does not stop the study.
    """
    held = frame.collect_schema().names()
    if not {"sen_provision", "year"} <= set(held):
        return frame, []
    census = [name for name in ("year", "term") if name in held]
    value, why = nw.col("sen_provision"), nw.col(WHY + "sen_provision")
    empty = value.is_null() & (why == "blank")
    recorded = engine.collect(
        frame.group_by(*census)
        .agg((1 - yes(empty)).max().alias("any"))
        .filter(nw.col("any") == 1)
        .select(*census),
        census,
    ).to_pylist()
    if not recorded:
        return frame, []
    here = nw.any_horizontal(
        *(
            nw.all_horizontal(*(_same(name, row[name]) for name in census), ignore_nulls=True)
            for row in recorded
        ),
        ignore_nulls=True,
    )
    blank = empty & here
    none = options.blank_sen == "none"
    faults = count_fault(
        label,
        "sen_provision",
        "blank_sen",
        engine.counts(frame, {"blank": blank})["blank"],
        f"no SEN provision recorded, read as {'no SEN' if none else 'missing'}",
        "`blank_sen` says what an empty cell means: some extracts leave it empty for no SEN.",
    )
    if not none:
        return frame, faults
    filled = nw.when(blank).then(nw.lit("N")).otherwise(value).alias("sen_provision")
    told = nw.when(~blank).then(why).otherwise(None).alias(WHY + "sen_provision")
    return frame.with_columns(filled, told), faults


def _same(name: str, value: object) -> nw.Expr:
    return yes(nw.col(name).is_null() if value is None else nw.col(name) == value) == 1

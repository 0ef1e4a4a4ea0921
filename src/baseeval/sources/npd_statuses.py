"""Why a test gave no result: the outcome code decides, whatever stands in the score's cell."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault
from baseeval.sources.npd_outcomes import (
    RESULTS,
    SPECIAL,
    STATUS_OF_OUTCOME,
    TOO_FEW_MARKS,
    Measure,
)
from baseeval.sources.rows import count_fault, with_columns
from baseeval.sources.values import WHY

#: Column that holds a measure's status.
STATUS = "status:"

#: Scaled scores run from 80 to 120; some extracts write 0 for a code.
_LOWEST_SCALED = 80

_WHY_NO_SCORE = "no scaled score"


def with_statuses(
    frame: Frame, measures: Sequence[Measure], engine: Engine, label: str
) -> tuple[Frame, list[Fault]]:
    """Add the status of each measure, and take away values that its status rules out.

    Parameters
    ----------
    frame : narwhals LazyFrame
    measures : sequence of Measure
    engine : Engine
    label : str

    Returns
    -------
    frame : narwhals LazyFrame
        With ``status:measure``; of values beside a code, only marks beside
        "too few marks for a scaled score" stay.
    faults : list of Fault
    """
    scaled = (column for m in measures if m.kind == "scaled" for column in _scaled(m.name))
    frame = with_columns(frame, scaled)
    names = frame.collect_schema().names()
    outcomes = [o for o in dict.fromkeys(m.outcome for m in measures) if o in names]
    known = [*RESULTS, *SPECIAL, *STATUS_OF_OUTCOME]
    strange = {o: ~_code(o).is_null() & ~_code(o).is_in(known) for o in outcomes}
    statuses = {m.name: _status(m, names) for m in measures}
    beside = {
        m.name: ~statuses[m.name].is_null() & (nw.col(m.name).cast(nw.Float64) > 0)
        for m in measures
        if m.outcome in outcomes
    }
    counts = engine.counts(frame, {**strange, **beside})
    faults = []
    for outcome in outcomes:
        faults += count_fault(
            label,
            outcome,
            "unknown_outcome",
            counts[outcome],
            "an outcome code that is not known here",
            "Their status is `other`: look the codes up in the extract's own tables.",
            verb="hold",
        )
    for name in beside:
        faults += count_fault(
            label,
            name,
            "result_beside_code",
            counts[name],
            "a result beside a code that says there is none",
            "The code is believed, and the result is missing.",
            verb="hold",
        )
    frame = frame.with_columns(*(s.alias(STATUS + name) for name, s in statuses.items()))
    without = (
        nw.when(nw.col(STATUS + m.name).is_null()).then(nw.col(m.name)).alias(m.name)
        for m in measures
        if m.outcome in outcomes
    )
    return with_columns(frame, without), faults


def _scaled(name: str) -> list[nw.Expr]:
    value, why = nw.col(name), nw.col(WHY + name)
    return [
        nw.when(value >= _LOWEST_SCALED).then(value).alias(name),
        nw.when(value < _LOWEST_SCALED)
        .then(nw.lit(_WHY_NO_SCORE))
        .otherwise(why)
        .alias(WHY + name),
    ]


def _code(outcome: str) -> nw.Expr:
    return nw.col(outcome).str.to_uppercase()


def _status(measure: Measure, names: Sequence[str]) -> nw.Expr:
    nothing = nw.lit(None, dtype=nw.String)
    if measure.outcome not in names:
        return nothing
    code, value = _code(measure.outcome), nw.col(measure.name)
    coded = ~code.is_null() & ~code.is_in(list(RESULTS))
    status: nw.Expr = nw.when(coded).then(nw.lit("other")).otherwise(nothing)
    for said, meaning in STATUS_OF_OUTCOME.items():
        status = nw.when(code == said).then(nw.lit(meaning)).otherwise(status)
    has_result = code.is_in(list(SPECIAL)) & ~value.is_null()
    if measure.kind == "marks":
        has_result = has_result | ((code == TOO_FEW_MARKS) & (value > 0))
    return nw.when(has_result).then(nothing).otherwise(status)

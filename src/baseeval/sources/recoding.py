"""The codes of an origin written as those of the contract, by a crosswalk, and counted."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault, fault
from baseeval.sources.cell_text import without_margins
from baseeval.sources.crosswalk import Crosswalk


def recoded(
    frame: Frame, crosswalk: Crosswalk, engine: Engine, file: str
) -> tuple[Frame, list[Fault]]:
    """Write the contract's codes for those of the origin, and count what needs telling.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names.
    crosswalk : Crosswalk
    engine : Engine
    file : str

    Returns
    -------
    frame : narwhals LazyFrame
    faults : list of Fault
        None of them stops the study.
    """
    schema = frame.collect_schema()
    plainly = {c: codes for c, codes in crosswalk.values.items() if c in schema.names()}
    told = {
        c: {old: new for old, new in codes.items() if old not in plainly.get(c, {})}
        for c, codes in crosswalk.recode.items()
        if c in schema.names()
    }
    here = {c: {**told.get(c, {}), **plainly.get(c, {})} for c in (*told, *plainly)}
    if not here:
        return frame, []

    clean = without_margins(frame, list(here))

    def plain(column: str) -> nw.Expr:
        return nw.col(column).str.to_uppercase()

    counts = engine.counts(clean, {c: plain(c).is_in(list(codes)) for c, codes in told.items()})
    columns = []
    for column, codes in here.items():
        value = nw.col(column)
        for old, new in codes.items():
            value = nw.when(plain(column) == old).then(nw.lit(new)).otherwise(value)
        columns.append(value.alias(column))
    faults = [
        fault(
            file,
            column,
            "older_code",
            count,
            f"an older or other code, read as {_pairs(told[column])}",
            "Nothing need be done; check that the reading is what you mean.",
            verb="hold",
        )
        for column, count in counts.items()
        if count
    ]
    return clean.with_columns(*columns), faults


def _pairs(codes: Mapping[str, str]) -> str:
    return ", ".join(f"{old} as {new}" for old, new in codes.items())

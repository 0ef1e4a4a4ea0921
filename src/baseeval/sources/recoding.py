"""The codes of an origin written as those of the contract, by a crosswalk, and counted."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault, fault
from baseeval.sources.cells import as_text
from baseeval.sources.crosswalk import Crosswalk


def recoded(
    frame: Frame, crosswalk: Crosswalk, engine: Engine, file: str
) -> tuple[Frame, list[Fault]]:
    """Write the contract's codes for those of the origin, and count the rows.

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
    here = {c: codes for c, codes in crosswalk.recode.items() if c in schema.names()}
    if not here:
        return frame, []

    def plain(column: str) -> nw.Expr:
        return as_text(column, schema[column]).str.strip_chars().str.to_uppercase()

    counts = engine.counts(frame, {c: plain(c).is_in(list(codes)) for c, codes in here.items()})
    columns = []
    for column, codes in here.items():
        value = as_text(column, schema[column])
        for old, new in codes.items():
            value = nw.when(plain(column) == old).then(nw.lit(new)).otherwise(value)
        columns.append(value.alias(column))
    faults = [
        fault(
            file,
            column,
            "older_code",
            count,
            f"an older or other code, read as {_pairs(here[column])}",
            "Nothing need be done; check that the reading is what you mean.",
            verb="hold",
        )
        for column, count in counts.items()
        if count
    ]
    return frame.with_columns(*columns), faults


def _pairs(codes: Mapping[str, str]) -> str:
    return ", ".join(f"{old} as {new}" for old, new in codes.items())

"""DfE's performance tables: pupil census, absence and key stage 4, one row a school."""

from __future__ import annotations

from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.contracted import Contracted
from baseeval.sources.gathering import Gathered
from baseeval.sources.school_part import read_part, with_numbers, without_totals


def read_performance(gathered: Gathered, engine: Engine) -> Contracted:
    """Read a file of the performance tables.

    Parameters
    ----------
    gathered : Gathered
        By a crosswalk of the performance tables.
    engine : Engine

    Returns
    -------
    Contracted
        Rows for an authority, a region or England are left out, and counted.
    """
    frame, faults = without_totals(with_numbers(gathered.frame), engine, gathered.label)
    return read_part(frame, gathered, engine, faults, {})

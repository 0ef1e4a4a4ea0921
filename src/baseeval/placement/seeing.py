"""Where the census saw each pupil, and whether in a base."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, with_only
from baseeval.placement.dates import with_census_days
from baseeval.placement.rules import BOTH

NONE = "none"
_COLUMNS = {
    "pupil_id": nw.String,
    "year": nw.Int64,
    "term": nw.String,
    "recorded": nw.Date,
    "urn": nw.String,
    "sen_unit": nw.Int64,
    "resourced_provision": nw.Int64,
    "on_roll": nw.Int64,
    "entry_date": nw.Date,
}


def see_pupils(pupils: Frame, engine: Engine) -> Frame:
    """Read where each pupil was at each census.

    Parameters
    ----------
    pupils : narwhals LazyFrame
        The table ``pupils``: one row a pupil and census.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, year, term, day, urn, entry_date, on_roll, state``. The state is the
        type of base by the flags, ``none``, or null where the census did not
        record the flags. A pupil not on roll on the day is in no base.
    """
    rows = with_census_days(with_only(pupils, _COLUMNS), engine)
    unit, provision = nw.col("sen_unit"), nw.col("resourced_provision")
    recorded = ~unit.is_null() | ~provision.is_null()
    state: nw.Expr = nw.when(recorded).then(nw.lit(NONE))
    for condition, name in (
        (provision == 1, "resourced_provision"),
        (unit == 1, "sen_unit"),
        ((unit == 1) & (provision == 1), BOTH),
        (nw.col("on_roll") == 0, NONE),
    ):
        state = nw.when(condition).then(nw.lit(name)).otherwise(state)
    seen = rows.filter(~nw.col("urn").is_null()).with_columns(state.alias("state"))
    columns = ("pupil_id", "year", "term", "day", "urn", "entry_date", "on_roll", "state")
    return engine.keep(seen.select(*columns))


def in_a_base() -> nw.Expr:
    """Tell whether a row of `see_pupils` saw the pupil in a base.

    Returns
    -------
    narwhals expression
    """
    return ~nw.col("state").is_null() & (nw.col("state") != NONE)

"""Spells and decisions from a file of placements."""

from __future__ import annotations

from datetime import date

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, Frames, with_only, yes
from baseeval.errors import Fault, fault
from baseeval.placement.censusing import SPELL_COLUMNS
from baseeval.placement.naming import UNKNOWN, with_types
from baseeval.sources.values import WHY

_COLUMNS = {
    "pupil_id": nw.String,
    "urn": nw.String,
    "base_id": nw.String,
    "base_type": nw.String,
    "start": nw.Date,
    "end": nw.Date,
    "share_of_time_in_base": nw.Float64,
    "decision": nw.String,
    "decided": nw.Date,
    "left_for": nw.String,
    "ready": nw.Int64,
    "reviewed": nw.Date,
}
#: 1 where something stands as an end that is no day: the place may go on, or be over.
END_NOT_READ = "end_not_read"

_PLACED = "placed"
_BLANK = "blank"
_FAR = date(2999, 12, 31)


def filed_placements(tables: Frames, engine: Engine) -> Frame:
    """Read the file of placements, with the type of each base.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        ``placements``, and ``bases`` where there is one.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        The columns of the contract that placements need, ``word`` and
        ``end_not_read``. A base whose type the file does not give has the one that
        the list of bases gives.
    """
    why = WHY + "end"
    rows = with_types(with_only(tables["placements"], {**_COLUMNS, why: nw.String}))
    rows = rows.with_columns(yes(nw.col(why) != _BLANK).alias(END_NOT_READ))
    if "bases" in tables:
        columns = {"base_id": nw.String, "base_type": nw.String}
        listed = with_types(with_only(tables["bases"], columns))
        listed = listed.group_by("base_id").agg(nw.col("base_type").min().alias("listed_type"))
        told = nw.when(nw.col("base_type") != UNKNOWN).then(nw.col("base_type"))
        rows = rows.join(listed, on="base_id", how="left").with_columns(
            nw.coalesce(told, nw.col("listed_type")).alias("base_type")
        )
    code = nw.coalesce(nw.col("base_type"), nw.lit(UNKNOWN))
    rows = rows.with_columns(code.alias("base_type"))
    base = nw.coalesce(nw.col("base_id"), nw.concat_str("urn", "base_type", separator="-"))
    return engine.keep(
        rows.with_columns(base.alias("base_id")).select(*_COLUMNS, "word", END_NOT_READ)
    )


def is_placed() -> nw.Expr:
    """Tell whether a row of `filed_placements` is a place, and not a request for one.

    Returns
    -------
    narwhals expression
    """
    return nw.col("decision").is_null() | (nw.col("decision") == _PLACED)


def filed_spells(filed: Frame, engine: Engine) -> tuple[Frame, list[Fault]]:
    """Take the spells out of a file of placements.

    Parameters
    ----------
    filed : narwhals LazyFrame
        From `filed_placements`.
    engine : Engine

    Returns
    -------
    spells : narwhals LazyFrame
        With `SPELL_COLUMNS`, ``seen_before`` null: a file does not say. Rows of
        other decisions than ``placed`` are left out, and those whose days are not
        known (see `baseeval.placement.unclear.unclear_places`).
    faults : list of Fault
    """
    first, last = nw.col("start"), nw.col("end")
    sound = ~first.is_null() & (yes(last < first) == 0) & (nw.col(END_NOT_READ) == 0)
    spells = engine.keep(
        filed.filter(is_placed() & sound)
        .with_columns(
            nw.lit(None, dtype=nw.Int64).alias("seen_before"),
            nw.lit(None, dtype=nw.Date).alias("last_out"),
            first.alias("first_in"),
            last.alias("last_in"),
            last.alias("next_out"),
        )
        .select(*SPELL_COLUMNS)
    )
    count = _overlapping(spells, engine)
    if not count:
        return spells, []
    what = "two spells at once"
    remedy = "They are read as they stand; the spell that began first is used."
    return spells, [
        fault("placements", "start", "overlapping_spells", count, what, remedy, unit="pupil")
    ]


def _overlapping(spells: Frame, engine: Engine) -> int:
    """Count the pupils of whom a spell begins on or before the last day of an earlier one."""
    order = ("start", "ends", "base_id")
    rows = spells.with_columns(nw.coalesce(nw.col("end"), nw.lit(_FAR)).alias("ends"))
    rows = rows.with_columns(nw.col("ends").cum_max().over("pupil_id", order_by=order).alias("to"))
    rows = rows.with_columns(nw.col("to").shift(1).over("pupil_id", order_by=order).alias("before"))
    pupils = rows.filter(nw.col("start") <= nw.col("before")).select("pupil_id").unique()
    return engine.counts(pupils, {"pupils": ~nw.col("pupil_id").is_null()})["pupils"]


def considered_pupils(filed: Frame, engine: Engine) -> Frame:
    """Take the decisions other than a place out of a file of placements.

    Parameters
    ----------
    filed : narwhals LazyFrame
        From `filed_placements`.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, urn, base_type, decision, decided``: one row a decision.
    """
    considered = filed.filter(~is_placed())
    return engine.keep(considered.select("pupil_id", "urn", "base_type", "decision", "decided"))


def last_day_told(filed: Frame, engine: Engine) -> date | None:
    """Find the last day of which a file of placements says anything.

    Parameters
    ----------
    filed : narwhals LazyFrame
        From `filed_placements`.
    engine : Engine

    Returns
    -------
    datetime.date or None
        Of the starts, ends, decisions and reviews; None where there is none.
    """
    latest = filed.select(*(nw.col(name).max() for name in ("start", "end", "decided", "reviewed")))
    days = engine.collect(latest, []).to_pylist()[0].values()
    return max((day for day in days if day is not None), default=None)

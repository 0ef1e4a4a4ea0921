"""Spells and decisions from a file of placements."""

from __future__ import annotations

from datetime import date

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, Frames, with_only, yes
from baseeval.errors import Fault, fault
from baseeval.placement.censusing import SPELL_COLUMNS
from baseeval.placement.naming import UNKNOWN, with_types

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
}
PLACED = "placed"
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
        The columns of the contract that placements need, and ``word``. A base
        whose type the file does not give has the one that the list of bases gives.
    """
    rows = with_types(with_only(tables["placements"], _COLUMNS))
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
    return engine.keep(rows.with_columns(base.alias("base_id")).select(*_COLUMNS, "word"))


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
        other decisions than ``placed``, without a start, or with an end before
        it, are left out.
    faults : list of Fault
    """
    decision = nw.col("decision")
    placed = filed.filter(decision.is_null() | (decision == PLACED))
    ill = nw.col("end") < nw.col("start")
    counts = engine.counts(placed, {"ill": ill, "undated": nw.col("start").is_null()})
    dated = placed.filter(~nw.col("start").is_null() & (yes(ill) == 0))
    first, last = nw.col("start"), nw.col("end")
    spells = engine.keep(
        dated.with_columns(
            nw.lit(None, dtype=nw.Int64).alias("seen_before"),
            nw.lit(None, dtype=nw.Date).alias("last_out"),
            first.alias("first_in"),
            last.alias("last_in"),
            last.alias("next_out"),
        ).select(*SPELL_COLUMNS)
    )
    found = [
        ("end_before_start", "end", counts["ill"], "an end before the start", "row"),
        ("spell_without_start", "start", counts["undated"], "a place and no first day", "row"),
        (
            "overlapping_spells",
            "start",
            _overlapping(spells, engine),
            "two spells at once",
            "pupil",
        ),
    ]
    remedies = {
        "end_before_start": "Mend the dates; until then the spells are left out.",
        "spell_without_start": "Give the first day; until then the spells are left out.",
        "overlapping_spells": "They are read as they stand; the spell that began first is used.",
    }
    return spells, [
        fault("placements", column, rule, count, what, remedies[rule], unit=unit)
        for rule, column, count, what, unit in found
        if count
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
    considered = filed.filter(~nw.col("decision").is_null() & (nw.col("decision") != PLACED))
    return engine.keep(considered.select("pupil_id", "urn", "base_type", "decision", "decided"))

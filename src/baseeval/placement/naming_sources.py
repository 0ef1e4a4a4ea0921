"""What each source says of bases, counted in the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import NEEDS
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, Frames, with_only
from baseeval.placement.filing import filed_placements, filed_spells
from baseeval.placement.hosting import school_bases
from baseeval.placement.matching_bases import Named
from baseeval.placement.naming import UNKNOWN, with_types
from baseeval.placement.rules import BOTH, PARTS
from baseeval.placement.seeing import in_a_base
from baseeval.sources.declared import NO_BASE
from baseeval.sources.values import WHY

_LISTED = {
    "base_id": nw.String,
    "urn": nw.String,
    "name": nw.String,
    "base_type": nw.String,
    "commissioner": nw.String,
    "needs": nw.String,
    "places": nw.Float64,
    "pupils": nw.Float64,
    "local_offer": nw.Int64,
}
_NEED_CODES = {meaning.lower(): code for code, meaning in NEEDS.items()}


def named_by_list(tables: Frames, engine: Engine) -> list[Named]:
    """Read the bases of the table ``bases``.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    engine : Engine

    Returns
    -------
    list of Named
    """
    if "bases" not in tables:
        return []
    listed = with_types(with_only(tables["bases"], _LISTED).filter(~nw.col("urn").is_null()))
    rows = engine.collect(listed, ["urn", "base_id"]).to_pylist()
    return [
        Named(
            source="bases",
            urn=row["urn"],
            base_type=row["base_type"] or UNKNOWN,
            base_id=row["base_id"],
            pupils=_whole(row["pupils"]),
            places=_whole(row["places"]),
            name=row["name"],
            commissioner=row["commissioner"],
            needs=needs_of(row["needs"]),
            local_offer=_truth(row["local_offer"]),
        )
        for row in rows
    ]


def named_by_file(tables: Frames, day: date, engine: Engine) -> list[Named]:
    """Read the bases of the table ``placements``: of spells, and of requests.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    day : datetime.date
        The day on which pupils are counted.
    engine : Engine

    Returns
    -------
    list of Named
    """
    if "placements" not in tables:
        return []
    filed = filed_placements(tables, engine)
    spells, _ = filed_spells(filed, engine)
    by = ["urn", "base_id", "base_type"]
    there = (nw.col("start") <= day) & (nw.col("end").is_null() | (nw.col("end") >= day))
    inside = spells.filter(there).select(*by, "pupil_id").unique()
    named = filed.filter(~nw.col("urn").is_null()).select(*by).unique()
    counted = named.join(inside.group_by(*by).agg(COUNT.alias("pupils")), on=by, how="left")
    return [
        Named(
            source="spells",
            urn=row["urn"],
            base_type=row["base_type"],
            # Without an id of its own the base has the one made of its school and type.
            base_id=None
            if row["base_id"] == f"{row['urn']}-{row['base_type']}"
            else row["base_id"],
            pupils=row["pupils"] or 0,
        )
        for row in engine.collect(counted, by).to_pylist()
    ]


def named_by_schools(tables: Frames, engine: Engine) -> list[Named]:
    """Read the bases that GIAS or EES names, in the latest year of each school.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    engine : Engine

    Returns
    -------
    list of Named
    """
    if "schools" not in tables:
        return []
    schools = latest_schools(tables["schools"])
    columns = {"urn": nw.String, "base_needs": nw.String, "local_offer": nw.Int64}
    about = with_only(schools, columns)
    rows = school_bases(schools).join(about, on="urn", how="left")
    return [
        Named(
            source="schools",
            urn=row["urn"],
            base_type=row["base_type"],
            pupils=_whole(row["pupils"]),
            places=_whole(row["places"]),
            needs=needs_of(row["base_needs"]),
            local_offer=_truth(row["local_offer"]),
        )
        for row in engine.collect(rows, ["urn", "base_type"]).to_pylist()
    ]


def schools_that_say(tables: Frames, engine: Engine) -> set[str]:
    """List the schools of which GIAS or EES says whether they have a base.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    engine : Engine

    Returns
    -------
    set of str
        URNs: those with a base, and those of which the source says that they have
        none. Where it does not tell "none" from an empty cell, every school.
    """
    if "schools" not in tables:
        return set()
    why = f"{WHY}base_type"
    schools = latest_schools(tables["schools"])
    if why in schools.collect_schema().names():
        schools = schools.filter(nw.col(why) == NO_BASE)
    named = school_bases(latest_schools(tables["schools"]))
    said = nw.concat([schools.select("urn"), named.select("urn")], how="vertical").unique()
    return set(engine.collect(said, ["urn"]).column("urn").to_pylist())


def latest_schools(schools: Frame) -> Frame:
    """Keep the latest year of each school; rows without a year are of none but themselves.

    Parameters
    ----------
    schools : narwhals LazyFrame

    Returns
    -------
    narwhals LazyFrame
    """
    if "year" not in schools.collect_schema().names():
        return schools
    dated = schools.with_columns(nw.coalesce(nw.col("year"), nw.lit(0)).alias("of"))
    latest = dated.with_columns(nw.col("of").max().over("urn").alias("latest"))
    return latest.filter(nw.col("of") == nw.col("latest")).drop("of", "latest")


def named_by_census(seen: Frame, day: date, engine: Engine) -> list[Named]:
    """Read the bases of which census flags ever named a pupil.

    Parameters
    ----------
    seen : narwhals LazyFrame
        From `see_pupils`.
    day : datetime.date
        The census at which pupils are counted. One with both flags counts for each.
    engine : Engine

    Returns
    -------
    list of Named
    """
    flagged = seen.filter(in_a_base())
    today = nw.when(nw.col("day") == day).then(nw.lit(1)).otherwise(nw.lit(0))
    sums = flagged.group_by("urn", "state").agg(today.sum().cast(nw.Int64).alias("pupils"))
    counts: dict[str, dict[str, int]] = {}
    for row in engine.collect(sums, ["urn", "state"]).to_pylist():
        counts.setdefault(row["urn"], {})[row["state"]] = row["pupils"]
    named = []
    for urn, held in counts.items():
        twice = held.get(BOTH, 0)
        for part in (part for part in PARTS if part in held or BOTH in held):
            extra = twice if part == PARTS[-1] else 0
            pupils = held.get(part, 0) + twice
            named.append(
                Named(source="census", urn=urn, base_type=part, pupils=pupils, twice=extra)
            )
    return named


def needs_of(text: str | None) -> frozenset[str]:
    """Read types of need joined by semicolons, by code or in words.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    frozenset of str
        Codes; words that are no type of need stay as they are.

    Examples
    --------
    >>> sorted(needs_of("ASD - Autistic Spectrum Disorder; slcn;Hearing impairment"))
    ['ASD', 'HI', 'SLCN']
    """
    found = set[str]()
    for part in (text or "").split(";"):
        word = part.strip()
        code = word.split(" - ")[0].strip().upper()
        found.add(code if code in NEEDS else _NEED_CODES.get(word.lower(), word))
    return frozenset(found - {""})


def facts_of_schools(tables: Frames, engine: Engine) -> Mapping[str, tuple[str, str]]:
    """Give each school's name and local authority.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    engine : Engine

    Returns
    -------
    mapping of str to (str, str)
        URN -> name and authority; empty text where neither table says.
    """
    parts: list[dict[str, Any]] = []
    columns = {"urn": nw.String, "la": nw.String, "name": nw.String}
    for name in ("pupils", "schools"):
        if name in tables:
            frame = latest_schools(tables[name]) if name == "schools" else tables[name]
            named = with_only(frame, columns).group_by("urn")
            facts = named.agg(nw.col("la").min(), nw.col("name").min())
            parts += engine.collect(facts.filter(~nw.col("urn").is_null()), ["urn"]).to_pylist()
    found: dict[str, tuple[str, str]] = {}
    for row in parts:
        name, la = found.get(row["urn"], ("", ""))
        found[row["urn"]] = (row["name"] or name, row["la"] or la)
    return found


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _truth(flag: int | None) -> bool | None:
    return None if flag is None else bool(flag)

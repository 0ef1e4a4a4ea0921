"""A register of bases: every one that any source names, and where the sources disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.contracts.vocabulary import BASE_TYPES
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, Frames, with_only
from baseeval.placement.dates import with_census_days
from baseeval.placement.differing import disagreements_of, worded_disagreements
from baseeval.placement.matching_bases import Base, match_bases
from baseeval.placement.naming import white_paper_word
from baseeval.placement.naming_sources import (
    facts_of_schools,
    named_by_census,
    named_by_file,
    named_by_list,
    named_by_schools,
    schools_that_say,
)
from baseeval.placement.seeing import see_pupils
from baseeval.placement.timing import compare_time

PUPIL_COLUMNS = ("pupils_bases", "pupils_spells", "pupils_schools", "pupils_census")
BASE_COLUMNS = (
    "la",
    "urn",
    "school",
    "base_id",
    "name",
    "base_type",
    "type_name",
    "white_paper",
    "commissioner",
    "needs",
    "places",
    *PUPIL_COLUMNS,
    "sources",
    "local_offer",
    "disagreements",
    "flags",
)
AUTHORITY_COLUMNS = ("la", "need", "bases", "places", "pupils", "places_per_100", "flags")
DISAGREEMENT_COLUMNS = ("la", "urn", "base_id", "kind", "detail")
NOT_RECORDED = "not recorded"
NOT_KNOWN = "not known"

_NEED_COLUMNS = {
    "pupil_id": nw.String,
    "year": nw.Int64,
    "term": nw.String,
    "urn": nw.String,
    "la": nw.String,
    "primary_need": nw.String,
}

#: Why an authority's row may show fewer places than there are.
PLACES_INCOMPLETE, NEEDS_INCOMPLETE = "places_incomplete", "needs_incomplete"


@dataclass(frozen=True, slots=True)
class Register:
    """Every base that any source names.

    Parameters
    ----------
    bases : pandas.DataFrame
        One row a base: ``la, urn, school, base_id, name, base_type, type_name,
        white_paper, commissioner, needs, places, pupils_bases, pupils_spells,
        pupils_schools, pupils_census, sources, local_offer, disagreements,
        flags``. ``needs`` and ``sources`` are joined by semicolons; pupils are
        missing where the source does not name the base or does not count;
        ``local_offer`` is yes, no or not known.
    authorities : pandas.DataFrame
        ``la, need, bases, places, pupils, places_per_100, flags``: the places of
        bases for a need (a base for several counts under each) and the pupils
        whose primary need it is. Places of bases whose needs nobody records stand
        under ``not recorded``; `flags` say where that, or bases whose places
        nobody records, leaves a row short (``needs_incomplete``, ``places_incomplete``).
    disagreements : pandas.DataFrame
        ``la, urn, base_id, kind, detail``.
    times : pandas.DataFrame
        From `compare_time`, with ``flags``.
    """

    bases: pd.DataFrame
    authorities: pd.DataFrame
    disagreements: pd.DataFrame
    times: pd.DataFrame


def make_register(tables: Frames, engine: Engine) -> Register:
    """Make a register of bases from all that names one, with exact counts of pupils.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        ``pupils``, and where they exist ``placements``, ``bases`` and ``schools``.
    engine : Engine

    Returns
    -------
    Register
        It may not leave: `baseeval.disclosure.registers.release_register` makes one that may.
    """
    seen = see_pupils(tables["pupils"], engine)
    known = seen.filter(~nw.col("state").is_null())
    day = _latest_day(known, engine) or _latest_day(seen, engine) or date.min
    by_source = {
        "bases": named_by_list(tables, engine),
        "spells": named_by_file(tables, day, engine),
        "schools": named_by_schools(tables, engine),
        "census": named_by_census(seen, day, engine),
    }
    found = match_bases(by_source.values())
    about = facts_of_schools(tables, engine)
    covers = {
        "bases": None if "bases" in tables else set[str](),
        "spells": None if "placements" in tables else set[str](),
        "schools": schools_that_say(tables, engine),
        "census": _schools_of(known, engine),
    }
    records = [_base_row(base, about) for base in found]
    bases = pd.DataFrame.from_records(records, columns=list(BASE_COLUMNS))
    bases[["places", *PUPIL_COLUMNS]] = bases[["places", *PUPIL_COLUMNS]].astype("Int64")
    rows = [
        (about.get(base.urn, ("", ""))[1], base.urn, base.base_id, kind, detail)
        for base in found
        for kind, detail in disagreements_of(base, covers)
    ]
    disagreements = pd.DataFrame.from_records(rows, columns=list(DISAGREEMENT_COLUMNS))
    bases["disagreements"] = worded_disagreements(bases, disagreements)
    times = compare_time(tables, engine).assign(flags="")
    authorities = _authorities(bases, _pupils_by_need(tables["pupils"], about, engine))
    return Register(bases, authorities, disagreements, times)


def _latest_day(rows: Frame, engine: Engine) -> date | None:
    table = engine.collect(rows.select(nw.col("day").max()), [])
    latest: date | None = table.column("day").to_pylist()[0]
    return latest


def _schools_of(frame: Frame, engine: Engine) -> set[str]:
    return set(engine.collect(frame.select("urn").unique(), ["urn"]).column("urn").to_pylist())


def _base_row(base: Base, about: Mapping[str, tuple[str, str]]) -> tuple[Any, ...]:
    school, la = about.get(base.urn, ("", ""))
    named = base.named
    needs: frozenset[str] = next((n.needs for n in named if n.needs), frozenset())
    places = next((p for s in base.sources if (p := base.total(s, "places")) is not None), None)
    return (
        la,
        base.urn,
        school,
        base.base_id,
        next((n.name for n in named if n.name), ""),
        base.base_type,
        BASE_TYPES[base.base_type],
        white_paper_word(base.white_paper_type, base.commissioner),
        base.commissioner,
        ";".join(sorted(needs)),
        places,
        *(base.total(column.removeprefix("pupils_"), "pupils") for column in PUPIL_COLUMNS),
        ";".join(base.sources),
        _offer([n.local_offer for n in named]),
        "",
        "",
    )


def _offer(said: list[bool | None]) -> str:
    """Say whether a base is in the local offer, by the first source that says."""
    first = next((offer for offer in said if offer is not None), None)
    return NOT_KNOWN if first is None else "yes" if first else "no"


def _pupils_by_need(
    pupils: Frame, about: Mapping[str, tuple[str, str]], engine: Engine
) -> dict[tuple[str, str], int]:
    """Count pupils by authority and primary need at the latest census that records needs."""
    rows = with_census_days(with_only(pupils, _NEED_COLUMNS), engine)
    rows = rows.filter(~nw.col("primary_need").is_null())
    day = _latest_day(rows, engine)
    if day is None:
        return {}
    today = rows.filter(nw.col("day") == day).select("pupil_id", "urn", "la", "primary_need")
    by = ["urn", "la", "primary_need"]
    counted = engine.collect(today.unique().group_by(*by).agg(COUNT.alias("pupils")), by)
    sums: dict[tuple[str, str], int] = {}
    for row in counted.to_pylist():
        la = about.get(row["urn"], ("", ""))[1] or row["la"] or ""
        key = (la, row["primary_need"])
        sums[key] = sums.get(key, 0) + row["pupils"]
    return sums


def _authorities(bases: pd.DataFrame, pupils: dict[tuple[str, str], int]) -> pd.DataFrame:
    offered: dict[tuple[str, str], list[int | None]] = {}
    for la, needs, places in zip(bases["la"], bases["needs"], bases["places"], strict=True):
        for need in needs.split(";") if needs else [NOT_RECORDED]:
            offered.setdefault((la, need), []).append(None if pd.isna(places) else int(places))
    vague = {la for la, need in offered if need == NOT_RECORDED}
    rows = []
    for key in sorted(set(offered) | set(pupils)):
        known = [places for places in offered.get(key, []) if places is not None]
        flags = [PLACES_INCOMPLETE] if len(known) < len(offered.get(key, [])) else []
        if key[0] in vague and key[1] != NOT_RECORDED:
            flags.append(NEEDS_INCOMPLETE)
        # No place known is not no place.
        places = None if flags and not known else sum(known)
        count = pupils.get(key, 0) if pupils and key[1] != NOT_RECORDED else None
        rate = rate_per_100(places, count)
        rows.append((*key, len(offered.get(key, [])), places, count, rate, ";".join(flags)))
    table = pd.DataFrame.from_records(rows, columns=list(AUTHORITY_COLUMNS))
    counts = ["bases", "places", "pupils"]
    table[counts] = table[counts].astype("Int64")
    table["places_per_100"] = table["places_per_100"].astype("float64")
    return table


def rate_per_100(places: int | None, pupils: int | None) -> float:
    """Give places for every hundred pupils.

    Parameters
    ----------
    places : int or None
    pupils : int or None

    Returns
    -------
    float
        Missing where either is not known, or there are no pupils.

    Examples
    --------
    >>> rate_per_100(12, 300)
    4.0
    """
    return 100 * places / pupils if pupils and places is not None else float("nan")

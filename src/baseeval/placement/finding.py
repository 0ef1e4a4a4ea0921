"""Placements found: spells, hosts, decisions, and what the sources say of one another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, Frames, with_only
from baseeval.errors import Fault
from baseeval.placement.agreeing import Sources, compare_sources
from baseeval.placement.censusing import census_spells
from baseeval.placement.filing import (
    considered_pupils,
    filed_placements,
    filed_spells,
    last_day_told,
)
from baseeval.placement.hosting import (
    census_hosts,
    listed_hosts,
    school_hosts,
    spell_hosts,
    years_of,
)
from baseeval.placement.naming import count_words, with_types
from baseeval.placement.on_roll import days_on_roll
from baseeval.placement.rules import PlacementRules
from baseeval.placement.seeing import see_pupils
from baseeval.placement.unclear import unclear_places

TYPE_COLUMNS = ("source", "word", "base_type", "name", "white_paper", "rows")


@dataclass(frozen=True, slots=True)
class Placed:
    """Who was in which base when, and which schools host.

    Parameters
    ----------
    spells : narwhals LazyFrame
        One row a spell, of every type: ``pupil_id, urn, base_id, base_type,
        start, end, share_of_time_in_base, seen_before, last_out, first_in,
        last_in, next_out, left_for, ready`` (see `census_spells`).
    dated : bool
        The spells are a file's, by exact days, and not made of census flags.
    told_until : datetime.date or None
        The last day of which the file says anything; None where flags make the spells.
    unclear : narwhals LazyFrame
        ``pupil_id, base_urn, not_before, not_after, why``: the places of the same source
        whose days are not known (see `unclear_places`); none where flags make the spells.
    hosts_by_places : bool
        Nothing but the places of a file says which schools host.
    hosts : narwhals LazyFrame
        ``urn, year``: the school years with a base that counts.
    considered : narwhals LazyFrame
        ``pupil_id, urn, base_type, decision, decided``: decisions other than a place.
    seen : narwhals LazyFrame
        ``pupil_id, year, urn, day``: where the first census of each school year
        saw each pupil.
    on_roll : narwhals LazyFrame
        ``pupil_id, year, since, until`` (see `days_on_roll`).
    faults : tuple of Fault
    agreement : pandas.DataFrame
        From `compare_sources`.
    types : pandas.DataFrame
        ``source, word, base_type, name, white_paper, rows``: every word for a base, its
        type, the word used until 2026 and the White Paper's.
    """

    spells: Frame
    dated: bool
    told_until: date | None
    unclear: Frame
    hosts_by_places: bool
    hosts: Frame
    considered: Frame
    seen: Frame
    on_roll: Frame
    faults: tuple[Fault, ...]
    agreement: pd.DataFrame
    types: pd.DataFrame


def find_placements(tables: Frames, rules: PlacementRules, engine: Engine) -> Placed:
    """Find placements in the tables, by a study's rules.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        By the names of their contracts: ``pupils``, and where they exist
        ``placements``, ``bases`` and ``schools``.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    Placed

    Examples
    --------
    >>> rows = {"pupil_id": ["a", "a"], "year": [2021, 2022], "urn": ["1", "1"], "sen_unit": [0, 1]}
    >>> with Engine() as engine:
    ...     pupils = engine.table(pa.table(rows))
    ...     placed = find_placements({"pupils": pupils}, PlacementRules(), engine)
    ...     engine.collect(placed.spells, ["pupil_id"]).column("start").to_pylist()
    [datetime.date(2021, 1, 22)]
    """
    seen = see_pupils(tables["pupils"], engine)
    years = years_of(seen, engine)
    types, faults = _words(tables, engine)
    flagged = census_spells(seen, engine)
    filed = filed_placements(_with_placements(tables, engine), engine)
    listed, found = filed_spells(filed, engine)
    unclear, undated = unclear_places(filed, engine)
    has_flags = engine.counts(seen, {"known": ~nw.col("state").is_null()})["known"] > 0
    faults += undated + found + _lacks(tables, has_flags, rules)

    file_first = rules.source == "spells" or (
        rules.source == "schools" and not has_flags and "placements" in tables
    )
    spells, hosts_by_places = (listed if file_first else flagged), False
    if rules.hosts:
        hosts = listed_hosts(years, rules, engine)
    elif rules.source == "schools" and "schools" in tables:
        hosts = school_hosts(tables["schools"], years, rules, engine)
    elif file_first:
        hosts, hosts_by_places = spell_hosts(spells, years, rules, engine), True
    else:
        hosts = census_hosts(seen, rules)
    sources = Sources(
        seen=seen if has_flags else None,
        spells=listed if "placements" in tables else None,
        schools=tables.get("schools"),
        bases=tables.get("bases"),
        years=tuple(years),
    )
    return Placed(
        spells=spells,
        dated=file_first,
        told_until=last_day_told(filed, engine) if file_first else None,
        unclear=unclear if file_first else engine.keep(unclear.head(0)),
        hosts_by_places=hosts_by_places,
        hosts=engine.keep(hosts),
        considered=considered_pupils(filed, engine),
        seen=_first_of_each_year(seen, engine),
        on_roll=days_on_roll(seen),
        faults=tuple(faults),
        agreement=compare_sources(sources, rules, engine),
        types=types,
    )


def _words(tables: Frames, engine: Engine) -> tuple[pd.DataFrame, list[Fault]]:
    rows: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for name in ("placements", "bases", "schools"):
        if name in tables:
            words = with_types(with_only(tables[name], {"base_type": nw.String}))
            if name == "schools":  # most schools have no base: a blank is no word for one
                words = words.filter(~nw.col("word").is_null())
            more, found = count_words(name, words, engine)
            rows += more
            faults += found
    return pd.DataFrame.from_records(rows, columns=list(TYPE_COLUMNS)), faults


def _with_placements(tables: Frames, engine: Engine) -> dict[str, Frame]:
    """Give a study without a file of placements an empty one."""
    if "placements" in tables:
        return dict(tables)
    return {**tables, "placements": engine.table(pa.table({"pupil_id": pa.array([], pa.string())}))}


def _lacks(tables: Frames, has_flags: bool, rules: PlacementRules) -> list[Fault]:
    """Name what the rules ask for and the tables do not hold."""
    faults = []
    if rules.source == "census" and not has_flags:
        what = "no census records a base flag (`sen_unit`, `resourced_provision`)"
        faults.append(_lack("pupils", "no_base_flags", what, "Set `source` in [placement]."))
    for name, asked in (
        ("placements", rules.source == "spells"),
        ("schools", rules.source == "schools" and not rules.hosts),
    ):
        if asked and name not in tables:
            what = f"[placement] reads this table (`source` is {rules.source}), and there is none"
            faults.append(_lack(name, f"no_{name}", what, "Give its file in [data]."))
    if rules.comparison == "considered":
        held = tables["placements"].collect_schema().names() if "placements" in tables else []
        if "decision" not in held:
            what = "the comparison is with pupils considered for a base, and no decision is held"
            remedy = "Give the column `decision`, or set `comparison` to all."
            faults.append(_lack("placements", "no_decisions", what, remedy))
    return faults


def _lack(file: str, rule: str, what: str, remedy: str) -> Fault:
    return Fault(file, what, remedy, file=file, rule=rule, stops=True)


def _first_of_each_year(seen: Frame, engine: Engine) -> Frame:
    year = ["pupil_id", "year"]
    rows = seen.with_columns(
        nw.col("day").cum_count().over(*year, order_by=("day", "urn")).alias("number")
    )
    return engine.keep(rows.filter(nw.col("number") == 1).select(*year, "urn", "day"))

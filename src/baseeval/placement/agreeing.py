"""Do the sources name the same bases, and the same pupils? Counts, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, with_only, yes
from baseeval.placement.hosting import census_hosts, school_bases, spell_hosts
from baseeval.placement.naming import UNKNOWN, with_types
from baseeval.placement.rules import PlacementRules
from baseeval.placement.seeing import in_a_base

AGREEMENT_COLUMNS = ("level", "first", "second", "both", "only_first", "only_second")


@dataclass(frozen=True, slots=True)
class Sources:
    """What may speak of bases; None where it does not.

    Parameters
    ----------
    seen, spells, schools, bases : narwhals LazyFrame or None
        The census, the spells of a file, and the tables ``schools`` and ``bases``.
    years : tuple of int
        The school years of the census.
    """

    seen: Frame | None
    spells: Frame | None
    schools: Frame | None
    bases: Frame | None
    years: tuple[int, ...]


def compare_sources(sources: Sources, rules: PlacementRules, engine: Engine) -> pd.DataFrame:
    """Count what each pair of sources says alike and not.

    Parameters
    ----------
    sources : Sources
    rules : PlacementRules
        Types and smallest number of pupils apply to every source that has them.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``level, first, second, both, only_first, only_second``. The level is
        ``school year`` where both sources date what they say and ``school`` where
        one does not (has a base in any year); at the level ``pupil and census``
        the rows are those at which the flags were recorded: flagged, and in a
        spell of the file on that day.
    """
    by_year, by_school = _hosts(sources, rules, engine)
    records = []
    for first, second in combinations([*by_year, *(k for k in by_school if k not in by_year)], 2):
        dated = first in by_year and second in by_year
        found = by_year if dated else by_school
        on = ["urn", "year"] if dated else ["urn"]
        level = "school year" if dated else "school"
        records.append((level, first, second, *_compare(found[first], found[second], on, engine)))
    if sources.seen is not None and sources.spells is not None:
        counts = _compare_pupils(sources.seen, sources.spells, rules, engine)
        records.append(("pupil and census", "census", "spells", *counts))
    return pd.DataFrame.from_records(records, columns=list(AGREEMENT_COLUMNS))


def _hosts(
    sources: Sources, rules: PlacementRules, engine: Engine
) -> tuple[dict[str, Frame], dict[str, Frame]]:
    """Give each source's hosts by school year, where it dates them, and by school."""
    by_year: dict[str, Frame] = {}
    by_school: dict[str, Frame] = {}
    years = list(sources.years)
    if sources.seen is not None:
        by_year["census"] = engine.keep(census_hosts(sources.seen, rules))
    if sources.spells is not None:
        by_year["spells"] = engine.keep(spell_hosts(sources.spells, years, rules, engine))
    if sources.schools is not None:
        bases = engine.keep(school_bases(sources.schools).filter(rules.counts()))
        undated = engine.counts(bases, {"undated": nw.col("year").is_null()})["undated"]
        if not undated and "year" in sources.schools.collect_schema().names():
            within = bases.filter(nw.col("year").is_in(years))
            by_year["schools"] = within.select("urn", "year").unique()
        by_school["schools"] = bases.select("urn").unique()
    if sources.bases is not None:
        listed = with_types(with_only(sources.bases, {"urn": nw.String, "base_type": nw.String}))
        code = nw.coalesce(nw.col("base_type"), nw.lit(UNKNOWN))
        listed = listed.with_columns(code.alias("base_type")).filter(rules.counts())
        by_school["bases"] = engine.keep(listed.select("urn").unique())
    return by_year, {
        **{name: hosts.select("urn").unique() for name, hosts in by_year.items()},
        **by_school,
    }


def _compare(first: Frame, second: Frame, on: list[str], engine: Engine) -> tuple[int, int, int]:
    """Count the keys of both frames, of the first alone and of the second alone."""
    sides = [
        frame.select(*on, nw.lit(int(n == 0)).alias("a"), nw.lit(int(n == 1)).alias("b"))
        for n, frame in enumerate((first, second))
    ]
    keys = nw.concat(sides, how="vertical").group_by(*on)
    return _tally(keys.agg(nw.col("a").max(), nw.col("b").max()), engine)


def _compare_pupils(
    seen: Frame, spells: Frame, rules: PlacementRules, engine: Engine
) -> tuple[int, int, int]:
    known = seen.filter(~nw.col("state").is_null())
    a = yes(in_a_base() & rules.counts("state"))
    known = known.select("pupil_id", "day", a.alias("a"))
    counted = spells.filter(rules.counts()).select("pupil_id", "start", "end")
    covers = (nw.col("start") <= nw.col("day")) & (
        nw.col("end").is_null() | (nw.col("end") >= nw.col("day"))
    )
    inside = known.join(counted, on="pupil_id", how="inner").filter(covers)
    inside = inside.select("pupil_id", "day").unique().with_columns(nw.lit(1).alias("b"))
    rows = known.join(inside, on=["pupil_id", "day"], how="left")
    return _tally(rows, engine)


def _tally(rows: Frame, engine: Engine) -> tuple[int, int, int]:
    a, b = nw.col("a") == 1, yes(nw.col("b") == 1) == 1
    counts = engine.counts(rows, {"both": a & b, "first": a & ~b, "second": ~a & b})
    return counts["both"], counts["first"], counts["second"]

"""Which schools host a base, and in which school years."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, with_only
from baseeval.placement.dates import year_frame
from baseeval.placement.naming import with_types
from baseeval.placement.rules import PARTS, PlacementRules
from baseeval.placement.seeing import in_a_base

_SCHOOL_COLUMNS = {
    "urn": nw.String,
    "year": nw.Int64,
    "base_type": nw.String,
    "sen_unit_pupils": nw.Float64,
    "sen_unit_places": nw.Float64,
    "rp_pupils": nw.Float64,
    "rp_places": nw.Float64,
}
_COUNTS = {"sen_unit": "sen_unit", "rp": "resourced_provision"}


def years_of(seen: Frame, engine: Engine) -> list[int]:
    """List the school years of the census rows.

    Parameters
    ----------
    seen : narwhals LazyFrame
        From `see_pupils`.
    engine : Engine

    Returns
    -------
    list of int
    """
    table = engine.collect(seen.select("year").unique(), ["year"])
    return [int(year) for year in table.column("year").to_pylist()]


def census_hosts(seen: Frame, rules: PlacementRules) -> Frame:
    """Find the school years with enough flagged pupils.

    Parameters
    ----------
    seen : narwhals LazyFrame
        From `see_pupils`.
    rules : PlacementRules

    Returns
    -------
    narwhals LazyFrame
        ``urn, year``.
    """
    flagged = seen.filter(in_a_base() & rules.counts("state"))
    return _enough(flagged.select("urn", "year", "pupil_id").unique(), rules)


def spell_hosts(spells: Frame, years: list[int], rules: PlacementRules, engine: Engine) -> Frame:
    """Find the school years in which enough pupils spent a day in a spell.

    Parameters
    ----------
    spells : narwhals LazyFrame
        With ``SPELL_COLUMNS``.
    years : list of int
        School years to be looked at.
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``urn, year``.
    """
    counted = spells.filter(rules.counts()).join(year_frame(years, engine), how="cross")
    goes_on = nw.col("end").is_null() | (nw.col("end") >= nw.col("opens"))
    within = counted.filter((nw.col("start") <= nw.col("closes")) & goes_on)
    return _enough(within.select("urn", "year", "pupil_id").unique(), rules)


def _enough(pupils: Frame, rules: PlacementRules) -> Frame:
    counted = pupils.group_by("urn", "year").agg(COUNT.alias("pupils"))
    return counted.filter(nw.col("pupils") >= rules.host_min_pupils).select("urn", "year")


def school_bases(schools: Frame) -> Frame:
    """Lay out the bases that GIAS or EES says each school has.

    Parameters
    ----------
    schools : narwhals LazyFrame
        The table ``schools``.

    Returns
    -------
    narwhals LazyFrame
        ``urn, year, base_type, pupils, places``: one row a kind of base. A school
        with a SEN unit and a resourced provision has two. A count of pupils or of
        places makes a base even where the type does not name it.
    """
    rows = with_types(with_only(schools, _SCHOOL_COLUMNS))
    both = nw.col("base_type") == "sen_unit_and_resourced_provision"
    parts = []
    for prefix, code in _COUNTS.items():
        pupils, places = nw.col(f"{prefix}_pupils"), nw.col(f"{prefix}_places")
        has = (nw.col("base_type") == code) | both | (pupils > 0) | (places > 0)
        columns = (nw.lit(code).alias("base_type"), pupils.alias("pupils"), places.alias("places"))
        parts.append(rows.filter(has).select("urn", "year", *columns))
    named = nw.col("base_type")
    others = rows.filter(~named.is_null() & ~both & ~named.is_in(list(PARTS)))
    empty = [nw.lit(None, dtype=nw.Float64).alias(name) for name in ("pupils", "places")]
    return nw.concat([*parts, others.select("urn", "year", "base_type", *empty)], how="vertical")


def school_hosts(schools: Frame, years: list[int], rules: PlacementRules, engine: Engine) -> Frame:
    """Find the school years in which GIAS or EES says that a school has a base.

    Parameters
    ----------
    schools : narwhals LazyFrame
        The table ``schools``. A row without a year speaks for every year.
    years : list of int
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``urn, year``.
    """
    bases = school_bases(schools).filter(rules.counts())
    every = bases.filter(nw.col("year").is_null()).select("urn")
    always = every.join(year_frame(years, engine).select("year"), how="cross")
    stated = bases.filter(~nw.col("year").is_null()).select("urn", "year")
    return nw.concat([always.select("urn", "year"), stated], how="vertical").unique()


def listed_hosts(years: list[int], rules: PlacementRules, engine: Engine) -> Frame:
    """Take the schools that the study lists as hosts, in every year.

    Parameters
    ----------
    years : list of int
    rules : PlacementRules
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``urn, year``.
    """
    listed = sorted(set(rules.hosts))
    pairs = [(urn, year) for urn in listed for year in years]
    columns = {
        "urn": pa.array([urn for urn, _ in pairs], pa.string()),
        "year": pa.array([year for _, year in pairs], pa.int64()),
    }
    return engine.table(pa.table(columns))

"""Exclusions: one row a pupil and school year that the extract covers, zero where there is none."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from baseeval.contracts.exclusions import CONTRACT
from baseeval.contracts.tables import TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, yes
from baseeval.sources.contracted import Contracted, check_rules, read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.npd_rows import with_summer_year
from baseeval.sources.rows import PUPIL_YEAR, under_contract

_FIGURES = ("suspensions", "suspension_sessions", "permanent_exclusions")

#: The extract, as it comes: whole numbers, one row a pupil and school.
_EXTRACT = TableContract(
    "exclusions",
    "A pupil's exclusions from one school in one school year",
    PUPIL_YEAR,
    (
        *(CONTRACT.column(name) for name in (*PUPIL_YEAR, "urn")),
        *(replace(CONTRACT.column(name), kind="integer") for name in _FIGURES),
    ),
)


def read_exclusions(gathered: Gathered, pupils: Frame, engine: Engine) -> Contracted:
    """Read the exclusions extract.

    Parameters
    ----------
    gathered : Gathered
    pupils : narwhals LazyFrame
        The census: its pupils without a row have none, in the years covered.
    engine : Engine

    Returns
    -------
    Contracted
        Of the contract ``exclusions``; `gathered`'s own faults are not repeated.
    """
    label = gathered.label
    read = read_contract(with_summer_year(gathered.frame), _EXTRACT, engine, label)
    excluded = engine.keep(_year_totals(read.frame))
    figures = [name for name in _FIGURES if name in excluded.collect_schema().names()]
    years = _with_zeros(excluded, pupils, figures, engine)
    years = years.with_columns(*(nw.col(name).cast(nw.Float64) for name in figures))
    faults = check_rules(years, CONTRACT, engine, label)
    return replace(
        read, frame=engine.keep(under_contract(years, CONTRACT)), faults=(*read.faults, *faults)
    )


def _year_totals(frame: Frame) -> Frame:
    """Add up what several schools recorded; a figure that none of them has is missing."""
    held = frame.collect_schema().names()
    figures = [name for name in _FIGURES if name in held]
    schools = [nw.col("urn").min(), nw.col("urn").max().alias("other_urn")]
    totals = frame.group_by(*PUPIL_YEAR).agg(
        *(nw.col(name).sum().cast(nw.Int64) for name in figures),
        *(yes(~nw.col(name).is_null()).max().alias(f"known:{name}") for name in figures),
        *(schools if "urn" in held else []),
    )
    one_school = nw.when(nw.col("urn") == nw.col("other_urn")).then(nw.col("urn")).alias("urn")
    return totals.select(
        *PUPIL_YEAR,
        *([one_school] if "urn" in held else []),
        *(nw.when(nw.col(f"known:{name}") == 1).then(nw.col(name)).alias(name) for name in figures),
    )


def _with_zeros(excluded: Frame, pupils: Frame, figures: list[str], engine: Engine) -> Frame:
    """Add the pupils of each covered year's censuses who were not excluded.

    A year is covered by a figure where the extract holds the figure of anybody in it.
    """
    covered = (
        excluded.group_by("year")
        .agg(*(yes(~nw.col(name).is_null()).max().alias(f"any:{name}") for name in figures))
        .filter(nw.any_horizontal(*(nw.col(f"any:{n}") == 1 for n in figures), ignore_nulls=True))
    )
    never = (
        pupils.select(*PUPIL_YEAR)
        .unique()
        .join(engine.keep(covered), on="year", how="inner")
        .join(excluded.select(*PUPIL_YEAR), on=list(PUPIL_YEAR), how="anti")
    )
    names = excluded.collect_schema().names()
    zeros = never.select(
        *PUPIL_YEAR,
        *([nw.lit(None, dtype=nw.String).alias("urn")] if "urn" in names else []),
        *(
            nw.when(nw.col(f"any:{n}") == 1).then(nw.lit(0).cast(nw.Int64)).alias(n)
            for n in figures
        ),
    )
    return nw.concat([excluded, zeros], how="vertical")
